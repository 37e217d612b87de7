package lsp

import (
	"regexp"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// symbol is something with a name that a rule defines and uses.
type symbol struct {
	what string // map, lookup, result, rule, object
	name string
	id   string // of an object of the metadata
	span Range  // of the name at the cursor
}

// symbolAt gives the symbol at a place; the zero one when there is none.
func (v *view) symbolAt(at spot) symbol {
	c := v.out.cursorAt(at)
	if c.entry == nil || c.entry.parent == nil || !v.isRule() {
		return symbol{}
	}
	e, path := c.entry, c.entry.path()
	if c.inKey && !e.item {
		span := v.lines.toRange(e.keyFrom, e.keyTo)
		switch {
		case len(path) == 2 && path[0].key == "maps":
			return symbol{what: "map", name: e.key, span: span}
		case len(path) == 2 && path[0].key == "lookups":
			return symbol{what: "lookup", name: e.key, span: span}
		}
		if f := v.fieldAt(path); f != nil && f.is(e.key) {
			return symbol{what: "object", name: f.Name, id: f.ID, span: span}
		}
		return symbol{}
	}
	span := v.lines.toRange(e.from, e.to)
	kind, body := v.at(path)
	switch s := v.slotOf(path); {
	case len(path) == 1 && e.key == "rule":
		return symbol{what: "rule", name: e.value, span: span}
	case s == slotMap:
		return symbol{what: "map", name: e.value, span: span}
	case body != nil && e.parent == body && e.key == "id":
		return symbol{what: "result", name: e.value, span: span}
	case s == slotExpression:
		name, from, to := v.nameAt(at)
		if from > 0 && strings.ContainsRune(`."'`, v.lines[at.line][from-1]) {
			return symbol{}
		}
		span = v.lines.toRange(spot{at.line, from}, spot{at.line, to})
		switch {
		case slices.Contains(v.lookupNames(), name):
			return symbol{what: "lookup", name: name, span: span}
		case slices.Contains(v.mapNames(), name):
			return symbol{what: "map", name: name, span: span}
		case slices.ContainsFunc(v.sharedFunctions(), func(f *rules.Function) bool { return f.Name == name }):
			return symbol{what: "function", name: name, span: span}
		case slices.ContainsFunc(actionsOf(v.out), func(a *entry) bool { return name != "" && a.text("id") == name }):
			return symbol{what: "result", name: name, span: span}
		}
	case v.index != nil:
		if id := v.objectID(s, e.value, kind, body); id != "" {
			return symbol{what: "object", name: e.value, id: id, span: span}
		}
	}
	return symbol{}
}

// objectID gives the uid of the object that a value names.
func (v *view) objectID(s slot, ref, kind string, body *entry) string {
	x := v.index
	switch s {
	case slotProgram:
		if o, _, _ := x.Program(ref); o != nil {
			return o.ID
		}
	case slotStage:
		if p, _, _ := x.Program(v.named(kind, body, "program")); p != nil {
			if o, _, _ := x.Stage(p, ref); o != nil {
				return o.ID
			}
		}
	case slotDataSet:
		if o, _, _ := x.DataSet(ref); o != nil {
			return o.ID
		}
	case slotElement:
		if o, _, _ := x.DataElement(ref, nil); o != nil {
			return o.ID
		}
	case slotUnique:
		if o, _, _ := x.TrackedEntityAttribute(ref, nil); o != nil {
			return o.ID
		}
	}
	return ""
}

// definition gives where a map, a lookup or the result of an action is written, or the file that a value names.
func (v *view) definition(at spot) []Location {
	locations := []Location{}
	c := v.out.cursorAt(at)
	if c.entry != nil && !c.inKey || c.entry != nil && c.entry.item {
		if file := v.fileAt(c.entry); file != "" {
			return append(locations, Location{URI: v.space.uri(file)})
		}
	}
	s := v.symbolAt(at)
	known := map[string]lines{}
	for _, d := range v.definitionsOf(s) {
		locations = append(locations, v.server.location(v.space, known, d))
	}
	return locations
}

// fileAt gives the file of the project that a value names; "" when it names none that is there.
func (v *view) fileAt(e *entry) string {
	if v.isConfig() || e.value == "" || v.slotOf(e.path()) != slotFile {
		return ""
	}
	if _, err := v.space.session.Read(e.value); err != nil {
		return ""
	}
	return e.value
}

// definitionsOf gives the places where a symbol is defined: in this file, and in all that the rule
// takes it from, for a map is put together of what each of them says. The nearest comes first.
func (v *view) definitionsOf(s symbol) []diag.Place {
	switch s.what {
	case "map", "lookup":
		var places []diag.Place
		add := func(file string, o *outline) {
			if e := o.root.child(s.what + "s").child(s.name); e != nil {
				places = append(places, place(file, e.keyFrom, e.keyTo))
			}
		}
		add(v.doc.name, v.out)
		for _, file := range v.bases() {
			add(file, v.server.outlineOf(v.space, file))
		}
		if m := v.sharedMap(s.name); s.what == "map" && len(places) == 0 && m != nil {
			places = append(places, m.Place)
		}
		return places
	case "function":
		for _, f := range v.sharedFunctions() {
			if f.Name == s.name {
				return []diag.Place{f.Place}
			}
		}
	case "result":
		for _, a := range actionsOf(v.out) {
			if id := a.child("id"); id != nil && id.value == s.name {
				return []diag.Place{place(v.doc.name, id.from, id.to)}
			}
		}
	}
	return nil
}

// sharedMap gives a value map of the project; nil when there is none.
func (v *view) sharedMap(name string) *rules.ValueMap {
	if v.space.session == nil || v.space.session.Project() == nil {
		return nil
	}
	for _, m := range v.space.session.Project().Library.Maps() {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// place makes a place of findings of a stretch of text.
func place(file string, from, to spot) diag.Place {
	return diag.Place{File: file, Range: diag.Range{Start: diag.Position{Line: from.line + 1, Column: from.col + 1},
		End: diag.Position{Line: to.line + 1, Column: to.col + 1}}}
}

// references lists where a symbol is used: maps and lookups in all rules that take them from where
// they are defined, objects of the metadata in all rules.
func (v *view) references(at spot) []Location {
	s := v.symbolAt(at)
	known := map[string]lines{}
	locations := []Location{}
	for _, p := range v.usesOf(s) {
		locations = append(locations, v.server.location(v.space, known, p))
	}
	return locations
}

func (v *view) usesOf(s symbol) []diag.Place {
	switch s.what {
	case "object":
		return v.usesOfObject(s.id)
	case "map", "lookup", "result":
		places := v.definitionsOf(s)
		for _, file := range v.sharers(s, places) {
			for _, d := range v.elsewhere(file).definitionsOf(s) {
				if file != v.doc.name && !slices.Contains(places, d) {
					places = append(places, d)
				}
			}
			places = append(places, usesIn(v.server.outlineOf(v.space, file), file, s)...)
		}
		return places
	case "rule":
		return v.usesOfRule(s.name)
	}
	return nil
}

// usesOfObject lists where the rules name an object of the metadata.
func (v *view) usesOfObject(id string) []diag.Place {
	var places []diag.Place
	for _, r := range v.space.session.Project().Rules {
		if r.Rule != nil {
			for _, l := range r.Lookups {
				for _, use := range l.Used() {
					if use.ID == id && !slices.Contains(places, use.Place) {
						places = append(places, use.Place)
					}
				}
			}
		}
		for _, a := range r.Actions {
			if u, ok := a.(actions.User); ok {
				for _, use := range u.Uses() {
					if use.ID == id && !slices.Contains(places, use.Place) {
						places = append(places, use.Place)
					}
				}
			}
		}
	}
	return places
}

// usesOfRule lists where a rule is named: by itself, and in namespaces of others.
func (v *view) usesOfRule(name string) []diag.Place {
	var places []diag.Place
	for _, r := range v.space.session.Project().Rules {
		o := v.server.outlineOf(v.space, r.Path)
		add := func(e *entry) {
			if e != nil && e.value == name {
				places = append(places, place(r.Path, e.from, e.to))
			}
		}
		add(o.root.child("rule"))
		n := o.root.child("namespace")
		add(n)
		add(n.child("records"))
		add(n.child("people"))
	}
	return places
}

// sharers lists the files that a symbol may be used in: this one, those that define it, and all rules
// that take keys from one of them, with what these take from others.
func (v *view) sharers(s symbol, defined []diag.Place) []string {
	files := []string{v.doc.name}
	add := func(file string) {
		if !slices.Contains(files, file) {
			files = append(files, file)
		}
	}
	if s.what == "result" {
		return files
	}
	for _, d := range defined {
		add(d.File)
	}
	homes := slices.Clone(files[min(1, len(files)):])
	if len(defined) > 0 && defined[0].File == v.doc.name {
		homes = append(homes, v.doc.name)
	}
	for _, r := range v.space.session.Project().Rules {
		if r.Rule == nil || !slices.ContainsFunc(homes, func(home string) bool { return slices.Contains(r.Bases, home) }) {
			continue
		}
		add(r.Path)
		for _, base := range r.Bases {
			add(base)
		}
	}
	return files
}

// outlineOf gives the structure of any file of the project.
func (s *server) outlineOf(w *workspace, file string) *outline {
	if d := s.docs[w.uri(file)]; d != nil {
		return d.outline()
	}
	// A file that cannot be read uses nothing.
	text, _ := w.session.Read(file)
	return newOutline(string(text))
}

// usesIn lists where a file uses a map, a lookup or a result: as the name of a map, and as a word of expressions.
func usesIn(o *outline, file string, s symbol) []diag.Place {
	v := &view{out: o, lines: o.lines, doc: &document{name: file}, facts: &facts{}}
	word := regexp.MustCompile(`(^|[^\w."'@])` + regexp.QuoteMeta(s.name) + `\b`)
	var places []diag.Place
	o.root.all(func(e *entry) {
		if e.parent == nil || e.value == "" || e.bare {
			return
		}
		switch at := v.slotOf(e.path()); {
		case at == slotMap && s.what == "map" && e.value == s.name:
			places = append(places, inner(file, e))
		case at == slotExpression:
			for line := e.from.line; line <= e.to.line && line < len(o.lines); line++ {
				from, to := 0, len(o.lines[line])
				if line == e.from.line {
					from = e.from.col
				}
				if line == e.to.line {
					to = e.to.col
				}
				places = append(places, wordsIn(file, o.lines[line], line, from, to, e, s, word)...)
			}
		}
	})
	return places
}

// inner is the place of a scalar without its quotes.
func inner(file string, e *entry) diag.Place {
	from, to := e.from, e.to
	if e.quote != 0 {
		from.col++
		to.col--
	}
	return place(file, from, to)
}

func wordsIn(file string, line []rune, number, from, to int, e *entry, s symbol, word *regexp.Regexp) []diag.Place {
	if number == e.from.line && e.quote != 0 {
		from++
	}
	if from >= to {
		return nil
	}
	text := string(line[from:to])
	var places []diag.Place
	for _, m := range word.FindAllStringSubmatchIndex(text, -1) {
		start := m[3]
		if inText(text[:start]) {
			continue
		}
		if rest := strings.TrimLeft(text[m[1]:], " "); s.what == "map" && !strings.HasPrefix(rest, "(") {
			continue
		}
		at := from + len([]rune(text[:start]))
		places = append(places, place(file, spot{number, at}, spot{number, at + len([]rune(s.name))}))
	}
	return places
}
