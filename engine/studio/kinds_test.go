package studio

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOneLineOfRulesOfEveryKind changes one mapping of rules that say more than mappings: where they write to, when and
// how often, what a failure means, other triggers, lookups in a part. Nothing else of the file changes.
func TestOneLineOfRulesOfEveryKind(t *testing.T) {
	for _, c := range []struct {
		example, rule string
		path          []string
		text, line    string
		shows         []string // of the table
	}{
		{"exchange", "rules/both-servers.yaml", []string{"actions", "1", "dhis2.create_and_enroll", "attributes", "First name"},
			"trigger.form.last_name", "        First name: trigger.form.last_name", []string{"regional", "clinic_there"}},
		{"exchange", "rules/cases-to-region.yaml", []string{"actions", "0", "dhis2.event", "data_values", "Case sex", "from"},
			"trigger.org_unit_code", "        Case sex: {from: 'trigger.org_unit_code', map: sex, blank: clear}", []string{"Coral Health Centre"}},
		{"exchange", "rules/report-to-region.yaml", []string{"actions", "0", "dhis2.data_value", "value"},
			"trigger.data_element_code", "      value: trigger.data_element_code", nil},
		{"shared", "rules/campaign.yaml", []string{"id"}, `"c-" + trigger.id`, `id: '"c-" + trigger.id'`, nil},
		{"shared", "rules/register.yaml", []string{"actions", "0", "dhis2.tracked_entity", "attributes", "Village"},
			"trigger.facility", "        Village: trigger.facility", []string{"snippets/person.yaml", "1996-07-01"}},
		{"lookups", "rules/home-visit.yaml", []string{"lookups", "post", "name"}, "upper(trigger.post)",
			"  post: {in: organisationUnits, among: Health centres, name: upper(trigger.post)} # of that org unit group alone",
			[]string{"among"}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			f := serve(t, c.example)
			if c.example == "exchange" {
				from := os.DirFS(filepath.Join(f.dir, "metadata", "national"))
				if err := os.CopyFS(filepath.Join(f.dir, "metadata", "regional"), from); err != nil {
					t.Fatal(err)
				}
			}
			before := f.text(c.rule)
			var out checked
			q := question{File: c.rule, Edits: []edit{{Do: "text", Path: c.path, Text: c.text}}}
			if status := f.ask("/check", q, &out); status != http.StatusOK || out.Problem != "" {
				t.Fatalf("%d %s", status, out.Problem)
			}
			for _, finding := range out.Findings {
				if finding.Severity == 1 && c.example != "lookups" { // its metadata is not that of Tamala
					t.Errorf("finding: %s", finding.Message)
				}
			}
			for _, text := range append(c.shows, c.path[len(c.path)-1]) {
				if !strings.Contains(out.Sheet, text) {
					t.Errorf("the table lacks %q", text)
				}
			}
			if len(out.Drafts) != 1 {
				t.Fatalf("%d files are changed", len(out.Drafts))
			}
			var saved map[string]any
			q = question{File: c.rule, Drafts: out.Drafts, Save: map[string]string{c.rule: version([]byte(before))}}
			if status := f.ask("/save", q, &saved); status != http.StatusOK {
				t.Fatalf("%d %v", status, saved)
			}
			if gone, come := difference(before, f.text(c.rule)); len(gone) > 1 || len(come) != 1 || come[0] != c.line {
				t.Errorf("went %q, came %q", gone, come)
			}
		})
	}
}
