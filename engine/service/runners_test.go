package service_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/examples"
)

// registerRule registers people who are known by a number that DHIS2 does not keep unique.
const registerRule = `rule: %[1]s
trigger: {webhook: {path: /%[1]s}, sample: samples/%[1]s.json}
id: trigger.id
actions:
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.id
      match_by: {any: [Phone number]}
      several_ids: %[2]s
      org_unit: {value: Coral South Clinic}
      enrolled_at: {value: "2026-01-15"}
      attributes: {First name: trigger.first, Phone number: trigger.phone, Date of birth: {value: "1990-05-01"}}
`

// TestTwoRunnersMeetOnePerson lets two runners take records of two rules, with different keys, that
// name one person, and holds their look-ups until both have asked: nobody is created twice.
func TestTwoRunnersMeetOnePerson(t *testing.T) {
	if os.Getenv("CULVERT_TEST_POSTGRES") == "" {
		t.Skip("CULVERT_TEST_POSTGRES is not set")
	}
	for _, several := range []string{"fail", "same_person"} {
		t.Run(fmt.Sprintf("several ids: %s", several), func(t *testing.T) { meetOnePerson(t, several) })
	}
}

func meetOnePerson(t *testing.T, several string) {
	store := schemaOfItsOwn(t)
	both := &meeting{arrived: make(chan struct{})}
	dir := registerProject(t, store, both, several)
	runners := make([]*people, 2)
	for n := range runners {
		own := t.TempDir()
		if err := os.CopyFS(own, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		runners[n] = &people{t: t, dir: own, store: store}
		runners[n].start(time.Minute)
		t.Cleanup(runners[n].stop)
	}
	const women = 5
	for n := range women {
		for rule, r := range map[string]*people{"facility": runners[0], "outreach": runners[1]} {
			r.postTo("/"+rule, fmt.Sprintf(`{"id": "%s-%d", "first": "Neema", "phone": "+25471234567%d"}`,
				rule, n, n))
		}
	}
	runners[0].settle()
	if found := regexp.MustCompile(`\+25471234567`).FindAllString(string(both.box.Dump()), -1); len(found) != women {
		t.Errorf("%d people have the %d numbers", len(found), women)
	}
	runners[0].journal(func(j journal.Journal) error {
		failed, err := j.Select(context.Background(), journal.Filter{States: []journal.State{journal.Failed}, Limit: 100})
		want := women
		if several == "same_person" {
			want = 0
		}
		if len(failed) != want {
			t.Errorf("%d records failed, want %d", len(failed), want)
		}
		for _, r := range failed {
			if r.Problem == nil || r.Problem.Code != "person-taken" {
				t.Errorf("record %s: %+v", r.ID, r.Problem)
			}
		}
		return err
	})
}

// meeting is a server whose first look-ups wait for each other, for a moment.
type meeting struct {
	box     *sandbox.Server
	mu      sync.Mutex
	asked   int
	arrived chan struct{}
}

func (m *meeting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && strings.Contains(r.URL.RawQuery, "x3UwJpfw8Ag") {
		m.mu.Lock()
		m.asked++
		if m.asked == 2 {
			close(m.arrived)
		}
		m.mu.Unlock()
		select {
		case <-m.arrived:
		case <-time.After(500 * time.Millisecond): // the other one may not ask as long as this one has no answer
		}
	}
	m.box.ServeHTTP(w, r)
}

func registerProject(t *testing.T, store string, m *meeting, several string) string {
	t.Helper()
	dir := t.TempDir()
	err := examples.Write("anc", dir, func(path string) bool {
		return path == "culvert.yaml" || strings.HasPrefix(path, "input/tamala")
	})
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(dir, "culvert.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "culvert.yaml"),
		regexp.MustCompile(`(?m)^store:.*$`).ReplaceAllString(string(config), "store: "+store))
	for _, rule := range []string{"facility", "outreach"} {
		write(t, filepath.Join(dir, "rules", rule+".yaml"), fmt.Sprintf(registerRule, rule, several))
		write(t, filepath.Join(dir, "samples", rule+".json"),
			`{"id": "a", "first": "Neema", "phone": "+254712345678"}`)
	}
	if m.box, err = sandbox.New(sandbox.Options{Metadata: filepath.Join(dir, "input", "tamala.json")}); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(m)
	t.Cleanup(func() {
		srv.Close()
		if err := m.box.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, value := range map[string]string{"DHIS2_URL": srv.URL, "DHIS2_USERNAME": "admin",
		"DHIS2_PASSWORD": "district", "COMMCARE_PASSWORD": "x", "CULVERT_LISTEN": "127.0.0.1:0"} {
		t.Setenv(name, value)
	}
	syncProject(t, dir)
	return dir
}
