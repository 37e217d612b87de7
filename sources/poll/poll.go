// Package poll holds what sources share that ask for records again and again.
package poll

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/culvert/culvert/sources"
)

const (
	firstWait = time.Second
	longest   = 5 * time.Minute
)

// Sleep waits; false when ctx ended first.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// Backoff gives how long to wait after so many failures in a row, from 1 on: a second, doubled up
// to five minutes, with jitter.
func Backoff(failures int) time.Duration {
	d := firstWait
	for i := 1; i < failures && d < longest; i++ {
		d *= 2
	}
	d = min(d, longest)
	return d/2 + rand.N(d/2)
}

// After is an error that says when it is worth trying again.
type After interface {
	error
	After() time.Duration
}

// Subject is what people are told of when something is wrong with it.
type Subject struct {
	Sink sources.Sink // told when it is a sources.Alarm
	Name string       // such as: database of rule anc
	Bell *Bell        // by which people have it asked now; nil: they cannot
}

// Fails says what is wrong with the subject now; nil for nothing.
func (s Subject) Fails(err error) {
	alarm, ok := s.Sink.(sources.Alarm)
	switch {
	case !ok:
	case err == nil:
		alarm.Alarm(s.Name, "")
	default:
		alarm.Alarm(s.Name, "the "+s.Name+" does not work: "+err.Error())
	}
}

// SleepOr waits as Sleep does, and no longer than until the bell rings; rung tells whether it did.
func SleepOr(ctx context.Context, d time.Duration, bell *Bell) (rung, ok bool) {
	t := time.NewTimer(d)
	defer t.Stop()
	bell.wait()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-bell.heard():
		rung = true
	}
	return bell.goOn() || rung, ctx.Err() == nil
}

// Loop calls once, then again after every or when the subject's bell rings, until ctx ends. After
// an error it waits longer and longer, and people are told; the error must be fit for a log.
func Loop(ctx context.Context, every time.Duration, subject Subject, log *slog.Logger,
	once func(context.Context) error) {
	defer subject.Fails(nil)
	defer subject.Bell.Take()
	for failures := 0; ctx.Err() == nil; {
		err := once(ctx)
		if ctx.Err() != nil {
			return
		}
		wait := every
		if err != nil {
			failures++
			wait = Backoff(failures)
			var after After
			if errors.As(err, &after) {
				wait = max(wait, after.After())
			}
			subject.Fails(err)
			log.Error("the "+subject.Name+" does not work; it is tried again", "failures", failures, "wait",
				wait.Round(time.Millisecond), "error", err)
		} else if failures > 0 {
			subject.Fails(nil)
			log.Info("the "+subject.Name+" works again", "failures", failures)
			failures = 0
		}
		if _, ok := SleepOr(ctx, wait, subject.Bell); !ok {
			return
		}
	}
}

// Accept hands a batch over, and waits and asks again for as long as the sink is busy.
func Accept(ctx context.Context, sink sources.Sink, b sources.Batch, log *slog.Logger) ([]sources.Receipt, error) {
	for tries := 1; ; tries++ {
		receipts, err := sink.Accept(ctx, b)
		var busy *sources.ErrBusy
		if !errors.As(err, &busy) {
			return receipts, err
		}
		if tries == 1 {
			log.Warn("records cannot be kept now; the source waits", "reason", busy.Reason)
		}
		if !Sleep(ctx, max(busy.RetryAfter, 10*time.Millisecond)) {
			return nil, ctx.Err()
		}
	}
}

// New counts the receipts of records that were not known before.
func New(receipts []sources.Receipt) int {
	n := 0
	for _, r := range receipts {
		if !r.Duplicate {
			n++
		}
	}
	return n
}
