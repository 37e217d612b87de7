package dispatch

import (
	"testing"
	"time"

	"github.com/culvert/culvert/internal/await"
)

func newBreaker() *Breaker {
	return &Breaker{
		Away:    await.Backoff{Base: time.Second, Cap: time.Minute},
		Refusal: await.Backoff{Base: 10 * time.Second, Cap: time.Hour},
		Random:  func() float64 { return 1 },
	}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestBreakerProbesAndCloses(t *testing.T) {
	b := newBreaker()
	if !b.Allow() || b.State() != Closed {
		t.Fatal("a new breaker must let everything through")
	}
	if !b.Trip(noon, false, 0, "connection refused") {
		t.Error("the first trip is news")
	}
	if b.Trip(noon, false, 0, "connection refused") {
		t.Error("a batch that was under way is no news")
	}
	if b.Allow() {
		t.Error("open, and yet it allows a batch")
	}
	at, ok := b.ProbeAt()
	if !ok || at.Sub(noon) != time.Second {
		t.Errorf("first probe after %v, want 1s", at.Sub(noon))
	}
	b.Probed(at, false, false, "still refused")
	second, _ := b.ProbeAt()
	if got := second.Sub(at); got != 2*time.Second {
		t.Errorf("second probe after %v, want 2s", got)
	}
	b.Probed(second, true, false, "")
	if b.State() != HalfOpen || !b.Allow() {
		t.Fatal("after an answered probe one batch may go")
	}
	if b.Allow() {
		t.Error("half-open, and yet it allows a second batch")
	}
	if b.Trip(second, false, 0, "down again") {
		t.Error("falling back from half-open is no news")
	}
	third, _ := b.ProbeAt()
	if got := third.Sub(second); got != 4*time.Second {
		t.Errorf("third probe after %v, want 4s: the wait goes on growing until the server is back", got)
	}
	b.Probed(third, true, false, "")
	b.Allow()
	if !b.Worked(third) || b.State() != Closed {
		t.Error("an answered batch closes it")
	}
}

func TestBreakerHonoursRetryAfter(t *testing.T) {
	b := newBreaker()
	b.Trip(noon, false, 90*time.Second, "too many requests")
	if at, _ := b.ProbeAt(); at.Sub(noon) != 90*time.Second {
		t.Errorf("probe after %v, the server asked for 90s", at.Sub(noon))
	}
	b.Trip(noon, false, 2*time.Minute, "too many requests")
	if at, _ := b.ProbeAt(); at.Sub(noon) != 2*time.Minute {
		t.Errorf("probe after %v, another answer asked for 2m", at.Sub(noon))
	}
}

func TestBreakerTellsRefusalFromAbsence(t *testing.T) {
	b := newBreaker()
	b.Trip(noon, false, 0, "unreachable")
	at, _ := b.ProbeAt()
	if !b.Probed(at, false, true, "401") || b.State() != Refused {
		t.Errorf("a server that is back but refuses us is news; state %s", b.State())
	}
	since, reason := b.Since()
	if !since.Equal(at) || reason != "401" {
		t.Errorf("refused since %v for %q", since, reason)
	}
	at, _ = b.ProbeAt()
	if b.Probed(at, false, true, "401") {
		t.Error("still refusing is no news")
	}
	at, _ = b.ProbeAt()
	b.Probed(at, true, false, "")
	b.Allow()
	b.Worked(at)
	if b.State() != Closed {
		t.Errorf("state %s after the credentials were fixed", b.State())
	}
}

func TestBreakerGivesATryBack(t *testing.T) {
	b := newBreaker()
	b.Trip(noon, false, 0, "away")
	b.Probed(noon, true, false, "")
	b.Allow()
	b.CancelProbe()
	if !b.Allow() {
		t.Error("a try that was not used must be given again")
	}
}

func TestBreakerIgnoresAnswersFromBefore(t *testing.T) {
	b := newBreaker()
	b.Trip(noon, false, 0, "away")
	if b.Worked(noon) || b.State() != Open {
		t.Error("an answer to a batch sent before the trip must not close it")
	}
}
