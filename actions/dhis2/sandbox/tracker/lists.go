package tracker

import (
	"fmt"
	"net/http"
	"sort"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
	"github.com/culvert/culvert/actions/dhis2/sandbox/fields"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
	"github.com/culvert/culvert/actions/dhis2/sandbox/valuetype"
)

func (c *call) readMany(kind, family string, set *fields.Set) (any, *rest.Problem) {
	if p := c.schemesKnown(); p != nil && family != "trackedEntities" {
		return nil, p
	}
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
type lazy struct {
	uid  string
	make func() any
}

// unfolded makes the items of a page, each object once.
func unfolded(items []any) []any {
	out := make([]any, 0, len(items))
	seen := map[string]bool{}
	for _, it := range items {
		if l, ok := it.(lazy); ok {
			if seen[l.uid] {
				continue
			}
			seen[l.uid] = true
			it = l.make()
		}
		out = append(out, it)
	}
	return out
}

// oldestFirst tells whether equal objects of a list come in the order of their making; usual is what
// holds where the version does not look at the orders asked for.
func (c *call) oldestFirst(keys []rest.SortKey, usual bool) bool {
	if len(keys) > 0 && c.Version.TiesFollowOrder() {
		return !keys[0].Down
	}
	return usual
}

// sortBy puts objects in order; among equals, and without keys, newest first, or in that of their
// making. What an object does not have comes last, and first when the order is descending,
// as in PostgreSQL.
func sortBy[T any](items []T, keys []rest.SortKey, oldestFirst bool, seq func(T) int64, text func(T, string) string) {
	sort.SliceStable(items, func(i, j int) bool {
		for _, k := range keys {
			a, b := text(items[i], k.Field), text(items[j], k.Field)
			d := valuetype.Compare(a, b)
			if (a == "") != (b == "") {
				d = -d
			}
			if d != 0 {
				return (d < 0) != k.Down
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
	return dates.Stamp(*t)
}

// bornText is what orders by the time of making: objects of one request are made one after the
// other, from 2.43 on all at once.
func (v view) bornText(m store.Made) string {
	if v.version.TiesFollowOrder() {
		return dates.Stamp(m.Created)
	}
	return fmt.Sprintf("%s#%012d", dates.Stamp(m.Created), m.Seq)
}

var enrollmentOrders = catalog.SetOf(strings.Fields("enrolledAt createdAt createdAtClient updatedAt updatedAtClient " +
	"completedAt"))

// enrollmentQuery is which enrollments are wanted.
type enrollmentQuery struct {
	program, entityType, entity, status, combo string
	ids                                        map[string]bool
	followUp                                   *bool
	updated, enrolled                          rest.Span
	scope                                      *scope
	deleted                                    bool
}

// enrollmentQuery reads and checks what is asked (EnrollmentRequestParamsMapper, EnrollmentOperationParamsMapper).
func (c *call) enrollmentQuery(b *rest.Bound) (*enrollmentQuery, *rest.Problem) {
	q := &enrollmentQuery{program: b.Text["program"], entityType: b.Text["trackedEntityType"],
		entity: b.Text["trackedEntity"], combo: b.Text["attributeOptionCombo"],
		deleted: b.Flags["includeDeleted"]}
	if c.Version.ProgramRequired() && q.program == "" {
		return nil, c.Invalid("Program is mandatory")
	}
	units, p := c.EitherIDs(b, "orgUnits", "orgUnit")
	if p != nil {
		return nil, p
	}
	if q.scope, p = c.scopeMode(b, units, false); p != nil {
		return nil, p
	}
	ids, p := c.EitherIDs(b, "enrollments", "enrollment")
	if p != nil {
		return nil, p
	}
	q.ids = catalog.SetOf(ids)
	status, p := c.Either(b, "status", "programStatus")
	if p != nil {
		return nil, p
	}
	q.status = b.Text[status]
	if p := c.CheckOrder(b, enrollmentOrders, false); p != nil {
		return nil, p
	}
	if p := c.enrollmentNeedsProgram(b, q); p != nil {
		return nil, p
	}
	if p := c.CheckWithin(b); p != nil {
		return nil, p
	}
	if f, ok := b.Flags["followUp"]; ok {
		q.followUp = &f
	}
	q.updated, q.enrolled = b.Span("updated"), b.Span("enrolled")
	prog, p := c.readableProgram(q.program, true)
	if p != nil {
		return nil, p
	}
	if _, p := c.readableType(q.entityType); p != nil {
		return nil, p
	}
	if c.Version < 43 || c.Store.Entities[b.Text["trackedEntity"]] != nil {
		if p := c.readableEntity(b); p != nil {
			return nil, p
		}
	}
	return q, c.resolve(q.scope, units, prog)
}

func (c *call) enrollmentNeedsProgram(b *rest.Bound, q *enrollmentQuery) *rest.Problem {
	if c.Version.PlainLists() {
		return nil
	}
	if q.program != "" && q.entityType != "" {
		return c.Invalid("`program` and `trackedEntityType` cannot be specified simultaneously")
	}
	for _, name := range []string{"programStatus", "status", "followUp", "enrolledAfter", "enrolledBefore"} {
		if q.program == "" && b.Has(name) {
			return c.Invalid("`program` must be defined when `%s` is defined", name)
		}
	}
	return nil
}

func (c *call) listEnrollments(set *fields.Set) (any, *rest.Problem) {
	b, p := c.Bind(pageParams, enrollmentParams)
	if p != nil {
		return nil, p
	}
	pages, p := c.Paging(b, false)
	if p != nil {
		return nil, p
	}
	q, p := c.enrollmentQuery(b)
	if p != nil {
		return nil, p
	}
	for _, k := range b.Order { // the tables that are joined have both of these columns
		if c.Version.AmbiguousOrder() && (k.Field == "createdAt" || k.Field == "updatedAt") {
			return nil, rest.Refuse(http.StatusConflict, "", "ERROR: column reference \"%s\" is ambiguous",
				map[string]string{"createdAt": "created", "updatedAt": "lastupdated"}[k.Field])
		}
	}
	v := c.trackerView(b.Flags["includeDeleted"])
	var found []*store.Enrollment
	for _, e := range v.st.EnrollOrder {
		if c.enrollmentMatches(v, q, e) {
			found = append(found, e)
		}
	}
	oldest := c.oldestFirst(b.Order, c.Version.PlainLists() && len(b.Order) > 0)
	sortBy(found, b.Order, oldest, func(e *store.Enrollment) int64 { return e.Seq },
		func(e *store.Enrollment, field string) string {
			switch field {
			case "enrolledAt":
				return dates.Stamp(e.Enrolled)
			case "createdAt":
				return v.bornText(e.Made)
			case "completedAt":
				return timeText(e.Completed)
			case "createdAtClient":
				return timeText(e.CreatedAtClient)
			case "updatedAtClient":
				return timeText(e.UpdatedAtClient)
			}
			return dates.Stamp(e.Updated)
		})
	items := make([]any, len(found))
	for i := range found {
		items[i] = lazy{found[i].UID, func() any { return fields.Project(v.enrollment(found[i], set), set, fields.Plain{}) }}
	}
	return c.page("enrollments", items, pages), nil
}

func (c *call) enrollmentMatches(v view, q *enrollmentQuery, e *store.Enrollment) bool {
	if e.Deleted && !q.deleted || len(q.ids) > 0 && !q.ids[e.UID] || q.program != "" && e.Program != q.program ||
		q.entity != "" && e.Entity != q.entity ||
		q.status != "" && e.Status != q.status || q.followUp != nil && e.FollowUp != *q.followUp || q.combo != "" &&
		e.OptionCombo != q.combo {
		return false
	}
	if t := v.st.Entities[e.Entity]; q.entityType != "" && (t == nil || t.Type != q.entityType) {
		return false
	}
	if !q.updated.Holds(&e.Updated) || !q.enrolled.Holds(&e.Enrolled) || !v.mayRead(e.Program) {
		return false
	}
	home := v.home(e.Entity, e.Program)
	return q.scope.covers(home, c.User) && c.reaches(home, v.c.Programs[e.Program], v.st.Entities[e.Entity])
}

var relationshipParams = []rest.Param{{Name: "trackedEntity", Kind: rest.UID},
	{Name: "tei", Kind: rest.UID, Until: 41}, {Name: "enrollment", Kind: rest.UID}, {Name: "event", Kind: rest.UID}}

func (c *call) listRelationships(set *fields.Set) (any, *rest.Problem) {
	b, p := c.Bind(pageParams, relationshipParams)
	if p != nil {
		return nil, p
	}
	pages, p := c.Paging(b, false)
	if p != nil {
		return nil, p
	}
	if _, p := c.Either(b, "trackedEntity", "tei"); p != nil {
		return nil, p
	}
	var uid, name string
	for _, n := range []string{"trackedEntity", "tei", "enrollment", "event"} {
		if !b.Has(n) {
			continue
		}
		if uid != "" {
			return nil, c.Invalid("Only one of parameters 'trackedEntity', 'enrollment' or 'event' is allowed.")
		}
		uid, name = b.Text[n], n
	}
	if uid == "" {
		return nil, c.Invalid("Missing required parameter 'trackedEntity', 'enrollment' or 'event'.")
	}
	if p := c.CheckOrder(b, catalog.SetOf([]string{"createdAt", "createdAtClient"}), false); p != nil {
		return nil, p
	}
	v := c.trackerView(b.Flags["includeDeleted"])
	if name == "tei" {
		name = "trackedEntity"
	}
	known := map[string]bool{"trackedEntity": v.st.Entities[uid] != nil && !v.st.Entities[uid].Deleted,
		"enrollment": v.st.Enrollments[uid] != nil && !v.st.Enrollments[uid].Deleted,
		"event":      v.st.Events[uid] != nil && !v.st.Events[uid].Deleted}
	if !known[name] && !v.deleted {
		return nil, c.Unknown(strings.ToUpper(name[:1])+name[1:], uid)
	}
	items := []any{}
	for _, r := range v.st.RelationsOf[uid] {
		if !r.Deleted || v.deleted {
			items = append(items, fields.Project(v.relationship(r, set), set, fields.Plain{}))
		}
	}
	return c.page("relationships", items, pages), nil
}
