// Package jsonpath finds values in decoded JSON by a path such as data.items[0].code. It is the part
// of JSONPath (RFC 9535) that names one place or all items of a list; filters are what expressions
// are for.
package jsonpath

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/culvert/culvert/rules/diag"
)

// Path is a compiled path. The zero Path is the value itself.
type Path struct{ steps []step }

// step goes one level down.
type step struct {
	name  string
	index int // from the end when negative
	kind  stepKind
}

type stepKind int

const (
	byName stepKind = iota
	byIndex
	every
)

// maxSteps bounds a path.
const maxSteps = 64

// Parse reads a path. A leading $ stands for the whole and may be left out. The error is a *diag.Problem.
func Parse(text string) (Path, error) {
	p := parser{text: text}
	if strings.HasPrefix(text, "$") {
		p.at = 1
	}
	path := Path{}
	for p.at < len(text) {
		s, err := p.step(len(path.steps) == 0)
		if err != nil {
			return Path{}, err
		}
		if path.steps = append(path.steps, s); len(path.steps) > maxSteps {
			return Path{}, &diag.Problem{Message: fmt.Sprintf("the path has more than %d steps", maxSteps),
				Hint: "name a place nearer to the top"}
		}
	}
	return path, nil
}

type parser struct {
	text string
	at   int
}

func (p *parser) wrong(message string) error {
	return &diag.Problem{Message: fmt.Sprintf("the path %q %s", p.text, message),
		Hint: `write names with dots between them, [0] for the first item, [*] for all, ["a name"] for names with signs: ` +
			"data.items[0].code"}
}

func (p *parser) step(first bool) (step, error) {
	switch rest := p.text[p.at:]; {
	case strings.HasPrefix(rest, ".."):
		return step{}, p.wrong("looks at every depth, which is not supported")
	case rest[0] == '[':
		return p.bracket()
	case rest[0] == '.':
		p.at++
	case !first || p.at > 0:
		return step{}, p.wrong("lacks a dot between two names")
	}
	from := p.at
	for p.at < len(p.text) && p.text[p.at] != '.' && p.text[p.at] != '[' {
		p.at++
	}
	switch name := strings.TrimSpace(p.text[from:p.at]); name {
	case "":
		return step{}, p.wrong("lacks a name behind a dot")
	case "*":
		return step{kind: every}, nil
	default:
		return step{name: name}, nil
	}
}

// bracket reads [0], [-1], [*], ["name"] and ['name'].
func (p *parser) bracket() (step, error) {
	rest := p.text[p.at+1:]
	if rest != "" && (rest[0] == '"' || rest[0] == '\'') {
		end := strings.IndexByte(rest[1:], rest[0])
		if end < 0 || !strings.HasPrefix(rest[end+2:], "]") {
			return step{}, p.wrong("has a name in brackets that is not closed")
		}
		p.at += end + 4
		return step{name: rest[1 : end+1]}, nil
	}
	inside, _, closed := strings.Cut(rest, "]")
	if !closed {
		return step{}, p.wrong("has a bracket that is not closed")
	}
	p.at += len(inside) + 2
	inside = strings.TrimSpace(inside)
	if inside == "*" {
		return step{kind: every}, nil
	}
	n, err := strconv.Atoi(inside)
	if err != nil {
		return step{}, p.wrong(fmt.Sprintf("has [%s], which is neither a number nor [*]", inside))
	}
	return step{kind: byIndex, index: n}, nil
}

// All gives the values at a path, none when there is nothing. A name goes into every item of a list
// that stands in its way.
func (p Path) All(v any) []any {
	values := []any{v}
	for _, s := range p.steps {
		var next []any
		for _, v := range values {
			next = s.into(v, next)
		}
		values = next
	}
	return values
}

// Items gives what a path leads to as a list: the items of a list that stands there, and other values alone.
func (p Path) Items(v any) []any {
	var items []any
	for _, found := range p.All(v) {
		if list, ok := found.([]any); ok {
			items = append(items, list...)
		} else if found != nil {
			items = append(items, found)
		}
	}
	return items
}

// Names tells whether a path leads to something that is there, if it is null or an empty list: what is looked for below an
// empty list is there, for nothing says that it is not.
func (p Path) Names(v any) bool {
	values := []any{v}
	for _, s := range p.steps {
		var next []any
		for _, v := range values {
			if list, ok := v.([]any); v == nil || ok && len(list) == 0 {
				return true
			}
			next = s.into(v, next)
		}
		if len(next) == 0 {
			return false
		}
		values = next
	}
	return true
}

// into adds what a step finds in a value.
func (s step) into(v any, to []any) []any {
	switch v := v.(type) {
	case map[string]any:
		if s.kind == byName {
			if in, ok := v[s.name]; ok {
				return append(to, in)
			}
		}
	case []any:
		switch s.kind {
		case every:
			return append(to, v...)
		case byIndex:
			n := s.index
			if n < 0 {
				n += len(v)
			}
			if n >= 0 && n < len(v) {
				return append(to, v[n])
			}
		case byName:
			for _, item := range v {
				to = s.into(item, to)
			}
		}
	}
	return to
}
