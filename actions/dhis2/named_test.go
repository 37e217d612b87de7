package dhis2

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules"
)

const longSample = `{"id": "r1", "dataelement": "MAL_DEATH", "period": "202601", "orgunit": "TM-010202", "coc": "",` +
	` "aoc": "", "set": "", "value": "3"}`

const longRule = `
  - dhis2.data_value:
      data_element: {from: trigger.dataelement}
      data_set: {from: trigger.set}
      category_option_combo: trigger.coc
      attribute_option_combo: trigger.aoc
      org_unit: trigger.orgunit
      period: trigger.period
      value: trigger.value
`

func longRow(t *testing.T, changes map[string]string) any {
	t.Helper()
	body := decode(t, longSample).(map[string]any)
	for k, v := range changes {
		body[k] = v
	}
	return body
}

// TestTheDataNameTheElement holds that a row of the long format is written as if the rule had named what it names.
func TestTheDataNameTheElement(t *testing.T) {
	rule := mustCompile(t, ruleText(longRule), longSample)
	base := func(name string, more ...string) []map[string]any {
		m := map[string]any{"data_value": name, "data_set": "Malaria monthly report", "period": "202601",
			"org_unit": "Coral Health Centre", "value": "3"}
		for i := 0; i+1 < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return []map[string]any{m}
	}
	for name, c := range map[string]struct {
		changes map[string]string
		want    []map[string]any
	}{
		"code":    {nil, base("Malaria deaths")},
		"name":    {map[string]string{"dataelement": " Malaria deaths "}, base("Malaria deaths")},
		"set":     {map[string]string{"set": "Malaria monthly report"}, base("Malaria deaths")},
		"default": {map[string]string{"coc": "default", "aoc": "default"}, base("Malaria deaths")},
		"default uid": {map[string]string{"coc": country().DefaultOptionCombo(), "aoc": country().DefaultOptionCombo()},
			base("Malaria deaths")},
		"combination": {map[string]string{"dataelement": "Malaria tests done", "coc": "Males, Under 5"},
			base("Malaria tests done", "category_option_combo", "Under 5, Males")},
		"attribute": {map[string]string{"dataelement": "HIV tests done", "aoc": "Global Fund", "period": "2026Q1"},
			base("HIV tests done", "attribute_option_combo", "Global Fund", "period", "2026Q1", "data_set",
				"HIV quarterly report")},
	} {
		writes, err := rule.plan(longRow(t, c.changes))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(c.want, describe(writes)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestWhatTheDataNameWrongly holds that a name that fits nothing fails its record with the value,
// its column and what it may mean.
func TestWhatTheDataNameWrongly(t *testing.T) {
	rule := mustCompile(t, ruleText(longRule), longSample)
	for _, c := range []struct {
		changes           map[string]string
		code, field, hint string
		value             string
	}{
		{map[string]string{"dataelement": "Malaria death"}, "unknown-data-element", "data_element", "Malaria deaths",
			"Malaria death"},
		{map[string]string{"dataelement": ""}, "blank-value", "data_element", "", ""},
		{map[string]string{"set": "Malaria monthly reprt"}, "unknown-data-set", "data_set", "Malaria monthly report",
			"Malaria monthly reprt"},
		{map[string]string{"set": "HIV quarterly report"}, "element-not-in-data-set", "data_set", "", "HIV quarterly report"},
		{map[string]string{"coc": "Under 5, Males"}, "unknown-category-option-combo", "category_option_combo", "default",
			"Under 5, Males"},
		{map[string]string{"dataelement": "Malaria tests done"}, "blank-value", "category_option_combo", "", ""},
		{map[string]string{"dataelement": "Malaria tests done", "coc": "Under 5, Male"}, "unknown-category-option-combo",
			"category_option_combo",
			"Under 5, Males", "Under 5, Male"},
		{map[string]string{"dataelement": "HIV tests done", "period": "2026Q1"}, "attribute-combo-missing",
			"attribute_option_combo", "", ""},
		{map[string]string{"aoc": "Global Fund"}, "unknown-category-option-combo", "attribute_option_combo", "",
			"Global Fund"},
		{map[string]string{"value": "many"}, "wrong-type", "Malaria deaths", "", "many"},
		{map[string]string{"orgunit": "TM-01"}, "org-unit-not-assigned", "org_unit", "", "TM-01"},
		{map[string]string{"period": "2026Q1"}, "wrong-period-type", "period", "", "2026Q1"},
	} {
		_, err := rule.plan(longRow(t, c.changes))
		var f *rules.Failure
		if !errors.As(err, &f) {
			t.Errorf("%v: %v", c.changes, err)
			continue
		}
		if f.Code != c.code || f.Field != c.field || f.Value != c.value || f.Hint == "" || !strings.Contains(f.Hint, c.hint) {
			t.Errorf("%v: %+v", c.changes, f)
		}
		if (strings.HasPrefix(f.Code, "unknown-") || f.Field == "data_element") && f.Column == "" {
			t.Errorf("%v: the column is not named: %+v", c.changes, f)
		}
	}
}

// TestMapsOfNames holds that validate checks the right-hand sides of maps that give names.
func TestMapsOfNames(t *testing.T) {
	action := func(keys string) string {
		return "\n  - dhis2.data_value:\n" + keys +
			"      org_unit: trigger.orgunit\n      period: trigger.period\n      value: trigger.value\n"
	}
	for name, c := range map[string]struct{ actions, code, hint string }{
		"right": {action("      data_element: {from: trigger.dataelement, map: {MAL_DEATH: Malaria deaths, b: " +
			"MAL_DEATH}}\n"), "", ""},
		"element": {action("      data_element: {from: trigger.dataelement, map: {a: Malaria death}}\n"),
			"unknown-data-element", "Malaria deaths"},
		"set": {action("      data_element: Malaria deaths\n      data_set: {from: trigger.set, map: {a: Malaria " +
			"monthly}}\n"), "unknown-data-set", "Malaria monthly report"},
		"option": {action("      data_element: Malaria tests done\n      category_option_combo: {from: trigger.coc, " +
			"map: {a: Under five}}\n"), "unknown-category-option-combo", ""},
		"any option": {action("      data_element: {from: trigger.dataelement}\n      category_option_combo: {from: " +
			"trigger.coc, map: {a: nobody}}\n"), "unknown-category-option-combo", ""},
		"attribute": {action("      data_element: HIV tests done\n      attribute_option_combo: {from: trigger.aoc, " +
			"map: {a: nobody}}\n"), "unknown-category-option-combo", ""},
		"of its set": {action("      data_element: {from: trigger.dataelement, map: {a: HIV tests done}}\n      " +
			"data_set: Malaria monthly report\n"), "unknown-data-element", ""},
		"expression": {action("      data_element: trigger.dataelement\n"), "wrong-shape", "{from: trigger.dataelement}"},
		"parts": {action("      data_element: {from: trigger.dataelement}\n      attribute_category_options: " +
			"{Funding partner: trigger.aoc}\n"), "attribute-combo-missing", ""},
		"category": {action("      data_element: HIV tests done\n      attribute_category_options: {Funding partner: " +
			"{from: trigger.aoc, map: {a: Global Fun}}}\n"), "unknown-category-option", "Global Fund"},
		"no elements": {action("      data_set: {from: trigger.set}\n"), "missing-key", ""},
	} {
		list := loadRule(t, country(), ruleText(c.actions), longSample).findings.List
		switch {
		case c.code == "" && len(list) > 0, c.code != "" && len(list) != 1:
			t.Errorf("%s: %s", name, printed(list))
		case c.code != "" && (list[0].Code != c.code || !strings.Contains(list[0].Hint, c.hint)):
			t.Errorf("%s: %s", name, printed(list))
		}
	}
}

// TestNamedValuesAreDeliveredOnce holds that values that the data name go in one request with
// others, and are not sent again unchanged.
func TestNamedValuesAreDeliveredOnce(t *testing.T) {
	b, rule := newBench(t), mustCompile(t, ruleText(longRule), longSample)
	rows := []string{longSample, strings.Replace(longSample, "MAL_DEATH", "Malaria tests done", 1)}
	rows[1] = strings.Replace(rows[1], `"coc": ""`, `"coc": "Under 5, Males"`, 1)
	want(t, b.deliver(rule.plans(t, rows...)...), "D D")
	want(t, b.deliver(rule.plans(t, rows...)...), "U U")
	if len(b.server.groups) != 1 || len(b.server.values) != 2 {
		t.Errorf("%d requests, %d values", len(b.server.groups), len(b.server.values))
	}
	remove := mustCompile(t, ruleText(strings.Replace(strings.Replace(longRule, "dhis2.data_value:",
		"dhis2.delete:\n      what: data_value\n      confirm: true", 1),
		"      value: trigger.value\n", "", 1)), longSample)
	want(t, b.deliver(remove.plans(t, rows[0])...), "D")
	if len(b.server.values) != 1 {
		t.Errorf("%d values after a removal", len(b.server.values))
	}
}
