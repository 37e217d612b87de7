// Package rehearsal evaluates rules on samples without sending anything: the tests that rule files
// carry, and one record step by step.
package rehearsal

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"strings"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// Outcome is what one test of a rule came to.
type Outcome struct {
	Rule, Test string
	Place      diag.Place // of the test in its file
	Problems   []string   // one line each, empty: passed
	Got        []map[string]any
	Skipped    bool           // the filter refused every record of the sample
	Failure    *rules.Failure // why a record could not be used, or nil
	Evaluated  bool           // the sample was read and every record of it evaluated
	Took       time.Duration
}

// Passed tells whether the test found what it expected.
func (o Outcome) Passed() bool { return len(o.Problems) == 0 }

// Samples decodes sample files as their trigger would.
type Samples interface {
	// Sample gives the bodies of a sample file of the project, with the files that lie beside it.
	Sample(t *rules.Trigger, file string) ([]any, error)
	// Enclose lays the files beside the trigger's sample into a record that a test writes out.
	Enclose(t *rules.Trigger, bodies []any) error
}

// Clock is the time of tests that name none, so that a test says the same tomorrow.
func Clock() time.Time { return time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC) }

// TestClock is by what the values of tests are checked: the time that a test names, and where it
// names none the later of Clock and the day of today, so that a sample of last week holds no dates
// of the future. Not safe for concurrent use.
type TestClock struct{ at time.Time }

// Now gives the time.
func (c *TestClock) Now() time.Time {
	if !c.at.IsZero() {
		return c.at
	}
	if now := time.Now(); now.After(Clock()) {
		return now
	}
	return Clock()
}

// Tests runs every test of a rule. clock is what the rule's project was loaded with; it is set to
// the time of each test.
func Tests(flow *program.Flow, samples Samples, clock *TestClock) []Outcome {
	var out []Outcome
	defer func() { clock.at = time.Time{} }()
	for _, t := range flow.Rule.Tests {
		start := time.Now()
		clock.at = t.Now
		o := one(flow, samples, t)
		o.Took = time.Since(start)
		out = append(out, o)
	}
	return out
}

// FunctionTests runs the tests of the functions that the rules of a project share.
func FunctionTests(l *rules.Library) (out []Outcome) {
	for _, f := range l.Functions() {
		for _, t := range f.Tests {
			start := time.Now()
			o := Outcome{Rule: f.Name, Test: t.Text, Place: t.Place, Problems: t.Run(Clock()), Evaluated: true}
			o.Took = time.Since(start)
			out = append(out, o)
		}
	}
	return out
}

func one(flow *program.Flow, samples Samples, t *rules.Test) Outcome {
	o := Outcome{Rule: flow.Rule.Name, Test: t.Name, Place: t.Place}
	bodies, err := t.Bodies(func(file string) ([]any, error) { return samples.Sample(&flow.Rule.Trigger, file) })
	if err == nil && t.Record != nil {
		err = samples.Enclose(&flow.Rule.Trigger, bodies)
	}
	if err != nil {
		o.Problems = []string{fmt.Sprintf("the sample %s cannot be read: %v", t.Given, err)}
		return o
	}
	if len(bodies) == 0 {
		o.Problems = []string{fmt.Sprintf("the sample %s holds no record", t.Given)}
		return o
	}
	now := Clock()
	if !t.Now.IsZero() {
		now = t.Now
	}
	flow.Rule.FixClock(now)
	defer flow.Rule.FixClock(time.Time{})
	o.Skipped = true
	for i, body := range bodies {
		source := Source(t.Given, i, len(bodies))
		source["received"] = now
		maps.Copy(source, t.SourceFields())
		e, err := program.Evaluate(flow, rules.Input{Body: body, Source: source, Answers: flow.Rule.SampleAnswers(t.Found)})
		if e.Failure == nil && err == nil {
			e.Failure = e.NoSample()
		}
		if err != nil {
			o.Problems = append(o.Problems, err.Error())
			return o
		}
		if e.Failure != nil {
			o.Failure, o.Skipped, o.Problems = e.Failure, false, failed(t, e.Failure)
			return o
		}
		if e.Skipped {
			continue
		}
		o.Skipped = false
		o.Got = append(o.Got, Describe(e.Plan.Writes)...)
	}
	o.Evaluated = true
	if t.Fail != "" {
		o.Problems = []string{fmt.Sprintf("it was expected to fail with %s, and did not", t.Fail)}
		return o
	}
	o.Problems = compare(t.Expect, o.Got, o.Skipped)
	return o
}

// failed compares a record's failure with the one that the test expects.
func failed(t *rules.Test, f *rules.Failure) []string {
	if t.Fail == f.Code {
		return nil
	}
	words := fmt.Sprintf("it failed with %s at %s: %s", f.Code, f.Place.String(), f.Message)
	if t.Fail != "" {
		words += fmt.Sprintf(" (expected was %s)", t.Fail)
	}
	lines := []string{words}
	if f.Field != "" {
		lines = append(lines, "field: "+f.Field)
	}
	if f.Value != "" {
		lines = append(lines, fmt.Sprintf("value: %q", f.Value))
	}
	if f.Hint != "" {
		lines = append(lines, "fix: "+f.Hint)
	}
	return lines
}

// Source is what expressions see as `source` for a record of a sample.
func Source(file string, index, of int) map[string]any {
	s := map[string]any{"file": path.Base(file), "received": Clock(), "deleted": false}
	if of > 1 {
		s["row"] = index + 2 // as a spreadsheet shows it, the header being row 1
	}
	return s
}

// Describe gives writes by the names that the rule uses.
func Describe(writes []actions.Write) []map[string]any {
	out := make([]map[string]any, 0, len(writes))
	for _, w := range writes {
		out = append(out, w.Object.Describe())
	}
	return out
}

// FileSamples reads samples from a project folder.
type FileSamples struct {
	Loader *project.Loader
	Dir    string
}

// Sample implements Samples.
func (f FileSamples) Sample(t *rules.Trigger, file string) ([]any, error) {
	if file == "" {
		file = t.Sample
	}
	if file == "" {
		return nil, errors.New("neither the test nor the trigger names a sample: save a real record as samples/NAME.json, " +
			"without anybody's data, and write sample: at the trigger, or give the file to `culvert try RULE FILE`")
	}
	return f.Loader.Sample(f.Dir, t, strings.TrimPrefix(file, "./"))
}

// Enclose implements Samples.
func (f FileSamples) Enclose(t *rules.Trigger, bodies []any) error {
	return f.Loader.Enclose(f.Dir, t, t.Sample, bodies)
}

// Finding makes a finding of a record's failure, to be shown with the rule's line.
func Finding(f *rules.Failure) diag.List {
	return diag.List{{Problem: f.Problem}}
}
