package database

import (
	"context"
	"fmt"
	"time"

	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/poll"
)

// Peek reads the first rows of the query.
func (Kind) Peek(ctx context.Context, b sources.Bound, env sources.Env, limit int) ([]any, error) {
	r := ruleOf(b.Rule, b.Trigger)
	return First(ctx, env, r.Connection, r.Query, limit)
}

// First gives the first rows of a query, at most limit.
func First(ctx context.Context, env sources.Env, connection string, q Query, limit int) ([]any, error) {
	pool := NewPool(Connect(env))
	defer pool.Close()
	d, err := pool.Get(connection)
	if err != nil {
		return nil, fmt.Errorf("connection %s: %w", connection, err)
	}
	q.Batch = limit
	return poll.Glance(ctx, limit, func(ctx context.Context, sink sources.Sink) error {
		return d.All(ctx, q, Delivery{Trigger: Kind{}.Name(), Sink: sink, Log: env.Log, Now: time.Now})
	})
}
