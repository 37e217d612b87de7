package expression_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/culvert/culvert/rules/expression"
)

func TestNumbersAsTheyAreWritten(t *testing.T) {
	s := expression.NewScope(nairobi(t))
	s.AddType("x", "")
	for _, c := range []struct{ text, mark, want string }{
		{"12", "", "12"}, {" 12 ", "", "12"}, {"-3", "", "-3"}, {"+3", "", "3"}, {"007", "", "7"}, {"12.", "", "12"},
		{".5", "", "0.5"}, {"1e3", "", "1000"}, {"1 234.5", "", "1234.5"}, {"1\u00a0234", "", "1234"},
		{"12,5", ",", "12.5"}, {"1.234,5", ",", "1234.5"}, {"1.234", ",", "1234"}, {"1,234.5", ".", "1234.5"},
		{"1,234", ".", "1234"}, {"12345678901234567890", "", "12345678901234567000"}, {"---", "", ""},
		{"12,5", "", "!"}, {"1,234", "", "!"}, {"1.23.4", "", "!"}, {"abc", "", "!"}, {"12kg", "", "!"}, {"NaN", "", "!"},
		{"Inf", "", "!"}, {"0x10", "", "!"}, {"-", "", "!"}, {".", "", "!"}, {"e5", "", "!"}, {"1_000", "", "!"},
		{"12.34.5", ",", "!"}, {"1,2,3", ",", "!"}, {"12,34", ".", "!"}, {"1e999", "", "!"}, {"１２", "", "!"},
	} {
		text := "number(x)"
		if c.mark != "" {
			text = `number(x, "` + c.mark + `")`
		}
		v, err := eval(t, s, text, expression.Env{"x": c.text})
		got := expression.AsText(v)
		if err != nil {
			got = "!"
		}
		if got != c.want {
			t.Errorf("%s of %q is %s, %v, want %s", text, c.text, got, err, c.want)
		}
		is, err := eval(t, s, strings.Replace(text, "number", "is_number", 1), expression.Env{"x": c.text})
		if err != nil || is != (c.want != "!" && c.want != "") {
			t.Errorf("is_number of %q is %v, %v", c.text, is, err)
		}
	}
}

func TestFunctionsOnRecords(t *testing.T) {
	s := expression.NewScope(nairobi(t))
	s.AddShape("x", expression.Dynamic())
	for _, c := range []struct {
		text string
		x    any
		want string // "!" and a part of the message of the error
	}{
		{`int(x)`, "12.0", `12`}, {`int(x)`, 12.5, `!not whole`}, {`round(x, 20)`, 1, `!0 to 12`},
		{`round(x, 2)`, 2.675, `2.68`}, {`round(x, -1)`, 1, `!0 to 12`}, {`round(x)`, 1e300, "1" + strings.Repeat("0", 300)},
		{`abs(x)`, -2.5, `2.5`}, {`floor(x)`, -0.5, `-1`},
		{`ceil(x)`, -0.5, `0`}, {`x % 0`, 5, `!divided by zero`}, {`x / 0`, 5, `!divided by zero`},
		{`0 ** x`, -1, `!not a number`}, {`10 ** x`, 400, `!not a number`},
		{`x - 1`, -9223372036854775807, `-9223372036854775808`},
		{`x * x`, 4294967296, `18446744073709552000`}, {`min(x, 3)`, "2", `!number`}, {`between(x, 1, 5)`, 5, `true`},
		{`between(x, "a", "b")`, "aa", `!text`}, {`between(x, 1, 5)`, "3", `!compared`},
		{`gps_lat(x)`, "5.0 5.0 0.0 5.0", `5`}, {`gps_lon(x)`, "---", `nil`}, {`gps_lat(x)`, "5", `!not a place`},
		{`gps_lat(x)`, "95 5", `!not on earth`}, {`gps_lat(x)`, "a b", `!not a place`},
		{`coordinate(x)`, "-1.28, 36.82", `!either could be the latitude`},
		{`coordinate(x)`, " -1.28,136.82", `"[136.82,-1.28]"`}, {`coordinate(x)`, "-1.28,36.82,1690,5", `"[36.82,-1.28]"`},
		{`coordinate(x, "latitude first")`, "-1.28, 36.82", `"[36.82,-1.28]"`},
		{`coordinate(x, "longitude first")`, "36.82 -1.28", `"[36.82,-1.28]"`},
		{`coordinate(x)`, "-1,28 36,82", `!not a place`}, {`coordinate(x)`, "-1,28,36,82,5", `!not a place`},
		{`gps_lat(x)`, "1 2 3 4 5", `!not a place`},
		{`coordinate(x)`, "0.123456789 -36.5", `"[-36.5,0.1234568]"`}, {`coordinate(x, 36.5)`, "-1.5", `"[36.5,-1.5]"`},
		{`coordinate(x)`, "-0.00000000001 5", `"[5,0]"`},
		{`phone(x, "KE")`, "0722000123", `"+254722000123"`}, {`phone(x, "ke")`, "722 000 123", `"+254722000123"`},
		{`phone(x, "BD")`, "01712-345678", `"+8801712345678"`}, {`phone(x)`, "0722000123", `!of which country`},
		{`phone(x, "ke")`, "123", `!not a phone number of KE`}, {`phone(x, "KE")`, strings.Repeat("1", 200), `!phone number`},
		{`phone(x, "KE")`, 722000123, `"+254722000123"`},
		{`phone(x, "KE")`, "722000123.0", `"+254722000123"`}, {`phone(x, "KE")`, "00254722000123", `"+254722000123"`},
		{`phone(x, "US")`, "00254 722 000 123", `"+254722000123"`},
		{`phone(x, "KE")`, "0722 FLOWER", `!holds letters`}, {`phone(x, "KE")`, "0722000123 (mother)", `!holds letters`},
		{`phone(x, "KE")`, "0722000123 / 0733000456", `!several phone numbers`},
		{`phone(x, "KE")`, "0722000123,0733000456", `!several phone numbers`},
		{`phone(x, "KE")`, "0722000123 or 0733000456", `!several phone numbers`},
		{`phone(x, "KE")`, "0722000123 0733000456", `!several phone numbers`},
		{`phone(x, "KE")`, "2.54722E+11", `!last digits are lost`},
		{`phone(x, "KE")`, "2,54722E+11", `!last digits are lost`}, {`phone(x, "KE")`, "0722-000-123", `"+254722000123"`},
		{`phone(x, "KE")`, "(0722) 000 123", `"+254722000123"`},
		{`coordinate(x)`, []any{-5.21, 31.15}, `!either could be the latitude`},
		{`coordinate(x, "latitude first")`, []any{-5.21, 31.15}, `"[31.15,-5.21]"`},
		{`coordinate(x, "longitude first")`, []any{31.15, -5.21}, `"[31.15,-5.21]"`},
		{`coordinate(x, "latitude first")`, []any{nil, nil}, `nil`},
		{`coordinate(x)`, "POINT(31.15 -5.21)", `"[31.15,-5.21]"`},
		{`coordinate(x)`, map[string]any{"type": "Point", "coordinates": []any{31.15, -5.21, 3.0}}, `"[31.15,-5.21]"`},
		{`coordinate(x)`, "POLYGON((30 -1, 31 -1, 31 -2, 30 -1))", `!not a place`},
		{`selected(x, "b")`, []any{"a", "b"}, `true`}, {`count_selected(x)`, []any{"a", "", "b"}, `2`},
		{`selected_at(x, 0)`, []any{"a"}, `"a"`}, {`selected_at(x, -1)`, "a", `nil`},
		{`selected(x, "a")`, []any{map[string]any{}}, `!text is needed`}, {`count_selected(x)`, 5, `1`},
		{`x[0]`, []string{"a"}, `"a"`}, {`x.a`, map[string]string{"a": "b"}, `"b"`}, {`x.a`, map[string]int{"a": 1}, `1`},
		{`x.b`, map[string]int{"a": 1}, `nil`}, {`x[0].a`, map[string]any{"a": "b"}, `"b"`},
		{`x[1].a`, map[string]any{"a": "b"}, `nil`},
		{`x[0]`, "text", `!an item is read from text`}, {`x.a`, 5, `!a field is read from a number`},
		{`x.a`, []any{1}, `!a field is read from a list`}, {`x[1.0]`, []any{1, 2}, `2`},
		{`x[true ? "a" : "b"]`, map[string]any{"a": 1}, `1`}, {`x + 1`, json.Number("41"), `42`},
		{`x + 1`, json.Number("0.5"), `1.5`},
		{`x in {a: 1}`, "a", `true`}, {`x in "abc"`, "a", `?`}, {`5 in x`, "abc", `!in needs a list`},
		{`5 in x`, []any{"5", 5}, `true`}, {`5 in x`, []int{5}, `true`}, {`x contains "b"`, "abc", `true`},
		{`x contains "1"`, 12, `true`}, {`x contains "a"`, []any{1}, `!text is needed`},
		{`x == 5`, "5", `!compared`}, {`x == {a: 1}`, map[string]any{"a": 1}, `true`}, {`x == [1]`, []any{1}, `true`},
		{`x != true`, false, `true`}, {`x == 5`, 5.0, `true`}, {`x < "b"`, "a", `true`}, {`x < true`, 5, `?`},
		{`x < today()`, 5, `!compared`},
		{`x + "a"`, 5, `!computed`}, {`x + 1`, "5", `!computed`}, {`x + today()`, 1, `?`}, {`1 + x`, true, `!computed`},
		{`"a" + x`, "---", `"a"`}, {`"a" + x`, " ", `"a "`}, {`x and true`, 1, `!yes/no is needed`},
		{`x[1:2]`, "Zoë", `"o"`}, {`x[-1:]`, "Zoë", `"ë"`}, {`x[:1]`, []any{1, 2}, `[1]`}, {`x[5:9]`, []any{1}, `[]`},
		{`x[1:]`, 5, `!a list is needed`}, {`[1, 2][x:]`, 0.5, `!whole number`}, {`x[2:1]`, "abc", `""`},
		{`1..x`, 3, `[1, 2, 3]`}, {`1..x`, 0, `[]`}, {`1..x`, 2.5, `!whole number`}, {`1..x`, 100000, `!range of more`},
		{`0 - 9223372036854775807..x`, 9223372036854775807, `!range of more`},
		{`pad_left(x, 3, "ab")`, "1", `!one character`}, {`pad_left(x, 3)`, "1", `"  1"`},
		{`pad_left(x, 2.5)`, "1", `!whole number`}, {`pad_left(x, 99999999999)`, "1", `!MiB`},
		{`replace(x, "", "b")`, "a", `"a"`},
		{`regex_extract(x, "(a)(b)", 2)`, "ab", `"b"`}, {`regex_extract(x, "(a)(b)", 0)`, "ab", `"ab"`},
		{`regex_extract("ab", "(a)", x)`, 7, `!no such group`}, {`regex_replace(x, "b*", "-")`, "abc", `"-a-c-"`},
		{`split(x, " / ")`, "a / b", `["a", "b"]`}, {`split(x, "")`, "a b", `["a", "b"]`},
		{`split(x, ",")`, strings.Repeat(",", 10_001), `!more than 10000 parts`},
		{`join(x, ",")`, []any{1, nil, "b", true}, `"1,b,true"`}, {`join(x, ",")`, []any{[]any{1}}, `!text is needed`},
		{`format(x, 1)`, "{}{}", `!2 {}`}, {`format("{}", x)`, []any{1}, `!needs a single value`},
		{`title(x)`, "o'brien d’arcy jean-luc", `"O'brien D’arcy Jean-Luc"`}, {`similar(x, "zoe")`, "ZOË", `1`},
		{`similar(x, "b")`, "a", `0`}, {`similar(x, "a")`, "", `0`}, {`similar(x, "a")`, strings.Repeat("a", 600), `!500`},
		{`similar(x, "MARHTA") > 0.95`, "MARTHA", `true`},
		{`unique(x)`, []any{1, 1.0, "1", nil, ""}, `[1, "1", nil]`},
		{`unique(x)`, []any{map[string]any{}}, `!cannot be sorted`},
		{`sortBy(x, #)`, []any{map[string]any{}}, `!cannot be sorted`}, {`sum(x)`, []any{1, nil, 2.5}, `3.5`},
		{`sum(x)`, []any{"1"}, `!only numbers`}, {`first(x)`, 5, `!a list is needed`},
		{`list_of(x)`, 5, `[5]`}, {`list_of(x)`, []string{"a"}, `["a"]`}, {`length(x)`, map[string]any{}, `1`},
		{`length(x)`, []any{1, 2}, `2`}, {`upper(x)`, true, `!needs text, and this is yes/no`}, {`text(x)`, true, `"true"`},
		{`text(x)`, []any{1}, `!needs a single value`},
		{`date(x)`, 5, `!needs a date`}, {`date(x)`, "20/08/2026", `!not a date`},
		{`date(x, "dd/MM/yyyy")`, "2026-08-20", `!not a date of the format`}, {`is_date(x)`, 5, `false`},
		{`is_date(x, "dd/MM/yyyy")`, "20/08/2026", `true`}, {`year(x)`, true, `!needs a date`},
		{`hash(x)`, nil, `"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"`},
		{`uuid(x) == uuid("5")`, 5, `true`}, {`coalesce(x, 5)`, "---", `5`}, {`x ?? 5`, "---", `5`}, {`x ?? 5`, 0, `0`},
		{`x ? 1 : 2`, "yes", `!yes/no is needed`},
		{`parse_json(x).a[1]`, `{"a": [1, 2.5]}`, `2.5`}, {`parse_json(x)`, "{", `!not JSON`},
		{`parse_json(x)`, `{} {}`, `!not JSON`}, {`parse_json(x)`, "null", `nil`}, {`keys(x)`, []any{1}, `!needs an object`},
		{`keys(x)`, "", `[]`},
		{`values(x)`, map[string]any{"b": "y", "a": "x"}, `["x", "y"]`},
		{`map(entries(x), .key)`, map[string]string{"b": "y"}, `["b"]`},
		{`map(groupBy(x, .d), count(.items))`, []any{map[string]any{"d": "1"}, map[string]any{}, map[string]any{"d": 1},
			map[string]any{"d": "1"}}, `[2, 1, 1]`},
		{`groupBy(x, #)`, []any{map[string]any{}}, `!cannot be grouped`}, {`reduce(x, #acc + #, 0)`, []any{1, 2, 4}, `7`},
		{`reduce(x, #acc + #, 0)`, "", `0`}, {`reduce(x, let a = #acc; a + count([1], # <= a), 1)`, []any{1, 2}, `3`},
		{`reduce(x, any([1], #acc == 1), 0)`, []any{1}, `?`},
		{`date(x, "d MMM yyyy", "fr")`, "5 févr. 2026", `date("2026-02-05")`},
		{`date(x, "d MMM yyyy", "fr")`, "5 Fevrier 2026", `date("2026-02-05")`},
		{`date(x, "d MMM yyyy", "fr")`, "5 jui 2026", `!not a date of the format`},
		{`date(x, "EEEE, d 'de' MMMM 'de' yyyy", "pt")`, "quarta-feira, 5 de Agosto de 2026", `date("2026-08-05")`},
		{`date(x, "d MMM yyyy", "es")`, "5 sept. 2026", `date("2026-09-05")`},
		{`date(x, "dd/MM/yyyy", "ethiopian")`, "06/13/2015", `date("2023-09-11")`},
		{`date(x, "dd/MM/yyyy", "ethiopian")`, "06/13/2016", `!does not exist`},
		{`date(x, "dd/MM/yyyy", "nepali")`, "01/01/2071", `date("2014-04-14")`},
		{`date(x, "dd/MM/yy", "nepali")`, "01/01/71", `?`},
		{`date(x, "dd/MM/yyyy", "klingon")`, "01/01/2071", `?`},
		{`format_date(x, "yyyy-MM-dd", "nepali")`, "1900-01-01", `!calendar`},
		{`period(x, "Monthly", "ethiopian")`, "2024-09-07", `!Pagume`},
		{`period(x, "Weekly", "ethiopian")`, "2024-09-01", `!weeks`},
		{`period(x, "Quarterly", "nepali")`, "2014-04-14", `"2071Q1"`},
		{`period(x, "Daily", "ethiopian")`, "2024-09-10", `"20161305"`},
		{`find(x, # == 2)`, []any{1, 2}, `2`}, {`findLast(x, # > 5)`, []any{1, 2}, `nil`},
		{`one(x, # > 1)`, []any{1, 2}, `true`}, {`all(x, #.a)`, map[string]any{"a": true}, `true`},
		{`map(x, #index)`, "", `[]`}, {`count(x, # == 1)`, []int{1, 1}, `2`}, {`none(x, # == "a")`, 5, `!a list is needed`},
	} {
		p, problems := expression.Compile(c.text, s, expression.Anything)
		if len(problems) > 0 {
			if c.want != "?" {
				t.Errorf("%s: %v", c.text, problems)
			}
			continue
		}
		v, err := p.Run(expression.Env{"x": c.x})
		part, fails := strings.CutPrefix(c.want, "!")
		switch {
		case fails && (err == nil || !strings.Contains(err.Error(), part)):
			t.Errorf("%s of %#v is %v, %v, want the error %q", c.text, c.x, v, err, part)
		case !fails && err != nil:
			t.Errorf("%s of %#v: %v, want %s", c.text, c.x, err, c.want)
		case !fails && show(v) != c.want:
			t.Errorf("%s of %#v is %s, want %s", c.text, c.x, show(v), c.want)
		}
	}
}

func TestScopes(t *testing.T) {
	s := expression.NewScope(expression.Options{})
	s.AddType("index", 0)
	s.AddType("anything", nil)
	s.AddFunction("sex", func(v any) (any, error) { return v, nil })
	inner := s.Clone()
	inner.AddFields("event", "uid")
	if got := strings.Join(s.Names(), " "); got != "anything index sex" {
		t.Errorf("the scope has %s", got)
	}
	if got := strings.Join(inner.Names(), " "); got != "anything event index sex" {
		t.Errorf("its clone has %s", got)
	}
	if _, problems := expression.Compile("now() > today() and anything.x == index", s,
		expression.Condition); len(problems) > 0 {
		t.Error(problems)
	}
	for name, reserved := range map[string]bool{"upper": true, "filter": true, "and": true, "nil": true, "clinic": false,
		"reduce": true} {
		if expression.IsReserved(name) != reserved {
			t.Errorf("%s is reserved: %v", name, !reserved)
		}
	}
}

func TestLimits(t *testing.T) {
	s := formScope(t)
	for _, text := range []string{
		`"` + strings.Repeat("x", 5000) + `"`, strings.Repeat("1+", 1200) + "1",
		strings.Repeat("(", 2000) + "1" + strings.Repeat(")", 2000), strings.Repeat("-", 3000) + "1",
		"all(" + strings.Repeat("all(", 300),
	} {
		_, problems := expression.Compile(text, s, expression.Anything)
		if len(problems) > 1 || len(problems) == 1 && problems[0].Code == expression.CodeInternal {
			t.Errorf("%.20s...: %v", text, problems)
		}
	}
	if _, problems := expression.Compile("\"\xff\"", s, expression.Anything); len(problems) != 1 ||
		problems[0].Code != expression.CodeSyntax {
		t.Errorf("not UTF-8: %v", problems)
	}
	if _, problems := expression.Compile(`trigger.form.gender matches "`+strings.Repeat("a", 1500)+`"`, s,
		expression.Anything); len(problems) != 1 || problems[0].Code != expression.CodeTooComplex {
		t.Errorf("a long pattern: %v", problems)
	}
	// Work on large texts in long lists is counted.
	items := make([]any, 1000)
	for i := range items {
		items[i] = strings.Repeat("a", 100_000)
	}
	p, problems := expression.Compile(`count(extra.items, # matches "b$")`, s, expression.Anything)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var e *expression.RunError
	if _, err := p.Run(expression.Env{"extra": map[string]any{"items": items}}); !errors.As(err, &e) ||
		e.Code != expression.CodeTooLarge {
		t.Errorf("100 MB of text: %v", err)
	}
	p, problems = expression.Compile(`count(extra.items, any(extra.items, phone("0722000123", "K" + "E") == `+
		`phone(extra.number, "KE")))`, s, expression.Anything)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if _, err := p.Run(expression.Env{"extra": map[string]any{"items": items, "number": "0722000124"}}); !errors.As(err,
		&e) || e.Code != expression.CodeTooLarge {
		t.Errorf("a million phone numbers: %v", err)
	}
}

// A mistake is found at its exact place, whatever stands before it.
func TestPlacesAreExact(t *testing.T) {
	s := formScope(t)
	before := []string{`"é日本" + `, "(\n  ", "upper(", `trigger.form["@name"] + `, "true ? ", "[1, ", "{a: ",
		`not blank("x") ? "" : `, "/* ü */ ", "first([", "trigger.form.child[0].name + "}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(before), 0, 6).Draw(t, "before"), "")
		from := len([]rune(text))
		text += "trigger.form.agee"
		for _, problem := range problemsOf(closed(text), s) {
			if problem.Code == expression.CodeUnknownField &&
				(problem.From != from+len("trigger.form.") || problem.To != from+len("trigger.form.agee")) {
				t.Fatalf("%s: %+v", closed(text), problem)
			}
			if problem.Code == expression.CodeUnknownField {
				return
			}
		}
		t.Fatalf("%s: %v", closed(text), problemsOf(closed(text), s))
	})
}

// Plain fields do not go through the parser. Brackets around them make them do so, and must not
// change anything but the places.
func TestPlainFieldsAreLikeAnyOther(t *testing.T) {
	s, env := formScope(t), formEnv(t)
	names := []string{"trigger", "form", "visit_date", "agee", "group_a", "bp", "clinic", "parent", "name", "sex",
		"upper", "x1", "_", "$env", "child", "true", "not", "in", "nil", "1a", "", " ", "extra", "é", "if", "registration",
		"index"}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(names), 1, 5).Draw(t, "names"), ".")
		p, problems := expression.Compile(text, s, expression.Anything)
		q, others := expression.Compile("("+text+")", s, expression.Anything)
		if (p == nil) != (q == nil) || len(problems) != len(others) {
			t.Fatalf("%s: %v and %v", text, problems, others)
		}
		for i, problem := range problems {
			problem.From, problem.To = problem.From+1, problem.To+1
			if problem.Code != expression.CodeSyntax && problem != others[i] {
				t.Fatalf("%s: %+v and %+v", text, problem, others[i])
			}
		}
		if p == nil {
			return
		}
		v, err := p.Run(env)
		w, other := q.Run(env)
		if show(v) != show(w) || (err == nil) != (other == nil) || !slices.Equal(p.Paths(), q.Paths()) ||
			!slices.Equal(p.Uses(), q.Uses()) {
			t.Fatalf("%s: %v, %v and %v, %v", text, v, err, w, other)
		}
	})
}

func problemsOf(text string, s *expression.Scope) []expression.Problem {
	_, problems := expression.Compile(text, s, expression.Anything)
	return problems
}

// closed closes the brackets of a text, and gives every ? its other side.
func closed(text string) string {
	var open []rune
	inText := false
	for i, r := range text {
		switch {
		case r == '"':
			inText = !inText
		case inText:
		case r == '?' && strings.HasPrefix(text[i:], "? ") && !strings.Contains(text[i:min(len(text), i+8)], ` "" : `):
			open = append(open, '?')
		case strings.ContainsRune("([{", r):
			open = append(open, r)
		case strings.ContainsRune(")]}", r):
			open = open[:len(open)-1]
		}
	}
	for i := len(open) - 1; i >= 0; i-- {
		text += map[rune]string{'(': ")", '[': "]", '{': "}", '?': ` : ""`}[open[i]]
	}
	return text
}

// run evaluates an expression in which x has a value. Problems of the expression are an error too.
func run(o expression.Options, text string, x any) (any, error) {
	s := expression.NewScope(o)
	s.AddShape("x", expression.Dynamic())
	p, problems := expression.Compile(text, s, expression.Anything)
	if len(problems) > 0 {
		return nil, fmt.Errorf("%s: %s", problems[0].Message, problems[0].Hint)
	}
	return p.Run(expression.Env{"x": x})
}

// FuzzValues reads what a source may send as a date, a number, a place and a phone number.
func FuzzValues(f *testing.F) {
	for _, text := range []string{"", "---", "2026-08-20", "2026-08-20T10:30:00.5+03:00", "20 Aug 2026 3:04 PM",
		"1.234,5", "-1.28 36.82 1690 5", "0722 000 123", "+", "2026-W5", "1e400", "９", "2026Q1"} {
		f.Add(text, "dd MMM yyyy h:mm a")
		f.Add(text, "yyyyMMdd'T'HHmmss.SSSXXX")
	}
	o := nairobi(f)
	s := expression.NewScope(o)
	s.AddType("x", "")
	var programs []*expression.Program
	for _, text := range []string{
		`date(x)`, `number(x)`, `number(x, ",")`, `number(x, ".")`, `int(x)`, `coordinate(x)`, `phone(x, "KE")`, `phone(x)`,
		`period_end(x)`, `age(x)`, `title(x)`, `similar(x, "Wanjiku")`, `selected_at(x, 1)`,
		`regex_replace(x, "[^0-9]", "$0")`, `substring(x, 1, -1)`, `x > today()`, `add(x, 3, "months")`, `end_of(x, "week")`,
		`period(x, "WeeklySunday")`, `url_encode(squash(x))`, `round(number(x), 3)`,
	} {
		p, problems := expression.Compile(text, s, expression.Text)
		if len(problems) > 0 {
			f.Fatal(problems)
		}
		programs = append(programs, p)
	}
	f.Fuzz(func(t *testing.T, text, format string) {
		for _, p := range programs {
			_, err := p.Run(expression.Env{"x": text})
			var e *expression.RunError
			if err != nil && (!errors.As(err, &e) || e.Code == expression.CodeInternal || len(text) > 8 &&
				strings.Contains(err.Error(), text)) {
				t.Fatalf("%s of %q: %v", p.Text(), text, err)
			}
		}
		if utf8.ValidString(format) && len(format) < 100 {
			v, err := run(o, fmt.Sprintf("format_date(date(x, %q), %q)", format, format), text)
			var e *expression.RunError
			if errors.As(err, &e) && e.Code == expression.CodeInternal || len(expression.AsText(v)) > 100*len(format) {
				t.Fatalf("%q by %q is %v, %v", text, format, v, err)
			}
		}
	})
}
