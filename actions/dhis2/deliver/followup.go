package deliver

import (
	"context"
	"errors"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/codes"
	"github.com/culvert/culvert/actions/dhis2/object"
)

// markFollowUps sets the follow-up marks of values that were written just now. A value whose mark
// is refused fails, and is sent again with it.
func (d *delivery) markFollowUps(ctx context.Context, items []*item) {
	var marked []*item
	for _, i := range items {
		_, marks := i.object.(*object.DataValue).Mark(d.x)
		if marks && !d.rehearse && i.done && i.outcome.Status == actions.Delivered {
			marked = append(marked, i)
		}
	}
	for len(marked) > 0 {
		n := min(len(marked), maxValues)
		d.markSome(ctx, marked[:n])
		marked = marked[n:]
	}
}

// markSome sends marks together. The server takes all of them or none, so that the one that it
// refuses is found by halving.
func (d *delivery) markSome(ctx context.Context, items []*item) {
	marks := make([]client.FollowUp, len(items))
	for n, i := range items {
		marks[n], _ = i.object.(*object.DataValue).Mark(d.x)
	}
	err := d.server.MarkFollowUps(ctx, marks)
	if e, ok := errors.AsType[*client.Error](err); ok && e.Kind == client.Refused && len(items) > 1 {
		d.markSome(ctx, items[:len(items)/2])
		d.markSome(ctx, items[len(items)/2:])
		return
	}
	if err == nil {
		return
	}
	for _, i := range items {
		o := codes.OfRequest(err)
		o.Message = i.object.Label() + ": the value was written, its follow-up mark was not: " + o.Message
		i.finish(o)
	}
}
