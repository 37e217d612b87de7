package poll

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// TestBell has a loop go on at once, tells that it runs already, and that none runs.
func TestBell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bells Bells
		if err := bells.Prompt("anc"); !errors.Is(err, ErrNotHere) {
			t.Errorf("without a loop: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var at []time.Duration
		began, ended := time.Now(), make(chan struct{})
		subject := Subject{Bell: bells.Hang("anc")}
		if err := bells.Prompt("anc"); !errors.Is(err, ErrRunning) {
			t.Errorf("before the first run: %v", err)
		}
		go func() {
			defer close(ended)
			Loop(ctx, time.Hour, subject, slog.New(slog.DiscardHandler), func(context.Context) error {
				at = append(at, time.Since(began))
				time.Sleep(time.Second)
				if len(at) == 2 {
					return errors.New("away")
				}
				return nil
			})
		}()
		time.Sleep(time.Minute)
		if err := bells.Prompt("other"); !errors.Is(err, ErrNotHere) {
			t.Errorf("another rule: %v", err)
		}
		for _, want := range []error{nil, ErrRunning} {
			if err := bells.Prompt("anc"); !errors.Is(err, want) {
				t.Errorf("asked: %v, want %v", err, want)
			}
		}
		time.Sleep(2 * time.Hour)
		cancel()
		<-ended
		if len(at) < 4 || at[1] != time.Minute || at[2]-at[1] > 3*time.Second || at[3]-at[2] != time.Hour+time.Second {
			t.Errorf("it ran at %v", at)
		}
		if err := bells.Prompt("anc"); !errors.Is(err, ErrNotHere) {
			t.Errorf("after the loop: %v", err)
		}
	})
}

// TestBellAtTheLastMoment rings while the loop goes on by itself: it is heard, and does not ring again.
func TestBellAtTheLastMoment(t *testing.T) {
	var bells Bells
	bell := bells.Hang("anc")
	bell.wait()
	if err := bells.Prompt("anc"); err != nil {
		t.Fatal(err)
	}
	if !bell.goOn() {
		t.Error("it was not heard")
	}
	if bell.wait(); bell.goOn() {
		t.Error("it rings again")
	}
}
