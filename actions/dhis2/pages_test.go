package dhis2

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/culvert/culvert/rules/diag/explain"
)

const pageSample = `{"form": {"meta": {"instanceID": "form-1"}, "case": {"@case_id": "case-1"}, "first_name": "Fatou",
 "last_name": "Sarr", "gender": "f", "dob": "1996-01-09",
 "national_id": "NID-1", "phone": "771234567", "village": "Old", "visit_date": "2026-03-02",
  "facility_code": "TM-010202", "weeks": "14", "weight": "61.5", "gps": "-5.2 31.1",
 "child": "case-2", "deaths": "0", "visits": [{"id": "v1"}]}}`

// TestPagesSayTheTruth runs the examples of the pages: the wrong one has the code, the right one
// has nothing that keeps it from running.
func TestPagesSayTheTruth(t *testing.T) {
	checked := 0
	for _, code := range explain.Codes() {
		e, _ := explain.Find(code)
		if e.Checked != "actions/dhis2" {
			continue
		}
		checked++
		t.Run(code, func(t *testing.T) {
			for _, b := range e.Blocks {
				list := loadRule(t, country(),
					"rule: page\ntrigger:\n  webhook: {path: /forms}\n  sample: sample.json\nid: trigger.form.meta.instanceID\n"+
						b.Text, pageSample).findings.List
				has := false
				for _, d := range list {
					has = has || d.Code == code
				}
				if b.Is("bad") && !has {
					t.Errorf("the wrong example has not %s:\n%s%s", code, b.Text, printed(list))
				}
				if b.Is("good") && (has || list.HasErrors()) {
					t.Errorf("the right example:\n%s%s", b.Text, printed(list))
				}
			}
		})
	}
	if checked < 30 {
		t.Errorf("only %d pages", checked)
	}
}

var codeForm = regexp.MustCompile(`^[a-z]+(-[a-z]+)+$`)

// TestEveryCodeHasAPage reads the sources for the codes that they report.
func TestEveryCodeHasAPage(t *testing.T) {
	known := explain.Codes()
	found := 0
	for _, dir := range []string{"compile", "deliver", "identity", "object", "value"} {
		paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			if regexp.MustCompile(`_test\.go$`).MatchString(path) {
				continue
			}
			ast.Inspect(file, func(n ast.Node) bool {
				literal, ok := n.(*ast.BasicLit)
				if !ok || literal.Kind != token.STRING {
					return true
				}
				code, err := strconv.Unquote(literal.Value)
				if err != nil || !codeForm.MatchString(code) {
					return true
				}
				found++
				if !slices.Contains(known, code) {
					t.Errorf("%s: %q has no page", path, code)
				}
				return true
			})
		}
	}
	if found < 60 {
		t.Errorf("only %d codes found", found)
	}
}
