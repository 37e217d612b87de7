package files

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/culvert/culvert/sources"
)

// sink keeps what it is offered, as the engine does: content is taken once for a rule, the same id is known.
type sink struct {
	mu      sync.Mutex
	files   map[string]sources.File // by id
	content map[string]string       // rule and digest → id
	refuse  func(f sources.File) error
	took    chan sources.File
	offered chan sources.File
}

func newSink() *sink {
	return &sink{files: map[string]sources.File{}, content: map[string]string{}, took: make(chan sources.File, 1000),
		offered: make(chan sources.File, 1000)}
}

func (s *sink) AcceptFile(_ context.Context, f sources.File) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offered <- f
	if s.refuse != nil {
		if err := s.refuse(f); err != nil {
			return false, err
		}
	}
	if id, ok := s.content[f.Rule+f.SHA256]; ok && id != f.ID {
		return true, nil
	}
	s.files[f.ID], s.content[f.Rule+f.SHA256] = f, f.ID
	s.took <- f
	return false, nil
}

func (s *sink) Accept(context.Context, sources.Batch) ([]sources.Receipt, error) {
	return nil, fmt.Errorf("files are handed over whole")
}

func (s *sink) Cursor(context.Context, string) (string, error) { return "", nil }

// start runs a watcher until the test ends.
func start(t *testing.T, c Config, s sources.Sink) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- New(c).Run(ctx, s) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("watching ended with %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func testConfig(root string, rules ...WatchedRule) Config {
	for i := range rules {
		r := &rules[i]
		if r.Folder == "" {
			r.Folder = filepath.Join(root, "drop")
		}
		r.Create, r.StableFor = true, 20*time.Millisecond
		r.Done, r.Failed = filepath.Join(r.Folder, "done"), filepath.Join(r.Folder, "failed")
	}
	return Config{Inbox: filepath.Join(root, "inbox"), Rules: rules, Scan: 20 * time.Millisecond}
}

func await(t *testing.T, c <-chan sources.File) sources.File {
	t.Helper()
	select {
	case f := <-c:
		return f
	case <-time.After(20 * time.Second):
		t.Fatal("no file came")
		panic("unreachable")
	}
}
