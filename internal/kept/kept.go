// Package kept keeps answers of other systems for a while, bounded in number and in bytes.
package kept

import (
	"sync"
	"time"

	"github.com/culvert/culvert/internal/plain"
)

// Answers keeps what was found, by what was asked. The zero value works. It is safe for concurrent use.
type Answers[K comparable] struct {
	Most      int   // answers; 0: 100,000
	MostBytes int64 // of memory, about; 0: 64 MiB

	mu   sync.Mutex
	kept map[K]answer
	size int64
}

type answer struct {
	found []any
	until time.Time
	size  int64
}

const (
	most      = 100_000
	mostBytes = 64 << 20
	sizeOfKey = 100
)

// Get gives an answer that may still be used.
func (a *Answers[K]) Get(key K, now time.Time) ([]any, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k, ok := a.kept[key]
	return k.found, ok && now.Before(k.until)
}

// Put keeps an answer until a time. Where there is no room, what has expired is dropped, and everything
// where that is too little; an answer that is too large by itself is not kept.
func (a *Answers[K]) Put(key K, found []any, now, until time.Time) {
	k := answer{found, until, sizeOfKey + plain.Size(found)}
	a.mu.Lock()
	defer a.mu.Unlock()
	count, bytes := a.Most, a.MostBytes
	if count == 0 {
		count = most
	}
	if bytes == 0 {
		bytes = mostBytes
	}
	if k.size > bytes || !now.Before(until) {
		return
	}
	a.size -= a.kept[key].size
	if a.kept == nil {
		a.kept = map[K]answer{}
	}
	delete(a.kept, key)
	if len(a.kept) >= count || a.size+k.size > bytes {
		a.makeRoom(now, count/2, bytes/2)
	}
	if a.size+k.size > bytes {
		clear(a.kept)
		a.size = 0
	}
	a.kept[key] = k
	a.size += k.size
}

// makeRoom drops what has expired, and everything where more than half of the room stays taken, or every
// answer from then on would go through all of them.
func (a *Answers[K]) makeRoom(now time.Time, count int, bytes int64) {
	for key, k := range a.kept {
		if !now.Before(k.until) {
			a.size -= k.size
			delete(a.kept, key)
		}
	}
	if len(a.kept) > count || a.size > bytes {
		clear(a.kept)
		a.size = 0
	}
}
