package supervise

import (
	"context"
	"log/slog"
	"time"

	"github.com/culvert/culvert/engine/status"
	"github.com/culvert/culvert/internal/await"
)

// Owners keeps what an owner holds.
type Owners interface {
	Heartbeat(ctx context.Context, owner string) error
	Lead(ctx context.Context, owner string) (bool, error)
}

// Lease keeps our claims, and asks whether we are the one that runs what only one may run.
type Lease struct {
	Gate    *Gate
	Journal Owners
	Owner   string
	Every   time.Duration
	// Expired is called when our claims may have been with another runner: it calls next, with nothing
	// being claimed, and then gives back what is held.
	Expired func(next func())
	// Led is called when leadership has changed.
	Led func()

	Conditions *status.Conditions
	Log        *slog.Logger
	Now        func() time.Time
}

// Run gives signs of life until ctx ends.
func (l *Lease) Run(ctx context.Context) {
	for {
		beat, cancel := context.WithTimeout(ctx, l.Every)
		began := time.Now()
		pause := l.Every
		if err := l.Journal.Heartbeat(beat, l.Owner); err == nil {
			l.renewed(began)
			l.Conditions.Clear("heartbeat")
		} else if ctx.Err() == nil {
			l.Log.Warn("cannot say that this runner is alive", "error", err)
			l.Conditions.Set("heartbeat", "the journal cannot be written: "+err.Error(), l.Now())
			pause /= 4
		}
		lead, err := l.Journal.Lead(beat, l.Owner)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			l.Log.Warn("cannot ask which runner leads", "error", err)
			lead = false
		}
		if l.Gate.leading.Swap(lead) != lead {
			l.Log.Info("leadership changed", "leading", lead)
			l.Led()
		}
		if !await.Sleep(ctx, pause) {
			return
		}
	}
}

// renewed notes a sign of life that the journal took. After too long a silence our claims may be
// with another runner: everything in memory is given back before anything else is sent. The lease
// counts as lost until what is held is called stale, however long claiming keeps that waiting.
func (l *Lease) renewed(at time.Time) {
	last := l.Gate.lastBeat.Load()
	if last == nil || at.Sub(*last) <= l.Gate.silence {
		l.Gate.lastBeat.Store(&at)
		return
	}
	l.Log.Warn("this runner was silent for too long; it gives back what it held", "silent",
		at.Sub(*last).Round(time.Millisecond))
	l.Expired(func() {
		l.Gate.leaseEpoch.Add(1)
		l.Gate.lastBeat.Store(&at)
	})
}
