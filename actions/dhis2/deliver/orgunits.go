package deliver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/codes"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/rules/diag"
)

// unitCounts counts the org units that changed in a day, by the name under which the journal keeps
// the number. Deliveries at once share it.
type unitCounts struct {
	mu     sync.Mutex
	counts map[string]uint64
}

// take counts one more unless that is more than may change. known is what the journal has.
func (u *unitCounts) take(name string, known uint64, limit int) (count uint64, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.counts == nil {
		u.counts = map[string]uint64{}
	}
	count = max(u.counts[name], known)
	if count >= uint64(max(limit, 0)) {
		return count, false
	}
	u.counts[name] = count + 1
	return count + 1, true
}

// giveBack takes one off again that was counted and not written.
func (u *unitCounts) giveBack(name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.counts[name]--
}

// orgUnits writes org units one by one. One whose parent comes later in the same batch is tried
// again once others were written.
func (d *delivery) orgUnits(ctx context.Context, items []*item) {
	var names []string
	for _, i := range items {
		names = append(names, d.countName(i))
	}
	if err := d.Recall(ctx, names); err != nil {
		for _, i := range items {
			i.finish(codes.Later("the journal could not be read", err))
		}
		return
	}
	all, written := items, 0
	for {
		var waiting []*item
		before := written
		for _, i := range items {
			changed, err := d.orgUnit(ctx, i)
			switch {
			case errors.Is(err, client.ErrAbsent):
				waiting = append(waiting, i)
			case changed:
				written++
			}
		}
		if items = waiting; len(items) == 0 || written == before || d.rehearse {
			break
		}
	}
	for _, i := range items {
		o := notThereYet(i)
		o.Message = i.object.Label() + ": DHIS2 does not have its parent yet"
		o.Hint = "it is tried again by itself; see whether the parent is among what the registry sends, or its code is right"
		if w := i.object.(*object.OrgUnit); w.DryRun && !d.rehearse {
			o = dryRun(w, "created or moved once its parent is there")
		} else if d.rehearse {
			o = actions.Outcome{Status: actions.Delivered, Warnings: []string{"would wait for its parent"}}
		}
		i.finish(o)
	}
	d.count(all)
	if written > 0 && d.options.OrgUnitsChanged != nil {
		d.options.OrgUnitsChanged(ctx)
	}
}

// count says with every record how many org units changed in all: whichever the journal keeps last.
func (d *delivery) count(items []*item) {
	for _, i := range items {
		name := d.countName(i)
		for k, t := range i.job.totals {
			if t.Object == name {
				i.job.totals[k].Sum = max(t.Sum, d.digests[name].Sum)
			}
		}
	}
}

// countName is under which the journal counts the changes of a day.
func (d *delivery) countName(i *item) string {
	return i.object.(*object.OrgUnit).Counts + "." + d.options.Now().UTC().Format(time.DateOnly)
}

// orgUnit compares one org unit with what the server has, and writes it where that is asked for. It
// tells whether anything was written. ErrAbsent: its parent is not there, and the item is not settled.
func (d *delivery) orgUnit(ctx context.Context, i *item) (written bool, err error) {
	o := i.object.(*object.OrgUnit)
	plan, err := d.server.PlanOrgUnit(ctx, o.Wanted)
	if err != nil {
		return false, d.orgUnitFailed(i, err)
	}
	changes := strings.Join(plan.Changes, "; ")
	switch {
	case len(plan.Changes) == 0:
		i.finish(actions.Outcome{Status: actions.Delivered, ObjectID: plan.UID})
		return false, nil
	case d.rehearse:
		i.finish(actions.Outcome{Status: actions.Delivered, ObjectID: plan.UID, Warnings: []string{"would be " + changes}})
		return false, nil
	case o.DryRun:
		i.finish(dryRun(o, changes))
		return false, nil
	}
	name := d.countName(i)
	count, ok := d.changed.take(name, d.digests[name].Sum, o.Max)
	if !ok && !i.job.plan.Insist {
		i.finish(actions.Outcome{Status: actions.Failed, Class: actions.ClassData,
			Problem: diag.Problem{Code: "too-many-org-units",
				Message: fmt.Sprintf("%s is not written: %d org units changed today, and no more may; it would be %s",
					o.Label(),
					count, changes),
				Hint: "see whether the registry is right; then raise max_changes in the rule, or wait for tomorrow, and replay them"}})
		return false, nil
	}
	if err := d.server.ApplyOrgUnit(ctx, plan); err != nil {
		if ok {
			d.changed.giveBack(name)
		}
		return false, d.orgUnitFailed(i, err)
	}
	counted := d.digests[name]
	counted.Object, counted.Sum = name, max(count, counted.Sum)
	d.digests[name] = counted
	i.job.totals = append(i.job.totals, counted)
	d.log.InfoContext(ctx, "org unit changed", "rule", i.job.plan.Record.Rule, "org_unit", plan.UID, "what", changes)
	i.finish(actions.Outcome{Status: actions.Delivered, ObjectID: plan.UID, Warnings: plan.Changes})
	return true, nil
}

// dryRun is the outcome of an org unit that would change and is not written.
func dryRun(o *object.OrgUnit, changes string) actions.Outcome {
	return actions.Outcome{Status: actions.Failed, Class: actions.ClassData,
		Problem: diag.Problem{Code: "org-unit-dry-run",
			Message: fmt.Sprintf("%s is not written in a dry run; it would be %s", o.Label(), changes),
			Hint:    "see whether all of them are right, then say dry_run: false in the rule and replay them"}}
}

// orgUnitFailed settles an item that could not be written; one that waits for its parent is left, and so is the error.
func (d *delivery) orgUnitFailed(i *item, err error) error {
	if errors.Is(err, client.ErrAbsent) {
		return err
	}
	if p, ok := errors.AsType[*client.OrgUnitProblem](err); ok {
		i.finish(actions.Outcome{Status: actions.Failed, Class: actions.ClassData, Problem: diag.Problem{Code: p.Code,
			Message: i.object.Label() + ": " + p.Message, Hint: p.Hint}})
		return nil
	}
	o := codes.OfRequest(err)
	o.Message = i.object.Label() + ": " + o.Message
	i.finish(o)
	return nil
}
