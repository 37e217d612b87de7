package kobo

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// Peek reads the newest submissions.
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
	at := c.base.JoinPath("api", "v2", "assets", r.Asset, "data.json")
	at.RawQuery = url.Values{"limit": {strconv.Itoa(limit)}, "sort": {`{"_id":-1}`}}.Encode()
	reply, err := c.get.Get(ctx, at)
	if err != nil {
		return nil, err
	}
	list, _, err := submissionsOf(reply.Body)
	if err != nil {
		return nil, err
	}
	var bodies []any
	for _, s := range list[:min(limit, len(list))] {
		bodies = append(bodies, s.body)
	}
	return bodies, nil
}
