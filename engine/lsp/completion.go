package lsp

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/schemas"
)

// completion proposes what may be written at a place.
func (v *view) completion(at spot) *CompletionList {
	if !v.isConfig() && !v.isRule() {
		return nil
	}
	c := v.out.cursorAt(at)
	p := proposals{view: v, cursor: c}
	if c.entry == nil || c.inKey {
		p.keys()
	}
	switch {
	case c.entry != nil && !c.inKey:
		p.values(c.entry)
	case c.entry != nil && c.entry.item:
		p.values(c.entry)
	}
	return &CompletionList{IsIncomplete: p.more, Items: p.items}
}

// proposals gathers the items of one answer.
type proposals struct {
	*view
	cursor cursor
	items  []CompletionItem
	more   bool
}

// add proposes a name, written as the place needs it. Names are shown in the order in which they are added.
func (p *proposals) add(name string, kind int, detail, doc string, after string) {
	from, to := p.cursor.at, p.cursor.at
	flow, before := p.cursor.parent.open != 0 || p.cursor.parent.flow, ""
	filter := ""
	if e := p.cursor.entry; e != nil {
		from, to = e.keyFrom, e.keyTo
		if !p.cursor.inKey || e.item {
			from, to = e.from, e.to
			if to.before(p.cursor.at) {
				to = p.cursor.at
			}
		}
		if !p.cursor.inKey && from.col > 0 && from.line < len(p.lines) && p.lines[from.line][from.col-1] == ':' {
			before = " "
		}
		if from.line < len(p.lines) && from.col < len(p.lines[from.line]) {
			if c := p.lines[from.line][from.col]; c == '"' || c == '\'' {
				filter = string(c) + name
			}
		}
	}
	text := yamlnode.Text(name)
	if flow {
		text = yamlnode.FlowText(name)
	}
	if kind == kindProperty || kind == kindEnum { // words of the language
		text = name
	}
	item := CompletionItem{
		Label: name, Kind: kind, Detail: detail, SortText: fmt.Sprintf("%05d", len(p.items)), FilterText: filter,
		TextEdit: &TextEdit{Range: p.lines.toRange(from, to), NewText: before + text + after},
	}
	if doc != "" {
		item.Documentation = &MarkupContent{"markdown", doc}
	}
	p.items = append(p.items, item)
}

// has tells whether a key is there already; the one that is being typed does not count.
func (p *proposals) has(key string) bool {
	c := p.cursor.parent.child(key)
	return c != nil && c != p.cursor.entry
}

// keys proposes the keys of the mapping at the cursor.
func (p *proposals) keys() {
	parent := p.cursor.parent
	at := parent.path()
	if !p.isConfig() {
		p.namedKeys(at)
	}
	s := p.schemaAt(at)
	if s.Schema == nil {
		return
	}
	if s.Items != nil && !parent.item {
		p.itemKeys(s)
		return
	}
	for _, name := range s.Properties.Names {
		if p.has(name) {
			continue
		}
		child := s.Properties.ByKey[name].Resolve(schemas.Root(p.schemaName()))
		p.add(name, kindProperty, "", child.Description, p.after(child))
	}
}

// after is what follows a key: its value's place on the same line, or an indented one where only a
// mapping or a list can be.
func (p *proposals) after(s *schemas.Schema) string {
	if p.colonFollows() {
		return ""
	}
	if p.cursor.parent.open != 0 || p.cursor.parent.flow || s == nil || len(s.Type) == 0 {
		return ": "
	}
	for _, t := range s.Type {
		if t != "object" && t != "array" {
			return ": "
		}
	}
	indent := p.cursor.at.col
	if e := p.cursor.entry; e != nil && p.cursor.inKey {
		indent = e.keyFrom.col
		if e.item {
			indent = e.from.col
		}
	}
	dash := ""
	if s.Type[0] == "array" {
		dash = "- "
	}
	return ":\n" + strings.Repeat(" ", indent+2) + dash
}

func (p *proposals) colonFollows() bool {
	e := p.cursor.entry
	return e != nil && p.cursor.inKey && !e.bare && !e.item
}

// itemKeys proposes whole items of a list, such as the kinds of actions.
func (p *proposals) itemKeys(s node) {
	items := s.Items.Resolve(schemas.Root(p.schemaName()))
	if items == nil {
		return
	}
	for _, name := range items.Properties.Names {
		child := items.Properties.ByKey[name].Resolve(schemas.Root(p.schemaName()))
		p.add("- "+name, kindProperty, "", child.Description, ": ")
	}
}

// namedKeys proposes keys that are names of the metadata, of columns or of values.
func (p *proposals) namedKeys(at []*entry) {
	if len(at) == 0 {
		return
	}
	last := at[len(at)-1]
	kind, body := p.at(at)
	switch {
	case body != nil && last.parent == body && p.index != nil &&
		slices.Contains([]string{"attributes", "data_values", "values"}, last.key):
		for _, f := range sorted(p.fieldsOf(last.key, kind, body)) {
			if !p.has(f.Name) && !p.has(f.ID) && (f.Code == "" || !p.has(f.Code)) {
				p.add(f.Name, kindField, f.detail(), f.markdown(), p.after(nil))
			}
		}
	case body != nil && p.index != nil && len(at) >= 3 && last.parent.key == "values" && last.parent.parent == body:
		p.combos(p.fieldAt(at))
	case body != nil && last.key == "map", at[0].key == "maps" && len(at) == 2,
		at[0].key == "maps" && len(at) == 3 && last.key == "values":
		p.mapKeys(at)
	case at[0].key == "lookups" && len(at) >= 2:
		if p.index != nil {
			for _, name := range p.index.Directory().Fields(at[1].text("in")) {
				if !p.has(name) {
					p.add(name, kindField, "searched by", "", p.after(nil))
				}
			}
		}
	}
}

// sorted puts mandatory fields first.
func sorted(fields []field) []field {
	fields = slices.Clone(fields)
	slices.SortStableFunc(fields, func(a, b field) int {
		return cmp.Compare(rank(a), rank(b))
	})
	return fields
}

func rank(f field) int {
	if f.mandatory {
		return 0
	}
	return 1
}

// combos proposes the category option combos of a data element.
func (p *proposals) combos(f *field) {
	if f == nil {
		return
	}
	for _, c := range p.index.CombosOf(f.combo) {
		if !p.has(c.Name) {
			p.add(c.Name, kindMember, "category option combo", describe("category option combo", c.Named), p.after(nil))
		}
	}
}

// mapKeys proposes the values that the sample has and the map does not, then the word for all others.
func (p *proposals) mapKeys(at []*entry) {
	for _, value := range p.incoming(at) {
		if !p.has(value) {
			p.add(value, kindValue, "in the sample", "", p.after(nil))
		}
	}
	if !p.has("other") {
		p.add("other", kindProperty, "fail (default), default, pass, blank, or {value: ...}",
			"What a value that is not in the map does.", p.after(nil))
	}
}
