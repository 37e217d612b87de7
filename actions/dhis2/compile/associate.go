package compile

import (
	"fmt"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/value"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// associatedType is whose people a value of the type TRACKER_ASSOCIATE names, by their external ids.
type associatedType struct {
	id, typ string // uid of the tracked entity type, and the type as the journal keeps it
	project string
}

// associates says whose people the values of a field name: those of the action's own type. It is nil
// where that cannot be told, or the server has no such values, which is then reported.
func (c *compiler) associates(place diag.Place, name string) *associatedType {
	if c.minor() >= 43 {
		c.errorAt(place, "unsupported-type", "use dhis2.relationship to link two tracked entities",
			"%q is of the type TRACKER_ASSOCIATE, which DHIS2 has given up with 2.43", name)
		return nil
	}
	t := c.associated
	if types := c.x.Snapshot.TrackedEntityTypes; t == nil && len(types) == 1 {
		t = &types[0]
	}
	if t == nil {
		c.errorAt(place, "unsupported-type",
			"use dhis2.relationship, whose sides say of which type they are; or a program with registration",
			"%q names a tracked entity, and it cannot be told of which type: the program is about nobody in particular", name)
		return nil
	}
	return &associatedType{id: t.ID, typ: identity.PersonType(t.ID, c.spec.Rule().People()), project: c.o.Project}
}

// minor is that of the version of the server, 0 where it is not known.
func (w *env) minor() int {
	var major, minor int
	if n, err := fmt.Sscanf(w.x.Snapshot.Server.Version, "%d.%d", &major, &minor); n < 2 || err != nil || major != 2 {
		return 0
	}
	return minor
}

// named gives the person whom a value names by an external id; nil when it names nobody, or the uid of somebody.
func (v *valued) named(out value.Result, st state) *identity.Person {
	if v.people == nil || st != stateSet || out.Found || out.Text == "" {
		return nil
	}
	return &identity.Person{Key: actions.IdentityKey{Type: v.people.typ, ExternalID: out.Text}, Type: v.people.id,
		UID: identity.PersonUID(v.people.project, v.people.typ, out.Text, 0)}
}

// nobody is why a value cannot name a person; nil when it can.
func (v *valued) nobody(out value.Result, r rules.Result) *rules.Failure {
	if v.people == nil || out.Found || v.DeclaresMissing() || !rules.IsNoAnswer(out.Text) {
		return nil
	}
	return v.failure(&diag.Problem{Code: "placeholder",
		Message: `holds a word for "no answer", and would name a person`},
		r)
}
