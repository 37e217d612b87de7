package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"
)

// usualFields are what a read of tracker objects gives when it does not say.
var usualFields = map[string]string{
	"trackedEntities": "*,!relationships,!enrollments,!events,!programOwners",
	"enrollments":     "*,!relationships,!events,!attributes",
	"events":          "*,!relationships",
	"relationships": "relationship,relationshipType,createdAtClient,from[trackedEntity[trackedEntity],enrollment[enrollment],event[event]]," +
		"to[trackedEntity[trackedEntity],enrollment[enrollment],event[event]]",
}

// readTracker answers GET /api/tracker/<kind> and GET /api/tracker/<kind>/<uid>.
func (c *call) readTracker(kind string) {
	if kind != "relationships" && len(c.path) == 4 && c.at(3) == "note" && c.srv.manners >= 42 {
		c.addNote(kind)
		return
	}
	if !c.method(http.MethodGet) {
		return
	}
	family := kind
	if kind == "trackerEvents" || kind == "singleEvents" {
		family = "events"
	}
	set, ok := c.fields(usualFields[family])
	if !ok {
		return
	}
	if len(c.path) > 3 {
		c.srv.notFound(c.w, c.r)
		return
	}
	c.srv.store.mu.RLock()
	defer c.srv.store.mu.RUnlock()
	var answer any
	var p *problem
	if len(c.path) == 3 {
		answer, p = c.readOne(family, c.at(2), set)
	} else {
		answer, p = c.readMany(kind, family, set)
	}
	if p != nil {
		c.srv.refused(c.w, p)
		return
	}
	c.w.Header().Set("Cache-Control", "no-cache, private")
	c.srv.json(c.w, http.StatusOK, answer)
}

// unknown is the answer to a uid that nothing has.
func (c *call) unknown(name, uid string) *problem {
	if name == "TrackedEntity" && c.srv.manners <= 40 {
		name = "TrackedEntityInstance"
	}
	return refuse(http.StatusNotFound, "E1005", "%s with id %s could not be found.", name, uid)
}

func (c *call) readOne(family, uid string, set *fieldSet) (any, *problem) {
	if c.srv.manners.typedUIDs() && !validUID(uid) {
		return nil, refuse(http.StatusBadRequest, "", "Value '%s' is not valid for path parameter uid. UID must be an alphanumeric string of 11 characters starting with a letter, but was: %s", uid, uid)
	}
	v, st := c.trackerView(), c.srv.store
	switch family {
	case "trackedEntities":
		t := st.entities[uid]
		if t == nil || t.Deleted {
			return nil, c.unknown("TrackedEntity", uid)
		}
		program := c.query.Get("program")
		if program != "" && c.srv.catalog.programs[program] == nil {
			return nil, c.invalid("Program is specified but does not exist: %s", program)
		}
		if c.srv.manners >= 43 && program != "" && !st.enrolled(uid, program) {
			return nil, c.unknown("TrackedEntity", uid)
		}
		if u := c.srv.catalog.orgUnits[t.OrgUnit]; u != nil && !c.user.searches(u) {
			return nil, refuse(http.StatusForbidden, "", "User has no access to TrackedEntity:%s", uid)
		}
		return project(v.entity(t, set, program), set, plainSource{}), nil
	case "enrollments":
		e := st.enrollments[uid]
		if e == nil || e.Deleted {
			return nil, c.unknown("Enrollment", uid)
		}
		if !c.reaches(e.OrgUnit, e.Program) {
			return nil, refuse(http.StatusForbidden, "", "User has no read access to enrollment %s", uid)
		}
		return project(v.enrollment(e, set), set, plainSource{}), nil
	case "events":
		e := st.events[uid]
		if e == nil || e.Deleted {
			return nil, c.unknown("Event", uid)
		}
		if !c.reaches(e.OrgUnit, e.Program) {
			return nil, refuse(http.StatusForbidden, "", "User has no read access to event %s", uid)
		}
		return project(v.event(e, set), set, plainSource{}), nil
	}
	r := st.relationships[uid]
	if r == nil || r.Deleted {
		return nil, c.unknown("Relationship", uid)
	}
	return project(v.relationship(r, set), set, plainSource{}), nil
}

// enrolled tells whether a tracked entity has an enrollment in a program.
func (st *store) enrolled(entity, program string) bool {
	for _, e := range st.enrollmentsOf[entity] {
		if e.Program == program && !e.Deleted {
			return true
		}
	}
	return false
}

// reaches tells whether the user may read data of a program in an org unit.
func (c *call) reaches(orgUnit, program string) bool {
	u, p := c.srv.catalog.orgUnits[orgUnit], c.srv.catalog.programs[program]
	if u == nil || p == nil {
		return true
	}
	if !p.sharing.dataRead(c.user) {
		return false
	}
	if p.accessLevel == "PROTECTED" || p.accessLevel == "CLOSED" {
		return c.user.captures(u)
	}
	return c.user.searches(u)
}

// invalid is a query that makes no sense.
func (c *call) invalid(format string, args ...any) *problem {
	return refuse(http.StatusBadRequest, "E1003", format, args...)
}

// nonsense is a query that DHIS2 answered with a conflict up to 2.40.
func (c *call) nonsense(format string, args ...any) *problem {
	if c.srv.manners.badRequest() {
		return c.invalid(format, args...)
	}
	return refuse(http.StatusConflict, "", format, args...)
}

// param gives the first of several names of a parameter that is set: the name of today, and older ones where the version knows them.
func (c *call) param(name string, old ...string) string {
	if v := c.query.Get(name); v != "" {
		return v
	}
	if c.srv.manners.oldParameters() {
		for _, n := range old {
			if v := c.query.Get(n); v != "" {
				return v
			}
		}
	}
	return ""
}

// ids splits a list of uids: with commas under its name of today, with semicolons under the one it had up to 2.41, which newer versions overlook.
func (c *call) ids(name string, old ...string) ([]string, *problem) {
	if c.srv.manners.plainLists() {
		return strings.FieldsFunc(c.param(name, old...), func(r rune) bool { return r == ',' || r == ';' }), nil
	}
	items, parameter := strings.FieldsFunc(c.query.Get(name), func(r rune) bool { return r == ',' }), name
	if len(items) == 0 && c.srv.manners.oldParameters() {
		for _, n := range old {
			items, parameter = strings.FieldsFunc(c.query.Get(n), func(r rune) bool { return r == ';' }), n
		}
	}
	for _, id := range items {
		if !validUID(id) {
			return nil, c.notUID(id, parameter)
		}
	}
	return items, nil
}

// notUID is the refusal of an identifier that is none.
func (c *call) notUID(text, parameter string) *problem {
	return refuse(http.StatusBadRequest, "", "Value '%s' is not valid for parameter %s. UID must be an alphanumeric string of 11 characters starting with a letter, but was: %s", text, parameter, text)
}

// scope is where a list looks: a mode and org units.
type scope struct {
	mode  string
	units []*orgUnit
}

var scopeModes = []string{"SELECTED", "CHILDREN", "DESCENDANTS", "ACCESSIBLE", "CAPTURE", "ALL"}

// scope reads where to look. units is the parameter that names org units in this list: one orgUnit for events, orgUnits for the others;
// from 2.42 on the other of the two is overlooked (DHIS2 EventRequestParams, EnrollmentRequestParams, TrackedEntityRequestParams).
func (c *call) scope(units string) (*scope, *problem) {
	ids, p := c.ids(units, "orgUnit")
	if p != nil {
		return nil, p
	}
	s := &scope{mode: c.param("orgUnitMode", "ouMode")}
	for _, id := range ids {
		u := c.srv.catalog.orgUnits[id]
		if u == nil {
			return nil, c.invalid("Organisation unit does not exist: %s", id)
		}
		if !c.user.searches(u) {
			return nil, refuse(http.StatusForbidden, "", "Organisation unit is not part of the search scope: %s", id)
		}
		s.units = append(s.units, u)
	}
	if s.mode == "" {
		s.mode = "ACCESSIBLE"
		if len(s.units) > 0 {
			s.mode = "SELECTED"
		}
	}
	if !contains(scopeModes, s.mode) {
		return nil, refuse(http.StatusBadRequest, "", "Value '%s' is not valid for parameter orgUnitMode. Valid values are: %v", s.mode, scopeModes)
	}
	needs := s.mode == "SELECTED" || s.mode == "CHILDREN" || s.mode == "DESCENDANTS"
	switch {
	case needs && len(s.units) == 0:
		return nil, c.nonsense("At least one org unit is required for orgUnitMode: %s", s.mode)
	case !needs && len(s.units) > 0 && c.srv.manners >= 41:
		return nil, c.invalid("orgUnitMode %s cannot be used with orgUnits. Please remove the orgUnit parameter and try again.", s.mode)
	case s.mode == "ALL" && !c.user.may("F_TRACKED_ENTITY_INSTANCE_SEARCH_IN_ALL_ORGUNITS"):
		return nil, refuse(http.StatusForbidden, "", "User is not authorized to query across all organisation units")
	}
	return s, nil
}

// covers tells whether an org unit lies in the scope of a user.
func (s *scope) covers(uid string, cat *catalog, u *user) bool {
	o := cat.orgUnits[uid]
	if o == nil {
		return false
	}
	switch s.mode {
	case "ALL":
		return true
	case "CAPTURE":
		return u.captures(o)
	case "ACCESSIBLE":
		return u.searches(o)
	}
	for _, unit := range s.units {
		switch {
		case o == unit:
			return true
		case s.mode == "CHILDREN" && o.parent == unit.uid:
			return true
		case s.mode == "DESCENDANTS" && strings.HasPrefix(o.path, unit.path+"/"):
			return true
		}
	}
	return false
}

// span is a time limit of a list: from a time on, up to a time, or over the last while.
type span struct{ after, before *time.Time }

func (c *call) span(name string) (span, *problem) {
	var s span
	for suffix, into := range map[string]**time.Time{"After": &s.after, "Before": &s.before} {
		text := c.query.Get(name + suffix)
		if text == "" {
			continue
		}
		t, ok := parseDate(text)
		if !ok {
			return s, refuse(http.StatusBadRequest, "", "Value '%s' is not valid for parameter %s.", text, name+suffix)
		}
		if suffix == "Before" && len(text) <= 10 { // a day counts to its end
			t = t.AddDate(0, 0, 1).Add(-time.Millisecond)
		}
		*into = &t
	}
	if within := c.query.Get(name + "Within"); within != "" {
		d, err := duration(within)
		if err != nil {
			return s, refuse(http.StatusBadRequest, "", "Duration is not valid: %s", within)
		}
		t := c.srv.now().Add(-d)
		s.after = &t
	}
	return s, nil
}

// duration reads 5d, 3h, 30m, 10s.
func duration(s string) (time.Duration, error) {
	units := map[byte]time.Duration{'d': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute, 's': time.Second}
	if s == "" {
		return 0, fmt.Errorf("no duration")
	}
	unit, ok := units[s[len(s)-1]]
	n, err := strconv.Atoi(s[:len(s)-1])
	if !ok || err != nil || n < 0 {
		return 0, fmt.Errorf("no duration: %s", s)
	}
	return time.Duration(n) * unit, nil
}

func (s span) holds(t *time.Time) bool {
	if s.after == nil && s.before == nil {
		return true
	}
	return t != nil && (s.after == nil || !t.Before(*s.after)) && (s.before == nil || !t.After(*s.before))
}

// page cuts a page and wraps it as the version does.
func (c *call) page(name string, items []any) object {
	total := len(items)
	off := c.query.Get("paging") == "false" || c.srv.manners.oldParameters() && c.query.Get("skipPaging") == "true"
	key := name
	if c.srv.manners.plainLists() {
		key = "instances"
	}
	if off {
		return object{key: unfolded(items)}
	}
	page, size := positive(c.query.Get("page"), 1), positive(c.query.Get("pageSize"), defaultPageSize)
	from := min((page-1)*size, total)
	to := min(from+size, total)
	pager := object{"page": page, "pageSize": size}
	if c.query.Get("totalPages") == "true" {
		pager["total"], pager["pageCount"] = total, (total+size-1)/size
	}
	if c.srv.manners.plainLists() {
		pager[key] = unfolded(items[from:to])
		return pager
	}
	out := object{key: unfolded(items[from:to])}
	if c.srv.manners == 41 {
		for k, v := range pager {
			out[k] = v
		}
	}
	if page > 1 {
		pager["prevPage"] = c.trackerLink(page - 1)
	}
	if to < total {
		pager["nextPage"] = c.trackerLink(page + 1)
	}
	out["pager"] = pager
	return out
}

// trackerLink is the address of another page: the query as it was, with the page at its end.
func (c *call) trackerLink(page int) string {
	var parts []string
	for _, p := range queryInOrder(c.r.URL.RawQuery) {
		if p[0] != "page" {
			parts = append(parts, url.QueryEscape(p[0])+"="+url.QueryEscape(p[1]))
		}
	}
	return base(c.r) + c.r.URL.Path + "?" + strings.Join(append(parts, "page="+strconv.Itoa(page)), "&")
}

// sortKey is one part of an order parameter.
type sortKey struct {
	field string
	down  bool
}

func (c *call) order(known map[string]bool, attribute func(string) bool) ([]sortKey, *problem) {
	var keys []sortKey
	for _, part := range strings.Split(strings.Join(c.query["order"], ","), ",") {
		if part == "" {
			continue
		}
		field, direction, _ := strings.Cut(part, ":")
		if !known[field] && (attribute == nil || !attribute(field)) {
			return nil, c.invalid("order parameter is invalid. Cannot order by '%s'.", field)
		}
		if d := strings.ToLower(direction); d != "" && d != "asc" && d != "desc" {
			return nil, c.invalid("order parameter is invalid: %s", part)
		}
		keys = append(keys, sortKey{field, strings.EqualFold(direction, "desc")})
	}
	return keys, nil
}

// sortBy puts objects in order; without keys in that of their making, or newest first.
func sortBy[T any](items []T, keys []sortKey, newestFirst bool, seq func(T) int64, text func(T, string) string) {
	sort.SliceStable(items, func(i, j int) bool {
		for _, k := range keys {
			if d := compare(text(items[i], k.field), text(items[j], k.field)); d != 0 {
				return (d < 0) != k.down
			}
		}
		if newestFirst && len(keys) == 0 {
			return seq(items[i]) > seq(items[j])
		}
		return seq(items[i]) < seq(items[j])
	})
}
