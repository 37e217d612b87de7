package programrules

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf16"
)

// units are the signs of a text as DHIS2 counts them.
func units(s string) []uint16 { return utf16.Encode([]rune(s)) }

func fromUnits(u []uint16) string { return string(utf16.Decode(u)) }

// texts are the arguments as text, those without a value left out; whole tells whether there was none of these.
func (m *machine) texts(n *node, from int) (out []string, complete bool, err error) {
	complete = true
	for i := from; i < len(n.children); i++ {
		s, err := m.text(n, i)
		if err != nil {
			return nil, false, err
		}
		if s == nil {
			complete = false
			continue
		}
		out = append(out, *s)
	}
	return out, complete, nil
}

func containing(holds func(s string, parts []string) bool) func(*machine, *node) (any, error) {
	return func(m *machine, n *node) (any, error) {
		s, err := m.text(n, 0)
		if err != nil {
			return nil, err
		}
		parts, complete, err := m.texts(n, 1)
		if err != nil {
			return nil, err
		}
		if s == nil || len(n.children) < 2 {
			return nil, fmt.Errorf("%s needs a text and what it is to contain", n.fn.name)
		}
		return complete && holds(*s, parts), nil
	}
}

func concatenate(m *machine, n *node) (any, error) {
	parts, _, err := m.texts(n, 0)
	return strings.Join(parts, ""), err
}

func length(m *machine, n *node) (any, error) {
	s, err := m.text(n, 0)
	if err != nil || s == nil {
		return 0.0, err
	}
	return float64(len(units(*s))), nil
}

func left(m *machine, n *node) (any, error) {
	return m.end(n, func(s []uint16, want int) []uint16 { return s[:min(len(s), want)] })
}

func right(m *machine, n *node) (any, error) {
	return m.end(n, func(s []uint16, want int) []uint16 { return s[max(len(s)-want, 0):] })
}

func (m *machine) end(n *node, cut func(s []uint16, want int) []uint16) (any, error) {
	s, err := m.text(n, 0)
	if err != nil {
		return nil, err
	}
	want, err := m.integer(n, 1)
	switch {
	case err != nil:
		return nil, err
	case s == nil || want == nil:
		return "", nil
	case *want < 0:
		return nil, fmt.Errorf("%s takes a length from 0 on", n.fn.name)
	}
	return fromUnits(cut(units(*s), *want)), nil
}

func split(m *machine, n *node) (any, error) {
	s, err := m.text(n, 0)
	if err != nil {
		return nil, err
	}
	by, err := m.text(n, 1)
	if err != nil {
		return nil, err
	}
	i, err := m.integer(n, 2)
	if err != nil || s == nil || by == nil || i == nil {
		return "", err
	}
	parts := strings.Split(*s, *by)
	for len(parts) > 0 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	if *i < 0 || *i >= len(parts) {
		return "", nil
	}
	return parts[*i], nil
}

func substring(m *machine, n *node) (any, error) {
	s, err := m.text(n, 0)
	if err != nil {
		return nil, err
	}
	from, err := m.integer(n, 1)
	if err != nil {
		return nil, err
	}
	to, err := m.integer(n, 2)
	if err != nil || s == nil {
		return "", err
	}
	u := units(*s)
	a, b := 0, len(u)
	if from != nil {
		a = max(*from, 0)
	}
	if to != nil {
		b = min(*to, len(u))
	}
	if a > b {
		return nil, fmt.Errorf("d2:substring begins after its end")
	}
	return fromUnits(u[a:b]), nil
}

func validatePattern(m *machine, n *node) (any, error) {
	s, err := m.text(n, 0)
	if err != nil {
		return nil, err
	}
	pattern, err := m.pattern(n.children[1])
	if err != nil || s == nil || pattern == nil {
		return false, err
	}
	re, err := compilePattern(*pattern)
	if err != nil {
		return nil, fmt.Errorf("the pattern of d2:validatePattern cannot be read")
	}
	return re.MatchString(*s), nil
}

// pattern: 2.42 and 2.43 resolve escapes before they read a pattern, so that \d is a d to them;
// 2.41 and from 2.44 on do not.
func (m *machine) pattern(arg *node) (*string, error) {
	if raw, ok := rawPattern(arg, m.version); ok {
		return &raw, nil
	}
	v, err := m.eval(arg)
	if err != nil {
		return nil, err
	}
	return toText(v)
}

// literal is the text that an argument is, if it is one.
func literal(arg *node) *node {
	for arg.kind == group && len(arg.children) == 1 {
		arg = arg.children[0]
	}
	if arg.kind == quoted {
		return arg
	}
	return nil
}

func rawPattern(arg *node, version int) (string, bool) {
	if n := literal(arg); n != nil && (version == 41 || version >= 44) {
		return n.raw, true
	}
	return "", false
}

func compilePattern(pattern string) (*regexp.Regexp, error) {
	return regexp.Compile("^(?:" + pattern + ")$")
}

// readablePattern tells of a pattern that Java reads and Go does not, such as one that looks ahead.
func readablePattern(arg *node, version int) error {
	pattern, raw := rawPattern(arg, version)
	if n := literal(arg); n != nil && !raw {
		pattern = n.text
	}
	if _, err := compilePattern(pattern); err != nil {
		return fmt.Errorf("the pattern of d2:validatePattern: %w", errUnsupported)
	}
	return nil
}

func ofUser(has func(User) []string) func(*machine, *node) (any, error) {
	return func(m *machine, n *node) (any, error) {
		want, err := m.text(n, 0)
		if err != nil || want == nil {
			return false, err
		}
		for _, uid := range has(m.scope.user) {
			if uid == *want {
				return true, nil
			}
		}
		return false, nil
	}
}

func inOrgUnitGroup(m *machine, n *node) (any, error) {
	g, err := m.text(n, 0)
	if err != nil || g == nil {
		return false, err
	}
	unit := m.scope.lookup("org_unit")
	return unit != nil && m.scope.set.groups[*g][strings.ReplaceAll(unit.text, "'", "")], nil
}
