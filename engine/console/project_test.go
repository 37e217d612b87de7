package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/language"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/diag/explain"
	"github.com/culvert/culvert/sources/poll"
	"github.com/culvert/culvert/sources/results"
)

// project is a Project with one rule and one server; what is asked of it is noted.
type project struct {
	rules   []Rule
	trace   *Trace
	results string
	failed  string

	mu    sync.Mutex
	asked []string
	fails error
}

func newProject() *project {
	finding := diag.Diagnostic{Problem: diag.Problem{Code: "no-id", Message: "the rule has no id", Hint: "add id:",
		Place: diag.Place{File: "rules/anc.yaml"}},
		Severity: diag.Warning}
	return &project{
		rules: []Rule{
			{Name: "anc", Description: "Registers", File: "rules/anc.yaml", Server: "national", Trigger: "webhook",
				Address: "/anc", TakesFiles: true,
				Findings: diag.List{finding}},
			{Name: "anc-monthly-report-of-the-district", Description: "Monthly figures", File: "rules/anc-monthly.yaml",
				Server: "national", Trigger: "schedule",
				Address: "0 3 1 * *", Asks: true, NextRun: time.Date(2026, 8, 1, 3, 0, 0, 0, time.UTC)},
		},
		trace: &Trace{
			Status: "failed", ID: "form-1", Key: "case-1",
			Steps: []Step{
				{What: "lookup", Name: "clinic", Expr: "trigger.form.facility_code", In: `"KAS-014"`,
					Out: `Kasama clinic (code "KAS-014", uid DiszpKrYNg8)`, Line: 9,
					Source: "clinic: {in: organisationUnits, code: trigger.form.facility_code}"},
				{What: "field", Name: "Sex", Expr: "trigger.form.gender", In: `"x"`, Type: "TEXT", Line: 3,
					Source: "Sex: {from: trigger.form.gender, map: sex}", Failed: "the value is not in the map"},
			},
			Faults: []Fault{{Code: "unmapped-value", Message: "the value is not in the map <sex>", Hint: "add it",
				Column: "name", Value: "x", Line: 3, Source: "Sex: {from: trigger.form.gender, map: sex}"}},
		},
	}
}

func (p *project) note(what string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, what)
	return p.fails
}

func (p *project) Rules() []Rule   { return p.rules }
func (p *project) Refused() string { return "" }

func (p *project) Rule(name string) *Mapping {
	for _, r := range p.rules {
		if r.Name == name {
			return &Mapping{
				Rule: r, Text: "rule: " + name + "\n# ...\n", ID: "trigger.form.meta.instanceID",
				When: `trigger.form["@name"] == "ANC"`,
				Lookups: []Field{{Group: "organisationUnits", Name: "clinic", Expr: "trigger.form.facility_code",
					Out: "Kasama clinic", Line: 9}},
				Actions: []Action{{Kind: "dhis2.create_and_enroll", Fields: []Field{
					{Name: "program", Expr: "Antenatal care", Line: 12},
					{Group: "attributes", Name: "Sex", Expr: "trigger.form.gender", Map: "sex", Type: "TEXT", In: `"f"`,
						Out: `"FEMALE"`, Line: 3},
					{Group: "attributes", Name: "Country", Expr: "Kenya", Literal: true, Line: 4},
				}}},
				Trace: p.trace,
			}
		}
	}
	return nil
}

func (p *project) Trace(_ context.Context, rule string, in Input) (*Trace, error) {
	if err := p.note("trace " + rule + " " + string(in.Body)); err != nil {
		return nil, err
	}
	if strings.Contains(string(in.Body), "Corrected") {
		return &Trace{Status: "fine", ID: in.ID, Writes: []Write{{Label: "tracked entity Person", Effect: "created",
			ID: "uidOfPerson"}},
			Requests: []Request{{Heading: "POST /api/tracker", Body: `  {"trackedEntities": []}`}}}, nil
	}
	return p.trace, nil
}

func (p *project) Servers() []Server {
	return []Server{{Name: "national", URL: "https://dhis2.example.org/hmis", System: "Tamala HMIS", Version: "2.42.1",
		User: "culvert", Synced: time.Date(2026, 7, 1, 6, 0, 0, 0, time.UTC),
		NextSync: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), Programs: 3, DataSets: 2, Elements: 120, OrgUnits: 1300,
		Rules:   []string{"anc"},
		Changes: []string{"option Female of Sex: code F became FEMALE; used by rules/anc.yaml:3"}}}
}

func (p *project) Connections() []Connection {
	return []Connection{{Name: "warehouse", Kind: "database", Rules: []string{"anc-monthly-report-of-the-district"}}}
}

func (p *project) Catalogue(string) []Object { return []Object{*p.program()} }

func (p *project) program() *Object {
	return &Object{
		ID:    "WSGAb5XwJ3Y",
		Name:  "Antenatal care",
		Names: Names{"fr_CM": "Soins prénatals"},
		Kind:  "program",
		Type:  "tracker program",
		Uses:  []string{"rules/anc.yaml:12"},
		Parts: []Object{
			{ID: "w75KJ2mc4zz", Name: "First name", Kind: "attribute", Type: "TEXT", Mandatory: true,
				Uses: []string{"rules/anc.yaml:2"}},
			{ID: "PUZaKR0Jh2k", Name: "First visit", Kind: "program stage", Type: "repeatable", Parts: []Object{
				{ID: "vANAXwtLwcT", Code: "ANC_HB", Name: "Haemoglobin", Kind: "data element", Type: "NUMBER"},
				{ID: "vANAXwtLwcU", Code: "ANC_RISK", Name: "Risk", Kind: "data element", Type: "TEXT",
					Options: []Object{{Code: "HIGH", Name: "High"}, {Code: "LOW", Name: "Low"}}},
			}},
		},
	}
}

func (p *project) Object(_, uid string) *Object {
	if uid == "WSGAb5XwJ3Y" {
		return p.program()
	}
	return nil
}

func (p *project) Search(_, text string) []Object {
	if text == "nothing" {
		return nil
	}
	return []Object{{ID: "vANAXwtLwcT", Code: "ANC_HB", Name: "Haemoglobin", Kind: "data element", In: "Antenatal care"}}
}

func (p *project) OrgUnits(text string) Units {
	switch text {
	case "Coast", "uidOfCoast":
		return Units{Names: []string{"Coast"}, IDs: []string{"uidOfClinic", "uidOfCoast"}}
	case "Country":
		return Units{Names: []string{"Country"}, IDs: make([]string, mostUnits+1)}
	}
	return Units{Near: []string{"Coast"}}
}

func (p *project) UnitName(uid string) string { return strings.TrimPrefix(uid, "uidOf") }

func (p *project) RunNow(rule string) error {
	if rule == "anc" {
		return ErrAsksNothing
	}
	return p.note("run " + rule)
}

func (p *project) Test(_ context.Context, name string) error { return p.note("test " + name) }

func (p *project) Sync(_ context.Context, server string) ([]string, error) {
	return []string{"program Malaria was added"}, p.note("sync " + server)
}

func (p *project) Upload(_ context.Context, rule, name string, content io.Reader) (string, error) {
	text, err := io.ReadAll(content)
	return "f1", errors.Join(err, p.note("upload "+rule+" "+name+" "+string(text)))
}

func (p *project) Row(_ context.Context, f journal.File, row results.Row) (Input, error) {
	if err := p.note(fmt.Sprintf("row %d of %s", row.Record, f.Name)); err != nil {
		return Input{}, err
	}
	if row.Record == 3 {
		return Input{}, &RowGone{Why: "the file is gone"}
	}
	return Input{ID: row.ID, Body: []byte(`{"name":"Corrected Awa"}`)}, nil
}

func (p *project) Links(_ context.Context, _ string, objects, _ []string) (list []InDHIS2, err error) {
	for _, id := range objects {
		list = append(list, InDHIS2{ID: id, Kind: "event", URL: "https://dhis2.example.org/hmis/apps/capture#/" + id})
	}
	return list, nil
}

func (p *project) PersonLink(_, uid string) string {
	return "https://dhis2.example.org/hmis/apps/capture#/" + uid
}

func (p *project) Explain(code string, in *language.Language) (string, bool) {
	text, ok := explain.Page(code)
	return in.Explain(text), ok
}

func (p *project) Tell(_ context.Context, f journal.File, failed bool, _ *language.Language) (io.ReadSeekCloser, error) {
	if failed {
		return os.Open(p.failed)
	}
	return os.Open(p.results)
}

func (p *project) Outputs(journal.File) (results, failed string) { return p.results, p.failed }

// TestRunNow has a rule ask for its records now: only operators, from this site, and it is audited.
func TestRunNow(t *testing.T) {
	p := newProject()
	srv, _ := fixture(t, Config{Running: p})
	const rule = "anc-monthly-report-of-the-district"
	for _, path := range []string{"/console/rules", "/console/rules/" + rule} {
		if _, text, _ := get(t, srv.URL+path, nil); strings.Count(text, `action="/console/run"`) != 1 {
			t.Errorf("%s has no button for it, or one for a webhook:\n%s", path, text)
		}
		if _, text, _ := get(t, srv.URL+path, func(r *http.Request) {
			r.SetBasicAuth("vera",
				"of-the-viewer")
		}); strings.Contains(text,
			"/console/run\"") {
			t.Errorf("%s has a button for viewers", path)
		}
	}
	run := func(rule, site string, change ...func(*http.Request)) (int, string) {
		return post(t, srv.URL+"/console/run", url.Values{"rule": {rule}}, site, change...)
	}
	if status, _ := run(rule, "cross-site"); status != http.StatusForbidden {
		t.Errorf("from another site: %d", status)
	}
	if status, _ := run(rule, "same-origin", func(r *http.Request) {
		r.SetBasicAuth("vera",
			"of-the-viewer")
	}); status != http.StatusForbidden {
		t.Errorf("a viewer: %d", status)
	}
	if len(p.asked) > 0 {
		t.Fatalf("it ran: %q", p.asked)
	}
	if status, _ := run(rule, "same-origin"); status != http.StatusSeeOther ||
		!slices.Equal(p.asked, []string{"run " + rule}) {
		t.Errorf("an operator: %d, %q", status, p.asked)
	}
	if _, text, _ := get(t, srv.URL+"/console/audit", nil); !strings.Contains(text, "otto (console)") ||
		!strings.Contains(text, "run now") || !strings.Contains(text, "rule "+rule) {
		t.Errorf("the audit trail:\n%s", text)
	}
	for err, want := range map[error]string{poll.ErrRunning: "it is running already",
		poll.ErrNotHere: "another runner leads"} {
		p.mu.Lock()
		p.fails = err
		p.mu.Unlock()
		if status, text := run(rule, "same-origin"); status != http.StatusUnprocessableEntity ||
			!strings.Contains(text, want) {
			t.Errorf("%v: %d\n%s", err, status, text)
		}
	}
	if status, text := run("anc", "same-origin"); status != http.StatusUnprocessableEntity || !strings.Contains(text,
		"takes what is sent to it") {
		t.Errorf("a webhook: %d\n%s", status, text)
	}
	if status, _ := run("gone", "same-origin"); status != http.StatusNotFound {
		t.Errorf("no rule: %d", status)
	}
}
