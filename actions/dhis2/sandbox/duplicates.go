package sandbox

import (
	"net/http"
	"slices"
	"strings"
)

var pairStatuses = []string{"OPEN", "INVALID", "MERGED", "ALL"}

// potentialDuplicates answers what is below /api/potentialDuplicates (DHIS2 DeduplicationController).
func (c *trackerCall) potentialDuplicates() {
	var answer any
	var p *problem
	st := c.store
	st.mu.Lock()
	defer st.mu.Unlock()
	switch {
	case len(c.path) == 1 && c.r.Method == http.MethodPost:
		answer, p = c.flagPair()
	case len(c.path) == 1:
		if !c.method(http.MethodGet, http.MethodPost) {
			return
		}
		answer, p = c.listPairs()
	case len(c.path) == 2 && c.r.Method == http.MethodPut:
		p = c.settlePair()
	case len(c.path) == 2:
		if !c.method(http.MethodGet, http.MethodPut) {
			return
		}
		var pair *duplicatePair
		if pair, p = c.pair(); p == nil {
			answer = c.shownPair(pair)
		}
	case len(c.path) == 3 && c.at(2) == "merge":
		if !c.method(http.MethodPost) {
			return
		}
		p = c.mergePair()
	default:
		c.notFound()
		return
	}
	if p == nil {
		if err := st.state.flush(); err != nil {
			p = refuse(http.StatusInternalServerError, "", "%s", err.Error())
		}
	}
	switch {
	case p != nil:
		c.w.Header().Set("Cache-Control", "no-cache, private")
		c.refused(p)
	case answer == nil:
		c.w.WriteHeader(http.StatusOK)
	default:
		c.json(http.StatusOK, answer)
	}
}

func (c *trackerCall) pair() (*duplicatePair, *problem) {
	if pair := c.store.pairs[c.at(1)]; pair != nil {
		return pair, nil
	}
	return nil, refuse(http.StatusNotFound, "E1005", "PotentialDuplicate with id %s could not be found.", c.at(1))
}

// flagPair remembers two tracked entities as potential duplicates.
func (c *trackerCall) flagPair() (any, *problem) {
	body, p := c.readBody()
	if p != nil {
		return nil, p
	}
	root, err := parseJSON(body)
	if err != nil || root == nil || root.kind != jsonObject {
		return nil, refuse(http.StatusBadRequest, "", "JSON parse error")
	}
	d := decoder{m: c.manners}
	pair := &duplicatePair{UID: newUID(), Original: d.uid(root, "original"), Duplicate: d.uid(root, "duplicate"), Status: "OPEN"}
	if d.err != nil {
		return nil, refuse(http.StatusBadRequest, "", "JSON parse error: %s", d.err)
	}
	for name, uid := range map[string]string{"original": pair.Original, "duplicate": pair.Duplicate} {
		if uid == "" {
			return nil, c.invalid("Missing required input property '%s'", name)
		}
	}
	st := c.store
	for _, old := range st.pairs {
		if old.Original == pair.Original && old.Duplicate == pair.Duplicate || old.Original == pair.Duplicate && old.Duplicate == pair.Original {
			return nil, refuse(http.StatusConflict, "E1004", "'%s' and '%s is already marked as a potential duplicate", pair.Original, pair.Duplicate)
		}
	}
	for _, uid := range []string{pair.Original, pair.Duplicate} {
		if p := c.mergeable(uid); p != nil {
			return nil, p
		}
	}
	now := c.now().UTC()
	pair.made = made{Created: now, Updated: now, CreatedBy: c.user.username, UpdatedBy: c.user.username, Seq: st.next()}
	st.putPair(pair)
	return c.shownPair(pair), nil
}

// mergeable checks that a tracked entity exists and that the user may read it.
func (c *trackerCall) mergeable(uid string) *problem {
	t := c.store.entities[uid]
	if t == nil || t.Deleted {
		return c.unknown("TrackedEntity", uid)
	}
	if u := c.catalog.orgUnits[t.OrgUnit]; u != nil && !c.user.searches(u) {
		return refuse(http.StatusForbidden, "", "User has no access to TrackedEntity:%s", uid)
	}
	return nil
}

func (c *trackerCall) shownPair(p *duplicatePair) object {
	o := object{"id": p.UID, "original": p.Original, "duplicate": p.Duplicate, "status": p.Status, "created": stamp(p.Created), "lastUpdated": stamp(p.Updated),
		"createdByUserName": p.CreatedBy, "lastUpdatedByUserName": p.UpdatedBy, "translations": []any{}, "attributeValues": []any{}}
	sharing := object{"users": object{}, "userGroups": object{}}
	if c.manners <= 42 {
		sharing["public"], sharing["owner"] = "--------", c.user.uid
		o["favorites"], o["favorite"] = []any{}, false
	}
	o["sharing"] = sharing
	return o
}

func (c *trackerCall) listPairs() (any, *problem) {
	b, p := c.bind(pageParams, []param{{name: "status", kind: anEnum, values: pairStatuses}, {name: "trackedEntities", kind: someUIDs}, {name: "teis", kind: someUIDs, until: 41}})
	if p != nil {
		return nil, p
	}
	pages, p := c.paging(b, false)
	if p != nil {
		return nil, p
	}
	entities, p := c.eitherIDs(b, "trackedEntities", "teis")
	if p != nil {
		return nil, p
	}
	wanted, status := setOf(entities), b.text["status"]
	if status == "" {
		status = "OPEN"
	}
	var found []*duplicatePair
	for _, pair := range c.store.pairs {
		if (status == "ALL" || pair.Status == status) && (len(wanted) == 0 || wanted[pair.Original] || wanted[pair.Duplicate]) {
			found = append(found, pair)
		}
	}
	sortBy(found, nil, false, func(p *duplicatePair) int64 { return p.Seq }, nil)
	items := make([]any, len(found))
	for i, pair := range found {
		items[i] = c.shownPair(pair)
	}
	return c.page("potentialDuplicates", items, pages), nil
}

// settlePair sets whether a pair is still open.
func (c *trackerCall) settlePair() *problem {
	pair, p := c.pair()
	if p != nil {
		return p
	}
	status := strings.TrimSpace(c.query.Get("status"))
	switch {
	case status == "":
		return missingParameter("status")
	case !slices.Contains(pairStatuses, status):
		return refuse(http.StatusBadRequest, "", "Value '%s' is not valid for parameter status. Valid values are: [ALL, OPEN, INVALID, MERGED]", status)
	case status == "MERGED":
		return c.invalid("Can't update a potential duplicate to MERGED")
	case pair.Status == "MERGED":
		return c.invalid("Can't update a potential duplicate that is already MERGED")
	}
	n := *pair
	n.Status, n.Updated, n.UpdatedBy = status, c.now().UTC(), c.user.username
	c.store.putPair(&n)
	return nil
}

// mergePair moves what the duplicate has to the original, and deletes it.
func (c *trackerCall) mergePair() *problem {
	pair, p := c.pair()
	if p != nil {
		return p
	}
	for _, uid := range []string{pair.Original, pair.Duplicate} {
		if p := c.mergeable(uid); p != nil {
			return p
		}
	}
	if !c.user.may("F_TRACKED_ENTITY_MERGE") {
		return refuse(http.StatusForbidden, "", "Missing required authority for merging tracked entities.")
	}
	st := c.store
	original, duplicate := st.entities[pair.Original], st.entities[pair.Duplicate]
	if strings.EqualFold(c.query.Get("mergeStrategy"), "MANUAL") {
		return refuse(http.StatusConflict, "", "The sandbox merges with mergeStrategy=AUTO only.")
	}
	if p := c.canMerge(original, duplicate); p != nil {
		return p
	}
	now := c.now().UTC()
	for _, a := range duplicate.Attributes {
		if _, has := original.attribute(a.Attribute); !has {
			st.setHolder(duplicate, a.Attribute, a.Value, "")
			original.Attributes = append(original.Attributes, a)
			st.setHolder(original, a.Attribute, "", a.Value)
		}
	}
	for _, o := range duplicate.Owners {
		if original.owner(o.Program) == "" {
			original.setOwner(o.Program, o.OrgUnit)
		}
	}
	for _, e := range st.enrollmentsOf[duplicate.UID] {
		if !e.Deleted {
			e.Entity = original.UID
			st.enrollmentsOf[original.UID] = append(st.enrollmentsOf[original.UID], e)
			st.state.note("en", e)
		}
	}
	delete(st.enrollmentsOf, duplicate.UID)
	c.moveRelations(original.UID, duplicate.UID)
	original.Updated, original.UpdatedBy = now, c.user.username
	st.state.note("te", original)
	st.deleteEntity(duplicate, c.user.username)
	n := *pair
	n.Status, n.Updated, n.UpdatedBy = "MERGED", now, c.user.username
	st.putPair(&n)
	return nil
}

// moveRelations gives the relationships of one tracked entity to another.
func (c *trackerCall) moveRelations(to, from string) {
	st := c.store
	for _, r := range st.relationsOf[from] {
		if r.Deleted {
			continue
		}
		if r.From.Entity == from {
			r.From.Entity = to
		}
		if r.To.Entity == from {
			r.To.Entity = to
		}
		st.relationsOf[to] = append(st.relationsOf[to], r)
		st.state.note("re", r)
	}
	delete(st.relationsOf, from)
}

func (c *trackerCall) canMerge(original, duplicate *trackedEntity) *problem {
	if original.Type != duplicate.Type {
		return refuse(http.StatusForbidden, "", "Entities have different Tracked Entity Types.")
	}
	for _, a := range duplicate.Attributes {
		if v, has := original.attribute(a.Attribute); has && v != a.Value {
			return refuse(http.StatusConflict, "", "Potential Duplicate cannot be merged automatically: Entities have conflicting values.")
		}
	}
	programs := map[string]bool{}
	for _, e := range c.store.enrollmentsOf[original.UID] {
		programs[e.Program] = programs[e.Program] || !e.Deleted
	}
	for _, e := range c.store.enrollmentsOf[duplicate.UID] {
		if !e.Deleted && programs[e.Program] {
			return refuse(http.StatusConflict, "", "Potential Duplicate cannot be merged automatically: Both entities enrolled in the same program.")
		}
	}
	return nil
}
