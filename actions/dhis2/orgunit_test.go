package dhis2

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions"
)

const unitRule = `
  - dhis2.org_unit:
      code: trigger.code
      parent: trigger.parent
      name: trigger.name
      opening_date: {value: "2020-01-01"}
      close: trigger.closed
      geometry: {from: trigger.shape}
      data_sets: {MAL_MONTHLY: trigger.malaria}
      groups: {Posts: trigger.post}
      dry_run: false
      max_changes: 4
`

const unitSample = `{"id": "x", "code": "R-1", "parent": "TM-0102", "name": "N", "closed": "", "malaria": "", "post": "",
 "shape": "", "date": "2026-03-02"}`

// facility is a row of a registry.
func facility(code, parent, name string, changes ...string) string {
	row := map[string]string{"id": code + name + strings.Join(changes, ""), "code": code, "parent": parent, "name": name,
		"closed": "", "malaria": "", "post": "", "shape": ""}
	for n := 0; n < len(changes); n += 2 {
		row[changes[n]] = changes[n+1]
	}
	text, _ := json.Marshal(row)
	return string(text)
}

// ask sends a request to the sandbox and gives what it answers.
func (s *site) ask(method, path, body string) map[string]any {
	s.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.SetBasicAuth("admin", "district")
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.sandbox.ServeHTTP(w, r)
	var answer map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code > 299 {
		s.t.Fatal(method, path, w.Code, w.Body, err)
	}
	return answer
}

// unit is what the server has of an org unit, by its code.
func (s *site) unit(code string) map[string]any {
	s.t.Helper()
	list := s.ask(http.MethodGet, "/api/organisationUnits?fields=id,name,shortName,closedDate,geometry,parent[code],"+
		"dataSets[code],organisationUnitGroups[name]&filter=code:eq:"+code, "")["organisationUnits"].([]any)
	if len(list) != 1 {
		return nil
	}
	return list[0].(map[string]any)
}

// TestOrgUnits holds that org units are created, renamed, moved, closed, opened again, given a
// shape, put into groups and data sets, each once; that a child may come before its parent; and that
// no more of them change in a day than may.
func TestOrgUnits(t *testing.T) {
	everyVersion(t, func(t *testing.T, s *site) {
		s.ask(http.MethodPost, "/api/organisationUnitGroups", `{"id": "newGroup001", "name": "Posts", "shortName": "Posts"}`)
		text := strings.Replace(unitRule, "MAL_MONTHLY", s.index.Snapshot.DataSets[0].Name, 1)
		limited := s.loadRule(ruleText(text), unitSample)
		rule := s.loadRule(ruleText(strings.Replace(text, "max_changes: 4", "max_changes: 400", 1)), unitSample)
		dry := s.loadRule(ruleText(strings.Replace(text, "dry_run: false", "dry_run: true", 1)), unitSample)
		first := facility("R-1", "TM-0102", "Post")

		results := s.deliver(dry.plans(t, first)...)
		want(t, results, "F")
		if o := results[0].Outcomes[0]; o.Code != "org-unit-dry-run" || !strings.Contains(o.Message,
			`created as "Post"`) {
			t.Errorf("a dry run: %s", o.Message)
		}
		want(t, s.deliver(dry.plans(t, facility("R-2", "R-1", "Below"))...), "F") // it waits for nothing
		if s.unit("R-1") != nil {
			t.Error("a dry run created it")
		}
		want(t, s.deliver(rule.plans(t, facility("R-2", "R-1", "Below"), first)...), "D D")
		want(t, s.deliver(rule.plans(t, first)...), "U")
		want(t, s.deliver(rule.plans(t, facility("R-3", "R-9", "Orphan"))...), "R")
		want(t, s.deliver(rule.plans(t, facility("R-1", "R-2", "Post"))...), "F") // below itself
		want(t, s.deliver(rule.plans(t, facility("R-9", "R-9", "Post"))...), "F") // a new one, its own parent

		want(t, s.deliver(rule.plans(t, facility("R-1", "TM-0101", "Clinic", "closed", "yes", "malaria", "yes", "post",
			"yes", "shape", "POINT (36.8 -1.3)"))...), "D")
		u := s.unit("R-1")
		if u["name"] != "Clinic" || u["shortName"] != "Clinic" || u["closedDate"] == nil || u["geometry"] == nil ||
			u["parent"].(map[string]any)["code"] != "TM-0101" || len(u["dataSets"].([]any)) != 1 ||
			len(u["organisationUnitGroups"].([]any)) != 1 {
			t.Errorf("changed to %v", u)
		}
		want(t, s.deliver(rule.plans(t, facility("R-1", "TM-0101", "Clinic", "closed", "no", "malaria", "no", "post",
			"no"))...), "D")
		u = s.unit("R-1")
		if u["closedDate"] != nil || u["geometry"] == nil || len(u["dataSets"].([]any)) != 0 ||
			len(u["organisationUnitGroups"].([]any)) != 0 {
			t.Errorf("changed back to %v", u)
		}
		s.memory = newMemory() // lost: compared again, nothing has to be done
		s.target = NewTarget(s.client, s.current, s.memory, testOptions())
		want(t, s.deliver(rule.plans(t, facility("R-2", "R-1", "Below"))...), "D")

		var rows, expected []string
		for _, code := range strings.Fields("A B C D E F") {
			rows, expected = append(rows, facility("L-"+code, "TM-0101", code)), append(expected, "D")
		}
		expected[4], expected[5] = "F", "F"
		results = s.deliver(limited.plans(t, rows...)...)
		want(t, results, strings.Join(expected, " "))
		if code := results[5].Outcomes[0].Code; code != "too-many-org-units" {
			t.Errorf("beyond the limit: %s", code)
		}
		s.target = NewTarget(s.client, s.current, s.memory, testOptions()) // a restart forgets nothing
		want(t, s.deliver(limited.plans(t, rows[4])...), "F")
		plans := limited.plans(t, rows[5])
		plans[0].Insist = true
		want(t, s.deliver(plans...), "D")
	})
}

// TestOrgUnitsMadeByHand holds that an org unit of the name without a code is not made twice.
func TestOrgUnitsMadeByHand(t *testing.T) {
	everyVersion(t, func(t *testing.T, s *site) {
		parent, _, _ := s.index.OrgUnit("TM-0101")
		s.ask(http.MethodPost, "/api/organisationUnits", `{"id": "handMade001", "name": "By hand", "shortName": "By hand",
			"openingDate": "2020-01-01", "parent": {"id": "`+parent.ID+`"}}`)
		text := ruleText(strings.Replace(unitRule, "      data_sets: {MAL_MONTHLY: trigger.malaria}\n", "", 1))
		row := facility("H-1", "TM-0101", "BY HAND")
		want(t, s.deliver(s.loadRule(text, unitSample).plans(t, row)...), "F")
		adopting := strings.Replace(text, "dry_run: false", "dry_run: false\n      adopt: true", 1)
		want(t, s.deliver(s.loadRule(adopting, unitSample).plans(t, row)...), "D")
		if u := s.unit("H-1"); u["id"] != "handMade001" || u["name"] != "BY HAND" {
			t.Errorf("adopted as %v", u)
		}
	})
}

// TestOrgUnitFindings holds what validate says of org units.
func TestOrgUnitFindings(t *testing.T) {
	for name, test := range map[string]struct{ change, with, code string }{
		"nothing to know it by": {"      code: trigger.code\n", "", "missing-key"},
		"unknown parent":        {"parent: trigger.parent", "parent: {value: Nowhere}", "unknown-org-unit"},
		"unknown data set":      {"MAL_MONTHLY", "Nothing", "unknown-data-set"},
		"no number":             {"max_changes: 4", "max_changes: many", "wrong-shape"},
		"another key":           {"dry_run: false", "delete: true", "unknown-key"},
	} {
		text := strings.Replace(unitRule, test.change, test.with, 1)
		text = strings.Replace(text, "MAL_MONTHLY", country().Snapshot.DataSets[0].Name, 1)
		list := loadRule(t, country(), ruleText(text), unitSample).findings.List
		if len(list) == 0 || list[0].Code != test.code {
			t.Errorf("%s: %s", name, printed(list))
		}
	}
}

// TestLimitOfAWholeBatch holds that the journal keeps how many changed in all, also where a unit comes before its parent.
func TestLimitOfAWholeBatch(t *testing.T) {
	everyVersion(t, func(t *testing.T, s *site) {
		text := strings.Replace(strings.Replace(unitRule, "      data_sets: {MAL_MONTHLY: trigger.malaria}\n", "", 1),
			"max_changes: 4", "max_changes: 2", 1)
		rule := s.loadRule(ruleText(text), unitSample)
		want(t, s.deliver(rule.plans(t, facility("L-2", "L-1", "Below"), facility("L-1", "TM-0102", "Above"))...), "D D")
		s.target = NewTarget(s.client, s.current, s.memory, testOptions())
		want(t, s.deliver(rule.plans(t, facility("L-3", "TM-0102", "Beyond"))...), "F")
	})
}

// TestUnitsBelowThemselves names the cycle of new org units that are each other's parents, in
// whatever batches they come, and the parent that another one waits for.
func TestUnitsBelowThemselves(t *testing.T) {
	s := newSite(t, "2.43")
	rule := s.loadRule(ruleText(strings.Replace(unitRule, "      data_sets: {MAL_MONTHLY: trigger.malaria}\n", "", 1)),
		unitSample)
	one, two, three := facility("C-1", "C-2", "One"), facility("C-2", "C-3", "Two"), facility("C-3", "C-1", "Three")
	if o := s.deliver(rule.plans(t, one)...)[0].Outcomes[0]; o.Status != actions.Retry ||
		!strings.Contains(o.Message, `its parent "C-2"`) {
		t.Errorf("a parent that may come: %+v", o)
	}
	want(t, s.deliver(rule.plans(t, two)...), "R")
	if o := s.deliver(rule.plans(t, three)...)[0].Outcomes[0]; o.Code != "org-unit-cycle" ||
		!strings.Contains(o.Message, "C-1 below C-2 below C-3 below C-1") {
		t.Errorf("a cycle: %+v", o)
	}
	want(t, s.deliver(rule.plans(t, one, two)...), "F F")
	// One below the cycle waits, and once a parent is right the others come.
	want(t, s.deliver(rule.plans(t, facility("C-4", "C-1", "Four"))...), "R")
	want(t, s.deliver(rule.plans(t, facility("C-3", "TM-0102", "Three"), two, one)...), "D D D")
	want(t, s.deliver(rule.plans(t, facility("C-4", "C-1", "Four"))...), "D")
}

// TestADryRunOfATree holds that a dry run says of children of new org units what would become of them, in whatever
// order they come, and of those whose parent is nowhere, or lies below itself, which that is.
func TestADryRunOfATree(t *testing.T) {
	s := newSite(t, "2.43")
	text := strings.Replace(unitRule, "      data_sets: {MAL_MONTHLY: trigger.malaria}\n", "", 1)
	rule := s.loadRule(ruleText(strings.Replace(text, "dry_run: false", "dry_run: true", 1)), unitSample)
	tree := []string{facility("T-3", "T-2", "Post"), facility("T-2", "T-1", "Centre"), facility("T-1", "TM-0102", "Town"),
		facility(
			"T-4",
			"T-9",
			"Orphan",
		), facility("T-5", "T-6", "A"), facility("T-6", "T-5", "B"), facility("T-7", "T-6", "C")}
	wanted := []string{`created as "Post" under "Centre", which is new as well`,
		`created as "Centre" under "Town", which is new as well`, `created as "Town" under "Coral"`,
		`its parent "T-9" is not in DHIS2, nor has it come so far`, "it lies below itself: T-5 below T-6 below T-5",
		"it lies below itself: T-5 below T-6 below T-5", `its parent "T-6" lies below itself: T-5 below T-6 below T-5`}
	for n, r := range s.deliver(rule.plans(t, tree...)...) {
		if o := r.Outcomes[0]; o.Status != actions.Failed || !strings.Contains(o.Message, wanted[n]) {
			t.Errorf("want %s: %+v", wanted[n], o)
		}
	}
	for n, r := range s.target.Rehearse(t.Context(), rule.plans(t, tree...)) {
		if o := r.Outcomes[0]; n < 4 && !strings.Contains(strings.Join(o.Warnings, "; "), wanted[n]) {
			t.Errorf("rehearsed, want %s: %+v", wanted[n], o)
		}
	}
	// In a later batch the parent is known still.
	o := s.deliver(rule.plans(t, facility("T-8", "T-3", "Late"))...)[0].Outcomes[0]
	if !strings.Contains(o.Message, `created as "Late" under "Post", which is new as well`) || s.unit("T-1") != nil {
		t.Errorf("%+v", o)
	}
}

// sharedMemory is a memory of which one process takes locks at a time.
type sharedMemory struct {
	*memory
	taken func(names []string)
}

func (m sharedMemory) Lock(_ context.Context, names []string) ([]bool, error) {
	m.taken(names)
	free := make([]bool, len(names))
	for n := range free {
		free[n] = true
	}
	return free, nil
}

func (m sharedMemory) Unlock(context.Context, []string) error { return nil }

// TestUnitsAreCountedByOneRunner holds that what is counted in a day is locked against other runners.
func TestUnitsAreCountedByOneRunner(t *testing.T) {
	s := newSite(t, "2.43")
	rule := s.loadRule(ruleText(strings.Replace(unitRule, "      data_sets: {MAL_MONTHLY: trigger.malaria}\n", "", 1)),
		unitSample)
	var locked []string
	s.target = NewTarget(
		s.client,
		s.current,
		sharedMemory{s.memory, func(names []string) { locked = append(locked, names...) }},
		testOptions(),
	)
	want(t, s.deliver(rule.plans(t, facility("L-1", "TM-0102", "One"))...), "D")
	if want := "ORG_UNITS_CHANGED:test.2026-06-15"; !slices.Contains(locked, want) {
		t.Errorf("locked %q, want %s", locked, want)
	}
}
