package deliver

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/codes"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/rules/diag"
)

// read fetches objects that are there already, since DHIS2 resets scalar fields that an update
// leaves out: geometry, status, completion, follow-up, org unit of people registered elsewhere. It
// gives the items that can go on, with what was read kept for their payload.
func (d *delivery) read(ctx context.Context, items []*item) []*item {
	needs := object.Needs{People: map[string][]string{}}
	for _, i := range items {
		if by := d.writtenBy[i.key]; by != nil && by.succeeded() && !d.rehearse {
			i.known = true
		}
		if i.needsReading() {
			i.object.Needs(&needs, i.key, i.parents)
		}
		needs.People[""] = append(needs.People[""], i.named...)
	}
	slices.Sort(needs.People[""])
	needs.People[""] = slices.Compact(needs.People[""])
	d.held = object.NewHeld()
	unread, err := d.fetch(ctx, &needs)
	var rest []*item
	for _, i := range items {
		if i.needsReading() || len(i.named) > 0 {
			if cause := unreadOf(i, unread, err); cause != nil {
				if o := codes.OfRequest(cause); o.Class == actions.ClassRights {
					d.shutOut(ctx, i, o)
				} else {
					i.finish(o)
				}
				continue
			}
		}
		i.known = i.known || (i.job.probe || i.changesOnly()) && d.held.Has(i.key)
		if !d.absent(ctx, i) && !d.namesNobody(i) {
			rest = append(rest, i)
		}
	}
	return rest
}

// unreadOf is why what an item needs could not be read: for all of them, or because the server
// refuses to tell of just this one.
func unreadOf(i *item, unread map[string]*client.Error, all error) error {
	if all != nil {
		return all
	}
	for _, uid := range slices.Concat([]string{i.key.UID}, i.parents, i.named) {
		if err := unread[uid]; err != nil {
			return err
		}
	}
	return nil
}

// needsReading tells whether an item's object may be on the server already.
func (i *item) needsReading() bool {
	switch i.object.Mode() {
	case object.Change:
		return true
	case object.Link:
		return false
	}
	return i.known || i.job.probe
}

// changesOnly tells whether an item changes what is there and never creates it.
func (i *item) changesOnly() bool { return i.object.Mode() == object.Change }

// fetch reads people, enrollments and events beside one another. unread are objects that the server refuses to tell of.
func (d *delivery) fetch(ctx context.Context, n *object.Needs) (unread map[string]*client.Error, err error) {
	reads := []func() error{
		func() error { return d.fetchPeople(ctx, n.People) },
		func() error {
			return fetchInto(ctx, d.server.Enrollments, n.Enrollments,
				func(e *client.Enrollment) { d.held.Enrollments[e.Enrollment] = e })
		},
		func() error {
			return fetchInto(ctx, d.server.Events, n.Events, func(e *client.Event) { d.held.Events[e.Event] = e })
		},
	}
	errs := make([]error, len(reads))
	var reading sync.WaitGroup
	for n, read := range reads {
		reading.Go(func() { errs[n] = read() })
	}
	reading.Wait()
	unread = map[string]*client.Error{}
	for _, err := range errs {
		if some, ok := errors.AsType[*client.UnreadError](err); ok {
			maps.Copy(unread, some.Failed)
		} else if err != nil {
			return nil, err
		}
	}
	return unread, nil
}

// fetchPeople reads people. Somebody read for several programs has the attributes of all of them.
func (d *delivery) fetchPeople(ctx context.Context, people map[string][]string) error {
	unread := &client.UnreadError{Failed: map[string]*client.Error{}}
	for program, uids := range people {
		read := func(ctx context.Context, uids []string) ([]client.TrackedEntity, error) {
			return d.server.TrackedEntities(ctx, uids, program)
		}
		err := fetchInto(ctx, read, uids, func(e *client.TrackedEntity) {
			if before := d.held.Entities[e.TrackedEntity]; before != nil {
				e.Attributes = append(e.Attributes, before.Attributes...)
			}
			d.held.Entities[e.TrackedEntity] = e
		})
		if some, ok := errors.AsType[*client.UnreadError](err); ok {
			maps.Copy(unread.Failed, some.Failed)
		} else if err != nil {
			return err
		}
	}
	if len(unread.Failed) > 0 {
		return unread
	}
	return nil
}

// fetchInto reads what is wanted, if anything is, and keeps it.
func fetchInto[W, T any](ctx context.Context, read func(context.Context, []W) ([]T, error), want []W,
	keep func(*T)) error {
	if len(want) == 0 {
		return nil
	}
	list, err := read(ctx, want)
	for n := range list {
		keep(&list[n])
	}
	return err
}

// absent settles a change of what is there already whose object is not there: of a status, or of
// some attributes of a person.
func (d *delivery) absent(ctx context.Context, i *item) bool {
	if !i.changesOnly() || d.held.Has(i.key) {
		return false
	}
	if d.rehearsed[i.key] {
		i.finish(actions.Outcome{Status: actions.Delivered})
		return true
	}
	d.shutOut(ctx, i, notThereYet(i)) // servers also say so of what the user may not see
	return true
}

// namesNobody settles an item whose values name somebody who is not there yet: DHIS2 would take any text.
func (d *delivery) namesNobody(i *item) bool {
	for _, uid := range i.named {
		person := client.ObjectKey{Type: client.TypeTrackedEntity, UID: uid}
		by := d.writtenBy[person]
		if uid == i.key.UID || d.held.Entities[uid] != nil || d.rehearsed[person] || by != nil && by.succeeded() {
			continue
		}
		o := notThereYet(i)
		o.Message = i.object.Label() + ": DHIS2 does not have the person yet whom one of its values names"
		o.Hint = "it is tried again by itself; see whether the record that creates it has arrived"
		i.finish(o)
		return true
	}
	return false
}

func notThereYet(i *item) actions.Outcome {
	hint := "it is tried again by itself; see whether the record that creates it has arrived"
	return actions.Outcome{
		Status: actions.Retry, Class: actions.ClassParent, Problem: diag.Problem{Code: "not-there-yet",
			Message: i.object.Label() + ": DHIS2 has no such object yet", Hint: cmp.Or(awaitedHint(i), hint)},
	}
}

// current is what is known of an item when it is sent.
func (d *delivery) current(i *item) object.Current {
	return object.Current{
		Held: d.held, Resolver: d.book, Key: i.key, Parents: i.parents, Adopted: i.object.Adopted(d.book, i.key),
		Reserved: d.reservedValues(i), Uploaded: i.uploaded,
	}
}

// payload builds the four lists of a tracker import.
func (d *delivery) payload(items []*item) *client.TrackerPayload {
	p := &client.TrackerPayload{}
	for _, i := range items {
		i.object.AddTo(p, d.current(i))
	}
	return p
}
