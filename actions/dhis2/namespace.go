package dhis2

import (
	"strings"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules"
)

// A scope is what a namespace adds to what ids are derived from: nothing for ids of the whole project, which is how all ids were derived before there were
// namespaces. How it is written must never change.
func scopeOf(namespace string) string {
	if namespace == rules.ProjectNamespace {
		return ""
	}
	return "\x00" + namespace
}

// recordScope is the scope of what is known by the ids of a rule's records.
func (w *workshop) recordScope(r *rules.Rule) string {
	if w.o.Legacy != nil && w.o.Legacy(r.Records()) {
		return ""
	}
	return scopeOf(r.Records())
}

// PersonType is the type under which the journal keeps who an external id stands for: that of the tracked entity, with the namespace of the id unless that is
// the project's.
func PersonType(trackedEntityType, namespace string) string {
	if namespace == "" || namespace == rules.ProjectNamespace {
		return trackedEntityType
	}
	return trackedEntityType + "@" + namespace
}

// TypeOfPerson parts what PersonType joins. The namespace of the project is empty.
func TypeOfPerson(typ string) (trackedEntityType, namespace string) {
	trackedEntityType, namespace, _ = strings.Cut(typ, "@")
	return trackedEntityType, namespace
}

// PersonUID derives the uid of the person that an external id of a namespace stands for; typ is what PersonType gives.
func PersonUID(project, typ, externalID string, generation int) string {
	t, namespace := TypeOfPerson(typ)
	if namespace != "" {
		project += scopeOf(namespace)
	}
	return TrackedEntityUID(project, t, externalID, generation)
}

// declareIDs says by which ids the action knows people.
func (w *who) declareIDs(c *compiler) {
	kind := c.spec.Kind
	c.spec.DeclareIDs(rules.DeclaredIDs{
		Object: "tracked entity " + w.t.ID, Label: "tracked entities of the type \"" + w.t.Name + "\"", People: true, ID: w.external, Place: w.external.Place,
		Creates: kind == KindCreateAndEnroll || kind == KindTrackedEntity, Found: len(w.match) > 0 || w.weighing != nil,
	})
}

// scoped tells whether the events of an action are known by the namespace of the rule's records: all of an event program, and those of a person that are
// known by the record's own id. An event_id that the rule gives is one person's business.
func (e *eventPlan) scoped() bool {
	return e.program.Type == metadata.WithoutRegistration || e.eventID == nil && e.stage.Repeatable
}

// declareIDs says by which ids the action knows what records give to aggregates.
func (v *valuesPlan) declareIDs(c *compiler) {
	if v.aggregate == "" {
		return
	}
	if v.set == nil {
		c.spec.DeclareIDs(rules.DeclaredIDs{Object: "aggregate", Label: "aggregates", Creates: true, Place: c.spec.Place})
		return
	}
	c.spec.DeclareIDs(rules.DeclaredIDs{Object: "aggregate " + v.set.ID, Label: "aggregates in the data set \"" + v.set.Name + "\"", Creates: true, Place: c.spec.Place})
}

// declareIDs says by which ids the action knows events.
func (e *eventPlan) declareIDs(c *compiler) {
	if !e.scoped() {
		return
	}
	place := c.spec.Place
	if e.eventID != nil {
		place = e.eventID.Place
	}
	c.spec.DeclareIDs(rules.DeclaredIDs{
		Object: "event " + e.stage.ID, Label: "events of the stage \"" + e.stage.Name + "\"", Creates: c.spec.Kind == KindEvent, ID: e.eventID, Place: place,
	})
}
