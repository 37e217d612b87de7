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
	lookLimit  = 10 * time.Second // how long one look may take
	mostEvents = 100              // browsers that watch at once; others load pages as they are
	longEvents = 15 * time.Minute // a browser connects anew after that
)

// watching lets many browsers watch at the cost of one look.
type watching struct {
	mu      sync.Mutex
	n       int
	looking chan struct{} // closed when the look that is under way ends; nil: none is
	at      time.Time     // when the last look ended
	stamp   [sha256.Size]byte
	err     error // of the last look
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
	extend(w, longEvents)
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

// stamp is another one when pages show something else. It looks at most once in a while, for all
// who watch, and what went wrong is not asked again before either.
func (s *Console) stamp(ctx context.Context) ([sha256.Size]byte, error) {
	x := &s.watching
	x.mu.Lock()
	fresh := lookEvery / 2
	if x.err != nil {
		fresh = lookEvery
	}
	if time.Since(x.at) < fresh {
		defer x.mu.Unlock()
		return x.stamp, x.err
	}
	if x.looking == nil {
		x.looking = make(chan struct{})
		go s.refresh(ctx, x.looking)
	}
	ended := x.looking
	x.mu.Unlock()
	select {
	case <-ended:
	case <-ctx.Done():
		return [sha256.Size]byte{}, ctx.Err()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.stamp, x.err
}

// refresh looks for all who watch: no visitor who goes ends it.
func (s *Console) refresh(ctx context.Context, ended chan struct{}) {
	ctx, cancel := s.detached(ctx, lookLimit)
	defer cancel()
	stamp, err := s.current(ctx)
	x := &s.watching
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.at, x.err, x.looking = time.Now(), err, nil; err == nil {
		x.stamp = stamp
	}
	close(ended)
}

func (s *Console) current(ctx context.Context) ([sha256.Size]byte, error) {
	o, err := s.read(ctx)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	o.At, o.Drain, o.Size = time.Time{}, 0, 0
	for i := range o.Runners {
		o.Runners[i].At = time.Time{}
	}
	text, err := json.Marshal(o)
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("word the overview: %w", err)
	}
	return sha256.Sum256(text), nil
}
