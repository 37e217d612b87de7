package dhis2

import (
	"context"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/poll"
)

// Peek reads the first of what a rule reads.
func (k Kind) Peek(ctx context.Context, b sources.Bound, env sources.Env, limit int) ([]any, error) {
	r := read(b.Trigger, func(diag.Diagnostic) {})
	r.Rule, r.Server, r.Batch, r.Deletions = b.Rule, k.ServerOf(b.Trigger, b.Server), limit, false
	s := New(Config{Rules: []Rule{r}, Lists: env.Lists, Catalog: env.Catalog, Log: env.Log})
	return poll.Glance(ctx, limit, func(ctx context.Context, sink sources.Sink) error {
		return (&pull{source: s, rule: &r, sink: sink, log: env.Log}).once(ctx)
	})
}
