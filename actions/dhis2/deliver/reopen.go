package deliver

import (
	"context"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/codes"
	"github.com/culvert/culvert/actions/dhis2/object"
)

// reopen opens enrollments and events whose date of completion or cancellation a record corrects:
// DHIS2 takes that date only with the change of the status (TrackerObjectsMapper), and leaves
// another one out without a word. What is written next closes them again, with the date. Up to 2.41
// the date is always that of the change.
func (d *delivery) reopen(ctx context.Context, items []*item, o client.TrackerOptions) []*item {
	if minor, err := client.ParseVersion(d.x.Snapshot.Server.Version); err != nil || minor <= 41 || o.Rehearse {
		return items
	}
	payload := &client.TrackerPayload{}
	reopened := map[*item]bool{}
	for _, i := range items {
		before := len(payload.Enrollments) + len(payload.Events)
		d.addReopened(payload, i)
		reopened[i] = len(payload.Enrollments)+len(payload.Events) > before
	}
	if len(payload.Enrollments)+len(payload.Events) == 0 {
		return items
	}
	// What it says of single objects is said again of the writes that follow.
	if _, err := d.server.ImportTracker(ctx, payload, o); err != nil {
		for _, i := range items {
			if reopened[i] {
				i.finish(codes.OfRequest(err))
			}
		}
	}
	return open(items)
}

// addReopened adds the object of an item as the server holds it, but open, where that is needed.
func (d *delivery) addReopened(payload *client.TrackerPayload, i *item) {
	held := d.held.Enrollments[i.key.UID] != nil || d.held.Events[i.key.UID] != nil
	if !held || object.ClosedAt(i.object) == "" {
		return
	}
	p := &client.TrackerPayload{}
	i.object.AddTo(p, d.current(i))
	for _, e := range p.Enrollments {
		now := d.held.Enrollments[e.Enrollment]
		if now != nil && redated(e.Status, e.CompletedAt, now.Status, now.CompletedAt) {
			e := *now
			e.Status, e.CompletedAt, e.Attributes, e.Events = "ACTIVE", "", nil, nil
			payload.Enrollments = append(payload.Enrollments, e)
		}
	}
	for _, e := range p.Events {
		if now := d.held.Events[e.Event]; now != nil && redated(e.Status, e.CompletedAt, now.Status, now.CompletedAt) {
			e := *now
			e.Status, e.CompletedAt, e.AttributeCategoryOptions, e.DataValues = "ACTIVE", "", nil, nil
			payload.Events = append(payload.Events, e)
		}
	}
}

// redated tells whether the same status has another day.
func redated(status, at, heldStatus, heldAt string) bool {
	const day = len("2006-01-02")
	return status == heldStatus && status != "ACTIVE" && len(at) >= day && len(heldAt) >= day && at[:day] != heldAt[:day]
}
