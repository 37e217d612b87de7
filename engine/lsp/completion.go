package lsp

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/engine/project"
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
	kind, body := action(at)
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

// values proposes values of an entry.
func (p *proposals) values(e *entry) {
	at := e.path()
	if s := p.schemaAt(at); s.Schema != nil {
		for _, word := range s.Enum {
			p.add(fmt.Sprint(word), kindEnum, "", s.Description, "")
		}
		if len(s.Type) == 1 && s.Type[0] == "boolean" {
			p.add("true", kindEnum, "", s.Description, "")
			p.add("false", kindEnum, "", "", "")
		}
	}
	if p.isConfig() {
		return
	}
	s := p.slotOf(at)
	if s == slotExpression {
		p.expression(e)
		return
	}
	if s == slotFile {
		p.files(at)
		return
	}
	if s == slotMap {
		p.maps()
		return
	}
	if s == slotServer {
		if c := p.space.session.Project(); c != nil && c.Config != nil {
			for _, name := range c.Config.ServerNames() {
				p.add(name, kindConstant, "server", "", "")
			}
		}
		return
	}
	if p.index != nil {
		p.objects(s, at)
	}
}

// objects proposes objects of the metadata.
func (p *proposals) objects(s slot, at []*entry) {
	x := p.index
	kind, body := action(at)
	switch s {
	case slotProgram:
		for i := range x.Snapshot.Programs {
			if o := &x.Snapshot.Programs[i]; kind == "dhis2.event" || kind == "dhis2.delete" ||
				o.Type == metadata.WithRegistration {
				p.add(o.Name, kindConstant, programType(o), describe("program", o.Named), "")
			}
		}
	case slotStage:
		if program, _, _ := x.Program(p.named(kind, body, "program")); program != nil {
			for _, o := range program.Stages {
				p.add(o.Name, kindConstant, stageDetail(&o), describe("stage of "+escape(program.Name), o.Named), "")
			}
		}
	case slotType:
		for _, o := range x.Snapshot.TrackedEntityTypes {
			p.add(o.Name, kindConstant, "tracked entity type", "", "")
		}
	case slotRelationship:
		for _, o := range x.Snapshot.RelationshipTypes {
			p.add(o.Name, kindConstant, "relationship type", "", "")
		}
	case slotDataSet:
		for _, o := range x.Snapshot.DataSets {
			p.add(o.Name, kindConstant, o.PeriodType, describe("data set", o.Named), "")
		}
	case slotElement:
		set, _, _ := x.DataSet(p.named(kind, body, "data_set"))
		for _, f := range dataSetElements(x, set) {
			p.add(f.Name, kindField, f.detail(), f.markdown(), "")
		}
	case slotUnique:
		for _, a := range x.Snapshot.TrackedEntityAttributes {
			if a.Unique {
				p.add(a.Name, kindField, "unique attribute", "", "")
			}
		}
	case slotOption:
		p.options(at)
	case slotUnit:
		part := ""
		if p.cursor.entry != nil {
			part = p.cursor.entry.value
		}
		units, more := p.units(part)
		p.more = p.more || more
		for _, u := range units {
			p.add(u.Name, kindConstant, p.where(u), describe("org unit", u.Named, escape(p.where(u))), "")
		}
	case slotCombo:
		p.combos(p.fieldAt(append(slices.Clone(body.path()), body.child("data_element"))))
	case slotCollection:
		for _, name := range x.Directory().Collections() {
			p.add(name, kindConstant, "", "", "")
		}
	}
}

func programType(o *metadata.Program) string {
	if o.Type == metadata.WithoutRegistration {
		return "event program"
	}
	return "tracker program"
}

func stageDetail(s *metadata.ProgramStage) string {
	if s.Repeatable {
		return "stage, repeatable"
	}
	return "stage"
}

// options proposes fixed values of the fields that an entry is for: options by their codes, or yes and no.
func (p *proposals) options(at []*entry) {
	for _, f := range p.mapFields(at) {
		switch {
		case f.options != nil:
			for _, o := range f.options.Options {
				p.option(o, f.options.Name)
			}
		case f.valueType == "BOOLEAN" || f.valueType == "TRUE_ONLY":
			p.add("true", kindEnum, f.Name, "", "")
			if f.valueType == "BOOLEAN" {
				p.add("false", kindEnum, f.Name, "", "")
			}
		}
	}
}

func (p *proposals) option(o metadata.Option, set string) {
	word := o.Code
	if word == "" {
		word = o.Name
	}
	detail := o.Name
	if o.Name == word {
		detail = "option of " + set
	}
	p.add(word, kindMember, detail, describe("option of "+escape(set), o.Named), "")
	if o.Name != word { // found by its name too
		p.items[len(p.items)-1].FilterText += " " + o.Name
		if p.items[len(p.items)-1].FilterText == " "+o.Name {
			p.items[len(p.items)-1].FilterText = word + " " + o.Name
		}
	}
}

// maps proposes the value maps that the rule has.
func (p *proposals) maps() {
	for _, name := range p.mapNames() {
		p.add(name, kindFunction, "value map", "", "")
	}
}

// mapNames lists the value maps of the rule, those that it inherits last.
func (v *view) mapNames() []string {
	var names []string
	for _, e := range v.out.root.child("maps").list() {
		names = append(names, e.key)
	}
	if v.facts.rule != nil {
		var more []string
		for name := range v.facts.rule.Maps {
			if !slices.Contains(names, name) && name != "" && v.facts.rule.Maps[name].Place.File != v.doc.name {
				more = append(more, name)
			}
		}
		slices.Sort(more)
		names = append(names, more...)
	}
	return names
}

// list gives the entries of a mapping; nothing for a nil entry.
func (e *entry) list() []*entry {
	if e == nil {
		return nil
	}
	return e.children
}

// maxFiles bounds how many files are proposed.
const maxFiles = 500

// files proposes files of the project that a key may name.
func (p *proposals) files(at []*entry) {
	fits := func(name string) bool { return strings.HasSuffix(name, ".csv") }
	switch key := at[len(at)-1]; {
	case at[0].key == "trigger" || at[0].key == "tests":
		fits = func(name string) bool {
			return slices.Contains([]string{".json", ".csv", ".xml", ".xlsx", ".txt", ".ods"}, path.Ext(name)) &&
				!strings.HasPrefix(name, project.MetadataDir+"/")
		}
	case at[0].key == "extends" || key.key == "extends":
		fits = func(name string) bool {
			return strings.HasSuffix(name, ".yaml") && name != project.ConfigFile && name != p.doc.name
		}
	}
	dir := p.space.session.Dir()
	// A folder that cannot be read has no files to propose.
	_ = project.Walk(dir, func(file string, d fs.DirEntry) error {
		rel, err := filepath.Rel(dir, file)
		name := filepath.ToSlash(rel)
		switch {
		case err != nil:
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && name != "." ||
			slices.Contains([]string{project.MetadataDir, "state", "node_modules"}, name)):
			return fs.SkipDir
		case !d.IsDir() && fits(name) && len(p.items) < maxFiles:
			p.add(name, kindFile, "", "", "")
		}
		return nil
	})
}
