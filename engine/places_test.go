package engine

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// A record that is accepted after a file must never be overwritten by an older row of it. The rows
// of these tests have the numbers from 0 on, the records that come later the numbers from 1000 on.

func wantDelivered(t *testing.T, w *world, person string, want ...string) {
	t.Helper()
	if got := w.target.delivered(person); !slices.Equal(got, want) {
		t.Errorf("%s got %v, want %v", person, got, want)
	}
}

// TestRowThatIsTriedAgainStaysBeforeLaterRecords has a form come while a row of the same person is
// under way and has to be tried again.
func TestRowThatIsTriedAgainStaysBeforeLaterRecords(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	under, goOn := make(chan struct{}), make(chan struct{})
	var tries atomic.Int64
	w.target.answer = func(p actions.Plan, v visit) actions.Outcome {
		if v.ID != "v0" {
			return actions.Outcome{}
		}
		if tries.Add(1) == 1 {
			close(under)
			<-goOn
		}
		if tries.Load() < 4 {
			return actions.Outcome{Status: actions.Retry, Class: actions.ClassParent,
				Problem: diag.Problem{Code: "E1079", Message: "not enrolled yet"}}
		}
		return actions.Outcome{}
	}
	w.run()
	f := w.drop("visits", "visits.csv", visitsCSV(6, 2, nil))
	<-under
	w.accept(item("visits", "late", "p0", 1000), item("visits", "alone", "p7", 1001))
	close(goOn)
	w.finished(f)
	w.until("all is delivered", func() bool { return w.target.count() == 8 })
	wantDelivered(t, w, "p0", "0", "2", "4", "1000")
	wantDelivered(t, w, "p1", "1", "3", "5")
	wantDelivered(t, w, "p7", "1001")
}

// serverIsAway lets the target refuse all until it comes back.
func (w *world) serverIsAway() (comeBack func()) {
	var back atomic.Bool
	w.target.probe = func() error {
		if !back.Load() {
			return errors.New("no route")
		}
		return nil
	}
	w.target.answer = func(actions.Plan, visit) actions.Outcome {
		if !back.Load() {
			return actions.Outcome{Status: actions.Retry, Class: actions.ClassServer,
				Problem: diag.Problem{Code: "no-route", Message: "no route"}}
		}
		return actions.Outcome{}
	}
	return func() { back.Store(true) }
}

// TestRowsOfAFileComeBeforeRecordsAcceptedWhileTheServerWasAway is Monday's file and Tuesday's
// forms for a server that comes back on Wednesday.
func TestRowsOfAFileComeBeforeRecordsAcceptedWhileTheServerWasAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	comeBack := w.serverIsAway()
	w.run()
	f := w.drop("visits", "visits.csv", visitsCSV(600, 200, nil))
	w.until("its rows are read", func() bool { return w.runner.files.IsRead(f.ID) })
	for n := range 3 {
		w.accept(item("visits", "late"+strconv.Itoa(n), "p5", 1000+n),
			item("visits", "later"+strconv.Itoa(n), "p150", 1000+n))
	}
	comeBack()
	w.finished(f)
	w.until("all is delivered", func() bool { return w.target.count() == 606 })
	wantDelivered(t, w, "p5", "5", "205", "405", "1000", "1001", "1002")
	wantDelivered(t, w, "p150", "150", "350", "550", "1000", "1001", "1002")
}

// TestRowsComeBeforeLaterRecordsAfterACrash has a process end while rows are under way that the
// journal knows nothing of; later records wait in the journal.
func TestRowsComeBeforeLaterRecordsAfterACrash(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	w.make()
	f := w.drop("visits", "visits.csv", visitsCSV(3000, 1000, nil))
	var late []string
	for n := range 500 {
		late = append(late, "p"+strconv.Itoa(n))
		w.accept(item("visits", "late"+strconv.Itoa(n), late[n], 10_000))
	}
	w.reopen()
	w.run()
	w.finished(f)
	w.until("all is delivered", func() bool { return w.target.count() == 3500 })
	for n, person := range late {
		wantDelivered(t, w, person, strconv.Itoa(n), strconv.Itoa(n+1000), strconv.Itoa(n+2000), "10000")
	}
}

// slowAnswer is a journal whose answer to the commit that frees a key comes late.
type slowAnswer struct {
	journal.Journal
	key             string
	committed, goOn chan struct{}
	once            sync.Once
}

func (j *slowAnswer) Commit(ctx context.Context, b *journal.Batch) error {
	err := j.Journal.Commit(ctx, b)
	if slices.Contains(b.Keys, j.key) {
		j.once.Do(func() {
			close(j.committed)
			<-j.goOn
		})
	}
	return err
}

// TestRowComesBeforeARecordClaimedAheadOfIt has a later record claimed in the moment in which the
// journal has freed the key of one row and the next one does not know yet that its turn has come.
func TestRowComesBeforeARecordClaimedAheadOfIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	slow := &slowAnswer{Journal: w.journal, key: "p0", committed: make(chan struct{}), goOn: make(chan struct{})}
	w.config.Journal = slow
	w.run()
	w.drop("visits", "first.csv", visitsCSV(1, 1, nil))
	<-slow.committed
	f := w.drop("visits", "second.csv", "id,person,n,keep\nw1,p0,1,yes\n")
	w.until("its row waits", func() bool { return w.runner.queue.RowWaits("p0") })
	w.accept(item("visits", "late", "p0", 1000))
	w.until("the later record is claimed", func() bool { return w.runner.queue.InMemory() == 1 })
	close(slow.goOn)
	w.finished(f)
	w.until("all is delivered", func() bool { return w.target.count() == 3 })
	wantDelivered(t, w, "p0", "0", "1", "1000")
}

// heldFiles is a journal that, from hold on, does not tell of open files, and accepts none, until
// it is told to or the test ends.
type heldFiles struct {
	journal.Journal
	files, add atomic.Pointer[chan struct{}]
	adding     chan struct{} // one for every file that is held
}

func holdFiles(w *world) *heldFiles {
	j := &heldFiles{Journal: w.journal, adding: make(chan struct{}, 1)}
	w.config.Journal = j
	w.t.Cleanup(func() { // what the runner itself waits for ends with its context
		j.letGo(&j.files)
		j.letGo(&j.add)
	})
	return j
}

func (j *heldFiles) hold(gate *atomic.Pointer[chan struct{}]) {
	held := make(chan struct{})
	gate.Store(&held)
}

func (j *heldFiles) letGo(gate *atomic.Pointer[chan struct{}]) {
	if held := gate.Swap(nil); held != nil {
		close(*held)
	}
}

func pass(ctx context.Context, gate *atomic.Pointer[chan struct{}]) error {
	held := gate.Load()
	if held == nil {
		return nil
	}
	select {
	case <-*held:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (j *heldFiles) Files(ctx context.Context, state journal.FileState) ([]journal.File, error) {
	if err := pass(ctx, &j.files); err != nil {
		return nil, err
	}
	return j.Journal.Files(ctx, state)
}

func (j *heldFiles) AddFile(ctx context.Context, f *journal.File) (bool, error) {
	if j.add.Load() != nil {
		j.adding <- struct{}{}
	}
	if err := pass(ctx, &j.add); err != nil {
		return false, err
	}
	return j.Journal.AddFile(ctx, f)
}

// TestRecordsWaitForAFileThatIsNotReadYet has forms come right behind a file, before its first row
// is read. What was accepted before the file goes on.
func TestRecordsWaitForAFileThatIsNotReadYet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	slow := holdFiles(w)
	w.run()
	w.accept(item("visits", "first", "p9", 1))
	w.until("the runner has begun", func() bool { return w.target.count() == 1 })
	slow.hold(&slow.files)
	w.accept(item("visits", "before", "p1", 500))
	f := w.drop("visits", "visits.csv", visitsCSV(2, 2, nil))
	w.accept(item("visits", "late", "p0", 1000))
	w.until("the later record waits", func() bool { return w.runner.queue.AwaitsFile("national") || w.target.count() > 2 })
	w.until("the earlier record is delivered", func() bool { return w.target.count() == 2 })
	slow.letGo(&slow.files)
	w.finished(f)
	w.until("all is delivered", func() bool { return w.target.count() == 5 })
	wantDelivered(t, w, "p0", "0", "1000")
	wantDelivered(t, w, "p1", "500", "1")
}

// TestRecordsBeforeAFileDoNotWaitForIt has a record claimed while a file is being accepted, before
// it is known which of them comes first.
func TestRecordsBeforeAFileDoNotWaitForIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	slow := holdFiles(w)
	w.run()
	w.accept(item("visits", "first", "p9", 1))
	w.until("the runner has begun", func() bool { return w.target.count() == 1 })
	slow.hold(&slow.files)
	slow.hold(&slow.add)
	dropped := make(chan sources.File, 1)
	go func() { dropped <- w.drop("visits", "visits.csv", visitsCSV(2, 2, nil)) }()
	w.until("the file is being accepted", func() bool { return len(slow.adding) == 1 })
	w.accept(item("visits", "before", "p1", 500))
	w.until("the record waits for the file", func() bool { return w.runner.queue.AwaitsFile("national") })
	slow.letGo(&slow.add)
	w.until("the file is accepted", func() bool { return len(dropped) == 1 })
	f := <-dropped
	w.until("the record that came before the file is delivered", func() bool { return w.target.count() == 2 })
	slow.letGo(&slow.files)
	w.finished(f)
	w.until("all is delivered", func() bool { return w.target.count() == 4 })
	wantDelivered(t, w, "p1", "500", "1")
}

// TestRecordsDoNotWaitForAFileWhoseTurnHasNotCome lets forms pass a file that stands behind a long
// one, and one that is longer than what is read ahead.
func TestRecordsDoNotWaitForAFileWhoseTurnHasNotCome(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	w.config.Limits.Window = 8
	comeBack := w.serverIsAway()
	w.run()
	long := w.drop("visits", "long.csv", visitsCSV(20, 20, nil))
	short := w.drop("visits", "short.csv", "id,person,n,keep\nw1,q1,1,yes\n")
	w.accept(item("visits", "form", "p19", 1000), item("visits", "late", "p0", 1000), item("visits", "second", "p1", 1000))
	// On a slow machine rows that met no server may have become records meanwhile, and be in memory, too.
	w.until("the form that no row stands before is claimed", func() bool { return w.runner.queue.InMemory() >= 1 })
	comeBack()
	w.finished(long)
	w.finished(short)
	w.until("all is delivered", func() bool { return w.target.count() == 24 })
	wantDelivered(t, w, "p0", "0", "1000")
	wantDelivered(t, w, "p1", "1", "1000")
}

// TestRowsWithoutAPlace keeps files that an earlier version accepted in order behind what waits.
func TestRowsWithoutAPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	w.make()
	w.accept(item("visits", "before", "p0", 500))
	f := w.drop("visits", "visits.csv", visitsCSV(4, 2, nil))
	all, err := w.journal.Files(context.Background(), journal.FileOpen)
	if err != nil || len(all) != 1 || all[0].Places < 4 {
		t.Fatalf("the file took %+v: %v", all, err)
	}
	if seq := (&journal.File{}).Seq(1); seq != 0 {
		t.Errorf("a row of a file without places stands at %d", seq)
	}
	w.start()
	w.finished(f)
	wantDelivered(t, w, "p0", "500", "0", "2")
}
