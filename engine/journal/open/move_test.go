package open_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/journaltest"
	"github.com/culvert/culvert/engine/journal/open"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

var key = journal.Options{Key: []byte(strings.Repeat("k", 32))}

// schema gives a PostgreSQL store of its own.
func schema(t *testing.T) string {
	t.Helper()
	dsn := os.Getenv("CULVERT_TEST_POSTGRES")
	if dsn == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("CULVERT_TEST_POSTGRES is not set: it names the PostgreSQL that the journal is tested with")
		}
		t.Skip("CULVERT_TEST_POSTGRES is not set: it names the PostgreSQL that the journal is tested with")
	}
	at, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	name := "culvert_test_" + strings.ToLower(rand.Text()[:12])
	q := at.Query()
	q.Set("search_path", name)
	at.RawQuery = q.Encode()
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), dsn)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close(context.Background()) }()
		if _, err := conn.Exec(context.Background(), "DROP SCHEMA IF EXISTS "+name+" CASCADE"); err != nil {
			t.Error(err)
		}
	})
	return at.String()
}

func opened(t *testing.T, store string) journal.Journal {
	t.Helper()
	j, err := open.Journal(t.Context(), store, key)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func closed(t *testing.T, j journal.Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// keep puts something of everything into a journal.
func keep(t *testing.T, j journal.Journal) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var records []*journal.Record
	for n := range int64(40) {
		r := journaltest.Form(n)
		r.Key, r.Notify = fmt.Sprint("key ", n%7), n%3 == 0
		records = append(records, r)
	}
	records[39].ID = "odd \x00 id \xff"
	_, err := j.Append(ctx, records, &sources.Cursor{Name: "c", Value: "here"})
	must(err)
	f := &journal.File{File: sources.File{ID: "f1", Rule: "visits", Path: "/inbox/f1", Name: "f1.csv", SHA256: "aaa",
		Received: time.Now()}, Next: 1, Places: 100, Owner: "one"}
	_, err = j.AddFile(ctx, f)
	must(err)
	for round := range 2 {
		got, err := j.Claim(ctx, journal.Claim{Owner: "one", Limit: 5, Now: time.Now()})
		must(err)
		b := &journal.Batch{Owner: "one", Server: "national"}
		for i, r := range got {
			s := journal.Settlement{Seq: r.Seq, State: journal.Delivered, Attempts: 1,
				Objects: []string{fmt.Sprint("event", r.Seq)}}
			switch i {
			case 1:
				s.State, s.Problem = journal.Failed, &journal.Problem{Class: actions.ClassData,
					Problem: diag.Problem{Code: "E1", Message: "no date",
						Value: "x"}}
			case 2:
				s.State, s.Problem, s.NextTry = journal.Pending,
					&journal.Problem{Class: actions.ClassParent, Problem: diag.Problem{Code: "E2",
						Message: "no parent"}}, time.Now().Add(time.Hour)
			}
			b.Settlements = append(b.Settlements, s)
			b.Digests = append(b.Digests, actions.Digest{Object: fmt.Sprint("event ", r.Seq), Sum: 1<<31 + r.Content,
				Mark: 40_000, Order: actions.Order{Version: int64(round), Seq: r.Seq}})
		}
		must(j.Commit(ctx, b))
	}
	f.Rows, f.Delivered, f.Next = 3, 2, 4
	row := &journal.Record{Rule: "visits", ID: "row 3", Key: "key 3", State: journal.Failed, Received: time.Now(),
		Origin: sources.Origin{FileID: "f1", Row: 4}, Seq: f.Seq(3),
		Body: []byte(`{}`), Problem: &journal.Problem{Problem: diag.Problem{Code: "E1", Message: "no date"}}}
	must(j.Commit(ctx, &journal.Batch{Owner: "one", Server: "national", Files: []journal.File{*f},
		New: []*journal.Record{row}}))
	must(j.SetIdentities(ctx, "national", []actions.Identity{{IdentityKey: actions.IdentityKey{Type: "person",
		ExternalID: "nid-1"}, UID: "event1", Generation: 2}}, "asha", "why"))
	memory := j.Memory("national")
	_, err = memory.(actions.Contributions).Contribute(ctx,
		[]actions.Contribution{{Contributor: "a", Cell: "march", Value: "3.5", At: "1"},
			{Contributor: "a", Cell: "april", Value: "4", At: "2"}})
	must(err)
	_, err = memory.(actions.Shapes).ShapeNumbers(ctx, []string{"first,second"})
	must(err)
	must(j.SetMeta(ctx, "project", "anc"))
}

// told is what can be seen of a journal.
func contentsOf(t *testing.T, j journal.Journal) map[string]any {
	t.Helper()
	ctx := t.Context()
	out := map[string]any{}
	put := func(what string, v any, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		out[what] = v
	}
	records, err := j.Select(ctx, journal.Filter{WithBody: true})
	put("records", records, err)
	sum, err := j.Summary(ctx)
	sum.Size = 0
	put("summary", sum, err)
	causes, err := j.Causes(ctx, journal.Filter{})
	put("causes", causes, err)
	files, err := j.Files(ctx, "")
	for i := range files {
		files[i].Owner = ""
	}
	put("files", files, err)
	audit, err := j.Audit(ctx, 0)
	put("audit", audit, err)
	figures, err := j.Figures(ctx, journal.FigureQuery{Width: journal.Minute})
	put("figures", figures, err)
	story, err := j.Story(ctx, "nid-1", 10)
	put("story", story, err)
	page, err := j.Search(ctx, journal.Filter{Text: "key 3"})
	put("a search", page, err)
	notifications, err := j.PendingNotifications(ctx, "anc-registration", time.Now().Add(time.Hour), 100)
	put("notifications", notifications, err)
	cursor, err := j.Cursor(ctx, "c")
	put("cursor", cursor, err)
	var objects []string
	for n := range 50 {
		objects = append(objects, fmt.Sprint("event ", n))
	}
	digests, err := j.Memory("national").Digests(ctx, objects)
	put("digests", digests, err)
	totals, err := j.Memory("national").(actions.Contributions).Totals(ctx, []string{"march", "april"})
	put("totals", totals, err)
	return out
}

// TestMove moves a journal from SQLite to PostgreSQL and back: all that can be seen of it stays,
// and it goes on as it would have.
func TestMove(t *testing.T) {
	t.Parallel()
	database := schema(t)
	dir := t.TempDir()
	first, last := "sqlite:"+filepath.Join(dir, "first.db"), "sqlite:"+filepath.Join(dir, "last.db")
	j := opened(t, first)
	keep(t, j)
	want := contentsOf(t, j)
	var inUse *journal.ErrInUse
	if err := open.Move(t.Context(), first, database, key, func(open.Moved) {}); !errors.As(err, &inUse) {
		t.Fatalf("a journal on which a runner works was moved: %v", err)
	}
	closed(t, j)
	from := first
	for _, to := range []string{database, last} {
		ctx, stop := context.WithCancel(t.Context())
		err := open.Move(ctx, from, to, key, func(m open.Moved) {
			if m.Table == "payloads" {
				stop() // as by a kill in the middle
			}
		})
		if err == nil {
			t.Fatal("a move that was stopped has ended well")
		}
		stop()
		if _, err := open.Journal(t.Context(), to, key); err == nil || !strings.Contains(err.Error(), "again") {
			t.Fatalf("a journal that is half there was opened: %v", err)
		}
		rows := map[string]int64{}
		if err := open.Move(t.Context(), from, to, key, func(m open.Moved) { rows[m.Table] = m.Rows }); err != nil {
			t.Fatal(err)
		}
		if rows["records"] != 41 || rows["digests"] != 10 || rows["contributions_left"] != 1 || rows["files"] != 1 {
			t.Errorf("moved %v", rows)
		}
		var moved *journal.ErrMoved
		if _, err := open.Journal(t.Context(), from, key); !errors.As(err, &moved) ||
			strings.Contains(err.Error(), "secret") {
			t.Errorf("a journal that was moved away: %v", err)
		}
		if err := open.Move(t.Context(), first, to, key, func(open.Moved) {}); err == nil {
			t.Error("a journal was moved into one that is there")
		}
		j := opened(t, to)
		if err := j.Check(t.Context()); err != nil {
			t.Error(err)
		}
		odd := cmpopts.AcyclicTransformer("clean", func(s string) string {
			return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
		})
		if diff := cmp.Diff(want, contentsOf(t, j), cmpopts.EquateEmpty(), odd); diff != "" {
			t.Errorf("at %s (-before +after):\n%s", open.Redact(to), diff)
		}
		closed(t, j)
		from = to
	}
	j = opened(t, last)
	got, err := j.Claim(t.Context(), journal.Claim{Owner: "two", Limit: 100, Now: time.Now()})
	if err != nil || len(got) == 0 {
		t.Fatalf("claimed %d: %v", len(got), err)
	}
	again := journaltest.Form(12)
	again.Key = "key 5"
	if d, err := j.Append(t.Context(), []*journal.Record{again}, nil); err != nil || !d[0] {
		t.Errorf("a record that was moved is not known: %v", err)
	}
	fresh := journaltest.Form(1000)
	if _, err := j.Append(t.Context(), []*journal.Record{fresh}, nil); err != nil || fresh.Seq <= 140 {
		t.Errorf("the next record stands at %d: %v", fresh.Seq, err)
	}
	if err := j.Check(t.Context()); err != nil {
		t.Error(err)
	}
	closed(t, j)
}

// TestCopy copies a journal at work and makes one of the copy, in the other store.
func TestCopy(t *testing.T) {
	t.Parallel()
	database := schema(t)
	dir := t.TempDir()
	file := "sqlite:" + filepath.Join(dir, "journal.db")
	other := schema(t)
	for i, c := range []struct{ from, to string }{{file, database},
		{other, "sqlite:" + filepath.Join(dir, "restored.db")}} {
		j := opened(t, c.from)
		keep(t, j)
		path := filepath.Join(dir, fmt.Sprintf("copy-%d.db", i))
		if err := open.Copy(t.Context(), c.from, path, key); err != nil {
			t.Fatal(err)
		}
		want := contentsOf(t, j)
		closed(t, j)
		if err := open.Copy(t.Context(), c.from, path, key); err == nil {
			t.Error("a copy was overwritten")
		}
		if err := open.Restore(t.Context(), path, c.to, func(path string) string { return path }); err != nil {
			t.Fatal(err)
		}
		if err := open.Restore(t.Context(), path, c.to, func(path string) string { return path }); err == nil ||
			!strings.Contains(err.Error(), "already") {
			t.Errorf("a journal was overwritten: %v", err)
		}
		j = opened(t, c.to)
		if err := j.Check(t.Context()); err != nil {
			t.Error(err)
		}
		odd := cmpopts.AcyclicTransformer("clean", func(s string) string {
			return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
		})
		if diff := cmp.Diff(want, contentsOf(t, j), cmpopts.EquateEmpty(), odd); diff != "" {
			t.Errorf("restored (-before +after):\n%s", diff)
		}
		closed(t, j)
	}
}

// TestRestoreGivenUp asks for a store without filling it: nothing was written, so it can be opened.
func TestRestoreGivenUp(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]func(*testing.T) string{
		"postgres": schema,
		"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "journal.db") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := store(t)
			if err := open.Free(t.Context(), to); err != nil {
				t.Fatal(err)
			}
			missing := filepath.Join(t.TempDir(), "missing.db")
			if err := open.Restore(t.Context(), missing, to, func(path string) string { return path }); err == nil {
				t.Fatal("a copy that is not there was restored")
			}
			closed(t, opened(t, to))
		})
	}
}
