package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/results"
)

// drop puts a file into the inbox as the watcher does and makes it known.
func (w *world) drop(rule, name, text string) sources.File {
	w.t.Helper()
	f := w.lay(rule, name, text)
	if duplicate, err := w.runner.AcceptFile(context.Background(), f); err != nil || duplicate {
		w.t.Fatalf("accept file: duplicate %v, %v", duplicate, err)
	}
	return f
}

// lay puts a file into the inbox and tells nobody.
func (w *world) lay(rule, name, text string) sources.File {
	w.t.Helper()
	id := uuid.NewString()
	dir := filepath.Join(w.dir, "inbox", id)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		w.t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(text))
	return sources.File{
		ID: id, Rule: rule, Path: path, Name: name, Folder: filepath.Join(w.dir, "drop"), Size: int64(len(text)),
		SHA256: hex.EncodeToString(sum[:]), Received: time.Now(),
	}
}

func (w *world) done(name string) string { return filepath.Join(w.dir, "drop", "done", name) }

func (w *world) file(id string) journal.File {
	w.t.Helper()
	all, err := w.journal.Files(context.Background(), "")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range all {
		if f.ID == id {
			return f
		}
	}
	w.t.Fatalf("the journal has no file %s", id)
	return journal.File{}
}

func (w *world) finished(f sources.File) {
	w.t.Helper()
	w.until(f.Name+" is finished", func() bool { return w.file(f.ID).State == journal.FileFinished })
}

// results reads a results file: the outcome by row, and how often a row is named.
func (w *world) results(name string) (outcomes map[int64]string, lines int) {
	w.t.Helper()
	file, err := os.Open(w.done(strings.TrimSuffix(name, ".csv") + ".results.csv"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer file.Close()
	outcomes = map[int64]string{}
	err = results.Read(file, func(_ int64, row results.Row) error {
		outcomes[row.Record] = row.Outcome
		lines++
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return outcomes, lines
}

// visitsCSV makes rows of visits, people taking turns; change may alter a row.
func visitsCSV(rows, people int, change func(row int, cells []string)) string {
	var b strings.Builder
	b.WriteString("id,person,n,keep\n")
	for i := range rows {
		cells := []string{fmt.Sprint("v", i), fmt.Sprint("p", i%people), fmt.Sprint(i), "yes"}
		if change != nil {
			change(i+1, cells)
		}
		b.WriteString(strings.Join(cells, ",") + "\n")
	}
	return b.String()
}

func (w *world) inOrder(people int) {
	w.t.Helper()
	for p := range people {
		if got := w.target.delivered(fmt.Sprint("p", p)); !slices.IsSortedFunc(got, byNumber) {
			w.t.Errorf("person %d out of order: %v", p, got)
		}
	}
}
