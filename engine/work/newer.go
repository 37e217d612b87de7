package work

import (
	"context"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
)

// Versions finds records.
type Versions interface {
	Versions(ctx context.Context, rule, id string) ([]*journal.Record, error)
}

// NewerDelivered gives the place of a newer version of a record that was delivered, 0 when none is
// known: a version that comes late and cannot be used then asks nothing of anybody. waited: it may
// have been tried before, so that a newer one has passed it; else only versions that say their order
// can come late.
func NewerDelivered(ctx context.Context, j Versions, rule, id string, order actions.Order, waited bool) int64 {
	if order.Version == 0 && !waited || id == "" {
		return 0
	}
	versions, err := j.Versions(ctx, rule, id)
	if err != nil {
		return 0 // it is failed instead, and settled when a newer one is delivered again
	}
	for _, v := range versions {
		if v.State == journal.Delivered && order.Before(v.Order()) {
			return v.Seq
		}
	}
	return 0
}
