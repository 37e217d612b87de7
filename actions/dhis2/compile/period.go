package compile

import (
	"fmt"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/value"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/dateformat"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/period"
)

// periodField is the period of aggregate data: a period of the data set's type, or a day in it.
type periodField struct {
	*rules.Field
	w      *env
	set    *metadata.DataSet
	layout *dateformat.Format // nil: ISO
	fixed  *period.Period
}

// period compiles the key period. A fixed one is checked against the data set; nil: it is not known yet.
func (c *compiler) period(set *metadata.DataSet) *periodField {
	n := c.node("period")
	if n == nil {
		hint := "give a day, or a period of the data set's type"
		if set != nil {
			hint = "give a day, or a period of the type " + set.PeriodType
		}
		c.missing("period", hint)
		return nil
	}
	f := c.fieldOf("period", n)
	if f == nil {
		return nil
	}
	p := &periodField{Field: f, w: c.env, set: set}
	if f.Format != "" {
		layout, err := dateformat.Compile(f.Format)
		if err != nil {
			c.errorAt(f.FormatPlace, "bad-format", formatHint(err), "the format of \"period\" %s", err.Error())
			return nil
		}
		p.layout = layout
	}
	if set == nil {
		return p // judged when the record says which data set it is
	}
	if _, err := period.Of(c.o.Now(), set.PeriodType); err != nil {
		c.errorAt(n.Place(), "unknown-period-type", "update Culvert, or change the data set",
			"the data set %q has the period type %q, which is not known", set.Name, set.PeriodType)
		return nil
	}
	if f.From != nil {
		return p
	}
	literal, _ := f.Literal()
	fixed, problem := p.read(literal)
	if problem != nil {
		c.errorAt(literalPlace(n), problem.Code, problem.Hint, "the period %s", problem.Message)
		return nil
	}
	p.fixed = &fixed
	return p
}

// eval gives the period of one record, and the moment within it that the record speaks of (the
// period's start when it names the period only). The error is a *rules.Failure.
func (f *periodField) eval(s *rules.Scope) (period.Period, time.Time, error) {
	if f.fixed != nil {
		return *f.fixed, f.fixed.Start, f.open(*f.fixed, nil)
	}
	r, err := f.Field.Eval(s)
	if err != nil {
		return period.Period{}, time.Time{}, err
	}
	if r.Blank {
		return period.Period{}, time.Time{}, f.fail(&diag.Problem{Code: "blank-value", Message: "is blank",
			Hint: "fill it in at the source, or give a default in the rule"}, nil)
	}
	p, problem := f.read(r.Value)
	if problem != nil {
		return p, time.Time{}, f.fail(problem, r.Value)
	}
	traceFound(s, f.Field, r.Value, p.ISO())
	at := p.Start
	if t, ok := r.Value.(time.Time); ok {
		at = t
	} else if t, _, ok := value.Date(r.Value, f.layout, f.w.context); ok {
		at = t
	}
	return p, at, f.open(p, r.Value)
}

func (f *periodField) fail(p *diag.Problem, in any) *rules.Failure {
	failure := &rules.Failure{Problem: diag.Problem{Code: p.Code, Place: placeOf(f.Field), Field: "period",
		Message: `"period" ` + p.Message,
		Hint:    p.Hint}}
	if in != nil {
		failure.Value = private(in)
	}
	return failure
}

// read takes a period of the data set's type, or a day.
func (f *periodField) read(v any) (period.Period, *diag.Problem) {
	wrong := &diag.Problem{Code: "wrong-period", Message: fmt.Sprintf("is neither a day nor a period of the type %s",
		f.set.PeriodType), Hint: "give a date, with format: when it is not ISO, or a period such as " + f.example()}
	if text, ok := value.Text(v, f.w.context); ok && f.layout == nil {
		parsed, err := period.Parse(strings.TrimSpace(text))
		switch {
		case err == nil && parsed.Type == f.set.PeriodType:
			return parsed, nil
		case err == nil && parsed.Type != "Daily":
			return parsed, &diag.Problem{
				Code:    "wrong-period-type",
				Message: fmt.Sprintf("is of the type %s, but the data set %q takes %s", parsed.Type, f.set.Name, f.set.PeriodType),
				Hint:    "give a day, or a period such as " + f.example(),
			}
		}
	}
	t, _, ok := value.Date(v, f.layout, f.w.context)
	if !ok {
		return period.Period{}, wrong
	}
	p, err := period.Of(t, f.set.PeriodType)
	if err != nil {
		return p, wrong
	}
	return p, nil
}

func (f *periodField) example() string {
	p, err := period.Of(f.w.o.Now(), f.set.PeriodType)
	if err != nil {
		return "202601"
	}
	return p.Previous().ISO()
}

// open refuses periods that the data set does not take yet: without open future periods the running
// one is closed (E7641 before 2.43, which takes any). Being strict everywhere keeps half a month's
// figures from passing as a month's.
func (f *periodField) open(p period.Period, in any) error {
	last, err := period.Of(f.w.o.Now().In(f.w.o.Zone), f.set.PeriodType)
	if err != nil {
		return nil
	}
	last = last.Previous()
	for range min(f.set.OpenFuturePeriods, 1000) {
		last = last.Next()
	}
	if !p.Start.After(last.Start) {
		return nil
	}
	return f.fail(&diag.Problem{
		Code:    "future-period",
		Message: fmt.Sprintf("is not open yet in the data set %q: the last open one is %s", f.set.Name, last.ISO()),
		Hint:    "send it once the period is over, or give the data set open future periods in DHIS2 and sync",
	}, in)
}

// dayOf is the day by which org units and category options are judged.
func dayOf(p period.Period) time.Time { return p.Start }
