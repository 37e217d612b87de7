package tracker

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
	"github.com/culvert/culvert/actions/dhis2/sandbox/valuetype"
)

// valueFilter is one filter on the value of an attribute or data element: uid[:op:value]...
type valueFilter struct {
	uid   string
	tests []valueTest
}

type valueTest struct {
	op, value string          // the value in lower case
	oneOf     map[string]bool // of the operator in
	negated   bool
}

var valueOperators = catalog.SetOf([]string{"eq", "ieq", "ne", "neq", "gt", "ge", "lt", "le", "like", "sw", "ew", "in",
	"ilike", "null"})

// splitEscaped splits at a separator that no / stands before.
func splitEscaped(s string, sep byte) []string {
	var out []string
	start := 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '/' && i+1 < len(s):
			i++
		case s[i] == sep:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '/' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// parseValueFilters reads filter parameters (DHIS2 FilterParser).
func parseValueFilters(params []string) ([]valueFilter, string) {
	var out []valueFilter
	for _, param := range params {
		for _, text := range splitEscaped(param, ',') {
			if text == "" {
				continue
			}
			parts := splitEscaped(text, ':')
			f := valueFilter{uid: parts[0]}
			for i := 1; i < len(parts); {
				if parts[i] == "" && i == 1 && len(parts) == 2 { // uid: is the same as uid
					break
				}
				t, ok := operatorOf(parts[i])
				if !ok {
					return nil, "Query item or filter is invalid: " + text
				}
				if t.op == "null" {
					i++
					f.tests = append(f.tests, t)
					continue
				}
				if i+1 >= len(parts) {
					return nil, "Query item or filter is invalid: " + text
				}
				t.value = strings.ToLower(unescape(parts[i+1]))
				if t.op == "in" { // it is asked of everybody there is
					t.oneOf = catalog.SetOf(strings.Split(t.value, ";"))
				}
				f.tests = append(f.tests, t)
				i += 2
			}
			out = append(out, f)
		}
	}
	return out, ""
}

// operatorOf reads an operator (DHIS2 QueryOperator.fromString).
func operatorOf(text string) (valueTest, bool) {
	op := strings.ToLower(text)
	t := valueTest{op: op}
	switch op {
	case "ne", "neq", "!eq", "!ieq", "nieq":
		t.op, t.negated = "eq", true
	case "!like", "nlike", "!ilike", "nilike":
		t.op, t.negated = "like", true
	case "!null", "nnull":
		t.op, t.negated = "null", true
	case "!in", "!sw", "!ew":
		return t, false
	}
	return t, valueOperators[t.op]
}

// fits tells whether what a filter compares with is of the kind that it is compared as: a number
// where values are numbers.
func (f valueFilter) fits(kind string) bool {
	if !numericKinds[kind] {
		return true
	}
	for _, t := range f.tests {
		values := []string{t.value}
		switch t.op {
		case "null", "like", "ilike", "sw", "ew", "ieq":
			continue
		case "in":
			values = strings.Split(t.value, ";")
		}
		for _, v := range values {
			if _, err := strconv.ParseFloat(strings.TrimSpace(v), 64); err != nil {
				return false
			}
		}
	}
	return true
}

// filtersFit refuses filters that compare numbers with what is none, from 2.42 on.
func (c *call) filtersFit(filters []valueFilter, kind func(uid string) string) *rest.Problem {
	for _, f := range filters {
		if c.Version >= 42 && !f.fits(kind(f.uid)) {
			return rest.Refuse(http.StatusBadRequest, "", "filter is invalid: the values of %s are numbers", f.uid)
		}
	}
	return nil
}

var numericKinds = catalog.SetOf(strings.Fields("NUMBER INTEGER INTEGER_POSITIVE INTEGER_NEGATIVE " +
	"INTEGER_ZERO_OR_POSITIVE PERCENTAGE UNIT_INTERVAL"))

// passes compares without regard to case, as DHIS2 does.
func (f valueFilter) passes(value string, has bool) bool {
	if len(f.tests) == 0 {
		return true
	}
	for _, t := range f.tests {
		if t.op == "null" {
			if has == !t.negated {
				return false
			}
			continue
		}
		if !has || t.holds(value) == t.negated {
			return false
		}
	}
	return true
}

func (t valueTest) holds(value string) bool {
	a, b := strings.ToLower(value), t.value
	switch t.op {
	case "eq", "ieq":
		return a == b
	case "gt":
		return valuetype.Compare(a, b) > 0
	case "ge":
		return valuetype.Compare(a, b) >= 0
	case "lt":
		return valuetype.Compare(a, b) < 0
	case "le":
		return valuetype.Compare(a, b) <= 0
	case "like", "ilike":
		return strings.Contains(a, b)
	case "sw":
		return strings.HasPrefix(a, b)
	case "ew":
		return strings.HasSuffix(a, b)
	case "in":
		return t.oneOf[a]
	}
	return false
}

// named gives the values, in lower case, one of which passes the test; false where a test does not name them.
func (t valueTest) named() ([]string, bool) {
	switch {
	case t.negated:
		return nil, false
	case t.op == "eq" || t.op == "ieq":
		return []string{t.value}, true
	case t.op == "in":
		var out []string
		for value := range t.oneOf {
			out = append(out, value)
		}
		return out, true
	}
	return nil, false
}

// namedBy gives the values that filters name.
func namedBy(filters []valueFilter) []store.NamedValues {
	var out []store.NamedValues
	for _, f := range filters {
		for _, t := range f.tests {
			if values, ok := t.named(); ok {
				out = append(out, store.NamedValues{Attribute: f.uid, Values: values})
			}
		}
	}
	return out
}
