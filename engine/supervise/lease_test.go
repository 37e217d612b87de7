package supervise

import (
	"log/slog"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/program"
)

// TestLeaseIsLostUntilWhatWasHeldIsStale has the sign of life after a long silence wait for claims
// that are under way.
func TestLeaseIsLostUntilWhatWasHeldIsStale(t *testing.T) {
	gate := NewGate(&program.Program{}, nil, time.Minute, time.Now)
	expired := false
	l := &Lease{Gate: gate, Log: slog.New(slog.DiscardHandler), Expired: func(next func()) {
		expired = true
		if !gate.LeaseLost() || gate.LeaseEpoch() != 0 {
			t.Error("the lease counts as renewed before what was held is stale")
		}
		next()
	}}
	l.renewed(time.Now().Add(-time.Hour))
	if expired || !gate.LeaseLost() {
		t.Fatal("the first sign of life, an hour ago, must neither expire anything nor count now")
	}
	l.renewed(time.Now())
	if !expired || gate.LeaseLost() || gate.LeaseEpoch() != 1 {
		t.Errorf("expired %v, lost %v, epoch %d", expired, gate.LeaseLost(), gate.LeaseEpoch())
	}
}
