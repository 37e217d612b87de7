package rules

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/diag/explain"
)

// complete makes a whole rule of the part that a page shows.
func complete(snippet string) string {
	has := func(key string) bool { return regexp.MustCompile(`(?m)^` + key + `:`).MatchString(snippet) }
	text := ""
	if !has("trigger") {
		text += "trigger: {webhook: {path: /forms}, sample: samples/form.json}\n"
		if !has("id") && !has("extends") {
			text += "id: trigger.form.meta.instanceID\n"
		}
	}
	if text += snippet; !has("actions") {
		text += "actions:\n  - dhis2.event: {program: Antenatal care}\n"
	}
	return text
}

// codesOf gives the codes of the findings of a rule, and of the failure of a record.
func codesOf(t *testing.T, text string, f files, record string) []string {
	t.Helper()
	r, findings := Load("rules/page.yaml", []byte(text), testEnvironment(f))
	var codes []string
	if r != nil {
		fields := compileFields(r)
		r.Finish()
		if record != "" && !findings.List.HasErrors() {
			if f := failureOf(r, fields, body(t, record)); f != nil {
				codes = append(codes, f.Code)
			}
		}
	}
	for _, d := range findings.List {
		codes = append(codes, d.Code)
	}
	return codes
}

func failureOf(r *Rule, fields map[string]*Field, record any) *Failure {
	s := r.Begin(Input{Body: record})
	_, _, err := r.Identify(s)
	var f *Failure
	if errors.As(err, &f) && strings.Contains(r.ID.Text, "phone") {
		return f
	}
	for _, field := range fields {
		if _, err := field.Eval(s); errors.As(err, &f) && !f.Skip {
			return f
		}
	}
	return nil
}

// TestPagesSayTheTruth runs the examples of the pages: the wrong one has the code, the right one has it not.
func TestPagesSayTheTruth(t *testing.T) {
	for _, code := range explain.Codes() {
		e, _ := explain.Find(code)
		if e.Checked != "rules" && e.Checked != "project" {
			continue
		}
		t.Run(code, func(t *testing.T) {
			f := files{"samples/form.json": formSample}
			var bad, good, record string
			for _, b := range e.Blocks {
				switch {
				case b.Is("bad"):
					bad = b.Text
				case b.Is("good"):
					good = b.Text
				case b.Is("record"):
					record = b.Text
				case len(b.Marks) > 0:
					f[b.Marks[0]] = b.Text
				}
			}
			if e.Checked == "project" {
				checkProjectPage(t, code, bad, good, f)
				return
			}
			if got := codesOf(t, complete(bad), f, record); !slices.Contains(got, code) {
				t.Errorf("the wrong example has %q\n%s", got, complete(bad))
			}
			if got := codesOf(t, complete(good), f, record); slices.Contains(got, code) ||
				slices.ContainsFunc(got, func(c string) bool { return c != "no-id" && c != "unused-map" }) {
				t.Errorf("the right example has %q\n%s", got, complete(good))
			}
		})
	}
}

// checkProjectPage lays the example beside the wrong one.
func checkProjectPage(t *testing.T, code, bad, good string, f files) {
	rule := func(path, text string) *Rule {
		r, findings := Load(path, []byte(complete(text)), testEnvironment(f))
		if r == nil || findings.List.HasErrors() {
			t.Fatal(findings.List)
		}
		return r
	}
	has := func(l diag.List) bool {
		return slices.ContainsFunc(l, func(d diag.Diagnostic) bool { return d.Code == code })
	}
	if !has(CheckProject([]*Rule{rule("rules/a.yaml", bad), rule("rules/b.yaml", bad)})) {
		t.Error("the wrong example does not have it")
	}
	if has(CheckProject([]*Rule{rule("rules/a.yaml", bad), rule("rules/b.yaml", good)})) {
		t.Error("the right example has it")
	}
}

// TestEveryCodeHasAPage reads the sources for the codes that they report.
func TestEveryCodeHasAPage(t *testing.T) {
	known := explain.Codes()
	found := 0
	for _, dir := range []string{".", "yamlnode", "expression", "../schemas", "../engine/project", "../sources/*",
		"../actions/*", "../actions/dhis2/*"} {
		paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, code := range codesIn(t, path, text) {
				found++
				if !slices.Contains(known, code) {
					t.Errorf("%s reports %q, which has no page in rules/diag/explain/pages", path, code)
				}
			}
		}
	}
	if found < 200 {
		t.Errorf("only %d codes were found in the sources", found)
	}
}

var kebab = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)

// codesIn finds what is written as Code: "...", as the code of a call that reports, or as a constant named Code....
func codesIn(t *testing.T, path string, text []byte) []string {
	file, err := parser.ParseFile(token.NewFileSet(), path, text, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	add := func(e ast.Expr) {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if code, err := strconv.Unquote(lit.Value); err == nil && kebab.MatchString(code) {
				codes = append(codes, code)
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Code" {
				add(n.Value)
			}
		case *ast.CallExpr:
			name := ""
			switch fn := n.Fun.(type) {
			case *ast.SelectorExpr:
				name = fn.Sel.Name
			case *ast.Ident:
				name = fn.Name
			}
			number, ok := map[string]int{"fault": 1, "warn": 1, "refuse": 0, "notConstant": 1, "add": 1, "wrong": 1,
				"errorAt": 1, "warnAt": 1}[name]
			if name == "add" && len(n.Args) < 5 {
				ok = false // only the one of the project's check takes a code
			}
			if ok && len(n.Args) > number+1 {
				add(n.Args[number])
			}
			if name == "report" && len(n.Args) == 4 {
				add(n.Args[0])
			}
		case *ast.ValueSpec:
			for i, id := range n.Names {
				if strings.HasPrefix(id.Name, "Code") && i < len(n.Values) {
					add(n.Values[i])
				}
			}
		case *ast.AssignStmt:
			for i, left := range n.Lhs {
				if sel, ok := left.(*ast.SelectorExpr); ok && sel.Sel.Name == "Code" && i < len(n.Rhs) {
					add(n.Rhs[i])
				}
			}
		}
		return true
	})
	return codes
}
