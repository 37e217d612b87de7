package deliver

import (
	"context"
	"errors"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/codes"
	"github.com/culvert/culvert/actions/dhis2/object"
)

// waves sends what is left of the records. An object is in a wave once only, for DHIS2 2.43 refuses
// a whole request with the same object twice; a record's writes keep their order.
func (d *delivery) waves(ctx context.Context, jobs []*job) {
	for {
		wave := d.next(jobs)
		if len(wave) == 0 {
			return
		}
		d.sendWave(ctx, wave)
		for _, j := range jobs {
			if !j.requeue {
				j.stop()
			}
		}
	}
}

// sendWave sends what is still to be sent of a wave once nobody else writes its objects.
func (d *delivery) sendWave(ctx context.Context, wave []*item) {
	var names []string
	for _, i := range wave {
		names = append(names, i.guards()...)
	}
	if err := d.traffic.acquire(ctx, names); err != nil {
		for _, i := range wave {
			i.finish(codes.Later("the delivery was broken off", err))
		}
		return
	}
	defer d.traffic.release(names)
	d.traffic.latest(names, d.digests)
	for _, i := range wave {
		if d.same(i) {
			i.finish(actions.Outcome{Status: actions.Unchanged})
		} else if err := d.allow(ctx, i); err != nil {
			i.finish(codes.Later("the journal could not be read", err))
		}
	}
	for p := range object.Phases {
		d.send(ctx, p, ready(wave, p))
	}
	for _, i := range wave {
		d.keep(ctx, i)
	}
}

// next picks what can be sent together.
func (d *delivery) next(jobs []*job) []*item {
	var wave []*item
	claimed := map[string]bool{}
	for _, j := range jobs {
		if j.requeue {
			continue
		}
		reached := object.Phase(0)
		for _, i := range j.items {
			if i.done {
				continue
			}
			if i.object.Phase() < reached || d.clash(claimed, i) {
				break
			}
			reached = i.object.Phase()
			wave = append(wave, i)
		}
	}
	return wave
}

// clash tells whether an item cannot be in one wave with those claimed: the same object, or another
// person with the same unique value, of whom DHIS2 would refuse both, or a person whom its values name.
func (d *delivery) clash(claimed map[string]bool, i *item) bool {
	claims := i.object.Claims(i.key, d.x)
	for _, uid := range i.named { // known to be there once they are written
		if claimed[client.TypeTrackedEntity+uid] && uid != i.key.UID {
			return true
		}
	}
	for _, c := range claims {
		if claimed[c] {
			return true
		}
	}
	for _, c := range claims {
		claimed[c] = true
	}
	return false
}

// ready gives the items of a phase whose records have had no failure so far.
func ready(wave []*item, p object.Phase) []*item {
	var list []*item
	for _, i := range wave {
		if i.object.Phase() == p {
			list = append(list, i)
		}
	}
	return open(list)
}

func (d *delivery) send(ctx context.Context, p object.Phase, items []*item) {
	if len(items) == 0 {
		return
	}
	switch p {
	case object.PhaseOrgUnit:
		d.orgUnits(ctx, items)
	case object.PhaseWrite, object.PhaseStatus:
		d.write(ctx, items)
	case object.PhaseDelete:
		d.importTracker(ctx, items, client.TrackerOptions{Rehearse: d.rehearse, Delete: true})
	case object.PhaseValues:
		plain, contributions := splitValues(d.valueFiles(ctx, items))
		for set, group := range byDataSet(plain) {
			d.importValues(ctx, set, group)
		}
		d.markFollowUps(ctx, plain)
		if len(contributions) > 0 {
			d.sum(ctx, contributions)
		}
	case object.PhaseTransfer, object.PhaseComplete:
		for _, i := range items {
			d.sendAlone(ctx, i)
		}
	}
}

// write sends what is created or changed: what is there, what is new, then what links the two.
func (d *delivery) write(ctx context.Context, items []*item) {
	items = d.sendable(d.read(ctx, items))
	for options, group := range byOptions(items, d.options.Import) {
		o := client.TrackerOptions{
			Rehearse: d.rehearse, Async: options.Async && !d.rehearse,
			SkipRuleEngine: options.SkipRuleEngine, SkipSideEffects: options.SkipSideEffects,
			SkipPatternValidation: options.SkipPatternValidation,
		}
		changes, fresh, links := sorts(group)
		d.importTracker(ctx, d.upload(ctx, d.reopen(ctx, changes, o)), o)
		create := o
		create.CreateOnly = true
		d.claimNew(fresh)
		d.importTracker(ctx, d.upload(ctx, d.reserve(ctx, open(fresh))), create)
		d.importTracker(ctx, open(links), o)
	}
}

// claimNew notes for whom the people stand whom the batch is about to create.
func (d *delivery) claimNew(fresh []*item) {
	for _, i := range fresh {
		if o, ok := i.object.(*object.TrackedEntity); ok {
			d.book.ClaimNew(o.Person, i.key.UID)
		}
	}
}

// sendAlone sends what has a request of its own.
func (d *delivery) sendAlone(ctx context.Context, i *item) {
	o, ok := i.object.(object.Direct)
	if !ok {
		return // it is left unsettled, and said so
	}
	if d.rehearse {
		i.finish(actions.Outcome{Status: actions.Delivered, Warnings: []string{o.Rehearsed()}})
		return
	}
	err := o.Send(ctx, d.server, i.key)
	if errors.Is(err, client.ErrAbsent) {
		i.finish(notThereYet(i))
		return
	}
	if err != nil {
		outcome := codes.OfRequest(err)
		outcome.Message = o.Label() + ": " + outcome.Message
		i.finish(outcome)
		return
	}
	i.finish(actions.Outcome{Status: actions.Delivered})
}

// sendable settles what would spoil a request for the others in it.
func (d *delivery) sendable(items []*item) []*item {
	rest := items[:0:0]
	for _, i := range items {
		if o, ok := i.object.(object.Checked); ok {
			if issue, lacks := o.Lacks(d.current(i)); lacks {
				i.finish(d.explain(i, issue))
				continue
			}
		}
		rest = append(rest, i)
	}
	return rest
}

// sorts parts what is on the server already from what is new, and both from relationships, whose
// ends may be among the new. What is new is sent so that DHIS2 refuses it when it is there after
// all (a journal was lost, a crash came between the write and its record): then it is read before
// it is written.
func sorts(items []*item) (changes, fresh, links []*item) {
	for _, i := range items {
		switch mode := i.object.Mode(); {
		case mode == object.Link:
			links = append(links, i)
		case mode == object.Change || i.known:
			changes = append(changes, i)
		default:
			fresh = append(fresh, i)
		}
	}
	return changes, fresh, links
}

// open gives the items whose records have had no failure so far.
func open(items []*item) []*item {
	var list []*item
	for _, i := range items {
		if !i.done && i.job.failed() == nil && !i.job.requeue {
			list = append(list, i)
		}
	}
	return list
}

// byOptions groups items by how they are to be imported. Most rules ask for nothing, so there is one group.
func byOptions(items []*item, server object.ImportOptions) map[object.ImportOptions][]*item {
	groups := map[object.ImportOptions][]*item{}
	for _, i := range items {
		o := i.object.Options().Or(server)
		groups[o] = append(groups[o], i)
	}
	return groups
}
