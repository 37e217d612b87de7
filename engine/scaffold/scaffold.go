// Package scaffold begins a rule file from what is known: a program or data set of the synced
// metadata, and a sample of what comes in. It proposes what it can defend, by names, codes, types
// and choices, and says why; the rest is left for a person, as comments.
package scaffold

import (
	"fmt"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/value"
	"github.com/culvert/culvert/engine/scaffold/form"
	"github.com/culvert/culvert/rules/yamlnode"
)

// Request says what the rule is to do.
type Request struct {
	Name    string
	Trigger string // the kind of the trigger
	// Way is how the records come, where it is neither a webhook nor a watched folder.
	Way        Way
	Connection string // of culvert.yaml that they come from, where they come from one
	Forms      string // the form that phones get, as the rule is to name it; empty: none
	Address    string // path of the webhook, folder of the files
	Config     string // the trigger as it is written, where it asks for its records; instead of Connection and Address
	Rows       bool   // with Config: the records are rows of files
	Server     string // of culvert.yaml, that is written to; empty: the default one
	Sample     string // path of the sample, as the rule is to name it
	Bodies     []any  // the records of the sample
	Header     int    // the row with the names of its columns; up to 1: the first
	Program    *metadata.Program
	Stage      *metadata.ProgramStage // nil: the program's first
	DataSet    *metadata.DataSet      // instead of a program
	Index      *metadata.Index
	Form       *form.Form // the definition of the form, where it is known
	Made       bool       // the sample is made from the form: its answers are invented
}

// Draft is a rule file and what a person has to see to.
type Draft struct {
	Text     string
	Missing  []string // what the rule cannot do without
	Joined   int      // fields of DHIS2 that are set
	Of       int      // of so many
	Question int      // fields that are left open because several fit, or what is held does not
	Unused   []string // columns or fields of the sample that nothing is made of
	Columns  []byte   // of a wide data set: the CSV file that the rule names in columns:, or nil
}

// ColumnsFile is where the rule of a name looks for its columns.
func ColumnsFile(rule string) string { return "maps/" + rule + ".csv" }

// Rule writes the text of a rule file, laid out as `culvert fmt` does. The error is a fault of this
// package: what it wrote is no YAML.
func Rule(r Request) (Draft, error) {
	w := &writer{Request: r, fields: fieldsOf("trigger", r.Bodies), repeats: repeatsOf(r.Bodies)}
	w.useForm()
	w.context = newContext(r.Index)
	w.plan()
	w.write()
	text, err := yamlnode.Format(r.Name+".yaml", []byte(w.text.String()))
	if err != nil {
		return Draft{}, fmt.Errorf("lay out the rule: %w", err)
	}
	w.draft.Text = string(text)
	return w.draft, nil
}

type writer struct {
	Request
	fields  []*field
	repeats []*repeat
	context *value.Context
	text    strings.Builder
	draft   Draft

	attributes, elements []*target
	place, date, period  guess
	external, id         guess
	match                *target // the unique attribute by which people are found
	maps                 []namedMap

	each  *repeat // what the event is made of once an item; nil: of the record
	extra []itemEvents
}

// guess is an expression with its reason; without one, why there is none.
type guess struct{ expr, key, format, reason, ask string }

type namedMap struct {
	name string
	t    *target
}

func (w *writer) line(format string, args ...any) { fmt.Fprintf(&w.text, format+"\n", args...) }

// registered tells whether the rule is about people.
func (w *writer) registered() bool {
	return w.DataSet == nil && w.Program.Type != metadata.WithoutRegistration
}

// plan decides what is joined with what.
func (w *writer) plan() {
	if w.DataSet == nil && w.Stage == nil && len(w.Program.Stages) > 0 {
		w.Stage = &w.Program.Stages[0]
	}
	subject := ""
	switch {
	case w.DataSet != nil:
		w.elements, subject = w.cells(), w.DataSet.Name
	default:
		subject = w.Program.Name
		if w.registered() {
			w.attributes = w.programAttributes()
		}
		if w.Stage != nil {
			w.elements = w.stageElements(w.Stage)
		}
	}
	w.place = w.findPlace()
	free := slices.DeleteFunc(slices.Clone(w.fields), func(f *field) bool { return f.expr == w.place.expr })
	if w.DataSet != nil {
		w.period = w.findPeriod()
		free = slices.DeleteFunc(free, func(f *field) bool { return f.expr == w.period.expr })
	}
	m := &matcher{fields: free, targets: append(slices.Clone(w.attributes), w.elements...), common: words(subject),
		x: w.Index, context: w.context}
	m.join()
	w.planRepeats(words(subject))
	w.count(w.attributes)
	w.count(w.elements)
	for _, e := range w.extra {
		w.count(e.elements)
	}
	for _, t := range w.attributes {
		if a, _, _ := w.Index.TrackedEntityAttribute(t.name, nil); w.match == nil && t.field != nil && a != nil &&
			a.Unique && !a.Generated {
			w.match = t
		}
	}
	if w.DataSet == nil {
		w.date = w.findDate(w.fields, append(slices.Clone(w.attributes), w.elements...))
		w.datesOfItems()
	}
	if w.registered() {
		w.external = w.findPerson()
	}
	w.id = w.findID()
	read := w.read()
	for _, f := range w.fields {
		if !f.own && !read[f.expr] {
			w.draft.Unused = append(w.draft.Unused, f.expr)
		}
	}
}

// count counts what is joined, and notes which maps it takes.
func (w *writer) count(targets []*target) {
	for _, t := range targets {
		if t.generated {
			continue
		}
		w.draft.Of++
		switch {
		case t.field != nil:
			w.draft.Joined++
			if t.choice != nil && t.choice.needed {
				w.maps = append(w.maps, namedMap{w.mapName(t), t})
			}
		case t.ask != "":
			w.draft.Question++
		}
	}
}

// mapName is a name for a value map: of the question, in small letters.
func (w *writer) mapName(t *target) string {
	name := strings.Join(words(t.field.name()), "_")
	if !plain.MatchString(name) || strings.ContainsFunc(name, func(r rune) bool { return r > 0x7f }) ||
		name == "trigger" || name == "place" || name == "source" {
		name = "choices"
	}
	for n := 1; ; n++ {
		candidate := name
		if n > 1 {
			candidate = fmt.Sprintf("%s_%d", name, n)
		}
		if !slices.ContainsFunc(w.maps, func(m namedMap) bool { return m.name == candidate }) {
			return candidate
		}
	}
}

func (w *writer) kind(valueType string, set *metadata.Ref) (value.Kind, *metadata.OptionSet) {
	k := value.Kind{Type: valueType}
	if set == nil {
		return k, nil
	}
	return k, w.Index.OptionSetByID(set.ID)
}

func (w *writer) programAttributes() []*target {
	var among []string
	for _, a := range w.Program.Attributes {
		among = append(among, a.Attribute.ID)
	}
	var list []*target
	for _, a := range w.Program.Attributes {
		x := w.Index.AttributeByID(a.Attribute.ID)
		if x == nil {
			continue
		}
		one, _, _ := w.Index.TrackedEntityAttribute(x.Name, among)
		t := &target{name: unambiguous(x.Named, one != nil && one.ID == x.ID), title: x.Name, code: x.Code,
			mandatory: a.Mandatory}
		t.kind, t.set = w.kind(x.ValueType, x.OptionSet)
		if x.Generated {
			t.ask, t.mandatory, t.generated = "DHIS2 generates it", false, true
		}
		list = append(list, t)
	}
	return list
}

func (w *writer) stageElements(stage *metadata.ProgramStage) []*target {
	var among []string
	for _, e := range stage.DataElements {
		among = append(among, e.DataElement.ID)
	}
	var list []*target
	for _, e := range stage.DataElements {
		x := w.Index.DataElementByID(e.DataElement.ID)
		if x == nil {
			continue
		}
		one, _, _ := w.Index.DataElement(x.Name, among)
		t := &target{name: unambiguous(x.Named, one != nil && one.ID == x.ID), title: x.Name, code: x.Code,
			mandatory: e.Compulsory}
		t.kind, t.set = w.kind(x.ValueType, x.OptionSet)
		list = append(list, t)
	}
	return list
}

// cells gives the data elements of a data set, each with every combination that it is divided into.
func (w *writer) cells() []*target {
	var among []string
	for _, e := range w.DataSet.Elements {
		among = append(among, e.DataElement.ID)
	}
	compulsory := func(element, combo string) bool {
		return slices.ContainsFunc(w.DataSet.Compulsory, func(o metadata.Operand) bool {
			return o.DataElement.ID == element && (o.CategoryOptionCombo == nil || combo == "" ||
				o.CategoryOptionCombo.ID == combo)
		})
	}
	var list []*target
	for _, e := range w.DataSet.Elements {
		x := w.Index.DataElementByID(e.DataElement.ID)
		if x == nil {
			continue
		}
		one, _, _ := w.Index.DataElement(x.Name, among)
		t := target{name: unambiguous(x.Named, one != nil && one.ID == x.ID), title: x.Name, code: x.Code}
		t.kind, t.set = w.kind(x.ValueType, x.OptionSet)
		combo := e.CategoryCombo
		if combo == nil {
			combo = x.CategoryCombo
		}
		if combo == nil || combo.ID == w.Index.DefaultCombo() {
			t.mandatory = compulsory(x.ID, "")
			list = append(list, &t)
			continue
		}
		for _, c := range w.Index.CombosOf(combo.ID) {
			cell := t
			cell.combo, cell.mandatory = c.Name, compulsory(x.ID, c.ID)
			list = append(list, &cell)
		}
	}
	return list
}

// unambiguous is how a rule names an object: by its name unless others have it too.
func unambiguous(n metadata.Named, alone bool) string {
	switch {
	case alone:
		return n.Name
	case n.Code != "":
		return n.Code
	}
	return n.ID
}
