package webhook

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/internal/disk"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/sourcetest"
	"github.com/culvert/culvert/sources/tabular"
)

// taking starts a handler of a rule that takes tables.
func taking(t *testing.T, table Table) (*Handler, *sourcetest.Sink, string) {
	t.Helper()
	h, _ := serve(t, Route{Rule: "monthly/stock", Path: "/tables", Auth: Auth{None: true}, Table: &table})
	h.config.Dir = t.TempDir()
	h.config.Inbox = filepath.Join(h.config.Dir, "state", "inbox")
	sink := sourcetest.New()
	h.sink.Store(&sinkRef{sink, t.Context()})
	return h, sink, h.config.Dir
}

func form(t *testing.T, files ...string) (kind, body string) {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	if err := m.WriteField("comment", "for March"); err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		part, err := m.CreateFormFile("file", name)
		if err == nil {
			_, err = part.Write([]byte("id\n1\n"))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return m.FormDataContentType(), b.String()
}

func TestTablesAreTakenAsFiles(t *testing.T) {
	t.Parallel()
	const stamp = "20260301-080000.000-"
	formKind, formBody := form(t, `C:\data\..\März "1".csv`)
	named := func(name string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Content-Disposition", "attachment; filename="+name) }
	}
	for _, c := range []struct {
		name, kind, body string
		change           func(*http.Request)
		table            Table
		file, content    string
	}{
		{"CSV", "text/csv", "id\n1\n", nil, Table{}, "stock.csv", "id\n1\n"},
		{"lines of JSON", "application/x-ndjson", `{"id": 1}`, nil, Table{}, "stock.ndjson", `{"id": 1}`},
		{"no type", "", `[{"id": 1}]`, nil, Table{}, "stock.json", `[{"id": 1}]`},
		{"curl's type", "application/x-www-form-urlencoded", "id\n1\n", nil, Table{}, "stock.csv", "id\n1\n"},
		{"a declared format", "text/plain", "id\n1\n", nil, Table{Format: tabular.Format{Kind: tabular.TSV}}, "stock.tsv",
			"id\n1\n"},
		{"a workbook", "application/octet-stream", "PK\x03\x04 xl/workbook.xml", nil, Table{}, "stock.xlsx",
			"PK\x03\x04 xl/workbook.xml"},
		{"packed on its way", "text/csv", packed(t, "id\n2\n"),
			func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, Table{}, "stock.csv", "id\n2\n"},
		{"named by its sender", "text/csv", "id\n1\n", named("stock-march.csv"), Table{}, "stock-march.csv", "id\n1\n"},
		{"a name that leads elsewhere", "text/csv", "id\n1\n", named(`"../../../etc/cron.d/x.csv"`), Table{}, "x.csv",
			"id\n1\n"},
		{"a name of no table", "text/csv", "id\n1\n", named("run.sh"), Table{}, "stock.csv", "id\n1\n"},
		{"a long name in a script of three bytes a letter", "text/csv", "id\n1\n",
			func(r *http.Request) {
				r.Header.Set("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape(strings.Repeat("ກ", 90))+".csv")
			}, Table{},
			strings.Repeat("ກ", 50) + ".csv", "id\n1\n"},
		{"a form", formKind, formBody, nil, Table{}, "März _1_.csv", "id\n1\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h, sink, dir := taking(t, c.table)
			change := []func(*http.Request){}
			if c.change != nil {
				change = append(change, c.change)
			}
			w := send(h, post("/tables", c.kind, c.body, change...))
			if w.Code != http.StatusAccepted || len(sink.Files) != 1 {
				t.Fatalf("answered %d %s", w.Code, w.Body)
			}
			sameAnswer(t, w.Body.String(),
				`{"accepted": 1, "records": [], "files": [{"rule": "monthly/stock", "file": "`+stamp+c.file+`"}]}`)
			f := <-sink.Files
			if got := sourcetest.ReadFile(t, f.Path); got != c.content {
				t.Errorf("the file holds %q", got)
			}
			want := sources.File{Name: stamp + c.file, Folder: filepath.Join(dir, "received", "monthly%2Fstock")}
			if diff := cmp.Diff(want, sources.File{Name: f.Name, Folder: f.Folder}); diff != "" {
				t.Error(diff)
			}
			if left := sourcetest.Names(t, filepath.Join(dir, "state", "receiving")); left != nil {
				t.Errorf("%v is left behind", left)
			}
		})
	}
}

func TestTablesAgainAndRefused(t *testing.T) {
	t.Parallel()
	h, sink, dir := taking(t, Table{Folder: "drop/stock"})
	for i, want := range []int{http.StatusAccepted, http.StatusOK} {
		w := send(h, post("/tables", "text/csv", "id\n1\n"))
		if w.Code != want || strings.Contains(w.Body.String(), `"duplicate":true`) != (i == 1) {
			t.Errorf("answered %d %s", w.Code, w.Body)
		}
	}
	if f := <-sink.Files; f.Folder != filepath.Join(dir, "drop", "stock") {
		t.Errorf("its results go to %s", f.Folder)
	}
	two, twoBody := form(t, "a.csv", "b.csv")
	none, noneBody := form(t)
	for _, c := range []struct {
		kind, body string
		status     int
	}{
		{"text/csv", " \n", 422}, {two, twoBody, 422}, {none, noneBody, 422}, {two, twoBody[:len(twoBody)/2], 400},
		{"multipart/form-data", twoBody, 400},
	} {
		if w := send(h, post("/tables", c.kind, c.body)); w.Code != c.status || !strings.Contains(w.Body.String(), "; send") {
			t.Errorf("answered %d %s", w.Code, w.Body)
		}
	}
	sink.RefuseFile = func(sources.File) error { return &sources.ErrBusy{Reason: "the journal is away"} }
	if w := send(h, post("/tables", "text/csv", "id\n2\n")); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
	if left := sourcetest.Names(t, h.config.Inbox); len(left) != 1 {
		t.Errorf("the inbox holds %v", left)
	}
	if err := os.WriteFile(filepath.Join(dir, "blocked"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.config.Inbox = filepath.Join(dir, "blocked", "inbox")
	if w := send(h, post("/tables", "text/csv", "id\n3\n")); w.Code != 503 {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
	if w := send(h, httpGet(t, "/tables")); !strings.Contains(w.Body.String(), "POST one table") {
		t.Errorf("it describes itself as %s", w.Body)
	}
}

func httpGet(t *testing.T, path string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.RemoteAddr = "192.0.2.1:1234"
	return r
}

func TestTablesOfAKilledProcessGo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h, err := New(Config{Dir: dir, Inbox: filepath.Join(dir, "state", "inbox"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for name, at := range map[string]time.Time{"old": now.Add(-2 * disk.Stale), "fresh": now} {
		folder := filepath.Join(dir, "state", "receiving", name)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "a.csv"), []byte("id\n1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{filepath.Join(folder, "a.csv"), folder} {
			if err := os.Chtimes(path, at, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := h.Run(ctx, sourcetest.New()); err != nil {
		t.Fatal(err)
	}
	left := sourcetest.Names(t, filepath.Join(dir, "state", "receiving"))
	if diff := cmp.Diff([]string{"fresh"}, left); diff != "" {
		t.Error(diff)
	}
}

// TestTablesOfAKilledProcessGoWhileARunLasts: its supervisor starts it again at once, and perhaps never again.
func TestTablesOfAKilledProcessGoWhileARunLasts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	half := filepath.Join(dir, "state", "receiving", "1")
	synctest.Test(t, func(t *testing.T) {
		if err := os.MkdirAll(half, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(half, time.Now(), time.Now()); err != nil {
			t.Fatal(err)
		}
		h, err := New(Config{Inbox: filepath.Join(dir, "state", "inbox")})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- h.Run(ctx, sourcetest.New()) }()
		time.Sleep(2*disk.Stale + time.Minute)
		synctest.Wait()
		if _, err := os.Stat(half); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it is still there: %v", err)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
