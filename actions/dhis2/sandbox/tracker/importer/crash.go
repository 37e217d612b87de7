package importer

import (
	"fmt"
	"net/http"
	"unicode/utf16"

	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/valuetype"
)

// Where a real server fails inside itself, so that nothing is written and the answer is 500 (409 up
// to 2.40): at what its own code or its database does not stand. Whoever skips validation meets
// most of them.

// collides finds what a DHIS2 of some version fails at while it writes.
func (im *importer) collides(a *accepted) (*Report, *rest.Problem) {
	if im.params.Strategy == "DELETE" {
		return nil, nil
	}
	if kind, uid := im.unwritable(a); kind != "" {
		return im.collision(kind, uid)
	}
	if im.version.UniqueStorage() {
		if uid := a.twice(); uid != "" {
			return nil, rest.Refuse(http.StatusInternalServerError, "",
				"ERROR: duplicate key value violates unique constraint\n  Detail: Key (uid)=(%s) already exists.", uid)
		}
		return nil, nil
	}
	for _, t := range a.entities {
		if im.repeatsNew(t.attributes, t.uid) {
			return im.collision("trackedEntity", t.uid)
		}
	}
	for _, e := range a.enrollments {
		if im.repeatsNew(e.attributes, e.entity) {
			return im.collision("enrollment", e.uid)
		}
	}
	return nil, nil
}

func (im *importer) collision(kind, uid string) (*Report, *rest.Problem) {
	if im.version >= 41 {
		return nil, rest.Refuse(http.StatusInternalServerError, "",
			"A different object with the same identifier value was already associated with the session : [%s %s]", kind, uid)
	}
	return &Report{Status: "ERROR", Validation: validationOf(im.version, im.r, "ERRORS"),
		Message: fmt.Sprintf("Exception:A Tracker Entity of type '%s' (%s) failed to persist.", kind, uid)}, nil
}

// repeatsNew tells whether a list names an attribute twice that the tracked entity does not hold yet.
func (im *importer) repeatsNew(attrs []attributeIn, entity string) bool {
	seen := map[string]bool{}
	for _, a := range attrs {
		if a.value == nil || a.uid == "" {
			continue
		}
		if seen[a.uid] && !im.entityStores(entity, a.uid) {
			return true
		}
		seen[a.uid] = true
	}
	return false
}

func (im *importer) entityStores(entity, attribute string) bool {
	t := im.st.Entities[entity]
	if t == nil {
		return false
	}
	_, ok := t.Attribute(attribute)
	return ok
}

// twice gives the uid of an object that is to be created twice.
func (a *accepted) twice() string {
	seen := map[string]bool{}
	check := func(s strategy, uid string) bool {
		again := s == create && seen[uid]
		seen[uid] = true
		return again
	}
	for _, t := range a.entities {
		if check(t.strategy, t.uid) {
			return t.uid
		}
	}
	for _, e := range a.enrollments {
		if check(e.strategy, e.uid) {
			return e.uid
		}
	}
	for _, e := range a.events {
		if check(e.strategy, e.uid) {
			return e.uid
		}
	}
	for _, r := range a.relationships {
		if check(r.strategy, r.uid) {
			return r.uid
		}
	}
	return ""
}

// checkNothing: what was not validated fails later on, in the rule engine or while it is written.
func (im *importer) checkNothing(a *accepted) {
	if im.params.Strategy == "DELETE" {
		for _, p := range a.missing() {
			im.crash(kindName[p.kind] + " with id " + p.uid + " could not be found.")
		}
		return
	}
	if kind, uid := im.unwritable(a); kind != "" {
		im.crash("A Tracker Entity of type '" + kind + "' (" + uid + ") failed to persist.")
	}
}

// missing are the objects to be deleted that are not there.
func (a *accepted) missing() []parent {
	var out []parent
	add := func(kind, uid string, there bool) {
		if !there {
			out = append(out, parent{kind, uid})
		}
	}
	for _, t := range a.entities {
		add(trackedEntityKind, t.uid, t.old != nil && !t.old.Deleted)
	}
	for _, e := range a.enrollments {
		add(enrollmentKind, e.uid, e.old != nil && !e.old.Deleted)
	}
	for _, e := range a.events {
		add(eventKind, e.uid, e.old != nil && !e.old.Deleted)
	}
	for _, r := range a.relationships {
		add(relationshipKind, r.uid, r.old != nil && !r.old.Deleted)
	}
	return out
}

// unwritable gives the first object that the storage does not take.
func (im *importer) unwritable(a *accepted) (kind, uid string) {
	if im.version >= 42 {
		for _, e := range a.enrollments {
			if e.status == "" {
				return "enrollment", e.uid
			}
		}
	}
	if !im.unseen {
		return "", ""
	}
	if im.version >= 43 {
		for _, e := range a.events {
			if e.program == nil && e.stage != nil && !e.tracker {
				e.program = im.c.Programs[e.stage.Program] // whoever writes it asks its stage
			}
		}
	}
	for _, t := range a.entities {
		if t.orgUnit == nil || t.entityType == nil || unknownOrLong(t.attributes) {
			return "trackedEntity", t.uid
		}
	}
	for _, e := range a.enrollments {
		if e.program == nil || e.orgUnit == nil || e.enrolled == nil || !im.known(parent{trackedEntityKind, e.entity}) ||
			unknownOrLong(e.attributes) {
			return "enrollment", e.uid
		}
	}
	for _, e := range a.events {
		if im.unwritableEvent(e) {
			return "event", e.uid
		}
	}
	for _, r := range a.relationships {
		if r.strategy == create && (r.relType == nil || r.from == nil || r.to == nil ||
			!im.known(parent{itemKind(r.from), r.from.UID()}) ||
			!im.known(parent{itemKind(r.to), r.to.UID()})) {
			return "relationship", r.uid
		}
	}
	return "", ""
}

func (im *importer) unwritableEvent(e *eventIn) bool {
	if e.program == nil || e.stage == nil || e.orgUnit == nil || e.comboID != "" && e.combo == nil {
		return true
	}
	if e.program.Registration && !im.known(parent{enrollmentKind, e.enrollment}) {
		return true
	}
	if im.version.SplitEvents() && (e.status == "" || !e.tracker && e.occurred == nil) {
		return true
	}
	for _, v := range e.values {
		if v.uid == "" {
			return true
		}
	}
	return false
}

func unknownOrLong(attributes []attributeIn) bool {
	for _, a := range attributes {
		if a.value != nil && (a.uid == "" || len(utf16.Encode([]rune(*a.value))) > valuetype.MaxAttributeValue) {
			return true
		}
	}
	return false
}

// known tells whether an object is stored or in the request.
func (im *importer) known(p parent) bool {
	if im.stored(p) {
		return true
	}
	switch p.kind {
	case trackedEntityKind:
		return im.b.entityBy[p.uid] != nil
	case enrollmentKind:
		return im.b.enrollmentBy[p.uid] != nil
	}
	return im.b.eventBy[p.uid] != nil
}

// rulesFail finds what a rule engine fails at: in 2.42 an event that has no date at all, and
// everywhere what nobody validated (DHIS2 DefaultProgramRuleService). From 2.43 on it is asked
// about programs that have rules alone, and about those that are not known.
func (im *importer) rulesFail(a *accepted) {
	if im.version == 42 {
		for _, e := range a.events {
			if e.occurred == nil && e.scheduled == nil {
				im.crash("Parameter specified as non-null is null: method " +
					"org.hisp.dhis.rules.DateUtils$Companion.toRuleInstant, parameter instant")
			}
		}
	}
	if !im.unseen {
		return
	}
	evaluated := map[string]bool{} // enrollments
	for _, e := range a.enrollments {
		if e.program == nil {
			im.crash("Cannot invoke \"org.hisp.dhis.program.Program.getUid()\" because \"program\" is null")
			return
		}
		if !im.evaluates(e.program.UID) {
			continue
		}
		evaluated[e.uid] = true
		switch {
		case e.orgUnit == nil:
			im.crash("Cannot invoke \"org.hisp.dhis.organisationunit.OrganisationUnit.getUid()\" because " +
				"\"organisationUnit\" is null")
		case e.entity == "":
			im.crash("trackedEntity is marked non-null but is null")
		case e.enrolled == nil:
			im.crash("Parameter specified as non-null is null: method " +
				"org.hisp.dhis.rules.DateUtils$Companion.toRuleLocalDate, parameter instant")
		}
	}
	for _, e := range a.events {
		if e.tracker && e.enrollment == "" {
			im.crash("enrollment is marked non-null but is null")
		}
		if e.program == nil && !e.tracker && im.version <= 42 {
			im.crash("Cannot invoke \"org.hisp.dhis.program.Program.getUid()\" because \"program\" is null")
		}
		old := im.st.Enrollments[e.enrollment]
		if evaluated[e.enrollment] || old != nil && im.evaluates(old.Program) || !e.tracker && e.program != nil &&
			im.evaluates(e.program.UID) {
			im.ruleEventFails(e)
		}
	}
}

// evaluates tells whether a server asks its rule engine about a program.
func (im *importer) evaluates(program string) bool {
	return im.version <= 42 || !im.srv.rules.sets[program].Empty()
}

func (im *importer) ruleEventFails(e *eventIn) {
	switch {
	case e.stage == nil:
		im.crash("Cannot invoke \"org.hisp.dhis.program.ProgramStage.getUid()\" because \"programStage\" is null")
	case e.orgUnit == nil:
		im.crash("Cannot invoke \"org.hisp.dhis.organisationunit.OrganisationUnit.getUid()\" because \"organisationUnit\" " +
			"is null")
	case e.occurred == nil && e.scheduled == nil && im.version >= 42:
		im.crash("Parameter specified as non-null is null: method " +
			"org.hisp.dhis.rules.DateUtils$Companion.toRuleLocalDate, parameter instant")
	}
	for _, v := range e.values {
		if v.uid == "" {
			im.crash("Cannot invoke \"org.hisp.dhis.dataelement.DataElement.getUid()\" because it is null")
		}
	}
}
