package tracker

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/fields"
	"github.com/culvert/culvert/actions/dhis2/sandbox/ids"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
)

// usualFields are what a read of tracker objects gives when it does not say.
var usualFields = map[string]string{
	"trackedEntities": "*,!relationships,!enrollments,!events,!programOwners",
	"enrollments":     "*,!relationships,!events,!attributes",
	"events":          "*,!relationships",
	"relationships": "relationship,relationshipType,createdAtClient,from[trackedEntity[trackedEntity]," +
		"enrollment[enrollment],event[event]]," +
		"to[trackedEntity[trackedEntity],enrollment[enrollment],event[event]]",
}

// readTracker answers GET /api/tracker/<kind> and GET /api/tracker/<kind>/<uid>.
func (c *call) readTracker(kind string) {
	if kind != "relationships" && len(c.Path) == 4 && c.At(3) == "note" && c.Version >= 42 {
		c.addNote(kind)
		return
	}
	if !c.Method(http.MethodGet) {
		return
	}
	family := kind
	if kind == "trackerEvents" || kind == "singleEvents" {
		family = "events"
	}
	set, ok := c.Fields(usualFields[family])
	if !ok {
		return
	}
	if asked := c.Query["fields"]; c.Version.EmptyFields() && len(asked) > 0 && strings.Join(asked, "") == "" {
		set = &fields.Set{}
	}
	if len(c.Path) > 3 {
		c.NotFound()
		return
	}
	c.Store.RLock()
	defer c.Store.RUnlock()
	var answer any
	var p *rest.Problem
	if len(c.Path) == 3 {
		answer, p = c.readOne(family, c.At(2), set)
	} else {
		answer, p = c.readMany(kind, family, set)
	}
	if p != nil {
		c.Refused(p)
		return
	}
	c.W.Header().Set("Cache-Control", "no-cache, private")
	c.JSON(http.StatusOK, answer)
}

func (c *call) readOne(family, uid string, set *fields.Set) (any, *rest.Problem) {
	if c.Version.TypedUIDs() && !ids.Valid(uid) {
		return nil, c.badPathUID(uid)
	}
	v, st := c.trackerView(c.Query.Get("includeDeleted") == "true"), c.Store
	switch family {
	case "trackedEntities":
		t := st.Entities[uid]
		if t == nil || t.Deleted {
			return nil, c.Unknown("TrackedEntity", uid)
		}
		if p := c.mayReadOne(v, t); p != nil {
			return nil, p
		}
		return fields.Project(v.entity(t, set, c.Query.Get("program")), set, fields.Plain{}), nil
	case "enrollments":
		e := st.Enrollments[uid]
		if e == nil || e.Deleted {
			return nil, c.Unknown("Enrollment", uid)
		}
		if p := c.mayReadEnrollment(v, e); p != nil {
			return nil, p
		}
		return fields.Project(v.enrollment(e, set), set, fields.Plain{}), nil
	case "events":
		e := st.Events[uid]
		if e == nil || e.Deleted {
			return nil, c.Unknown("Event", uid)
		}
		if p := c.mayReadEvent(v, e); p != nil {
			return nil, p
		}
		return fields.Project(v.event(e, set), set, fields.Plain{}), nil
	}
	r := st.Relationships[uid]
	if r == nil || r.Deleted {
		return nil, c.Unknown("Relationship", uid)
	}
	if p := c.mayReadLink(v, r); p != nil {
		return nil, p
	}
	return fields.Project(v.relationship(r, set), set, fields.Plain{}), nil
}

// page cuts a page and wraps it as the version does.
func (c *call) page(name string, items []any, p rest.Paging) object {
	total, key := len(items), name
	if c.Version.PlainLists() {
		key = "instances"
	}
	if p.Size == 0 {
		return object{key: unfolded(items)}
	}
	from := min((p.Page-1)*p.Size, total)
	to := min(from+p.Size, total)
	pager := object{"page": p.Page, "pageSize": p.Size}
	if p.Totals {
		pager["total"], pager["pageCount"] = total, (total+p.Size-1)/p.Size
	}
	if c.Version.PlainLists() {
		pager[key] = unfolded(items[from:to])
		return pager
	}
	out := object{key: unfolded(items[from:to])}
	if c.Version == 41 {
		for k, v := range pager {
			out[k] = v
		}
	} else {
		if p.Page > 1 {
			pager["prevPage"] = c.trackerLink(p.Page - 1)
		}
		if to < total {
			pager["nextPage"] = c.trackerLink(p.Page + 1)
		}
	}
	out["pager"] = pager
	return out
}

// trackerLink is the address of another page: the query as it was, with the page at its end.
func (c *call) trackerLink(page int) string {
	var parts []string
	for _, p := range rest.QueryInOrder(c.R.URL.RawQuery) {
		if p[0] != "page" {
			parts = append(parts, url.QueryEscape(p[0])+"="+url.QueryEscape(p[1]))
		}
	}
	return c.Base() + c.R.URL.Path + "?" + strings.Join(append(parts, "page="+strconv.Itoa(page)), "&")
}

// badPathUID is the refusal of an address with something else than a uid.
func (c *call) badPathUID(uid string) *rest.Problem {
	return rest.Refuse(http.StatusBadRequest, "",
		"Value '%s' is not valid for path parameter uid. UID must be an alphanumeric string of 11 characters "+
			"starting with a letter, but was: %s", uid, uid)
}
