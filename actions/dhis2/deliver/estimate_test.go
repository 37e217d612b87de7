package deliver

import (
	"testing"
	"time"
)

func TestEstimate(t *testing.T) {
	for _, c := range []struct {
		minor              int
		took               time.Duration
		batch, concurrency int
	}{
		{38, 50 * time.Millisecond, 250, 4}, {42, 400 * time.Millisecond, 250, 4}, {43, 50 * time.Millisecond, 1000, 2},
		{44, 2 * time.Second, 250, 2},
		{42, time.Minute, 20, 4},
	} {
		if e := estimateOf(c.minor, c.took); e.Batch != c.batch || e.Concurrency != c.concurrency || e.Fixed <= 0 ||
			e.Each <= 0 {
			t.Errorf("2.%d after %v: %+v, want %dx%d", c.minor, c.took, e, c.batch, c.concurrency)
		}
	}
	if _, ok := (&target{}).Estimate(t.Context()); ok {
		t.Error("an estimate of a server that does not tell its version")
	}
}
