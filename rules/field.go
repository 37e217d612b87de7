package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
)

// BlankPolicy says what a blank value does; blankWords name them in their order.
type BlankPolicy int

const (
	// BlankOmit leaves the field out of the write.
	BlankOmit BlankPolicy = iota
	// BlankClear removes the value in DHIS2.
	BlankClear
	// BlankFail fails the record.
	BlankFail
)

// Field is the compiled value of one entry in an action's mapping.
type Field struct {
	Name   string // the name used in the rule
	Place  diag.Place
	From   *Expr     // nil for a literal
	Value  any       // the literal of {value: ...}, as text; nil when From is set
	Map    *ValueMap // or nil
	Format string    // layout of a date or number, or empty
	Blank  BlankPolicy
	// LeaveInvalid leaves a value out that does not fit, with a remark, instead of failing the record (invalid: omit).
	LeaveInvalid bool

	// missing are the words that the field itself declares for "no answer"; nil when it declares none.
	missing wordSet
	// Default is what a blank value is replaced by, or nil.
	Default *Expr
	// FormatPlace is where Format is written.
	FormatPlace diag.Place
	// TryOnSample, where the action's kind sets it, tells what is doubtful about the value of a record
	// of the sample: Finish makes it a warning.
	TryOnSample func(*Scope) *Failure
	// CannotCome, where the action's kind sets it, tells what is so wrong with the value of a record of the sample
	// that no record can be right: Finish makes it an error.
	CannotCome func(*Scope) *Failure

	valueNode *yamlnode.Node
	mapPlace  diag.Place // where the field names its map
	action    *ActionSpec
}

// Result is what a field came to on one record.
type Result struct {
	Value any // after from, map and default; nil when blank
	Blank bool
	Clear bool // blank, and the rule says clear
	In    any  // before the map, for messages
}

// Field compiles the value of a mapping entry: a bare expression, or the long form {from, map,
// format, missing, default, blank} or {value}. nil when it is wrong, which is then reported.
func (a *ActionSpec) Field(name string, n *yamlnode.Node) *Field {
	if n == nil || n.Refused() {
		return nil
	}
	a.read[n] = true
	f := &Field{Name: name, Place: n.Place(), Blank: a.blank, LeaveInvalid: a.leaveInvalid, action: a}
	c := a.compiler
	c.inField = true
	defer func() { c.inField = false }()
	switch {
	case n.Kind == yamlnode.Sequence:
		c.fault(n.Place(), "wrong-shape", fmt.Sprintf("%q must be an expression or {from: ...}, not a list", name),
			"join several values with join(), or with the functions for multiple choices")
		return nil
	case n.Kind == yamlnode.Scalar && n.IsNull():
		c.fault(n.Place(), "empty-value", fmt.Sprintf("%q has no value", name),
			"write an expression; to remove a value in DHIS2 write {from: ..., blank: clear}")
		return nil
	case n.Kind == yamlnode.Scalar:
		f.From = a.Expression(n, expression.Anything)
		if f.From == nil {
			return nil
		}
	default:
		if !a.longForm(f, n) {
			return nil
		}
	}
	c.fields = append(c.fields, f)
	return f
}

// longForm reads a field's mapping. It goes on after a mistake, so that every one is reported.
func (a *ActionSpec) longForm(f *Field, n *yamlnode.Node) bool {
	c, ok, known := a.compiler, true, settings.Keys(fieldKeys)
	for _, p := range n.Pairs() {
		if !slices.Contains(known, p.Key.Value) {
			c.fault(p.Key.Place(), "unknown-key", fmt.Sprintf("unknown key %q in %q", p.Key.Value, f.Name),
				diag.Suggest(p.Key.Value, known, "keys"))
			ok = false
		}
	}
	from, value := n.Get("from"), n.Get("value")
	switch {
	case from != nil && value != nil:
		c.report(diag.Diagnostic{
			Problem: diag.Problem{Code: "from-and-value", Message: fmt.Sprintf("%q has both from: and value:", f.Name),
				Hint: "keep from: for an expression, or value: for a fixed value", Place: n.Key("value").Place()},
			Related: []diag.Related{{Place: n.Key("from").Place(), Message: "from stands here"}},
		})
		return false
	case value != nil:
		ok = !c.cutByComment(value, true) && ok
		f.valueNode = value
		if !value.IsNull() {
			f.Value = value.Value
		}
		f.Place = value.Place()
	case from != nil:
		f.From = a.Expression(from, expression.Anything)
		ok = ok && f.From != nil
		f.Place = from.Place()
	default:
		if ok {
			c.fault(n.Place(), "missing-key", fmt.Sprintf("%q has neither from: nor value:", f.Name),
				"write from: for an expression, or value: for a fixed value")
		}
		ok = false
	}
	ok = a.fieldOptions(f, n) && ok
	if f.Map != nil && f.Map.policy == policyDefault && f.Default == nil && f.From != nil {
		c.fault(f.mapPlace, "missing-default",
			fmt.Sprintf("the map leaves values that are not in it to the field's default, and %q has none", f.Name),
			"add default: to the field, or choose another policy for other:")
		ok = false
	}
	return ok
}

// fieldOptions reads what the long form says beside from: and value:.
func (a *ActionSpec) fieldOptions(f *Field, n *yamlnode.Node) bool {
	c, ok := a.compiler, true
	if m := n.Get("map"); m != nil {
		f.mapPlace = m.Place()
		f.Map = c.fieldMap(m)
		ok = ok && f.Map != nil
	}
	if v := n.Get("format"); isValue(v) {
		f.Format, f.FormatPlace = v.Value, v.Place()
	}
	if v := n.Get("missing"); v != nil {
		f.missing = wordSet{}
		f.missing.add(v)
	}
	if v := n.Get("default"); v != nil {
		f.Default = a.Expression(v, expression.Anything)
		ok = ok && f.Default != nil
	}
	if v := n.Get("invalid"); isValue(v) {
		word, known := c.word(v, fieldKeys, "invalid", "words")
		f.LeaveInvalid, ok = word == "omit", ok && known
	}
	if v := n.Get("blank"); isValue(v) {
		word, known := c.word(v, fieldKeys, "blank", "policies")
		f.Blank, ok = blankPolicy(word), ok && known
	}
	return ok
}

// blankPolicy gives the policy of a word; BlankOmit for another.
func blankPolicy(word string) BlankPolicy { return BlankPolicy(max(0, slices.Index(blankWords, word))) }

// word reads a key that holds one of its declared words, what they are for messages; known is false
// when it holds another, which is then reported.
func (c *compiler) word(n *yamlnode.Node, keys []settings.Field, key, what string) (word string, known bool) {
	words := settings.Find(keys, key).Words
	if slices.Contains(words, n.Value) {
		return n.Value, true
	}
	c.fault(n.Place(), "not-allowed", fmt.Sprintf("%q must be %s, not %q", key, diag.Names(words, "or"), n.Value),
		diag.Suggest(n.Value, words, what))
	return "", false
}

// PlaceOf gives the place in the rule of a part of the field's literal value, in runes; for other
// fields their own place.
func (f *Field) PlaceOf(from, to int) diag.Place {
	if f.valueNode == nil {
		return f.Place
	}
	return f.valueNode.PlaceOf(from, to)
}

// Literal gives the field's value when it is written in the rule as {value: ...}, after its map.
func (f *Field) Literal() (string, bool) {
	text, ok := f.Value.(string)
	if !ok || f.From != nil {
		return "", false
	}
	if f.Map != nil {
		if out, found := f.Map.find(text); found {
			return out, true
		}
	}
	return text, true
}

// Eval gives the field's value on one record. The error is a *Failure (unmapped value, blank: fail, ...).
func (f *Field) Eval(s *Scope) (Result, error) {
	r, err := f.eval(s)
	if s.Trace != nil {
		step := Step{What: "field", Name: f.Name, In: r.In, Out: r.Value, Place: f.Place}
		if f.From != nil {
			step.Expr = f.From.Text
		}
		s.step(step, err)
	}
	return r, err
}

// withoutAttributes takes the text out of an element of XML that has attributes, as CommCare and
// other sources write it in JSON: {"#text": "f", "@xmlns": "..."}.
func withoutAttributes(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	for name := range m {
		if name != "#text" && !strings.HasPrefix(name, "@") {
			return v
		}
	}
	return m["#text"]
}

func (f *Field) eval(s *Scope) (Result, error) {
	r := Result{Value: f.Value}
	if f.From != nil {
		v, err := f.From.Eval(s)
		if err != nil {
			return r, f.name(err)
		}
		r.Value = v
	}
	r.In = r.Value
	if f.Map != nil {
		r.Value = withoutAttributes(r.Value)
	}
	r.Value = f.present(r.Value)
	if f.Map != nil && !expression.IsBlank(r.Value) {
		v, err := f.mapped(s, r.Value)
		if err != nil {
			return r, err
		}
		r.Value = v
	}
	if f.Default != nil && expression.IsBlank(r.Value) {
		v, err := f.Default.Eval(s)
		if err != nil {
			return r, f.name(err)
		}
		r.Value = v
	}
	if !expression.IsBlank(r.Value) {
		return r, nil
	}
	r.Value, r.Blank, r.Clear = nil, true, f.Blank == BlankClear
	if f.Blank == BlankFail {
		return r, &Failure{Problem: diag.Problem{
			Code: "blank-value", Message: fmt.Sprintf("%s is blank", f.Name), Field: f.Name, Column: f.Column(), Place: f.Place,
			Hint: "give the value in the source and send the record again, or choose blank: omit",
		}}
	}
	return r, nil
}

// DeclaresMissing tells whether the field itself says which words stand for "no answer": then what
// it does not name is an answer.
func (f *Field) DeclaresMissing() bool { return f.missing != nil }

// present makes a value blank that the field declares to be no answer; of a list, such items are left out.
func (f *Field) present(v any) any {
	if len(f.missing) == 0 {
		return v
	}
	if list, ok := v.([]any); ok {
		return slices.DeleteFunc(slices.Clone(list), f.missing.has)
	}
	if f.missing.has(v) {
		return nil
	}
	return v
}

// Column gives what the record calls the field's value; empty for a literal.
func (f *Field) Column() string {
	if f.From == nil {
		return ""
	}
	return f.From.Column()
}

// mapped looks a value up in the field's map; of a list, every item.
func (f *Field) mapped(s *Scope, v any) (any, error) {
	list, ok := v.([]any)
	if !ok {
		return f.mapOne(s, v)
	}
	out := make([]any, 0, len(list))
	for _, item := range list {
		m, err := f.mapOne(s, item)
		if err != nil {
			return nil, err
		}
		if m != nil {
			out = append(out, m)
		}
	}
	return out, nil
}

func (f *Field) mapOne(s *Scope, v any) (any, error) {
	out, err := f.Map.Map(v)
	s.step(Step{What: "map", Name: f.Map.Name, In: v, Out: out, Place: f.mapPlace}, err)
	if err != nil {
		var own Failure
		if failure, ok := err.(*Failure); ok {
			own = *failure
		}
		own.Field, own.Column = f.Name, f.Column()
		own.Place = f.mapPlace
		return nil, &own
	}
	return out, nil
}

// name says in a failure which field it is about.
func (f *Field) name(err error) error {
	if failure, ok := err.(*Failure); ok && failure.Field == "" {
		failure.Field = f.Name
	}
	return err
}
