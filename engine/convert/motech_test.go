package convert

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/rules/expression"
)

var update = flag.Bool("update", false, "write the goldens")

// run evaluates an expression as a rule would.
func run(t *testing.T, text string, record map[string]any) string {
	t.Helper()
	s := expression.NewScope(expression.Options{Now: func() time.Time {
		return time.Date(2026, 7, 1, 12, 0, 0, 0,
			time.UTC)
	}})
	s.AddShape("trigger", expression.ShapeOf(record))
	program, problems := expression.Compile(text, s, expression.Anything)
	if len(problems) > 0 {
		t.Errorf("%s: %+v", text, problems)
		return ""
	}
	v, err := program.Run(expression.Env{"trigger": record})
	if err != nil {
		return "fails: " + err.Error()
	}
	return expression.AsText(v)
}

var record = map[string]any{
	"name": "mary ann otieno", "code": "KE/12/Kibera", "url": "a b&c", "greeting": "Dear %s of %s", "place": "Busia",
	"day": "05/08/2026", "date": "2026-03-15T10:20:00.000Z",
	"month": "2026-01-31", "map": map[string]any{"first": "x"}, "age": "30", "yes": "true", "empty": "",
}

func keyOf(path string) (string, error) {
	return member("trigger", strings.TrimPrefix(path, "trigger.")), nil
}

// TestManipulations: each of the 22 manipulations of MOTECH 1.3, by what it gives.
func TestManipulations(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range []struct{ template, want string }{
		{"{{trigger.name?toUpper}}", "MARY ANN OTIENO"},
		{"{{trigger.name?toUpper?toLower}}", "mary ann otieno"},
		{"{{trigger.name?capitalize}}", "Mary Ann Otieno"},
		{"{{trigger.url?URLEncode}}", "a+b%26c"},
		{"{{trigger.name?join(-)}}", "mary-ann-otieno"},
		{"{{trigger.code?split(/,1)}}", "12"},
		{"{{trigger.code?split([/0-9]+,1)}}", "Kibera"},
		{"{{trigger.name?split(\\s,2)}}", "otieno"},
		{"{{trigger.name?substring(5)}}", "ann otieno"},
		{"{{trigger.name?substring(0,4)?toUpper}}", "MARY"},
		{"{{trigger.greeting?format({{trigger.name?capitalize}},{{trigger.place}})}}", "Dear Mary Ann Otieno of Busia"},
		{"{{trigger.greeting?format(you,here)}}", "Dear you of here"},
		{"{{trigger.day?parseDate(dd/MM/yyyy)}}", "2026-08-05"},
		{"{{trigger.date?dateTime(dd.MM.yyyy)}}", "15.03.2026"},
		{"{{trigger.date?dateTime(yyyy-MM-dd'T'HH:mm)}}", "2026-03-15T10:20"},
		{"{{trigger.date?beginningOfMonth}}", "2026-03-01"},
		{"{{trigger.date?endOfMonth}}", "2026-03-31"},
		{"{{trigger.month?plusMonths(1)}}", "2026-02-28"},
		{"{{trigger.month?minusMonths(1)}}", "2025-12-31"},
		{"{{trigger.month?plusDays(3)}}", "2026-02-03"},
		{"{{trigger.month?minusDays(30)}}", "2026-01-01"},
		{"{{trigger.date?plusHours(2)?dateTime(HH:mm)}}", "12:20"},
		{"{{trigger.date?minusHours(2)?dateTime(HH:mm)}}", "08:20"},
		{"{{trigger.date?plusMinutes(5)?dateTime(HH:mm)}}", "10:25"},
		{"{{trigger.date?minusMinutes(5)?dateTime(HH:mm)}}", "10:15"},
		{"{{trigger.date?quarter}}", "Q1-2026"},
		{"{{trigger.map?getValue(first)}}", "x"},
		{"Hello {{trigger.name}} of {{trigger.empty}}", "Hello mary ann otieno of "},
		{"Hello {{trigger.empty}}", ""},
		{"Hello {{trigger.place}}!", "Hello Busia!"},
	} {
		r := &reader{key: keyOf}
		v, err := r.template(c.template)
		if err != nil {
			t.Errorf("%s: %v", c.template, err)
			continue
		}
		if got := run(t, v.expr, record); got != c.want {
			t.Errorf("%s is %s, which gives %q, want %q", c.template, v.expr, got, c.want)
		}
		for _, m := range strings.FieldsFunc(c.template, func(r rune) bool { return strings.ContainsRune("?({})", r) }) {
			seen[m] = true
		}
	}
	all := strings.Fields("toUpper toLower capitalize URLEncode join split substring format parseDate dateTime " +
		"beginningOfMonth endOfMonth plusMonths minusMonths " +
		"plusDays minusDays plusHours minusHours plusMinutes minusMinutes quarter getValue")
	if len(all) != 22 {
		t.Fatal(len(all))
	}
	for _, name := range all {
		if !seen[name] {
			t.Errorf("%s is not tried", name)
		}
	}
	for _, bad := range []string{"{{trigger.name?reverse}}", "{{trigger.name", "{{trigger.name?split(x)}}",
		"{{trigger.date?parseDate(ww)}}", "{{trigger.month?plusDays(two)}}"} {
		r := &reader{key: keyOf}
		if v, err := r.template(bad); err == nil {
			t.Errorf("%s is taken as %q", bad, v.expr)
		}
	}
}

// TestFilters: every operator, by what it says of the record.
func TestFilters(t *testing.T) {
	for _, c := range []struct{ key, operator, expression, want string }{
		{"name", "exist", "", "true"}, {"empty", "exist", "", "false"}, {"age", "task.equals", "30", "true"},
		{"name", "contains", "ann", "true"},
		{"name", "startsWith", "mary", "true"}, {"name", "endsWith", "x", "false"},
		{"place", "equalsIgnoreCase", "BUSIA", "true"},
		{"age", "number.equals", "30", "true"}, {"age", "gt", "29.5", "true"}, {"age", "lt", "30", "false"},
		{"yes", "isTrue", "", "true"},
		{"yes", "and", "true", "true"}, {"yes", "and", "false", "false"}, {"yes", "or", "false", "true"},
		{"yes", "or", "true", "true"},
		{"date", "after", "2026-01-01", "true"}, {"date", "before", "2026-01-01", "false"},
		{"date", "afterNow", "", "false"}, {"date", "beforeNow", "", "true"},
		{"date", "lessDaysFromNow", "200", "true"}, {"date", "moreDaysFromNow", "200", "false"},
		{"date", "lessMonthsFromNow", "4", "true"}, {"date", "moreMonthsFromNow", "2", "true"},
		{"empty", "equals", "x", "false"}, {"empty", "gt", "1", "false"},
	} {
		expr, err := compare("trigger."+c.key, c.operator, c.expression)
		if err != nil {
			t.Errorf("%s: %v", c.operator, err)
			continue
		}
		if got := run(t, expr, record); got != c.want {
			t.Errorf("%s %s %s is %s, which gives %q", c.key, c.operator, c.expression, expr, got)
		}
	}
	if _, err := compare("trigger.a", "matches", "x"); err == nil {
		t.Error("an operator that MOTECH does not have is taken")
	}
}

// TestGolden converts whole exports.
func TestGolden(t *testing.T) {
	for _, c := range []struct {
		folder string
		do     func(map[string][]byte, Options) (Result, error)
	}{{"motech", Motech}, {"commcare", CommCare}} {
		files, err := filepath.Glob(filepath.Join("testdata", c.folder, "*.json"))
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r, err := c.do(map[string][]byte{filepath.Base(file): raw}, Options{})
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			var b strings.Builder
			for _, f := range r.Files {
				b.WriteString("-- " + f.Path + " --\n" + string(f.Text))
			}
			b.WriteString("-- report --\n")
			for _, l := range r.Lines {
				line, err := json.Marshal(l)
				if err != nil {
					t.Fatal(err)
				}
				b.WriteString(strings.NewReplacer(`\u003e`, ">", `\u003c`, "<", `\u0026`, "&").Replace(string(line)) + "\n")
			}
			golden := strings.TrimSuffix(file, ".json") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if b.String() != string(want) {
				t.Errorf("%s converts to\n%s", file, b.String())
			}
		}
	}
}

func TestRefused(t *testing.T) {
	for _, bad := range []string{"", "{", "[]x", `{"name": "x"}`, `{"a": 1}`, "null", `"text"`} {
		if _, err := Motech(map[string][]byte{"x.json": []byte(bad)}, Options{}); err == nil {
			t.Errorf("%q is taken for a task", bad)
		}
		if _, err := CommCare(map[string][]byte{"x.json": []byte(bad)}, Options{}); err == nil {
			t.Errorf("%q is taken for a configuration", bad)
		}
	}
}

// FuzzMotech: whatever a file holds, it is converted or refused.
func FuzzMotech(f *testing.F) {
	files, _ := filepath.Glob("testdata/*/*.json")
	for _, file := range files {
		if raw, err := os.ReadFile(file); err == nil {
			f.Add(raw)
		}
	}
	f.Fuzz(func(_ *testing.T, raw []byte) {
		_, _ = Motech(map[string][]byte{"x.json": raw}, Options{})
		_, _ = CommCare(map[string][]byte{"x.json": raw}, Options{})
	})
}
