package expression_test

import (
	"errors"
	"testing"

	"github.com/culvert/culvert/rules/expression"
)

func BenchmarkFieldTrim(b *testing.B) {
	s, env := formScope(b), formEnv(b)
	for name, text := range map[string]string{
		"field": `trigger.form.visit_date`, "trim": `trim(trigger.form.visit_date)`,
		"condition": `trigger.form["@name"] == "ANC visit" and trigger.form.age != ""`,
		"choice":    `trigger.form.gender == "f" ? "Female" : "Male"`, "date": `date(trigger.form.visit_date) <= today()`,
	} {
		p, problems := expression.Compile(text, s, expression.Text)
		if len(problems) > 0 {
			b.Fatal(problems)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Run(env); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	s := formScope(b)
	for name, text := range map[string]string{
		"field":     `trigger.form.visit_date`,
		"condition": `trigger.form["@name"] == "ANC visit" and upper(trim(trigger.form.gender)) == "F"`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, problems := expression.Compile(text, s, expression.Anything); len(problems) > 0 {
					b.Fatal(problems)
				}
			}
		})
	}
}

func FuzzCompile(f *testing.F) {
	for _, doc := range expression.Functions() {
		for _, e := range doc.Examples {
			f.Add(e.Expression)
		}
	}
	for _, text := range []string{"", "trigger.form.", "((", `"`, "1..2", "#", "a ?? b", "let x = 1; x", "{{a}}",
		"filter(trigger.form.child, filter(#, true))", "“", "a.b-c", "if true {1} else {2}", "1<2<3", "::x()", "\xff"} {
		f.Add(text)
	}
	s, env := formScope(f), formEnv(f)
	f.Fuzz(func(t *testing.T, text string) {
		length := len([]rune(text))
		for _, want := range []expression.Want{expression.Anything, expression.Condition, expression.List, expression.Text} {
			p, problems := expression.Compile(text, s, want)
			if (p == nil) != (len(problems) > 0) {
				t.Fatalf("%q: %v and %v", text, p, problems)
			}
			for _, problem := range problems {
				if problem.From < 0 || problem.To < problem.From || problem.To > length || problem.Message == "" ||
					problem.Code == "" || problem.Code == expression.CodeInternal {
					t.Fatalf("%q: %+v", text, problem)
				}
			}
			if p == nil {
				continue
			}
			v, err := p.Run(env)
			var e *expression.RunError
			if err != nil && (!errors.As(err, &e) || e.Code == expression.CodeInternal || e.From < 0 || e.To > length ||
				e.To < e.From) {
				t.Fatalf("%q: %#v", text, err)
			}
			if _, isBool := v.(bool); want == expression.Condition && err == nil && !isBool {
				t.Fatalf("%q: the condition is %v", text, v)
			}
		}
	})
}
