package queue

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/status"
)

// everyRule lets every rule run.
type everyRule struct{ Gate }

func (everyRule) Runnable(*program.Flow) bool { return true }

// heavy is a journal of large records that are claimed as a store does it.
type heavy struct {
	Journal
	sizes  []int
	latest int64
}

func (h *heavy) Claim(_ context.Context, c journal.Claim) ([]*journal.Record, error) {
	var out []*journal.Record
	for n := int64(0); len(h.sizes) > 0 && len(out) < c.Limit && n < c.Bytes; h.sizes = h.sizes[1:] {
		h.latest++
		out = append(out, &journal.Record{Seq: h.latest, Body: make([]byte, h.sizes[0])})
		n += int64(h.sizes[0])
	}
	return out, nil
}

// TestClaimsAreBoundedByBytes has records of many megabytes wait: what is claimed at once, and what
// is in memory, goes over the bound by one record at most, and a claim that was cut goes on.
func TestClaimsAreBoundedByBytes(t *testing.T) {
	const memory, large = 24 << 20, 5 << 20
	h := &heavy{sizes: []int{100, large, large, large, large, large, large, large}}
	q := New(Config{Journal: h, Gate: everyRule{}, Window: 1000, Memory: memory, Now: time.Now,
		Conditions: &status.Conditions{}, Log: slog.New(slog.DiscardHandler)})
	claim := func() (taken []*journal.Record, more bool) {
		t.Helper()
		taken, more, err := q.claim(t.Context(), &program.Program{})
		if err == nil {
			_, err = q.keep(&program.Program{}, taken)
		}
		if err != nil {
			t.Fatal(err)
		}
		return taken, more
	}
	taken, more := claim()
	if len(taken) != 6 || !more || q.fetched.bytes > memory+large {
		t.Errorf("%d records were claimed, %d bytes are held, more %t", len(taken), q.fetched.bytes, more)
	}
	if again, _ := claim(); again != nil {
		t.Errorf("%d records were claimed though there is no room", len(again))
	}
	q.forget(taken[1:3])
	if taken, more = claim(); len(taken) != 2 || !more {
		t.Errorf("%d records were claimed once two had gone, more %t", len(taken), more)
	}
}
