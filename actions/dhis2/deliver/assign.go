package deliver

import (
	"context"
	"slices"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/object"
)

// assign gives every write of the records the uids that it has now, and finds what would change nothing.
func (d *delivery) assign(ctx context.Context, jobs []*job) error {
	if err := d.rememberChildren(ctx, jobs); err != nil {
		return err
	}
	var names []string
	for _, j := range jobs {
		for _, i := range j.items {
			d.label(i)
			names = append(names, i.guards()...)
		}
	}
	if err := d.lockObjects(ctx, jobs); err != nil {
		return err
	}
	if err := d.Recall(ctx, names); err != nil {
		return err
	}
	for _, j := range jobs {
		for _, i := range j.items {
			i.known = d.Delivered(i.name) || i.object.Adopted(d.book, i.key)
		}
	}
	d.settleUnchanged(ctx, jobs)
	return nil
}

// rememberChildren finds out which uids the enrollments and events of the records have, enrollments
// first: those of events depend on them.
func (d *delivery) rememberChildren(ctx context.Context, jobs []*job) error {
	var enrollments, events []actions.IdentityKey
	for _, j := range jobs {
		for _, i := range j.items {
			for _, e := range i.object.Refs().Enrollments {
				enrollments = append(enrollments, d.book.EnrollmentKey(e))
			}
		}
	}
	if err := d.book.Remember(ctx, enrollments); err != nil {
		return err
	}
	for _, j := range jobs {
		for _, i := range j.items {
			refs := i.object.Refs()
			for _, e := range refs.Enrollments {
				d.book.Reuse(e, j)
			}
			for _, e := range refs.Events {
				events = append(events, d.book.EventKey(e))
			}
		}
	}
	return d.book.Remember(ctx, events)
}

// label gives an item its key, the name of its digest and the uids that it refers to.
func (d *delivery) label(i *item) {
	i.object = i.whole
	before := i.key
	i.key = i.object.Key(d.book)
	i.name = i.object.Name(i.key)
	i.parents = i.object.Parents(d.book)
	if o, ok := i.object.(object.Associated); ok {
		i.named = o.Associates(d.book)
	}
	i.sum = i.object.Digest(append(slices.Clip(i.parents), i.named...))
	if i.done && i.key != before {
		i.done, i.kept, i.outcome = false, false, actions.Outcome{}
	}
}

// same tells whether an item would change nothing.
func (d *delivery) same(i *item) bool {
	if i.done || i.name == "" || d.rehearse || i.job.force || alwaysSent(i.whole) {
		return false
	}
	before := d.digests[i.name]
	return before.Sum != 0 && before.Sum == i.sum
}

// alwaysSent tells whether a digest says nothing: of a status somebody may have changed in DHIS2
// since, so that it is read before it is written; what is given to an aggregate is known where the
// totals are kept.
func alwaysSent(w object.Write) bool {
	if _, one := w.(object.OneField); one {
		return true
	}
	v, ok := w.(*object.DataValue)
	return ok && v.Contribution != nil
}

// settleUnchanged settles items that would change nothing, but for those whose object somebody else
// may be changing now: they wait for their wave.
func (d *delivery) settleUnchanged(ctx context.Context, jobs []*job) {
	writers := map[string]int{}
	for _, j := range jobs {
		for _, i := range j.items {
			writers[i.name]++
		}
	}
	for _, j := range jobs {
		for _, i := range j.items {
			if !d.same(i) || writers[i.name] > 1 || !d.traffic.tryAcquire(i.name) {
				continue
			}
			names := []string{i.name}
			d.traffic.latest(names, d.digests)
			if d.same(i) {
				i.finish(actions.Outcome{Status: actions.Unchanged})
				d.keep(ctx, i)
			}
			d.traffic.release(names)
		}
	}
}
