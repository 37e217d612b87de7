package httpget

import (
	"log/slog"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// ForAttachments gives what reads the files that records of a rule name, over a connection of the
// project. The error is a *rules.AttachmentError.
func ForAttachments[C any](rule, connection string, env sources.AttachmentEnv,
	newClient func(sources.Connection, *slog.Logger) (*C, error)) (*C, error) {
	c, err := env.Connection(connection)
	if err != nil {
		return nil, AttachmentError(&Error{Problem: diag.Problem{Message: err.Error(), Hint: "check the connection"}})
	}
	client, err := newClient(c, env.Log.With("rule", rule))
	if err != nil {
		return nil, AttachmentError(err)
	}
	return client, nil
}
