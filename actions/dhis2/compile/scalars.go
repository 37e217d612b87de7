package compile

import (
	"fmt"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/value"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// dateField is a date of an enrollment, event or completion.
type dateField struct {
	valued
	key string
}

// date compiles a key that holds a date. future allows dates after today.
func (c *compiler) date(key string, future bool) *dateField {
	n := c.node(key)
	if n == nil {
		return nil
	}
	v := c.valued(n, "", key, value.Kind{Type: "DATE", Future: future})
	if v == nil {
		return nil
	}
	v.LeaveInvalid = false // an object without its date is another one
	return &dateField{valued: *v, key: key}
}

// requiredDate is date for a key that must be there.
func (c *compiler) requiredDate(key string, future bool, hint string) *dateField {
	d := c.date(key, future)
	if d == nil && c.spec.Body.Get(key).IsNull() {
		c.missing(key, hint)
	}
	return d
}

// eval gives the date as yyyy-mm-dd; empty when it is blank or the rule has none.
func (d *dateField) eval(s *rules.Scope, c *value.Context) (string, error) {
	if d == nil {
		return "", nil
	}
	text, _, err := d.valued.eval(s, c)
	return text, err
}

// required is eval for a date that DHIS2 cannot do without.
func (d *dateField) required(s *rules.Scope, c *value.Context) (string, error) {
	kept := s.KeptCount()
	text, err := d.eval(s, c)
	if err == nil && text == "" && s.KeptCount() == kept {
		err = &rules.Failure{Problem: diag.Problem{
			Code: "blank-value", Place: d.place(), Field: d.key, Column: d.Column(),
			Message: fmt.Sprintf("%q is blank", d.key), Hint: "fill the date in at the source, or give a default in the rule",
		}}
	}
	return text, err
}

// statusField is a status, fixed in the rule or computed.
type statusField struct {
	fixed string
	field *rules.Field
	words []string
	key   string
	// what yes and no mean, where they mean one of the words; empty: nothing
	yes, no string
}

// status compiles a key that holds one of a few words: written plainly, or computed by an expression.
func (c *compiler) status(key string, words ...string) *statusField {
	return c.wordOf(&statusField{key: key, words: words})
}

func (c *compiler) wordOf(f *statusField) *statusField {
	n, key, words := c.node(f.key), f.key, f.words
	if n == nil {
		return nil
	}
	literal := n
	if v := n.Get("value"); v != nil {
		literal = v
	}
	if literal.Kind == yamlnode.Scalar {
		for _, word := range words {
			if strings.EqualFold(word, strings.TrimSpace(literal.Value)) {
				f.fixed = word
				return f
			}
		}
		if literal != n || isWord(literal.Value) || c.spec.IsUnknownName(literal.Value) {
			c.errorAt(literal.Place(), "wrong-choice", "write one of "+strings.Join(words, ", "), "%q is not a %s",
				literal.Value, key)
			return nil
		}
	}
	if f.field = c.fieldOf(key, n); f.field == nil {
		return nil
	}
	if m := f.field.Map; m != nil {
		for _, out := range m.Outputs() {
			if _, ok := f.word(out.Out); !ok {
				c.errorAt(out.Place, "map-wrong-value", "write one of "+strings.Join(words, ", "), "%q in the map%s is not a %s",
					out.Out, mapName(m), key)
			}
		}
	}
	return f
}

// isWord tells a status misspelt in capitals from an expression.
func isWord(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
}

func word(s string, words []string) (string, bool) {
	for _, w := range words {
		if strings.EqualFold(w, strings.TrimSpace(s)) {
			return w, true
		}
	}
	return "", false
}

func (f *statusField) eval(s *rules.Scope) (string, error) {
	if f == nil || f.field == nil {
		return f.always(), nil
	}
	r, err := f.field.Eval(s)
	if err != nil || r.Blank {
		return "", err
	}
	w, ok := f.word(r.Value)
	if !ok {
		return "", &rules.Failure{Problem: diag.Problem{
			Code: "wrong-choice", Place: placeOf(f.field), Field: f.key, Column: f.field.Column(), Value: private(r.Value),
			Message: f.unknown(),
			Hint:    "map it to one of " + strings.Join(f.words, ", "),
		}}
	}
	return w, nil
}

// word gives which of the words a value is.
func (f *statusField) word(v any) (string, bool) {
	text, _ := value.Text(v, nil)
	if w, ok := word(text, f.words); ok || f.yes == "" {
		return w, ok
	}
	kind := value.Kind{Type: "BOOLEAN"}
	switch answer, wrong := kind.Convert(v, nil); {
	case wrong != nil:
		return "", false
	case answer.Text == "true":
		return f.yes, true
	}
	return f.no, true
}

// unknown says that a value is none of the words.
func (f *statusField) unknown() string {
	if f.yes != "" {
		return fmt.Sprintf("%q is neither one of its words nor yes or no", f.key)
	}
	return fmt.Sprintf("%q is none of the statuses that DHIS2 has", f.key)
}

// always is the status that every record gets; empty when it depends on the record or the rule sets none.
func (f *statusField) always() string {
	if f == nil {
		return ""
	}
	return f.fixed
}

// boolField is yes or no.
type boolField struct{ valued }

func (c *compiler) boolean(key string) *boolField {
	n := c.node(key)
	if n == nil {
		return nil
	}
	v := c.valued(n, "", key, value.Kind{Type: "BOOLEAN"})
	if v == nil {
		return nil
	}
	return &boolField{*v}
}

// eval gives the value; set is false when it is blank or the rule has none.
func (b *boolField) eval(s *rules.Scope, c *value.Context) (on, set bool, err error) {
	if b == nil {
		return false, false, nil
	}
	text, st, err := b.valued.eval(s, c)
	return text == "true", err == nil && st != stateOmit, err
}

// notes compiles the key notes: one, or a list.
func (c *compiler) notes() []*valued {
	n := c.node("notes")
	if n == nil {
		return nil
	}
	items := n.Items()
	if n.Kind != yamlnode.Sequence {
		items = []*yamlnode.Node{n}
	}
	var list []*valued
	for _, item := range items {
		if v := c.valued(item, "", "notes", value.Kind{Type: "LONG_TEXT"}); v != nil {
			list = append(list, v)
		}
	}
	return list
}

// evalNotes gives the notes; their ids follow on delivery, when the object's own id is known.
func evalNotes(fields []*valued, s *rules.Scope, c *value.Context) ([]client.Note, error) {
	var notes []client.Note
	for _, f := range fields {
		text, st, err := f.eval(s, c)
		if err != nil {
			return nil, err
		}
		if st == stateSet {
			notes = append(notes, client.Note{Value: text})
		}
	}
	return notes, nil
}

// userField is who an event is assigned to.
type userField struct{ valued }

func (c *compiler) assignedUser() *userField {
	n := c.node("assigned_user")
	if n == nil {
		return nil
	}
	v := c.valued(n, "", "assigned_user", value.Kind{Type: "USERNAME"})
	if v == nil {
		return nil
	}
	return &userField{*v}
}

func (u *userField) eval(s *rules.Scope, c *value.Context) (*client.AssignedUser, error) {
	if u == nil {
		return nil, nil
	}
	text, st, err := u.valued.eval(s, c)
	if err != nil || st != stateSet {
		return nil, err
	}
	if identity.IsUID(text) {
		return &client.AssignedUser{UID: text}, nil
	}
	return &client.AssignedUser{Username: text}, nil
}

// day reads a yyyy-mm-dd... text; the zero time when it is none.
func day(s string) time.Time {
	t, _ := time.Parse(time.DateOnly, s[:min(len(s), 10)])
	return t
}
