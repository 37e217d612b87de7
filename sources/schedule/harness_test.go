package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
)

func trigger(t *testing.T, text string) *rules.Trigger {
	t.Helper()
	var list diag.List
	doc := yamlnode.Parse("rules/a.yaml", []byte(text), &list)
	if doc == nil || list.HasErrors() {
		t.Fatal(list)
	}
	return &rules.Trigger{Kind: "schedule", Config: doc.Root, Place: diag.Place{File: "rules/a.yaml"}}
}

func findings(t *testing.T, text string) []string {
	t.Helper()
	var got []string
	Kind{}.Check(trigger(t, text), func(d diag.Diagnostic) {
		got = append(got, fmt.Sprintf("%d:%d %s: %s", d.Place.Range.Start.Line, d.Place.Range.Start.Column, d.Code, d.Message))
	})
	return got
}

// sink keeps what it is given.
type sink struct {
	mu      sync.Mutex
	bodies  []any
	files   []sources.File
	cursors map[string]string
	taken   chan struct{} // receives for every saved cursor
	fail    int           // how many batches are refused
}

func newSink() *sink { return &sink{cursors: map[string]string{}, taken: make(chan struct{}, 1000)} }

func (s *sink) Accept(_ context.Context, b sources.Batch) ([]sources.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail > 0 {
		s.fail--
		return nil, errors.New("the journal is gone")
	}
	for _, r := range b.Records {
		s.bodies = append(s.bodies, r.Body)
	}
	if b.Cursor != nil {
		s.cursors[b.Cursor.Name] = b.Cursor.Value
		s.taken <- struct{}{}
	}
	return make([]sources.Receipt, len(b.Records)), nil
}

func (s *sink) AcceptFile(_ context.Context, f sources.File) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.files {
		if o.SHA256 == f.SHA256 {
			return true, nil
		}
	}
	s.files = append(s.files, f)
	return false, nil
}

func (s *sink) Cursor(_ context.Context, name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cursors[name], nil
}

func (s *sink) took() []any {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.bodies
	s.bodies = nil
	return out
}

type listsFunc func(path string, query url.Values) (json.RawMessage, error)

func (f listsFunc) Get(_ context.Context, _, path string, query url.Values) (json.RawMessage, error) {
	return f(path, query)
}

func config(r Rule) Config {
	return Config{Rules: []Rule{r}, Log: slog.New(slog.DiscardHandler), Resolve: func(s string) (string, error) { return strings.ReplaceAll(s, "${KEY}", "s3cret"), nil }}
}

// runOnce runs a schedule until its first run is done.
func runOnce(t *testing.T, c Config, to *sink) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- New(c).Run(ctx, to) }()
	<-to.taken
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func at(text string) time.Time {
	t, err := time.Parse(time.DateTime, text)
	if err != nil {
		panic(err)
	}
	return t
}
