package tracker

import (
	"net/http"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/jsontree"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

// merge is one merge of two tracked entities: what the original takes over of the duplicate, which
// is deleted then with all that it keeps.
type merge struct {
	c                                      *call
	original, duplicate                    *store.TrackedEntity
	attributes, relationships, enrollments []string
}

var mergeStrategies = []string{"MANUAL", "AUTO"}

// mergePair merges the two tracked entities of a pair: what is told to be moved (MANUAL), or all that can be (AUTO).
func (c *call) mergePair() *rest.Problem {
	pair, p := c.pair()
	if p != nil {
		return p
	}
	strategy := strings.ToUpper(c.Query.Get("mergeStrategy"))
	if strategy == "" {
		strategy = "AUTO"
	}
	if !slices.Contains(mergeStrategies, strategy) {
		return rest.Refuse(http.StatusBadRequest, "",
			"Value '%s' is not valid for parameter mergeStrategy. Valid values are: [%s]", c.Query.Get("mergeStrategy"),
			strings.Join(mergeStrategies, ", "))
	}
	m := &merge{c: c}
	if p := m.read(); p != nil {
		return p
	}
	for _, uid := range []string{pair.Original, pair.Duplicate} {
		if p := c.mergeable(uid); p != nil {
			return p
		}
	}
	st := c.Store
	m.original, m.duplicate = st.Entities[pair.Original], st.Entities[pair.Duplicate]
	if strategy == "AUTO" {
		p = m.choose()
	} else {
		p = m.check()
	}
	if p == nil {
		p = m.mayMerge()
	}
	if p != nil {
		return p
	}
	m.move()
	n := *pair
	n.Status, n.Updated, n.UpdatedBy = "MERGED", c.Now().UTC(), c.User.Username
	st.PutPair(&n)
	return nil
}

// read takes what is to be moved from the body, which may be left out.
func (m *merge) read() *rest.Problem {
	body, p := m.c.ReadBody()
	if p != nil || len(body) == 0 {
		return p
	}
	root, err := jsontree.Parse(body)
	if err != nil || root == nil || root.Kind != jsontree.Object {
		return rest.Refuse(http.StatusBadRequest, "", "JSON parse error")
	}
	for name, into := range map[string]*[]string{"trackedEntityAttributes": &m.attributes,
		"relationships": &m.relationships, "enrollments": &m.enrollments} {
		list := root.Get(name)
		if list == nil {
			continue
		}
		for _, it := range list.Items {
			*into = append(*into, it.Text)
		}
	}
	return nil
}

func conflict(format string, args ...any) *rest.Problem {
	return rest.Refuse(http.StatusConflict, "", format, args...)
}

// choose finds what can be moved, unless something stands against merging without asking (DHIS2
// DeduplicationHelper.generateMergeObject).
func (m *merge) choose() *rest.Problem {
	m.attributes, m.relationships, m.enrollments = nil, nil, nil
	no := func(reason string) *rest.Problem {
		return conflict("PotentialDuplicate cannot be merged automatically: %s", reason)
	}
	if m.original.Type != m.duplicate.Type {
		return no("Entities have different Tracked Entity Types.")
	}
	programs := m.programs(true)
	for _, e := range m.c.Store.EnrollmentsOf[m.duplicate.UID] {
		if e.Deleted {
			continue
		}
		if programs[e.Program] {
			return no("Both entities enrolled in the same program.")
		}
		m.enrollments = append(m.enrollments, e.UID)
	}
	for _, a := range m.duplicate.Attributes {
		held, has := m.original.Attribute(a.Attribute)
		if has && held != a.Value {
			return no("Entities have conflicting values for the same attributes.")
		}
		if !has {
			m.attributes = append(m.attributes, a.Attribute)
		}
	}
	for _, r := range m.live(m.duplicate.UID) {
		if r.From.Entity != m.original.UID && r.To.Entity != m.original.UID && m.sameAs(r) == "" {
			m.relationships = append(m.relationships, r.UID)
		}
	}
	return nil
}

// check refuses what the duplicate does not have and what the original has already
// (DeduplicationHelper.getInvalidReferenceErrors).
func (m *merge) check() *rest.Problem {
	no := func(format string, args ...any) *rest.Problem {
		return conflict("Merging conflict: "+format, args...)
	}
	st := m.c.Store
	for _, uid := range m.attributes {
		if _, has := m.duplicate.Attribute(uid); !has {
			return no("Duplicate has no attribute '%s'.", uid)
		}
	}
	for _, uid := range m.relationships {
		if r := st.Relationships[uid]; r == nil || r.From.Entity != m.duplicate.UID && r.To.Entity != m.duplicate.UID {
			return no("Duplicate has no relationship '%s'.", uid)
		}
	}
	for _, uid := range m.enrollments {
		if e := st.Enrollments[uid]; e == nil || e.Entity != m.duplicate.UID {
			return no("Duplicate has no enrollment '%s'.", uid)
		}
	}
	for _, uid := range m.relationships {
		if m.sameAs(st.Relationships[uid]) != "" {
			return no("Invalid relationship '%s'. A similar relationship already exists on original.", uid)
		}
	}
	programs := m.programs(false)
	for _, uid := range m.enrollments {
		if program := st.Enrollments[uid].Program; programs[program] {
			return no("Invalid enrollment '%s'. A similar enrollment already exists on original.", program)
		}
	}
	for _, uid := range m.relationships {
		if r := st.Relationships[uid]; r.From.Entity == m.original.UID || r.To.Entity == m.original.UID {
			return no("Invalid relationship '%s'. Relationship is between original and duplicate.", uid)
		}
	}
	return nil
}

// programs are those that the original is enrolled in, or was.
func (m *merge) programs(live bool) map[string]bool {
	out := map[string]bool{}
	for _, e := range m.c.Store.EnrollmentsOf[m.original.UID] {
		if !live || !e.Deleted {
			out[e.Program] = true
		}
	}
	return out
}

func (m *merge) live(entity string) []*store.Relationship {
	var out []*store.Relationship
	for _, r := range m.c.Store.RelationsOf[entity] {
		if !r.Deleted {
			out = append(out, r)
		}
	}
	return out
}

// sameAs gives the relationship of the original that says the same as one of the duplicate does;
// those between the two do not count.
func (m *merge) sameAs(r *store.Relationship) string {
	kind := m.c.Catalog.RelTypes[r.Type]
	for _, o := range m.live(m.original.UID) {
		if o.Type != r.Type || o == r || o.From.Entity == m.duplicate.UID || o.To.Entity == m.duplicate.UID {
			continue
		}
		if o.From == r.From || o.To == r.To || kind != nil && kind.Bidirectional && (o.From == r.To || o.To == r.From) {
			return o.UID
		}
	}
	return ""
}

// mayMerge checks the rights that a merge needs (DeduplicationHelper.getUserAccessErrors).
func (m *merge) mayMerge() *rest.Problem {
	c, u := m.c, m.c.User
	no := func(reason string) *rest.Problem {
		return rest.Refuse(http.StatusForbidden, "", "Insufficient access: %s", reason)
	}
	if !u.May("F_TRACKED_ENTITY_MERGE") {
		return no("Missing required authority for merging tracked entities.")
	}
	for _, t := range []*store.TrackedEntity{m.original, m.duplicate} {
		if kind := c.Catalog.Types[t.Type]; kind != nil && !kind.Sharing.DataWrite(u) {
			return no("Missing data write access to Tracked Entity Type.")
		}
	}
	for _, uid := range m.relationships {
		if kind := c.Catalog.RelTypes[c.Store.Relationships[uid].Type]; kind != nil && !kind.Sharing.DataWrite(u) {
			return no("Missing data write access to one or more Relationship Types.")
		}
	}
	for _, uid := range m.enrollments {
		if p := c.Catalog.Programs[c.Store.Enrollments[uid].Program]; p != nil && !p.Sharing.DataWrite(u) {
			return no("Missing data write access to one or more Programs.")
		}
	}
	for _, t := range []*store.TrackedEntity{m.original, m.duplicate} {
		if unit := c.Catalog.OrgUnits[t.OrgUnit]; unit != nil && !u.Captures(unit) {
			return no("Missing access to organisation unit of one or both entities.")
		}
	}
	return nil
}

// move gives the original what was chosen and deletes the duplicate with the rest.
func (m *merge) move() {
	st, now, by := m.c.Store, m.c.Now().UTC(), m.c.User.Username
	for _, uid := range m.attributes {
		value, _ := m.duplicate.Attribute(uid)
		st.SetAttribute(m.duplicate, uid, "", by, now)
		st.SetAttribute(m.original, uid, value, by, now)
	}
	for _, uid := range m.relationships {
		m.relink(st.Relationships[uid])
	}
	var left []*store.Enrollment
	for _, e := range st.EnrollmentsOf[m.duplicate.UID] {
		if e.Deleted || !slices.Contains(m.enrollments, e.UID) {
			left = append(left, e)
			continue
		}
		e.Entity = m.original.UID
		e.Touch(now, by)
		st.EnrollmentsOf[m.original.UID] = append(st.EnrollmentsOf[m.original.UID], e)
		if owner := m.duplicate.Owner(e.Program); owner != "" {
			m.original.SetOwner(e.Program, owner)
		}
		st.Keep(e)
	}
	st.EnrollmentsOf[m.duplicate.UID] = left
	m.original.Touch(now, by)
	st.Keep(m.original)
	st.Keep(m.duplicate)
	st.DeleteEntity(m.duplicate, by)
}

// relink makes a relationship of the duplicate one of the original.
func (m *merge) relink(r *store.Relationship) {
	st, from, to := m.c.Store, m.duplicate.UID, m.original.UID
	for _, side := range []*store.Item{&r.From, &r.To} {
		if side.Entity == from {
			side.Entity = to
		}
	}
	st.RelationsOf[from] = slices.DeleteFunc(st.RelationsOf[from], func(o *store.Relationship) bool { return o == r })
	st.RelationsOf[to] = append(st.RelationsOf[to], r)
	st.Keep(r)
}
