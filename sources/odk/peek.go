package odk

import (
	"context"
	"fmt"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// Peek reads the newest submissions or entities.
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
	got, err := c.page(ctx, c.first(&r, time.Time{}))
	if err != nil {
		return nil, err
	}
	var bodies []any
	for _, it := range got.items[:min(limit, len(got.items))] {
		if !it.encrypted && !it.deleted {
			bodies = append(bodies, it.body)
		}
	}
	return bodies, nil
}
