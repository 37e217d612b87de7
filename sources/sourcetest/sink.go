// Package sourcetest has the one Sink that tests of sources hand over to: it keeps what it is given
// as the journal would, knows again what it has seen, and signals what it takes.
package sourcetest

import (
	"context"
	"fmt"
	"sync"

	"github.com/culvert/culvert/sources"
)

// Sink keeps what it is given. Its fields are set before the source runs, and read through its methods while it does.
type Sink struct {
	Refuse     func(batch int) error         // asked of each batch, counted from 1, before it is kept
	RefuseFile func(f sources.File) error    // asked of each file before it is kept
	Watch      func()                        // told of each batch before it is kept
	Took       chan struct{}                 // receives for every batch that was kept
	Saved      chan struct{}                 // receives for every cursor that was kept
	Files      chan sources.File             // receives every file that was kept
	Offered    chan sources.File             // receives every file that was offered
	identify   func(r sources.Record) string // what makes two records one

	mu      sync.Mutex
	records []sources.Record // new ones
	seen    map[string]bool
	again   int
	batches int
	cursors map[string]string
	content map[string]string // rule and digest of files, to their ids
}

// New makes a sink to which records of the same rule with the same body are one.
func New() *Sink {
	return &Sink{
		Took: make(chan struct{}, 1000), Saved: make(chan struct{}, 1000), Files: make(chan sources.File, 1000),
		Offered: make(chan sources.File, 1000),
		seen:    map[string]bool{}, cursors: map[string]string{}, content: map[string]string{},
		identify: func(r sources.Record) string { return fmt.Sprint(r.Rule, r.Body) },
	}
}

// Accept keeps a batch.
func (s *Sink) Accept(_ context.Context, b sources.Batch) ([]sources.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Watch != nil {
		s.Watch()
	}
	s.batches++
	if s.Refuse != nil {
		if err := s.Refuse(s.batches); err != nil {
			return nil, err
		}
	}
	receipts := make([]sources.Receipt, len(b.Records))
	for i, r := range b.Records {
		id := s.identify(r)
		receipts[i].RecordID = fmt.Sprintf("r%d", len(s.seen)+1)
		if receipts[i].Duplicate = s.seen[id]; receipts[i].Duplicate {
			s.again++
			continue
		}
		s.seen[id] = true
		s.records = append(s.records, r)
	}
	if b.Cursor != nil {
		s.cursors[b.Cursor.Name] = b.Cursor.Value
		signal(s.Saved)
	}
	signal(s.Took)
	return receipts, nil
}

// signal says that something happened, where anybody counts.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// AcceptFile keeps a file; content is taken once for a rule.
func (s *Sink) AcceptFile(_ context.Context, f sources.File) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Offered <- f
	if s.RefuseFile != nil {
		if err := s.RefuseFile(f); err != nil {
			return false, err
		}
	}
	if id, ok := s.content[f.Rule+f.SHA256]; ok && id != f.ID {
		return true, nil
	}
	s.content[f.Rule+f.SHA256] = f.ID
	s.Files <- f
	return false, nil
}

// Cursor gives a saved cursor.
func (s *Sink) Cursor(_ context.Context, name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cursors[name], nil
}

// Cursors gives the saved cursors.
func (s *Sink) Cursors() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]string{}
	for name, value := range s.cursors {
		out[name] = value
	}
	return out
}

// Records gives the new records since the last call.
func (s *Sink) Records() []sources.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.records
	s.records = nil
	return out
}

// Bodies gives the bodies of the new records since the last call.
func (s *Sink) Bodies() []any {
	var out []any
	for _, r := range s.Records() {
		out = append(out, r.Body)
	}
	return out
}

// Again counts records that had been seen before.
func (s *Sink) Again() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.again
}

// Batches counts batches, refused ones too.
func (s *Sink) Batches() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.batches
}
