package importer

import (
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/programrules"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

// evaluateRules gives the effects of program rules on what is about to be written. All are known
// before the first is acted on, so that what a rule refuses still counts for the rules of its
// siblings.
func (im *importer) evaluateRules(a *accepted) (enrollments, events map[string][]programrules.Effect) {
	enrollments, events = map[string][]programrules.Effect{}, map[string][]programrules.Effect{}
	payload := map[string][]*eventIn{} // of tracker programs, by enrollment
	single := map[string][]*eventIn{}  // of event programs, by program
	var programs, ids []string
	for _, e := range a.events {
		if e.program == nil || e.stage == nil {
			continue // nobody validated it
		}
		if e.program.Registration {
			if payload[e.enrollment] == nil {
				ids = append(ids, e.enrollment)
			}
			payload[e.enrollment] = append(payload[e.enrollment], e)
			continue
		}
		if single[e.program.UID] == nil {
			programs = append(programs, e.program.UID)
		}
		single[e.program.UID] = append(single[e.program.UID], e)
	}
	run := func(program string, en *programrules.Enrollment, facts []*programrules.Event) {
		effects := im.srv.rules.sets[program].Evaluate(en, facts, im.ruleUser(), im.srv.Now().UTC())
		if en != nil {
			enrollments[en.UID] = effects.Enrollment
		}
		for uid, list := range effects.Events {
			events[uid] = list
		}
	}
	asked := map[string]bool{}
	for _, e := range a.enrollments {
		asked[e.uid] = true
		if !im.srv.rules.sets[e.program.UID].Empty() {
			run(e.program.UID, im.enrollmentFacts(e), im.eventsOfEnrollment(e.uid, payload[e.uid]))
		}
	}
	for _, id := range ids {
		if old := im.st.Enrollments[id]; old != nil && !asked[id] && !im.srv.rules.sets[old.Program].Empty() {
			run(old.Program, im.storedEnrollmentFacts(old), im.eventsOfEnrollment(id, payload[id]))
		}
	}
	for _, program := range programs {
		if im.srv.rules.sets[program].Empty() {
			continue
		}
		var facts []*programrules.Event
		for _, e := range single[program] {
			facts = append(facts, im.eventFacts(e))
		}
		run(program, nil, facts)
	}
	return enrollments, events
}

func (im *importer) ruleUser() programrules.User {
	u := programrules.User{Roles: catalog.Refs(im.c.ByID[im.user.UID].Obj, "userRoles")}
	for g := range im.user.Groups {
		u.Groups = append(u.Groups, g)
	}
	return u
}

func (im *importer) enrollmentFacts(e *enrollmentIn) *programrules.Enrollment {
	f := &programrules.Enrollment{UID: e.uid, Program: e.program.Name, Status: e.status, OrgUnit: e.orgUnit.UID,
		OrgUnitCode: e.orgUnit.Code,
		Attributes:  im.attributeFacts(e.entity, e.attributes)}
	if f.Status == "" {
		f.Status = "ACTIVE"
	}
	if e.enrolled != nil {
		f.Enrolled, f.Incident = e.enrolled.UTC(), e.enrolled.UTC()
	}
	if e.occurred != nil {
		f.Incident = e.occurred.UTC()
	}
	return f
}

func (im *importer) storedEnrollmentFacts(e *store.Enrollment) *programrules.Enrollment {
	f := &programrules.Enrollment{UID: e.UID, Program: im.c.Programs[e.Program].Name, Status: e.Status, OrgUnit: e.OrgUnit,
		Enrolled: e.Enrolled.UTC(), Incident: e.Enrolled.UTC(), Attributes: im.attributeFacts(e.Entity, nil)}
	if u := im.c.OrgUnits[e.OrgUnit]; u != nil {
		f.OrgUnitCode = u.Code
	}
	if e.Occurred != nil {
		f.Incident = e.Occurred.UTC()
	}
	return f
}

// attributeFacts: what is sent goes before what is stored; a value that is taken away still counts
// with what is stored. Up to 2.41 what is stored goes before what comes with the enrollment, unless
// it comes with the tracked entity too. Stored values count only where the request names the
// tracked entity: for an event alone DHIS2 does not load it (TrackerPreheat), so that its
// attributes have no values.
func (im *importer) attributeFacts(entity string, ofEnrollment []attributeIn) map[string]string {
	values := map[string]string{}
	put := func(attrs []attributeIn) {
		for _, a := range attrs {
			if a.value != nil && a.uid != "" {
				values[a.uid] = *a.value
			}
		}
	}
	stored := func() {
		if t := im.st.Entities[entity]; t != nil && im.names(entity) {
			for _, a := range t.Attributes {
				values[a.Attribute] = a.Value
			}
		}
	}
	if im.version <= 41 {
		put(ofEnrollment)
		stored()
	} else {
		stored()
	}
	if t := im.b.entityBy[entity]; t != nil {
		put(t.attributes)
	}
	if im.version > 41 {
		put(ofEnrollment)
	}
	return values
}

// names tells whether a request names a tracked entity.
func (im *importer) names(entity string) bool {
	if im.b.entityBy[entity] != nil || len(im.enrollmentsIn(entity)) > 0 {
		return true
	}
	for _, r := range im.b.relationships {
		for _, side := range []*store.Item{r.from, r.to} {
			if side != nil && itemKind(side) == trackedEntityKind && side.UID() == entity {
				return true
			}
		}
	}
	return false
}

// eventFacts is what rules see of an event that was sent: its own values alone, not those that are stored.
func (im *importer) eventFacts(e *eventIn) *programrules.Event {
	f := &programrules.Event{UID: e.uid, Stage: e.stage.UID, StageName: e.stage.Name, Status: e.status,
		OrgUnit:     e.orgUnit.UID,
		OrgUnitCode: e.orgUnit.Code, Due: e.scheduled, Completed: e.completed, Created: im.srv.Now(),
		Values: map[string]string{}, Asked: true}
	f.Date = dateOfEvent(e.occurred, e.scheduled)
	if e.old != nil {
		f.Created = e.old.Created
	}
	if im.version >= 43 && e.createdAtClient != nil {
		f.Created = *e.createdAtClient
	}
	for _, v := range e.values {
		if v.value != nil {
			f.Values[v.uid] = *v.value
		}
	}
	return f
}

func dateOfEvent(occurred, scheduled *time.Time) time.Time {
	switch {
	case occurred != nil:
		return occurred.UTC()
	case scheduled != nil:
		return scheduled.UTC()
	}
	return time.Time{}
}

// eventsOfEnrollment gives those that are stored and not about to be written, then those that are.
func (im *importer) eventsOfEnrollment(enrollment string, payload []*eventIn) []*programrules.Event {
	sent := map[string]bool{}
	for _, e := range payload {
		sent[e.uid] = true
	}
	var out []*programrules.Event
	for _, e := range im.st.EventsOf[enrollment] {
		unit := im.c.OrgUnits[e.OrgUnit]
		if e.Deleted || sent[e.UID] || unit != nil && !im.user.Searches(unit) && !im.user.Captures(unit) {
			continue
		}
		f := &programrules.Event{UID: e.UID, Stage: e.Stage, Status: e.Status, OrgUnit: e.OrgUnit, Due: e.Scheduled,
			Completed: e.Completed,
			Date:      dateOfEvent(e.Occurred, e.Scheduled), Created: e.Created, Values: map[string]string{}}
		if im.version >= 43 && e.CreatedAtClient != nil {
			f.Created = *e.CreatedAtClient
		}
		for _, v := range e.Values {
			f.Values[v.Element] = v.Value
		}
		out = append(out, f)
	}
	for _, e := range payload {
		out = append(out, im.eventFacts(e))
	}
	return out
}
