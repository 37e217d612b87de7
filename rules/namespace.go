package rules

import (
	"fmt"
	"strings"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// ProjectNamespace is the namespace of ids that a whole project shares.
const ProjectNamespace = "project"

// namespace is what a rule says of whose ids its own are. Two rules share a namespace only when both name it.
type namespace struct {
	records, people string // empty: the rule says nothing
	place           diag.Place
}

// Records is the namespace of the ids of the rule's records, and of what is known by them: the
// rule's own, under its name, unless it says another.
func (r *Rule) Records() string {
	if r.namespace.records != "" {
		return r.namespace.records
	}
	return r.Name
}

// SaysRecords tells whether the rule names the namespace of its records itself.
func (r *Rule) SaysRecords() bool { return r.namespace.records != "" }

// People is the namespace of the rule's external ids: ProjectNamespace unless it says another, for
// several forms speak of one person.
func (r *Rule) People() string {
	if r.namespace.people != "" {
		return r.namespace.people
	}
	return ProjectNamespace
}

// NamespacePlace is where the rule names its namespace, or the rule's own place when it names none.
func (r *Rule) NamespacePlace() diag.Place {
	if r.namespace.place != (diag.Place{}) {
		return r.namespace.place
	}
	return r.place
}

// namespaceOf reads namespace: one name for all ids, or one for records and one for people.
func (c *compiler) namespaceOf(n *yamlnode.Node) {
	if n == nil {
		return
	}
	s := &c.rule.namespace
	s.place = n.Place()
	if n.Kind == yamlnode.Scalar {
		s.records, s.people = c.namespaceName(n), c.namespaceName(n)
		return
	}
	for _, p := range n.Pairs() {
		switch p.Key.Value {
		case "records":
			s.records = c.namespaceName(p.Value)
		case "people":
			s.people = c.namespaceName(p.Value)
		}
	}
}

func (c *compiler) namespaceName(n *yamlnode.Node) string {
	if !isValue(n) {
		return ""
	}
	if !ruleName.MatchString(n.Value) {
		c.fault(n.Place(), "bad-name", fmt.Sprintf("%q cannot be the name of a namespace", n.Value),
			"use letters, digits, dots, hyphens and underscores, at most 100")
		return ""
	}
	return n.Value
}

// DeclaredIDs is a kind of object that an action writes or speaks of, and by which ids it knows one from another.
type DeclaredIDs struct {
	// Object is the kind of object, such that two rules name it alike: event SO9SciPUi24.
	Object string
	// Label names it in words: events of the stage "First visit".
	Label string
	// People tells that the ids are external ids; else they are ids of records.
	People bool
	// Creates tells that the action makes such objects; else it speaks of those that others have made.
	Creates bool
	// ID is the expression of the id; nil: the record's own.
	ID *Expr
	// Found tells that the object is found by something else too, such as match_by.
	Found bool
	Place diag.Place
}

// declaredIDs is DeclaredIDs with the ids that the sample has.
type declaredIDs struct {
	DeclaredIDs
	action  *ActionSpec
	samples []string
}

// DeclareIDs says which objects the action writes or speaks of by ids. CheckProject names rules
// whose ids look as if they should be shared, or must not.
func (a *ActionSpec) DeclareIDs(d DeclaredIDs) {
	r := a.compiler.rule
	r.ids = append(r.ids, &declaredIDs{DeclaredIDs: d, action: a})
}

// RecordObjects lists the kinds of objects that the rule makes by the ids of its records, each with its server.
func (r *Rule) RecordObjects() []string {
	var list []string
	for _, d := range r.ids {
		if d.Creates && !d.People {
			list = append(list, strings.TrimSpace(d.action.Server+" "+d.Object))
		}
	}
	return list
}

// maxSampleIDs bounds how many ids of the sample are kept for the check.
const maxSampleIDs = 200

// sampleIDs evaluates the ids that actions declare on the records of the sample.
func (c *compiler) sampleIDs() {
	r := c.rule
	for _, body := range c.samples {
		s := r.Begin(Input{Body: body, Source: sampleSource})
		if ok, err := r.Filter(s); err != nil || !ok {
			continue
		}
		if _, _, err := r.Identify(s); err != nil {
			continue
		}
		for _, d := range r.ids {
			if d.ID == nil {
				d.note(s.RecordID())
				continue
			}
			// What fails here is the matter of `try` and of the tests.
			_ = d.action.Each(s, func(s *Scope) error {
				if id, err := d.ID.EvalText(s); err == nil {
					d.note(id)
				}
				return nil
			})
		}
	}
}

// sampleSource stands for where a record of the sample came from.
var sampleSource = map[string]any{"row": 2}

// lastingIDs checks the ids by which records and objects are known.
func (c *compiler) lastingIDs() {
	r := c.rule
	var records []string
	for _, body := range c.samples {
		s := r.Begin(Input{Body: body, Source: sampleSource})
		if id, _, err := r.Identify(s); err == nil && r.ID != nil {
			records = append(records, id)
		}
	}
	c.lasting(r.ID, "id", records)
	for _, d := range r.ids {
		if key := "event_id"; d.ID != nil && d.Creates && (r.ID == nil || d.ID.Text != r.ID.Text) {
			if d.People {
				key = "external_id"
			}
			c.lasting(d.ID, key, d.samples)
		}
	}
}

func (d *declaredIDs) note(id string) {
	if id != "" && len(d.samples) < maxSampleIDs {
		d.samples = append(d.samples, id)
	}
}
