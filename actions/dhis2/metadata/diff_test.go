package metadata

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

func find[T any](t *testing.T, list []T, id func(*T) string, want string) *T {
	t.Helper()
	for i := range list {
		if id(&list[i]) == want {
			return &list[i]
		}
	}
	t.Fatalf("no %s", want)
	return nil
}

// change makes most of the changes that people make in DHIS2.
func change(t *testing.T, s *Snapshot) {
	program := find(t, s.Programs, func(p *Program) string { return p.Code }, "ANC")
	program.Name, program.OnlyEnrollOnce, program.ExpiryDays = "Pregnancy care", true, 30
	program.OrgUnits = program.OrgUnits[:len(program.OrgUnits)-1]
	program.Attributes[0].Mandatory = !program.Attributes[0].Mandatory
	program.Attributes = slices.Delete(program.Attributes, 1, 2)
	program.Access.Data.Write = false
	stage := &program.Stages[0]
	stage.Code, stage.Repeatable = "", true
	stage.DataElements[1].Compulsory = !stage.DataElements[1].Compulsory
	stage.DataElements = slices.Delete(stage.DataElements, 2, 3)
	program.Stages = slices.Delete(program.Stages, 2, 3)

	sex := find(t, s.OptionSets, func(o *OptionSet) string { return o.Code }, "SEX")
	sex.Options[0].Code = "F"
	sex.Options[1].Name = "Man"
	sex.Options = append(sex.Options, Option{Named: Named{ID: "oooooooooo1", Code: "U", Name: "Unknown"}})

	element := find(t, s.DataElements, func(e *DataElement) string { return e.Code }, "IRON")
	element.ValueType = "BOOLEAN"
	element.OptionSet = &Ref{sex.ID}
	s.DataElements = append(s.DataElements, DataElement{Named: Named{ID: "dddddddddd1", Name: "Folic acid given"},
		ValueType: "TRUE_ONLY"})
	attribute := find(t, s.TrackedEntityAttributes, func(a *TrackedEntityAttribute) string { return a.Code }, "EMAIL")
	attribute.Unique, attribute.Code = true, "MAIL"
	typ := &s.TrackedEntityTypes[0]
	typ.Attributes = append(typ.Attributes, TypeAttribute{Mandatory: true, Attribute: Ref{"E41F9PvFrZx"}})

	set := find(t, s.DataSets, func(d *DataSet) string { return d.Code }, "DS_MAL_M")
	set.PeriodType, set.ExpiryDays = "Weekly", 10
	set.Elements[0].CategoryCombo = &Ref{"PW4B8YOG0c5"}
	set.Elements = slices.Delete(set.Elements, 1, 2)
	set.OrgUnits = set.OrgUnits[5:]
	s.CategoryOptions[0].EndDate = "2026-12-31"
	s.CategoryCombos[0].Categories = s.CategoryCombos[0].Categories[:1]
	s.RelationshipTypes[0].To.Program = &Ref{program.ID}
	s.ProgramRules[0].Condition = "true"
	s.ProgramRules = append(s.ProgramRules[:1], ProgramRule{ID: "rrrrrrrrrr1", Name: "No weight",
		Program: Ref{program.ID}})

	unit := find(t, s.OrgUnits, func(o *OrgUnit) string { return o.ID }, "ygq0iefHYLW")
	unit.ClosedDate, unit.AttributeValues[0].Value = "2026-06-30", "9999"
	moved := find(t, s.OrgUnits, func(o *OrgUnit) string { return o.ID }, "A7mEVqmiiGq")
	moved.Parent = &Ref{"Yq5tLlwvqpR"}
	s.OrgUnits = slices.DeleteFunc(s.OrgUnits, func(o OrgUnit) bool { return o.ID == "ACpDIcvh1Rs" })
	s.Server.Version = "2.43.1"
	s.User.CaptureUnits = []Ref{{"Yq5tLlwvqpR"}}
	s.User.Authorities = s.User.Authorities[1:]
}

func TestDiff(t *testing.T) {
	old, now := country(t), country(t)
	change(t, now)
	changes := Diff(old, now)
	var lines []string
	for _, c := range changes {
		lines = append(lines, fmt.Sprintf("%s %s %s\n\t%s", c.Kind, c.ID, strings.Join(c.About, " "), c.Words))
	}
	got := strings.Join(lines, "\n") + "\n"
	golden := filepath.Join("testdata", "diff.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if again := Diff(old, now); !cmp.Equal(changes, again) {
		t.Error("the order differs from one time to the next")
	}
}

func TestDiffOfNothing(t *testing.T) {
	s := country(t)
	if c := Diff(s, country(t)); len(c) > 0 {
		t.Errorf("%d changes between equal snapshots: %v", len(c), c[0])
	}
	if Diff(nil, s) != nil || Diff(s, nil) != nil {
		t.Error("changes against nothing")
	}
}

func TestSearch(t *testing.T) {
	s := country(t)
	s.OrgUnits = append(s.OrgUnits, OrgUnit{Named: Named{ID: "zzzzzzzzzz1", Name: "Hôpital Général"},
		Path: "/MZNBwjReCp4/zzzzzzzzzz1"})
	x := NewIndex(s)
	for text, want := range map[string]string{
		"HKEoH96oH4U":        "programs Antenatal care",
		"anc":                "programs Antenatal care",
		"antenatal care":     "programs Antenatal care",
		"care antenatal":     "programs Antenatal care",
		"antenatl":           "programs Antenatal care",
		"first visit":        "programStages First visit in Antenatal care",
		"female":             "options Female in Sex",
		"Kudu Market":        "organisationUnits Kudu Market Dispensary in Tamala / Savanna / Kudu",
		"hopital general":    "organisationUnits Hôpital Général in Tamala",
		"xylophone":          "",
		"  ":                 "",
		"mfl_id":             "attributes Facility registry ID",
		"tm-010202":          "organisationUnits Coral Health Centre",
		"under females":      "categoryOptionCombos Under 5, Females",
		"Malaria monthly re": "dataSets Malaria monthly report",
	} {
		hits := x.Search(text)
		got := ""
		if len(hits) > 0 {
			got = hits[0].Collection + " " + hits[0].Name
			if hits[0].Path != "" {
				got += " in " + hits[0].Path
			}
		}
		if want == "" && got != "" || !strings.HasPrefix(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if hits := NewIndex(manyUnits(500)).Search("facility"); len(hits) != maxHits {
		t.Errorf("%d hits, want %d at most", len(hits), maxHits)
	}
}

func FuzzSearch(f *testing.F) {
	s := country(f)
	x := NewIndex(s)
	f.Add("kudu")
	f.Add("é\xff x")
	f.Fuzz(func(t *testing.T, text string) {
		for _, h := range x.Search(text) {
			if h.ID == "" {
				t.Errorf("a hit without id for %q", text)
			}
		}
	})
}

func BenchmarkDiffCountry(b *testing.B) {
	old, now := manyUnits(100_000), manyUnits(100_000)
	now.OrgUnits[77].Name = "Another name"
	for b.Loop() {
		if n := len(Diff(old, now)); n != 1 {
			b.Fatal(n)
		}
	}
}

func BenchmarkSearchCountry(b *testing.B) {
	x := NewIndex(manyUnits(100_000))
	for _, text := range []string{"facility number 5000", "facilty nmber", "nothing like it"} {
		b.Run(text, func(b *testing.B) {
			for b.Loop() {
				x.Search(text)
			}
		})
	}
}
