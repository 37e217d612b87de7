package programrules

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// function is one of DHIS2's d2: functions. takes has a letter for each argument (see
// parser.argument); + lets the last one repeat.
type function struct {
	name, takes string
	from        int  // the version of DHIS2 that it came with, 41 for 2.41; 0: always there
	newer       bool // rules know it from the expression-parser of 2.43 on, which 2.41 was given too
	run         func(m *machine, n *node) (any, error)
}

// functions is filled once, below; it holds every function that DHIS2 lets program rules use.
var functions = table()

func table() map[string]*function {
	all := []*function{
		{name: "d2:condition", takes: "pee", run: condition},
		{name: "d2:contains", takes: "ee+", from: 41, run: containing(func(s string, parts []string) bool {
			for _, p := range parts {
				if !strings.Contains(s, p) {
					return false
				}
			}
			return true
		})},
		{name: "d2:containsItems", takes: "ee+", from: 41, run: containing(func(s string, parts []string) bool {
			items := map[string]bool{}
			for _, it := range strings.Split(s, ",") {
				items[it] = true
			}
			for _, p := range parts {
				if !items[p] {
					return false
				}
			}
			return true
		})},
		{name: "d2:count", takes: "v", run: ofVariable(func(h *held) (any, error) { return float64(len(h.values())), nil })},
		{name: "d2:countIfValue", takes: "ve", run: countIfValue},
		{name: "d2:countIfZeroPos", takes: "v", run: ofVariable(countIfZeroPos)},
		{name: "d2:maxValue", takes: "v", run: ofVariable(func(h *held) (any, error) { return extreme(h, 1) })},
		{name: "d2:minValue", takes: "v", run: ofVariable(func(h *held) (any, error) { return extreme(h, -1) })},
		{name: "d2:hasValue", takes: "v", run: hasValue},
		{name: "d2:lastEventDate", takes: "e", run: ofVariable(lastEventDate)},
		{name: "d2:daysBetween", takes: "ee", run: between(func(a, b date) int { return int(b - a) })},
		{name: "d2:weeksBetween", takes: "ee", run: between(func(a, b date) int { return int(b-a) / 7 })},
		{name: "d2:monthsBetween", takes: "ee", run: between(date.monthsTo)},
		{name: "d2:yearsBetween", takes: "ee", run: between(func(a, b date) int { return a.monthsTo(b) / 12 })},
		{name: "d2:minutesBetween", takes: "ee", newer: true,
			run: between(func(a, b date) int { return int(b-a) * 24 * 60 })},
		{name: "d2:addDays", takes: "ee", run: addDays},
		{name: "d2:ceil", takes: "e", run: ofNumber(math.Ceil)},
		{name: "d2:floor", takes: "e", run: ofNumber(math.Floor)},
		{name: "d2:oizp", takes: "e", run: oizp},
		{name: "d2:zing", takes: "e", run: zing},
		{name: "d2:zpvc", takes: "e+", run: zpvc},
		{name: "d2:round", takes: "ei", run: round},
		{name: "d2:modulus", takes: "ee", run: modulus},
		{name: "d2:concatenate", takes: "e+", run: concatenate},
		{name: "d2:length", takes: "e", run: length},
		{name: "d2:left", takes: "ee", run: left},
		{name: "d2:right", takes: "ee", run: right},
		{name: "d2:split", takes: "eee", run: split},
		{name: "d2:substring", takes: "eee", run: substring},
		{name: "d2:validatePattern", takes: "ee", run: validatePattern},
		{name: "d2:extractDataMatrixValue", takes: "ee", run: extractDataMatrix},
		{name: "d2:hasUserRole", takes: "e", run: ofUser(func(u User) []string { return u.Roles })},
		{name: "d2:inUserGroup", takes: "e", from: 41, run: ofUser(func(u User) []string { return u.Groups })},
		{name: "d2:inOrgUnitGroup", takes: "e", run: inOrgUnitGroup},
		{name: "d2:zScoreHFA", takes: "eee", run: zScore("hfa")},
		{name: "d2:zScoreWFA", takes: "eee", run: zScore("wfa")},
		{name: "d2:zScoreWFH", takes: "eee", run: zScore("wfh")},
	}
	out := make(map[string]*function, len(all))
	for _, f := range all {
		out[f.name] = f
	}
	return out
}

// Arguments, converted. A missing one has no value.

func (m *machine) text(n *node, i int) (*string, error) {
	v, err := m.child(n, i)
	if err != nil {
		return nil, err
	}
	return toText(v)
}

func (m *machine) number(n *node, i int) (*float64, error) {
	v, err := m.child(n, i)
	if err != nil {
		return nil, err
	}
	return toNumber(v)
}

func (m *machine) integer(n *node, i int) (*int, error) {
	f, err := m.number(n, i)
	if err != nil || f == nil {
		return nil, err
	}
	if !whole(*f) {
		return nil, fmt.Errorf("%s takes a whole number, not %s", n.fn.name, numberText(*f))
	}
	x := toInt(*f)
	return &x, nil
}

func (m *machine) date(n *node, i int) (*date, error) {
	v, err := m.child(n, i)
	if err != nil {
		return nil, err
	}
	return toDate(v)
}

// held is the variable that an argument is or names; nil when there is none.
func (m *machine) held(n *node, i int) (*held, error) {
	v, err := m.child(n, i)
	if err != nil {
		return nil, err
	}
	switch x := v.(type) {
	case nil:
		return nil, nil
	case string:
		return m.scope.lookup(x), nil
	case *held:
		return x, nil
	}
	return nil, fmt.Errorf("%s takes a variable", n.fn.name)
}

func (h *held) values() []string {
	if h == nil {
		return nil
	}
	return h.candidates
}

func ofVariable(f func(h *held) (any, error)) func(*machine, *node) (any, error) {
	return func(m *machine, n *node) (any, error) {
		h, err := m.held(n, 0)
		if err != nil {
			return nil, err
		}
		return f(h)
	}
}

// hasValue is false, and not an error, for a variable that does not exist.
func hasValue(m *machine, n *node) (any, error) {
	h, err := m.held(n, 0)
	return err == nil && h != nil && h.has, nil
}

func countIfValue(m *machine, n *node) (any, error) {
	h, err := m.held(n, 0)
	if err != nil {
		return nil, err
	}
	want, err := m.text(n, 1)
	if err != nil {
		return nil, err
	}
	count := 0.0
	for _, v := range h.values() {
		if want != nil && v == *want {
			count++
		}
	}
	return count, nil
}

func countIfZeroPos(h *held) (any, error) {
	count := 0.0
	for _, v := range h.values() {
		f, err := parseDouble(v)
		if err != nil {
			return nil, err
		}
		if f >= 0 {
			count++
		}
	}
	return count, nil
}

func extreme(h *held, sign float64) (any, error) {
	best := math.NaN()
	for i, v := range h.values() {
		f, err := parseDouble(v)
		if err != nil {
			return nil, err
		}
		if i == 0 || math.IsNaN(f) || f*sign > best*sign {
			best = f
		}
	}
	return best, nil
}

func lastEventDate(h *held) (any, error) {
	if h == nil || h.eventDate == "" {
		return nil, nil
	}
	return orNil(toDate(h.eventDate))
}

func condition(m *machine, n *node) (any, error) {
	v, err := m.child(n, 0)
	if err != nil {
		return nil, err
	}
	holds, err := toBool(v)
	if err != nil {
		return nil, err
	}
	var sides [2]any // both are evaluated, and either may fail
	for i := range sides {
		v, err := m.child(n, i+1)
		if err != nil {
			return nil, err
		}
		if sides[i], err = plain(v); err != nil {
			return nil, err
		}
	}
	if holds != nil && *holds {
		return sides[0], nil
	}
	return sides[1], nil
}

func between(f func(a, b date) int) func(*machine, *node) (any, error) {
	return func(m *machine, n *node) (any, error) {
		a, err := m.date(n, 0)
		if err != nil {
			return nil, err
		}
		b, err := m.date(n, 1)
		if err != nil {
			return nil, err
		}
		if a == nil || b == nil {
			return nil, fmt.Errorf("%s needs two dates", n.fn.name)
		}
		return float64(f(*a, *b)), nil
	}
}

func addDays(m *machine, n *node) (any, error) {
	d, err := m.date(n, 0)
	if err != nil {
		return nil, err
	}
	days, err := m.number(n, 1)
	switch {
	case err != nil || d == nil:
		return nil, err
	case days == nil:
		return *d, nil
	}
	return *d + date(toInt(*days)), nil
}

func ofNumber(f func(float64) float64) func(*machine, *node) (any, error) {
	return func(m *machine, n *node) (any, error) {
		x, err := m.number(n, 0)
		if err != nil {
			return nil, err
		}
		if x == nil {
			return 0.0, nil
		}
		return f(*x), nil
	}
}

func oizp(m *machine, n *node) (any, error) {
	x, err := m.number(n, 0)
	if err != nil {
		return nil, err
	}
	if x != nil && *x >= 0 {
		return 1.0, nil
	}
	return 0.0, nil
}

func zing(m *machine, n *node) (any, error) {
	x, err := m.number(n, 0)
	if err != nil || x == nil {
		return nil, err
	}
	if *x < 0 {
		return 0.0, nil
	}
	return *x, nil
}

func zpvc(m *machine, n *node) (any, error) {
	count := 0.0
	for i := range n.children {
		x, err := m.number(n, i)
		if err != nil {
			return nil, err
		}
		if x != nil && *x >= 0 {
			count++
		}
	}
	return count, nil
}

// round: half away from zero.
func round(m *machine, n *node) (any, error) {
	x, err := m.number(n, 0)
	if err != nil {
		return nil, err
	}
	if x == nil || special(*x) {
		return math.NaN(), nil
	}
	digits := 0
	if len(n.children) > 1 {
		d, err := m.integer(n, 1)
		if err != nil {
			return nil, err
		}
		digits = *d
	}
	if digits < 0 || digits > 300 {
		return nil, fmt.Errorf("d2:round takes a number of decimals from 0 on")
	}
	f, err := strconv.ParseFloat(decimalOf(*x).FloatString(digits), 64)
	return f, err
}

func modulus(m *machine, n *node) (any, error) {
	x, err := m.number(n, 0)
	if err != nil {
		return nil, err
	}
	y, err := m.number(n, 1)
	if err != nil || x == nil || y == nil {
		return nil, missing(err, "an argument of d2:modulus")
	}
	return arithmetic("%", *x, *y), nil
}
