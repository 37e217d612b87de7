package expression_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/rules/expression"
)

var update = flag.Bool("update", false, "rewrite golden files")

// nairobi is the project's zone in tests, and the clock stands at half past ten on 20 August 2026.
func nairobi(t testing.TB) expression.Options {
	t.Helper()
	zone, err := time.LoadLocation("Africa/Nairobi")
	if err != nil {
		t.Fatal(err)
	}
	return expression.Options{Now: func() time.Time { return time.Date(2026, 8, 20, 10, 30, 0, 0, zone) }, Zone: zone}
}

// show writes a value as an expression.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case string:
		return fmt.Sprintf("%q", v)
	case time.Time:
		return fmt.Sprintf("date(%q)", strings.TrimSuffix(strings.TrimSuffix(expression.AsText(v), "+03:00"), ".000"))
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = show(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case bool, int, float64:
		return expression.AsText(v)
	}
	return fmt.Sprintf("%#v", v)
}

func eval(t testing.TB, s *expression.Scope, text string, env expression.Env) (any, error) {
	t.Helper()
	p, problems := expression.Compile(text, s, expression.Anything)
	if len(problems) > 0 {
		t.Fatalf("%s: %+v", text, problems)
	}
	return p.Run(env)
}

func TestExamples(t *testing.T) {
	s := expression.NewScope(nairobi(t))
	for _, doc := range expression.Functions() {
		t.Run(doc.Name, func(t *testing.T) {
			if len(doc.Examples) == 0 || doc.Summary == "" || !slices.Contains(expression.Groups(), doc.Group) {
				t.Errorf("%s is not documented", doc.Name)
			}
			for _, e := range doc.Examples {
				v, err := eval(t, s, e.Expression, nil)
				if err != nil {
					t.Errorf("%s: %v", e.Expression, err)
				} else if got := show(v); got != e.Result {
					t.Errorf("%s is %s, documented as %s", e.Expression, got, e.Result)
				}
				if !strings.Contains(e.Expression, doc.Name) && !strings.Contains(e.Expression, "??") &&
					!strings.Contains(e.Expression, "matches") {
					t.Errorf("%s is not an example of %s", e.Expression, doc.Name)
				}
			}
		})
	}
}

func TestFunctionsPage(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(pageHead)
	group := ""
	for _, doc := range expression.Functions() {
		if doc.Group != group {
			group = doc.Group
			fmt.Fprintf(&b, "\n## %s\n", group)
		}
		fmt.Fprintf(&b, "\n### `%s`\n\n%s\n\n```\n", doc.Signature, doc.Summary)
		width := 0
		for _, e := range doc.Examples {
			width = max(width, len(e.Expression))
		}
		for _, e := range doc.Examples {
			fmt.Fprintf(&b, "%-*s  →  %s\n", width, e.Expression, e.Result)
		}
		b.WriteString("```\n")
	}
	path := filepath.Join("..", "..", "docs", "functions.md")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, b.Bytes()) {
		t.Error("docs/functions.md is out of date: go test ./rules/expression -run FunctionsPage -update")
	}
}

const pageHead = `# Functions and operators

Every value in a rule that is not a name of DHIS2 is an expression: a field such as ` + "`trigger.form.visit_date`" + `, a text in quotes, or something
worked out from them. All examples on this page are run as tests, with the clock at 20 August 2026, 10:30, in Nairobi.

Functions of your own, with tests beside them, lie in ` + "`functions/`" + `: see [rules](rules.md#functions-of-a-project).

## Values

- **Text** stands in double or single quotes. CommCare and spreadsheets send every answer as text, also numbers and dates: ` + "`number(...)`" + ` and
  ` + "`date(...)`" + ` read them.
- **Numbers** are written 12 or 12.5, **yes/no** is ` + "`true`" + ` or ` + "`false`" + `, nothing is ` + "`nil`" + `.
- **Lists** are written ` + "`[1, 2]`" + `, **objects** ` + "`{name: \"A\"}`" + `.
- **Dates** are made by ` + "`date(...)`" + `. Where a date is needed, a text such as ` + "`\"2026-08-20\"`" + ` or a field that holds one does as well.
- A field whose name is not one word is read with brackets: ` + "`trigger.form[\"@name\"]`" + `, ` +
	"`trigger[\"Visit date\"]`" + `.
- A field that is declared with a type in the rule is read as that type: a declared number needs no ` + "`number(...)`" + `.
- A field that a record does not have is **blank**, and so is every field below it; no ` + "`?.`" + ` is needed.

## What is blank

A missing field, empty text, only spaces, and ` + "`---`" + ` are all blank.

- Blanks are equal to each other: ` + "`x == \"\"`" + ` is true of all of them. ` + "`blank(x)`" + ` says the same.
- Comparing a blank with anything else, by ` + "`< <= > >= in contains startsWith endsWith matches`" + `, is false.
- Text functions read a blank as empty text. Date and number functions, and arithmetic, give a blank for a blank.
- A condition that is blank is false.

## Operators

| operator | meaning |
| --- | --- |
| ` + "`== !=`" + ` | equal, not equal: values of one type, or a date and a text |
| ` + "`< <= > >=`" + ` | order of numbers, dates or texts; ` + "`1 < x < 5`" + ` works |
| ` + "`and or not`" + ` | also written ` + "`&&`, `\\|\\|`, `!`" + ` |
| ` + "`in`" + ` | ` + "`x in [\"a\", \"b\"]`" + `, ` + "`x not in [...]`" + ` |
| ` + "`contains startsWith endsWith`" + ` | parts of a text |
| ` + "`matches`" + ` | a regular expression (RE2), written out: ` + "`x matches \"^[0-9]{5}$\"`" + ` |
| ` + "`+ - * / % **`" + ` | numbers; + also joins texts |
| ` + "`a ? b : c`" + ` | b if a holds, else c; also ` + "`if a { b } else { c }`" + ` |
| ` + "`a ?? b`" + ` | a, or b if a is blank |
| ` + "`x[0] x[-1] x[1:3]`" + ` | an item of a list from the start or the end, a part of a list or text |
| ` + "`let n = a; b`" + ` | b, in which n stands for a |
| ` + "`a \\| f()`" + ` | f(a) |
`

func TestEveryFunctionIsCalmWithBlanks(t *testing.T) {
	s := expression.NewScope(nairobi(t))
	s.AddShape("trigger", expression.Dynamic())
	for _, call := range []string{
		"trim(trigger.x)", "upper(trigger.x)", "title(trigger.x)", "replace(trigger.x, 'a', 'b')", "split(trigger.x, ',')",
		"join(trigger.x, ',')",
		"pad_left(trigger.x, 4, '0')", "substring(trigger.x, 1, 3)", "length(trigger.x)", "starts_with(trigger.x, 'a')",
		"regex_extract(trigger.x, 'a')",
		"regex_replace(trigger.x, 'a', 'b')", "format('{}', trigger.x)", "similar(trigger.x, 'a')",
		"equals_ignore_case(trigger.x, 'a')", "text(trigger.x)",
		"url_encode(trigger.x)", "squash(trigger.x)", "date(trigger.x)", "date(trigger.x, 'dd/MM/yyyy')",
		"format_date(trigger.x, 'yyyy')", "add(trigger.x, 1, 'day')",
		"add(today(), trigger.x, 'day')", "days_between(trigger.x, today())", "days_between(today(), trigger.x)",
		"diff(trigger.x, today(), 'days')", "age(trigger.x)",
		"age(today(), 'days', trigger.x)", "start_of(trigger.x, 'month')", "end_of(trigger.x, 'month')", "day(trigger.x)",
		"weekday(trigger.x)", "period(trigger.x, 'Monthly')",
		"period_start(trigger.x)", "period_add(trigger.x, 1)", "period_type(trigger.x)", "in_zone(trigger.x, 'UTC')",
		"number(trigger.x)", "number(trigger.x, ',')", "int(trigger.x)", "round(trigger.x, 1)",
		"floor(trigger.x)", "abs(trigger.x)", "min(trigger.x, 1)", "between(trigger.x, 1, 2)", "selected(trigger.x, 'a')",
		"count_selected(trigger.x)", "selected_at(trigger.x, 0)",
		"gps_lat(trigger.x)", "coordinate(trigger.x)", "coordinate(trigger.x, trigger.y)", "phone(trigger.x, 'KE')",
		"coalesce(trigger.x, 'a')", "blank(trigger.x)", "list_of(trigger.x)",
		"first(trigger.x)", "last(trigger.x)", "unique(trigger.x)", "uuid(trigger.x)", "hash(trigger.x)",
		"is_date(trigger.x)", "is_number(trigger.x)", "trigger.x.y.z", "trigger.x[0]",
		"trigger.x + 1", "trigger.x - 1", "-trigger.x", "trigger.x / 2", "trigger.x % 2", "trigger.x ** 2",
		"'a' + trigger.x", "trigger.x > 1", "trigger.x contains 'a'", "trigger.x matches 'a'", "trigger.x in ['a']",
		"not trigger.x", "trigger.x and true", "trigger.x ? 1 : 2", "trigger.x ?? 1", "trigger.x[1:2]",
		"filter(trigger.x, true)", "map(trigger.x, #.y)", "sum(trigger.x)", "count(trigger.x)", "any(trigger.x, #.y)",
		"find(trigger.x, #.y == 1)", "sortBy(trigger.x, #.y)", "1 in trigger.x",
	} {
		for _, blank := range []any{nil, "", "  ", "---", []any{}} {
			if strings.HasPrefix(call, "trigger.x in") && blank != nil {
				continue
			}
			if _, err := eval(t, s, call, expression.Env{"trigger": map[string]any{"x": blank}}); err != nil {
				t.Errorf("%s with %#v: %v", call, blank, err)
			}
		}
	}
}

// A clock that is read in the wrong unit is refused: its moments lie outside of the years that are meant.
func TestEpochTellsSecondsFromMilliseconds(t *testing.T) {
	for _, text := range []string{`epoch(1787211000, "milliseconds")`, `epoch(1787211000000, "seconds")`,
		`epoch(-1, "seconds")`, `epoch(1e300, "seconds")`, `epoch(1e15, "milliseconds")`} {
		if _, problems := expression.Compile(text, expression.NewScope(nairobi(t)), expression.Anything); len(problems) != 1 {
			t.Errorf("%s: %+v", text, problems)
		}
	}
}
