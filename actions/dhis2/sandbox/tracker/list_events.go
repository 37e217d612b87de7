package tracker

import (
	"net/http"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
	"github.com/culvert/culvert/actions/dhis2/sandbox/fields"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

type eventQuery struct {
	program, stage, entity, status, enrollmentStatus, combo string
	enrollments, events                                     map[string]bool
	occurred, scheduled, updated, enrolled, incident        rest.Span
	followUp                                                *bool
	filters, attributes                                     []valueFilter
	scope                                                   *scope
	assigned                                                *assignment
	kind                                                    string
	deleted                                                 bool
}

var eventOrders = catalog.SetOf(strings.Fields(`assignedUser assignedUserDisplayName attributeOptionCombo completedAt
completedBy createdAt createdAtClient createdBy deleted enrolledAt enrollment enrollmentStatus event followUp followup
occurredAt orgUnit program programStage scheduledAt status storedBy trackedEntity updatedAt updatedAtClient
updatedBy`))

// eventQuery reads and checks what is asked (EventRequestParamsMapper, EventOperationParamsMapper).
func (c *call) eventQuery(kind string, b *rest.Bound) (*eventQuery, *rest.Problem) {
	q := &eventQuery{program: b.Text["program"], stage: b.Text["programStage"], entity: b.Text["trackedEntity"],
		status: b.Text["status"], kind: kind,
		deleted: b.Flags["includeDeleted"]}
	if q.program == "" && c.Version.ProgramRequired() {
		if kind == "events" {
			return nil, rest.MissingParameter("program")
		}
		return nil, c.Invalid("Program is mandatory")
	}
	var units []string
	if b.Has("orgUnit") {
		units = []string{b.Text["orgUnit"]}
	}
	var p *rest.Problem
	if q.scope, p = c.scopeMode(b, units, false); p != nil {
		return nil, p
	}
	status, p := c.Either(b, "enrollmentStatus", "programStatus")
	if p != nil {
		return nil, p
	}
	q.enrollmentStatus = b.Text[status]
	ids, p := c.EitherIDs(b, "events", "event")
	if p != nil {
		return nil, p
	}
	q.events, q.enrollments = catalog.SetOf(ids), catalog.SetOf(b.IDs["enrollments"])
	if len(ids) > 0 && b.Has("filter") {
		return nil, c.Nonsense("Event UIDs and filters can not be specified at the same time")
	}
	if p := c.eventFilters(b, q); p != nil {
		return nil, p
	}
	if p := c.CheckWithin(b); p != nil {
		return nil, p
	}
	if p := c.CheckOrder(b, eventOrders, true); p != nil {
		return nil, p
	}
	if f, ok := b.Flags["followUp"]; ok {
		q.followUp = &f
	}
	q.occurred, q.scheduled, q.updated = b.Span("occurred"), b.Span("scheduled"), b.Span("updated")
	q.enrolled, q.incident = b.Span("enrollmentEnrolled"), b.Span("enrollmentOccurred")
	return q, c.eventTargets(b, q, units)
}

func (c *call) eventFilters(b *rest.Bound, q *eventQuery) *rest.Problem {
	var wrong string
	if q.filters, wrong = parseValueFilters([]string{b.Text["filter"]}); wrong != "" {
		return c.Invalid("%s", wrong)
	}
	if q.attributes, wrong = parseValueFilters([]string{b.Text["filterAttributes"]}); wrong != "" {
		return c.Invalid("%s", wrong)
	}
	return nil
}

// eventTargets finds what a list is about and checks that the user may read it.
func (c *call) eventTargets(b *rest.Bound, q *eventQuery, units []string) *rest.Problem {
	prog, p := c.readableProgram(q.program, q.kind == "trackerEvents")
	if p != nil {
		return p
	}
	if st := c.Catalog.Stages[q.stage]; q.stage != "" && st == nil {
		return c.Invalid("Program stage is specified but does not exist: %s", q.stage)
	} else if st != nil && !st.Sharing.DataRead(c.User) {
		return rest.Refuse(http.StatusForbidden, "", "User has no access to program stage: %s", q.stage)
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
		if c.Catalog.DataElements[f.uid] == nil {
			return c.Invalid("filter is invalid. Data element '%s' does not exist.", f.uid)
		}
	}
	if p := c.filtersFit(q.filters, func(uid string) string { return c.Catalog.DataElements[uid].ValueType }); p != nil {
		return p
	}
	for _, f := range q.attributes {
		if c.Catalog.Attributes[f.uid] == nil {
			return c.Invalid("attribute filters are invalid. Tracked entity attribute '%s' does not exist.", f.uid)
		}
	}
	for _, k := range b.Order {
		if !eventOrders[k.Field] && c.Catalog.DataElements[k.Field] == nil && c.Catalog.Attributes[k.Field] == nil {
			return c.Invalid("Cannot order by '%s' as its neither a data element nor a tracked entity attribute.", k.Field)
		}
	}
	q.assigned, p = c.assignment(b)
	return p
}

// eventCombo finds the attribute option combo that a category combo and options stand for.
func (c *call) eventCombo(b *rest.Bound, q *eventQuery) *rest.Problem {
	name, p := c.Either(b, "attributeCategoryCombo", "attributeCc")
	if p != nil {
		return p
	}
	options, p := c.EitherIDs(b, "attributeCategoryOptions", "attributeCos")
	if p != nil {
		return p
	}
	q.combo, p = c.AttributeCombo(b.Text[name], options)
	return p
}

// assignment is to whom events are assigned that a list wants; nil takes all.
type assignment struct {
	users map[string]bool
	any   bool // those that are assigned to somebody, else those to nobody
}

func (a *assignment) holds(e *store.Event) bool {
	if len(a.users) > 0 {
		return a.users[e.AssignedUser]
	}
	return (e.AssignedUser != "") == a.any
}

// assignment reads who is asked for (AssignedUserQueryParam).
func (c *call) assignment(b *rest.Bound) (*assignment, *rest.Problem) {
	users, p := c.EitherIDs(b, "assignedUsers", "assignedUser")
	if p != nil {
		return nil, p
	}
	mode := b.Text["assignedUserMode"]
	switch {
	case mode == "PROVIDED" && len(users) == 0:
		return nil, rest.Refuse(http.StatusConflict, "",
			"Assigned User uid(s) must be specified if selectionMode is PROVIDED")
	case mode != "" && mode != "PROVIDED" && len(users) > 0:
		return nil, rest.Refuse(http.StatusConflict, "",
			"Assigned User uid(s) cannot be specified if selectionMode is not PROVIDED")
	case mode == "CURRENT":
		return &assignment{users: map[string]bool{c.User.UID: true}}, nil
	case len(users) > 0:
		return &assignment{users: catalog.SetOf(users)}, nil
	case mode == "ANY", mode == "NONE":
		return &assignment{any: mode == "ANY"}, nil
	}
	return nil, nil
}

func (c *call) listEvents(kind string, set *fields.Set) (any, *rest.Problem) {
	b, p := c.Bind(pageParams, eventParams)
	if p != nil {
		return nil, p
	}
	pages, p := c.Paging(b, false)
	if p != nil {
		return nil, p
	}
	q, p := c.eventQuery(kind, b)
	if p != nil {
		return nil, p
	}
	if p := c.ambiguous(b, "program", "uid"); p != nil {
		return nil, p
	}
	if p := c.singleOrders(b, q); p != nil {
		return nil, p
	}
	v := c.trackerView(q.deleted)
	var found []*store.Event
	for _, e := range v.st.EventOrder {
		if c.eventMatches(v, q, e) {
			found = append(found, e)
		}
	}
	order := b.Order
	if prog := v.c.Programs[q.program]; len(order) == 0 && c.Version.SplitEvents() && prog != nil && !prog.Registration {
		order = []rest.SortKey{{Field: "occurredAt", Down: true}}
	}
	oldest := c.oldestFirst(order, c.Version.PlainLists() && len(order) > 0)
	sortBy(found, order, oldest, func(e *store.Event) int64 { return e.Seq }, v.eventText)
	items := make([]any, len(found))
	for i := range found {
		items[i] = lazy{found[i].UID, func() any { return fields.Project(v.event(found[i], set), set, fields.Plain{}) }}
	}
	return c.page(kind, items, pages), nil
}

// singleOrders: from 2.43 on single events have no enrollment to be ordered by.
func (c *call) singleOrders(b *rest.Bound, q *eventQuery) *rest.Problem {
	p := c.Catalog.Programs[q.program]
	if !c.Version.SplitEvents() || p == nil || p.Registration {
		return nil
	}
	for _, k := range b.Order {
		if k.Field == "enrolledAt" || k.Field == "enrollment" || k.Field == "enrollmentStatus" || k.Field == "trackedEntity" {
			return c.Invalid("order parameter is invalid. Cannot order by '%s'.", k.Field)
		}
	}
	return nil
}

// eventText gives what events are ordered by.
func (v view) eventText(e *store.Event, field string) string {
	en := v.st.Enrollments[e.Enrollment]
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
		return v.bornText(e.Made)
	case "updatedAt":
		return dates.Stamp(e.Updated)
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
	case "completedBy":
		return e.CompletedBy
	case "followUp", "followup":
		return map[bool]string{false: "f", true: "t"}[en != nil && en.FollowUp]
	case "enrolledAt", "trackedEntity", "enrollmentStatus":
		if en == nil {
			return ""
		}
		return map[string]string{"enrolledAt": dates.Stamp(en.Enrolled), "trackedEntity": en.Entity,
			"enrollmentStatus": en.Status}[field]
	}
	if value, ok := e.Value(field); ok || en == nil || v.st.Entities[en.Entity] == nil {
		return value
	}
	value, _ := v.st.Entities[en.Entity].Attribute(field)
	return value
}

// eventInState compares a status as DHIS2's lists do: a visited event is an active one that
// occurred, an overdue one is scheduled for a day that is past.
func (c *call) eventInState(e *store.Event, status string) bool {
	switch status {
	case "VISITED":
		return e.Status == "ACTIVE" && e.Occurred != nil
	case "OVERDUE":
		today := c.Now().UTC().Truncate(24 * time.Hour)
		return e.Status == "SCHEDULE" && e.Scheduled != nil && e.Scheduled.Before(today)
	}
	return e.Status == status
}

func (c *call) eventMatches(v view, q *eventQuery, e *store.Event) bool {
	p := v.c.Programs[e.Program]
	if e.Deleted && !q.deleted || p == nil || !p.Sharing.DataRead(c.User) || q.kind == "trackerEvents" &&
		!p.Registration || q.kind == "singleEvents" && p.Registration {
		return false
	}
	if q.program != "" && e.Program != q.program || q.stage != "" && e.Stage != q.stage || q.status != "" &&
		!c.eventInState(e, q.status) ||
		q.assigned != nil && !q.assigned.holds(e) || q.combo != "" && e.OptionCombo != q.combo {
		return false
	}
	if len(q.events) > 0 && !q.events[e.UID] || !q.occurred.Holds(e.Occurred) || !q.updated.Holds(&e.Updated) {
		return false
	}
	if single := c.Version.SplitEvents() && !p.Registration; !single && !c.enrolledFor(v, q, e) {
		return false
	}
	for _, f := range q.filters {
		if value, has := e.Value(f.uid); !f.passes(value, has) {
			return false
		}
	}
	home := v.homeOf(e)
	return q.scope.covers(home, c.User) && c.reaches(home, p, v.personOf(e))
}

// enrolledFor tells whether an event belongs to an enrollment as the list wants it. Single events
// of 2.43 and later have none to ask about.
func (c *call) enrolledFor(v view, q *eventQuery, e *store.Event) bool {
	if len(q.enrollments) > 0 && !q.enrollments[e.Enrollment] || !q.scheduled.Holds(e.Scheduled) {
		return false
	}
	en := v.st.Enrollments[e.Enrollment]
	if en == nil {
		asked := q.entity != "" || q.enrollmentStatus != "" || q.followUp != nil || q.enrolled != (rest.Span{}) ||
			q.incident != (rest.Span{}) || len(q.attributes) > 0
		return !asked
	}
	if q.entity != "" && en.Entity != q.entity || q.enrollmentStatus != "" && en.Status != q.enrollmentStatus ||
		q.followUp != nil && en.FollowUp != *q.followUp ||
		!q.enrolled.Holds(&en.Enrolled) || !q.incident.Holds(en.Occurred) {
		return false
	}
	t := v.st.Entities[en.Entity]
	for _, f := range q.attributes {
		if t == nil {
			return false
		}
		if value, has := t.Attribute(f.uid); !f.passes(value, has) {
			return false
		}
	}
	return true
}
