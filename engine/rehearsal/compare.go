package rehearsal

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/yamlnode"
)

// compare holds what a test expects against the writes. Every write must be expected, in order; of
// each, the fields that the test names are compared and others are left alone.
func compare(expect *yamlnode.Node, got []map[string]any, skipped bool) []string {
	switch {
	case expect == nil:
		return []string{"the test expects nothing: write `expect:` or `fail:`, or run `culvert test --update`"}
	case expect.Kind == yamlnode.Scalar && expect.Value == "skipped":
		if skipped {
			return nil
		}
		return []string{fmt.Sprintf("it was expected to be skipped, and makes %d writes", len(got))}
	case skipped:
		return []string{"the filter refused the record, so that there are no writes"}
	}
	wanted := expect.Items()
	if expect.Kind == yamlnode.Mapping {
		wanted = []*yamlnode.Node{expect}
	}
	var problems []string
	for i := range max(len(wanted), len(got)) {
		switch {
		case i >= len(got):
			problems = append(problems, fmt.Sprintf("write %d is missing: %s", i+1, head(wanted[i])))
		case i >= len(wanted):
			problems = append(problems, fmt.Sprintf("write %d is not expected: %s", i+1, words(got[i])))
		default:
			problems = append(problems, differences(fmt.Sprintf("write %d", i+1), wanted[i], got[i])...)
		}
	}
	return problems
}

// differences compares one expected mapping with what there is, field by field.
func differences(at string, want *yamlnode.Node, got map[string]any) []string {
	var problems []string
	for _, p := range want.Pairs() {
		name := at + ", " + p.Key.Value
		value, ok := got[p.Key.Value]
		if !ok {
			problems = append(problems, fmt.Sprintf("%s: expected %s, and it is not there; there are: %s", name, flat(p.Value),
				strings.Join(slices.Sorted(maps.Keys(got)), ", ")))
			continue
		}
		problems = append(problems, difference(name, p.Value, value)...)
	}
	return problems
}

func difference(name string, want *yamlnode.Node, got any) []string {
	switch want.Kind {
	case yamlnode.Mapping:
		if m, ok := asMap(got); ok {
			return differences(name, want, m)
		}
	case yamlnode.Sequence:
		if l, ok := got.([]any); ok && len(l) == len(want.Items()) {
			var problems []string
			for i, item := range want.Items() {
				problems = append(problems, difference(fmt.Sprintf("%s[%d]", name, i), item, l[i])...)
			}
			return problems
		}
	default:
		if text(got) == want.Value {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s: expected %s, got %s", name, flat(want), words(got))}
}

func asMap(v any) (map[string]any, bool) {
	switch m := v.(type) {
	case map[string]any:
		return m, true
	case map[string]string:
		out := make(map[string]any, len(m))
		for k, s := range m {
			out[k] = s
		}
		return out, true
	}
	return nil, false
}

// text writes a value as a test would write it.
func text(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// words writes any value on one line, maps in order.
func words(v any) string {
	if m, ok := asMap(v); ok {
		parts := make([]string, 0, len(m))
		for _, k := range slices.Sorted(maps.Keys(m)) {
			parts = append(parts, k+": "+words(m[k]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return text(v)
}

// flat writes an expected value on one line.
func flat(n *yamlnode.Node) string {
	switch n.Kind {
	case yamlnode.Mapping:
		parts := make([]string, 0, len(n.Pairs()))
		for _, p := range n.Pairs() {
			parts = append(parts, p.Key.Value+": "+flat(p.Value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case yamlnode.Sequence:
		parts := make([]string, 0, len(n.Items()))
		for _, i := range n.Items() {
			parts = append(parts, flat(i))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return n.Value
}

// head names an expected write by its first field.
func head(n *yamlnode.Node) string {
	if p := n.Pairs(); len(p) > 0 {
		return p[0].Key.Value + " " + flat(p[0].Value)
	}
	return flat(n)
}
