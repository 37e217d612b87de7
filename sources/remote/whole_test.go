package remote

import (
	"testing"
	"time"
)

// TestUnsettled waits for a file until it has not changed for a time, and longer for an empty one.
func TestUnsettled(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	now := start
	p := &pull{source: New(Config{Now: func() time.Time { return now }}), rule: &Rule{StableFor: 30 * time.Second},
		seen: map[string]sighting{}}
	grown, larger, empty := Item{Path: "a", Version: "1", Size: 1}, Item{Path: "a", Version: "2", Size: 2},
		Item{Path: "b", Version: "1"}
	for i, step := range []struct {
		after time.Duration // since the start
		item  Item
		want  time.Duration
	}{
		{0, grown, 30 * time.Second},
		{20 * time.Second, grown, 10 * time.Second},
		{25 * time.Second, larger, 30 * time.Second},
		{54 * time.Second, larger, time.Second},
		{55 * time.Second, larger, 0},
		{55 * time.Second, empty, emptyStable},
		{55 * time.Second, Item{Path: "c", Whole: true}, 0},
	} {
		now = start.Add(step.after)
		if got := p.unsettled(step.item); got != step.want {
			t.Errorf("step %d: it waits %s, want %s", i, got, step.want)
		}
	}
}
