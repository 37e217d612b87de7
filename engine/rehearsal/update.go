package rehearsal

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/yamlnode"
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
	text, err := yamlnode.Marshal(o.Got, kinds)
	if err != nil {
		return nil, fmt.Errorf("write what test %q gets: %w", o.Test, err)
	}
	out := []byte(pad + "expect:\n")
	for line := range strings.Lines(string(text)) {
		out = append(out, pad+"  "+line...)
	}
	return out, nil
}

// kinds are the keys that say what a write is; they come first.
var kinds = []string{"tracked_entity", "enrollment", "event", "data_value_set", "data_value", "relationship", "completion", "delete"}
