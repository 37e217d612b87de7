package await

import (
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestBackoffGrowsToItsCap(t *testing.T) {
	b := Backoff{Base: time.Second, Cap: time.Hour}
	high := func() float64 { return 1 }
	for tries, want := range map[int]time.Duration{
		0: time.Second, 1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 12: 2048 * time.Second, 13: time.Hour,
		1_000_000: time.Hour,
	} {
		if got := b.Wait(tries, high); got != want {
			t.Errorf("after %d tries: %v, want %v", tries, got, want)
		}
	}
}

func TestBackoffStaysWithinItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := Backoff{Base: time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "base"))}
		b.Cap = b.Base * time.Duration(rapid.Int64Range(1, 1000).Draw(t, "cap"))
		tries := rapid.IntRange(0, 10_000).Draw(t, "tries")
		if got := b.Wait(tries, rand.Float64); got < b.Base/10 || got > b.Cap {
			t.Fatalf("%v is not between a tenth of %v and %v", got, b.Base, b.Cap)
		}
	})
}
