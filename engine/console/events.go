package console

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	lookEvery  = 2 * time.Second  // how soon somebody who watches sees a change
	mostEvents = 100              // browsers that watch at once; others load pages as they are
	longEvents = 15 * time.Minute // a browser connects anew after that
)

// watching lets many browsers watch at the cost of one look.
type watching struct {
	mu    sync.Mutex
	n     int
	at    time.Time
	stamp [sha256.Size]byte
}

// events tells a browser when there is something new to load, as server-sent events.
func (s *Console) events(w http.ResponseWriter, r *http.Request) {
	if !s.watching.enter() {
		w.Header().Set("Retry-After", "60")
		http.Error(w, "too many browsers watch at once", http.StatusServiceUnavailable)
		return
	}
	defer s.watching.leave()
	ctx, cancel := context.WithTimeout(r.Context(), longEvents)
	defer cancel()
	last, err := s.stamp(ctx) // before the browser hears anything: what changes from then on is told
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(longEvents + time.Minute)) // a writer that has none keeps the server's own
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	if _, err := fmt.Fprint(w, "retry: 5000\n\n"); err != nil || control.Flush() != nil {
		return
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-s.c.Done:
			return
		case <-tick.C:
		}
		fresh, seen := s.stamp(ctx)
		text := ""
		switch {
		case seen != nil:
			err = seen
		case fresh != last || err != nil:
			last, err, text = fresh, nil, "event: change\ndata: \n\n"
		case n%8 == 0:
			text = ": still here\n\n" // so that proxies keep the connection, and we learn that the browser has gone
		}
		if text == "" {
			continue
		}
		if _, err := fmt.Fprint(w, text); err != nil || control.Flush() != nil {
			return
		}
	}
}

func (x *watching) enter() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.n >= mostEvents {
		return false
	}
	x.n++
	return true
}

func (x *watching) leave() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.n--
}

// stamp is another one when pages show something else. It looks at most once in a while, for all who watch.
func (s *Console) stamp(ctx context.Context) ([sha256.Size]byte, error) {
	x := &s.watching
	x.mu.Lock()
	defer x.mu.Unlock()
	if time.Since(x.at) < lookEvery/2 {
		return x.stamp, nil
	}
	o, err := s.read(ctx)
	if err != nil {
		return x.stamp, err
	}
	o.At, o.Drain, o.Size = time.Time{}, 0, 0
	for i := range o.Runners {
		o.Runners[i].At = time.Time{}
	}
	text, err := json.Marshal(o)
	if err != nil {
		return x.stamp, fmt.Errorf("word the overview: %w", err)
	}
	x.at, x.stamp = time.Now(), sha256.Sum256(text)
	return x.stamp, nil
}
