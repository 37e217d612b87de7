package tracker

import (
	"net/http"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
	"github.com/culvert/culvert/actions/dhis2/sandbox/fields"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

type entityQuery struct {
	program    *catalog.Program
	entityType *catalog.EntityType
	stage      string
	ids        map[string]bool
	scope      *scope
	filters    []valueFilter
	status     string
	followUp   *bool
	duplicate  *bool
	deleted    bool
	updated    rest.Span
	enrolled   rest.Span // of the enrollment
	occurred   rest.Span // of the enrollment
	event      rest.Span
	events     string // status of an event between the times
	assigned   *assignment
}

var entityOrders = catalog.SetOf(strings.Fields("trackedEntity createdAt createdAtClient updatedAt updatedAtClient " +
	"enrolledAt inactive"))

// entityQuery reads and checks what is asked (TrackedEntityRequestParamsMapper, TrackedEntityOperationParamsMapper).
func (c *call) entityQuery(b *rest.Bound) (*entityQuery, *rest.Problem) {
	q := &entityQuery{events: b.Text["eventStatus"], stage: b.Text["programStage"], deleted: b.Flags["includeDeleted"]}
	for _, name := range []string{"query", "attribute", "includeAllAttributes"} {
		if c.Version == 41 && b.Has(name) {
			return nil, c.Invalid("`%s` parameter was removed in v41. Use `filter` instead.", name)
		}
	}
	units, p := c.EitherIDs(b, "orgUnits", "orgUnit")
	if p != nil {
		return nil, p
	}
	if q.scope, p = c.scopeMode(b, units, len(b.IDs["trackedEntities"]) > 0); p != nil {
		return nil, p
	}
	ids, p := c.EitherIDs(b, "trackedEntities", "trackedEntity")
	if p != nil {
		return nil, p
	}
	q.ids = catalog.SetOf(ids)
	status, p := c.Either(b, "enrollmentStatus", "programStatus")
	if p != nil {
		return nil, p
	}
	q.status = b.Text[status]
	if p := c.CheckOrder(b, entityOrders, true); p != nil {
		return nil, p
	}
	if p := c.ambiguous(b, "trackedEntity", "uid"); p != nil {
		return nil, p
	}
	if p := c.entityCombinations(b, len(ids) > 0); p != nil {
		return nil, p
	}
	if p := c.CheckWithin(b); p != nil {
		return nil, p
	}
	var wrong string
	given := []string{b.Text["filter"]}
	if c.Version.PlainLists() {
		given = append(given, b.Text["attribute"])
	}
	if q.filters, wrong = parseValueFilters(given); wrong != "" {
		return nil, c.Invalid("%s", wrong)
	}
	if q.assigned, p = c.assignment(b); p != nil {
		return nil, p
	}
	for name, into := range map[string]**bool{"followUp": &q.followUp, "potentialDuplicate": &q.duplicate} {
		if f, ok := b.Flags[name]; ok {
			*into = &f
		}
	}
	q.updated, q.enrolled, q.occurred, q.event = b.Span("updated"), b.Span("enrollmentEnrolled"),
		b.Span("enrollmentOccurred"), b.Span("eventOccurred")
	return q, c.entityTargets(b, q, units)
}

// ambiguous: from 2.43 on the query of a list in some orders names a column that two tables have.
func (c *call) ambiguous(b *rest.Bound, field, column string) *rest.Problem {
	if c.Version < 43 || !slices.ContainsFunc(b.Order, func(k rest.SortKey) bool { return k.Field == field }) {
		return nil
	}
	return rest.Conflicting("E7145", "Query failed because of a syntax error: column reference \"%s\" is ambiguous", column)
}

// entityCombinations refuses parameters that do not go together.
func (c *call) entityCombinations(b *rest.Bound, byID bool) *rest.Problem {
	hasProgram, hasType := b.Has("program"), b.Has("trackedEntityType")
	switch {
	case hasProgram && hasType:
		return c.Nonsense("`program` and `trackedEntityType` cannot be specified simultaneously")
	case !hasProgram && !hasType && !byID:
		return c.Nonsense("Either `program`, `trackedEntityType` or `trackedEntities` should be specified")
	case c.Version.PlainLists():
		return nil
	}
	for _, name := range []string{"programStatus", "enrollmentStatus", "followUp", "enrollmentEnrolledAfter",
		"enrollmentEnrolledBefore",
		"enrollmentOccurredAfter", "enrollmentOccurredBefore"} {
		if !hasProgram && b.Has(name) {
			return c.Invalid("`program` must be defined when `%s` is defined", name)
		}
	}
	for _, k := range b.Order {
		if !hasProgram && k.Field == "enrolledAt" && c.Version >= 43 {
			return c.Invalid("`program` must be defined when `order=enrolledAt` is used")
		}
	}
	together := 0
	for _, name := range []string{"eventStatus", "eventOccurredAfter", "eventOccurredBefore"} {
		if b.Has(name) {
			together++
		}
	}
	if together == 1 || together == 2 {
		return c.Invalid("`eventOccurredAfter`, `eventOccurredBefore` and `eventStatus` must be specified together")
	}
	return nil
}

// entityTargets finds what a search is about and checks that the user may search there.
func (c *call) entityTargets(b *rest.Bound, q *entityQuery, units []string) (p *rest.Problem) {
	if q.program, p = c.readableProgram(b.Text["program"], true); p != nil {
		return p
	}
	if q.stage != "" && (q.program == nil || !slices.Contains(q.program.Stages, q.stage)) && c.Version >= 41 {
		return c.Invalid("Program does not contain the specified programStage: %s", q.stage)
	}
	if q.entityType, p = c.readableType(b.Text["trackedEntityType"]); p != nil {
		return p
	}
	if p = c.resolve(q.scope, units, q.program); p != nil {
		return p
	}
	for _, f := range q.filters {
		if c.Catalog.Attributes[f.uid] == nil {
			return c.Invalid("attribute filters are invalid. Tracked entity attribute '%s' does not exist.", f.uid)
		}
	}
	if p := c.filtersFit(q.filters, func(uid string) string { return c.Catalog.Attributes[uid].ValueType }); p != nil {
		return p
	}
	for _, k := range b.Order {
		if !entityOrders[k.Field] && c.Catalog.Attributes[k.Field] == nil {
			return c.Invalid("Cannot order by '%s' as its not a tracked entity attribute. Tracked entities can be ordered by "+
				"fields and tracked entity attributes.", k.Field)
		}
	}
	if q.program == nil && q.entityType == nil && len(units) == 0 {
		for _, f := range q.filters {
			if a := c.Catalog.Attributes[f.uid]; !a.Unique {
				return rest.Refuse(http.StatusConflict, "", "Either a program or tracked entity type must be specified")
			}
		}
	}
	return c.globalSearch(q)
}

// globalSearch: who looks beyond the org units it may write to must look by searchable attributes,
// and by enough of them.
func (c *call) globalSearch(q *entityQuery) *rest.Problem {
	if c.searchIsLocal(q.scope) {
		return nil
	}
	attrs, least, limited := []catalog.ProgramAttribute(nil), 0, true
	switch {
	case q.program != nil:
		attrs, least = q.program.Attributes, q.program.MinSearch
	case q.entityType != nil:
		attrs, least = q.entityType.Attributes, q.entityType.MinSearch
	default:
		limited = false
	}
	searchable := map[string]bool{}
	for _, a := range attrs {
		if a.Searchable {
			searchable[a.Attribute] = true
		}
	}
	unique := false
	for _, f := range q.filters {
		a := c.Catalog.Attributes[f.uid]
		unique = unique || a.Unique
		if !searchable[f.uid] && !(a.Unique && (!limited || c.Version.PlainLists())) {
			return rest.Refuse(http.StatusConflict, "",
				"Non-searchable attribute(s) can not be used during global search:  [%s]", f.uid)
		}
	}
	if len(q.ids) == 0 && !unique && len(q.filters) < least {
		return rest.Refuse(http.StatusConflict, "", "At least %d attributes should be mentioned in the search criteria.",
			least)
	}
	return nil
}

// searchIsLocal tells whether all org units of a search are among those that the user captures data in.
func (c *call) searchIsLocal(s *scope) bool {
	if c.User.Super {
		return true
	}
	units := s.units
	switch s.mode {
	case "CAPTURE":
		return true
	case "ACCESSIBLE":
		units = nil
		for _, id := range c.User.SearchRoots() {
			if u := c.Catalog.OrgUnits[id]; u != nil {
				units = append(units, u)
			}
		}
	case "ALL":
		return false
	case "CHILDREN", "DESCENDANTS":
		units = nil
		for _, u := range s.units {
			units = append(units, u.Children...)
		}
	}
	for _, u := range units {
		if !c.User.Captures(u) {
			return false
		}
	}
	return true
}

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
		items[i] = lazy{r.UID, func() any { return fields.Project(v.entity(r.TrackedEntity, set, program), set, fields.Plain{}) }}
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
