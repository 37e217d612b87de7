package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/sources"
)

// world is a place and a journal, which outlive a process, and what counts the steps of one until it is killed.
type world struct {
	dir     string
	place   map[string]string // content by path
	files   map[string]sources.FileOutcome
	rows    map[string]int // how often content was accepted
	cursors map[string]string
	steps   int
	killAt  int    // 0: never
	of      string // what the files came in together, empty: each stands alone
}

var errKilled = errors.New("killed")

// step says whether the process lives still; what is done on the other side of a step has happened.
func (w *world) step() error {
	w.steps++
	if w.killAt > 0 && w.steps >= w.killAt {
		return errKilled
	}
	return nil
}

func (w *world) Accept(_ context.Context, b sources.Batch) ([]sources.Receipt, error) {
	if err := w.step(); err != nil {
		return nil, err
	}
	w.cursors[b.Cursor.Name] = b.Cursor.Value
	return nil, w.step()
}

func (w *world) AcceptFile(_ context.Context, f sources.File) (bool, error) {
	if err := w.step(); err != nil {
		return false, err
	}
	if _, known := w.files[f.SHA256]; known {
		return true, w.step()
	}
	text, err := os.ReadFile(f.Path)
	if err != nil {
		return false, err
	}
	w.rows[string(text)]++
	at := filepath.Join(f.Folder, "done", f.Name+".results.csv")
	if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o700), os.WriteFile(at, text, 0o600)); err != nil {
		return false, err
	}
	w.files[f.SHA256] = sources.FileOutcome{Finished: time.Now(), Results: at}
	return false, w.step()
}

func (w *world) Cursor(_ context.Context, name string) (string, error) {
	return w.cursors[name], w.step()
}

func (w *world) FileOutcomes(context.Context, string) (map[string]sources.FileOutcome, error) {
	return maps.Clone(w.files), w.step()
}

func (w *world) List(context.Context) ([]Item, error) {
	var items []Item
	for _, at := range slices.Sorted(maps.Keys(w.place)) {
		if name, ok := strings.CutPrefix(at, "in/"); ok && !strings.Contains(name, "/") {
			items = append(items, Item{Path: at, Name: name, Version: fmt.Sprint(len(w.place[at])), Whole: true,
				Size: int64(len(w.place[at])), Of: w.of})
		}
	}
	return items, w.step()
}

func (w *world) Open(_ context.Context, item Item, offset int64) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(w.place[item.Path][offset:])), w.step()
}

func (w *world) Close() error { return nil }

func (w *world) Put(_ context.Context, folder, name string, content io.ReadSeeker, _ int64) error {
	if err := w.step(); err != nil {
		return err
	}
	var text bytes.Buffer
	if _, err := text.ReadFrom(content); err != nil {
		return err
	}
	w.place[folder+"/"+name] = text.String()
	return w.step()
}

func (w *world) Move(_ context.Context, item Item, folder string) error {
	if err := w.step(); err != nil {
		return err
	}
	for at, text := range maps.Clone(w.place) {
		name, in := strings.CutPrefix(at, "in/")
		if at == item.Path || w.of != "" && in && !strings.Contains(name, "/") { // a mail goes as a whole
			delete(w.place, at)
			w.place[folder+"/"+name] = text
		}
	}
	return w.step()
}

func (w *world) Delete(context.Context, Item) error { return errors.New("nobody asked for that") }

// live runs a process for a few looks, or until it is killed.
func (w *world) live(t *testing.T) error {
	t.Helper()
	source := New(Config{Word: "test", Dir: w.dir, Inbox: filepath.Join(w.dir, "state", "inbox"),
		Connect: func(string) (sources.Connection, error) { return sources.Connection{}, nil },
		Dial:    func(context.Context, sources.Connection, *Rule, *slog.Logger) (Place, error) { return w, nil },
		Log:     slog.New(slog.DiscardHandler)})
	p := &pull{source: source, sink: w, log: source.c.Log, seen: map[string]sighting{}, changed: map[string]int{}, said: map[string]string{},
		rule: &Rule{Rule: "anc", Connection: "c", Folder: "in", Every: time.Hour, MaxBytes: 1 << 20, After: Move,
			Done: "in/done", Failed: "in/failed"}}
	for range 4 {
		if err := p.once(t.Context()); err != nil {
			return err
		}
	}
	return nil
}

// Whatever step a process is killed at, the next one comes to the same end: each content was read once, results and
// files lie where they belong, and nothing is left over.
func TestEachFileIsTakenOnceWhenTheProcessIsKilled(t *testing.T) {
	t.Parallel()
	for _, of := range []string{"", "mail"} {
		t.Run("of "+of, func(t *testing.T) {
			t.Parallel()
			killAtEachStep(t, of)
		})
	}
}

func killAtEachStep(t *testing.T, of string) {
	t.Helper()
	want := map[string]string{
		"in/done/a.csv": "id\n1\n", "in/done/b.csv": "id\n22\n", "in/done/a.csv.results.csv": "id\n1\n",
		"in/done/b.csv.results.csv": "id\n22\n",
	}
	for killAt := 1; ; killAt++ {
		w := &world{dir: t.TempDir(), place: map[string]string{"in/a.csv": "id\n1\n", "in/b.csv": "id\n22\n"},
			files: map[string]sources.FileOutcome{}, rows: map[string]int{}, cursors: map[string]string{}, killAt: killAt, of: of}
		killed := w.live(t)
		w.killAt = 0
		if err := w.live(t); err != nil {
			t.Fatalf("killed at step %d (%v), then: %v", killAt, killed, err)
		}
		if !maps.Equal(w.place, want) {
			t.Errorf("killed at step %d (%v): there lie %q", killAt, killed, w.place)
		}
		if w.rows["id\n1\n"] != 1 || w.rows["id\n22\n"] != 1 {
			t.Errorf("killed at step %d (%v): read so often: %v", killAt, killed, w.rows)
		}
		if killed == nil {
			if killAt < 50 {
				t.Errorf("a run has %d steps only", killAt)
			}
			break
		}
	}
}
