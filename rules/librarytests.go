package rules

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/yamlnode"
)

// FunctionTest is one test of a function.
type FunctionTest struct {
	Function string
	Text     string // of the call
	Place    diag.Place

	call  *Expr // nil: it is wrong, which was reported
	gives *yamlnode.Node
	fail  string
	now   time.Time
	rule  *Rule // whose clock the call goes by
}

// testsOf compiles the tests of a function.
func (l *libraryCompiler) testsOf(f *Function) {
	for _, n := range l.tests[f.Name] {
		if n.Kind != yamlnode.Mapping {
			continue // the schema has said so
		}
		call := n.Get("call")
		t := &FunctionTest{Function: f.Name, Place: n.Place(), gives: n.Get("gives"), rule: l.rule}
		if fail := n.Get("fail"); isValue(fail) {
			t.fail = fail.Value
		}
		if isValue(call) {
			t.Text, t.Place = call.Value, call.Place()
		}
		switch {
		case t.fail != "" && t.gives != nil:
			l.fault(n.Key("fail").Place(), "test-expects", fmt.Sprintf("the test %q expects both a value and a failure", t.Text),
				"keep gives: or fail:")
		case t.fail == "" && t.gives == nil:
			l.warn(t.Place, "test-expects", fmt.Sprintf("the test %q expects nothing", t.Text), "add gives: or fail:")
		}
		if v := n.Get("now"); isValue(v) {
			at := &Test{}
			l.testTime(at, v)
			t.now = at.Now
		}
		if s := l.newLibraryScope(nil); call != nil && s != nil {
			l.compiler.scope = s
			t.call = l.expr(call, s, expression.Anything)
		}
		f.Tests = append(f.Tests, t)
	}
}

// Gives is the text that the call must give; empty where the test expects something else.
func (t *FunctionTest) Gives() string {
	if t.gives == nil || t.gives.Kind != yamlnode.Scalar {
		return ""
	}
	return t.gives.Value
}

// Run makes the call and says what differs from what the test expects; nothing when it passes. otherwise is
// the time of a test that names none.
func (t *FunctionTest) Run(otherwise time.Time) (problems []string) {
	if t.call == nil {
		return []string{"the call has a mistake: see `culvert validate`"}
	}
	at := t.now
	if at.IsZero() {
		at = otherwise
	}
	t.rule.FixClock(at)
	defer t.rule.FixClock(time.Time{})
	got, err := t.call.Eval(t.rule.Begin(Input{}))
	var failure *Failure
	switch errors.As(err, &failure); {
	case err != nil && t.fail == "":
		return []string{fmt.Sprintf("it fails: %s", err)}
	case err != nil && failure != nil && failure.Code != t.fail:
		return []string{fmt.Sprintf("it fails with %s, not %s: %s", failure.Code, t.fail, err)}
	case err != nil:
		return nil
	case t.fail != "":
		return []string{fmt.Sprintf("it gives %s and does not fail with %s", shown(got), t.fail)}
	case !says(t.gives, got):
		return []string{fmt.Sprintf("it gives %s, not %s", shown(got), shown(t.gives.Plain()))}
	}
	return nil
}

// shown writes a value for a message.
func shown(v any) string {
	if expression.IsBlank(v) {
		return "nothing"
	}
	switch v := v.(type) {
	case []any:
		return fmt.Sprintf("a list of %d: %s", len(v), expression.AsText(v))
	case map[string]any:
		return fmt.Sprintf("an object: %v", v)
	}
	return strconv.Quote(expression.AsText(v))
}

// says tells whether a value is what a test expects: by its text, by its number, and of lists and
// objects by each part.
func says(want *yamlnode.Node, got any) bool {
	switch {
	case want.IsNull():
		return expression.IsBlank(got)
	case want.Kind == yamlnode.Sequence:
		list, ok := got.([]any)
		return ok && slices.EqualFunc(want.Items(), list, says)
	case want.Kind == yamlnode.Mapping:
		fields, ok := got.(map[string]any)
		if !ok || len(fields) != len(want.Pairs()) {
			return false
		}
		return !slices.ContainsFunc(want.Pairs(), func(p yamlnode.Pair) bool {
			v, there := fields[p.Key.Value]
			return !there || !says(p.Value, v)
		})
	}
	text := expression.AsText(got)
	if text == want.Value {
		return true
	}
	a, err := strconv.ParseFloat(text, 64)
	b, also := strconv.ParseFloat(want.Value, 64)
	return err == nil && also == nil && a == b
}
