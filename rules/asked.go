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

// AskedKind compiles lookups of what no snapshot holds: it is asked for while records are
// evaluated, for many records at once.
type AskedKind interface {
	// Collections lists what in: may say.
	Collections() []string
	// Keys declares the keys of a lookup in a collection beside where:, on_missing:, on_many: and sample:.
	Keys(collection string) []settings.Field
	// Compile reads those keys; around gives what another lookup of the rule asks for, nil for nothing; broken
	// tells that it has mistakes. Compile gives nil when the lookup cannot be used, which is reported.
	Compile(collection string, r settings.Reader, around func(lookup string) (asked Asked, broken bool)) Asked
}

// AskedKinds are several kinds as one.
type AskedKinds []AskedKind

// Collections implements AskedKind.
func (k AskedKinds) Collections() (all []string) {
	for _, one := range k {
		all = append(all, one.Collections()...)
	}
	return all
}

// Keys implements AskedKind.
func (k AskedKinds) Keys(collection string) []settings.Field {
	if one := k.of(collection); one != nil {
		return one.Keys(collection)
	}
	return nil
}

// Compile implements AskedKind.
func (k AskedKinds) Compile(collection string, r settings.Reader,
	around func(lookup string) (asked Asked, broken bool)) Asked {
	if one := k.of(collection); one != nil {
		return one.Compile(collection, r, around)
	}
	return nil
}

func (k AskedKinds) of(collection string) AskedKind {
	i := slices.IndexFunc(k, func(one AskedKind) bool { return slices.Contains(one.Collections(), collection) })
	if i < 0 {
		return nil
	}
	return k[i]
}

// Asked is what one lookup asks for.
type Asked interface {
	// Fields lists what where: may name; nil where the lookup says by of: whose objects are meant.
	Fields() []string
	// Shape is what is known of one answer.
	Shape() *expression.Shape
	// IsList tells that the lookup is the list of all answers.
	IsList() bool
}

// AsksNothing is an Asked that may need nothing of the record: it asks for the same every time.
type AsksNothing interface{ AsksNothing() bool }

// AboutRecord is an Asked whose answer depends on which record asks.
type AboutRecord interface{ AboutRecord() bool }

// RecordRef is the record that asks.
type RecordRef struct {
	Rule, ID, Key string
	Seq           int64 // its place in the order of acceptance; 0: it has none
}

// AtServer is an Asked that a server of DHIS2 answers: a lookup may say which.
type AtServer interface{ AtServer() bool }

// Question is what one record asks for.
type Question struct {
	Server string // that is asked, where the lookup names one; empty: the rule's own
	Lookup string // as the rule calls it
	Asked  Asked
	Fields []string // that are compared, of where:; empty with of:
	Values []string // of the fields; with of: the id of the object around
	// Record is the one that asks, where the answer depends on it.
	Record RecordRef
}

// Key tells questions of one rule apart.
func (q Question) Key() string {
	return q.Lookup + "\x00" + strings.Join(q.Fields, "\x00") + "\x00\x00" + strings.Join(q.Values, "\x00")
}

// Answers gives what is known of a question: the objects that were found, none when there are none;
// known is false when it has not been asked.
type Answers func(q Question) (found []any, known bool)

// Unanswered is the error of an evaluation that has to know more: the same evaluation comes further
// once these are answered.
type Unanswered struct{ Questions []Question }

// Error names the lookups.
func (u *Unanswered) Error() string {
	names := make([]string, len(u.Questions))
	for i, q := range u.Questions {
		names[i] = q.Lookup
	}
	return "the lookups " + strings.Join(names, ", ") + " are not answered yet"
}

// orNil gives no error where nothing is asked.
func (u *Unanswered) orNil() error {
	if len(u.Questions) == 0 {
		return nil
	}
	return u
}

// askedLookup reads a lookup of what is asked for.
func (c *compiler) askedLookup(l *Lookup, r settings.Reader, scope *expression.Scope) {
	n := r.Config
	l.Collection = r.Text("in")
	c.onlyKeys(n, "in", c.keysOfLookup(n))
	l.asked = c.env.Asked.Compile(l.Collection, r, c.askedAround)
	if l.asked == nil {
		for _, word := range c.lookupWords(n) {
			c.used[word] = true // or a mistake in it would make another finding elsewhere
		}
		return
	}
	if _, ok := l.asked.(AtServer); !ok && r.Has("server") {
		c.fault(n.Key("server").Place(), "unknown-key", fmt.Sprintf("%q does not go together with in: %s", "server",
			l.Collection), "remove it: what is looked up there is at no server of DHIS2")
	}
	if of := r.Node("of"); of != nil {
		l.of = c.expr(of, scope, expression.Anything)
		if w := n.Key("where"); w != nil {
			c.fault(w.Place(), "unknown-key", fmt.Sprintf("%q does not go together with of:", "where"),
				"say with of: whose they are, and choose among them by take: or in an expression")
		}
	} else if whole, ok := l.asked.(AsksNothing); !ok || !whole.AsksNothing() {
		c.candidates(l, yamlnode.Merge(nil, n.Only(func(string) bool { return false })), n, l.asked.Fields(), "fields", scope)
	}
	if s := r.Node("sample"); s != nil {
		l.sampled, l.sample = true, sampleOf(s)
	}
}

// askedAround gives what an earlier lookup asks for, nil when it asks for nothing.
func (c *compiler) askedAround(lookup string) (asked Asked, broken bool) {
	for _, l := range c.rule.Lookups {
		if l.Name == lookup {
			return l.asked, l.asked == nil && slices.Contains(c.env.Asked.Collections(), l.Collection)
		}
	}
	return nil, false
}

// isAsked tells whether a collection is one that is asked for.
func (c *compiler) isAsked(n *yamlnode.Node) bool {
	in := n.Get("in")
	return c.env.Asked != nil && isValue(in) && slices.Contains(c.env.Asked.Collections(), in.Value)
}

// noneAsked refuses lookups that are asked for in what has to be known before a record is sent: its
// id, key and version, and the filter.
func (c *compiler) noneAsked() {
	for _, part := range []struct {
		name string
		expr *Expr
	}{{"when", c.rule.When}, {"id", c.rule.ID}, {"version", c.rule.Version}, {"key", c.rule.Key}} {
		if part.expr == nil {
			continue
		}
		for _, i := range part.expr.needs {
			if l := c.rule.Lookups[i]; l.asks(c.rule) {
				c.fault(part.expr.Place, "not-allowed",
					fmt.Sprintf("%s: reads the lookup %q, which is asked of the server only when the record is sent", part.name,
						l.Name),
					"take a field of the record here; an action's own when: may read the lookup")
			}
		}
	}
}

// asks tells whether a lookup has to ask, itself or through another one.
func (l *Lookup) asks(r *Rule) bool {
	return l.asked != nil || slices.ContainsFunc(l.expressions(), func(e *Expr) bool {
		return slices.ContainsFunc(e.needs, func(i int) bool { return r.Lookups[i].asks(r) })
	})
}

// runAsked finds what is asked for.
func (l *Lookup) runAsked(s *Scope) (v any, values string, err error) {
	var searched []string
	blank := true
	for _, q := range l.questions(s, &searched, &err) {
		blank = false
		hits, known := s.answer(q)
		if !known {
			return nil, strings.Join(searched, "; "), &Unanswered{[]Question{q}}
		}
		values = strings.Join(searched, "; ")
		switch {
		case len(hits) == 0:
			continue
		case l.asked.IsList():
			return hits, values, nil
		case len(hits) == 1:
			return hits[0], values, nil
		}
		v, err := l.many(hits, values)
		return v, values, err
	}
	values = strings.Join(searched, "; ")
	if err != nil {
		return nil, values, l.named(err)
	}
	if l.asked.IsList() {
		return []any{}, values, nil
	}
	return nil, values, l.missing(values, blank)
}

// questions lists what the record asks for, in the order in which it is to be asked; what is blank is not asked for.
func (l *Lookup) questions(s *Scope, searched *[]string, failed *error) (list []Question) {
	if l.of != nil {
		v, err := l.of.Eval(s)
		if *failed = err; err != nil {
			return nil
		}
		if fields, ok := v.(map[string]any); ok {
			v = fields["id"]
		}
		if id := strings.TrimSpace(textOf(v)); id != "" {
			list = append(list, Question{Server: l.server, Lookup: l.Name, Asked: l.asked, Values: []string{id}})
			*searched = append(*searched, "of "+id)
		}
		return list
	}
	if len(l.candidates) == 0 {
		return []Question{{Server: l.server, Lookup: l.Name, Asked: l.asked}}
	}
	for _, cand := range l.candidates {
		q := Question{Server: l.server, Lookup: l.Name, Asked: l.asked}
		complete := true
		for _, cr := range cand {
			text, err := cr.expr.EvalText(s)
			if *failed = err; err != nil {
				return nil
			}
			text = strings.TrimSpace(text)
			complete = complete && text != ""
			q.Fields, q.Values = append(q.Fields, cr.field), append(q.Values, text)
			*searched = append(*searched, cr.field+" = "+clip(text))
		}
		if complete {
			list = append(list, q)
		}
	}
	return list
}

// answer gives what is known of a question.
func (s *Scope) answer(q Question) ([]any, bool) {
	if s.input.Answers == nil {
		return nil, false
	}
	return s.input.Answers(q)
}

// SampleAnswers answers where nobody can be asked: with what a test says that is found, by lookup,
// else with the samples of the rule's lookups.
func (r *Rule) SampleAnswers(found *yamlnode.Node) Answers {
	return func(q Question) ([]any, bool) {
		if n := found.Get(q.Lookup); n != nil {
			return sampleOf(n), true
		}
		for _, l := range r.Lookups {
			if l.Name == q.Lookup && l.sampled {
				return l.sample, true
			}
		}
		return nil, false
	}
}

// sampleOf reads what a sample says is found: an object, a list of several, or nothing.
func sampleOf(n *yamlnode.Node) []any {
	var list []any
	for _, item := range oneOrMany(n) {
		if !item.IsNull() {
			list = append(list, plainBody(item.Plain()))
		}
	}
	return list
}

// NoSample is why a record cannot be tried: a lookup asks the server, and nothing says what it would find.
func (r *Rule) NoSample(q Question) *Failure {
	f := &Failure{Problem: diag.Problem{
		Code: "no-sample", Message: fmt.Sprintf("the lookup %q asks the server, which is not asked on trial", q.Lookup),
		Field: q.Lookup,
		Hint: "write sample: into the lookup, or found: into the test, with what it finds, such as {id: ..., attributes: " +
			"{First name: Amina}}, or null for nothing",
	}}
	for _, l := range r.Lookups {
		if l.Name == q.Lookup {
			f.Place = l.Place
		}
	}
	return f
}
