package dispatch

import (
	"math"
	"testing"
	"time"
)

func TestRateOverTheLastMinute(t *testing.T) {
	var r Rate
	if got := r.PerSecond(noon); got != 0 {
		t.Errorf("nothing counted, rate %v", got)
	}
	now := noon
	for range 300 {
		r.Add(now, 20)
		now = now.Add(time.Second)
	}
	if got := r.PerSecond(now); math.Abs(got-20) > 2 {
		t.Errorf("20 a second, rate %v", got)
	}
	if got := r.PerSecond(now.Add(2 * time.Minute)); got != 0 {
		t.Errorf("nothing for two minutes, rate %v", got)
	}
}

func TestRateOfAShortSpan(t *testing.T) {
	var r Rate
	r.Add(noon, 10)
	r.Add(noon.Add(4*time.Second), 10)
	if got := r.PerSecond(noon.Add(4 * time.Second)); got != 5 {
		t.Errorf("20 in 4 s, rate %v", got)
	}
}
