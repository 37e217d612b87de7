package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/sqlite"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/files"
)

// The crash test kills a runner at random moments while forms and files flow, and counts afterwards. The runner is a child process with a real journal
// and a real watched folder; the server is the parent, which outlives it and injects faults: it refuses whole requests, single writes, and drops
// connections after it has written.

const (
	crashDir = "CULVERT_TEST_CRASH_DIR" // set in the child
	crashURL = "CULVERT_TEST_CRASH_URL"
	// crashKills asks for more kills than the short run makes.
	crashKills = "CULVERT_TEST_KILLS"
)

// ledger is the server: what was written, and what must never happen.
type ledger struct {
	mu       sync.Mutex
	random   *rand.Rand
	objects  map[string]string // by record id: person
	last     map[string]int    // by source and person: the newest number
	disorder []string
	foreign  []string
	faults   int
	quiet    bool // no faults any more

	// Forms that are handed to the child, by person in order; taken tells how many the child said were accepted.
	forms int
	taken int
}

const crashPeople = 7

// form gives the n-th form: person and number follow from it.
func form(n int) sources.Record {
	return item("visits", fmt.Sprintf("w-%d", n), fmt.Sprint("p", n%crashPeople), n)
}

type crashWrite struct{ ID, Person, N string }

// write applies one write.
func (l *ledger) write(w crashWrite) {
	n, err := strconv.Atoi(w.N)
	if err != nil {
		l.foreign = append(l.foreign, w.ID)
		return
	}
	source := w.ID[:1] + w.Person
	if _, known := l.objects[w.ID]; !known {
		if last, ok := l.last[source]; ok && n < last {
			l.disorder = append(l.disorder, fmt.Sprintf("%s number %d after %d", source, n, last))
		}
		l.last[source] = n
	}
	l.objects[w.ID] = w.Person
}

func (l *ledger) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch r.URL.Path {
	case "/deliver":
		l.deliver(rw, r)
	case "/forms": // what is to be accepted next
		var out []int
		for n := l.taken; n < min(l.forms, l.taken+20); n++ {
			out = append(out, n)
		}
		_ = json.NewEncoder(rw).Encode(out)
	case "/accepted":
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		l.taken = max(l.taken, n+1)
	}
}

func (l *ledger) deliver(rw http.ResponseWriter, r *http.Request) {
	var writes []crashWrite
	if err := json.NewDecoder(r.Body).Decode(&writes); err != nil {
		return // the child died while it was sending
	}
	fault := l.random.IntN(20)
	if l.quiet {
		fault = 19
	}
	if fault == 0 {
		l.faults++
		rw.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	answers := make([]string, len(writes))
	for i, w := range writes {
		if !l.quiet && l.random.IntN(40) == 0 {
			l.faults++
			answers[i] = "retry"
			continue
		}
		l.write(w)
	}
	if fault == 1 {
		l.faults++
		panic(http.ErrAbortHandler) // written, but nobody hears of it
	}
	_ = json.NewEncoder(rw).Encode(answers)
}

// httpTarget delivers to the ledger, as a real target does: what equals its last delivered form is not sent.
type httpTarget struct {
	url    string
	memory actions.Memory
}

func (h *httpTarget) Deliver(ctx context.Context, plans []actions.Plan) []actions.Result {
	results := make([]actions.Result, len(plans))
	var writes []crashWrite
	var at []int
	ids := make([]string, len(plans))
	for i, p := range plans {
		ids[i] = p.Writes[0].Object.(visit).ID
	}
	known, err := h.memory.Digests(ctx, ids)
	if err != nil {
		return allAway(len(plans), err)
	}
	for i, p := range plans {
		v := p.Writes[0].Object.(visit)
		if sum, ok := known[v.ID]; ok && sum&journal.SumMask == visitSum(v)&journal.SumMask {
			results[i].Outcomes = []actions.Outcome{{Status: actions.Unchanged, ObjectID: v.ID}}
			continue
		}
		writes, at = append(writes, crashWrite(v)), append(at, i)
	}
	if len(writes) == 0 {
		return results
	}
	answers, err := h.post(ctx, writes)
	if err != nil {
		return allAway(len(plans), err)
	}
	for k, i := range at {
		v := visit(writes[k])
		if answers[k] == "retry" {
			results[i].Outcomes = []actions.Outcome{{Status: actions.Retry, Class: actions.ClassTransient, Code: "E5000", Cause: "a lock"}}
			continue
		}
		results[i].Outcomes = []actions.Outcome{{ObjectID: v.ID}}
		results[i].Digests = []actions.Digest{{Object: v.ID, Sum: visitSum(v)}}
	}
	return results
}

func (h *httpTarget) post(ctx context.Context, writes []crashWrite) ([]string, error) {
	text, err := json.Marshal(writes)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url+"/deliver", bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", res.StatusCode)
	}
	var answers []string
	return answers, json.NewDecoder(res.Body).Decode(&answers)
}

func allAway(n int, err error) []actions.Result {
	results := make([]actions.Result, n)
	for i := range results {
		results[i].Outcomes = []actions.Outcome{{Status: actions.Retry, Class: actions.ClassServer, Code: "unreachable", Cause: err.Error()}}
	}
	return results
}

func visitSum(v visit) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s|%s|%s", v.ID, v.Person, v.N)
	return max(h.Sum64(), 1)
}

func (h *httpTarget) Rehearse(ctx context.Context, plans []actions.Plan) []actions.Result {
	return nil
}

func (h *httpTarget) Probe(ctx context.Context) error { return nil }

// forms hands over what the parent has, as a webhook does: it says accepted only when it is.
type formSource struct{ url string }

func (s *formSource) Run(ctx context.Context, sink sources.Sink) error {
	for ctx.Err() == nil {
		var next []int
		if err := s.get(ctx, "/forms", &next); err != nil {
			continue
		}
		for _, n := range next {
			if _, err := sink.Accept(ctx, sources.Batch{Records: []sources.Record{form(n)}}); err != nil {
				break
			}
			_ = s.get(ctx, fmt.Sprint("/accepted?n=", n), nil)
		}
		sleep(ctx, 2*time.Millisecond)
	}
	return nil
}

func (s *formSource) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if into == nil {
		_, err = io.Copy(io.Discard, res.Body)
		return err
	}
	return json.NewDecoder(res.Body).Decode(into)
}

// runCrashChild is the process that is killed.
func runCrashChild(dir, url string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	store, err := sqlite.Open(ctx, filepath.Join(dir, "culvert.db"), journal.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	watched := files.WatchedRule{
		Rule: "visits", Folder: filepath.Join(dir, "drop"), StableFor: time.Millisecond, Done: filepath.Join(dir, "done"), Failed: filepath.Join(dir, "failed"),
	}
	limits := quick()
	limits.Heartbeat = 50 * time.Millisecond
	limits.Window = 512
	r, err := New(Config{
		Journal: store, Program: testProgram(fatal{}, "visits"), Limits: limits, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Servers: map[string]Server{"national": {Target: &httpTarget{url: url, memory: store.Memory("national")}}},
		Files: func(*Flow, sources.File) (FilePlan, error) {
			return FilePlan{Done: watched.Done, Failed: watched.Failed}, nil
		},
		Intakes: []Intake{
			{Name: "forms", Source: &formSource{url}},
			{Name: "files", Once: true, Source: files.New(files.Config{
				Inbox: filepath.Join(dir, "inbox"), Rules: []files.WatchedRule{watched}, Scan: 5 * time.Millisecond,
			})},
		},
	})
	if err != nil {
		return err
	}
	return r.Run(ctx)
}

// fatal stands for a test where there is none.
type fatal struct{ testing.TB }

func (fatal) Helper() {}
func (fatal) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

// crashChild runs the child's part when this process is one.
func crashChild() bool {
	dir := os.Getenv(crashDir)
	if dir == "" {
		return false
	}
	if err := runCrashChild(dir, os.Getenv(crashURL)); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
	return true
}

func startChild(t *testing.T, dir, url string) *exec.Cmd {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), crashDir+"="+dir, crashURL+"="+url)
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestKilledAtRandomMoments(t *testing.T) {
	kills := 12
	if n, err := strconv.Atoi(os.Getenv(crashKills)); err == nil {
		kills = n
	}
	if testing.Short() {
		kills = 3
	}
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(42, 42))
	l := &ledger{random: rand.New(rand.NewPCG(1, 9)), objects: map[string]string{}, last: map[string]int{}, forms: 1 << 30}
	server := httptest.NewUnstartedServer(l)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.Start()
	defer server.Close()
	rows := 0
	for n := range kills {
		if n%4 == 0 {
			rows += dropCrashFile(t, dir, n, rows)
		}
		c := startChild(t, dir, server.URL)
		time.Sleep(time.Duration(50+random.IntN(450)) * time.Millisecond) // the moment of death is the input of this test
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait()
	}
	l.mu.Lock()
	l.forms, l.quiet = l.taken+20, true
	l.mu.Unlock()
	c := startChild(t, dir, server.URL)
	want := 0
	finish := time.After(3 * time.Minute)
	for done := false; !done; {
		select {
		case <-finish:
			t.Fatalf("it never came to rest: %d of %d written", len(l.objects), want)
		case <-time.After(20 * time.Millisecond):
		}
		l.mu.Lock()
		want = l.taken + rows
		done = l.taken == l.forms && len(l.objects) == want && len(inboxOf(dir)) == 0
		l.mu.Unlock()
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("the last runner did not end well: %v", err)
	}
	l.report(t, dir, kills, rows)
}

func inboxOf(dir string) []os.DirEntry {
	entries, _ := os.ReadDir(filepath.Join(dir, "inbox"))
	dropped, _ := os.ReadDir(filepath.Join(dir, "drop"))
	return append(entries, dropped...)
}

// dropCrashFile drops a file whose rows go on numbering where the last one ended.
func dropCrashFile(t *testing.T, dir string, n, from int) int {
	t.Helper()
	const rows = 700
	var b strings.Builder
	b.WriteString("id,person,n,keep\n")
	for i := range rows {
		fmt.Fprintf(&b, "f-%d,p%d,%d,yes\n", from+i, (from+i)%crashPeople, from+i)
	}
	folder := filepath.Join(dir, "drop")
	if err := os.MkdirAll(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	tmp := filepath.Join(dir, fmt.Sprintf("visits-%04d.csv", n))
	if err := os.WriteFile(tmp, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp, filepath.Join(folder, filepath.Base(tmp))); err != nil {
		t.Fatal(err)
	}
	return rows
}

// report counts what was lost, doubled and out of order.
func (l *ledger) report(t *testing.T, dir string, kills, rows int) {
	t.Helper()
	lost, doubled := 0, 0
	for n := range l.taken {
		if l.objects[fmt.Sprintf("w-%d", n)] != fmt.Sprint("p", n%crashPeople) {
			lost++
		}
	}
	for n := range rows {
		if l.objects[fmt.Sprintf("f-%d", n)] != fmt.Sprint("p", n%crashPeople) {
			lost++
		}
	}
	doubled = max(0, len(l.objects)-l.taken-rows) + len(l.foreign)
	t.Logf("%d kills, %d faults, %d records: lost %d, doubled %d, out of order %d", kills, l.faults, l.taken+rows, lost, doubled, len(l.disorder))
	if lost+doubled+len(l.disorder) > 0 {
		t.Errorf("lost %d, doubled %d, out of order %v", lost, doubled, l.disorder)
	}
	checkCrashJournal(t, dir, l.taken, rows)
}

// checkCrashJournal holds the journal and the results against what was sent.
func checkCrashJournal(t *testing.T, dir string, forms, rows int) {
	t.Helper()
	ctx := context.Background()
	store, err := sqlite.Open(ctx, filepath.Join(dir, "culvert.db"), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	records, err := store.Select(ctx, journal.Filter{Limit: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]int{}
	for _, r := range records {
		if r.State != journal.Delivered {
			t.Errorf("record %s is %s: %+v", r.ID, r.State, r.Problem)
		}
		if ids[r.ID]++; ids[r.ID] > 1 {
			t.Errorf("record %s is in the journal %d times", r.ID, ids[r.ID])
		}
	}
	for n := range forms {
		if ids[fmt.Sprintf("w-%d", n)] != 1 {
			t.Errorf("form %d is not in the journal", n)
		}
	}
	all, err := store.Files(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, f := range all {
		if f.State != journal.FileFinished || f.Delivered+f.Unchanged != f.Rows || f.Failed != 0 {
			t.Errorf("file: %+v", f)
		}
		lines += resultLines(t, filepath.Join(dir, "done", strings.TrimSuffix(f.Name, ".csv")+".results.csv"))
	}
	if lines != rows {
		t.Errorf("the results name %d rows, %d were dropped", lines, rows)
	}
}

func resultLines(t *testing.T, path string) int {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	seen := map[int64]bool{}
	err = files.ReadResults(file, func(_ int64, row files.ResultRow) error {
		if seen[row.Record] {
			t.Errorf("%s names row %d twice", filepath.Base(path), row.Record)
		}
		seen[row.Record] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return len(seen)
}
