package tracker

import (
	"net/http"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
	"github.com/culvert/culvert/actions/dhis2/sandbox/ids"
	"github.com/culvert/culvert/actions/dhis2/sandbox/jsontree"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

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
		answer, p = c.listPairs()
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
	pair := &store.DuplicatePair{UID: ids.New(), Original: d.UID(root, "original"), Duplicate: d.UID(root, "duplicate"), Status: "OPEN"}
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
		if old.Original == pair.Original && old.Duplicate == pair.Duplicate || old.Original == pair.Duplicate && old.Duplicate == pair.Original {
			return nil, rest.Refuse(http.StatusConflict, "E1004", "'%s' and '%s is already marked as a potential duplicate", pair.Original, pair.Duplicate)
		}
	}
	for _, uid := range []string{pair.Original, pair.Duplicate} {
		if p := c.mergeable(uid); p != nil {
			return nil, p
		}
	}
	now := c.Now().UTC()
	pair.Made = store.Made{Created: now, Updated: now, CreatedBy: c.User.Username, UpdatedBy: c.User.Username, Seq: st.Next()}
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
	o := object{"id": p.UID, "original": p.Original, "duplicate": p.Duplicate, "status": p.Status, "created": dates.Stamp(p.Created), "lastUpdated": dates.Stamp(p.Updated),
		"createdByUserName": p.CreatedBy, "lastUpdatedByUserName": p.UpdatedBy, "translations": []any{}, "attributeValues": []any{}}
	sharing := object{"users": object{}, "userGroups": object{}}
	if c.Version <= 42 {
		sharing["public"], sharing["owner"] = "--------", c.User.UID
		o["favorites"], o["favorite"] = []any{}, false
	}
	o["sharing"] = sharing
	return o
}

func (c *call) listPairs() (any, *rest.Problem) {
	b, p := c.Bind(pageParams, []rest.Param{{Name: "status", Kind: rest.Enum, Values: pairStatuses}, {Name: "trackedEntities", Kind: rest.UIDs}, {Name: "teis", Kind: rest.UIDs, Until: 41}})
	if p != nil {
		return nil, p
	}
	pages, p := c.Paging(b, false)
	if p != nil {
		return nil, p
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
		if (status == "ALL" || pair.Status == status) && (len(wanted) == 0 || wanted[pair.Original] || wanted[pair.Duplicate]) {
			found = append(found, pair)
		}
	}
	sortBy(found, nil, false, func(p *store.DuplicatePair) int64 { return p.Seq }, nil)
	items := make([]any, len(found))
	for i, pair := range found {
		items[i] = c.shownPair(pair)
	}
	return c.page("potentialDuplicates", items, pages), nil
}

// settlePair sets whether a pair is still open.
func (c *call) settlePair() *rest.Problem {
	pair, p := c.pair()
	if p != nil {
		return p
	}
	status := strings.TrimSpace(c.Query.Get("status"))
	switch {
	case status == "":
		return rest.MissingParameter("status")
	case !slices.Contains(pairStatuses, status):
		return rest.Refuse(http.StatusBadRequest, "", "Value '%s' is not valid for parameter status. Valid values are: [ALL, OPEN, INVALID, MERGED]", status)
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

// mergePair moves what the duplicate has to the original, and deletes it.
func (c *call) mergePair() *rest.Problem {
	pair, p := c.pair()
	if p != nil {
		return p
	}
	for _, uid := range []string{pair.Original, pair.Duplicate} {
		if p := c.mergeable(uid); p != nil {
			return p
		}
	}
	if !c.User.May("F_TRACKED_ENTITY_MERGE") {
		return rest.Refuse(http.StatusForbidden, "", "Missing required authority for merging tracked entities.")
	}
	st := c.Store
	original, duplicate := st.Entities[pair.Original], st.Entities[pair.Duplicate]
	if strings.EqualFold(c.Query.Get("mergeStrategy"), "MANUAL") {
		return rest.Refuse(http.StatusConflict, "", "The sandbox merges with mergeStrategy=AUTO only.")
	}
	if p := c.canMerge(original, duplicate); p != nil {
		return p
	}
	now := c.Now().UTC()
	for _, a := range duplicate.Attributes {
		if _, has := original.Attribute(a.Attribute); !has {
			st.SetHolder(duplicate, a.Attribute, a.Value, "")
			original.Attributes = append(original.Attributes, a)
			st.SetHolder(original, a.Attribute, "", a.Value)
		}
	}
	for _, o := range duplicate.Owners {
		if original.Owner(o.Program) == "" {
			original.SetOwner(o.Program, o.OrgUnit)
		}
	}
	for _, e := range st.EnrollmentsOf[duplicate.UID] {
		if !e.Deleted {
			e.Entity = original.UID
			st.EnrollmentsOf[original.UID] = append(st.EnrollmentsOf[original.UID], e)
			st.Keep(e)
		}
	}
	delete(st.EnrollmentsOf, duplicate.UID)
	c.moveRelations(original.UID, duplicate.UID)
	original.Updated, original.UpdatedBy = now, c.User.Username
	st.Keep(original)
	st.DeleteEntity(duplicate, c.User.Username)
	n := *pair
	n.Status, n.Updated, n.UpdatedBy = "MERGED", now, c.User.Username
	st.PutPair(&n)
	return nil
}

// moveRelations gives the relationships of one tracked entity to another.
func (c *call) moveRelations(to, from string) {
	st := c.Store
	for _, r := range st.RelationsOf[from] {
		if r.Deleted {
			continue
		}
		if r.From.Entity == from {
			r.From.Entity = to
		}
		if r.To.Entity == from {
			r.To.Entity = to
		}
		st.RelationsOf[to] = append(st.RelationsOf[to], r)
		st.Keep(r)
	}
	delete(st.RelationsOf, from)
}

func (c *call) canMerge(original, duplicate *store.TrackedEntity) *rest.Problem {
	if original.Type != duplicate.Type {
		return rest.Refuse(http.StatusForbidden, "", "Entities have different Tracked Entity Types.")
	}
	for _, a := range duplicate.Attributes {
		if v, has := original.Attribute(a.Attribute); has && v != a.Value {
			return rest.Refuse(http.StatusConflict, "", "Potential Duplicate cannot be merged automatically: Entities have conflicting values.")
		}
	}
	programs := map[string]bool{}
	for _, e := range c.Store.EnrollmentsOf[original.UID] {
		programs[e.Program] = programs[e.Program] || !e.Deleted
	}
	for _, e := range c.Store.EnrollmentsOf[duplicate.UID] {
		if !e.Deleted && programs[e.Program] {
			return rest.Refuse(http.StatusConflict, "", "Potential Duplicate cannot be merged automatically: Both entities enrolled in the same program.")
		}
	}
	return nil
}
