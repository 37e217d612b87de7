package dhis2

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/schemas"
)

// TestTheReferenceNamesEveryKey holds docs/actions.md against the schema: every kind and every key is there.
func TestTheReferenceNamesEveryKey(t *testing.T) {
	raw, err := os.ReadFile("../../docs/actions.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	root := schemas.Root(schemas.Rule)
	for _, k := range Kinds(nil, actions.Options{}) {
		kind := k.Name()
		if !strings.Contains(text, "\n## "+kind+"\n") {
			t.Errorf("no section on %s", kind)
		}
		for _, key := range root.Definitions[kind].Properties.Names {
			if !strings.Contains(text, "`"+key+"`") && !regexp.MustCompile(`(?m)^ +`+key+`:`).MatchString(text) &&
				!strings.Contains(text, "`"+key+":") {
				t.Errorf("%s: nothing says what %q is", kind, key)
			}
		}
	}
}

// TestTheExamplesOfTheReferenceCompile compiles every example.
func TestTheExamplesOfTheReferenceCompile(t *testing.T) {
	raw, err := os.ReadFile("../../docs/actions.md")
	if err != nil {
		t.Fatal(err)
	}
	const sample = `{"id": "x", "form": {"case": {"@case_id": "c"}, "visit_date": "2026-03-02", "first_name": "F",
	 "dob": "1996-01-09", "national_id": "N", "gender": "f", "phone": "",
		"date": "2026-03-02", "outcome": "", "visits": [{"id": "v", "date": "2026-03-02", "weight": 1, "signs": "BLEED"}]},
		  "child": {"id": "k", "name": "N"}, "place": "TM-010202",
		"month": "2026-03", "reported_on": "2026-04-01", "deaths": 0, "tests_u5_f": 1, "tests_u5_m": 2, "mother": "m",
		  "action": "", "case": "c", "visit": "v", "group": "boy", "tested_on": "2026-03-02", "tested": "yes",
		"orgUnit": "TM-010202", "period": "202603", "dataValues": [{"dataElement": "MAL_DEATH", "categoryOptionCombo": "",
		  "value": "1"}]}`
	blocks := regexp.MustCompile("(?s)```yaml\n(- dhis2.*?)```").FindAllStringSubmatch(string(raw), -1)
	if len(blocks) < 9 {
		t.Fatalf("only %d examples", len(blocks))
	}
	for _, block := range blocks {
		body := "  " + strings.ReplaceAll(strings.TrimSpace(block[1]), "\n", "\n  ")
		text := strings.Replace(ruleText(body), "\nactions:",
			"\nlookups:\n  clinic: {in: organisationUnits, code: trigger.place}\n  facility: {in: organisationUnits, code: "+
				"trigger.place}\nactions:", 1)
		text = strings.ReplaceAll(text, "to: {external_id: trigger.child}", "to: {external_id: trigger.child.id}")
		list := loadRule(t, country(), text, sample).findings.List
		if i := slices.IndexFunc(list, func(d diag.Diagnostic) bool { return d.Severity == 0 }); i >= 0 {
			t.Errorf("%s\n%s", text, printed(list))
		}
	}
}
