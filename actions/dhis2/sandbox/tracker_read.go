package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
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
	v, st := c.trackerView(c.query.Get("includeDeleted") == "true"), c.srv.store
	switch family {
	case "trackedEntities":
		t := st.entities[uid]
		if t == nil || t.Deleted {
			return nil, c.unknown("TrackedEntity", uid)
		}
		if p := c.mayReadOne(v, t); p != nil {
			return nil, p
		}
		return project(v.entity(t, set, c.query.Get("program")), set, plainSource{}), nil
	case "enrollments":
		e := st.enrollments[uid]
		if e == nil || e.Deleted {
			return nil, c.unknown("Enrollment", uid)
		}
		if p := c.mayReadEnrollment(v, e); p != nil {
			return nil, p
		}
		return project(v.enrollment(e, set), set, plainSource{}), nil
	case "events":
		e := st.events[uid]
		if e == nil || e.Deleted {
			return nil, c.unknown("Event", uid)
		}
		if p := c.mayReadEvent(v, e); p != nil {
			return nil, p
		}
		return project(v.event(e, set), set, plainSource{}), nil
	}
	r := st.relationships[uid]
	if r == nil || r.Deleted {
		return nil, c.unknown("Relationship", uid)
	}
	if p := c.mayReadLink(v, r); p != nil {
		return nil, p
	}
	return project(v.relationship(r, set), set, plainSource{}), nil
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

// notUID is the refusal of an identifier that is none.
func (c *call) notUID(text, parameter string) *problem {
	return refuse(http.StatusBadRequest, "", "Value '%s' is not valid for parameter %s. UID must be an alphanumeric string of 11 characters starting with a letter, but was: %s", text, parameter, text)
}

// span is a time limit of a list: from a time on, up to a time, or over the last while.
type span struct{ after, before *time.Time }

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
func (c *call) page(name string, items []any, p paging) object {
	total, key := len(items), name
	if c.srv.manners.plainLists() {
		key = "instances"
	}
	if p.size == 0 {
		return object{key: unfolded(items)}
	}
	from := min((p.page-1)*p.size, total)
	to := min(from+p.size, total)
	pager := object{"page": p.page, "pageSize": p.size}
	if p.totals {
		pager["total"], pager["pageCount"] = total, (total+p.size-1)/p.size
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
	} else {
		if p.page > 1 {
			pager["prevPage"] = c.trackerLink(p.page - 1)
		}
		if to < total {
			pager["nextPage"] = c.trackerLink(p.page + 1)
		}
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
