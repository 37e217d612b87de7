package service_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox"
	"github.com/culvert/culvert/actions/dhis2/sandbox/faults"
	"github.com/culvert/culvert/engine"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/service"
	"github.com/culvert/culvert/internal/await"
	"github.com/culvert/culvert/rules/examples"
	"github.com/culvert/culvert/sources/results"
)

// TestEveryFault drops a file of 3,000 registrations onto a project whose server plays every fault
// that the sandbox knows and is restarted in mid-run. In the end it holds, byte for byte, what a
// quiet run leaves, and every row has one outcome, the same as in the quiet run.
func TestEveryFault(t *testing.T) {
	rows, batch := 3_000, 30
	if testing.Short() {
		rows, batch = 1_000, 10
	}
	quiet, expected := runRegistrations(t, rows, batch, false)
	stormy, outcomes := runRegistrations(t, rows, batch, true)
	if !bytes.Equal(quiet, stormy) {
		t.Errorf("the storm left a mark: %s", differing(quiet, stormy))
	}
	for row := range int64(rows) {
		if a, b := expected[row+1], outcomes[row+1]; a != b {
			t.Errorf("row %d is %q in a quiet run and %q in the storm", row+1, a, b)
		}
	}
}

// runRegistrations sends a file through a whole service, and gives what DHIS2 holds in the end and
// the outcome of every row.
func runRegistrations(t *testing.T, rows, batch int, storm bool) ([]byte, map[int64]string) {
	t.Helper()
	dir := registrationProject(t, batch)
	server := startStorm(t, dir)
	t.Setenv("DHIS2_URL", server.web.URL)
	syncProject(t, dir)
	quick := await.Backoff{Base: 20 * time.Millisecond, Cap: 200 * time.Millisecond}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ready, ended := make(chan string, 1), make(chan error, 1)
	s, err := service.Open(ctx, service.Options{
		Dir: dir, Loader: &project.Loader{Sources: project.SourceKinds()}, Log: slog.New(slog.DiscardHandler),
		Version: "test",
		Limits:  engine.Limits{Retry: quick, Parent: quick, Away: quick, Poll: 50 * time.Millisecond},
		Ready:   func(a string) { ready <- a },
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() { ended <- s.Run(ctx) }()
	<-ready
	server.storm.Store(storm)
	name := "anc-registrations-storm.csv"
	if err := os.Rename(registrations(t, dir, rows), filepath.Join(dir, "drop", name)); err != nil {
		t.Fatal(err)
	}
	results := filepath.Join(dir, "drop", "done", "anc-registrations-storm.results.csv")
	for deadline := time.Now().Add(5 * time.Minute); ; {
		_, fileErr := os.Stat(filepath.Join(dir, "drop", "done", name))
		_, resultsErr := os.Stat(results)
		if fileErr == nil && resultsErr == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the file is not finished; so far the server met %v", server.met)
		}
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if storm {
		server.wantEverything(t)
	}
	return server.box.Dump(), outcomesOf(t, results, rows)
}

// outcomesOf reads a results file and wants every row in it once.
func outcomesOf(t *testing.T, path string, rows int) map[int64]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	outcomes := map[int64]string{}
	err = results.Read(f, func(_ int64, r results.Row) error {
		if _, twice := outcomes[r.Record]; twice {
			t.Errorf("row %d has two outcomes", r.Record)
		}
		if outcomes[r.Record] = r.Outcome; r.Outcome == "unchanged" {
			outcomes[r.Record] = "delivered" // it was written by a request whose answer was lost
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(outcomes) != rows {
		t.Errorf("%d of %d rows have an outcome", len(outcomes), rows)
	}
	return outcomes
}

// registrationProject is the example project with the rule for dropped registrations alone.
func registrationProject(t *testing.T, batch int) string {
	t.Helper()
	dir := t.TempDir()
	err := examples.Write("anc", dir, func(p string) bool {
		return p == "culvert.yaml" || strings.HasPrefix(p, "input/tamala") ||
			strings.Contains(p, "anc-registration-export") || strings.Contains(p, "samples/anc-registrations")
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "culvert.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	limited := strings.Replace(string(text), "default: true",
		fmt.Sprintf("default: true\n    limits: {batch_min: %d, batch_max: %d}", batch/2, batch), 1)
	write(t, path, limited)
	for name, value := range map[string]string{"DHIS2_USERNAME": "admin", "DHIS2_PASSWORD": "district",
		"COMMCARE_PASSWORD": "x", "CULVERT_LISTEN": "127.0.0.1:0"} {
		t.Setenv(name, value)
	}
	return dir
}

func syncProject(t *testing.T, dir string) {
	t.Helper()
	config, _, _, err := project.ReadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	client, err := project.Connect(config, config.ServerNamed(""), dir, slog.New(slog.DiscardHandler), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := project.Sync(context.Background(), client, dir, "national", true, nil); err != nil {
		t.Fatal(err)
	}
}

// registrations writes the file: most rows are women of their own, some correct the row before
// them, some name a facility that does not exist.
func registrations(t *testing.T, dir string, rows int) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("formid,form.facility_code,form.case.@case_id,form.visit_date,form.first_name,form.last_name," +
		"form.gender,form.dob,form.national_id,form.phone,form.village," +
		"form.gestational_age,form.weight,form.muac,form.hiv_test,form.iron,form.next_visit\n")
	for n := range rows {
		who, phone, place := n, "771234567", "TM-010202"
		if n%50 == 7 {
			who, phone = n-1, "779999999"
		}
		if n%100 == 42 {
			place = "TM-999999"
		}
		fmt.Fprintf(&b, "form-%d,%s,case-%d,2026-03-%02d,Fatou,Sarr,f,1996-01-09,NID-%d,%s,kaolack,%d,61.5,250,yes,yes,"+
			"2026-04-20\n", n, place, who, n%28+1, who, phone, n%30+8)
	}
	path := filepath.Join(dir, "registrations.csv")
	write(t, path, b.String())
	if err := os.MkdirAll(filepath.Join(dir, "drop"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func differing(a, b []byte) string {
	x, y := bytes.Split(a, []byte("\n")), bytes.Split(b, []byte("\n"))
	for i := range min(len(x), len(y)) {
		if !bytes.Equal(x[i], y[i]) {
			return fmt.Sprintf("line %d: quiet %.300s, storm %.300s", i, x[i], y[i])
		}
	}
	return fmt.Sprintf("%d lines, then %d", len(x), len(y))
}

// A share of the requests goes wrong, and every so many of them the server is restarted.
const (
	faultShare   = 0.15
	restartEvery = 40
	restarts     = 3
)

// stormy is a sandbox that plays its faults in turn, and is restarted from its file.
type stormy struct {
	options sandbox.Options
	web     *httptest.Server
	storm   atomic.Bool
	count   atomic.Int64

	up  sync.RWMutex // held by requests; a restart takes it all
	box *sandbox.Server

	one       sync.Mutex // one fault at a time
	draw      *rand.Rand
	drawn     int
	met       map[string]int
	restarted int
}

func startStorm(t *testing.T, dir string) *stormy {
	t.Helper()
	s := &stormy{options: sandbox.Options{Metadata: filepath.Join(dir, "input", "tamala.json"),
		State: filepath.Join(t.TempDir(), "sandbox.state")}, met: map[string]int{}, draw: rand.New(rand.NewPCG(1, 2))}
	var err error
	if s.box, err = sandbox.New(s.options); err != nil {
		t.Fatal(err)
	}
	s.web = httptest.NewServer(s)
	t.Cleanup(func() {
		s.web.Close()
		if err := s.box.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// ServeHTTP lets some requests fail, each in the next of all ways. Which ones is drawn: a fault at
// regular steps could always hit the same step.
func (s *stormy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.storm.Load() {
		s.box.ServeHTTP(w, r)
		return
	}
	n := s.count.Add(1)
	if n%restartEvery == 0 && n/restartEvery <= restarts {
		s.restart()
		panic(http.ErrAbortHandler)
	}
	if !s.up.TryRLock() {
		panic(http.ErrAbortHandler) // nobody listens while it restarts
	}
	defer s.up.RUnlock()
	s.one.Lock()
	if s.draw.Float64() >= faultShare {
		s.one.Unlock()
		s.box.ServeHTTP(w, r)
		return
	}
	defer s.one.Unlock()
	kind := faults.Kinds[s.drawn%len(faults.Kinds)]
	s.drawn++
	s.met[kind]++
	s.box.SetFaults(sandbox.Faults{Rate: 1, Kinds: []string{kind}})
	defer s.box.SetFaults(sandbox.Faults{})
	s.box.ServeHTTP(w, r)
}

// restart closes the sandbox and opens it anew from its file.
func (s *stormy) restart() {
	s.up.Lock()
	defer s.up.Unlock()
	err := s.box.Close()
	fresh, openErr := sandbox.New(s.options)
	if err != nil || openErr != nil {
		return // the count of restarts tells
	}
	s.box = fresh
	s.restarted++
}

func (s *stormy) wantEverything(t *testing.T) {
	t.Helper()
	for _, kind := range faults.Kinds {
		if s.met[kind] == 0 {
			t.Errorf("the fault %s was not met", kind)
		}
	}
	if s.restarted != restarts {
		t.Errorf("the server was restarted %d times of %d", s.restarted, restarts)
	}
	t.Logf("%d requests, %d restarts, faults %v", s.count.Load(), s.restarted, maps.Clone(s.met))
}
