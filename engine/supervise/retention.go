package supervise

import (
	"context"
	"log/slog"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/internal/await"
)

// Expirer forgets what is old.
type Expirer interface {
	Expire(ctx context.Context, r journal.Retention, now time.Time) (journal.Expired, error)
}

// Retention forgets what is older than people want to keep, by the runner that leads.
type Retention struct {
	Gate    *Gate
	Journal Expirer
	Keep    journal.Retention
	Every   time.Duration
	Log     *slog.Logger
	Now     func() time.Time
}

// Run applies the retention until ctx ends.
func (r *Retention) Run(ctx context.Context) {
	for await.Sleep(ctx, r.Every/10) {
		if !r.Gate.Leading() {
			continue
		}
		gone, err := r.Journal.Expire(ctx, r.Keep, r.Now())
		switch {
		case err != nil && ctx.Err() == nil:
			r.Log.Error("cannot apply the retention", "error", err)
		case gone.Payloads+gone.Records+gone.Files > 0:
			r.Log.Info("retention applied", "payloads", gone.Payloads, "records", gone.Records, "files", gone.Files)
		}
		if !await.Sleep(ctx, r.Every) {
			return
		}
	}
}
