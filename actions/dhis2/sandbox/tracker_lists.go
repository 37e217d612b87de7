package sandbox

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

func (c *call) readMany(kind, family string, set *fieldSet) (any, *problem) {
	for _, name := range []string{"page", "pageSize"} {
		if n, err := strconv.Atoi(c.query.Get(name)); err == nil && n < 1 && c.srv.manners >= 41 {
			return nil, refuse(http.StatusBadRequest, "E1003", "%s must be greater than or equal to 1 if specified", name)
		}
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

type entityQuery struct {
	program    *program
	entityType *entityType
	ids        map[string]bool
	scope      *scope
	filters    []valueFilter
	status     string
	updated    span
	enrolled   span
	order      []sortKey
}

func (c *call) entityQuery() (*entityQuery, *problem) {
	q := &entityQuery{status: c.query.Get("enrollmentStatus")}
	if q.status == "" {
		q.status = c.query.Get("programStatus")
	}
	if id := c.query.Get("program"); id != "" {
		if q.program = c.srv.catalog.programs[id]; q.program == nil {
			return nil, c.invalid("Program is specified but does not exist: %s", id)
		}
	}
	if id := c.query.Get("trackedEntityType"); id != "" {
		if q.entityType = c.srv.catalog.types[id]; q.entityType == nil {
			return nil, c.invalid("Tracked entity type is specified but does not exist: %s", id)
		}
	}
	ids, p := c.ids("trackedEntities", "trackedEntity")
	if p != nil {
		return nil, p
	}
	q.ids = setOf(ids)
	switch {
	case q.program == nil && q.entityType == nil && len(ids) == 0:
		return nil, c.nonsense("Either `program`, `trackedEntityType` or `trackedEntities` should be specified")
	case q.program != nil && q.entityType != nil:
		return nil, c.nonsense("`program` and `trackedEntityType` cannot be specified simultaneously")
	}
	if q.scope, p = c.scope("orgUnits"); p != nil {
		return nil, p
	}
	var wrong string
	if q.filters, wrong = parseValueFilters(append(c.query["filter"], c.oldFilters()...)); wrong != "" {
		return nil, c.invalid("%s", wrong)
	}
	for _, f := range q.filters {
		if c.srv.catalog.attributes[f.uid] == nil {
			return nil, c.invalid("attribute filters are invalid. Tracked entity attribute '%s' does not exist.", f.uid)
		}
	}
	if p := c.globalSearch(q); p != nil {
		return nil, p
	}
	if q.updated, p = c.span("updated"); p != nil {
		return nil, p
	}
	if q.enrolled, p = c.span("enrollmentEnrolled"); p != nil {
		return nil, p
	}
	q.order, p = c.order(setOf([]string{"trackedEntity", "createdAt", "updatedAt", "createdAtClient", "updatedAtClient", "enrolledAt", "orgUnit", "inactive"}),
		func(f string) bool { return c.srv.catalog.attributes[f] != nil })
	return q, p
}

func (c *call) oldFilters() []string {
	if c.srv.manners.oldParameters() {
		return c.query["attribute"]
	}
	return nil
}

// globalSearch: who looks beyond the org units it may write to must look by searchable attributes, and by enough of them.
func (c *call) globalSearch(q *entityQuery) *problem {
	if c.user.super || len(q.ids) > 0 || c.searchIsLocal(q.scope) {
		return nil
	}
	attrs, least := []programAttribute(nil), 0
	if q.program != nil {
		attrs, least = q.program.attributes, q.program.minSearch
	} else {
		attrs, least = q.entityType.attributes, q.entityType.minSearch
	}
	searchable := map[string]bool{}
	for _, a := range attrs {
		if a.searchable {
			searchable[a.attribute] = true
		}
	}
	unique := false
	for _, f := range q.filters {
		a := c.srv.catalog.attributes[f.uid]
		unique = unique || a.unique
		if !a.unique && !searchable[f.uid] {
			return refuse(http.StatusConflict, "", "Non-searchable attribute(s) can not be used during global search: [%s]", f.uid)
		}
	}
	if !unique && len(q.filters) < least {
		return refuse(http.StatusConflict, "", "At least %d attributes should be mentioned in the search criteria.", least)
	}
	return nil
}

func (c *call) searchIsLocal(s *scope) bool {
	switch s.mode {
	case "CAPTURE":
		return true
	case "ACCESSIBLE":
		for _, id := range c.user.searchRoots() {
			if u := c.srv.catalog.orgUnits[id]; u != nil && !c.user.captures(u) {
				return false
			}
		}
		return true
	case "ALL":
		return c.user.super
	}
	for _, u := range s.units {
		if !c.user.captures(u) {
			return false
		}
	}
	return true
}

func (c *call) listEntities(set *fieldSet) (any, *problem) {
	q, p := c.entityQuery()
	if p != nil {
		return nil, p
	}
	v := c.trackerView()
	var found []*trackedEntity
	for _, t := range c.candidates(q) {
		if c.entityMatches(v, q, t) {
			found = append(found, t)
		}
	}
	sortBy(found, q.order, !c.srv.manners.oldestFirst(), func(t *trackedEntity) int64 { return t.Seq }, func(t *trackedEntity, field string) string {
		switch field {
		case "trackedEntity":
			return t.UID
		case "createdAt":
			return stamp(t.Created)
		case "updatedAt":
			return stamp(t.Updated)
		case "orgUnit":
			return t.OrgUnit
		case "enrolledAt":
			if es := v.st.enrollmentsOf[t.UID]; len(es) > 0 {
				return stamp(es[0].Enrolled)
			}
			return ""
		}
		value, _ := t.attribute(field)
		return strings.ToLower(value)
	})
	program := ""
	if q.program != nil {
		program = q.program.uid
	}
	items := make([]any, len(found))
	for i := range found {
		items[i] = lazy{func() any { return project(v.entity(found[i], set, program), set, plainSource{}) }}
	}
	return c.page("trackedEntities", items), nil
}

// candidates are the tracked entities among which a search looks.
func (c *call) candidates(q *entityQuery) []*trackedEntity {
	if len(q.ids) == 0 {
		return c.srv.store.entityOrder
	}
	var out []*trackedEntity
	for id := range q.ids {
		if t := c.srv.store.entities[id]; t != nil {
			out = append(out, t)
		}
	}
	return out
}

func (c *call) entityMatches(v trackerView, q *entityQuery, t *trackedEntity) bool {
	if t.Deleted && !v.deleted || !q.updated.holds(&t.Updated) {
		return false
	}
	if q.entityType != nil && t.Type != q.entityType.uid {
		return false
	}
	for _, f := range q.filters {
		if value, has := t.attribute(f.uid); !f.passes(value, has) {
			return false
		}
	}
	unit := t.OrgUnit
	if q.program != nil {
		in := false
		for _, e := range v.st.enrollmentsOf[t.UID] {
			if e.Program == q.program.uid && (!e.Deleted || v.deleted) && (q.status == "" || e.Status == q.status) && q.enrolled.holds(&e.Enrolled) {
				if !in {
					unit = e.OrgUnit
				}
				in = true
			}
		}
		if !in {
			return false
		}
	}
	return q.scope.covers(unit, v.c, c.user)
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

func (c *call) listEnrollments(set *fieldSet) (any, *problem) {
	ids, p := c.ids("enrollments", "enrollment")
	if p != nil {
		return nil, p
	}
	if c.srv.manners.programRequired() && c.query.Get("program") == "" {
		return nil, c.invalid("Program is mandatory")
	}
	s, p := c.scope("orgUnits")
	if p != nil {
		return nil, p
	}
	program, entity, status := c.query.Get("program"), c.query.Get("trackedEntity"), c.query.Get("status")
	if status == "" {
		status = c.query.Get("programStatus")
	}
	if program != "" && c.srv.catalog.programs[program] == nil {
		return nil, c.invalid("Program is specified but does not exist: %s", program)
	}
	updated, p := c.span("updated")
	if p != nil {
		return nil, p
	}
	enrolled, p := c.span("enrolled")
	if p != nil {
		return nil, p
	}
	order, p := c.order(setOf([]string{"enrolledAt", "createdAt", "createdAtClient", "updatedAt", "updatedAtClient", "completedAt"}), nil)
	if p != nil {
		return nil, p
	}
	v, wanted := c.trackerView(), setOf(ids)
	var found []*enrollment
	for _, e := range v.st.enrollOrder {
		if e.Deleted && !v.deleted || len(wanted) > 0 && !wanted[e.UID] || program != "" && e.Program != program || entity != "" && e.Entity != entity ||
			status != "" && e.Status != status || c.query.Get("followUp") == "true" && !e.FollowUp {
			continue
		}
		if updated.holds(&e.Updated) && enrolled.holds(&e.Enrolled) && s.covers(e.OrgUnit, v.c, c.user) && v.mayRead(e.Program) {
			found = append(found, e)
		}
	}
	sortBy(found, order, true, func(e *enrollment) int64 { return e.Seq }, func(e *enrollment, field string) string {
		switch field {
		case "enrolledAt":
			return stamp(e.Enrolled)
		case "createdAt":
			return stamp(e.Created)
		case "completedAt":
			return timeText(e.Completed)
		}
		return stamp(e.Updated)
	})
	items := make([]any, len(found))
	for i := range found {
		items[i] = lazy{func() any { return project(v.enrollment(found[i], set), set, plainSource{}) }}
	}
	return c.page("enrollments", items), nil
}

func timeText(t *time.Time) string {
	if t == nil {
		return ""
	}
	return stamp(*t)
}

func (c *call) listRelationships(set *fieldSet) (any, *problem) {
	v := c.trackerView()
	var uid, name string
	for _, n := range []string{"trackedEntity", "enrollment", "event"} {
		if x := c.query.Get(n); x != "" {
			if uid != "" {
				return nil, c.invalid("Only one of the parameters 'trackedEntity', 'enrollment' or 'event' is allowed.")
			}
			uid, name = x, n
		}
	}
	if uid == "" && c.srv.manners.oldParameters() {
		uid, name = c.query.Get("tei"), "trackedEntity"
	}
	if uid == "" {
		return nil, c.invalid("Missing required parameter 'trackedEntity', 'enrollment' or 'event'.")
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
	return c.page("relationships", items), nil
}
