package heap

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestGrowth(t *testing.T) {
	for _, c := range []struct {
		live uint64
		want int
	}{
		{0, 70}, {1 << 20, 4700}, {10 << 20, 380}, {24 << 20, 100}, {40 << 20, 70}, {48 << 20, 70}, {1 << 40, 70},
	} {
		if got := growth(c.live, 70, 48<<20); got != c.want {
			t.Errorf("with %d bytes alive the heap grows by %d percent, want %d", c.live, got, c.want)
		}
	}
}

// While little is alive the heap grows by more than the percentage; while much is, by no more; and
// afterwards as before.
func TestKeep(t *testing.T) {
	t.Setenv("GOGC", "")
	debug.SetGCPercent(100)
	stop := Keep(70, 48<<20)
	if p := settled(func(p int) bool { return p > 100 }); p <= 100 {
		t.Errorf("a small heap grows by %d percent", p)
	}
	much := make([]byte, 64<<20)
	if p := settled(func(p int) bool { return p == 70 }); p != 70 {
		t.Errorf("a large heap grows by %d percent", p)
	}
	runtime.KeepAlive(much)
	stop()
	if p := settled(func(int) bool { return true }); p != 100 {
		t.Errorf("afterwards the heap grows by %d percent", p)
	}
}

func TestKeepLeavesGOGC(t *testing.T) {
	t.Setenv("GOGC", "33")
	defer debug.SetGCPercent(debug.SetGCPercent(33))
	defer Keep(70, 48<<20)()
	if p := settled(func(p int) bool { return p != 33 }); p != 33 {
		t.Errorf("GOGC=33 became %d", p)
	}
}

// settled collects garbage until the percentage is as wanted, or a while has shown that it will not be.
func settled(wanted func(int) bool) (percent int) {
	for range 20 {
		runtime.GC()
		for range 100 {
			runtime.Gosched() // finalizers run in a goroutine of their own
		}
		percent = debug.SetGCPercent(-1)
		debug.SetGCPercent(percent)
		if wanted(percent) {
			return percent
		}
	}
	return percent
}
