package diag

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

func at(file string, line, from, to int) Place {
	return Place{File: file, Range: Range{Position{line, from}, Position{line, to}}}
}

func sample() Report {
	files := map[string]string{
		"rules/a.yaml": "rule: a\nwhen: trigger.facilty == \"x\"\n\twide: é trigger\npassword: hunter2\n",
		"rules/c.yaml": "key: " + strings.Repeat("x", 200) + "wrong" + strings.Repeat("y", 200) + "\n",
	}
	return Report{
		Findings: List{
			{Severity: Warning, Problem: Problem{Code: "no-id", Message: `100% of records have no id, "a" too`,
				Place: at("rules/b.yaml", 1, 1, 2)}},
			{Problem: Problem{Code: "unknown-field", Message: `unknown field "facilty" on trigger`,
				Hint:  `did you mean "facility"?`,
				Place: at("rules/a.yaml", 2, 15, 22)},
				Fix: &Fix{Place: at("rules/a.yaml", 2, 15, 22), Text: "facility"}},
			{Problem: Problem{Code: "duplicate-key", Message: "the key\nstands twice",
				Place: at("rules/a.yaml", 3, 10, 17)},
				Related: []Related{{at("rules/a.yaml", 1, 1, 5), "first written here"}}},
			{Problem: Problem{Code: "secret-in-file", Message: "a password stands in the file", Hint: "use ${NAME}",
				Place: at("rules/a.yaml", 4, 11, 18)}, Secret: true},
			{Problem: Problem{Code: "unknown-name", Message: `unknown name "wrong"`,
				Place: at("rules/c.yaml", 1, 206, 211)}},
			{Problem: Problem{Code: "wrong-shape", Message: "two lines",
				Place: Place{"rules/a.yaml", Range{Position{2, 1}, Position{3, 4}}}}},
			{Problem: Problem{Code: "no-rules", Message: "the project has no rules",
				Place: Place{File: "culvert.yaml"}}},
		},
		Files:   []string{"rules/a.yaml", "rules/b.yaml", "rules/c.yaml", "rules/d.yaml", "culvert.yaml"},
		Version: "1.2.3",
		DocsURL: "https://example.org/findings#",
		Source: func(file string) ([]byte, bool) {
			text, ok := files[file]
			return []byte(text), ok
		},
	}
}

func TestRenderGolden(t *testing.T) {
	check := func(name string, got []byte) {
		t.Helper()
		path := filepath.Join("testdata", "render", name)
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), string(got)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if bytes.Contains(got, []byte("hunter2")) {
			t.Errorf("%s shows a secret", name)
		}
	}
	for _, format := range Formats() {
		var b bytes.Buffer
		if err := Render(&b, format, sample()); err != nil {
			t.Fatal(err)
		}
		switch format {
		case "json", "sarif":
			if !json.Valid(b.Bytes()) {
				t.Errorf("%s is not JSON", format)
			}
		case "junit":
			if err := xml.Unmarshal(b.Bytes(), new(struct{})); err != nil {
				t.Error(err)
			}
		}
		check(format, b.Bytes())
	}
	var b bytes.Buffer
	if err := WriteSummary(&b, sample()); err != nil {
		t.Fatal(err)
	}
	check("summary.md", b.Bytes())
	b.Reset()
	coloured := sample()
	coloured.Colour = true
	if err := Render(&b, "text", coloured); err != nil {
		t.Fatal(err)
	}
	check("colour", b.Bytes())
}

func TestRenderKeepsTheOrderOfItsInput(t *testing.T) {
	r := sample()
	first := r.Findings[0]
	if err := Render(&bytes.Buffer{}, "text", r); err != nil {
		t.Fatal(err)
	}
	if r.Findings[0].Code != first.Code {
		t.Error("rendering reordered the caller's list")
	}
	if err := Render(&bytes.Buffer{}, "yaml", r); err == nil {
		t.Error("an unknown format is taken")
	}
}

func TestTextStopsAtFiftyPerFile(t *testing.T) {
	var l List
	for i := range 60 {
		l.Add(Diagnostic{Problem: Problem{Code: "x", Message: "m", Place: at("a.yaml", i+1, 1, 2)}})
	}
	var b bytes.Buffer
	if err := Render(&b, "text", Report{Findings: l}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "[x]"); n != maxPerFile ||
		!strings.Contains(b.String(), "a.yaml: 10 more findings are not shown") {
		t.Errorf("%d shown:\n%s", n, b.String())
	}
}

func TestNearest(t *testing.T) {
	names := []string{"facility", "facility_code", "first_name", "First name", "last_name", "visit_date", "sex", "age",
		"Female"}
	for word, want := range map[string]string{
		"facilty": "facility", "fist_name": "first_name, last_name, First name", "First  name": "First name, first_name",
		"VISIT_DATE": "visit_date", "six": "sex",
		"gae": "age", "FEMALE": "Female", "zzz": "", "": "", "district": "", "facility": "",
	} {
		if got := strings.Join(Nearest(word, names), ", "); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
	if got := Suggest("visit_date {from", names, "fields"); got != "a colon is missing: write visit_date: {...}" {
		t.Error(got)
	}
	if got := Suggest("fcility", names, "fields"); got != `did you mean "facility"?` {
		t.Error(got)
	}
	if got := Suggest("zzzzz", names,
		"fields"); got != `known fields: "Female", "First name", "age", "facility", "facility_code" and 4 more` {
		t.Error(got)
	}
}

func TestSortDropsRepeats(t *testing.T) {
	l := List{{Problem: Problem{Code: "b", Place: at("f", 2, 1, 2)}}, {Problem: Problem{Code: "a",
		Place: at("f", 1, 1, 2)}},
		{Problem: Problem{Code: "b", Place: at("f", 2, 1, 2)}}}
	l.Sort()
	if len(l) != 2 || l[0].Code != "a" || !l.HasErrors() {
		t.Errorf("%+v", l)
	}
}

func BenchmarkNearestOfManyNames(b *testing.B) {
	names := make([]string, 100_000)
	for i := range names {
		names[i] = fmt.Sprintf("Kanyama Health Centre %d", i)
	}
	for b.Loop() {
		Nearest("Kanyama Helth Centre 50000", names)
	}
}
