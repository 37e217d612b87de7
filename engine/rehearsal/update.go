package rehearsal

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Update writes what tests now get into the text of their rule file, and leaves the rest of the file as it is, comments included. Tests that
// expect a failure, or whose record cannot be evaluated, are left alone. It gives how many were written.
func Update(file []byte, outcomes []Outcome) ([]byte, int, error) {
	lines := bytes.SplitAfter(file, []byte("\n"))
	n := 0
	for _, o := range slices.Backward(outcomes) {
		if o.Passed() || o.Expect == nil || len(o.Got) == 0 && !o.Skipped {
			continue
		}
		key, last, err := expectLines(lines, o)
		if err != nil {
			return nil, 0, err
		}
		fresh, err := render(o, indentOf(lines[key]))
		if err != nil {
			return nil, 0, err
		}
		lines = slices.Replace(lines, key, last+1, fresh)
		n++
	}
	return bytes.Join(lines, nil), n, nil
}

// expectLines finds the first and last line (from 0) of a test's `expect:` entry.
func expectLines(lines [][]byte, o Outcome) (first, last int, err error) {
	at := o.Expect.Place().Range.Start.Line - 1
	for first = min(at, len(lines)-1); first >= 0; first-- {
		if strings.HasPrefix(strings.TrimLeft(string(lines[first]), " -"), "expect:") {
			break
		}
	}
	if first < 0 {
		return 0, 0, fmt.Errorf("test %q: its `expect:` could not be found in the file", o.Test)
	}
	indent := indentOf(lines[first])
	last = first
	for i := first + 1; i < len(lines); i++ {
		line := strings.TrimRight(string(lines[i]), "\r\n")
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		deep := len(line) - len(strings.TrimLeft(line, " "))
		if deep < indent || deep == indent && !strings.HasPrefix(trimmed, "- ") {
			break
		}
		last = i
	}
	return first, last, nil
}

// indentOf is the column at which a line's key begins; "- " before it counts as indent.
func indentOf(line []byte) int { return len(line) - len(bytes.TrimLeft(line, " -")) }

// render writes a whole `expect:` entry.
func render(o Outcome, indent int) ([]byte, error) {
	pad := strings.Repeat(" ", indent)
	if o.Skipped {
		return []byte(pad + "expect: skipped\n"), nil
	}
	var node yaml.Node
	if err := node.Encode(ordered(o.Got)); err != nil {
		return nil, fmt.Errorf("write what test %q gets: %w", o.Test, err)
	}
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(&node); err != nil {
		return nil, fmt.Errorf("write what test %q gets: %w", o.Test, err)
	}
	out := []byte(pad + "expect:\n")
	for _, line := range strings.SplitAfter(strings.TrimRight(b.String(), "\n")+"\n", "\n") {
		if line != "" {
			out = append(out, pad+"  "+line...)
		}
	}
	return out, nil
}

// ordered makes nodes whose first key names the object, so that a reader sees what each write is.
func ordered(got []map[string]any) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, m := range got {
		list.Content = append(list.Content, mapping(m))
	}
	return list
}

// kinds are the keys that say what a write is; they come first.
var kinds = []string{"tracked_entity", "enrollment", "event", "data_value_set", "data_value", "relationship", "completion", "delete"}

func mapping(m map[string]any) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	keys := slices.Sorted(maps.Keys(m))
	slices.SortStableFunc(keys, func(a, b string) int { return rank(a) - rank(b) })
	for _, k := range keys {
		n.Content = append(n.Content, scalar(k), value(m[k]))
	}
	return n
}

func rank(key string) int {
	if i := slices.Index(kinds, key); i >= 0 {
		return i
	}
	return len(kinds)
}

func value(v any) *yaml.Node {
	if m, ok := asMap(v); ok {
		return mapping(m)
	}
	if l, ok := v.([]any); ok {
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for _, x := range l {
			n.Content = append(n.Content, value(x))
		}
		return n
	}
	return scalar(text(v))
}

// scalar writes text so that YAML reads it back as the same text.
func scalar(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}
