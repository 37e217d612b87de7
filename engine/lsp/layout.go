package lsp

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sourcegraph/jsonrpc2"

	"github.com/culvert/culvert/rules/yamlnode"
)

// formatting lays the file out as culvert fmt does.
func (s *server) formatting(raw *json.RawMessage) (any, error) {
	p, err := decode[At](raw)
	if err != nil {
		return nil, err
	}
	v := s.view(p.TextDocument.URI)
	edits := []TextEdit{}
	if v == nil || !v.isConfig() && !v.isRule() {
		return edits, nil
	}
	text, err := yamlnode.Format(v.doc.name, []byte(v.doc.text))
	if errors.Is(err, yamlnode.ErrBroken) {
		return nil, &jsonrpc2.Error{Code: jsonrpc2.CodeInvalidRequest, Message: "the file has mistakes: fix them first"}
	}
	if err != nil {
		return nil, fmt.Errorf("lay out %s: %w", v.doc.name, err)
	}
	if string(text) == v.doc.text {
		return edits, nil
	}
	end := spot{len(v.lines) - 1, len(v.lines[len(v.lines)-1])}
	return append(edits, TextEdit{v.lines.toRange(spot{}, end), string(text)}), nil
}

// inlayHints shows what values come to for the sample, in a range.
func (s *server) inlayHints(raw *json.RawMessage) (any, error) {
	p, err := decode[CodeActionParams](raw)
	if err != nil {
		return nil, err
	}
	v := s.view(p.TextDocument.URI)
	if v == nil {
		return []InlayHint{}, nil
	}
	return v.inlays(p.Range.Start.Line, p.Range.End.Line), nil
}

// Kinds of symbols, as the protocol numbers them.
const (
	symbolMethod   = 6
	symbolProperty = 7
	symbolFunction = 12
	symbolVariable = 13
)

// symbols lists the parts of a rule: its keys, and within them lookups, maps, actions and tests.
func (v *view) symbols() []DocumentSymbol {
	out := []DocumentSymbol{}
	for _, e := range v.out.root.children {
		if e.key == "" {
			continue
		}
		s := v.symbol(e, e.key, symbolProperty)
		for _, c := range e.children {
			switch {
			case e.key == "maps":
				s.Children = append(s.Children, v.symbol(c, c.key, symbolFunction))
			case e.key == "lookups":
				s.Children = append(s.Children, v.symbol(c, c.key, symbolVariable))
			case e.key == "actions" && len(c.children) > 0:
				a := v.symbol(c, c.children[0].key, symbolMethod)
				a.Detail = c.children[0].text("stage")
				if a.Detail == "" {
					a.Detail = c.children[0].text("program") + c.children[0].text("data_set")
				}
				s.Children = append(s.Children, a)
			case e.key == "tests":
				s.Children = append(s.Children, v.symbol(c, c.text("name"), symbolMethod))
			}
		}
		out = append(out, s)
	}
	return out
}

func (v *view) symbol(e *entry, name string, kind int) DocumentSymbol {
	end := e.last
	if end.before(e.keyTo) {
		end = e.keyTo
	}
	if name == "" {
		name = "(no name)"
	}
	return DocumentSymbol{Name: name, Kind: kind, Range: v.lines.toRange(e.keyFrom, end),
		SelectionRange: v.lines.toRange(e.keyFrom, e.keyTo)}
}
