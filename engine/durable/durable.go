// Package durable writes to the journal what must not be lost: it tries for as long as it takes.
package durable

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/status"
	"github.com/culvert/culvert/internal/await"
)

// Backoff is between tries.
var Backoff = await.Backoff{Base: 100 * time.Millisecond, Cap: 10 * time.Second}

// Subject is under which it is said that the journal does not work.
const Subject = "journal"

// Committer is what a Writer writes to.
type Committer interface {
	Commit(ctx context.Context, b *journal.Batch) error
}

// Writer writes to the journal until it succeeds.
type Writer struct {
	Journal    Committer
	Conditions *status.Conditions
	Log        *slog.Logger
	Now        func() time.Time
	// End ends all tries. It belongs to deliveries and their records and outlives the runner's context
	// by the drain, so that no caller has a shorter one.
	End context.Context
}

// Commit records a batch: its outcomes are known and must not be lost. The error is only that the
// runner ends, or that the work is another runner's by now.
func (w *Writer) Commit(b *journal.Batch) error {
	if len(b.Settlements)+len(b.New)+len(b.Files)+len(b.Keys)+len(b.Digests)+len(b.Identities) == 0 {
		return nil
	}
	return w.Retry("record outcomes", func(ctx context.Context) error { return w.Journal.Commit(ctx, b) })
}

// Retry calls the journal until it succeeds or the runner ends. What another runner has taken over is not tried again.
func (w *Writer) Retry(what string, do func(context.Context) error) error {
	for tries := 1; ; tries++ {
		err := do(w.End)
		if err == nil {
			if tries > 1 {
				w.Conditions.Clear(Subject)
				w.Log.Info("the journal works again", "doing", what)
			}
			return nil
		}
		if errors.Is(err, journal.ErrNotOwner) || w.End.Err() != nil {
			return err
		}
		w.Conditions.Set(Subject, "cannot "+what+": "+err.Error(), w.Now())
		w.Log.Error("journal write failed; trying again", "doing", what, "tries", tries, "error", err)
		wait := Backoff.Wait(tries, nil)
		var away *journal.ErrUnavailable
		if errors.As(err, &away) {
			wait = max(wait, min(away.RetryAfter, Backoff.Cap))
		}
		if !await.Sleep(w.End, wait) {
			return err
		}
	}
}
