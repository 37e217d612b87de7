package poll

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/culvert/culvert/sources"
)

type later struct{ time.Duration }

func (l later) Error() string        { return "busy" }
func (l later) After() time.Duration { return l.Duration }

func TestLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var at []time.Duration
		began := time.Now()
		Loop(ctx, time.Hour, Subject{}, slog.New(slog.DiscardHandler), func(context.Context) error {
			at = append(at, time.Since(began))
			switch len(at) {
			case 2:
				return errors.New("away")
			case 3:
				return later{30 * time.Minute}
			case 5:
				cancel()
			}
			return nil
		})
		if len(at) != 5 || at[1] != time.Hour || at[2]-at[1] > time.Second || at[3]-at[2] != 30*time.Minute ||
			at[4]-at[3] != time.Hour {
			t.Error(at)
		}
	})
}

// alarmSink notes what people are told.
type alarmSink struct {
	sources.Sink
	said []string
}

func (s *alarmSink) Alarm(subject, what string) { s.said = append(s.said, subject+": "+what) }

// People are told what does not work until it does, and nothing any more once it is not asked for.
func TestLoopTellsPeople(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		sink := &alarmSink{}
		n := 0
		Loop(ctx, time.Hour, Subject{Sink: sink, Name: "poll of rule anc"}, slog.New(slog.DiscardHandler),
			func(context.Context) error {
				switch n++; n {
				case 2:
					return errors.New("the database is away")
				case 5:
					cancel()
				}
				return nil
			})
		want := []string{"poll of rule anc: the poll of rule anc does not work: the database is away", "poll of rule anc: ",
			"poll of rule anc: "}
		if !slices.Equal(sink.said, want) {
			t.Errorf("people were told %q", sink.said)
		}
	})
}

func TestBackoffGrowsToALimit(t *testing.T) {
	for failures, most := range map[int]time.Duration{1: time.Second, 3: 4 * time.Second, 20: 5 * time.Minute,
		1 << 30: 5 * time.Minute} {
		for range 100 {
			if d := Backoff(failures); d < most/2 || d > most {
				t.Fatalf("after %d failures %s", failures, d)
			}
		}
	}
}

type busySink struct {
	sources.Sink
	busy int
}

func (s *busySink) Accept(_ context.Context, b sources.Batch) ([]sources.Receipt, error) {
	if s.busy--; s.busy >= 0 {
		return nil, &sources.ErrBusy{RetryAfter: time.Minute, Reason: "full"}
	}
	return []sources.Receipt{{Duplicate: true}, {}}, nil
}

func TestAcceptWaitsWhileTheSinkIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		receipts, err := Accept(t.Context(), &busySink{busy: 3}, sources.Batch{}, slog.New(slog.DiscardHandler))
		if err != nil || New(receipts) != 1 || time.Since(began) != 3*time.Minute {
			t.Error(receipts, err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := Accept(ctx, &busySink{busy: 3}, sources.Batch{}, slog.New(slog.DiscardHandler)); !errors.Is(err,
			context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}
