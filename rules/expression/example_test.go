package expression_test

import (
	"fmt"

	"github.com/culvert/culvert/rules/expression"
)

func Example() {
	sample := map[string]any{"form": map[string]any{"visit_date": "2026-08-01", "age": "25"}}
	scope := expression.NewScope(expression.Options{})
	scope.AddShape("trigger", expression.ShapeOf(sample))

	_, problems := expression.Compile(`trigger.form.visitdate`, scope, expression.Text)
	fmt.Println(problems[0].From, problems[0].Message, "-", problems[0].Hint)
	_, problems = expression.Compile(`trigger.form.age > 18`, scope, expression.Condition)
	fmt.Println(problems[0].From, problems[0].Message, "-", problems[0].Hint)

	program, _ := expression.Compile(`period(trigger.form.visit_date, "Quarterly")`, scope, expression.Text)
	value, err := program.Run(expression.Env{"trigger": sample})
	fmt.Println(value, err)
	// A form that left the question out gives a blank, not an error.
	value, err = program.Run(expression.Env{"trigger": map[string]any{}})
	fmt.Println(value, err)
	// Output:
	// 13 unknown field "visitdate" of trigger.form - did you mean "visit_date"?
	// 0 > compares two values of one type, and trigger.form.age is text while 18 is a number - write number(trigger.form.age)
	// 2026Q3 <nil>
	// <nil> <nil>
}
