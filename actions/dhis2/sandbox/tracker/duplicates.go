package tracker

import (
	"net/http"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
	"github.com/culvert/culvert/actions/dhis2/sandbox/fields"
	"github.com/culvert/culvert/actions/dhis2/sandbox/ids"
	"github.com/culvert/culvert/actions/dhis2/sandbox/jsontree"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

// pairOrders are the properties that pairs can be ordered by.
var pairOrders = catalog.SetOf(strings.Fields("id created lastUpdated original duplicate status createdByUserName " +
	"lastUpdatedByUserName"))

var pairStatuses = []string{"OPEN", "INVALID", "MERGED", "ALL"}

// potentialDuplicates answers what is below /api/potentialDuplicates (DHIS2 DeduplicationController).
func (c *call) potentialDuplicates() {
	var answer any
	var p *rest.Problem
	st := c.Store
	st.Lock()
	defer st.Unlock()
	switch {
	case len(c.Path) == 1 && c.R.Method == http.MethodPost:
		answer, p = c.flagPair()
	case len(c.Path) == 1:
		if !c.Method(http.MethodGet, http.MethodPost) {
			return
		}
		set, ok := c.Fields("*")
		if !ok {
			return
		}
		answer, p = c.listPairs(set)
	case len(c.Path) == 2 && c.R.Method == http.MethodPut:
		p = c.settlePair()
	case len(c.Path) == 2:
		if !c.Method(http.MethodGet, http.MethodPut) {
			return
		}
		var pair *store.DuplicatePair
		if pair, p = c.pair(); p == nil {
			answer = c.shownPair(pair)
		}
	case len(c.Path) == 3 && c.At(2) == "merge":
		if !c.Method(http.MethodPost) {
			return
		}
		p = c.mergePair()
	default:
		c.NotFound()
		return
	}
	if p == nil {
		if err := st.Flush(); err != nil {
			p = rest.Refuse(http.StatusInternalServerError, "", "%s", err.Error())
		}
	}
	switch {
	case p != nil:
		c.W.Header().Set("Cache-Control", "no-cache, private")
		c.Refused(p)
	case answer == nil:
		c.W.WriteHeader(http.StatusOK)
	default:
		c.JSON(http.StatusOK, answer)
	}
}

func (c *call) pair() (*store.DuplicatePair, *rest.Problem) {
	if c.Version.TypedUIDs() && !ids.Valid(c.At(1)) {
		return nil, c.badPathUID(c.At(1))
	}
	if pair := c.Store.Pairs[c.At(1)]; pair != nil {
		return pair, nil
	}
	return nil, rest.Refuse(http.StatusNotFound, "E1005", "PotentialDuplicate with id %s could not be found.", c.At(1))
}

// flagPair remembers two tracked entities as potential duplicates.
func (c *call) flagPair() (any, *rest.Problem) {
	body, p := c.ReadBody()
	if p != nil {
		return nil, p
	}
	root, err := jsontree.Parse(body)
	if err != nil || root == nil || root.Kind != jsontree.Object {
		return nil, rest.Refuse(http.StatusBadRequest, "", "JSON parse error")
	}
	d := rest.Decoder{Version: c.Version}
	pair := &store.DuplicatePair{UID: ids.New(), Original: d.UID(root, "original"), Duplicate: d.UID(root, "duplicate"),
		Status: "OPEN"}
	status := d.Enum(root, "status", pairStatuses...)
	if d.Err != nil {
		return nil, rest.Refuse(http.StatusBadRequest, "", "JSON parse error: %s", d.Err)
	}
	for name, uid := range map[string]string{"original": pair.Original, "duplicate": pair.Duplicate} {
		if uid == "" {
			return nil, c.Invalid("Missing required input property '%s'", name)
		}
	}
	st := c.Store
	for _, old := range st.Pairs {
		if old.Original == pair.Original && old.Duplicate == pair.Duplicate || old.Original == pair.Duplicate &&
			old.Duplicate == pair.Original {
			return nil, rest.Refuse(http.StatusConflict, "E1004", "'%s' and '%s is already marked as a potential duplicate",
				pair.Original, pair.Duplicate)
		}
	}
	for _, uid := range []string{pair.Original, pair.Duplicate} {
		if p := c.mergeable(uid); p != nil {
			return nil, p
		}
	}
	if status != "" && status != "OPEN" {
		return nil, conflict("Invalid status %s, creating potential duplicate is allowed using: OPEN", status)
	}
	now := c.Now().UTC()
	pair.Made = store.Made{Created: now, Updated: now, CreatedBy: c.User.Username, UpdatedBy: c.User.Username,
		Seq: st.Next()}
	st.PutPair(pair)
	return c.shownPair(pair), nil
}

// mergeable checks that a tracked entity exists and that the user may read it.
func (c *call) mergeable(uid string) *rest.Problem {
	t := c.Store.Entities[uid]
	if t == nil || t.Deleted {
		return c.Unknown("TrackedEntity", uid)
	}
	if u := c.Catalog.OrgUnits[t.OrgUnit]; u != nil && !c.User.Searches(u) {
		return rest.Refuse(http.StatusForbidden, "", "User has no access to TrackedEntity:%s", uid)
	}
	return nil
}

func (c *call) shownPair(p *store.DuplicatePair) object {
	o := object{"id": p.UID, "original": p.Original, "duplicate": p.Duplicate, "status": p.Status,
		"created": dates.Stamp(p.Created), "lastUpdated": dates.Stamp(p.Updated),
		"createdByUserName": p.CreatedBy, "lastUpdatedByUserName": p.UpdatedBy, "translations": []any{},
		"attributeValues": []any{}}
	sharing := object{"users": object{}, "userGroups": object{}}
	if c.Version <= 42 {
		by := c.UserObject(p.CreatedBy)
		sharing["public"], sharing["owner"] = "--------", by["id"]
		o["favorites"], o["favorite"], o["createdBy"], o["lastUpdatedBy"], o["user"] = []any{}, false, by,
			c.UserObject(p.UpdatedBy), by
	}
	if c.Version == 42 {
		sharing["external"] = false
	}
	o["sharing"] = sharing
	return o
}

func (c *call) listPairs(set *fields.Set) (any, *rest.Problem) {
	b, p := c.Bind(pageParams, []rest.Param{{Name: "status", Kind: rest.Enum, Values: pairStatuses},
		{Name: "trackedEntities", Kind: rest.UIDs}, {Name: "teis", Kind: rest.UIDs, Until: 41}})
	if p != nil {
		return nil, p
	}
	pages, p := c.Paging(b, false)
	if p != nil {
		return nil, p
	}
	pages.Totals = false // nobody counts them
	for _, k := range b.Order {
		if !pairOrders[k.Field] {
			return nil, rest.Refuse(http.StatusBadRequest, "",
				"Unable to locate Attribute with the given name [%s] on this ManagedType", k.Field)
		}
	}
	entities, p := c.EitherIDs(b, "trackedEntities", "teis")
	if p != nil {
		return nil, p
	}
	wanted, status := catalog.SetOf(entities), b.Text["status"]
	if status == "" {
		status = "OPEN"
	}
	var found []*store.DuplicatePair
	for _, pair := range c.Store.Pairs {
		if (status == "ALL" || pair.Status == status) &&
			(len(wanted) == 0 || wanted[pair.Original] || wanted[pair.Duplicate]) {
			found = append(found, pair)
		}
	}
	shown := func(p *store.DuplicatePair, field string) string { return catalog.TextOf(c.shownPair(p)[field]) }
	sortBy(found, b.Order, true, func(p *store.DuplicatePair) int64 { return p.Seq }, shown)
	items := make([]any, len(found))
	for i, pair := range found {
		items[i] = fields.Project(c.shownPair(pair), set, fields.Plain{})
	}
	return c.page("potentialDuplicates", items, pages), nil
}

// settlePair sets whether a pair is still open.
func (c *call) settlePair() *rest.Problem {
	status := strings.TrimSpace(c.Query.Get("status"))
	if status == "" {
		return rest.MissingParameter("status")
	}
	pair, p := c.pair()
	if p != nil {
		return p
	}
	switch {
	case !slices.Contains(pairStatuses, status):
		return rest.Refuse(http.StatusBadRequest, "",
			"Value '%s' is not valid for parameter status. Valid values are: [ALL, OPEN, INVALID, MERGED]", status)
	case status == "MERGED":
		return c.Invalid("Can't update a potential duplicate to MERGED")
	case pair.Status == "MERGED":
		return c.Invalid("Can't update a potential duplicate that is already MERGED")
	}
	n := *pair
	n.Status, n.Updated, n.UpdatedBy = status, c.Now().UTC(), c.User.Username
	c.Store.PutPair(&n)
	return nil
}
