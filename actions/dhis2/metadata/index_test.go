package metadata

import (
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestFinders(t *testing.T) {
	s := country(t)
	s.OrgUnits = append(s.OrgUnits, OrgUnit{Named: Named{ID: "zzzzzzzzzz1", Name: "Coral Health Centre"},
		Path: "/MZNBwjReCp4/zzzzzzzzzz1"})
	x := NewIndex(s)
	anc, _, _ := x.Program("ANC")
	if anc == nil {
		t.Fatal("no program by code")
	}
	combo := "PW4B8YOG0c5"
	type answer struct {
		id                     string
		ambiguous, suggestions []string
	}
	is := func(n *Named, ambiguous, suggestions []string) answer {
		a := answer{ambiguous: ambiguous, suggestions: suggestions}
		if n != nil {
			a.id = n.ID
		}
		return a
	}
	program := func(ref string) answer {
		p, a, s := x.Program(ref)
		if p == nil {
			return is(nil, a, s)
		}
		return is(&p.Named, a, s)
	}
	unit := func(ref string) answer {
		o, a, s := x.OrgUnit(ref)
		if o == nil {
			return is(nil, a, s)
		}
		return is(&o.Named, a, s)
	}
	stage := func(ref string) answer {
		o, a, s := x.Stage(anc, ref)
		if o == nil {
			return is(nil, a, s)
		}
		return is(&o.Named, a, s)
	}
	optionCombo := func(ref string) answer {
		o, a, s := x.CategoryOptionCombo(combo, ref)
		if o == nil {
			return is(nil, a, s)
		}
		return is(&o.Named, a, s)
	}
	element := func(ref string, among []string) answer {
		o, a, s := x.DataElement(ref, among)
		if o == nil {
			return is(nil, a, s)
		}
		return is(&o.Named, a, s)
	}
	for name, c := range map[string]struct {
		got       answer
		id        string
		ambiguous int
		suggests  string
	}{
		"program by name":                 {program("Antenatal care"), "HKEoH96oH4U", 0, ""},
		"program by uid":                  {program("HKEoH96oH4U"), "HKEoH96oH4U", 0, ""},
		"program misspelt":                {program("Antenatel car"), "", 0, "Antenatal care"},
		"program in other letters' case":  {program("antenatal care"), "", 0, "Antenatal care"},
		"program, half of it":             {program("Antenatal"), "", 0, "Antenatal care"},
		"no program":                      {program("Xylophone lessons"), "", 0, ""},
		"nothing":                         {program(""), "", 0, ""},
		"stage":                           {stage("First visit"), "SO9SciPUi24", 0, ""},
		"stage by code":                   {stage("ANC_1ST"), "SO9SciPUi24", 0, ""},
		"stage misspelt":                  {stage("Frist visit"), "", 0, "First visit"},
		"org unit by code":                {unit("TM-010202"), "ygq0iefHYLW", 0, ""},
		"two org units of a name":         {unit("Coral Health Centre"), "", 2, ""},
		"option combo by name":            {optionCombo("Under 5, Females"), "wrjjJhJRWe4", 0, ""},
		"option combo in another order":   {optionCombo("Females,Under 5"), "wrjjJhJRWe4", 0, ""},
		"option combo misspelt":           {optionCombo("Under 5, Female"), "", 0, "Under 5, Females"},
		"option combo of another combo":   {optionCombo("default"), "", 0, ""},
		"element":                         {element("IRON", nil), "AIKTsGqZii0", 0, ""},
		"element among others":            {element("IRON", []string{"AIKTsGqZii0"}), "AIKTsGqZii0", 0, ""},
		"element not among those allowed": {element("IRON", []string{"DSyKLVrDSl7"}), "", 0, ""},
		"element among none":              {element("IRON", []string{}), "", 0, ""},
	} {
		if c.got.id != c.id {
			t.Errorf("%s: found %q, want %q", name, c.got.id, c.id)
		}
		if len(c.got.ambiguous) != c.ambiguous {
			t.Errorf("%s: ambiguous %q, want %d", name, c.got.ambiguous, c.ambiguous)
		}
		if c.suggests == "" && c.id == "" && len(c.got.suggestions) > 0 && !strings.HasPrefix(name, "element") {
			t.Errorf("%s: suggests %q, want nothing", name, c.got.suggestions)
		}
		if c.suggests != "" && (len(c.got.suggestions) == 0 || c.got.suggestions[0] != c.suggests) {
			t.Errorf("%s: suggests %q, want %q first", name, c.got.suggestions, c.suggests)
		}
		if len(c.got.suggestions) > maxSuggestions {
			t.Errorf("%s: %d suggestions", name, len(c.got.suggestions))
		}
	}
	if _, ambiguous, _ := x.OrgUnit("Coral Health Centre"); !slices.Contains(ambiguous,
		"Coral Health Centre (TM-010202, ygq0iefHYLW)") {
		t.Errorf("ambiguous is %q, want codes and uids in it", ambiguous)
	}
}

func TestScopes(t *testing.T) {
	x := NewIndex(country(t))
	if x.DefaultCombo() != "bjDvmb4bfuf" || x.DefaultOptionCombo() != "HllvX50cXC0" {
		t.Errorf("default combo %s, option combo %s", x.DefaultCombo(), x.DefaultOptionCombo())
	}
	if len(x.CombosOf("PW4B8YOG0c5")) != 4 {
		t.Errorf("%d combos of age and sex", len(x.CombosOf("PW4B8YOG0c5")))
	}
	if !x.ProgramHasOrgUnit("HKEoH96oH4U", "ygq0iefHYLW") || x.ProgramHasOrgUnit("HKEoH96oH4U", "z2zHQP1DzRX") ||
		x.ProgramHasOrgUnit("nope", "ygq0iefHYLW") {
		t.Error("org units of a program")
	}
	if !x.DataSetHasOrgUnit("FSh2AafV4XC", "ygq0iefHYLW") || x.DataSetHasOrgUnit("FSh2AafV4XC", "z2zHQP1DzRX") {
		t.Error("org units of a data set")
	}
	clerk := country(t)
	clerk.User.CaptureUnits = []Ref{{"Yq5tLlwvqpR"}}
	y := NewIndex(clerk)
	for id, want := range map[string]bool{"Yq5tLlwvqpR": true, "ygq0iefHYLW": true, "jdonbyIYZzR": false,
		"MZNBwjReCp4": false, "nope": false} {
		if got := y.InCaptureScope(id); got != want {
			t.Errorf("capture in %s: %v, want %v", id, got, want)
		}
	}
}

func TestDirectory(t *testing.T) {
	x := NewIndex(country(t))
	d := x.Directory()
	if fields := d.Fields(OrgUnits); !slices.Equal(fields,
		[]string{"id", "code", "name", "shortName", "Facility registry ID"}) {
		t.Errorf("fields %q", fields)
	}
	if d.Fields("nonsense") != nil || d.Find("nonsense", "id", "x") != nil || d.Names("nonsense", "id") != nil {
		t.Error("an unknown collection has fields or objects")
	}
	for _, by := range [][2]string{{"id", "A7mEVqmiiGq"}, {"code", "TM-040205"}, {"name", "Kudu Market Dispensary"},
		{"Facility registry ID", "1065"}} {
		found := d.Find(OrgUnits, by[0], by[1])
		if len(found) != 1 || found[0].ID != "A7mEVqmiiGq" {
			t.Fatalf("by %s: %v", by[0], found)
		}
		o := found[0]
		if o.Level != 4 || o.Attributes["Facility registry ID"] != "1065" || o.Parent.ID != "hvD9CKmQemR" {
			t.Errorf("by %s: %+v", by[0], o)
		}
		var path []string
		for _, a := range o.Ancestors {
			path = append(path, a.ID)
		}
		if !slices.Equal(path, []string{"MZNBwjReCp4", "Xb4XSxprmfK", "hvD9CKmQemR"}) {
			t.Errorf("ancestors %q", path)
		}
		if o.Ancestors[0].Parent != nil || o.Ancestors[1].Parent != o.Ancestors[0] {
			t.Error("ancestors are not the objects that parents are")
		}
	}
	if len(d.Find(OrgUnits, "code", "")) > 0 || len(d.Find(OrgUnits, "Facility registry ID", "nope")) > 0 ||
		len(d.Find(OrgUnits, "nope", "1065")) > 0 {
		t.Error("found what is not there")
	}
	if n := len(d.Names(OrgUnits, "Facility registry ID")); n != 72 {
		t.Errorf("%d registry numbers, want 72", n)
	}
	if names := d.Names(Programs, "name"); !slices.Contains(names, "Antenatal care") {
		t.Errorf("names %q", names)
	}
}

func TestDirectoryFromManyGoroutines(t *testing.T) {
	x := NewIndex(country(t))
	var wait sync.WaitGroup
	found := make([]any, 8)
	for i := range found {
		wait.Go(func() {
			found[i] = x.Directory().Find(OrgUnits, "Facility registry ID", "1065")[0]
			x.OrgUnit("Coral")
		})
	}
	wait.Wait()
	for _, f := range found {
		if f != found[0] {
			t.Error("two goroutines found different objects")
		}
	}
}

func TestBrokenHierarchyEnds(t *testing.T) {
	s := &Snapshot{OrgUnits: []OrgUnit{
		{Named: Named{ID: "a"}, Path: "/b/a"},
		{Named: Named{ID: "b"}, Path: "/a/b"},
		{Named: Named{ID: "c"}, Path: "/c/c/c"},
	}}
	d := NewIndex(s).Directory()
	for _, id := range []string{"a", "b", "c"} {
		if o := d.Find(OrgUnits, "id", id)[0]; len(o.Ancestors) > 2 {
			t.Errorf("%s has %d ancestors", id, len(o.Ancestors))
		}
	}
}

func TestOptions(t *testing.T) {
	x := NewIndex(country(t))
	sex, _, _ := x.OptionSet("SEX")
	for ref, want := range map[string]string{"FEMALE": "FEMALE", "Female": "FEMALE", "M7sSykGHEuI": "FEMALE",
		"female": ""} {
		o, _, suggestions := x.Option(sex, ref)
		if want == "" {
			if o != nil || len(suggestions) == 0 {
				t.Errorf("%s: %v, suggestions %q", ref, o, suggestions)
			}
			continue
		}
		if o == nil || o.Code != want {
			t.Errorf("%s: %v", ref, o)
		}
	}
	if x.OptionByCode(sex, "Female") != nil || x.OptionByCode(sex, "FEMALE") == nil {
		t.Error("an option by code")
	}
}

func TestRenamed(t *testing.T) {
	old, fresh := country(t), country(t)
	for i := range fresh.Programs {
		if p := &fresh.Programs[i]; p.Code == "ANC" {
			p.Name = "Pregnancy care"
			p.Stages[0].Name, p.Stages[0].Code = "Booking visit", "ANC_BOOK"
		}
	}
	fresh.Former = remember(old, fresh)
	x := NewIndex(fresh)
	p, _, _ := x.Program("Antenatal care")
	if p == nil || p.Name != "Pregnancy care" {
		t.Fatalf("by the former name: %v", p)
	}
	if uid, now, ok := x.Renamed(Programs, "Antenatal care"); !ok || uid != p.ID || now != "Pregnancy care" {
		t.Errorf("renamed: %q %q %v", uid, now, ok)
	}
	if _, _, ok := x.Renamed(Programs, "Pregnancy care"); ok {
		t.Error("the present name counts as a former one")
	}
	if s, _, _ := x.Stage(p, "First visit"); s == nil || s.Name != "Booking visit" {
		t.Errorf("stage by the former name: %v", s)
	}
	if _, now, ok := x.Renamed(ProgramStages, "ANC_1ST"); !ok || now != "ANC_BOOK" {
		t.Errorf("stage by its former code: %q %v", now, ok)
	}
	// Renamed back: the name between is the former one now.
	again := country(t)
	again.Former = remember(fresh, again)
	y := NewIndex(again)
	if _, now, ok := y.Renamed(Programs, "Pregnancy care"); !ok || now != "Antenatal care" {
		t.Errorf("renamed back: %q %v", now, ok)
	}
	if _, _, ok := y.Renamed(Programs, "Antenatal care"); ok {
		t.Error("a name taken up again counts as a former one")
	}
	// A name given to another object in the meantime means that one.
	taken := country(t)
	for i := range taken.Programs {
		switch p := &taken.Programs[i]; p.Code {
		case "ANC":
			p.Name = "Pregnancy care"
		default:
			if i == 0 || taken.Programs[0].Code == "ANC" && i == 1 {
				p.Name = "Antenatal care"
			}
		}
	}
	taken.Former = remember(old, taken)
	z := NewIndex(taken)
	if p, _, _ := z.Program("Antenatal care"); p == nil || p.Code == "ANC" {
		t.Errorf("a name in use gives %v", p)
	}
	if _, _, ok := z.Renamed(Programs, "Antenatal care"); ok {
		t.Error("a name in use counts as a former one")
	}
}

// Real servers hold names with spaces that nobody sees; tables and lookups trim what they read.
func TestNamesAsTheyAreSeen(t *testing.T) {
	s := &Snapshot{
		DataElements: []DataElement{
			{Named: Named{ID: "aaaaaaaaaa1", Name: "Route: several "}},
			{Named: Named{ID: "aaaaaaaaaa2", Name: "Cas  confirmés"}},
			{Named: Named{ID: "aaaaaaaaaa3", Name: "Deaths"}},
			{Named: Named{ID: "aaaaaaaaaa4", Name: "Deaths "}},
		},
		OrgUnits: []OrgUnit{{Named: Named{ID: "bbbbbbbbbb1", Name: "Poste  de santé ", Code: " P 1"},
			Path: "/bbbbbbbbbb1"}},
		OptionSets: []OptionSet{{Named: Named{ID: "cccccccccc1", Name: "Culture"},
			Options: []Option{{Named: Named{ID: "dddddddddd1", Code: "NTM", Name: "NTM: "}}}}},
	}
	x := NewIndex(s)
	for ref, want := range map[string]string{
		"Route: several": "aaaaaaaaaa1", "Route: several ": "aaaaaaaaaa1", "Cas confirme\u0301s": "aaaaaaaaaa2",
		"Deaths": "aaaaaaaaaa3", "Deaths ": "aaaaaaaaaa4", "Deaths  ": "", "deaths": "",
	} {
		found, _, _ := x.DataElement(ref, nil)
		if want == "" && found != nil || want != "" && (found == nil || found.ID != want) {
			t.Errorf("data element %q: %v, want %q", ref, found, want)
		}
	}
	if found, _, _ := x.DataElement("Deaths", []string{"aaaaaaaaaa4"}); found == nil || found.ID != "aaaaaaaaaa4" {
		t.Errorf("of those that count: %v", found)
	}
	for field, value := range map[string]string{"name": "Poste de santé", "code": "P 1"} {
		if found := x.Directory().Find(OrgUnits, field, value); len(found) != 1 || found[0].ID != "bbbbbbbbbb1" {
			t.Errorf("org unit by %s: %v", field, found)
		}
	}
	if found := x.Directory().Find(OrgUnits, "code", "Poste de santé"); len(found) != 0 {
		t.Errorf("a name is taken for a code: %v", found)
	}
	// What a finding names can be copied from it.
	if found, _, _ := x.DataElement("Deaths (aaaaaaaaaa3)", nil); found == nil || found.ID != "aaaaaaaaaa3" {
		t.Errorf("as described: %v", found)
	}
	if found, _, _ := x.DataElement("Births (aaaaaaaaaa3)", nil); found != nil {
		t.Errorf("another name with the uid: %v", found)
	}
	if o, _, _ := x.Option(&s.OptionSets[0], "NTM:"); o == nil {
		t.Error("the option is not found")
	}
}

func TestNearest(t *testing.T) {
	names := []string{"First name", "Last name", "Date of birth", "National ID", "Phone number", "Sex", "Weight (kg)",
		"Malaria monthly report"}
	for written, want := range map[string]string{
		"Frist name":    "First name",
		"first  NAME":   "First name",
		"Date of brith": "Date of birth",
		"Birth":         "Date of birth",
		"Sxe":           "Sex",
		"Wieght":        "Weight (kg)",
		"Monthly repot": "Malaria monthly report",
		"Pulse":         "",
		"":              "",
	} {
		got := nearest(written, names)
		if want == "" && len(got) > 0 || want != "" && (len(got) == 0 || got[0] != want) {
			t.Errorf("nearest to %q: %q, want %q", written, got, want)
		}
	}
}
