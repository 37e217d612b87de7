package service_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/culvert/culvert/actions/dhis2/sandbox"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules/examples"
)

const lookedUp = 10_000

// lookupRule makes an event of every row; %s is the lookup "person".
const lookupRule = `rule: cases
trigger:
  files: {folder: drop, stable_for: 100ms}
  sample: samples/cases.csv
id: trigger.id
lookups:
  site: {in: organisationUnits, code: trigger.site}
%s
actions:
  - dhis2.event:
%s      program: Malaria case notification
      org_unit: site
      occurred_at: trigger.day
      data_values:
        Case age (years): trigger.age
`

// BenchmarkLookups drops a CSV of 10,000 rows, each of another person, with and without a lookup of
// the person: in DHIS2, a web API and a database. It tells the rows a second, and how many requests
// the lookups made of the system that they ask.
func BenchmarkLookups(b *testing.B) {
	for _, c := range []struct{ name, lookup string }{
		{"none", ""},
		{"DHIS2", "{in: trackedEntities, program: Antenatal care, where: {National ID: trigger.nid}}"},
		{"http-list", "{in: http, connection: registry, path: /people, items: people, where: {nid: trigger.nid}, cache: 1h}"},
		{"http-batch", "{in: http, connection: registry, path: '/some?nid={nid}', batch: 100, items: people, where: {nid: trigger.nid}}"},
		{"http-each", "{in: http, connection: registry, path: '/people/{nid}', where: {nid: trigger.nid}}"},
		{"database", "{in: database, connection: warehouse, query: 'SELECT nid, name FROM people', where: {nid: trigger.nid}}"},
	} {
		b.Run(c.name, func(b *testing.B) { lookUp(b, c.lookup) })
	}
}

func lookUp(b *testing.B, lookup string) {
	header := "id,site,day,age,nid\n"
	row := func(n int) string {
		return fmt.Sprintf("%d,TM-010202,2026-03-%02d,%d,NID-%d\n", n, 1+n%28, n%90, n%lookedUp)
	}
	reads := ""
	if lookup != "" {
		lookup, reads = "  person: "+lookup, "      when: person != nil\n"
	}
	dir, asked := lookupProject(b, fmt.Sprintf(lookupRule, lookup, reads), header+row(1))
	if err := os.MkdirAll(filepath.Join(dir, "drop"), 0o700); err != nil {
		b.Fatal(err)
	}
	runService(b, dir)
	asked.Store(0)
	b.ResetTimer()
	for round := range b.N {
		var text bytes.Buffer
		text.WriteString(header)
		for n := range lookedUp {
			text.WriteString(row(round*lookedUp + n))
		}
		name := fmt.Sprintf("cases-%d.csv", round)
		write(b, filepath.Join(dir, name), text.String())
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(dir, "drop", name)); err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		for done := filepath.Join(dir, "drop", "done", name); ; time.Sleep(5 * time.Millisecond) {
			if _, err := os.Stat(done); err == nil {
				break
			}
			if time.Since(began) > 2*time.Minute {
				b.Fatal("the rows have no outcome after two minutes")
			}
		}
	}
	b.ReportMetric(float64(lookedUp*b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(asked.Load())/float64(b.N), "requests")
}

// lookupProject is a project with 10,000 people in DHIS2, behind a web API and in a database; asked
// counts what is read of the first two.
func lookupProject(b *testing.B, rule, sample string) (dir string, asked *atomic.Int64) {
	b.Helper()
	dir, asked = b.TempDir(), &atomic.Int64{}
	if err := examples.Write("anc", dir, func(p string) bool {
		return p == "culvert.yaml" || strings.HasPrefix(p, "input/tamala")
	}); err != nil {
		b.Fatal(err)
	}
	write(b, filepath.Join(dir, "rules", "cases.yaml"), rule)
	write(b, filepath.Join(dir, "samples", "cases.csv"), sample)
	box, err := sandbox.New(sandbox.Options{Metadata: filepath.Join(dir, "input", "tamala.json")})
	if err != nil {
		b.Fatal(err)
	}
	counted := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				asked.Add(1)
			}
			h.ServeHTTP(w, r)
		})
	}
	srv, api := httptest.NewServer(
		counted(confirming(box)),
	), httptest.NewServer(
		counted(http.HandlerFunc(registeredPeople)),
	)
	b.Cleanup(func() {
		srv.Close()
		api.Close()
		if err := box.Close(); err != nil {
			b.Error(err)
		}
	})
	for name, value := range map[string]string{"DHIS2_URL": srv.URL, "DHIS2_USERNAME": "admin",
		"DHIS2_PASSWORD": "district", "COMMCARE_PASSWORD": "x", "CULVERT_LISTEN": "127.0.0.1:0"} {
		b.Setenv(name, value)
	}
	config, err := os.ReadFile(filepath.Join(dir, "culvert.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	write(b, filepath.Join(dir, "culvert.yaml"), string(config)+"\nconnections:\n  registry: {http: \""+api.URL+
		"\"}\n  warehouse: {database: \"sqlite:people.db\"}\n")
	fill(b, dir, box)
	syncBench(b, dir)
	return dir, asked
}

// fill registers the people in DHIS2 and in the database.
func fill(b *testing.B, dir string, box http.Handler) {
	db, err := sql.Open("sqlite", filepath.Join(dir, "people.db"))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE people (nid TEXT PRIMARY KEY, name TEXT); WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL " +
		"SELECT i + 1 FROM n WHERE i < 9999) INSERT INTO people SELECT 'NID-' || i, 'Awa' FROM n"); err != nil {
		b.Fatal(err)
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	const part = 1000
	for from := 0; from < lookedUp; from += part {
		var list []any
		for n := from; n < from+part; n++ {
			list = append(
				list,
				map[string]any{
					"trackedEntityType": "DEEHBfgFvHr",
					"orgUnit":           "ygq0iefHYLW",
					"trackedEntity":     fmt.Sprintf("Person%05d", n),
					"attributes": []any{map[string]any{"attribute": "IcYmkidyP9K", "value": fmt.Sprint("NID-", n)},
						map[string]any{"attribute": "JMYmVp2S0Xl", "value": "Awa"}},
					"enrollments": []any{map[string]any{"program": "HKEoH96oH4U", "orgUnit": "ygq0iefHYLW", "enrolledAt": "2026-01-01",
						"occurredAt": "2026-01-01", "attributes": []any{map[string]any{"attribute": "FaVymXsLADq", "value": "1990-05-01"}}}},
				},
			)
		}
		body, err := json.Marshal(map[string]any{"trackedEntities": list})
		if err != nil {
			b.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodPost, "/api/tracker?async=false", bytes.NewReader(body))
		r.SetBasicAuth("admin", "district")
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		box.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatalf("%d %.600s", w.Code, w.Body.String())
		}
	}
}

// registeredPeople is a registry that gives all, some or one of its people.
func registeredPeople(w http.ResponseWriter, r *http.Request) {
	one := func(nid string) any { return map[string]any{"nid": nid, "name": "Awa"} }
	var v any
	switch nid := strings.TrimPrefix(r.URL.Path, "/people/"); {
	case r.URL.Path == "/people":
		list := make([]any, lookedUp)
		for n := range list {
			list[n] = one(fmt.Sprint("NID-", n))
		}
		v = map[string]any{"people": list}
	case r.URL.Path == "/some":
		var list []any
		for _, nid := range strings.Split(r.URL.Query().Get("nid"), ",") {
			list = append(list, one(nid))
		}
		v = map[string]any{"people": list}
	default:
		v = one(nid)
	}
	_ = json.NewEncoder(w).Encode(v)
}

func syncBench(b *testing.B, dir string) {
	b.Helper()
	config, _, _, err := project.ReadConfig(dir)
	if err != nil {
		b.Fatal(err)
	}
	client, err := project.Connect(config, config.ServerNamed(""), dir, slog.New(slog.DiscardHandler), "bench")
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	if _, err := project.Sync(b.Context(), client, dir, "national", true, nil); err != nil {
		b.Fatal(err)
	}
}
