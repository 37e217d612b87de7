package rules

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
)

// ValueMap maps incoming values to DHIS2 values.
type ValueMap struct {
	Name  string // empty for a map that stands in a field
	Place diag.Place

	exact   map[string]string
	ranges  []numberRange
	policy  otherPolicy
	other   string // of policyValue
	folded  bool
	outputs []MapOutput
	file    string   // of a map in a CSV file
	between *pairing // of a map between two servers
}

// otherPolicy says what a value does that is not in the map.
type otherPolicy int

const (
	policyFail otherPolicy = iota
	policyDefault
	policyPass
	policyBlank
	policyValue
)

var policyNames = []string{"default", "pass", "blank", "fail"}

func policyOf(word string) (otherPolicy, bool) {
	switch word {
	case "default":
		return policyDefault, true
	case "pass":
		return policyPass, true
	case "blank":
		return policyBlank, true
	case "fail":
		return policyFail, true
	}
	return policyFail, false
}

// MapOutput is one right-hand side of a value map.
type MapOutput struct {
	In, Out string
	Place   diag.Place
}

// Outputs gives every right-hand side with its place, for checks against option sets.
func (m *ValueMap) Outputs() []MapOutput { return m.outputs }

// numberRange is a key such as "0-4" or ">=5".
type numberRange struct {
	low, high         float64
	lowOpen, highOpen bool // the end itself does not belong to it
	text, out         string
	place             diag.Place
}

func (r numberRange) holds(f float64) bool {
	return (f > r.low || f == r.low && !r.lowOpen) && (f < r.high || f == r.high && !r.highOpen)
}

func (r numberRange) overlaps(o numberRange) bool {
	return (r.low < o.high || r.low == o.high && !r.lowOpen && !o.highOpen) &&
		(o.low < r.high || o.low == r.high && !o.lowOpen && !r.highOpen)
}

var (
	betweenPattern = regexp.MustCompile(`^(-?\d+(?:\.\d+)?)\s*(?:-|\.\.)\s*(-?\d+(?:\.\d+)?)$`)
	comparePattern = regexp.MustCompile(`^(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)$`)
)

// parseRange reads a key that is a range of numbers. Both ends of "0-4" belong to it.
func parseRange(key string) (numberRange, bool) {
	r := numberRange{low: math.Inf(-1), high: math.Inf(1), text: key}
	if m := betweenPattern.FindStringSubmatch(key); m != nil {
		r.low, _ = strconv.ParseFloat(m[1], 64)
		r.high, _ = strconv.ParseFloat(m[2], 64)
		return r, true
	}
	m := comparePattern.FindStringSubmatch(key)
	if m == nil {
		return r, false
	}
	n, _ := strconv.ParseFloat(m[2], 64)
	switch m[1] {
	case ">=":
		r.low = n
	case ">":
		r.low, r.lowOpen = n, true
	case "<=":
		r.high = n
	case "<":
		r.high, r.highOpen = n, true
	}
	return r, true
}

// Map gives the value for an incoming one: nil when it becomes blank, or is left to the field's
// default. Blank stays blank. The error is a *Failure without a place.
func (m *ValueMap) Map(v any) (any, error) {
	in := textOf(v)
	if in == "" {
		return nil, nil
	}
	if out, ok := m.find(in); ok {
		if out == "" {
			return nil, nil
		}
		return out, nil
	}
	if list, ok := m.choices(in); ok {
		return list, nil
	}
	switch m.policy {
	case policyPass:
		return v, nil
	case policyBlank, policyDefault:
		return nil, nil
	case policyValue:
		return m.other, nil
	}
	if f := m.unpaired(in); f != nil {
		return nil, f
	}
	f := &Failure{Problem: diag.Problem{
		Code: "unmapped-value", Message: fmt.Sprintf("the value is not in %s", m.label()), Place: m.Place, Value: clip(in),
		Hint: "add the value to the map, or say with other: what becomes of such values; then replay the record",
	}}
	if near := diag.Nearest(in, slices.Sorted(maps.Keys(m.exact))); len(near) > 0 {
		f.Hint = "did you mean " + diag.Names(near, "or") + "? Correct it in the source, or " + f.Hint
	}
	return nil, f
}

func (m *ValueMap) label() string {
	if m.Name == "" {
		return "the value map"
	}
	return fmt.Sprintf("the value map %q", m.Name)
}

// find looks a value up without regard to the policy.
func (m *ValueMap) find(in string) (string, bool) {
	in = strings.TrimSpace(tidy(in))
	key := in
	if m.folded {
		key = foldKey(in)
	}
	if out, ok := m.exact[key]; ok {
		return out, true
	}
	if len(m.ranges) > 0 {
		if f, err := strconv.ParseFloat(in, 64); err == nil {
			for _, r := range m.ranges {
				if r.holds(f) {
					return r.out, true
				}
			}
		}
	}
	return "", false
}

// choices maps the answers of a multiple choice, which forms send with spaces between them: each
// must be in the map, or with `other: blank` at least one, the others being left out.
func (m *ValueMap) choices(in string) ([]any, bool) {
	words := strings.Fields(in)
	if m.between != nil { // as DHIS2 writes the options of a value that has several
		words = strings.Split(in, ",")
	}
	if len(words) < 2 {
		return nil, false
	}
	list := make([]any, 0, len(words))
	known := 0
	for _, word := range words {
		out, ok := m.find(word)
		switch {
		case ok:
			known++
		case m.policy != policyBlank:
			return nil, false
		}
		if out != "" {
			list = append(list, out)
		}
	}
	return list, known > 0
}

// foldKey drops what ignore_case does not regard: case, and how many spaces stand between words.
func foldKey(s string) string { return strings.Join(strings.Fields(strings.ToLower(s)), " ") }

// isCovered tells whether a value is in the map, or the map says what becomes of others.
func (m *ValueMap) isCovered(v any) bool {
	if m.policy != policyFail || expression.IsBlank(v) {
		return true
	}
	_, ok := m.find(textOf(v))
	if !ok {
		_, ok = m.choices(textOf(v))
	}
	return ok
}
