package tracker

import (
	"net/http"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/ids"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
	"github.com/culvert/culvert/actions/dhis2/sandbox/tracker/access"
)

// noAccess refuses a single object of the tracker: from 2.42 on it is as if it were not there,
// before that the reasons are told.
func (c *call) noAccess(name, uid string, reasons []string) *rest.Problem {
	if c.Version >= 42 {
		return c.Unknown(name, uid)
	}
	return rest.Refuse(http.StatusForbidden, "", "[%s]", strings.Join(reasons, ", "))
}

// access tells what the user may do with what is stored.
func (v view) access() access.Access { return access.NewAccess(v.version, v.c, v.st, v.user) }

// mayReadOne checks that the user may read a tracked entity, in the program that was asked for if any.
func (c *call) mayReadOne(v view, t *store.TrackedEntity) *rest.Problem {
	p, id := (*catalog.Program)(nil), c.Query.Get("program")
	if id != "" {
		if c.Version >= 42 && !ids.Valid(id) {
			return rest.Refuse(http.StatusBadRequest, "", "Value '%s' is not valid for parameter program. "+
				"UID must be an alphanumeric string of 11 characters starting with a letter.", id)
		}
		if known := v.c.Programs[id]; c.Version == 42 && known != nil && !known.Registration {
			return rest.Refuse(http.StatusBadRequest, "", "Program specified is not a tracker program: %s", id)
		}
		if p = v.c.Programs[id]; p == nil || c.Version >= 43 && !p.Registration {
			return rest.Refuse(http.StatusNotFound, "E1005", "Program with id %s could not be found.", id)
		}
	}
	if c.Version >= 42 {
		return c.findsOne(v, t, p)
	}
	a := v.access()
	if p != nil {
		return c.mayReadIn(a, t, p)
	}
	switch {
	case a.ReadsEntity(t):
		return nil
	case c.Version <= 40:
		return rest.Refuse(http.StatusConflict, "", "[OWNERSHIP_ACCESS_DENIED]")
	}
	return rest.Refuse(http.StatusForbidden, "", "User has no access to TrackedEntity:%s", t.UID)
}

// findsOne: from 2.42 on one tracked entity is a list of one, over all org units that the user reaches.
func (c *call) findsOne(v view, t *store.TrackedEntity, p *catalog.Program) *rest.Problem {
	if p != nil {
		if _, refused := c.readableProgram(p.UID, false); refused != nil {
			return refused
		}
	}
	q := &entityQuery{program: p, scope: &scope{mode: "ACCESSIBLE"}}
	if p := c.resolve(q.scope, nil, p); p != nil {
		return p
	}
	if c.User.Super {
		q.scope.mode = "ALL"
	}
	if !c.entityMatches(v, q, t) {
		return c.Unknown("TrackedEntity", t.UID)
	}
	return nil
}

// mayReadIn gives the reasons up to 2.41 against reading a tracked entity in a program.
func (c *call) mayReadIn(a access.Access, t *store.TrackedEntity, p *catalog.Program) *rest.Problem {
	var reasons []string
	if !p.Sharing.DataRead(c.User) {
		reasons = append(reasons, "User has no data read access to program: "+p.UID)
	}
	if kind := a.Catalog.Types[t.Type]; kind != nil && !kind.Sharing.DataRead(c.User) {
		reasons = append(reasons, "User has no data read access to tracked entity type: "+kind.UID)
	}
	owned, denied := a.Owns(t, p), "OWNERSHIP_ACCESS_DENIED"
	if p.AccessLevel == "CLOSED" {
		denied = "PROGRAM_ACCESS_CLOSED"
	}
	switch {
	case len(reasons) == 0 && owned:
		return nil
	case c.Version <= 40:
		return rest.Refuse(http.StatusUnauthorized, "", "%s", denied)
	case len(reasons) > 0:
		return rest.Refuse(http.StatusForbidden, "", "[%s]", strings.Join(reasons, ", "))
	}
	unit := a.Catalog.OrgUnits[t.Owner(p.UID)]
	if p.AccessLevel != "CLOSED" && (p.AccessLevel != "PROTECTED" || unit != nil && !c.User.Searches(unit)) {
		denied = "User has no read access to organisation unit"
	}
	return rest.Refuse(http.StatusForbidden, "", "%s", denied)
}

// mayReadEnrollment checks that the user may read an enrollment.
func (c *call) mayReadEnrollment(v view, e *store.Enrollment) *rest.Problem {
	a, p := v.access(), v.c.Programs[e.Program]
	if a.ReadsEnrollment(e) {
		return nil
	}
	var reasons []string
	if !p.Sharing.DataRead(c.User) {
		reasons = append(reasons, "User has no data read access to program: "+p.UID)
	}
	if kind := v.c.Types[p.EntityType]; kind != nil && !kind.Sharing.DataRead(c.User) {
		reasons = append(reasons, "User has no data read access to tracked entity type: "+kind.UID)
	}
	if !a.Owns(v.st.Entities[e.Entity], p) {
		reasons = append(reasons, "OWNERSHIP_ACCESS_DENIED")
	}
	return c.noAccess("Enrollment", e.UID, reasons)
}

// mayReadEvent checks that the user may read an event.
func (c *call) mayReadEvent(v view, e *store.Event) *rest.Problem {
	a, p, st := v.access(), v.c.Programs[e.Program], v.c.Stages[e.Stage]
	if a.ReadsEvent(e) {
		return nil
	}
	var reasons []string
	if !p.Sharing.DataRead(c.User) {
		reasons = append(reasons, "User has no data read access to program: "+p.UID)
	}
	if p.Registration {
		if !st.Sharing.DataRead(c.User) {
			reasons = append(reasons, "User has no data read access to program stage: "+st.UID)
		}
		if kind := v.c.Types[p.EntityType]; kind != nil && !kind.Sharing.DataRead(c.User) {
			reasons = append(reasons, "User has no data read access to tracked entity type: "+kind.UID)
		}
		if en := v.st.Enrollments[e.Enrollment]; en != nil && !a.Owns(v.st.Entities[en.Entity], p) {
			reasons = append(reasons, "OWNERSHIP_ACCESS_DENIED")
		}
	} else if unit := v.c.OrgUnits[e.OrgUnit]; unit != nil && !c.reaches(unit, p, nil) {
		reasons = append(reasons, "User has no read access to organisation unit: "+unit.UID)
	}
	if len(reasons) == 0 {
		reasons = append(reasons, "User has no read access to category option combo: "+e.OptionCombo)
	}
	return c.noAccess("Event", e.UID, reasons)
}

// mayReadLink checks that the user may read a relationship.
func (c *call) mayReadLink(v view, r *store.Relationship) *rest.Problem {
	a, kind := v.access(), v.c.RelTypes[r.Type]
	if c.User.Super || (kind == nil || kind.Sharing.DataRead(c.User)) && a.ReadsItem(r.From) && a.ReadsItem(r.To) {
		return nil
	}
	reason := "OWNERSHIP_ACCESS_DENIED"
	if kind != nil && !kind.Sharing.DataRead(c.User) {
		reason = "User has no data read access to relationshipType: " + kind.UID
	}
	return c.noAccess("Relationship", r.UID, []string{reason})
}
