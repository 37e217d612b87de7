package main

import (
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// TestTriggersThatAsk runs the example's rules with triggers that ask for their records: a database
// that holds the monthly reports, a CommCare HQ that lists the forms, and a web API that is read on
// a schedule. The database is told what became of its rows.
func TestTriggersThatAsk(t *testing.T) {
	dir := exampleProject(t, "anc")
	rows := monthlyDatabase(t, dir)
	hq := httptest.NewServer(http.HandlerFunc(formLists(t, dir)))
	defer hq.Close()
	_, url := startSandbox(t, dir)
	env := append(environ(url), "HQ_URL="+hq.URL, "HQ_KEY=key")
	edit(t, dir, "culvert.yaml", "store:", "connections:\n  registry: {database: \"sqlite:registry.db\"}\n"+
		"  hq: {commcare: \"${HQ_URL}\", domain: demo, username: reader, api_key: \"${HQ_KEY}\"}\nstore:")
	edit(t, dir, "rules/malaria-monthly.yaml", `files: {folder: drop, glob: "malaria-monthly*.csv"}`,
		"database: {connection: registry, query: SELECT * FROM monthly, cursor: n, batch: 10, write_back: \"UPDATE "+
			"monthly SET outcome = :outcome, cause = :cause, told = :settled WHERE n = :n\"}")
	edit(t, dir, "rules/malaria-monthly.yaml", "sample: samples/malaria-monthly.csv",
		"sample: samples/malaria-monthly.json")
	sample := `[{"n": 1, "facility": "1001", "month": "2026-03", "tests_u5_f": "1", "tests_u5_m": "1", ` +
		`"tests_5plus_f": "1", "tests_5plus_m": "1", "deaths": "0", "rdt_stockout": "yes", "reported_on": "2026-04-01"}]`
	if err := os.WriteFile(filepath.Join(dir, "samples", "malaria-monthly.json"), []byte(sample), 0o600); err != nil {
		t.Fatal(err)
	}
	edit(t, dir, "rules/anc-registration.yaml", "webhook: {path: /commcare/forms}",
		"commcare: {connection: hq, forms: {}, batch: 7}")
	edit(t, dir, "rules/anc-visit.yaml", "webhook: {path: /commcare/forms}",
		`schedule: {every: 1h, http: {url: "${HQ_URL}/visits", items: trigger.objects, auth: {header: {name: X-Key, `+
			`value: "${HQ_KEY}"}}}}`)
	culvert(t, env, dir, "sync")
	culvert(t, env, dir, "validate", "rules/malaria-monthly.yaml", "rules/anc-registration.yaml", "rules/anc-visit.yaml")
	c := start(t, env, dir)
	defer func() {
		if err := c.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		_ = c.Wait() // its exit code is of no interest here
	}()
	// Forms of another kind are skipped; one report and one registration fail on purpose. Visits are
	// listed before some of their women's registrations, and wait for them without holding them up.
	want := map[string]counts{
		"malaria-monthly":  {Taken: rows, Delivered: rows - 1},
		"anc-registration": {Taken: 20, Delivered: 11},
		"anc-visit":        {Taken: 20, Delivered: 8},
	}
	deadline := time.Now().Add(2 * time.Minute)
	for {
		got := countRecords(t, env, dir)
		diff := cmp.Diff(want, got) + cmp.Diff(map[string]int{"delivered": rows - 1, "failed with a cause": 1},
			writtenBack(t, dir))
		if diff == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(diff)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// monthlyDatabase makes a database of the example's monthly reports, and tells how many there are.
func monthlyDatabase(t *testing.T, dir string) int {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "input", "malaria-monthly-2026-03.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Exec("CREATE TABLE monthly (n INTEGER PRIMARY KEY, " + strings.Join(rows[0], ", ") +
		", outcome, cause, told)"); err != nil {
		t.Fatal(err)
	}
	for i, row := range rows[1:] {
		args := []any{i}
		for _, cell := range row {
			args = append(args, cell)
		}
		if _, err := db.Exec("INSERT INTO monthly VALUES (?"+strings.Repeat(", ?", len(row))+", NULL, NULL, NULL)",
			args...); err != nil {
			t.Fatal(err)
		}
	}
	return len(rows) - 1
}

// writtenBack counts the rows of the database by the outcome that was written back to them.
func writtenBack(t *testing.T, dir string) map[string]int {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "registry.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.Query("SELECT outcome || CASE WHEN cause <> '' THEN ' with a cause' ELSE '' END, count(*) FROM " +
		"monthly WHERE told > '2026' GROUP BY 1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	out := map[string]int{}
	for rows.Next() {
		var outcome string
		var n int
		if err := rows.Scan(&outcome, &n); err != nil {
			t.Fatal(err)
		}
		out[outcome] = n
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// formLists answers as CommCare HQ does, with the example's forms, and with the same list to those who ask for visits.
func formLists(t *testing.T, dir string) http.HandlerFunc {
	text, err := os.ReadFile(filepath.Join(dir, "input", "forms.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	var forms []map[string]any
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		var form map[string]any
		if err := json.Unmarshal([]byte(line), &form); err != nil {
			t.Fatal(err)
		}
		form["indexed_on"] = time.Date(2026, 8, 1, 0, i, 0, 0, time.UTC).Format("2006-01-02T15:04:05.000000Z")
		forms = append(forms, form)
	}
	return func(w http.ResponseWriter, r *http.Request) {
		page := []map[string]any{}
		var next any
		for _, form := range forms {
			if len(page) == 7 && r.URL.Path != "/visits" {
				next = "?offset=7"
				break
			}
			if form["indexed_on"].(string) >= r.URL.Query().Get("indexed_on_start") {
				page = append(page, form)
			}
		}
		if r.Header.Get("X-Key") != "key" && r.Header.Get("Authorization") != "ApiKey reader:key" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"meta": map[string]any{"total_count": len(forms), "next": next},
			"objects": page})
	}
}

func edit(t *testing.T, dir, name, from, to string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), from) {
		t.Fatalf("%s does not hold %q: %v", name, from, err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), from, to, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// counts are the records of one rule.
type counts struct{ Taken, Delivered int }

// countRecords asks for the status of every rule that has records.
func countRecords(t *testing.T, env []string, dir string) map[string]counts {
	t.Helper()
	c := exec.Command(os.Args[0], "-C", dir, "status", "--format", "json")
	c.Env = env
	out, err := c.Output()
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == exitFindings) {
		t.Fatalf("status: %v", err)
	}
	var o struct {
		Rules []struct {
			Rule      string `json:"rule"`
			Pending   int    `json:"pending"`
			Delivered int    `json:"delivered"`
			Skipped   int    `json:"skipped"`
			Failed    int    `json:"failed"`
		} `json:"rules"`
	}
	if err := json.Unmarshal(out, &o); err != nil {
		t.Fatal(err)
	}
	rules := map[string]counts{}
	for _, r := range o.Rules {
		if n := r.Pending + r.Delivered + r.Skipped + r.Failed; n > 0 {
			rules[r.Rule] = counts{Taken: n, Delivered: r.Delivered}
		}
	}
	return rules
}
