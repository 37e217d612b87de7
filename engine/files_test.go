package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/fileimport"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/status"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

func TestFileIsDeliveredByReference(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	w.run()
	const rows = 3000
	f := w.drop("visits", "visits.csv", visitsCSV(rows, 100, nil))
	w.finished(f)
	got := w.file(f.ID)
	if got.Rows != rows || got.Delivered != rows || got.Next != rows+1 || got.Failed+got.Skipped+got.Unchanged != 0 {
		t.Errorf("file: %+v", got)
	}
	if n := w.target.count(); n != rows {
		t.Errorf("%d of %d visits arrived", n, rows)
	}
	w.inOrder(100)
	if records, _ := w.journal.Select(context.Background(),
		journal.Filter{FileID: f.ID, WithBody: true}); len(records) != 0 {
		t.Errorf("%d rows became records though all went well", len(records))
	}
	outcomes, lines := w.results("visits.csv")
	if lines != rows || outcomes[1] != "delivered" || outcomes[rows] != "delivered" {
		t.Errorf("%d lines of results, first %q, last %q", lines, outcomes[1], outcomes[rows])
	}
	if _, err := os.Stat(w.done("visits.csv")); err != nil {
		t.Errorf("the original is not in done/: %v", err)
	}
	if _, err := os.Stat(filepath.Dir(f.Path)); !os.IsNotExist(err) {
		t.Errorf("the inbox is not tidy: %v", err)
	}
	f.ID = uuid.NewString()
	if duplicate, err := w.runner.AcceptFile(context.Background(), f); err != nil || !duplicate {
		t.Errorf("the same content again: duplicate %v, %v", duplicate, err)
	}
}

func TestFileOfARuleThatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits", "others"))
	file := &journal.File{File: w.lay("visits", "visits.csv", visitsCSV(3, 1, nil)), State: journal.FileOpen}
	if _, err := w.journal.AddFile(context.Background(), file); err != nil {
		t.Fatal(err)
	}
	w.config.Program = testProgram(t, "others")
	w.run()
	w.until("the file is named", func() bool {
		return strings.Contains(strings.Join(w.runner.Conditions(), "\n"), "visits.csv waits")
	})
	if err := w.runner.Health(); err != nil {
		t.Errorf("it stops the others: %v", err)
	}
	w.runner.Swap(testProgram(t, "visits", "others"))
	w.until("it goes on", func() bool { return w.target.count() == 3 && len(w.runner.Conditions()) == 0 })
}

// TestFileWithEveryOutcome has rows that fail, are skipped, are refused, must be tried again, and cannot be read.
func TestFileWithEveryOutcome(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	var tries atomic.Int64
	w.target.answer = func(_ actions.Plan, v visit) actions.Outcome {
		switch {
		case v.ID == "v6":
			return actions.Outcome{Status: actions.Failed, Class: actions.ClassData,
				Problem: diag.Problem{Code: "E1302",
					Message: "refused by the server", Hint: "fix it"}}
		case v.ID == "v7" && tries.Add(1) < 4:
			return actions.Outcome{Status: actions.Retry, Class: actions.ClassTransient,
				Problem: diag.Problem{Code: "E5000", Message: "a lock"}}
		}
		return actions.Outcome{}
	}
	w.run()
	f := w.drop("visits", "visits.csv", visitsCSV(40, 4, func(row int, cells []string) {
		switch row {
		case 3:
			cells[2] = "three"
		case 5:
			cells[3] = "no"
		}
	}))
	w.finished(f)
	got := w.file(f.ID)
	if got.Rows != 40 || got.Failed != 2 || got.Skipped != 1 || got.Delivered != 37 {
		t.Errorf("file: %+v", got)
	}
	retried, err := w.journal.Select(t.Context(), journal.Filter{FileID: f.ID, States: []journal.State{journal.Delivered}})
	if err != nil || len(retried) == 0 || got.RecordsDelivered != int64(len(retried)) {
		t.Errorf("%d rows were delivered as records, the file says %d: %v", len(retried), got.RecordsDelivered, err)
	}
	outcomes, lines := w.results("visits.csv")
	if lines != 40 || len(outcomes) != 40 {
		t.Errorf("%d lines for %d rows", lines, len(outcomes))
	}
	for row, want := range map[int64]string{1: "delivered", 3: "failed", 5: "skipped", 7: "failed", 8: "delivered",
		40: "delivered"} {
		if outcomes[row] != want {
			t.Errorf("row %d: %s, want %s", row, outcomes[row], want)
		}
	}
	w.inOrder(4)
	failed, err := os.ReadFile(w.done("visits.failed.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if text := string(failed); strings.Count(text, "\n") != 3 || !strings.Contains(text, "refused by the server") ||
		!strings.Contains(text, "three") {
		t.Errorf("failed rows:\n%s", text)
	}
	records, _ := w.journal.Select(context.Background(), journal.Filter{FileID: f.ID, WithBody: true})
	var who []string
	for _, r := range records {
		who = append(who, fmt.Sprintf("%d %s %s", r.Origin.DataRow, r.ID, r.State))
	}
	if !slices.Contains(who, "7 v6 failed") || !slices.Contains(who, "8 v7 delivered") {
		t.Errorf("records of rows: %v", who)
	}
}

// TestFileRowsWaitBehindTheirKey has records of the journal that cannot go yet; rows of the same
// people must not overtake them.
func TestFileRowsWaitBehindTheirKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	var open atomic.Bool
	w.target.answer = func(_ actions.Plan, v visit) actions.Outcome {
		if !open.Load() && v.ID == "first" {
			return actions.Outcome{Status: actions.Retry, Class: actions.ClassParent,
				Problem: diag.Problem{Code: "E1313", Message: "no enrollment yet"}}
		}
		return actions.Outcome{}
	}
	w.config.Limits.ParentFor = 1 << 30
	w.run()
	w.accept(item("visits", "first", "p0", -1))
	w.until("it waits", func() bool { r := w.record("first"); return r.Attempts > 0 })
	f := w.drop("visits", "visits.csv", visitsCSV(20, 2, nil))
	w.until("the other person's rows have gone", func() bool { return len(w.target.delivered("p1")) == 10 })
	if got := w.target.delivered("p0"); len(got) != 0 {
		t.Fatalf("rows overtook the record before them: %v", got)
	}
	open.Store(true)
	w.finished(f)
	if got := w.target.delivered("p0"); len(got) != 11 || !slices.IsSortedFunc(got, byNumber) {
		t.Errorf("person 0: %v", got)
	}
	if outcomes, lines := w.results("visits.csv"); lines != 20 || outcomes[1] != "delivered" {
		t.Errorf("%d lines, row 1 %s", lines, outcomes[1])
	}
}

// TestFileRowsInterrupted stops the runner in the middle of a file, again and again, with a target that hiccups.
func TestFileRowsInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	var calls atomic.Int64
	w.target.answer = func(actions.Plan, visit) actions.Outcome {
		if calls.Add(1)%17 == 0 {
			return actions.Outcome{Status: actions.Retry, Class: actions.ClassTransient,
				Problem: diag.Problem{Code: "E5000", Message: "a lock"}}
		}
		return actions.Outcome{}
	}
	w.config.Limits.Window = 600
	w.run()
	const rows = 4000
	f := w.drop("visits", "visits.csv", visitsCSV(rows, 37, nil))
	for stop := 1; stop <= 6; stop++ {
		w.until("it has got further", func() bool { return w.target.count() >= stop*500 })
		w.stop()
		w.reopen()
		w.config.Owner = fmt.Sprint("runner-", stop)
		w.run()
	}
	w.finished(f)
	outcomes, lines := w.results("visits.csv")
	if lines != rows || len(outcomes) != rows {
		t.Errorf("%d lines for %d rows, want %d", lines, len(outcomes), rows)
	}
	if got := w.file(f.ID); got.Rows != rows || got.Delivered+got.Unchanged != rows || got.Failed != 0 {
		t.Errorf("file: %+v", got)
	}
	w.inOrder(37)
	if n := w.target.count(); n != rows {
		t.Errorf("%d of %d arrived", n, rows)
	}
}

// TestFileWhileTheRuleChanges swaps the rule while its file is read, makes it invalid for a while, and pauses it.
func TestFileWhileTheRuleChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	w.run()
	const rows = 5000
	f := w.drop("visits", "visits.csv", visitsCSV(rows, 50, nil))
	for n := 1; n <= 5; n++ {
		w.until("it has got further", func() bool { return w.target.count() >= n*500 })
		invalid := testProgram(t, "visits")
		invalid.Rules["visits"].Invalid = &journal.Problem{Problem: diag.Problem{Code: "unknown-stage",
			Message: "the stage is gone"}}
		w.runner.Swap(invalid)
		w.runner.Swap(testProgram(t, "visits"))
	}
	w.finished(f)
	if outcomes, lines := w.results("visits.csv"); lines != rows || len(outcomes) != rows {
		t.Errorf("%d lines for %d rows", lines, len(outcomes))
	}
	w.inOrder(50)
}

func TestManyFilesInTurn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits", "others"))
	w.run()
	var all []sources.File
	for n := range 20 {
		rule := []string{"visits", "others"}[n%2]
		text := visitsCSV(30, 5, func(_ int, cells []string) {
			cells[0] = fmt.Sprintf("f%d-%s", n, cells[0])
			var i int
			fmt.Sscan(cells[2], &i)
			cells[2] = fmt.Sprint(n*1000 + i)
		})
		all = append(all, w.drop(rule, fmt.Sprintf("visits-%02d.csv", n), text))
	}
	for _, f := range all {
		w.finished(f)
	}
	if n := w.target.count(); n != 600 {
		t.Errorf("%d of 600 arrived", n)
	}
	w.inOrder(5)
}

// TestRowsThatFillMemory has so few rows fit that they make no whole chunk.
func TestRowsThatFillMemory(t *testing.T) {
	w := newWorld(t, testProgram(t, "visits"))
	w.config.Limits.Memory = 64 << 10
	w.run()
	f := w.drop("visits", "visits.csv", visitsCSV(300, 10,
		func(_ int, cells []string) { cells[3] = strings.Repeat("y", 6<<10) }))
	w.finished(f)
	w.inOrder(10)
}

func TestUnreadableFiles(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"empty.csv":      "",
		"not-a-zip.xlsx": "PK\x03\x04 and then nothing of the kind",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, testProgram(t, "visits"))
			w.run()
			f := w.drop("visits", name, text)
			w.finished(f)
			if _, err := os.Stat(filepath.Join(w.dir, "drop", "failed", name)); err != nil {
				t.Errorf("it is not in failed/: %v", err)
			}
			records, _ := w.journal.Select(context.Background(), journal.Filter{FileID: f.ID, WithBody: true})
			if len(records) != 1 || records[0].Problem.Code != program.CodeUnreadableFile || records[0].Problem.Message == "" ||
				records[0].Problem.Hint == "" {
				t.Errorf("records: %+v", records)
			}
		})
	}
}

// TestCorrectedFileSettlesTheUnreadableOne has a file that could not be read be dropped again under
// its name, put right; one of another name settles nothing.
func TestCorrectedFileSettlesTheUnreadableOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	w.run()
	bad, other := w.drop("visits", "visits.csv", ""),
		w.drop("visits", "others.xlsx", "PK\x03\x04 and then nothing of the kind")
	w.finished(bad)
	w.finished(other)
	good := w.drop("visits", "visits.csv", visitsCSV(3, 3, nil))
	w.finished(good)
	states := map[string]journal.State{}
	records, err := w.journal.Select(context.Background(), journal.Filter{Code: program.CodeUnreadableFile})
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range records {
		states[rec.Origin.File] = rec.State
	}
	if len(records) != 2 || states["visits.csv"] != journal.Superseded || states["others.xlsx"] != journal.Failed {
		t.Errorf("what stands for the unreadable files is %v", states)
	}
}

// TestFileThatFailedAlike has status say of a file, not only of its rows, that all is wrong with
// it; no longer once somebody has decided.
func TestFileThatFailedAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	w.run()
	nan := func(_ int, cells []string) { cells[2] = "many" }
	f := w.drop("visits", "visits.csv", visitsCSV(30, 30, nan))
	one := w.drop("visits", "one.csv", "id,person,n,keep\nx1,p1,many,yes\nx2,p2,2,yes\n")
	w.finished(f)
	w.finished(one)
	ctx := context.Background()
	o, err := status.Read(ctx, w.journal, time.Now())
	if err != nil || len(o.Alike) != 1 {
		t.Fatalf("failed alike: %+v, %v", o.Alike, err)
	}
	if a := o.Alike[0]; a.File != "visits.csv" || a.Rows != 30 || a.Cause == "" {
		t.Errorf("failed alike: %+v", a)
	}
	says := func(c status.Concern) bool {
		return strings.HasPrefix(c.String(), "all 30 rows of file visits.csv of rule visits failed alike: ")
	}
	if !slices.ContainsFunc(o.Concerns, says) {
		t.Errorf("concerns: %v", o.Concerns)
	}
	if _, err := w.journal.Dismiss(ctx, journal.Filter{FileID: f.ID}, "test", "the wrong file"); err != nil {
		t.Fatal(err)
	}
	if o, err = status.Read(ctx, w.journal, time.Now()); err != nil || len(o.Alike) != 0 {
		t.Errorf("failed alike after all were dismissed: %+v, %v", o.Alike, err)
	}
}

// TestFileForAServerThatIsAway does not read further than the window while nothing can be sent.
func TestFileForAServerThatIsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	var away atomic.Bool
	away.Store(true)
	w.target.answer = func(actions.Plan, visit) actions.Outcome {
		if away.Load() {
			return actions.Outcome{Status: actions.Retry, Class: actions.ClassServer,
				Problem: diag.Problem{Code: "unreachable", Message: "away"}}
		}
		return actions.Outcome{}
	}
	w.target.probe = func() error {
		if away.Load() {
			return fmt.Errorf("away")
		}
		return nil
	}
	w.config.Limits.Window = 512
	w.run()
	const rows = 3000
	f := w.drop("visits", "visits.csv", visitsCSV(rows, 3000, nil))
	w.until("the window is full", func() bool { return w.runner.Status().Servers[0].Queued >= 512-fileimport.ChunkRows })
	for range 5 {
		w.runner.Swap(testProgram(t, "visits"))
		w.until("the file is read again",
			func() bool { return w.runner.Status().Servers[0].Queued >= 512-fileimport.ChunkRows })
	}
	if n := w.runner.Status().Servers[0].Queued; n > 512+fileimport.ChunkRows {
		t.Errorf("%d rows in memory, the window is 512", n)
	}
	away.Store(false)
	w.finished(f)
	if got := w.file(f.ID); got.Delivered != rows {
		t.Errorf("file: %+v", got)
	}
}

// TestNightlyExportSendsWhatChanged drops everything twice; of the second file only the changed rows reach the server.
func TestNightlyExportSendsWhatChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	w.run()
	const rows = 6000
	w.finished(w.drop("visits", "monday.csv", visitsCSV(rows, rows, nil)))
	f := w.drop("visits", "tuesday.csv", visitsCSV(rows, rows, func(row int, cells []string) {
		if row%1000 == 1 {
			cells[2] = fmt.Sprint(row + rows)
		}
	}))
	w.finished(f)
	if got := w.file(f.ID); got.Delivered != 6 || got.Unchanged != rows-6 {
		t.Errorf("file: %+v", got)
	}
	if outcomes, _ := w.results("tuesday.csv"); outcomes[1] != "delivered" || outcomes[2] != "unchanged" {
		t.Errorf("row 1 %s, row 2 %s", outcomes[1], outcomes[2])
	}
}
