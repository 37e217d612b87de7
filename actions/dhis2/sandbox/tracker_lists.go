package sandbox

import (
	"fmt"
	"net/http"
	"sort"
	"strings"
	"time"
)

func (c *trackerCall) readMany(kind, family string, set *fieldSet) (any, *problem) {
	switch family {
	case "trackedEntities":
		return c.listEntities(set)
	case "enrollments":
		return c.listEnrollments(set)
	case "events":
		return c.listEvents(kind, set)
	}
	return c.listRelationships(set)
}

// lazy is an item that is made only when it is on the page.
type lazy struct{ make func() any }

// unfolded makes the items of a page.
func unfolded(items []any) []any {
	out := make([]any, len(items))
	for i, it := range items {
		if l, ok := it.(lazy); ok {
			it = l.make()
		}
		out[i] = it
	}
	return out
}

// sortBy puts objects in order; among equals, and without keys, newest first, or up to 2.40 in that of their making. What an object does not
// have comes last, and first when the order is descending, as in PostgreSQL.
func sortBy[T any](items []T, keys []sortKey, oldestFirst bool, seq func(T) int64, text func(T, string) string) {
	sort.SliceStable(items, func(i, j int) bool {
		for _, k := range keys {
			a, b := text(items[i], k.field), text(items[j], k.field)
			d := compare(a, b)
			if (a == "") != (b == "") {
				d = -d
			}
			if d != 0 {
				return (d < 0) != k.down
			}
		}
		if !oldestFirst {
			return seq(items[i]) > seq(items[j])
		}
		return seq(items[i]) < seq(items[j])
	})
}

func timeText(t *time.Time) string {
	if t == nil {
		return ""
	}
	return stamp(*t)
}

// bornText is what orders by the time of making: objects of one request are made one after the other.
func bornText(m made) string { return fmt.Sprintf("%s#%012d", stamp(m.Created), m.Seq) }

var enrollmentOrders = setOf(strings.Fields("enrolledAt createdAt createdAtClient updatedAt updatedAtClient completedAt"))

// enrollmentQuery is which enrollments are wanted.
type enrollmentQuery struct {
	program, entityType, entity, status, combo string
	ids                                        map[string]bool
	followUp                                   *bool
	updated, enrolled                          span
	scope                                      *scope
	deleted                                    bool
}

// enrollmentQuery reads and checks what is asked (EnrollmentRequestParamsMapper, EnrollmentOperationParamsMapper).
func (c *trackerCall) enrollmentQuery(b *bound) (*enrollmentQuery, *problem) {
	q := &enrollmentQuery{program: b.text["program"], entityType: b.text["trackedEntityType"], entity: b.text["trackedEntity"], combo: b.text["attributeOptionCombo"],
		deleted: b.flags["includeDeleted"]}
	if c.manners.programRequired() && q.program == "" {
		return nil, c.invalid("Program is mandatory")
	}
	units, p := c.eitherIDs(b, "orgUnits", "orgUnit")
	if p != nil {
		return nil, p
	}
	if q.scope, p = c.scopeMode(b, units, false); p != nil {
		return nil, p
	}
	ids, p := c.eitherIDs(b, "enrollments", "enrollment")
	if p != nil {
		return nil, p
	}
	q.ids = setOf(ids)
	status, p := c.either(b, "status", "programStatus")
	if p != nil {
		return nil, p
	}
	q.status = b.text[status]
	if p := c.checkOrder(b, enrollmentOrders, false); p != nil {
		return nil, p
	}
	if p := c.enrollmentNeedsProgram(b, q); p != nil {
		return nil, p
	}
	if p := c.checkWithin(b); p != nil {
		return nil, p
	}
	if f, ok := b.flags["followUp"]; ok {
		q.followUp = &f
	}
	q.updated, q.enrolled = b.span("updated"), b.span("enrolled")
	prog, p := c.readableProgram(q.program, true)
	if p != nil {
		return nil, p
	}
	if _, p := c.readableType(q.entityType); p != nil {
		return nil, p
	}
	if p := c.readableEntity(b); p != nil {
		return nil, p
	}
	return q, c.resolve(q.scope, units, prog)
}

func (c *trackerCall) enrollmentNeedsProgram(b *bound, q *enrollmentQuery) *problem {
	if c.manners.plainLists() {
		return nil
	}
	if q.program != "" && q.entityType != "" {
		return c.invalid("`program` and `trackedEntityType` cannot be specified simultaneously")
	}
	for _, name := range []string{"programStatus", "status", "followUp", "enrolledAfter", "enrolledBefore"} {
		if q.program == "" && b.has(name) {
			return c.invalid("`program` must be defined when `%s` is defined", name)
		}
	}
	return nil
}

func (c *trackerCall) listEnrollments(set *fieldSet) (any, *problem) {
	b, p := c.bind(pageParams, enrollmentParams)
	if p != nil {
		return nil, p
	}
	pages, p := c.paging(b, false)
	if p != nil {
		return nil, p
	}
	q, p := c.enrollmentQuery(b)
	if p != nil {
		return nil, p
	}
	for _, k := range b.order { // the tables that are joined have both of these columns
		if c.manners.ambiguousOrder() && (k.field == "createdAt" || k.field == "updatedAt") {
			return nil, refuse(http.StatusConflict, "", "ERROR: column reference \"%s\" is ambiguous", map[string]string{"createdAt": "created", "updatedAt": "lastupdated"}[k.field])
		}
	}
	v := c.trackerView(b.flags["includeDeleted"])
	var found []*enrollment
	for _, e := range v.st.enrollOrder {
		if c.enrollmentMatches(v, q, e) {
			found = append(found, e)
		}
	}
	sortBy(found, b.order, c.manners.plainLists() && len(b.order) > 0, func(e *enrollment) int64 { return e.Seq }, func(e *enrollment, field string) string {
		switch field {
		case "enrolledAt":
			return stamp(e.Enrolled)
		case "createdAt":
			return bornText(e.made)
		case "completedAt":
			return timeText(e.Completed)
		case "createdAtClient":
			return timeText(e.CreatedAtClient)
		case "updatedAtClient":
			return timeText(e.UpdatedAtClient)
		}
		return stamp(e.Updated)
	})
	items := make([]any, len(found))
	for i := range found {
		items[i] = lazy{func() any { return project(v.enrollment(found[i], set), set, plainSource{}) }}
	}
	return c.page("enrollments", items, pages), nil
}

func (c *trackerCall) enrollmentMatches(v trackerView, q *enrollmentQuery, e *enrollment) bool {
	if e.Deleted && !q.deleted || len(q.ids) > 0 && !q.ids[e.UID] || q.program != "" && e.Program != q.program || q.entity != "" && e.Entity != q.entity ||
		q.status != "" && e.Status != q.status || q.followUp != nil && e.FollowUp != *q.followUp || q.combo != "" && e.OptionCombo != q.combo {
		return false
	}
	if t := v.st.entities[e.Entity]; q.entityType != "" && (t == nil || t.Type != q.entityType) {
		return false
	}
	if !q.updated.holds(&e.Updated) || !q.enrolled.holds(&e.Enrolled) || !v.mayRead(e.Program) {
		return false
	}
	home := v.home(e.Entity, e.Program)
	return q.scope.covers(home, c.user) && c.reaches(home, v.c.programs[e.Program], v.st.entities[e.Entity])
}

var relationshipParams = []param{{name: "trackedEntity", kind: aUID}, {name: "tei", kind: aUID, until: 41}, {name: "enrollment", kind: aUID}, {name: "event", kind: aUID}}

func (c *trackerCall) listRelationships(set *fieldSet) (any, *problem) {
	b, p := c.bind(pageParams, relationshipParams)
	if p != nil {
		return nil, p
	}
	pages, p := c.paging(b, false)
	if p != nil {
		return nil, p
	}
	if _, p := c.either(b, "trackedEntity", "tei"); p != nil {
		return nil, p
	}
	var uid, name string
	for _, n := range []string{"trackedEntity", "tei", "enrollment", "event"} {
		if !b.has(n) {
			continue
		}
		if uid != "" {
			return nil, c.invalid("Only one of parameters 'trackedEntity', 'enrollment' or 'event' is allowed.")
		}
		uid, name = b.text[n], n
	}
	if uid == "" {
		return nil, c.invalid("Missing required parameter 'trackedEntity', 'enrollment' or 'event'.")
	}
	if p := c.checkOrder(b, setOf([]string{"createdAt", "createdAtClient"}), false); p != nil {
		return nil, p
	}
	v := c.trackerView(b.flags["includeDeleted"])
	if name == "tei" {
		name = "trackedEntity"
	}
	known := map[string]bool{"trackedEntity": v.st.entities[uid] != nil && !v.st.entities[uid].Deleted,
		"enrollment": v.st.enrollments[uid] != nil && !v.st.enrollments[uid].Deleted, "event": v.st.events[uid] != nil && !v.st.events[uid].Deleted}
	if !known[name] && !v.deleted {
		return nil, c.unknown(strings.ToUpper(name[:1])+name[1:], uid)
	}
	items := []any{}
	for _, r := range v.st.relationsOf[uid] {
		if !r.Deleted || v.deleted {
			items = append(items, project(v.relationship(r, set), set, plainSource{}))
		}
	}
	return c.page("relationships", items, pages), nil
}
