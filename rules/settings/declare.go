package settings

import (
	"slices"
	"strings"
	"time"
)

// Type is what stands behind a key.
type Type int

// The types of keys.
const (
	Text       Type = iota // one text
	Texts                  // one text or a list of them
	Whole                  // a whole number from Min to Max
	Number                 // a number above 0, up to Max where there is one
	Switch                 // true or false
	Duration               // a length of time from Least to Most, such as 30m or 7d
	Word                   // one of Words; the first holds when the key is left out
	Expression             // an expression over the record or reply, or names and such
	Secret                 // a text that is named as ${NAME}
	Value                  // a text, ${NAME} of the environment, or {file: path}
	Mapping                // keys of its own: those of Fields, or any where there are none
	Named                  // names that people choose, each with what Each declares
	List                   // a list of what Each declares
	Free                   // read by the kind itself, of the types that Schema lists, or of any
)

// Field declares one key: what is checked of it, what completes it, and what the reference says of it.
type Field struct {
	Name     string
	Type     Type
	Doc      string // what it says, without full stop at its end
	Required bool
	Default  string   // what holds when it is left out, as the file would say it
	LeftOut  string   // the same in words, where there is no text for it
	Hint     string   // how to put it right when it is missing
	Words    []string // of a Word; of another type, what it may be, for completion
	// Min and Max bound a Whole or Number; how many there may be, of a List, Named or Mapping; the
	// characters of a Text. 0 is no bound.
	Min, Max int
	Least    time.Duration
	Most     time.Duration // 0: no bound
	Fields   []Field       // of a Mapping; of a Named, keys that are no names of people's
	Each     *Field        // of a Named or List: one of them, without a name
	Ref      string        // of a Free that is written alike in many places: its definition in the schema
	Schema   []string      // types of JSON Schema that are let through to the kind, where they are not those of Type
	// Open says of a Mapping that a schema lets through what it does not know of it: whoever reads it says
	// better what is wrong.
	Open bool
	With []string // the ways that it goes with, in a mapping that is written in several; none: all of them
}

// Spec declares one mapping of settings: the config of a kind of trigger, or a connection.
type Spec struct {
	Name    string // as the file names it
	Doc     string // one sentence
	Example string // a short one, on one line
	Fields  []Field
	// Open says that there may be other keys, which whoever reads the mapping takes for names.
	Open bool
}

// Field gives the declaration of a key; nil when there is none.
func (s *Spec) Field(name string) *Field { return Find(s.Fields, name) }

// Names lists the names of specs.
func Names(specs []Spec) []string {
	names := make([]string, len(specs))
	for i := range specs {
		names[i] = specs[i].Name
	}
	return names
}

// Keys lists the names of keys.
func Keys(fields []Field) []string {
	names := make([]string, len(fields))
	for i := range fields {
		names[i] = fields[i].Name
	}
	return names
}

// With gives the keys that go with one of the ways in which a mapping is written.
func With(fields []Field, way string) []Field {
	return slices.DeleteFunc(slices.Clone(fields), func(f Field) bool {
		return len(f.With) > 0 && !slices.Contains(f.With, way)
	})
}

// HoldsExpressions tells whether expressions, or values in their long form, stand behind the key, or
// in the mapping or list behind it. A key that may also hold one of its words does not tell.
func (f *Field) HoldsExpressions() bool {
	switch f.Ref {
	case "expression", "field", "fields":
		return len(f.Words) == 0
	}
	return f.Type == Expression || f.Each != nil && f.Each.HoldsExpressions()
}

// Find gives the declaration of a key; nil when there is none.
func Find(fields []Field, name string) *Field {
	if i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == name }); i >= 0 {
		return &fields[i]
	}
	return nil
}

// Otherwise says what holds when the key is left out.
func (f *Field) Otherwise() string {
	switch {
	case f.Required:
		return "needed"
	case f.LeftOut != "":
		return f.LeftOut
	case f.Default != "":
		return f.Default
	case f.Type == Word && len(f.Words) > 0:
		return f.Words[0]
	case f.Type == Switch:
		return "false"
	}
	return ""
}

// Description is the text of the key in a JSON Schema.
func (f *Field) Description() string {
	text := f.Doc
	if otherwise := f.Otherwise(); strings.HasSuffix(otherwise, "needed") && !f.Required {
		text += "; " + otherwise
	} else if otherwise != "" && !f.Required {
		text += "; " + otherwise + " when left out"
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
