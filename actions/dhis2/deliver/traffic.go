package deliver

import (
	"context"
	"sync"

	"github.com/culvert/culvert/actions"
)

// traffic keeps two deliveries of one process from writing one object at once: of those with
// different keys several are under way. It also knows what was delivered and is not in the journal
// yet.
type traffic struct {
	mu    sync.Mutex
	freed chan struct{} // closed when names are released, and made anew
	busy  map[string]bool
	live  map[string]unrecorded

	// A delivery may have read the journal before what is in it now, so that what was recorded is
	// known until all that had begun by then have ended.
	step    uint64
	begun   map[uint64]bool // deliveries under way, by when they began
	retired []retired       // in order
}

// unrecorded is the last digest of an object, with how many that were kept of it are not in the journal yet.
type unrecorded struct {
	digest actions.Digest
	kept   int
}

type retired struct {
	name string
	at   uint64
}

func newTraffic() *traffic {
	return &traffic{freed: make(chan struct{}), busy: map[string]bool{}, live: map[string]unrecorded{},
		begun: map[uint64]bool{}}
}

// begin notes that a delivery has begun; what it gives notes its end.
func (t *traffic) begin() (end func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.step++
	at := t.step
	t.begun[at] = true
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.begun, at)
		t.forget()
	}
}

// forget drops what was recorded before all deliveries under way began.
func (t *traffic) forget() {
	first := t.step + 1
	for at := range t.begun {
		first = min(first, at)
	}
	for len(t.retired) > 0 && t.retired[0].at < first {
		if name := t.retired[0].name; t.live[name].kept == 0 {
			delete(t.live, name)
		}
		t.retired = t.retired[1:]
	}
}

// acquire waits until nobody else writes any of the objects, then takes all of them: whoever waits holds nothing.
func (t *traffic) acquire(ctx context.Context, names []string) error {
	for {
		t.mu.Lock()
		free := true
		for _, n := range names {
			free = free && !t.busy[n]
		}
		if free {
			for _, n := range names {
				t.busy[n] = true
			}
			t.mu.Unlock()
			return nil
		}
		freed := t.freed
		t.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// release lets others write the objects.
func (t *traffic) release(names []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range names {
		delete(t.busy, n)
	}
	close(t.freed)
	t.freed = make(chan struct{})
}

// tryAcquire takes one object when nobody writes it.
func (t *traffic) tryAcquire(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy[name] {
		return false
	}
	t.busy[name] = true
	return true
}

// latest puts into digests what was delivered of the objects and is not in the journal yet.
func (t *traffic) latest(names []string, digests map[string]actions.Digest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range names {
		if l, ok := t.live[n]; ok && digests[n].Order.Seq <= l.digest.Order.Seq {
			digests[n] = l.digest
		}
	}
}

func (t *traffic) keep(d actions.Digest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.live[d.Object] = unrecorded{d, t.live[d.Object].kept + 1}
}

// recorded forgets what is in the journal now.
func (t *traffic) recorded(digests []actions.Digest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, d := range digests {
		l, ok := t.live[d.Object]
		if !ok || l.kept == 0 {
			continue
		}
		if l.kept--; l.kept == 0 {
			t.retired = append(t.retired, retired{d.Object, t.step})
		}
		t.live[d.Object] = l
	}
	t.forget()
}

// shapes remembers the numbers of sets of fields.
type shapes struct {
	mu      sync.Mutex
	numbers map[string]uint16
	names   map[uint16]string
}

func newShapes() *shapes { return &shapes{numbers: map[string]uint16{}, names: map[uint16]string{}} }

// number gives the number of a set of fields, 0 when there is none for it.
func (s *shapes) number(ctx context.Context, m actions.Memory, fields string) (uint16, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n, known := s.numbers[fields]; known {
		return n, nil
	}
	book, ok := m.(actions.Shapes)
	if !ok {
		return allFields, nil
	}
	found, err := book.ShapeNumbers(ctx, []string{fields})
	if err != nil {
		return 0, err
	}
	s.numbers[fields] = found[fields]
	return found[fields], nil
}

// name gives the set of fields of a number, empty when it is not known.
func (s *shapes) name(ctx context.Context, m actions.Memory, number uint16) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if text, known := s.names[number]; known {
		return text, nil
	}
	book, ok := m.(actions.Shapes)
	if !ok {
		return "", nil
	}
	found, err := book.ShapeNames(ctx, []uint16{number})
	if err != nil {
		return "", err
	}
	if text, known := found[number]; known {
		s.names[number] = text
	}
	return found[number], nil
}
