package lsp

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/expression"
)

// chain matches the names at the end of an expression that is being typed: what is read of, and the
// beginning of a field.
var (
	chainEnd = regexp.MustCompile(`([A-Za-z_]\w*(?:\??\.[A-Za-z_]\w*|\[(?:"[^"]*"|'[^']*'|\d+)\])*)` +
		`(\??\.|\[["']?)([^"'.\[\]()\s]*)$`)
	chainTail = regexp.MustCompile(`[A-Za-z_]\w*(?:\??\.[A-Za-z_]\w*|\[(?:"[^"]*"|'[^']*'|\d+)\])*$`)
	wordEnd   = regexp.MustCompile(`[A-Za-z_]\w*$`)
	isWord    = regexp.MustCompile(`^[A-Za-z_]\w*$`)
)

// typed gives the expression up to the cursor, on the cursor's line.
func (v *view) typed(e *entry, at spot) string {
	line := v.lines[at.line]
	from := 0
	if at.line == e.from.line {
		from = e.from.col
	}
	text := strings.TrimLeft(string(line[min(from, at.col):at.col]), " \t")
	if at.line == e.from.line && e.quote != 0 {
		text = strings.TrimPrefix(text, string(e.quote))
	}
	return text
}

// expression proposes what an expression may go on with.
func (p *proposals) expression(e *entry) {
	at := p.cursor.at
	typed := p.typed(e, at)
	if inText(typed) {
		if m := chainEnd.FindStringSubmatch(typed); m != nil && strings.HasPrefix(m[2], "[") {
			p.fields(e, m[1], m[2], m[3]) // the name of a field in brackets
			return
		}
		p.literals(e, typed)
		return
	}
	if m := chainEnd.FindStringSubmatch(typed); m != nil {
		p.fields(e, m[1], m[2], m[3])
		return
	}
	part := wordEnd.FindString(typed)
	before := ""
	if typed == "" && at.col > 0 && p.lines[at.line][at.col-1] == ':' {
		before = " "
	}
	add := func(name string, kind int, detail, doc, text string) {
		item := CompletionItem{Label: name, Kind: kind, Detail: detail, SortText: fmt.Sprintf("%05d", len(p.items)),
			TextEdit: &TextEdit{Range: p.lines.toRange(spot{at.line, at.col - len([]rune(part))}, at), NewText: before + text}}
		if doc != "" {
			item.Documentation = &MarkupContent{"markdown", doc}
		}
		p.items = append(p.items, item)
	}
	for _, n := range p.names(e) {
		add(n.name, n.kind, n.detail, "", n.text)
	}
	for _, f := range p.functions() {
		add(f.Name, kindFunction, f.Signature, functionDoc(f), f.Name+"(")
	}
	for _, word := range []string{"and", "or", "not", "in", "contains", "startsWith", "endsWith", "matches", "nil",
		"true", "false"} {
		add(word, kindKeyword, "", "", word)
	}
}

// inText tells whether the end of an expression lies in a text in quotes.
func inText(typed string) bool {
	var open rune
	for _, r := range typed {
		switch {
		case open == 0 && (r == '"' || r == '\'' || r == '`'):
			open = r
		case r == open:
			open = 0
		}
	}
	return open != 0
}

// scopeName is a name that an expression may use.
type scopeName struct {
	name, text, detail string
	kind               int
}

// names lists what is in scope at an entry.
func (v *view) names(e *entry) []scopeName {
	out := []scopeName{{"trigger", "trigger", "the record", kindVariable}}
	path := e.path()
	_, body := action(path)
	if body.child("for_each") != nil || path[0].key == "lookups" {
		out = append(out, scopeName{"item", "item", "the item of for_each", kindVariable},
			scopeName{"index", "index", "its number, from 0", kindVariable})
	}
	for _, name := range v.lookupNames() {
		out = append(out, scopeName{name, name, "lookup", kindVariable})
	}
	for _, name := range v.mapNames() {
		out = append(out, scopeName{name, name + "(", "value map", kindFunction})
	}
	for _, a := range actionsOf(v.out) {
		if a == body {
			break
		}
		if id := a.text("id"); id != "" {
			out = append(out, scopeName{id, id, "result of " + a.key, kindVariable})
		}
	}
	return append(out, scopeName{"source", "source", "file, row, received, headers...", kindVariable})
}

// lookupNames lists the lookups of the rule, those that it inherits last.
func (v *view) lookupNames() []string {
	var names []string
	for _, e := range v.out.root.child("lookups").list() {
		names = append(names, e.key)
	}
	if v.facts.rule != nil {
		for _, l := range v.facts.rule.Lookups {
			if !slices.Contains(names, l.Name) && l.Place.File != v.doc.name {
				names = append(names, l.Name)
			}
		}
	}
	return names
}

// fields proposes the fields of what an expression reads of.
func (p *proposals) fields(e *entry, base, dot, part string) {
	at := p.cursor.at
	from := spot{at.line, at.col - len([]rune(part)) - len([]rune(dot))}
	for _, f := range p.fieldsIn(e, base) {
		text := "." + f.name
		if !isWord.MatchString(f.name) {
			text = bracketed(f.name, e.quote)
		}
		if strings.HasPrefix(dot, "?") && strings.HasPrefix(text, ".") {
			text = "?" + text
		}
		p.items = append(p.items, CompletionItem{
			Label: f.name, Kind: kindField, Detail: f.detail, SortText: fmt.Sprintf("%05d", len(p.items)),
			FilterText: dot + f.name,
			TextEdit:   &TextEdit{Range: p.lines.toRange(from, at), NewText: text},
		})
	}
}

// bracketed writes a field whose name is no word, in other quotes than those that the expression itself stands in.
func bracketed(name string, outer rune) string {
	if outer == '"' && !strings.Contains(name, "'") {
		return "['" + name + "']"
	}
	return fmt.Sprintf("[%q]", name)
}

// known is a field with what is known of it.
type known struct{ name, detail string }

// objectFields are the fields of an object that a lookup finds.
var objectFields = []known{{"id", "uid"}, {"code", ""}, {"name", ""}, {"level", "of an org unit"},
	{"parent", "of an org unit"}, {"ancestors", "of an org unit, from the top"}, {"attributes", "by name"}}

// sourceFields are the fields of source.
var sourceFields = []known{
	{"trigger", "kind of trigger"}, {"file", "file name"}, {"row", "row as a spreadsheet shows it"}, {"sheet", ""},
	{"query", ""}, {"remote", "address of the sender"}, {"received", "time"},
	{"headers", "headers that the trigger names"},
}

// fieldsIn lists the fields of what a chain of names stands for.
func (v *view) fieldsIn(e *entry, base string) []known {
	steps := chainSteps(base)
	root := steps[0]
	switch {
	case root == "source" && len(steps) == 1:
		return sourceFields
	case slices.Contains(v.lookupNames(), root):
		return v.lookupFields(root, steps[1:])
	}
	seen := map[string]known{}
	for _, value := range v.valuesOf(e, root) {
		value = walk(value, steps[1:])
		if list, ok := value.([]any); ok && len(list) > 0 && len(steps) > 1 && strings.HasSuffix(base, "]") {
			value = list[0]
		}
		object, _ := value.(map[string]any)
		for name, field := range object {
			if old, ok := seen[name]; !ok || old.detail == "" {
				seen[name] = known{name, short(field)}
			}
		}
	}
	out := make([]known, 0, len(seen))
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		out = append(out, seen[name])
	}
	return out
}

func (v *view) lookupFields(name string, steps []string) []known {
	if v.facts.rule == nil {
		return objectFields
	}
	for _, l := range v.facts.rule.Lookups {
		if l.Name == name && l.Collection == "" {
			var out []known
			for _, column := range l.Columns() {
				out = append(out, known{column, "column"})
			}
			return out
		}
	}
	if len(steps) > 0 && steps[len(steps)-1] == "attributes" {
		return nil
	}
	return objectFields
}

// incoming lists the values that a map meets in the sample: of the fields that use it.
func (v *view) incoming(at []*entry) []string { return v.sampled(v.mapped(at)) }

// mapped lists the expressions whose values a map takes.
func (v *view) mapped(at []*entry) []string {
	var expressions []string
	if at[0].key == "maps" {
		for _, use := range v.usesOfMap(at[1].key) {
			if from := use.parent.text("from"); use.key == "map" && from != "" {
				expressions = append(expressions, from)
			}
		}
	} else if from := at[len(at)-1].parent.text("from"); from != "" {
		expressions = append(expressions, from)
	}
	return expressions
}

// sampled lists the values that expressions have in the sample.
func (v *view) sampled(expressions []string) []string {
	var out []string
	for _, text := range expressions {
		for _, sample := range v.load().samples {
			value, ok := evaluate(text, sample)
			if word := expression.AsText(value); ok && word != "" && len(word) < maxShort && !slices.Contains(out, word) {
				out = append(out, word)
			}
		}
	}
	return out
}
