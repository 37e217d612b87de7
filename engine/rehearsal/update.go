package rehearsal

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// Updated is what Update did about one test that had not passed.
type Updated struct {
	Test    string
	Written bool
	Words   string // what the test expects now, or why it was left alone
}

// Update writes what happened into the tests that did not pass: the writes, that the record is
// skipped, or the failure. The rest of the file stays as it is, comments included; tests in braces
// are laid out as a block first. outcomes are those of all tests of the file, in order.
func Update(path string, file []byte, outcomes []Outcome) ([]byte, []Updated, error) {
	var done []Updated
	text := file
	for i, o := range outcomes {
		if o.Passed() {
			continue
		}
		entry, u, err := happened(o)
		if err != nil {
			return nil, nil, err
		}
		done = append(done, u)
		if !u.Written {
			continue
		}
		if text, err = setEntry(path, text, i, entry); err != nil {
			return nil, nil, fmt.Errorf("write what test %q gets: %w", o.Test, err)
		}
	}
	return text, done, nil
}

// happened gives the lines that expect what a test got.
func happened(o Outcome) ([]string, Updated, error) {
	u := Updated{Test: o.Test, Written: true}
	switch {
	case o.Failure != nil:
		u.Words = "expects the failure " + o.Failure.Code + " now: " + o.Failure.Message
		return []string{"fail: " + yamlnode.Text(o.Failure.Code)}, u, nil
	case !o.Evaluated:
		u.Written, u.Words = false, "left as it is: "+strings.Join(o.Problems, "; ")
		return nil, u, nil
	case o.Skipped:
		u.Words = "expects to be skipped now"
		return []string{"expect: skipped"}, u, nil
	case len(o.Got) == 0:
		u.Words = "expects no writes now"
		return []string{"expect: []"}, u, nil
	}
	text, err := yamlnode.Marshal(o.Got, kinds)
	if err != nil {
		return nil, u, fmt.Errorf("write what test %q gets: %w", o.Test, err)
	}
	u.Words = fmt.Sprintf("expects what it gets now: %d %s", len(o.Got), plural(len(o.Got), "write", "writes"))
	lines := []string{"expect:"}
	for line := range strings.Lines(string(text)) {
		lines = append(lines, "  "+strings.TrimRight(line, "\n"))
	}
	return lines, u, nil
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// setEntry puts an `expect:` or `fail:` in the place of what a test expects, or behind its last
// line when it expects nothing.
func setEntry(path string, text []byte, number int, entry []string) ([]byte, error) {
	test, tests, err := testNode(path, text, number)
	if err != nil {
		return nil, err
	}
	if test.Flow() || tests.Flow() {
		if text, err = yamlnode.FormatBlock(path, text, "tests"); err != nil {
			return nil, err
		}
		if test, _, err = testNode(path, text, number); err != nil {
			return nil, err
		}
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	if last := lines[len(lines)-1]; len(last) == 0 {
		lines = lines[:len(lines)-1]
	} else if last[len(last)-1] != '\n' {
		lines[len(lines)-1] = append(slices.Clone(last), '\n')
	}
	first := test.Pairs()[0].Key.Place().Range.Start
	column := first.Column - 1
	head, at, end := "", -1, first.Line-1
	for _, p := range slices.Backward(test.Pairs()) {
		from := p.Key.Place().Range.Start.Line - 1
		to := lastLine(lines, from, column)
		end = max(end, to)
		if p.Key.Value != "expect" && p.Key.Value != "fail" {
			continue
		}
		if from == first.Line-1 { // the dash of the item stands before it
			head = string(lines[from][:column])
		}
		lines, at, end = slices.Delete(slices.Clone(lines), from, to+1), from, end-(to-from+1)
	}
	if at < 0 {
		at = end + 1
	}
	fresh := make([][]byte, 0, len(entry))
	for i, line := range entry {
		pad := strings.Repeat(" ", column)
		if i == 0 && head != "" {
			pad = head
		}
		fresh = append(fresh, []byte(pad+line+"\n"))
	}
	out := bytes.Join(slices.Insert(lines, at, fresh...), nil)
	if _, _, err := testNode(path, out, number); err != nil {
		return nil, fmt.Errorf("its `expect:` could not be put in: write the test as a block, one key a line: %w", err)
	}
	return out, nil
}

// testNode finds a test by its number, as the rules package counts them.
func testNode(path string, text []byte, number int) (test, tests *yamlnode.Node, err error) {
	var list diag.List
	doc := yamlnode.Parse(path, text, &list)
	if doc == nil || doc.Root == nil || list.HasErrors() {
		return nil, nil, fmt.Errorf("%s cannot be read", path)
	}
	tests = doc.Root.Get("tests")
	for _, n := range tests.Items() {
		if n.Kind != yamlnode.Mapping || len(n.Pairs()) == 0 {
			continue
		}
		if number == 0 {
			return n, tests, nil
		}
		number--
	}
	return nil, nil, fmt.Errorf("%s holds no such test", path)
}

// lastLine finds the last line of an entry that begins on a line with its key in a column, both from 0.
func lastLine(lines [][]byte, first, column int) int {
	last := first
	for i := first + 1; i < len(lines); i++ {
		line := strings.TrimRight(string(lines[i]), "\r\n")
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		deep := len(line) - len(strings.TrimLeft(line, " "))
		if deep < column || deep == column && !strings.HasPrefix(trimmed, "- ") {
			break
		}
		last = i
	}
	return last
}

// kinds are the keys that say what a write is; they come first.
var kinds = []string{"tracked_entity", "enrollment", "event", "data_value_set", "data_value", "relationship",
	"completion", "delete"}
