package tree

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/culvert/culvert/rules/diag"
)

// members counts the members of all objects of a tree.
func members(v any) int {
	n := 0
	switch v := v.(type) {
	case map[string]any:
		n = len(v)
		for _, e := range v {
			n += members(e)
		}
	case []any:
		for _, e := range v {
			n += members(e)
		}
	}
	return n
}

// repeated finds an object of a JSON text that gives one name twice. Decoders take the last of the
// two values without a word (RFC 8259, section 4, leaves it open), and which one the sender meant
// nobody can tell.
func repeated(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var open []*level
	for {
		token, err := d.Token()
		if err != nil {
			return nil //nolint:nilerr // the text was decoded before; this is its end
		}
		if delim, ok := token.(json.Delim); ok && (delim == '}' || delim == ']') {
			open = open[:len(open)-1]
			continue
		}
		if len(open) > 0 {
			top := open[len(open)-1]
			if top.names != nil && !top.valueNext {
				name, _ := token.(string)
				if first, ok := top.names[name]; ok {
					return twice(text, pathOf(open, name), first, d.InputOffset())
				}
				top.names[name], top.name, top.valueNext = d.InputOffset(), name, true
				continue
			}
			top.valueNext = false
			top.items++
		}
		switch token {
		case json.Delim('{'):
			open = append(open, &level{names: map[string]int64{}})
		case json.Delim('['):
			open = append(open, &level{})
		}
	}
}

// level is an object or list that is being read.
type level struct {
	names     map[string]int64 // of an object, so far, with where each ends; nil: a list
	name      string           // the latest
	valueNext bool
	items     int
}

// pathOf writes the way to a name as a rule writes it: visits[1].weight.
func pathOf(open []*level, name string) string {
	var path strings.Builder
	for _, l := range open[:len(open)-1] {
		if l.names == nil {
			fmt.Fprintf(&path, "[%d]", l.items-1)
		} else {
			path.WriteString(step(path.Len() > 0, l.name))
		}
	}
	path.WriteString(step(path.Len() > 0, name))
	return path.String()
}

// maxStep is how much of a name is said, in bytes: a sender may write names of any length.
const maxStep = 60

func step(inside bool, name string) string {
	if len(name) > maxStep {
		name = strings.ToValidUTF8(name[:maxStep], "") + "…"
	}
	plain := name != "" && strings.IndexFunc(name, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) < 0
	switch {
	case !plain && inside:
		return fmt.Sprintf("[%q]", name)
	case !plain:
		return fmt.Sprintf("%q", name)
	case inside:
		return "." + name
	}
	return name
}

// twice says where a name ends for the first and for the second time.
func twice(text []byte, path string, first, second int64) error {
	return &diag.Problem{Place: atLine(lineAt(text, second)),
		Message: fmt.Sprintf("%s is given twice, at %s and %s", path, spot(text, first), spot(text, second)),
		Hint:    "have the sender give every name once: it cannot be told which of the two values is meant"}
}

// spot names the place of a name that ends at an offset.
func spot(text []byte, end int64) string {
	before := text[:max(end-1, 0)]
	if open := bytes.LastIndexByte(before, '"'); open >= 0 {
		before = before[:open]
	}
	line := bytes.LastIndexByte(before, '\n') + 1
	return fmt.Sprintf("line %d character %d", lineAt(text, int64(len(before))), len([]rune(string(before[line:])))+1)
}
