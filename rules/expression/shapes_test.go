package expression_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules/expression"
)

func TestWants(t *testing.T) {
	s, env := formScope(t), formEnv(t)
	for _, c := range []struct {
		text string
		want expression.Want
		give string
	}{
		{`extra.flag`, expression.Condition, `false`},
		{`trigger.is_phone_submission`, expression.Condition, `true`},
		{`trigger.form.visits`, expression.List, `1`},
		{`trigger.form.child`, expression.List, `2`},
		{`extra.none`, expression.List, `0`},
		{`clinic.ancestors`, expression.List, `1`},
		{`split(trigger.form.symptoms)`, expression.List, `2`},
	} {
		p, problems := expression.Compile(c.text, s, c.want)
		if len(problems) > 0 {
			t.Errorf("%s: %v", c.text, problems)
			continue
		}
		v, err := p.Run(env)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		got := fmt.Sprint(v)
		if list, ok := v.([]any); ok {
			got = fmt.Sprint(len(list))
		}
		if got != c.give {
			t.Errorf("%s gives %s, want %s", c.text, got, c.give)
		}
	}
}

func TestWhatAProgramTells(t *testing.T) {
	s := formScope(t)
	p, problems := expression.Compile(`sex(trigger.form.gender) + clinic.parent.name + trigger.form["@name"] + `+
		`trigger.form.visit_date`, s, expression.Text)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if diff := cmp.Diff([]string{"clinic", "sex", "trigger"}, p.Uses()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"clinic.parent.name", "trigger.form.gender", "trigger.form.visit_date",
		`trigger.form["@name"]`}, p.Paths()); diff != "" {
		t.Error(diff)
	}
	for text, fields := range map[string]string{"trigger.form.child": "age name", "trigger.form.visits": "date kept",
		"filter(trigger.form.child, .age == '2')": "age name"} {
		p, problems := expression.Compile(text, s, expression.List)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if got := strings.Join(p.ShapeOfResult().Fields(""), " "); got != fields {
			t.Errorf("an item of %s has %s, want %s", text, got, fields)
		}
	}
	for text, want := range map[string]string{`1 == 2`: "false", `true or trigger.form.age == ""`: "true",
		`"a" in ["a"]`: "true", `upper("a")`: "A",
		`trigger.form.gender == "f" and trigger.form.age == "3" and "m" == trigger.form.gender`: "false",
		`trigger.form.gender == "f" and trigger.form.gender == ""`:                              "false"} {
		p, problems := expression.Compile(text, s, expression.Anything)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if v, ok := p.Constant(); !ok || fmt.Sprint(v) != want {
			t.Errorf("%s is %v, %v, want %s", text, v, ok, want)
		}
	}
	for _, text := range []string{"now()", "today() == '2026-08-20'", "trigger.form.age", "age('2020-01-01')",
		`trigger.form.gender == "f" and trigger.form.gender == "f"`,
		`trigger.form.gender == "f" or trigger.form.gender == "m"`} {
		p, problems := expression.Compile(text, s, expression.Anything)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if v, ok := p.Constant(); ok {
			t.Errorf("%s is always %v", text, v)
		}
	}
}

func TestShapes(t *testing.T) {
	var one, many map[string]any
	if err := json.Unmarshal([]byte(`{"child": {"name": "A"}, "n": 1, "maybe": null, "empty": {}, "only_one": "x"}`),
		&one); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(`{"child": [{"name": "A", "age": "2"}], "n": "1", "maybe": "x", "empty": {"a": 1}}`),
		&many); err != nil {
		t.Fatal(err)
	}
	shape := expression.ShapeOf(one, many)
	if got := strings.Join(shape.Fields("child"), " "); got != "age name" {
		t.Errorf("child has %s", got)
	}
	if got := strings.Join(shape.Fields(""), " "); got != "child empty maybe n only_one" {
		t.Errorf("the body has %s", got)
	}
	s := expression.NewScope(nairobi(t))
	s.AddShape("trigger", shape)
	for text, problem := range map[string]string{
		"trigger.child[0].age": "", "trigger.n + 1": "", "upper(trigger.n)": "", "trigger.maybe + 'x'": "",
		"trigger.maybe + 1": expression.CodeWrongType, "trigger.empty.b": expression.CodeUnknownField,
		"trigger.child.name": expression.CodeWrongType, "first(trigger.child).name": "", "trigger.only_one": "",
	} {
		_, problems := expression.Compile(text, s, expression.Anything)
		code := ""
		if len(problems) > 0 {
			code = problems[0].Code
		}
		if code != problem {
			t.Errorf("%s: %v, want %q", text, problems, problem)
		}
	}
	for _, c := range []struct{ path, typ, err string }{
		{"child.weight", "number", ""}, {`new["@x"].y`, "text", ""}, {"n.x", "text", "can have no fields"},
		{"only_one", "object", "is text in the sample"}, {"only_one", "number", ""},
		{"x", "string", "is not a type"}, {"", "text", "needs a name"}, {"a..b", "text", "not a path"},
		{"a.", "text", "ends with a dot"}, {`a["x`, "text", "not a path"},
	} {
		err := shape.Declare(c.path, c.typ)
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s as %s: %v, want %q", c.path, c.typ, err, c.err)
		}
	}
	if _, problems := expression.Compile(`trigger.new["@x"].y + text(first(trigger.child).weight)`, s,
		expression.Text); len(problems) > 0 {
		t.Error(problems)
	}
}

// Forms and spreadsheets send everything as text; a declared field is read as its type.
func TestDeclaredFields(t *testing.T) {
	row := map[string]any{"age": "", "born": "", "kept": "", "code": 5, "list": []any{map[string]any{"n": ""}}}
	shape := expression.ShapeOf(row)
	for path, typ := range map[string]string{"age": "number", "born": "date", "kept": "boolean", "code": "number",
		"new": "number", "list.n": "number", "label": "text", "o.x": "date"} {
		if err := shape.Declare(path, typ); err != nil {
			t.Fatal(err)
		}
	}
	s := expression.NewScope(nairobi(t))
	s.AddShape("trigger", shape)
	env := expression.Env{"trigger": map[string]any{"age": " 25", "born": "2001-02-03", "kept": "Yes", "code": 5,
		"list": []any{map[string]any{"n": "2.5"}, map[string]any{}}, "label": 7}}
	for text, want := range map[string]string{
		"trigger.age > 5 and trigger.age < 100": "true", "trigger.age": "25", "trigger['age'] + 1": "26",
		"trigger.born": `date("2001-02-03")`, "year(trigger.born)": "2001",
		"trigger.born < '2020-01-01'": "true", "trigger.kept": "true", "not trigger.kept": "false", "trigger.new": "nil",
		"trigger.new > 5": "false", "sum(trigger.list, .n)": "2.5",
		"trigger.list[0].n": "2.5", "trigger.label + 'x'": `"7x"`, "trigger.o.x": "nil", "let r = trigger; r.age + 1": "26",
		"sum(map(trigger.list, .n))": "2.5",
	} {
		v, err := eval(t, s, text, env)
		if err != nil || show(v) != want {
			t.Errorf("%s is %s, %v, want %s", text, show(v), err, want)
		}
	}
	p, problems := expression.Compile("trigger.age + 1", s, expression.Anything)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var e *expression.RunError
	if _, err := p.Run(expression.Env{"trigger": map[string]any{"age": "old"}}); !errors.As(err, &e) ||
		e.Names[0] != "trigger.age" || e.To != len("trigger.age") {
		t.Errorf("text in a number gives %#v", err)
	}
	if _, err := p.Run(expression.Env{"trigger": map[string]any{"age": true}}); !errors.As(err, &e) ||
		e.Code != expression.CodeWrongType {
		t.Errorf("yes/no in a number gives %#v", err)
	}
}
