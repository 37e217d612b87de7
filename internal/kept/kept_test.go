package kept_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/internal/kept"
)

var start = time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)

// TestBounds keeps no more than there is room for, in number and in bytes, and drops what has expired first.
func TestBounds(t *testing.T) {
	t.Parallel()
	large := []any{map[string]any{"text": strings.Repeat("x", 1000)}}
	for _, c := range []struct {
		name       string
		answers    *kept.Answers[string]
		before, to int // answers put that expire at once, and that stay
		want       int // that are still there, at the most
	}{
		{"number", &kept.Answers[string]{Most: 10}, 0, 1000, 10},
		{"bytes", &kept.Answers[string]{MostBytes: 20_000}, 0, 1000, 20},
		{"expired go first", &kept.Answers[string]{Most: 10}, 8, 4, 4},
	} {
		for i := range c.before {
			c.answers.Put(fmt.Sprint("old", i), large, start, start.Add(time.Second))
		}
		now := start.Add(time.Minute)
		for i := range c.to {
			c.answers.Put(fmt.Sprint(i), large, now, now.Add(time.Hour))
		}
		found := 0
		for i := range c.to {
			if _, ok := c.answers.Get(fmt.Sprint(i), now); ok {
				found++
			}
		}
		if found == 0 || found > c.want || c.before > 0 && found != c.want {
			t.Errorf("%s: %d are kept, want up to %d", c.name, found, c.want)
		}
		if _, ok := c.answers.Get(fmt.Sprint(c.to-1), now.Add(2*time.Hour)); ok {
			t.Errorf("%s: an old answer is used", c.name)
		}
	}
}

// TestTooLarge does not keep what has no room at all.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	a := kept.Answers[string]{MostBytes: 5000}
	a.Put("small", []any{"a"}, start, start.Add(time.Hour))
	a.Put("large", []any{strings.Repeat("x", 10_000)}, start, start.Add(time.Hour))
	if _, ok := a.Get("large", start); ok {
		t.Error("an answer larger than the room is kept")
	}
	if _, ok := a.Get("small", start); !ok {
		t.Error("it pushed another one out")
	}
}
