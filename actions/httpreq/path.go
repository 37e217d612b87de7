package httpreq

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/remote"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/yamlnode"
)

// part is a piece of a path: a fixed text, or the value of an expression, which is one segment or a
// part of one.
type part struct {
	text  string
	value *rules.Expr
}

type path struct{ parts []part }

// readPath compiles a path in which {expression} is filled in.
func readPath(r *remote.Reader, n *yamlnode.Node) *path {
	if n.IsNull() {
		return nil
	}
	if n.Kind != yamlnode.Scalar {
		r.Fault(n.Place(), "wrong-shape", "write it as text, such as /Patient/{trigger.id}", "the path must be one text")
		return nil
	}
	p := &path{}
	for rest, at := n.Value, 0; rest != ""; {
		open := strings.IndexByte(rest, '{')
		if open < 0 {
			open = len(rest)
		}
		if open > 0 {
			p.fixed(r, n, rest[:open])
			rest, at = rest[open:], at+len([]rune(rest[:open]))
			continue
		}
		end := closing(rest)
		if end < 0 {
			r.Fault(n.Place(), "bad-path", "close what { opens, such as /Patient/{trigger.id}", "the path has a { without its }")
			return nil
		}
		inner := rest[1:end]
		if parts := strings.Split(inner, ","); len(parts) > 1 && allWords(parts) {
			for i := range parts {
				parts[i] = "{" + strings.TrimSpace(parts[i]) + "}"
			}
			r.Fault(n.Place(), "bad-path", "write "+strings.Join(parts, "/")+", each as a piece of the path",
				"one pair of braces holds several values")
			return nil
		}
		from := at + 1
		e := r.Spec.Expression(yamlnode.Made(inner, n.PlaceOf(from, from+len([]rune(inner)))), expression.Text)
		r.Failed = r.Failed || e == nil
		p.parts = append(p.parts, part{value: e})
		rest, at = rest[end+1:], at+len([]rune(rest[:end+1]))
	}
	return p
}

// word is what may stand between commas where several values were written into one pair of braces.
var word = regexp.MustCompile(`^\s*[A-Za-z_][A-Za-z0-9_.]*\s*$`)

func allWords(parts []string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !word.MatchString(part) })
}

// fixed takes a text of the rule into a path.
func (p *path) fixed(r *remote.Reader, n *yamlnode.Node, text string) {
	switch {
	case strings.ContainsAny(text, "?#"):
		r.Fault(n.Place(), "bad-path", "write what stands behind the question mark in query:", "the path holds %q", "?")
	case strings.Contains(text, "://") || strings.HasPrefix(text, "//") && len(p.parts) == 0:
		r.Fault(
			n.Place(),
			"bad-path",
			"the host stands in the connection; write what comes behind it",
			"the path names a host",
		)
	case strings.ContainsAny(text, "}\\ \t\n") || strings.Contains(text, "..") || !validEscapes(text):
		r.Fault(n.Place(), "bad-path", "write it as /Patient/{trigger.id}", "the path %q cannot be read", n.Value)
	}
	p.parts = append(p.parts, part{text: text})
}

func validEscapes(text string) bool {
	_, err := url.PathUnescape(text)
	return err == nil
}

// closing finds the } of the { that a text begins with, past those in quotes and of inner ones; -1: none.
func closing(text string) int {
	depth, quote := 0, byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != 0:
			if c == '\\' && quote != '`' {
				i++
			} else if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'' || c == '`':
			quote = c
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// eval fills a path in. The error is a *rules.Failure.
func (p *path) eval(s *rules.Scope) (string, error) {
	var b strings.Builder
	for _, x := range p.parts {
		if x.value == nil {
			b.WriteString(x.text)
			continue
		}
		text, err := remote.Needed(x.value, s, "path")
		if err != nil {
			return "", err
		}
		if text == "." || text == ".." {
			return "", &rules.Failure{Problem: diag.Problem{Code: "bad-path", Field: "path", Place: x.value.Place,
				Column: x.value.Column(), Value: text,
				Message: fmt.Sprintf("%q in a path would lead elsewhere", text), Hint: "correct the value at the source"}}
		}
		b.WriteString(url.PathEscape(text))
	}
	return b.String(), nil
}
