package sandbox

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
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
func (c *trackerCall) readTracker(kind string) {
	if kind != "relationships" && len(c.path) == 4 && c.at(3) == "note" && c.manners >= 42 {
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
		c.notFound()
		return
	}
	c.store.mu.RLock()
	defer c.store.mu.RUnlock()
	var answer any
	var p *problem
	if len(c.path) == 3 {
		answer, p = c.readOne(family, c.at(2), set)
	} else {
		answer, p = c.readMany(kind, family, set)
	}
	if p != nil {
		c.refused(p)
		return
	}
	c.w.Header().Set("Cache-Control", "no-cache, private")
	c.json(http.StatusOK, answer)
}

func (c *trackerCall) readOne(family, uid string, set *fieldSet) (any, *problem) {
	if c.manners.typedUIDs() && !validUID(uid) {
		return nil, refuse(http.StatusBadRequest, "", "Value '%s' is not valid for path parameter uid. UID must be an alphanumeric string of 11 characters starting with a letter, but was: %s", uid, uid)
	}
	v, st := c.trackerView(c.query.Get("includeDeleted") == "true"), c.store
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

// page cuts a page and wraps it as the version does.
func (c *trackerCall) page(name string, items []any, p paging) object {
	total, key := len(items), name
	if c.manners.plainLists() {
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
	if c.manners.plainLists() {
		pager[key] = unfolded(items[from:to])
		return pager
	}
	out := object{key: unfolded(items[from:to])}
	if c.manners == 41 {
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
func (c *trackerCall) trackerLink(page int) string {
	var parts []string
	for _, p := range queryInOrder(c.r.URL.RawQuery) {
		if p[0] != "page" {
			parts = append(parts, url.QueryEscape(p[0])+"="+url.QueryEscape(p[1]))
		}
	}
	return c.base() + c.r.URL.Path + "?" + strings.Join(append(parts, "page="+strconv.Itoa(page)), "&")
}
