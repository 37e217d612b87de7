package commcare

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// lately is from when forms and cases are looked at first: their list begins with the oldest, whose form may have been
// another one.
const lately = 14 * 24 * time.Hour

// Peek reads forms or cases of the last two weeks, or the first that there are.
func (Kind) Peek(ctx context.Context, b sources.Bound, env sources.Env, limit int) ([]any, error) {
	r := read(b.Trigger, func(diag.Diagnostic) {})
	connection, err := env.Connection(r.Connection)
	if err != nil {
		return nil, fmt.Errorf("connection %s: %w", r.Connection, err)
	}
	c, err := newClient(connection, env.Log)
	if err != nil {
		return nil, err
	}
	r.Batch = limit
	from := r.since
	if at := time.Now().Add(-lately); at.After(from) && r.Until.IsZero() {
		from = at
	}
	var bodies []any
	for _, from := range slices.CompactFunc([]time.Time{from, r.since}, time.Time.Equal) {
		for _, only := range streamsOf(r) {
			s := stream{rule: r, only: only}
			got, err := c.page(ctx, s, c.first(s, from, 0))
			if err != nil {
				return nil, err
			}
			for _, it := range got.items {
				if len(bodies) < limit && it.body["archived"] != true {
					bodies = append(bodies, it.body)
				}
			}
		}
		if len(bodies) > 0 {
			return bodies, nil
		}
	}
	return bodies, nil
}
