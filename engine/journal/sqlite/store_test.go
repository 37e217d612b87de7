package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/journaltest"
	"github.com/culvert/culvert/engine/journal/sqlite"
	"github.com/culvert/culvert/rules/diag"
)

func appendForms(t testing.TB, j journal.Journal, from, to int64) {
	t.Helper()
	for i := from; i < to; i++ {
		if _, err := j.Append(t.Context(), []*journal.Record{journaltest.Form(i)}, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func count(t testing.TB, j journal.Journal) int {
	t.Helper()
	all, err := j.Select(t.Context(), journal.Filter{WithBody: true})
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// TestOutOfRoom has a disk that is full and one that cannot be written: nothing is kept by halves,
// the error says what to do, and work goes on by itself once there is room.
func TestOutOfRoom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, begin, end, reason string }{
		{"full", "max_page_count = 60", "max_page_count = 1000000", "no room left"},
		{"read-only", "query_only = 1", "query_only = 0", "cannot be written"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newPlace(t).open(t, journal.Options{})
			appendForms(t, s, 0, 10)
			if err := s.Pragma(t.Context(), c.begin); err != nil {
				t.Fatal(err)
			}
			kept := 10
			var gone *journal.ErrUnavailable
			for i := int64(10); i < 500; i++ {
				_, err := s.Append(t.Context(), []*journal.Record{journaltest.Form(i)}, nil)
				if errors.As(err, &gone) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				kept++
			}
			if gone == nil || !strings.Contains(gone.Reason, c.reason) || gone.RetryAfter <= 0 {
				t.Fatalf("the store never said that it is %s: %v", c.name, gone)
			}
			if n := count(t, s); n != kept {
				t.Errorf("%d records are kept, %d were acknowledged", n, kept)
			}
			if err := s.Pragma(t.Context(), c.end); err != nil {
				t.Fatal(err)
			}
			appendForms(t, s, 1000, 1010)
			if n := count(t, s); n != kept+10 {
				t.Errorf("%d records are kept afterwards, not %d", n, kept+10)
			}
			if err := s.Check(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestVacant asks from a second process's place whether anybody runs on the journal.
func TestVacant(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	first, second := p.open(t, journal.Options{}), p.open(t, journal.Options{})
	if !second.Vacant(t.Context()) {
		t.Error("a journal on which nobody ever ran is not vacant")
	}
	if ok, err := first.Lead(t.Context(), "first"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if first.Vacant(t.Context()) || second.Vacant(t.Context()) {
		t.Error("a journal with a runner is vacant")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if !second.Vacant(t.Context()) {
		t.Error("the journal is not vacant though its runner is gone")
	}
	if ok, err := second.Lead(t.Context(), "second"); !ok || err != nil {
		t.Error("asking kept a runner from its right", ok, err)
	}
}

func TestOneRunner(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	first, second := p.open(t, journal.Options{}), p.open(t, journal.Options{})
	if ok, err := first.Lead(t.Context(), "first"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	var inUse *journal.ErrInUse
	if _, err := second.Claim(t.Context(), journal.Claim{Owner: "second", Limit: 1, Now: time.Now()}); !errors.As(err,
		&inUse) {
		t.Fatalf("a second runner: %v", err)
	}
	if ok, err := second.Lead(t.Context(), "second"); ok || !errors.As(err, &inUse) {
		t.Fatalf("a second leader: %v %v", ok, err)
	}
	// Another process may accept records and act on failed ones meanwhile.
	appendForms(t, first, 0, 3)
	appendForms(t, second, 3, 5)
	appendForms(t, first, 5, 6)
	got, err := first.Claim(t.Context(), journal.Claim{Owner: "first", Limit: 10, Now: time.Now()})
	if err != nil || len(got) != 6 {
		t.Fatalf("claimed %d of 6 records: %v", len(got), err)
	}
	b := &journal.Batch{Owner: "first"}
	for _, r := range got {
		b.Settlements = append(b.Settlements, journal.Settlement{Seq: r.Seq, State: journal.Failed, Attempts: 1,
			Problem: &journal.Problem{Problem: diag.Problem{Code: "E1", Message: "x"}}})
	}
	if err := first.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if n, err := second.Replay(t.Context(), journal.Filter{}, "asha", "fixed", false); n != 6 || err != nil {
		t.Fatalf("replayed %d: %v", n, err)
	}
	if got, err = first.Claim(t.Context(), journal.Claim{Owner: "first", Limit: 10, Now: time.Now()}); len(got) != 6 ||
		err != nil {
		t.Fatalf("claimed %d of 6 replayed records: %v", len(got), err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if ok, err := second.Lead(t.Context(), "second"); !ok || err != nil {
		t.Errorf("after the first runner ended: %v %v", ok, err)
	}
	if err := second.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOpenRefusals(t *testing.T) {
	t.Parallel()
	at := func(t *testing.T, content string) string {
		path := filepath.Join(t.TempDir(), "culvert.db")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	database := func(t *testing.T, script string) string {
		path := filepath.Join(t.TempDir(), "culvert.db")
		db, err := sql.Open("sqlite", "file:"+path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(script); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		name string
		path func(t *testing.T) string
		want string
	}{
		{"no path", func(*testing.T) string { return "" }, "needs a file"},
		{"memory", func(*testing.T) string { return ":memory:" }, "needs a file"},
		{"folder", func(t *testing.T) string { return t.TempDir() }, "is a folder"},
		{"file as folder", func(t *testing.T) string { return filepath.Join(at(t, "x"), "culvert.db") }, "not a directory"},
		{"text", func(t *testing.T) string { return at(t, strings.Repeat("not a database ", 400)) }, "is not a journal"},
		{"another database", func(t *testing.T) string { return database(t, "CREATE TABLE patients (id)") },
			"not a journal of culvert"},
		{"newer", func(t *testing.T) string {
			return database(t, "CREATE TABLE x (id); PRAGMA application_id = 1129663574; PRAGMA user_version = 99")
		}, "written by a newer version of culvert (journal format 99"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := sqlite.Open(t.Context(), c.path(t), journal.Options{})
			if err == nil {
				_ = s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a sentence with %q", err, c.want)
			}
		})
	}
}

func TestEncryption(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	key := bytes.Repeat([]byte{42}, 32)
	s := p.open(t, journal.Options{Key: key})
	r := journaltest.Form(1)
	r.State, r.Problem = journal.Failed, &journal.Problem{Problem: diag.Problem{Code: "E1", Message: "no date",
		Value: "Amina Njeri"},
		Detail: "of Amina Njeri"}
	r.Body, r.Origin.Headers = []byte(`{"name":"Amina Njeri"}`), map[string]string{"X-Name": "Amina Njeri"}
	if _, err := s.Append(t.Context(), []*journal.Record{r}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Correct(t.Context(), r.Seq, []byte(`{"name":"Amina Njeri M"}`), "asha", "name"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Memory("national").(actions.Contributions).Contribute(t.Context(),
		[]actions.Contribution{{Contributor: "a", Cell: "march", Value: "Amina Njeri", At: "1"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(string(p))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("Amina")) || bytes.Contains(text, []byte("no date")) ||
		!bytes.Contains(text, []byte("anc-registration")) {
		t.Error("the file tells the name or the cause, or not the rule")
	}
	for _, c := range []struct {
		key  []byte
		want error
	}{{nil, journal.ErrKeyMissing}, {bytes.Repeat([]byte{43}, 32), journal.ErrKeyWrong}} {
		if _, err := sqlite.Open(t.Context(), string(p), journal.Options{Key: c.key}); !errors.Is(err, c.want) {
			t.Errorf("got %v, want %v", err, c.want)
		}
	}
	if _, err := sqlite.Open(t.Context(), string(p), journal.Options{Key: []byte("short")}); err == nil ||
		!strings.Contains(err.Error(), "at least 16") {
		t.Errorf("a short key: %v", err)
	}
}

// TestEncryptionLater begins to encrypt a journal that holds clear payloads: both can be read with the key.
func TestEncryptionLater(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.open(t, journal.Options{})
	appendForms(t, s, 0, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = p.open(t, journal.Options{Key: bytes.Repeat([]byte{1}, 16)})
	appendForms(t, s, 1, 2)
	all, err := s.Select(t.Context(), journal.Filter{WithBody: true})
	if err != nil || len(all) != 2 {
		t.Fatal(len(all), err)
	}
	for i, r := range all {
		if string(r.Body) != string(journaltest.Form(int64(i)).Body) {
			t.Errorf("record %d has the body %s", i, r.Body)
		}
	}
}

func TestForgetLeavesNoTrace(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.open(t, journal.Options{})
	appendForms(t, s, 0, 20)
	r := journaltest.Form(99)
	r.Key, r.Body = "case-of-amina", []byte(`{"name":"Amina Njeri"}`)
	if _, err := s.Append(t.Context(), []*journal.Record{r}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Forget(t.Context(), "case-of-amina", "asha", "asked"); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} {
		text, err := os.ReadFile(string(p) + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("Amina")) || bytes.Contains(text, []byte("case-of-amina")) {
			t.Errorf("the file %s still tells of her", suffix)
		}
	}
}

func TestBackup(t *testing.T) {
	t.Parallel()
	s := newPlace(t).open(t, journal.Options{})
	appendForms(t, s, 0, 50)
	ctx, stop := context.WithCancel(t.Context())
	busy := make(chan error, 1)
	go func() {
		for i := int64(50); ctx.Err() == nil; i++ {
			if _, err := s.Append(context.Background(), []*journal.Record{journaltest.Form(i)}, nil); err != nil {
				busy <- err
				return
			}
		}
		busy <- nil
	}()
	copied := place(filepath.Join(t.TempDir(), "backup.db"))
	if err := s.Backup(t.Context(), string(copied)); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-busy; err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(string(copied))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy has the rights %v: %v", info.Mode(), err)
	}
	if _, err := os.Stat(string(copied) + ".part"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a part of a copy is left over")
	}
	if err := s.Backup(t.Context(), string(copied)); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("a backup over another: %v", err)
	}
	restored := copied.open(t, journal.Options{})
	if err := restored.Check(t.Context()); err != nil {
		t.Error(err)
	}
	n := count(t, restored)
	if n < 50 {
		t.Errorf("the copy holds %d records", n)
	}
	got, err := restored.Claim(t.Context(), journal.Claim{Owner: "one", Limit: n + 1, Now: time.Now()})
	if err != nil || len(got) != n {
		t.Errorf("claimed %d of %d records of the copy: %v", len(got), n, err)
	}
	if err := s.Backup(t.Context(), filepath.Join(t.TempDir(), "nowhere", "x.db")); err == nil {
		t.Error("a backup into no folder")
	}
}

func TestDamage(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.open(t, journal.Options{})
	appendForms(t, s, 0, 300)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(string(p), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for at := info.Size() / 2; at < info.Size()/2+40_000; at += 512 {
		if _, err := f.WriteAt(bytes.Repeat([]byte{0xee}, 100), at); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	s = p.open(t, journal.Options{})
	if err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "restore the last backup") {
		t.Errorf("a damaged file: %v", err)
	}
}
