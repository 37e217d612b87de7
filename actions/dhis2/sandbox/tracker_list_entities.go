package sandbox

import (
	"net/http"
	"slices"
	"strings"
)

type entityQuery struct {
	program    *program
	entityType *entityType
	stage      string
	ids        map[string]bool
	scope      *scope
	filters    []valueFilter
	status     string
	followUp   *bool
	duplicate  *bool
	deleted    bool
	updated    span
	enrolled   span // of the enrollment
	occurred   span // of the enrollment
	event      span
	events     string // status of an event between the times
	assigned   *assignment
}

var entityOrders = setOf(strings.Fields("trackedEntity createdAt createdAtClient updatedAt updatedAtClient enrolledAt inactive"))

// entityQuery reads and checks what is asked (TrackedEntityRequestParamsMapper, TrackedEntityOperationParamsMapper).
func (c *trackerCall) entityQuery(b *bound) (*entityQuery, *problem) {
	q := &entityQuery{events: b.text["eventStatus"], stage: b.text["programStage"], deleted: b.flags["includeDeleted"]}
	for _, name := range []string{"query", "attribute", "includeAllAttributes"} {
		if c.manners == 41 && b.has(name) {
			return nil, c.invalid("`%s` parameter was removed in v41. Use `filter` instead.", name)
		}
	}
	units, p := c.eitherIDs(b, "orgUnits", "orgUnit")
	if p != nil {
		return nil, p
	}
	if q.scope, p = c.scopeMode(b, units, len(b.ids["trackedEntities"]) > 0); p != nil {
		return nil, p
	}
	ids, p := c.eitherIDs(b, "trackedEntities", "trackedEntity")
	if p != nil {
		return nil, p
	}
	q.ids = setOf(ids)
	status, p := c.either(b, "enrollmentStatus", "programStatus")
	if p != nil {
		return nil, p
	}
	q.status = b.text[status]
	if p := c.checkOrder(b, entityOrders, true); p != nil {
		return nil, p
	}
	if p := c.entityCombinations(b, len(ids) > 0); p != nil {
		return nil, p
	}
	if p := c.checkWithin(b); p != nil {
		return nil, p
	}
	var wrong string
	given := []string{b.text["filter"]}
	if c.manners.plainLists() {
		given = append(given, b.text["attribute"])
	}
	if q.filters, wrong = parseValueFilters(given); wrong != "" {
		return nil, c.invalid("%s", wrong)
	}
	if q.assigned, p = c.assignment(b); p != nil {
		return nil, p
	}
	for name, into := range map[string]**bool{"followUp": &q.followUp, "potentialDuplicate": &q.duplicate} {
		if f, ok := b.flags[name]; ok {
			*into = &f
		}
	}
	q.updated, q.enrolled, q.occurred, q.event = b.span("updated"), b.span("enrollmentEnrolled"), b.span("enrollmentOccurred"), b.span("eventOccurred")
	return q, c.entityTargets(b, q, units)
}

// entityCombinations refuses parameters that do not go together.
func (c *trackerCall) entityCombinations(b *bound, byID bool) *problem {
	hasProgram, hasType := b.has("program"), b.has("trackedEntityType")
	switch {
	case hasProgram && hasType:
		return c.nonsense("`program` and `trackedEntityType` cannot be specified simultaneously")
	case !hasProgram && !hasType && !byID:
		return c.nonsense("Either `program`, `trackedEntityType` or `trackedEntities` should be specified")
	case c.manners.plainLists():
		return nil
	}
	for _, name := range []string{"programStatus", "enrollmentStatus", "followUp", "enrollmentEnrolledAfter", "enrollmentEnrolledBefore",
		"enrollmentOccurredAfter", "enrollmentOccurredBefore"} {
		if !hasProgram && b.has(name) {
			return c.invalid("`program` must be defined when `%s` is defined", name)
		}
	}
	for _, k := range b.order {
		if !hasProgram && k.field == "enrolledAt" {
			return c.invalid("`program` must be defined when `order=enrolledAt` is used")
		}
	}
	together := 0
	for _, name := range []string{"eventStatus", "eventOccurredAfter", "eventOccurredBefore"} {
		if b.has(name) {
			together++
		}
	}
	if together == 1 || together == 2 {
		return c.invalid("`eventOccurredAfter`, `eventOccurredBefore` and `eventStatus` must be specified together")
	}
	return nil
}

// entityTargets finds what a search is about and checks that the user may search there.
func (c *trackerCall) entityTargets(b *bound, q *entityQuery, units []string) (p *problem) {
	if q.program, p = c.readableProgram(b.text["program"], true); p != nil {
		return p
	}
	if q.stage != "" && (q.program == nil || !slices.Contains(q.program.stages, q.stage)) && c.manners >= 41 {
		return c.invalid("Program does not contain the specified programStage: %s", q.stage)
	}
	if q.entityType, p = c.readableType(b.text["trackedEntityType"]); p != nil {
		return p
	}
	if p = c.resolve(q.scope, units, q.program); p != nil {
		return p
	}
	for _, f := range q.filters {
		if c.catalog.attributes[f.uid] == nil {
			return c.invalid("attribute filters are invalid. Tracked entity attribute '%s' does not exist.", f.uid)
		}
	}
	for _, k := range b.order {
		if !entityOrders[k.field] && c.catalog.attributes[k.field] == nil {
			return c.invalid("Cannot order by '%s' as its not a tracked entity attribute. Tracked entities can be ordered by fields and tracked entity attributes.", k.field)
		}
	}
	if q.program == nil && q.entityType == nil && len(units) == 0 {
		for _, f := range q.filters {
			if a := c.catalog.attributes[f.uid]; !a.unique {
				return refuse(http.StatusConflict, "", "Either a program or tracked entity type must be specified")
			}
		}
	}
	return c.globalSearch(q)
}

// globalSearch: who looks beyond the org units it may write to must look by searchable attributes, and by enough of them.
func (c *trackerCall) globalSearch(q *entityQuery) *problem {
	if c.searchIsLocal(q.scope) {
		return nil
	}
	attrs, least, limited := []programAttribute(nil), 0, true
	switch {
	case q.program != nil:
		attrs, least = q.program.attributes, q.program.minSearch
	case q.entityType != nil:
		attrs, least = q.entityType.attributes, q.entityType.minSearch
	default:
		limited = false
	}
	searchable := map[string]bool{}
	for _, a := range attrs {
		if a.searchable {
			searchable[a.attribute] = true
		}
	}
	unique := false
	for _, f := range q.filters {
		a := c.catalog.attributes[f.uid]
		unique = unique || a.unique
		if !searchable[f.uid] && !(a.unique && (!limited || c.manners.plainLists())) {
			return refuse(http.StatusConflict, "", "Non-searchable attribute(s) can not be used during global search:  [%s]", f.uid)
		}
	}
	if len(q.ids) == 0 && !unique && len(q.filters) < least {
		return refuse(http.StatusConflict, "", "At least %d attributes should be mentioned in the search criteria.", least)
	}
	return nil
}

// searchIsLocal tells whether all org units of a search are among those that the user captures data in.
func (c *trackerCall) searchIsLocal(s *scope) bool {
	if c.user.super {
		return true
	}
	units := s.units
	switch s.mode {
	case "CAPTURE":
		return true
	case "ACCESSIBLE":
		units = nil
		for _, id := range c.user.searchRoots() {
			if u := c.catalog.orgUnits[id]; u != nil {
				units = append(units, u)
			}
		}
	case "ALL":
		return false
	case "CHILDREN", "DESCENDANTS":
		units = nil
		for _, u := range s.units {
			units = append(units, u.children...)
		}
	}
	for _, u := range units {
		if !c.user.captures(u) {
			return false
		}
	}
	return true
}

func (c *trackerCall) listEntities(set *fieldSet) (any, *problem) {
	b, p := c.bind(pageParams, entityParams)
	if p != nil {
		return nil, p
	}
	pages, p := c.paging(b, true)
	if p != nil {
		return nil, p
	}
	q, p := c.entityQuery(b)
	if p != nil {
		return nil, p
	}
	v := c.trackerView(q.deleted)
	v.listing = true
	var found []*trackedEntity
	for _, t := range c.candidates(q) {
		if c.entityMatches(v, q, t) {
			found = append(found, t)
		}
	}
	program := ""
	if q.program != nil {
		program = q.program.uid
	}
	sortBy(found, b.order, c.manners.oldestFirst(), func(t *trackedEntity) int64 { return t.Seq }, v.entityText(program))
	items := make([]any, len(found))
	for i := range found {
		items[i] = lazy{func() any { return project(v.entity(found[i], set, program), set, plainSource{}) }}
	}
	return c.page("trackedEntities", items, pages), nil
}

// entityText gives what tracked entities are ordered by.
func (v trackerView) entityText(program string) func(t *trackedEntity, field string) string {
	return func(t *trackedEntity, field string) string {
		switch field {
		case "trackedEntity":
			return t.UID
		case "createdAt":
			return bornText(t.made)
		case "updatedAt":
			return stamp(t.Updated)
		case "createdAtClient":
			return timeText(t.CreatedAtClient)
		case "updatedAtClient":
			return timeText(t.UpdatedAtClient)
		case "inactive":
			return map[bool]string{false: "f", true: "t"}[t.Inactive]
		case "enrolledAt":
			for _, e := range v.st.enrollmentsOf[t.UID] {
				if program == "" || e.Program == program {
					return stamp(e.Enrolled)
				}
			}
			return ""
		}
		value, _ := t.attribute(field)
		return strings.ToLower(value)
	}
}

// candidates are the tracked entities among which a search looks.
func (c *trackerCall) candidates(q *entityQuery) []*trackedEntity {
	if len(q.ids) == 0 {
		if some, ok := c.store.fewest(namedBy(q.filters)); ok {
			return some
		}
		return c.store.entityOrder
	}
	var out []*trackedEntity
	for id := range q.ids {
		if t := c.store.entities[id]; t != nil {
			out = append(out, t)
		}
	}
	return out
}

func (c *trackerCall) entityMatches(v trackerView, q *entityQuery, t *trackedEntity) bool {
	if t.Deleted && !q.deleted || !q.updated.holds(&t.Updated) || q.duplicate != nil && t.Duplicate != *q.duplicate {
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
	if q.program != nil {
		if t.Type != q.program.entityType || !c.enrolledAsAsked(v, q, t) {
			return false
		}
		home := v.home(t.UID, q.program.uid)
		return q.scope.covers(home, c.user) && c.reaches(home, q.program, t)
	}
	return c.somewhereAtHome(v, q, t)
}

// somewhereAtHome: without a program a tracked entity is found where a program of its type that the user may read has its home, which is its
// own org unit while it is not enrolled there.
func (c *trackerCall) somewhereAtHome(v trackerView, q *entityQuery, t *trackedEntity) bool {
	own := v.c.orgUnits[t.OrgUnit]
	if kind := v.c.types[t.Type]; kind != nil && !kind.sharing.dataRead(c.user) {
		return false
	}
	if c.manners.plainLists() {
		return q.scope.covers(own, c.user)
	}
	for _, p := range v.c.programs {
		if !p.registration || p.entityType != t.Type || !p.sharing.dataRead(c.user) {
			continue
		}
		home := v.home(t.UID, p.uid)
		if home == nil {
			home = own
		}
		if q.scope.covers(home, c.user) && c.reaches(home, p, t) {
			return true
		}
	}
	return false
}

func (c *trackerCall) enrolledAsAsked(v trackerView, q *entityQuery, t *trackedEntity) bool {
	for _, e := range v.st.enrollmentsOf[t.UID] {
		if e.Program != q.program.uid || e.Deleted && !q.deleted || q.status != "" && e.Status != q.status || q.followUp != nil && e.FollowUp != *q.followUp {
			continue
		}
		if q.enrolled.holds(&e.Enrolled) && q.occurred.holds(e.Occurred) && c.visitedAsAsked(v, q, e) {
			return true
		}
	}
	return false
}

// visitedAsAsked tells whether an enrollment has an event as the search wants one.
func (c *trackerCall) visitedAsAsked(v trackerView, q *entityQuery, e *enrollment) bool {
	if q.events == "" && q.assigned == nil {
		return true
	}
	for _, ev := range v.st.eventsOf[e.UID] {
		if ev.Deleted && !q.deleted || q.stage != "" && ev.Stage != q.stage || q.assigned != nil && !q.assigned.holds(ev) {
			continue
		}
		if q.events == "" || c.eventInState(ev, q.events) && (q.event.holds(ev.Occurred) || ev.Occurred == nil && q.event.holds(ev.Scheduled)) {
			return true
		}
	}
	return false
}
