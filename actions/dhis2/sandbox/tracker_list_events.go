package sandbox

import (
	"net/http"
	"strings"
	"time"
)

type eventQuery struct {
	program, stage, entity, status, enrollmentStatus, combo string
	enrollments, events                                     map[string]bool
	occurred, scheduled, updated, enrolled, incident        span
	followUp                                                *bool
	filters, attributes                                     []valueFilter
	scope                                                   *scope
	assigned                                                *assignment
	kind                                                    string
	deleted                                                 bool
}

var eventOrders = setOf(strings.Fields(`assignedUser assignedUserDisplayName attributeOptionCombo completedAt completedBy createdAt createdAtClient createdBy
deleted enrolledAt enrollment enrollmentStatus event followUp followup occurredAt orgUnit program programStage scheduledAt status storedBy trackedEntity
updatedAt updatedAtClient updatedBy`))

// eventQuery reads and checks what is asked (EventRequestParamsMapper, EventOperationParamsMapper).
func (c *trackerCall) eventQuery(kind string, b *bound) (*eventQuery, *problem) {
	q := &eventQuery{program: b.text["program"], stage: b.text["programStage"], entity: b.text["trackedEntity"], status: b.text["status"], kind: kind,
		deleted: b.flags["includeDeleted"]}
	if q.program == "" && c.manners.programRequired() {
		if kind == "events" {
			return nil, missingParameter("program")
		}
		return nil, c.invalid("Program is mandatory")
	}
	var units []string
	if b.has("orgUnit") {
		units = []string{b.text["orgUnit"]}
	}
	var p *problem
	if q.scope, p = c.scopeMode(b, units, false); p != nil {
		return nil, p
	}
	status, p := c.either(b, "enrollmentStatus", "programStatus")
	if p != nil {
		return nil, p
	}
	q.enrollmentStatus = b.text[status]
	ids, p := c.eitherIDs(b, "events", "event")
	if p != nil {
		return nil, p
	}
	q.events, q.enrollments = setOf(ids), setOf(b.ids["enrollments"])
	if len(ids) > 0 && b.has("filter") {
		return nil, c.nonsense("Event UIDs and filters can not be specified at the same time")
	}
	if p := c.eventFilters(b, q); p != nil {
		return nil, p
	}
	if p := c.checkWithin(b); p != nil {
		return nil, p
	}
	if p := c.checkOrder(b, eventOrders, true); p != nil {
		return nil, p
	}
	if f, ok := b.flags["followUp"]; ok {
		q.followUp = &f
	}
	q.occurred, q.scheduled, q.updated = b.span("occurred"), b.span("scheduled"), b.span("updated")
	q.enrolled, q.incident = b.span("enrollmentEnrolled"), b.span("enrollmentOccurred")
	return q, c.eventTargets(b, q, units)
}

func (c *trackerCall) eventFilters(b *bound, q *eventQuery) *problem {
	var wrong string
	if q.filters, wrong = parseValueFilters([]string{b.text["filter"]}); wrong != "" {
		return c.invalid("%s", wrong)
	}
	if q.attributes, wrong = parseValueFilters([]string{b.text["filterAttributes"]}); wrong != "" {
		return c.invalid("%s", wrong)
	}
	return nil
}

// eventTargets finds what a list is about and checks that the user may read it.
func (c *trackerCall) eventTargets(b *bound, q *eventQuery, units []string) *problem {
	prog, p := c.readableProgram(q.program, q.kind == "trackerEvents")
	if p != nil {
		return p
	}
	if st := c.catalog.stages[q.stage]; q.stage != "" && st == nil {
		return c.invalid("Program stage is specified but does not exist: %s", q.stage)
	} else if st != nil && !st.sharing.dataRead(c.user) {
		return refuse(http.StatusForbidden, "", "User has no access to program stage: %s", q.stage)
	}
	if p := c.readableEntity(b); p != nil {
		return p
	}
	if p := c.resolve(q.scope, units, prog); p != nil {
		return p
	}
	if p := c.eventCombo(b, q); p != nil {
		return p
	}
	for _, f := range q.filters {
		if c.catalog.dataElements[f.uid] == nil {
			return c.invalid("filter is invalid. Data element '%s' does not exist.", f.uid)
		}
	}
	for _, f := range q.attributes {
		if c.catalog.attributes[f.uid] == nil {
			return c.invalid("attribute filters are invalid. Tracked entity attribute '%s' does not exist.", f.uid)
		}
	}
	for _, k := range b.order {
		if !eventOrders[k.field] && c.catalog.dataElements[k.field] == nil && c.catalog.attributes[k.field] == nil {
			return c.invalid("Cannot order by '%s' as its neither a data element nor a tracked entity attribute.", k.field)
		}
	}
	q.assigned, p = c.assignment(b)
	return p
}

// eventCombo finds the attribute option combo that a category combo and options stand for.
func (c *trackerCall) eventCombo(b *bound, q *eventQuery) *problem {
	name, p := c.either(b, "attributeCategoryCombo", "attributeCc")
	if p != nil {
		return p
	}
	options, p := c.eitherIDs(b, "attributeCategoryOptions", "attributeCos")
	if p != nil {
		return p
	}
	q.combo, p = c.attributeCombo(b.text[name], options)
	return p
}

// assignment is to whom events are assigned that a list wants; nil takes all.
type assignment struct {
	users map[string]bool
	any   bool // those that are assigned to somebody, else those to nobody
}

func (a *assignment) holds(e *event) bool {
	if len(a.users) > 0 {
		return a.users[e.AssignedUser]
	}
	return (e.AssignedUser != "") == a.any
}

// assignment reads who is asked for (AssignedUserQueryParam).
func (c *trackerCall) assignment(b *bound) (*assignment, *problem) {
	users, p := c.eitherIDs(b, "assignedUsers", "assignedUser")
	if p != nil {
		return nil, p
	}
	mode := b.text["assignedUserMode"]
	switch {
	case mode == "PROVIDED" && len(users) == 0:
		return nil, refuse(http.StatusConflict, "", "Assigned User uid(s) must be specified if selectionMode is PROVIDED")
	case mode != "" && mode != "PROVIDED" && len(users) > 0:
		return nil, refuse(http.StatusConflict, "", "Assigned User uid(s) cannot be specified if selectionMode is not PROVIDED")
	case mode == "CURRENT":
		return &assignment{users: map[string]bool{c.user.uid: true}}, nil
	case len(users) > 0:
		return &assignment{users: setOf(users)}, nil
	case mode == "ANY", mode == "NONE":
		return &assignment{any: mode == "ANY"}, nil
	}
	return nil, nil
}

func (c *trackerCall) listEvents(kind string, set *fieldSet) (any, *problem) {
	b, p := c.bind(pageParams, eventParams)
	if p != nil {
		return nil, p
	}
	pages, p := c.paging(b, false)
	if p != nil {
		return nil, p
	}
	q, p := c.eventQuery(kind, b)
	if p != nil {
		return nil, p
	}
	v := c.trackerView(q.deleted)
	var found []*event
	for _, e := range v.st.eventOrder {
		if c.eventMatches(v, q, e) {
			found = append(found, e)
		}
	}
	order := b.order
	if prog := v.c.programs[q.program]; len(order) == 0 && c.manners.splitEvents() && prog != nil && !prog.registration {
		order = []sortKey{{"occurredAt", true}}
	}
	sortBy(found, order, c.manners.plainLists() && len(order) > 0, func(e *event) int64 { return e.Seq }, v.eventText)
	items := make([]any, len(found))
	for i := range found {
		items[i] = lazy{func() any { return project(v.event(found[i], set), set, plainSource{}) }}
	}
	return c.page(kind, items, pages), nil
}

// eventText gives what events are ordered by.
func (v trackerView) eventText(e *event, field string) string {
	en := v.st.enrollments[e.Enrollment]
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
		return bornText(e.made)
	case "updatedAt":
		return stamp(e.Updated)
	case "createdAtClient":
		return timeText(e.CreatedAtClient)
	case "updatedAtClient":
		return timeText(e.UpdatedAtClient)
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
	case "attributeOptionCombo":
		return e.OptionCombo
	case "assignedUser", "assignedUserDisplayName":
		return e.AssignedUser
	case "enrolledAt", "trackedEntity", "enrollmentStatus":
		if en == nil {
			return ""
		}
		return map[string]string{"enrolledAt": stamp(en.Enrolled), "trackedEntity": en.Entity, "enrollmentStatus": en.Status}[field]
	}
	if value, ok := e.value(field); ok || en == nil || v.st.entities[en.Entity] == nil {
		return value
	}
	value, _ := v.st.entities[en.Entity].attribute(field)
	return value
}

// eventInState compares a status as DHIS2's lists do: a visited event is an active one that occurred, an overdue one is scheduled for a day
// that is past.
func (c *trackerCall) eventInState(e *event, status string) bool {
	switch status {
	case "VISITED":
		return e.Status == "ACTIVE" && e.Occurred != nil
	case "OVERDUE":
		today := c.now().UTC().Truncate(24 * time.Hour)
		return e.Status == "SCHEDULE" && e.Scheduled != nil && e.Scheduled.Before(today)
	}
	return e.Status == status
}

func (c *trackerCall) eventMatches(v trackerView, q *eventQuery, e *event) bool {
	p := v.c.programs[e.Program]
	if e.Deleted && !q.deleted || p == nil || !p.sharing.dataRead(c.user) || q.kind == "trackerEvents" && !p.registration || q.kind == "singleEvents" && p.registration {
		return false
	}
	if q.program != "" && e.Program != q.program || q.stage != "" && e.Stage != q.stage || q.status != "" && !c.eventInState(e, q.status) ||
		q.assigned != nil && !q.assigned.holds(e) || q.combo != "" && e.OptionCombo != q.combo {
		return false
	}
	if len(q.events) > 0 && !q.events[e.UID] || !q.occurred.holds(e.Occurred) || !q.updated.holds(&e.Updated) {
		return false
	}
	if single := c.manners.splitEvents() && !p.registration; !single && !c.enrolledFor(v, q, e) {
		return false
	}
	for _, f := range q.filters {
		if value, has := e.value(f.uid); !f.passes(value, has) {
			return false
		}
	}
	home := v.homeOf(e)
	return q.scope.covers(home, c.user) && c.reaches(home, p, v.personOf(e))
}

// enrolledFor tells whether an event belongs to an enrollment as the list wants it. Single events of 2.43 and later have none to ask about.
func (c *trackerCall) enrolledFor(v trackerView, q *eventQuery, e *event) bool {
	if len(q.enrollments) > 0 && !q.enrollments[e.Enrollment] || !q.scheduled.holds(e.Scheduled) {
		return false
	}
	en := v.st.enrollments[e.Enrollment]
	if en == nil {
		asked := q.entity != "" || q.enrollmentStatus != "" || q.followUp != nil || q.enrolled != (span{}) || q.incident != (span{}) || len(q.attributes) > 0
		return !asked
	}
	if q.entity != "" && en.Entity != q.entity || q.enrollmentStatus != "" && en.Status != q.enrollmentStatus || q.followUp != nil && en.FollowUp != *q.followUp ||
		!q.enrolled.holds(&en.Enrolled) || !q.incident.holds(en.Occurred) {
		return false
	}
	t := v.st.entities[en.Entity]
	for _, f := range q.attributes {
		if t == nil {
			return false
		}
		if value, has := t.attribute(f.uid); !f.passes(value, has) {
			return false
		}
	}
	return true
}
