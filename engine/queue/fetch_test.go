package queue

import (
	"testing"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
)

// everyRule lets every rule run.
type everyRule struct{ Gate }

func (everyRule) Runnable(*program.Flow) bool { return true }

// TestRoomGoesByTheSizeSeen claims few records until it is known how large they are, also when
// nothing of them is in memory any more.
func TestRoomGoesByTheSizeSeen(t *testing.T) {
	prog := &program.Program{}
	q := New(Config{Gate: everyRule{}, Window: 1000, Memory: 64 << 20})
	claim := func(seq int64, bytes int) {
		t.Helper()
		rec := &journal.Record{Seq: seq, Body: make([]byte, bytes)}
		if _, err := q.keep(prog, []*journal.Record{rec}); err != nil {
			t.Fatal(err)
		}
		q.forget([]*journal.Record{rec})
	}
	expect := func(what string, want int) {
		t.Helper()
		if got, _ := q.room(prog); got != want {
			t.Errorf("%s: room for %d, want %d", what, got, want)
		}
	}
	expect("nothing is known", firstClaim)
	claim(1, 10<<20)
	expect("large ones came", 6)
	claim(2, 1<<10)
	expect("small ones came", claimLimit)
}
