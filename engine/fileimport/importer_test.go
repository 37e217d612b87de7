package fileimport

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/durable"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/sqlite"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/status"
	"github.com/culvert/culvert/engine/work"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/tabular"
)

// fakes stand for the rooms beside this one: nothing is sent, every rule may run.
type fakes struct{ program *program.Program }

func (fakes) EnterRows([]work.Work)                                     {}
func (fakes) GoOn([]work.Outcome) error                                 { return nil }
func (fakes) Requeued([]string, []string)                               {}
func (fakes) Discard(string, work.RowOutcome)                           {}
func (fakes) CaughtUp()                                                 {}
func (fakes) Notify()                                                   {}
func (fakes) RowsUnread(int)                                            {}
func (fakes) RowsReading(int)                                           {}
func (fakes) EvictStale()                                               {}
func (f fakes) Program() *program.Program                               { return f.program }
func (fakes) Runnable(*program.Flow) bool                               { return true }
func (fakes) LeaseEpoch() int64                                         { return 0 }
func (fakes) Leading() bool                                             { return true }
func (fakes) FilesScanned(scan func() error, _ func(string) bool) error { return scan() }

// newImporter makes an importer with a journal of its own.
func newImporter(t *testing.T) (*Importer, journal.Journal) {
	t.Helper()
	j, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "culvert.db"), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	flow := &program.Flow{Rule: &rules.Rule{Name: "visits"}, Server: "national"}
	f := fakes{&program.Program{Rules: map[string]*program.Flow{"visits": flow}}}
	conditions, log := &status.Conditions{}, slog.New(slog.DiscardHandler)
	metrics, err := status.NewMetrics(nil, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{
		Journal: j, Writer: &durable.Writer{Journal: j, Conditions: conditions, Log: log, Now: time.Now, End: t.Context()},
		Queue: f, Gate: f,
		Dispatcher: func(string) Dispatcher { return f }, Servers: []string{"national"}, Owner: "test", Window: 100,
		Memory: 1 << 20, Poll: time.Second,
		Plan:       func(*program.Flow, sources.File) (Plan, error) { return Plan{Format: tabular.Format{}}, nil },
		Conditions: conditions, Outside: conditions, Metrics: metrics, Log: log, Now: time.Now,
	}), j
}

// TestFileDoesNotPassTheOneBeforeIt has the file that is read end between the look at the next one
// and at the one behind that.
func TestFileDoesNotPassTheOneBeforeIt(t *testing.T) {
	t.Parallel()
	m, j := newImporter(t)
	add := func(name string) journal.File {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte("id\nv1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		f := journal.File{File: sources.File{ID: name, Rule: "visits", Name: name, Path: path, SHA256: name},
			State: journal.FileOpen, Next: 1}
		if _, err := j.AddFile(t.Context(), &f); err != nil {
			t.Fatal(err)
		}
		return f
	}
	next, last := add("next.csv"), add("last.csv")
	reading := &fileRun{flow: m.Gate.Program().Flow("visits"), read: make(chan struct{}), done: make(chan struct{})}
	m.runs["reading"] = reading
	ctx, cancel := context.WithCancel(t.Context())
	blocked := map[string]bool{}
	if err := m.start(ctx, next, blocked); err != nil {
		t.Fatal(err)
	}
	close(reading.read)
	if err := m.start(ctx, last, blocked); err != nil {
		t.Fatal(err)
	}
	m.mu.Lock()
	if m.runs[last.ID] != nil {
		t.Error("the last file is read before the one that stands before it")
	}
	m.mu.Unlock()
	cancel()
	m.running.Wait()
}

// TestTriesAreForgotten keeps how often a file could not be read for as long as it is open and unread.
func TestTriesAreForgotten(t *testing.T) {
	t.Parallel()
	m, j := newImporter(t)
	m.putOff("gone")
	f := journal.File{File: sources.File{ID: "open", Rule: "no such rule", Name: "open.csv", SHA256: "open"},
		State: journal.FileOpen, Next: 1}
	if _, err := j.AddFile(t.Context(), &f); err != nil {
		t.Fatal(err)
	}
	m.putOff("open")
	if err := m.scan(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(m.tries) != 1 || len(m.later) != 1 || m.tries["open"] != 1 {
		t.Errorf("after a look at the open files: tries %v, later %v", m.tries, m.later)
	}
	m.ended(&fileRun{file: f, dispatcher: fakes{}}, nil)
	if len(m.tries) != 0 || len(m.later) != 0 {
		t.Errorf("after the file was read: tries %v, later %v", m.tries, m.later)
	}
}

// TestTakesAFileAsItStands begins where the runner that had the file before stopped, though it
// recorded rows after this one had listed the files: else those rows would be counted twice.
func TestTakesAFileAsItStands(t *testing.T) {
	t.Parallel()
	m, j := newImporter(t)
	listed := journal.File{File: sources.File{ID: "f", Rule: "visits", Name: "visits.csv", SHA256: "f",
		Path: filepath.Join(t.TempDir(), "gone.csv")},
		State: journal.FileOpen, Next: 1}
	if _, err := j.AddFile(t.Context(), &listed); err != nil {
		t.Fatal(err)
	}
	later := listed
	later.Next, later.Rows, later.Delivered = 8, 7, 7
	if err := j.Commit(t.Context(), &journal.Batch{Owner: m.Owner, Files: []journal.File{later}}); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	m.Log = slog.New(slog.NewTextHandler(&said, nil))
	if err := m.start(t.Context(), listed, map[string]bool{}); err != nil {
		t.Fatal(err)
	}
	m.running.Wait()
	if !strings.Contains(said.String(), "from_row=8") {
		t.Errorf("7 rows are recorded, and it is said: %s", said.String())
	}
}

// TestRunThatIsGivenUpHasItsTurn records what was settled when a run is given up as its turn comes, as a rule that
// pauses itself at its first row does, and nothing before its turn has come.
func TestRunThatIsGivenUpHasItsTurn(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before := make(chan struct{})
	run := &fileRun{before: before}
	if run.awaitTurn(ctx) {
		t.Error("a run had its turn before the file before it was recorded")
	}
	close(before)
	for range 100 { // of two things that are both so, select takes any
		if !run.awaitTurn(ctx) {
			t.Fatal("a run was given up without recording what was settled, though its turn had come")
		}
	}
}
