package dhis2

import (
	"context"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
)

// phase orders the kinds of requests of one round.
type phase int

const (
	phaseWrite phase = iota
	phaseStatus
	phaseValues
	phaseComplete
	phaseDelete
	phases
)

func (i *item) phase() phase {
	switch i.write.Object.(type) {
	case *statusWrite:
		return phaseStatus
	case *dataValueWrite:
		return phaseValues
	case *completionWrite:
		return phaseComplete
	case *deletion:
		return phaseDelete
	}
	return phaseWrite
}

// rounds sends what is left of the records. An object is in a round once only, for DHIS2 2.43 refuses a whole request with the same object
// twice; a record's writes keep their order.
func (d *delivery) rounds(ctx context.Context, jobs []*job) {
	for {
		round := d.next(jobs)
		if len(round) == 0 {
			return
		}
		d.sendRound(ctx, round)
		for _, j := range jobs {
			if !j.repeat {
				j.stop()
			}
		}
	}
}

// sendRound sends what is still to be sent of a round once nobody else writes its objects.
func (d *delivery) sendRound(ctx context.Context, round []*item) {
	var names []string
	for _, i := range round {
		names = append(names, i.guards()...)
	}
	if err := d.traffic.acquire(ctx, names); err != nil {
		for _, i := range round {
			i.finish(retryLater("the delivery was broken off", err))
		}
		return
	}
	defer d.traffic.release(names)
	d.traffic.latest(names, d.digests)
	for _, i := range round {
		if d.same(i) {
			i.finish(actions.Outcome{Status: actions.Unchanged})
		} else if err := d.allow(ctx, i); err != nil {
			i.finish(retryLater("the journal could not be read", err))
		}
	}
	for p := range phases {
		d.send(ctx, p, ready(round, p))
	}
	for _, i := range round {
		d.keep(ctx, i)
	}
}

// next picks what can be sent together.
func (d *delivery) next(jobs []*job) []*item {
	var round []*item
	taken := map[string]bool{}
	for _, j := range jobs {
		if j.repeat {
			continue
		}
		reached := phaseWrite
		for _, i := range j.items {
			if i.done {
				continue
			}
			if i.phase() < reached || d.clash(taken, i) {
				break
			}
			reached = i.phase()
			round = append(round, i)
		}
	}
	return round
}

// clash tells whether an item cannot be in one round with those taken: the same object, or another person with the same unique value, of
// whom DHIS2 would refuse both.
func (d *delivery) clash(taken map[string]bool, i *item) bool {
	claims := []string{i.key.Type + i.key.UID}
	switch o := i.write.Object.(type) {
	case *completionWrite:
		claims[0] = i.name
	case *dataValueWrite:
		if claims[0] = i.name; o.share != nil {
			claims[0] = "share:" + o.share.contributor
		}
	case *trackedEntityWrite:
		for _, v := range o.values {
			if a := d.x.AttributeByID(v.Attribute); a != nil && a.Unique && v.Value != "" {
				claims = append(claims, a.ID+"="+v.Value)
			}
		}
	}
	for _, c := range claims {
		if taken[c] {
			return true
		}
	}
	for _, c := range claims {
		taken[c] = true
	}
	return false
}

// ready gives the items of a phase whose records have had no failure so far.
func ready(round []*item, p phase) []*item {
	var list []*item
	for _, i := range round {
		if i.phase() == p {
			list = append(list, i)
		}
	}
	return open(list)
}

func (d *delivery) send(ctx context.Context, p phase, items []*item) {
	if len(items) == 0 {
		return
	}
	switch p {
	case phaseWrite, phaseStatus:
		items = d.sendable(d.read(ctx, items))
		for options, group := range byOptions(items) {
			o := client.TrackerOptions{
				Rehearse: d.rehearse, Async: options.Async && !d.rehearse,
				SkipRuleEngine: options.SkipRuleEngine, SkipSideEffects: options.SkipSideEffects, SkipPatternValidation: options.SkipPatternValidation,
			}
			changes, fresh, links := sorts(group)
			d.importTracker(ctx, changes, o)
			create := o
			create.CreateOnly = true
			d.claimNew(fresh)
			d.importTracker(ctx, d.reserve(ctx, open(fresh)), create)
			d.importTracker(ctx, open(links), o)
		}
	case phaseDelete:
		d.importTracker(ctx, items, client.TrackerOptions{Rehearse: d.rehearse, Delete: true})
	case phaseValues:
		plain, shares := apart(items)
		for set, group := range byDataSet(plain) {
			d.importValues(ctx, set, group)
		}
		if len(shares) > 0 {
			d.sum(ctx, shares)
		}
	case phaseComplete:
		for _, i := range items {
			d.complete(ctx, i)
		}
	}
}

// sendable settles what would spoil a request for the others in it: 2.43 answers 500 to all where an event of an event program has no date.
func (d *delivery) sendable(items []*item) []*item {
	rest := items[:0:0]
	for _, i := range items {
		if o, ok := i.write.Object.(*eventWrite); ok && o.ref == nil && d.event(i, o).OccurredAt == "" {
			i.finish(d.explain(i, client.Issue{Code: "E1031", Message: "not sent: the event has no date"}))
			continue
		}
		rest = append(rest, i)
	}
	return rest
}

// sorts parts what is on the server already from what is new, and both from relationships, whose ends may be among the new. What is new is
// sent so that DHIS2 refuses it when it is there after all (a journal was lost, a crash came between the write and its record): then it is read
// before it is written.
func sorts(items []*item) (changes, fresh, links []*item) {
	for _, i := range items {
		switch i.write.Object.(type) {
		case *statusWrite:
			changes = append(changes, i)
		case *relationshipWrite:
			links = append(links, i)
		default:
			if i.known {
				changes = append(changes, i)
			} else {
				fresh = append(fresh, i)
			}
		}
	}
	return changes, fresh, links
}

// open gives the items whose records have had no failure so far.
func open(items []*item) []*item {
	var list []*item
	for _, i := range items {
		if !i.done && i.job.failed() == nil && !i.job.repeat {
			list = append(list, i)
		}
	}
	return list
}

// byOptions groups items by how they are to be imported. Most rules ask for nothing, so there is one group.
func byOptions(items []*item) map[ImportOptions][]*item {
	groups := map[ImportOptions][]*item{}
	for _, i := range items {
		o := optionsOf(i)
		groups[o] = append(groups[o], i)
	}
	return groups
}

func optionsOf(i *item) ImportOptions {
	switch o := i.write.Object.(type) {
	case *trackedEntityWrite:
		return o.options
	case *enrollmentWrite:
		return o.options
	case *eventWrite:
		return o.options
	case *statusWrite:
		return o.options
	case *relationshipWrite:
		return o.options
	}
	return ImportOptions{}
}

func byDataSet(items []*item) map[string][]*item {
	groups := map[string][]*item{}
	for _, i := range items {
		set := i.write.Object.(*dataValueWrite).cell.dataSet
		groups[set] = append(groups[set], i)
	}
	return groups
}

// apart parts values from shares of aggregates.
func apart(items []*item) (plain, shares []*item) {
	for _, i := range items {
		if i.write.Object.(*dataValueWrite).share != nil {
			shares = append(shares, i)
		} else {
			plain = append(plain, i)
		}
	}
	return plain, shares
}
