package deliver

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// release takes one off again that was counted and not written.
func (u *unitCounts) release(name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.counts[name]--
}

// counted is what an item counts in: of two runners one at a time may write what is counted there, so
// that both together pass no limit.
func (d *delivery) counted(i *item) []string {
	if o, ok := i.object.(*object.OrgUnit); ok && !o.DryRun {
		return []string{d.countName(i)}
	}
	return nil
}

// waitingUnits knows the parents of org units that wait for them, by their codes: those of a cycle
// would wait for ever; and what dry runs would create, by code, with the name. Deliveries at once share it.
type waitingUnits struct {
	mu      sync.Mutex
	parents map[string]string
	planned map[string]string
}

// maxWaitingUnits bounds how many are known.
const maxWaitingUnits = 100_000

// wait notes that an org unit waits for its parent.
func (w *waitingUnits) wait(code, parent string) {
	if code == "" || parent == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.parents == nil || len(w.parents) >= maxWaitingUnits {
		w.parents = map[string]string{}
	}
	w.parents[code] = parent
}

// cycle gives the codes of the cycle that an org unit which waits leads into, the first of them again at the end;
// nil: into none. in tells whether it is one of them.
func (w *waitingUnits) cycle(code string) (codes []string, in bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var way []string
	seen := map[string]int{}
	for at := code; at != ""; at = w.parents[at] {
		if first, ok := seen[at]; ok {
			return turned(way[first:]), first == 0
		}
		seen[at] = len(way)
		way = append(way, at)
	}
	return nil, false
}

// turned gives the codes of a cycle from the smallest on, so that all that are in it say the same.
func turned(codes []string) []string {
	first := slices.Index(codes, slices.Min(codes))
	return slices.Concat(codes[first:], codes[:first+1])
}

// there notes that an org unit waits no longer.
func (w *waitingUnits) there(code string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.parents, code)
}

// plan notes what a dry run would create.
func (w *waitingUnits) plan(code, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.planned == nil || len(w.planned) >= maxWaitingUnits {
		w.planned = map[string]string{}
	}
	w.planned[code] = name
}

// plannedName is the name of what a dry run would create; "" where it would not.
func (w *waitingUnits) plannedName(code string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.planned[code]
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
		before := len(items)
		for _, i := range items {
			changed, err := d.orgUnit(ctx, i)
			switch {
			case errors.Is(err, client.ErrAbsent):
				waiting = append(waiting, i)
			case changed:
				written++
			}
		}
		if items = waiting; len(items) == 0 || len(items) == before {
			break
		}
	}
	d.orphans(items)
	d.count(all)
	if written > 0 && d.options.OrgUnitsChanged != nil {
		d.options.OrgUnitsChanged(ctx)
	}
}

// orphans settles org units whose parents are not there.
func (d *delivery) orphans(items []*item) {
	for _, i := range items {
		w := i.object.(*object.OrgUnit)
		d.waiting.wait(w.Wanted.Code, w.Wanted.Parent)
	}
	for _, i := range items {
		w := i.object.(*object.OrgUnit)
		cycle, in := d.waiting.cycle(w.Wanted.Code)
		why := fmt.Sprintf("its parent %q is not in DHIS2, nor has it come so far", w.Wanted.Parent)
		if cycle != nil {
			why = fmt.Sprintf("its parent %q lies below itself: %s", w.Wanted.Parent, strings.Join(cycle, " below "))
		}
		o := notThereYet(i)
		o.Message = i.object.Label() + ": " + why
		o.Hint = "it is tried again by itself; see whether the parent is among what the registry sends, or its code is right"
		switch {
		case in:
			o = unitCycle(w, cycle)
		case d.rehearse:
			o = actions.Outcome{Status: actions.Delivered, Warnings: []string{"would wait: " + why}}
		case w.DryRun:
			o = dryRun(w, "left waiting: "+why)
		}
		i.finish(o)
	}
}

// unitCycle is the outcome of org units that are each other's parents, all of them new.
func unitCycle(o *object.OrgUnit, cycle []string) actions.Outcome {
	return actions.Outcome{Status: actions.Failed, Class: actions.ClassData,
		Problem: diag.Problem{Code: "org-unit-cycle",
			Message: fmt.Sprintf("%s: it lies below itself: %s", o.Label(), strings.Join(cycle, " below ")),
			Hint:    "correct the parent of one of them at the source, and send all of them again"},
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
	plan, err := d.server.PlanOrgUnit(ctx, d.wantedUnit(o))
	if err != nil {
		return false, d.orgUnitFailed(i, err)
	}
	d.waiting.there(o.Wanted.Code)
	if name, ok := o.Wanted.Set["name"].(string); ok && plan.Creates() && d.writesNoUnit(o) {
		d.waiting.plan(o.Wanted.Code, name)
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
				Hint: "see whether the registry is right; then raise max_changes in the rule, or wait for " +
					"tomorrow, and replay them"}})
		return false, nil
	}
	if err := d.server.ApplyOrgUnit(ctx, plan); err != nil {
		if ok {
			d.changed.release(name)
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

// writesNoUnit tells whether an org unit is compared only.
func (d *delivery) writesNoUnit(o *object.OrgUnit) bool { return d.rehearse || o.DryRun }

// wantedUnit is what an org unit is to be. Of one that is compared only, a parent that would be created may be meant.
func (d *delivery) wantedUnit(o *object.OrgUnit) client.OrgUnit {
	w := o.Wanted
	if d.writesNoUnit(o) {
		w.ParentName = d.waiting.plannedName(w.Parent)
	}
	return w
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
