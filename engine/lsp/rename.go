package lsp

import (
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/sourcegraph/jsonrpc2"

	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules/diag"
)

// prepareRename gives the range of what can be renamed.
func (v *view) prepareRename(at spot) any {
	s := v.symbolAt(at)
	if s.what == "" || s.what == "object" {
		return nil
	}
	return map[string]any{"range": s.span, "placeholder": s.name}
}

var newName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// rename changes the name of a map, a lookup, a result or a rule wherever it is used.
func (s *server) rename(raw *json.RawMessage) (any, error) {
	p, err := decode[struct {
		At
		NewName string `json:"newName"`
	}](raw)
	if err != nil {
		return nil, err
	}
	v := s.view(p.TextDocument.URI)
	if v == nil {
		return nil, nil
	}
	found := v.symbolAt(v.lines.toSpot(p.Position))
	refuse := func(format string, args ...any) (any, error) {
		return nil, &jsonrpc2.Error{Code: jsonrpc2.CodeInvalidParams, Message: fmt.Sprintf(format, args...)}
	}
	switch {
	case found.what == "":
		return refuse("nothing here has a name that can be changed: maps, lookups, results of actions and rules can be " +
			"renamed")
	case found.what == "object":
		return refuse("%s is an object of DHIS2: rename it there, then run `culvert sync`", found.name)
	case found.what == "rule" && p.NewName == "":
		return refuse("a rule needs a name")
	case found.what != "rule" && !newName.MatchString(p.NewName):
		return refuse("%q cannot be the name of a %s: use letters, digits and underscores, and begin with a letter",
			p.NewName, found.what)
	}
	edit := WorkspaceEdit{Changes: map[string][]TextEdit{}}
	known := map[string]lines{}
	seen := map[diag.Place]bool{}
	for _, use := range v.usesOf(found) {
		if use.File == "" || use.File == project.ConfigFile || seen[use] {
			continue
		}
		seen[use] = true
		l := s.location(v.space, known, use)
		edit.Changes[l.URI] = append(edit.Changes[l.URI], TextEdit{l.Range, p.NewName})
	}
	return edit, nil
}
