package commcare

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
)

// Ping tells whether a project space answers and takes the connection's credentials: it asks for one form.
func Ping(ctx context.Context, c Connection, log *slog.Logger) error {
	hq, err := newClient(c, log)
	if err != nil {
		return err
	}
	at := hq.base.JoinPath("api/v0.5/form/")
	at.RawQuery = url.Values{"limit": {"1"}}.Encode()
	if _, err := hq.get.Get(ctx, at); err != nil {
		return fmt.Errorf("ask for a form of %s: %w", c.Name, err)
	}
	return nil
}
