package dhis2

import (
	"strings"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules"
)

// TestSampleDoesNotFit holds that validate says of the sample what would fail its record: shapes of another kind,
// and values that do not fit.
func TestSampleDoesNotFit(t *testing.T) {
	fine := `{"id": "1", "age": "4", "sex": "Male", "on": "2026-01-07", "place": "-5.2 31.1"}`
	text := `rule: places
trigger: {webhook: {path: /places}, sample: sample.json}
id: trigger.id
actions:
  - dhis2.event:
      program: Malaria case notification
      org_unit: {value: Coral Health Centre}
      occurred_at: trigger.on
      geometry: trigger.place
      data_values: {Case age (years): trigger.age, Case sex: trigger.sex}
`
	with := func(old, new string) string { return strings.Replace(fine, old, new, 1) }
	for _, test := range []struct{ rule, sample, code, want string }{
		{text, fine, "", ""},
		{text, with("-5.2 31.1", "POLYGON((31 -5, 31.1 -5, 31.1 -5.1, 31 -5))"), "wrong-type",
			`in record 1 of the sample, "geometry" is another kind of shape than the Point`},
		{text, with("-5.2 31.1", "near the market"), "wrong-type", `in record 1 of the sample, "geometry" is not a position`},
		{text, with(`"4"`, `"4,5"`), "wrong-type", `in record 1 of the sample, "Case age (years)"`},
		{text, with("Male", "Man"), "unknown-option", `in record 1 of the sample, "Case sex"`},
		{text, with("2026-01-07", "7 January"), "wrong-type", `in record 1 of the sample, "occurred_at"`},
		{strings.Replace(text, "Case age (years): trigger.age", "Case age (years): {from: trigger.age, invalid: omit}", 1),
			with(`"4"`, `"4,5"`), "", ""},
		{strings.Replace(text, "id: trigger.id", "id: trigger.id\nwhen: trigger.sex == 'Female'", 1), with(`"4"`, `"4,5"`),
			"sample-skipped", "false for every record"},
	} {
		found := ""
		for _, d := range loadRule(t, country(), test.rule, test.sample).findings.List {
			found += d.Code + ": " + d.Message + "\n"
		}
		if test.code == "" && found != "" || !strings.Contains(found, test.want) || !strings.Contains(found, test.code) {
			t.Errorf("sample %s: want %s, %s; found:\n%s", test.sample, test.code, test.want, found)
		}
	}
}

// TestFilesThatCannotCome holds that a rule is refused whose sample names a file where its trigger brings none.
func TestFilesThatCannotCome(t *testing.T) {
	s := newSiteWith(t, "2.42", withFiles(t))
	record := fileRecord("A", "photo.png", `""`)
	none := record[:strings.Index(record, `, "attachments"`)] + "}"
	brings := s.loadRule(ruleText(fileRule), none)
	if list := brings.findings.List; list.HasErrors() {
		t.Errorf("a trigger that may bring files: %s", printed(list))
	}
	noFiles := func(t *rules.Trigger) { t.NoFiles = "write `attachments: true`" }
	rule := loadOf(t, Kinds(s.index, kindOptions()), s.index, ruleText(fileRule), none, noFiles)
	if got := printed(rule.findings.List); !strings.Contains(got, "error") ||
		!strings.Contains(got, "names a file, and no files come with the records of this trigger") ||
		!strings.Contains(got, "write `attachments: true`") {
		t.Errorf("findings:\n%s", got)
	}
	content := strings.Replace(none, `"photo.png"`, `"data:image/png;base64,iVBORw0KGgo="`, 1)
	rule = loadOf(t, Kinds(s.index, kindOptions()), s.index, ruleText(fileRule), content, noFiles)
	if got := printed(rule.findings.List); strings.Contains(got, "names a file") {
		t.Errorf("findings of content:\n%s", got)
	}
}

// TestEnrollmentsDivided holds that the attribute option of an enrollment is of the program's category combination
// for enrollments, not of the one for its events, and that an enrollment may have a shape beside its person's.
func TestEnrollmentsDivided(t *testing.T) {
	text := ruleText(`
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.id
      org_unit: {value: Coral Health Centre}
      enrolled_at: {value: 2026-01-07}
      enrollment_geometry: trigger.area
      attributes: {First name: {value: A}, Date of birth: {value: 1990-01-01}}
      OPTIONS
`)
	s := newSite(t, "2.43")
	partner := s.index.DataSetByID("YUR5tQWtGwI").CategoryCombo
	antenatal := s.index.ProgramByID("HKEoH96oH4U")
	antenatal.FeatureType = "POLYGON"
	sample := `{"id": "1", "area": "POLYGON((31 -5, 31.1 -5, 31.1 -5.1, 31 -5))"}`
	with := strings.Replace(text, "OPTIONS", "attribute_category_options: {Funding partner: {value: Global Fund}}", 1)
	without := strings.Replace(text, "      OPTIONS\n", "", 1)
	for _, test := range []struct {
		name, rule, want string
		events, own      *metadata.Ref
	}{
		{"divided", with, "", nil, partner},
		{"divided, and nothing said", without, "attribute-combo-missing", nil, partner},
		{"events divided only", with, "no-attribute-combo", partner, nil},
		{"events divided, nothing said", without, "", partner, nil},
	} {
		antenatal.CategoryCombo, antenatal.EnrollmentCategoryCombo = test.events, test.own
		list := loadRule(t, s.index, test.rule, sample).findings.List
		if got := printed(list); list.HasErrors() != (test.want != "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: want %q, findings:\n%s", test.name, test.want, got)
		}
	}
	antenatal.CategoryCombo, antenatal.EnrollmentCategoryCombo = nil, nil
	bad := loadRule(t, s.index, without, `{"id": "1", "area": "POINT(31 -5)"}`).findings.List
	if got := printed(bad); !strings.Contains(got, `"enrollment_geometry" is another kind of shape than the Polygon`) {
		t.Errorf("findings:\n%s", got)
	}
}
