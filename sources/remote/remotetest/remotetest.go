// Package remotetest runs sources of files from other machines in tests, and has the sink that they hand over to.
package remotetest

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/remote"
	"github.com/culvert/culvert/sources/sourcetest"
)

// Sink keeps files, and says what became of them as the test tells.
type Sink struct {
	*sourcetest.Sink
	mu         sync.Mutex
	outcomes   map[string]sources.FileOutcome
	conditions map[string]string
	alarms     map[string]string
}

// NewSink makes a sink.
func NewSink() *Sink {
	return &Sink{Sink: sourcetest.New(), outcomes: map[string]sources.FileOutcome{}, conditions: map[string]string{},
		alarms: map[string]string{}}
}

// FileOutcomes gives what became of files.
func (s *Sink) FileOutcomes(context.Context, string) (map[string]sources.FileOutcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]sources.FileOutcome{}
	for sum, o := range s.outcomes {
		out[sum] = o
	}
	return out, nil
}

// AcceptFile keeps a file.
func (s *Sink) AcceptFile(ctx context.Context, f sources.File) (bool, error) {
	duplicate, err := s.Sink.AcceptFile(ctx, f)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.outcomes[f.SHA256]; err == nil && !known {
		s.outcomes[f.SHA256] = sources.FileOutcome{}
	}
	return duplicate, err
}

// SetCondition keeps what people are told.
func (s *Sink) SetCondition(subject, what string) { s.set(s.conditions, subject, what) }

// Alarm keeps what people are told.
func (s *Sink) Alarm(subject, what string) { s.set(s.alarms, subject, what) }

func (s *Sink) set(to map[string]string, subject, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if to[subject] = what; what == "" {
		delete(to, subject)
	}
}

// Says tells whether one of what people are told holds a text.
func (s *Sink) Says(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, list := range []map[string]string{s.conditions, s.alarms} {
		for _, what := range list {
			if strings.Contains(what, text) {
				return true
			}
		}
	}
	return false
}

// Finish has a taken file be finished, with results.
func (s *Sink) Finish(t testing.TB, f sources.File, folder string) string {
	t.Helper()
	results := filepath.Join(f.Folder, folder, strings.TrimSuffix(f.Name, ".csv")+".results.csv")
	sourcetest.WriteFile(t, results, "row,outcome\n2,failed\n")
	sourcetest.WriteFile(t, strings.TrimSuffix(results, ".results.csv")+".failed.csv", "id\n1\n")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outcomes[f.SHA256] = sources.FileOutcome{Finished: time.Now(), Results: results}
	return results
}

// Run runs a source of the kind word until the test ends or stop is called; rules look every 10 ms.
func Run(t testing.TB, word string, dial remote.Dial, c sources.Connection, dir string, s sources.Sink,
	rules ...remote.Rule) (stop func()) {
	t.Helper()
	for i := range rules {
		if rules[i].Rule == "" {
			rules[i].Rule = "anc"
		}
		rules[i].Connection, rules[i].Every = c.Name, 10*time.Millisecond
		if rules[i].MaxBytes == 0 {
			rules[i].MaxBytes = 1 << 20
		}
	}
	source := remote.New(remote.Config{Word: word, Rules: rules, Dial: dial, Dir: dir,
		Inbox:   filepath.Join(dir, "state", "inbox"),
		Connect: func(string) (sources.Connection, error) { return c, nil }, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := source.Run(ctx, s); err != nil {
			t.Error(err)
		}
	}()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			<-ended
		}
	}
	t.Cleanup(stop)
	return stop
}

// Taken waits for a file.
func (s *Sink) Taken(t testing.TB) sources.File {
	t.Helper()
	select {
	case f := <-s.Files:
		return f
	case <-time.After(30 * time.Second):
		t.Fatalf("no file was taken; people are told %q", s.Told())
		return sources.File{}
	}
}

// Told lists what people are told now.
func (s *Sink) Told() (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, told := range []map[string]string{s.conditions, s.alarms} {
		for _, what := range told {
			list = append(list, what)
		}
	}
	return list
}
