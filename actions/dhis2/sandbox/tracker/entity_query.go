package tracker

import (
	"net/http"
	"slices"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
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
	return rest.Conflicting(
		"E7145",
		"Query failed because of a syntax error: column reference \"%s\" is ambiguous",
		column,
	)
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
