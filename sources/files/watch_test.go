package files

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/internal/disk"
	"github.com/culvert/culvert/sources/sourcetest"
	"github.com/culvert/culvert/sources/tabular"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/culvert/culvert/sources"
)

func TestMain(m *testing.M) {
	if root := os.Getenv(watchEnv); root != "" {
		watchUntilKilled(root)
		return
	}
	goleak.VerifyTestMain(m)
}

func TestDroppedFilesAreTaken(t *testing.T) {
	root := t.TempDir()
	s := newSink()
	start(t, testConfig(root, WatchedRule{Rule: "anc", Glob: "anc-*.csv"}), s)
	sourcetest.WriteFile(t, filepath.Join(root, "drop", "other.csv"), "not for us")
	sourcetest.WriteFile(t, filepath.Join(root, "drop", "anc-1.csv.part"), "not yet")
	sourcetest.WriteFile(t, filepath.Join(root, "drop", ".anc-1.csv"), "hidden")
	sourcetest.WriteFile(t, filepath.Join(root, "secret.csv"), "elsewhere")
	if err := os.Symlink(filepath.Join(root, "secret.csv"), filepath.Join(root, "drop", "anc-link.csv")); err != nil {
		t.Fatal(err)
	}
	sourcetest.WriteFile(t, filepath.Join(root, "drop", "ANC-may.csv"), "name\nAda\n")
	f := await(t, s.took)
	if f.Name != "ANC-may.csv" || f.Rule != "anc" || f.Folder != filepath.Join(root, "drop") || f.Size != 9 ||
		len(f.SHA256) != 64 {
		t.Errorf("took %+v", f)
	}
	if got := sourcetest.ReadFile(t, f.Path); got != "name\nAda\n" {
		t.Errorf("the taken file holds %q", got)
	}
	if f.Path != filepath.Join(root, "inbox", f.ID, "ANC-may.csv") {
		t.Errorf("it lies at %s", f.Path)
	}
	if diff := cmp.Diff([]string{".anc-1.csv", "anc-1.csv.part", "anc-link.csv", "other.csv"},
		sourcetest.Names(t, filepath.Join(root, "drop"))); diff != "" {
		t.Error(diff)
	}
}

func TestGrowingFilesAreLeftAlone(t *testing.T) {
	root := t.TempDir()
	clock := &fakeClock{at: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}
	c := testConfig(root, WatchedRule{Rule: "anc"})
	c.Rules[0].StableFor = 5 * time.Second
	c.Now = clock.now
	s := newSink()
	w := New(c).(*watcher)
	path := filepath.Join(root, "drop", "a.csv")
	sourcetest.WriteFile(t, path, "name\n")
	ctx := context.Background()
	round := 0
	look := func(after time.Duration) {
		clock.at = clock.at.Add(after)
		round++
		w.round(ctx, s, nil, round)
	}
	look(0)
	look(4 * time.Second)
	sourcetest.WriteFile(t, path, "name\nAda\n")
	look(4 * time.Second)
	look(4 * time.Second)
	if len(s.took) > 0 {
		t.Fatal("the file was taken while it grew")
	}
	look(2 * time.Second)
	if f := await(t, s.took); f.Size != 9 {
		t.Errorf("took %d bytes", f.Size)
	}
}

type fakeClock struct{ at time.Time }

func (c *fakeClock) now() time.Time { return c.at }

func TestMarkers(t *testing.T) {
	root := t.TempDir()
	s := newSink()
	drop := filepath.Join(root, "drop")
	sourcetest.WriteFile(t, filepath.Join(drop, "b.csv"), "name\nBob\n")
	sourcetest.WriteFile(t, filepath.Join(drop, "a.csv"), "name\nAda\n")
	sourcetest.WriteFile(t, filepath.Join(drop, "a.csv.done"), "")
	start(t, testConfig(root, WatchedRule{Rule: "anc", Marker: ".done", Glob: "*"}), s)
	if f := await(t, s.took); f.Name != "a.csv" {
		t.Errorf("took %s", f.Name)
	}
	sourcetest.WriteFile(t, filepath.Join(drop, "b.done"), "")
	if f := await(t, s.took); f.Name != "b.csv" {
		t.Errorf("took %s", f.Name)
	}
	if left := sourcetest.Names(t, drop); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

func TestTheSameContentIsTakenOnce(t *testing.T) {
	root := t.TempDir()
	s := newSink()
	stop := start(t, testConfig(root, WatchedRule{Rule: "anc"}), s)
	drop := filepath.Join(root, "drop")
	sourcetest.WriteFile(t, filepath.Join(drop, "a.csv"), "name\nAda\n")
	await(t, s.took)
	sourcetest.WriteFile(t, filepath.Join(drop, "again.csv"), "name\nAda\n")
	await(t, s.offered)
	await(t, s.offered)
	stop()
	results := sourcetest.ReadFile(t, filepath.Join(drop, "done", "again.results.csv"))
	want := "row,sheet,record,outcome,dhis2 ids,cause,fix,column,value,id,key\n0,,0,duplicate,,the same content was taken for " +
		"this rule before,nothing to do; its results are beside the first,,,,\n"
	if diff := cmp.Diff(want, results); diff != "" {
		t.Error(diff)
	}
	if ids := sourcetest.Names(t, filepath.Join(root, "inbox")); len(ids) != 1 {
		t.Errorf("the inbox holds %v", ids)
	}
}

func TestEveryRuleGetsTheFile(t *testing.T) {
	root := t.TempDir()
	s := newSink()
	start(t, testConfig(root, WatchedRule{Rule: "anc"}, WatchedRule{Rule: "visits"}), s)
	sourcetest.WriteFile(t, filepath.Join(root, "drop", "a.csv"), "name\nAda\n")
	got := map[string]bool{await(t, s.took).Rule: true, await(t, s.took).Rule: true}
	if !got["anc"] || !got["visits"] {
		t.Errorf("taken for %v", got)
	}
}

func TestABusySinkIsAskedAgain(t *testing.T) {
	root := t.TempDir()
	s := newSink()
	busy := 2
	s.refuse = func(sources.File) error {
		if busy--; busy >= 0 {
			return fmt.Errorf("accepting: %w", &sources.ErrBusy{RetryAfter: time.Millisecond, Reason: "the disk is full"})
		}
		return nil
	}
	start(t, testConfig(root, WatchedRule{Rule: "anc"}), s)
	sourcetest.WriteFile(t, filepath.Join(root, "drop", "a.csv"), "name\nAda\n")
	if f := await(t, s.took); f.Name != "a.csv" {
		t.Errorf("took %s", f.Name)
	}
}

func TestWhatTheSinkNeverTakesGoesToFailed(t *testing.T) {
	root := t.TempDir()
	s := newSink()
	s.refuse = func(sources.File) error { return fmt.Errorf("no rule is named anc: %w", sources.ErrFinal) }
	stop := start(t, testConfig(root, WatchedRule{Rule: "anc"}), s)
	sourcetest.WriteFile(t, filepath.Join(root, "drop", "a.csv"), "name\nAda\n")
	await(t, s.offered)
	stop()
	if diff := cmp.Diff([]string{"a.csv", "a.results.csv"},
		sourcetest.Names(t, filepath.Join(root, "drop", "failed"))); diff != "" {
		t.Error(diff)
	}
}

// Whatever was on disk when the program died, the next start accepts the file once and loses nothing.
func TestCrashesWhileTaking(t *testing.T) {
	const text = "name\nAda\n"
	for name, crash := range map[string]func(t *testing.T, in inbox, drop string, s *sink){
		"folder prepared": func(t *testing.T, in inbox, drop string, _ *sink) {
			if _, err := in.prepare(tag{Rule: "anc", Name: "a.csv", Folder: drop}); err != nil {
				t.Fatal(err)
			}
		},
		"moved": func(t *testing.T, in inbox, drop string, _ *sink) {
			tg := tag{Rule: "anc", Name: "a.csv", Folder: drop, Marker: filepath.Join(drop, "a.done")}
			id, err := in.prepare(tg)
			if err != nil {
				t.Fatal(err)
			}
			sourcetest.WriteFile(t, tg.Marker, "")
			if err := disk.Move(filepath.Join(drop, "a.csv"), in.path(id, tg)); err != nil {
				t.Fatal(err)
			}
		},
		"accepted, not noted": func(t *testing.T, in inbox, drop string, s *sink) {
			tg := tag{Rule: "anc", Name: "a.csv", Folder: drop}
			id, err := in.prepare(tg)
			if err != nil {
				t.Fatal(err)
			}
			if err := disk.Move(filepath.Join(drop, "a.csv"), in.path(id, tg)); err != nil {
				t.Fatal(err)
			}
			f, err := in.describe(context.Background(), id, tg)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.AcceptFile(context.Background(), f); err != nil {
				t.Fatal(err)
			}
			<-s.took
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			drop := filepath.Join(root, "drop")
			sourcetest.WriteFile(t, filepath.Join(drop, "a.csv"), text)
			s := newSink()
			c := testConfig(root, WatchedRule{Rule: "anc"})
			crash(t, inbox{dir: c.Inbox, now: time.Now}, drop, s)
			start(t, c, s)
			f := await(t, s.took)
			if got := sourcetest.ReadFile(t, f.Path); got != text {
				t.Errorf("the file holds %q", got)
			}
			if len(s.files) != 1 {
				t.Errorf("accepted as %d files", len(s.files))
			}
			if left := sourcetest.Names(t, drop); left != nil {
				t.Errorf("left in the folder: %v", left)
			}
		})
	}
}

func TestTake(t *testing.T) {
	root := t.TempDir()
	s := newSink()
	path := filepath.Join(root, "export.csv")
	sourcetest.WriteFile(t, path, "name\nAda\n")
	f, duplicate, err := Take(context.Background(), path, "anc", filepath.Join(root, "inbox"), s)
	if err != nil || duplicate || f.Rule != "anc" || f.Name != "export.csv" {
		t.Fatalf("took %+v, %v, %v", f, duplicate, err)
	}
	if sourcetest.ReadFile(t, path) != sourcetest.ReadFile(t, f.Path) {
		t.Error("the copy is not the file")
	}
	if _, duplicate, err = Take(context.Background(), path, "anc", filepath.Join(root, "inbox"), s); err != nil ||
		!duplicate {
		t.Errorf("taken again: %v, %v", duplicate, err)
	}
	if ids := sourcetest.Names(t, filepath.Join(root, "inbox")); len(ids) != 1 {
		t.Errorf("the inbox holds %v", ids)
	}
}

// A journal that was restored from a backup learns of the files that were taken since.
func TestAForgetfulSinkIsToldAgain(t *testing.T) {
	root := t.TempDir()
	c := testConfig(root, WatchedRule{Rule: "anc"})
	s := newSink()
	stop := start(t, c, s)
	sourcetest.WriteFile(t, filepath.Join(root, "drop", "a.csv"), "name\nAda\n")
	first := await(t, s.took)
	stop()
	s = newSink()
	start(t, c, s)
	if diff := cmp.Diff(first, await(t, s.took)); diff != "" {
		t.Error(diff)
	}
}

// When the rule of a file that is being worked on goes away, the file stays where its rows are read from.
func TestAnAcceptedFileOutlivesItsRule(t *testing.T) {
	root := t.TempDir()
	c := testConfig(root, WatchedRule{Rule: "anc"})
	s := newSink()
	stop := start(t, c, s)
	sourcetest.WriteFile(t, filepath.Join(root, "drop", "a.csv"), "name\nAda\n")
	f := await(t, s.took)
	stop()
	s = newSink()
	s.refuse = func(sources.File) error { return sources.ErrFinal }
	stop = start(t, c, s)
	await(t, s.offered)
	stop()
	if got := sourcetest.ReadFile(t, f.Path); got != "name\nAda\n" {
		t.Errorf("the file holds %q", got)
	}
}

// What lies in the inbox without saying for which rule is kept, and named.
func TestStraysAreKeptAndNamed(t *testing.T) {
	root := t.TempDir()
	c := testConfig(root, WatchedRule{Rule: "anc"})
	var log bytes.Buffer
	c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	stray := filepath.Join(c.Inbox, "id-1", "a.csv")
	sourcetest.WriteFile(t, stray, "name\nAda\n")
	sourcetest.WriteFile(t, filepath.Join(c.Inbox, "id-1", tagFile), "{broken")
	s := newSink()
	stop := start(t, c, s)
	sourcetest.WriteFile(t, filepath.Join(root, "drop", "b.csv"), "name\nBea\n")
	if f := await(t, s.took); f.Name != "b.csv" {
		t.Errorf("took %s", f.Name)
	}
	stop()
	if sourcetest.ReadFile(t, stray) == "" || !strings.Contains(log.String(), "id-1") {
		t.Errorf("the log says %s", log.String())
	}
}

// Names from old Windows shares are in no encoding that Linux knows; the file is read all the same,
// under a name that can be said.
func TestNamesThatAreNotUTF8(t *testing.T) {
	root := t.TempDir()
	s := newSink()
	start(t, testConfig(root, WatchedRule{Rule: "anc"}), s)
	dropped := filepath.Join(root, "drop", "enregistr\xe9.csv")
	if err := os.MkdirAll(filepath.Dir(dropped), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dropped, []byte("name\nAda\n"), 0o600); err != nil {
		t.Skipf("this file system takes no such names: %v", err)
	}
	f := await(t, s.took)
	if f.Name != "enregistré.csv" || sourcetest.ReadFile(t, f.Path) != "name\nAda\n" {
		t.Errorf("took %q at %q", f.Name, f.Path)
	}
}

func TestPlainName(t *testing.T) {
	for name, want := range map[string]string{"a.csv": "a.csv", "é.csv": "é.csv", "No\xebl.csv": "Noël.csv",
		"\xe3\xcd\xe3\xcf.csv": "_.csv"} {
		if got := tabular.PlainName(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// alarmSink is a sink that is told what is wrong.
type alarmSink struct {
	*sink
	alarms chan string
}

func (s alarmSink) SetCondition(subject, what string) { s.alarms <- subject + ": " + what }

func awaitAlarm(t *testing.T, c <-chan string) string {
	t.Helper()
	select {
	case what := <-c:
		return what
	case <-time.After(20 * time.Second):
		t.Fatal("nobody was told")
		panic("unreachable")
	}
}

// What keeps a file from being read is told to people in status, and taken back when it is gone.
func TestPeopleAreToldWhatIsNotTaken(t *testing.T) {
	root := t.TempDir()
	s := alarmSink{newSink(), make(chan string, 100)}
	start(t, testConfig(root, WatchedRule{Rule: "anc", Glob: "*.csv"}), s)
	note := filepath.Join(root, "drop", "note.docx")
	sourcetest.WriteFile(t, note, "PK")
	if got, want := awaitAlarm(t,
		s.alarms), "files "+note+": "+note+
		" was left where it is: no rule takes files of this name from this folder"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	if err := os.Remove(note); err != nil {
		t.Fatal(err)
	}
	if got, want := awaitAlarm(t, s.alarms), "files "+note+": "; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
}

// Without a glob whatever is dropped is meant: a document is taken, and said to be none of rows when it is read.
func TestDocumentsAreTaken(t *testing.T) {
	root := t.TempDir()
	s := newSink()
	start(t, testConfig(root, WatchedRule{Rule: "anc"}), s)
	sourcetest.WriteFile(t, filepath.Join(root, "drop", "report.PDF"), "%PDF-1.7\n")
	f := await(t, s.took)
	_, err := tabular.Open(t.Context(), f.Path, tabular.Format{})
	if err == nil || !strings.Contains(err.Error(), "it is a PDF document") {
		t.Errorf("got %v", err)
	}
}
