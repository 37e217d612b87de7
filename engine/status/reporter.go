package status

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/culvert/culvert/engine/journal"
)

const (
	reportEvery = time.Second
	reportLimit = 5 * time.Second // between two reports though nothing has changed
)

// Reporter says in the journal how a runner stands, and keeps the figures that cost a query.
type Reporter struct {
	Store   Store
	Count   func(ctx context.Context) (journal.Summary, error)
	Status  func() Runner
	Backlog *atomic.Int64 // roughly how many records wait: corrected now and then
	Now     func() time.Time
	Log     *slog.Logger

	last   string
	lastAt time.Time
}

// Run reports until ctx ends, and then that the runner has stopped.
func (r *Reporter) Run(ctx context.Context) {
	for counted := r.Now().Add(-time.Hour); ; {
		r.report(ctx, false)
		if began := r.Now(); began.After(counted) {
			r.countBacklog(ctx)
			counted = r.Now().Add(max(reportLimit, 50*r.Now().Sub(began))) // rarely where counting is dear
		}
		timer := time.NewTimer(reportEvery)
		select {
		case <-timer.C:
			continue
		case <-ctx.Done():
			timer.Stop()
		}
		break
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), reportLimit)
	defer cancel()
	r.report(end, true)
}

func (r *Reporter) report(ctx context.Context, stopped bool) {
	s := r.Status()
	s.Stopped = stopped
	text := withoutTime(s)
	if text == r.last && !stopped && r.Now().Sub(r.lastAt) < reportLimit {
		return
	}
	r.last, r.lastAt = text, r.Now()
	if err := Save(ctx, r.Store, s); err != nil && ctx.Err() == nil {
		r.Log.Warn("cannot report the status", "error", err)
	}
}

// withoutTime is a status without its time, to see whether it has changed.
func withoutTime(s Runner) string {
	s.At = time.Time{}
	text, _ := json.Marshal(s) // plain values
	return string(text)
}

// countBacklog corrects the number of waiting records, which accepting and settling keep only roughly.
func (r *Reporter) countBacklog(ctx context.Context) {
	summary, err := r.Count(ctx)
	if err != nil {
		return
	}
	var pending int64
	for _, s := range summary.Rules {
		pending += s.Pending
	}
	r.Backlog.Store(pending)
}
