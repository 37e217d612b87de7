package tracker

import (
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
	"github.com/culvert/culvert/actions/dhis2/sandbox/fields"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

var entityOrders = catalog.SetOf(strings.Fields("trackedEntity createdAt createdAtClient updatedAt updatedAtClient " +
	"enrolledAt inactive"))

func (c *call) listEntities(set *fields.Set) (any, *rest.Problem) {
	b, p := c.Bind(pageParams, entityParams)
	if p != nil {
		return nil, p
	}
	pages, p := c.Paging(b, true)
	if p != nil {
		return nil, p
	}
	q, p := c.entityQuery(b)
	if p != nil {
		return nil, p
	}
	v := c.trackerView(q.deleted)
	v.listing = true
	var found []entityRow
	for _, t := range c.candidates(q) {
		if c.entityMatches(v, q, t) {
			found = append(found, c.entityRows(v, q, b.Order, t)...)
		}
	}
	program := ""
	if q.program != nil {
		program = q.program.UID
	}
	sortBy(found, b.Order, c.oldestFirst(b.Order, c.Version.OldestFirst()), func(r entityRow) int64 { return r.Seq },
		v.entityText)
	items := make([]any, len(found))
	for i, r := range found {
		items[i] = lazy{
			r.UID,
			func() any { return fields.Project(v.entity(r.TrackedEntity, set, program), set, fields.Plain{}) },
		}
	}
	return c.page("trackedEntities", items, pages), nil
}

// entityRow is a tracked entity in a list, with when it was enrolled where the list is in that order.
type entityRow struct {
	*store.TrackedEntity
	enrolled string
}

// entityRows gives the rows of a list that a tracked entity takes: one, but in the order of
// enrollments as many as enrollments, where the version lists these (TrackedEntityStore.getQuery).
func (c *call) entityRows(v view, q *entityQuery, order []rest.SortKey, t *store.TrackedEntity) []entityRow {
	at := slices.IndexFunc(order, func(k rest.SortKey) bool { return k.Field == "enrolledAt" })
	if at < 0 {
		return []entityRow{{TrackedEntity: t}}
	}
	var days []string
	for _, e := range v.st.EnrollmentsOf[t.UID] {
		if q.program != nil && e.Program != q.program.UID {
			continue
		}
		if c.Version.RowsOfEnrollments() || c.Version.PlainLists() || c.enrollmentAsAsked(v, q, e) {
			days = append(days, dates.Stamp(e.Enrolled))
		}
	}
	slices.Sort(days)
	days = slices.Compact(days)
	switch {
	case c.Version.RowsOfEnrollments():
		rows := make([]entityRow, len(days))
		for i, day := range days {
			rows[i] = entityRow{t, day}
		}
		return rows
	case len(days) == 0:
		return []entityRow{{TrackedEntity: t}}
	case order[at].Down:
		return []entityRow{{t, days[len(days)-1]}}
	}
	return []entityRow{{t, days[0]}}
}

// entityText gives what tracked entities are ordered by.
func (v view) entityText(t entityRow, field string) string {
	switch field {
	case "trackedEntity":
		return t.UID
	case "createdAt":
		return v.bornText(t.Made)
	case "updatedAt":
		return dates.Stamp(t.Updated)
	case "createdAtClient":
		return timeText(t.CreatedAtClient)
	case "updatedAtClient":
		return timeText(t.UpdatedAtClient)
	case "inactive":
		return map[bool]string{false: "f", true: "t"}[t.Inactive]
	case "enrolledAt":
		return t.enrolled
	}
	value, _ := t.Attribute(field)
	return strings.ToLower(value)
}

// candidates are the tracked entities among which a search looks.
func (c *call) candidates(q *entityQuery) []*store.TrackedEntity {
	if len(q.ids) == 0 {
		if some, ok := c.Store.Fewest(namedBy(q.filters)); ok {
			return some
		}
		return c.Store.EntityOrder
	}
	var out []*store.TrackedEntity
	for id := range q.ids {
		if t := c.Store.Entities[id]; t != nil {
			out = append(out, t)
		}
	}
	return out
}

func (c *call) entityMatches(v view, q *entityQuery, t *store.TrackedEntity) bool {
	if t.Deleted && !q.deleted || !q.updated.Holds(&t.Updated) || q.duplicate != nil && t.Duplicate != *q.duplicate {
		return false
	}
	if q.entityType != nil && t.Type != q.entityType.UID {
		return false
	}
	for _, f := range q.filters {
		if value, has := t.Attribute(f.uid); !f.passes(value, has) {
			return false
		}
	}
	if q.program != nil {
		if t.Type != q.program.EntityType || !c.enrolledAsAsked(v, q, t) {
			return false
		}
		home := v.home(t.UID, q.program.UID)
		return q.scope.covers(home, c.User) && c.reaches(home, q.program, t)
	}
	return c.somewhereAtHome(v, q, t)
}

// somewhereAtHome: without a program a tracked entity is found where a program of its type that the
// user may read has its home, which is its own org unit while it is not enrolled there.
func (c *call) somewhereAtHome(v view, q *entityQuery, t *store.TrackedEntity) bool {
	own := v.c.OrgUnits[t.OrgUnit]
	if kind := v.c.Types[t.Type]; kind != nil && !kind.Sharing.DataRead(c.User) {
		return false
	}
	if c.Version.PlainLists() {
		return q.scope.covers(own, c.User)
	}
	for _, p := range v.c.Programs {
		if !p.Registration || p.EntityType != t.Type || !p.Sharing.DataRead(c.User) {
			continue
		}
		home := v.home(t.UID, p.UID)
		if home == nil {
			home = own
		}
		if q.scope.covers(home, c.User) && c.reaches(home, p, t) {
			return true
		}
	}
	return false
}

func (c *call) enrolledAsAsked(v view, q *entityQuery, t *store.TrackedEntity) bool {
	for _, e := range v.st.EnrollmentsOf[t.UID] {
		if e.Program == q.program.UID && c.enrollmentAsAsked(v, q, e) {
			return true
		}
	}
	return false
}

// enrollmentAsAsked tells whether an enrollment is as a search wants one.
func (c *call) enrollmentAsAsked(v view, q *entityQuery, e *store.Enrollment) bool {
	if e.Deleted && !q.deleted || q.status != "" && e.Status != q.status ||
		q.followUp != nil && e.FollowUp != *q.followUp {
		return false
	}
	return q.enrolled.Holds(&e.Enrolled) && q.occurred.Holds(e.Occurred) && c.visitedAsAsked(v, q, e)
}

// visitedAsAsked tells whether an enrollment has an event as the search wants one.
func (c *call) visitedAsAsked(v view, q *entityQuery, e *store.Enrollment) bool {
	if q.events == "" && q.assigned == nil {
		return true
	}
	for _, ev := range v.st.EventsOf[e.UID] {
		if ev.Deleted && !q.deleted || q.stage != "" && ev.Stage != q.stage || q.assigned != nil && !q.assigned.holds(ev) {
			continue
		}
		if q.events == "" || c.eventInState(ev, q.events) &&
			(q.event.Holds(ev.Occurred) || ev.Occurred == nil && q.event.Holds(ev.Scheduled)) {
			return true
		}
	}
	return false
}
