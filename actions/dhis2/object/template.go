package object

import (
	"encoding/json"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules/diag"
)

// ImportOptions make tracker imports faster and give up checks; off unless asked for.
type ImportOptions struct {
	SkipRuleEngine        bool // program rules are not run
	SkipSideEffects       bool // notifications are not sent
	SkipPatternValidation bool // values of generated attributes are not checked against their pattern
	Async                 bool // the server takes a batch as a job, and is asked for its report until it is done
}

// Or gives what either asks for.
func (o ImportOptions) Or(other ImportOptions) ImportOptions {
	return ImportOptions{
		SkipRuleEngine:        o.SkipRuleEngine || other.SkipRuleEngine,
		SkipSideEffects:       o.SkipSideEffects || other.SkipSideEffects,
		SkipPatternValidation: o.SkipPatternValidation || other.SkipPatternValidation,
		Async:                 o.Async || other.Async,
	}
}

// Field is an attribute or data element as the rule calls it.
type Field struct {
	UID, Name string
	Place     diag.Place
	Column    string // what the record calls its value; empty when it is written in the rule
}

// Template is what all writes of one action have in common, and what a write does that needs
// nothing special. It is read-only.
type Template struct {
	Text     string // "event First visit of Antenatal care"
	Called   string // what Describe calls the object: "First visit"
	Import   ImportOptions
	Recreate bool
	fields   map[string]Field // by the uid of the attribute or data element
}

// NewTemplate gives the template of an action with the fields that it sets.
func NewTemplate(label, name string, o ImportOptions, fields []Field) *Template {
	t := &Template{Text: label, Called: name, Import: o, fields: make(map[string]Field, len(fields))}
	for _, f := range fields {
		t.fields[f.UID] = f
	}
	return t
}

// Label names the object in words.
func (t *Template) Label() string { return t.Text }

// Options say how it is to be imported.
func (t *Template) Options() ImportOptions { return t.Import }

// Phase is that of what is created or changed.
func (*Template) Phase() Phase { return PhaseWrite }

// Mode is that of what is created or changed.
func (*Template) Mode() Mode { return Upsert }

// Refs is about nobody.
func (*Template) Refs() identity.Refs { return identity.Refs{} }

// Key is of what is not sent in a tracker import.
func (*Template) Key(Resolver) client.ObjectKey { return client.ObjectKey{} }

// Name is that of the tracker object.
func (*Template) Name(k client.ObjectKey) string { return k.String() }

// Parents is of what belongs to nothing.
func (*Template) Parents(Resolver) []string { return nil }

// Claims is the object itself.
func (*Template) Claims(k client.ObjectKey, _ *metadata.Index) []string {
	return []string{k.Type + k.UID}
}

// Needs nothing.
func (*Template) Needs(*Needs, client.ObjectKey, []string) {}

// Adopted is of what is Culvert's own.
func (*Template) Adopted(Resolver, client.ObjectKey) bool { return false }

// AddTo adds nothing.
func (*Template) AddTo(*client.TrackerPayload, Current) {}

// FieldAt finds the field of the rule that an issue is about, by the uid of its attribute or data
// element in what DHIS2 says.
func (t *Template) FieldAt(issue client.Issue) (f Field, ok bool) {
	for _, text := range append([]string{issue.Message}, issue.Args...) {
		first := len(text)
		for uid, field := range t.fields {
			if at := strings.Index(text, uid); at >= 0 && at < first {
				f, ok, first = field, true, at
			}
		}
		if ok {
			return f, true
		}
	}
	return Field{}, false
}

func put(m map[string]any, key, text string) {
	if text != "" {
		m[key] = text
	}
}

func putPosition(m map[string]any, geometry json.RawMessage) {
	var shape struct {
		Coordinates []float64 `json:"coordinates"`
	}
	if geometry != nil && json.Unmarshal(geometry, &shape) == nil && len(shape.Coordinates) == 2 {
		m["geometry"] = map[string]any{"longitude": shape.Coordinates[0], "latitude": shape.Coordinates[1]}
	}
}

func (t *Template) putAttributes(m map[string]any, values []client.AttributeValue, files Files) {
	if len(values) == 0 {
		return
	}
	named := make(map[string]any, len(values))
	for _, v := range values {
		named[t.fields[v.Attribute].Name] = files.shown(v.Attribute, v.Value)
	}
	m["attributes"] = named
}

func putNotes(m map[string]any, notes []client.Note) {
	var texts []any
	for _, n := range notes {
		texts = append(texts, n.Value)
	}
	if texts != nil {
		m["notes"] = texts
	}
}

func orgUnitName(o *metadata.OrgUnit) string {
	if o == nil {
		return ""
	}
	return o.Name
}

// withIDs gives notes the ids by which DHIS2 knows them again.
func withIDs(object string, notes []client.Note) []client.Note {
	if len(notes) == 0 {
		return nil
	}
	list := make([]client.Note, len(notes))
	for n, note := range notes {
		list[n] = client.Note{Note: identity.NoteUID(object, note.Value), Value: note.Value}
	}
	return list
}

func removes(values []client.AttributeValue) bool {
	for _, v := range values {
		if v.Value == "" {
			return true
		}
	}
	return false
}

// dropRedundantClears leaves out removals of values that a person does not have, which 2.40 to 2.42 stumble over.
func dropRedundantClears(values []client.AttributeValue, now *client.TrackedEntity) []client.AttributeValue {
	held := map[string]bool{}
	if now != nil {
		for _, v := range now.Attributes {
			held[v.Attribute] = true
		}
	}
	list := make([]client.AttributeValue, 0, len(values))
	for _, v := range values {
		if v.Value != "" || held[v.Attribute] {
			list = append(list, v)
		}
	}
	return list
}
