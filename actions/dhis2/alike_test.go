package dhis2

import (
	"strings"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/metadata"
)

// TestOptionsNamedAlike holds that of two options of one name neither is taken: in a record, in a
// rule and in a map the codes are listed.
func TestOptionsNamedAlike(t *testing.T) {
	s := snapshot(t)
	for i := range s.OptionSets {
		for _, o := range s.OptionSets[i].Options {
			if o.Code == "FEMALE" {
				s.OptionSets[i].Options = append(s.OptionSets[i].Options,
					metadata.Option{Named: metadata.Named{ID: "twofemale11", Code: "F2", Name: o.Name}})
			}
		}
	}
	x := metadata.NewIndex(s)
	rule := func(sex string) *compiled {
		return loadRule(t, x, ruleText("\n  - dhis2.event:\n      program: Malaria case notification\n      org_unit: "+
			"trigger.place\n      occurred_at: trigger.date\n      data_values: {Case age (years): trigger.weeks, Case sex: "+
			sex+"}"), womanSample)
	}
	lists := func(text string) bool { return strings.Contains(text, `"FEMALE", "F2"`) }
	for _, word := range []string{"Female", "female"} {
		if f := rule("trigger.first").failure(t, woman(1, "first", word)); f == nil || f.Code != "ambiguous-option" ||
			!lists(f.Hint) {
			t.Errorf("%s: %+v", word, f)
		}
	}
	for _, code := range []string{"FEMALE", "F2", "f2", "Male"} {
		if f := rule("trigger.first").failure(t, woman(1, "first", code)); f != nil {
			t.Errorf("%s: %+v", code, f)
		}
	}
	for _, sex := range []string{"{value: Female}", "{from: trigger.first, map: {f: Female, m: Male}}"} {
		found := false
		for _, d := range rule(sex).findings.List {
			found = found || d.Code == "ambiguous-option" && lists(d.Hint)
		}
		if !found {
			t.Errorf("%s: %v", sex, rule(sex).findings.List)
		}
	}
}

// TestObjectsNamedAlike holds the same of what a rule or a record names.
func TestObjectsNamedAlike(t *testing.T) {
	s := snapshot(t)
	for i := range s.OrgUnits {
		if s.OrgUnits[i].Name == "Coral North Clinic" {
			s.OrgUnits[i].Name = "Coral South Clinic"
		}
	}
	x := metadata.NewIndex(s)
	text := ruleText("\n  - dhis2.event:\n      program: Malaria case notification\n      org_unit: UNIT\n      " +
		"occurred_at: trigger.date\n      data_values: {Case age (years): trigger.weeks, Case sex: {value: Male}}")
	f := loadRule(t, x, strings.Replace(text, "UNIT", "trigger.place", 1), womanSample).failure(t,
		woman(1, "place", "Coral South Clinic"))
	if f == nil || f.Code != "ambiguous-org-unit" || strings.Count(f.Hint, "TM-0") != 2 {
		t.Errorf("%+v", f)
	}
	found := false
	for _, d := range loadRule(t, x, strings.Replace(text, "UNIT", "{value: Coral South Clinic}", 1),
		womanSample).findings.List {
		found = found || d.Code == "ambiguous-name" && strings.Count(d.Hint, "TM-0") == 2
	}
	if !found {
		t.Error("a name of two org units in a rule has no finding")
	}
}
