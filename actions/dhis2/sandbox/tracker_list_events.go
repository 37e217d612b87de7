package sandbox

import "strings"

type eventQuery struct {
	program, stage, entity, status, enrollmentStatus, assigned string
	enrollments, events                                        map[string]bool
	occurred, scheduled, updated                               span
	filters, attributes                                        []valueFilter
	scope                                                      *scope
	kind                                                       string
}

func (c *call) eventQuery(kind string) (*eventQuery, *problem) {
	q := &eventQuery{program: c.query.Get("program"), stage: c.query.Get("programStage"), entity: c.query.Get("trackedEntity"), status: c.query.Get("status"),
		enrollmentStatus: c.param("enrollmentStatus", "programStatus"), assigned: c.query.Get("assignedUser"), kind: kind}
	ids, p := c.ids("enrollments")
	if p != nil {
		return nil, p
	}
	q.enrollments = setOf(ids)
	if ids, p = c.ids("events", "event"); p != nil {
		return nil, p
	}
	q.events = setOf(ids)
	if q.program == "" && c.srv.manners.programRequired() {
		if kind == "events" {
			return nil, missingParameter("program")
		}
		return nil, c.invalid("Program is mandatory")
	}
	if q.program != "" && c.srv.catalog.programs[q.program] == nil {
		return nil, c.invalid("Program is specified but does not exist: %s", q.program)
	}
	if q.stage != "" && c.srv.catalog.stages[q.stage] == nil {
		return nil, c.invalid("Program stage is specified but does not exist: %s", q.stage)
	}
	for name, into := range map[string]*span{"occurred": &q.occurred, "scheduled": &q.scheduled, "updated": &q.updated} {
		if *into, p = c.span(name); p != nil {
			return nil, p
		}
	}
	var wrong string
	if q.filters, wrong = parseValueFilters(c.query["filter"]); wrong != "" {
		return nil, c.invalid("%s", wrong)
	}
	for _, f := range q.filters {
		if c.srv.catalog.dataElements[f.uid] == nil {
			return nil, c.invalid("filter is invalid. Data element '%s' does not exist.", f.uid)
		}
	}
	if q.attributes, wrong = parseValueFilters(c.query["filterAttributes"]); wrong != "" {
		return nil, c.invalid("%s", wrong)
	}
	q.scope, p = c.scope("orgUnit")
	return q, p
}

func (c *call) listEvents(kind string, set *fieldSet) (any, *problem) {
	q, p := c.eventQuery(kind)
	if p != nil {
		return nil, p
	}
	order, p := c.order(setOf([]string{"event", "occurredAt", "scheduledAt", "createdAt", "updatedAt", "completedAt", "status", "orgUnit", "programStage",
		"program", "enrollment", "enrolledAt", "trackedEntity", "attributeOptionCombo", "followUp", "followup", "storedBy", "createdAtClient", "updatedAtClient"}),
		func(f string) bool { return c.srv.catalog.dataElements[f] != nil || c.srv.catalog.attributes[f] != nil })
	if p != nil {
		return nil, p
	}
	v := c.trackerView()
	var found []*event
	for _, e := range v.st.eventOrder {
		if c.eventMatches(v, q, e) {
			found = append(found, e)
		}
	}
	sortBy(found, order, true, func(e *event) int64 { return e.Seq }, eventText)
	items := make([]any, len(found))
	for i := range found {
		items[i] = lazy{func() any { return project(v.event(found[i], set), set, plainSource{}) }}
	}
	return c.page(kind, items), nil
}

func eventText(e *event, field string) string {
	switch field {
	case "event":
		return e.UID
	case "occurredAt":
		return timeText(e.Occurred)
	case "scheduledAt":
		return timeText(e.Scheduled)
	case "completedAt":
		return timeText(e.Completed)
	case "createdAt":
		return stamp(e.Created)
	case "updatedAt":
		return stamp(e.Updated)
	case "status":
		return e.Status
	case "orgUnit":
		return e.OrgUnit
	case "programStage":
		return e.Stage
	case "program":
		return e.Program
	case "enrollment":
		return e.Enrollment
	}
	value, _ := e.value(field)
	return value
}

func (c *call) eventMatches(v trackerView, q *eventQuery, e *event) bool {
	p := v.c.programs[e.Program]
	if e.Deleted && !v.deleted || p == nil || q.kind == "trackerEvents" && !p.registration || q.kind == "singleEvents" && p.registration {
		return false
	}
	if q.program != "" && e.Program != q.program || q.stage != "" && e.Stage != q.stage || q.status != "" && e.Status != q.status ||
		q.assigned != "" && !contains(strings.FieldsFunc(q.assigned, func(r rune) bool { return r == ',' || r == ';' }), e.AssignedUser) {
		return false
	}
	if len(q.enrollments) > 0 && !q.enrollments[e.Enrollment] || len(q.events) > 0 && !q.events[e.UID] {
		return false
	}
	en := v.st.enrollments[e.Enrollment]
	if q.entity != "" && (en == nil || en.Entity != q.entity) || q.enrollmentStatus != "" && (en == nil || en.Status != q.enrollmentStatus) {
		return false
	}
	if !q.occurred.holds(e.Occurred) || !q.scheduled.holds(e.Scheduled) || !q.updated.holds(&e.Updated) {
		return false
	}
	for _, f := range q.filters {
		if value, has := e.value(f.uid); !f.passes(value, has) {
			return false
		}
	}
	for _, f := range q.attributes {
		var t *trackedEntity
		if en != nil {
			t = v.st.entities[en.Entity]
		}
		if t == nil {
			return false
		}
		if value, has := t.attribute(f.uid); !f.passes(value, has) {
			return false
		}
	}
	return q.scope.covers(e.OrgUnit, v.c, c.user) && c.reaches(e.OrgUnit, e.Program)
}
