package lsp

import (
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/engine/project"
)

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
	if p.at(at); p.index != nil {
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
		for _, name := range slices.Concat(x.Directory().Collections(), project.AskedKind(x).Collections()) {
			p.add(name, kindConstant, "", "", "")
		}
	case slotCounterpart:
		if parent := at[len(at)-1].parent; parent != nil {
			for _, name := range x.Directory().Fields(parent.text("in")) {
				p.add(name, kindField, "", "", "")
			}
		}
	case slotAmong:
		in := ""
		if parent := at[len(at)-1].parent; parent != nil {
			in = parent.text("in")
		}
		what := x.Directory().Among(in, "").What
		for _, name := range x.Directory().AmongNames(in) {
			p.add(name, kindConstant, what, "", "")
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
	}, nil)
}
