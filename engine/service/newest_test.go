package service_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/culvert/culvert/actions/dhis2/sandbox"
	"github.com/culvert/culvert/engine"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/open"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/service"
	"github.com/culvert/culvert/internal/await"
	"github.com/culvert/culvert/rules/examples"
)

// newestRule updates a person. Records of one person have many keys, so that several are under way at once.
const newestRule = `rule: people
trigger: {webhook: {path: /people}, sample: samples/person.json}
id: trigger.id
key: trigger.key
%smaps: {names: {file: maps/names.csv}}
actions:
  - dhis2.tracked_entity:
      tracked_entity_type: Person
      external_id: trigger.person
      org_unit: {value: Coral South Clinic}
      attributes: {First name: {from: trigger.first, map: names}}
`

const newestSample = `{"id": "a", "key": "a", "person": "p", "first": "n0", "rev": 1}`

// TestNewestWins lets a whole service take records of few people in random sequences: new ones,
// corrections of earlier ones, some of which fail at first, replays with and without force, answers
// that are lost, and stops in the middle of a delivery. In the end, when all that failed was
// replayed, every person is what the newest record says, on both stores.
func TestNewestWins(t *testing.T) {
	before := flag.Lookup("rapid.checks").Value.String()
	if before == "100" { // rapid's own; a check starts a service several times
		if err := flag.Set("rapid.checks", "3"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = flag.Set("rapid.checks", before) })
	}
	stores := map[string]func(t *testing.T) string{"sqlite": func(*testing.T) string { return "sqlite:state/culvert.db" }}
	if os.Getenv("CULVERT_TEST_POSTGRES") != "" {
		stores["postgres"] = schemaOfItsOwn
	}
	for name, store := range stores {
		for _, versions := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, versions %v", name, versions), func(t *testing.T) {
				rapid.Check(t, func(rt *rapid.T) { checkNewest(t, rt, store(t), versions) })
			})
		}
	}
}

// schemaOfItsOwn gives a store in a schema that goes with the test.
func schemaOfItsOwn(t *testing.T) string {
	t.Helper()
	dsn, err := url.Parse(os.Getenv("CULVERT_TEST_POSTGRES"))
	if err != nil {
		t.Fatal(err)
	}
	schema := "culvert_newest_" + strings.ToLower(rand.Text()[:12])
	q := dsn.Query()
	q.Set("search_path", schema)
	dsn.RawQuery = q.Encode()
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), dsn.String())
		if err == nil {
			_, err = conn.Exec(context.Background(), "DROP SCHEMA IF EXISTS "+schema+" CASCADE")
			_ = conn.Close(context.Background())
		}
		if err != nil {
			t.Error(err)
		}
	})
	return dsn.String()
}

// people is a project under test.
type people struct {
	t      *testing.T
	rt     *rapid.T
	dir    string
	store  string
	box    *sandbox.Server
	lossy  atomic.Int64 // every so-and-so-manieth answer is lost
	asked  atomic.Int64
	cancel context.CancelFunc
	ended  chan error
	addr   string
}

func checkNewest(t *testing.T, rt *rapid.T, store string, versions bool) {
	p := startPeople(t, rt, store, versions)
	newest := map[string]int{} // the greatest revision of each person
	revisions := rapid.Permutation(upTo(60)).Draw(rt, "revisions")
	records := rapid.IntRange(5, 40).Draw(rt, "records")
	for n := range records {
		rev := n
		if versions {
			rev = revisions[n]
		}
		person := rapid.SampledFrom([]string{"p1", "p2"}).Draw(rt, "person")
		id := rapid.SampledFrom([]string{"a", "b", "c", fmt.Sprint(n)}).Draw(rt, "id")
		key := rapid.SampledFrom([]string{"k1", "k2", "k3"}).Draw(rt, "key")
		p.post(fmt.Sprintf(`{"id": "%s-%s", "key": %q, "person": %q, "first": "n%d", "rev": %d}`, person, id, key, person,
			rev, rev+1))
		if best, known := newest[person]; !known || rev > best {
			newest[person] = rev
		}
		switch rapid.IntRange(0, 9).Draw(rt, "then") {
		case 0:
			p.stop()
			p.start(time.Millisecond)
		case 1:
			p.replay(journal.Filter{States: []journal.State{journal.Failed, journal.Delivered}}, rapid.Bool().Draw(rt, "force"))
		case 2:
			p.lossy.Store(0)
			p.settle()
		case 3, 4:
			p.lossy.Store(rapid.Int64Range(2, 4).Draw(rt, "lossy"))
		}
	}
	p.lossy.Store(0)
	p.stop()
	write(t, filepath.Join(p.dir, "maps", "names.csv"), names(func(int) bool { return true }))
	p.start(time.Minute)
	p.replay(journal.Filter{}, false)
	p.settle()
	p.stop()
	var want []string
	for person, rev := range newest {
		want = append(want, fmt.Sprintf("%s%d", strings.ToUpper(person[:1])+"x", rev))
	}
	got := regexp.MustCompile(`Px[0-9]+`).FindAllString(string(p.box.Dump()), -1)
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		rt.Fatalf("the people are called %q, the newest records say %q", got, want)
	}
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// names is the value map with the names that are known.
func names(known func(n int) bool) string {
	text := "from,to\n"
	for n := range 60 {
		if known(n) {
			text += fmt.Sprintf("n%d,Px%d\n", n, n)
		}
	}
	return text
}

func startPeople(t *testing.T, rt *rapid.T, store string, versions bool) *people {
	t.Helper()
	p := &people{t: t, rt: rt, dir: t.TempDir(), store: store}
	err := examples.Write("anc", p.dir, func(path string) bool {
		return path == "culvert.yaml" ||
			strings.HasPrefix(path, "input/tamala")
	})
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(p.dir, "culvert.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(p.dir, "culvert.yaml"),
		regexp.MustCompile(`(?m)^store:.*$`).ReplaceAllString(string(config), "store: "+store))
	version := ""
	if versions {
		version = "version: trigger.rev\n"
	}
	write(t, filepath.Join(p.dir, "rules", "people.yaml"), fmt.Sprintf(newestRule, version))
	write(t, filepath.Join(p.dir, "samples", "person.json"), newestSample)
	write(t, filepath.Join(p.dir, "maps", "names.csv"), names(func(n int) bool { return n%3 != 1 }))
	if p.box, err = sandbox.New(sandbox.Options{Metadata: filepath.Join(p.dir, "input", "tamala.json")}); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(p.answer))
	t.Cleanup(func() {
		p.stop()
		srv.Close()
		if err := p.box.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, value := range map[string]string{"DHIS2_URL": srv.URL, "DHIS2_USERNAME": "admin",
		"DHIS2_PASSWORD": "district", "COMMCARE_PASSWORD": "x", "CULVERT_LISTEN": "127.0.0.1:0"} {
		t.Setenv(name, value)
	}
	syncProject(t, p.dir)
	p.start(time.Millisecond)
	return p
}

// answer lets the sandbox answer, and loses some of its answers.
func (p *people) answer(w http.ResponseWriter, r *http.Request) {
	every := p.lossy.Load()
	if every == 0 || r.Method != http.MethodPost || p.asked.Add(1)%every != 0 {
		p.box.ServeHTTP(w, r)
		return
	}
	p.box.ServeHTTP(httptest.NewRecorder(), r)
	http.Error(w, "lost", http.StatusServiceUnavailable)
}

func (p *people) start(drain time.Duration) {
	p.t.Helper()
	quick := await.Backoff{Base: time.Millisecond, Cap: 20 * time.Millisecond}
	ctx, cancel := context.WithCancel(context.Background())
	ready := make(chan string, 1)
	p.cancel, p.ended = cancel, make(chan error, 1)
	s, err := service.Open(ctx, service.Options{
		Dir: p.dir, Loader: &project.Loader{Sources: project.SourceKinds()}, Log: slog.New(slog.DiscardHandler),
		Version: "test", Ready: func(a string) { ready <- a },
		Limits: engine.Limits{Retry: quick, Parent: quick, Away: quick, Poll: 20 * time.Millisecond, Drain: drain,
			RetryFor: 1000},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	go func() { p.ended <- s.Run(ctx) }()
	select {
	case p.addr = <-ready:
	case err := <-p.ended:
		p.t.Fatal(err)
	}
}

func (p *people) stop() {
	p.t.Helper()
	if p.cancel == nil {
		return
	}
	p.cancel()
	p.cancel = nil
	if err := <-p.ended; err != nil {
		p.t.Error(err)
	}
}

func (p *people) post(body string) {
	p.t.Helper()
	p.postTo("/people", body)
}

func (p *people) postTo(path, body string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+p.addr+path,
		bytes.NewReader([]byte(body)))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth("commcare", "x")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	if resp.StatusCode/100 != 2 {
		p.t.Fatalf("answer %d", resp.StatusCode)
	}
	if err := resp.Body.Close(); err != nil {
		p.t.Fatal(err)
	}
}

// journal opens the journal beside the service, as a command does.
func (p *people) journal(do func(journal.Journal) error) {
	p.t.Helper()
	store := strings.Replace(p.store, "sqlite:", "sqlite:"+p.dir+"/", 1)
	j, err := open.Journal(context.Background(), store, journal.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		p.t.Fatal(err)
	}
	if err := do(j); err != nil {
		p.t.Error(err)
	}
	if err := j.Close(); err != nil {
		p.t.Error(err)
	}
}

func (p *people) replay(f journal.Filter, force bool) {
	p.t.Helper()
	p.journal(func(j journal.Journal) error {
		_, err := j.Replay(context.Background(), f, "test", "", force)
		return err
	})
}

// settle waits until nothing waits.
func (p *people) settle() {
	p.t.Helper()
	p.journal(func(j journal.Journal) error {
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			left, err := j.Select(context.Background(), journal.Filter{States: []journal.State{journal.Pending, journal.Held},
				Limit: 1})
			if err != nil || len(left) == 0 {
				return err
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("record %d waits for ever: %+v", left[0].Seq, left[0].Problem)
			}
		}
	})
}
