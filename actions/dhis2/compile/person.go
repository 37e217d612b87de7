package compile

import (
	"errors"
	"fmt"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/value"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/yamlnode"
)

// personRef is what the keys of an action say of the person whom it is about.
type personRef struct {
	env      *env
	t        *metadata.TrackedEntityType
	typ      string // as the journal keeps it, with the namespace of the ids
	program  *metadata.Program
	external *rules.Expr
	match    []*valued
	shared   map[string]bool // uids of those of match that several people may have
	weighing *weighing
	recreate bool
	several  bool // several ids may be one person
}

// personRef reads external_id, match_by and when_deleted. set are the attributes that the action
// sets, whose values match_by uses.
func (c *compiler) personRef(t *metadata.TrackedEntityType, p *metadata.Program, set []*valued) *personRef {
	w := &personRef{env: c.env, t: t, typ: identity.PersonType(t.ID, c.spec.Rule().People()), program: p,
		external: c.expr("external_id")}
	if w.external == nil && c.spec.Body.Get("external_id").IsNull() {
		c.missing("external_id", "give the person's or case's id in the source system; the same id always reaches the "+
			"same tracked entity")
	}
	w.recreate = c.choice("when_deleted") == "recreate"
	w.several = c.choice("several_ids") == "same_person"
	w.matchBy(c, set)
	w.declarePolicies()
	if w.external != nil {
		w.declareIDs(c)
		// Ids of different fields cannot be told to be the same person's.
		object := "the " + t.Name + " with the external id " + w.external.Text
		if people := c.spec.Rule().People(); people != rules.ProjectNamespace {
			object = fmt.Sprintf("the %s with the external id %s (namespace %s)", t.Name, w.external.Text, people)
		}
		for _, v := range set {
			if a, _, _ := c.x.TrackedEntityAttribute(v.uid, nil); a != nil {
				c.spec.DeclareWrite(object, a.Name, v.Place)
			}
		}
	}
	return w
}

func (w *personRef) matchBy(c *compiler, set []*valued) {
	n := c.node("match_by")
	if n == nil {
		w.suggestMatch(c, set)
		return
	}
	names := n.Items()
	switch n.Kind {
	case yamlnode.Scalar:
		names = []*yamlnode.Node{n}
	case yamlnode.Mapping:
		if n.Get("any") != nil || n.Get("or") != nil {
			w.matchRules(c, n, set)
			return
		}
		w.matchValues(c, n)
		return
	}
	for _, name := range names {
		a := w.unique(c, name)
		if a == nil {
			continue
		}
		var from *valued
		for _, v := range set {
			if v.uid == a.ID {
				from = v
			}
		}
		if from == nil {
			c.errorAt(name.Place(), "match-by-without-value",
				"set it under attributes, or give its value here: {"+a.Name+": expression}",
				"match_by names %q, but nothing gives its value", a.Name)
			continue
		}
		w.match = append(w.match, from)
	}
}

// declarePolicies says by what the rule tells people, for records of other rules about the same people.
func (w *personRef) declarePolicies() {
	if w.t == nil {
		return
	}
	for _, v := range w.match {
		w.env.policies.Add(w.t.ID, 1, identity.Weight{Match: identity.Match{Attribute: v.uid}, Points: 1})
	}
	if w.weighing == nil {
		return
	}
	parts := make([]identity.Weight, len(w.weighing.parts))
	for n, p := range w.weighing.parts {
		parts[n] = identity.Weight{Match: identity.Match{Attribute: p.uid}, Points: p.points, Coarse: p.coarse}
	}
	w.env.policies.Add(w.t.ID, w.weighing.atLeast, parts...)
}

// matchValues reads match_by as a mapping of attributes to their values, for actions that set no attributes.
func (w *personRef) matchValues(c *compiler, n *yamlnode.Node) {
	for _, pair := range n.Pairs() {
		a := w.unique(c, pair.Key)
		if a == nil {
			continue
		}
		if v := c.valued(pair.Value, a.ID, pair.Key.Value, c.attributeKind(a, false)); v != nil {
			w.match = append(w.match, v)
		}
	}
}

// unique finds a unique attribute of the type or program; nil when there is none, which is then reported.
func (w *personRef) unique(c *compiler, n *yamlnode.Node) *metadata.TrackedEntityAttribute {
	var among, names []string
	for _, u := range c.usesOf(w.t, w.program) {
		among = append(among, u.attribute.ID)
		if u.attribute.Unique {
			names = append(names, u.attribute.Name)
		}
	}
	if among == nil {
		return nil
	}
	a, ambiguous, suggestions := c.x.TrackedEntityAttribute(n.Value, among)
	if !c.found(n, a != nil, metadata.TrackedEntityAttributes, "attribute", ambiguous, suggestions) {
		return nil
	}
	c.use(a.ID, n.Place())
	if !a.Unique {
		hint := "no attribute here is unique; leave match_by out"
		if len(names) > 0 {
			hint = "unique attributes: " + diag.Names(names, "and")
		}
		c.errorAt(n.Place(), "match-by-not-unique", hint, "people cannot be found by %q: it is not unique in DHIS2", a.Name)
		return nil
	}
	return a
}

// suggestMatch warns where people may be created twice although an attribute that is set could tell.
func (w *personRef) suggestMatch(c *compiler, set []*valued) {
	if c.update || c.spec.Kind != KindCreateAndEnroll && c.spec.Kind != KindTrackedEntity {
		return
	}
	for _, v := range set {
		if a := c.x.AttributeByID(v.uid); a != nil && a.Unique {
			c.warnAt(c.spec.Place, "no-match-by", "add match_by: "+a.Name+", so that people who are already in DHIS2 are found",
				"nothing finds people who are already in DHIS2, though %q is unique", a.Name)
			return
		}
	}
}

// eval gives the person of one record. The error is a *rules.Failure.
func (w *personRef) eval(s *rules.Scope) (*identity.Person, error) {
	id, err := w.external.EvalText(s)
	if err != nil {
		return nil, err
	}
	if id == "" {
		return nil, &rules.Failure{Problem: diag.Problem{
			Code: "blank-value", Place: w.external.Place, Field: "external_id",
			Message: `"external_id" is blank, so nobody can be told from others`,
			Hint:    "fill it in at the source, or filter such records out with when",
		}}
	}
	if rules.IsNoAnswer(id) || rules.IsFiller(id) {
		return nil, &rules.Failure{Problem: diag.Problem{
			Code: "placeholder", Place: w.external.Place, Field: "external_id", Value: id,
			Message: `"external_id" holds a word for "no answer", so nobody can be told from others`,
			Hint:    "fill the id in at the source and send the record again, or filter such records out with when",
		}}
	}
	if err := errors.Join(rules.TooLongID(w.external, "external_id", id),
		w.external.EditedID(s, "external_id", id)); err != nil {
		return nil, err
	}
	p := &identity.Person{
		Key: actions.IdentityKey{Type: w.typ, ExternalID: id}, Type: w.t.ID,
		UID:      identity.PersonUID(w.env.o.Project, w.typ, id, 0),
		Recreate: w.recreate, SeveralIDs: w.several, Policies: &w.env.policies,
	}
	if p.Weighed, err = w.weighing.eval(s, w.env); err != nil {
		return nil, err
	}
	for _, v := range w.match {
		text, st, err := v.eval(s, w.env.context)
		if err != nil {
			return nil, err
		}
		if st == stateSet && !v.DeclaresMissing() && rules.IsPlaceholder(text) {
			return nil, placeholder(v, text)
		}
		if st == stateSet {
			p.Match = append(p.Match, identity.Match{Attribute: v.uid, Value: text, Name: v.name,
				Program: w.scope(v.uid), Shared: w.shared[v.uid]})
		}
	}
	return p, nil
}

// placeholder is the failure of a record that would match everybody who gave no answer.
func placeholder(v *valued, text string) *rules.Failure {
	return &rules.Failure{Problem: diag.Problem{
		Code: "placeholder", Place: v.place(), Field: v.name, Value: text,
		Message: fmt.Sprintf("%q holds what people write for \"no answer\", and match_by would take everybody with it for "+
			"one person", v.name),
		Hint: "declare such words: missing: [n/a] on the trigger or the field makes them blank; a value that is real " +
			"is let through by missing: [] on the field",
	}}
}

// scope is the program in which people are searched by an attribute; empty for attributes of the
// type, by which people are found who are not in the program: DHIS2 leaves them out when it is
// asked with one.
func (w *personRef) scope(attribute string) string {
	for _, a := range w.t.Attributes {
		if a.Attribute.ID == attribute {
			return ""
		}
	}
	if w.program == nil {
		return ""
	}
	return w.program.ID
}

// again reads what tells a person's enrollments in one program apart: enrollment_id, or reenroll
// with the enrolled date.
type again struct {
	id   *rules.Expr
	date *dateField
}

func (c *compiler) again(enrolled *dateField) *again {
	a := &again{id: c.expr("enrollment_id")}
	if c.flag("reenroll") && a.id == nil {
		a.date = enrolled
	}
	return a
}

func (a *again) eval(s *rules.Scope, c *value.Context) (string, error) {
	if a == nil {
		return "", nil
	}
	if a.id != nil {
		text, err := a.id.EvalText(s)
		if err == nil && text == "" {
			err = &rules.Failure{Problem: diag.Problem{
				Code: "blank-value", Place: a.id.Place, Field: "enrollment_id",
				Message: `"enrollment_id" is blank, so the enrollment cannot be told from others`, Hint: "fill it in at the source",
			}}
		}
		return text, err
	}
	return a.date.eval(s, c)
}

// enrollmentOf names the enrollment of a person in a program.
func enrollmentOf(p *metadata.Program, person *identity.Person, again string) *identity.Enrollment {
	return &identity.Enrollment{Person: person, Program: p.ID, Name: p.Name, Again: again, Once: p.OnlyEnrollOnce}
}

// declare says what later actions may read of an action.
func (c *compiler) declare(fields ...string) {
	if c.spec.ID != "" {
		c.spec.DeclareResult(fields...)
	}
}

// textExpr compiles an expression in a mapping of an action, such as from.external_id.
func (c *compiler) textExpr(n *yamlnode.Node) *rules.Expr {
	if n == nil {
		return nil
	}
	e := c.spec.Expression(n, expression.Text)
	if e == nil {
		c.failed = true
	}
	return e
}

// declareIDs says by which ids the action knows people.
func (w *personRef) declareIDs(c *compiler) {
	kind := c.spec.Kind
	c.spec.DeclareIDs(rules.DeclaredIDs{
		Object: "tracked entity " + w.t.ID, Label: "tracked entities of the type \"" + w.t.Name + "\"", People: true,
		ID: w.external, Place: w.external.Place,
		Creates: kind == KindCreateAndEnroll || kind == KindTrackedEntity, Found: len(w.match) > 0 || w.weighing != nil,
	})
}

// recordScope is the scope of what is known by the ids of a rule's records.
func (w *env) recordScope(r *rules.Rule) string {
	if w.o.Legacy != nil && w.o.Legacy(r.Records()) {
		return ""
	}
	return identity.Scope(r.Records())
}
