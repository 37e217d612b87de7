package sandbox

import (
	"net/http"
	"strings"
)

// noAccess refuses a single object of the tracker: from 2.42 on it is as if it were not there, before that the reasons are told.
func (c *trackerCall) noAccess(name, uid string, reasons []string) *problem {
	if c.manners >= 42 {
		return c.unknown(name, uid)
	}
	return refuse(http.StatusForbidden, "", "[%s]", strings.Join(reasons, ", "))
}

// access tells what the user may do with what is stored.
func (v trackerView) access() access { return access{v.m, v.c, v.st, v.user} }

// mayReadOne checks that the user may read a tracked entity, in the program that was asked for if any.
func (c *trackerCall) mayReadOne(v trackerView, t *trackedEntity) *problem {
	p, id := (*program)(nil), c.query.Get("program")
	if id != "" {
		if p = v.c.programs[id]; p == nil || c.manners >= 43 && !p.registration {
			return refuse(http.StatusNotFound, "E1005", "Program with id %s could not be found.", id)
		}
	}
	if c.manners >= 42 {
		return c.findsOne(v, t, p)
	}
	a := v.access()
	if p != nil {
		return c.mayReadIn(a, t, p)
	}
	switch {
	case a.readsEntity(t):
		return nil
	case c.manners <= 40:
		return refuse(http.StatusConflict, "", "[OWNERSHIP_ACCESS_DENIED]")
	}
	return refuse(http.StatusForbidden, "", "User has no access to TrackedEntity:%s", t.UID)
}

// findsOne: from 2.42 on one tracked entity is a list of one, over all org units that the user reaches.
func (c *trackerCall) findsOne(v trackerView, t *trackedEntity, p *program) *problem {
	if p != nil {
		if _, refused := c.readableProgram(p.uid, false); refused != nil {
			return refused
		}
	}
	q := &entityQuery{program: p, scope: &scope{mode: "ACCESSIBLE"}}
	if p := c.resolve(q.scope, nil, p); p != nil {
		return p
	}
	if c.user.super {
		q.scope.mode = "ALL"
	}
	if !c.entityMatches(v, q, t) {
		return c.unknown("TrackedEntity", t.UID)
	}
	return nil
}

// mayReadIn gives the reasons up to 2.41 against reading a tracked entity in a program.
func (c *trackerCall) mayReadIn(a access, t *trackedEntity, p *program) *problem {
	var reasons []string
	if !p.sharing.dataRead(c.user) {
		reasons = append(reasons, "User has no data read access to program: "+p.uid)
	}
	if kind := a.c.types[t.Type]; kind != nil && !kind.sharing.dataRead(c.user) {
		reasons = append(reasons, "User has no data read access to tracked entity type: "+kind.uid)
	}
	owned, denied := a.owns(t, p), "OWNERSHIP_ACCESS_DENIED"
	if p.accessLevel == "CLOSED" {
		denied = "PROGRAM_ACCESS_CLOSED"
	}
	switch {
	case len(reasons) == 0 && owned:
		return nil
	case c.manners <= 40:
		return refuse(http.StatusUnauthorized, "", "%s", denied)
	case len(reasons) > 0:
		return refuse(http.StatusForbidden, "", "[%s]", strings.Join(reasons, ", "))
	}
	unit := a.c.orgUnits[t.owner(p.uid)]
	if p.accessLevel != "CLOSED" && (p.accessLevel != "PROTECTED" || unit != nil && !c.user.searches(unit)) {
		denied = "User has no read access to organisation unit"
	}
	return refuse(http.StatusForbidden, "", "%s", denied)
}

// mayReadEnrollment checks that the user may read an enrollment.
func (c *trackerCall) mayReadEnrollment(v trackerView, e *enrollment) *problem {
	a, p := v.access(), v.c.programs[e.Program]
	if a.readsEnrollment(e) {
		return nil
	}
	var reasons []string
	if !p.sharing.dataRead(c.user) {
		reasons = append(reasons, "User has no data read access to program: "+p.uid)
	}
	if kind := v.c.types[p.entityType]; kind != nil && !kind.sharing.dataRead(c.user) {
		reasons = append(reasons, "User has no data read access to tracked entity type: "+kind.uid)
	}
	if !a.owns(v.st.entities[e.Entity], p) {
		reasons = append(reasons, "OWNERSHIP_ACCESS_DENIED")
	}
	return c.noAccess("Enrollment", e.UID, reasons)
}

// mayReadEvent checks that the user may read an event.
func (c *trackerCall) mayReadEvent(v trackerView, e *event) *problem {
	a, p, st := v.access(), v.c.programs[e.Program], v.c.stages[e.Stage]
	if a.readsEvent(e) {
		return nil
	}
	var reasons []string
	if !p.sharing.dataRead(c.user) {
		reasons = append(reasons, "User has no data read access to program: "+p.uid)
	}
	if p.registration {
		if !st.sharing.dataRead(c.user) {
			reasons = append(reasons, "User has no data read access to program stage: "+st.uid)
		}
		if kind := v.c.types[p.entityType]; kind != nil && !kind.sharing.dataRead(c.user) {
			reasons = append(reasons, "User has no data read access to tracked entity type: "+kind.uid)
		}
		if en := v.st.enrollments[e.Enrollment]; en != nil && !a.owns(v.st.entities[en.Entity], p) {
			reasons = append(reasons, "OWNERSHIP_ACCESS_DENIED")
		}
	} else if unit := v.c.orgUnits[e.OrgUnit]; unit != nil && !c.reaches(unit, p, nil) {
		reasons = append(reasons, "User has no read access to organisation unit: "+unit.uid)
	}
	if len(reasons) == 0 {
		reasons = append(reasons, "User has no read access to category option combo: "+e.OptionCombo)
	}
	return c.noAccess("Event", e.UID, reasons)
}

// mayReadLink checks that the user may read a relationship.
func (c *trackerCall) mayReadLink(v trackerView, r *relationship) *problem {
	a, kind := v.access(), v.c.relTypes[r.Type]
	if c.user.super || (kind == nil || kind.sharing.dataRead(c.user)) && a.readsItem(r.From) && a.readsItem(r.To) {
		return nil
	}
	reason := "OWNERSHIP_ACCESS_DENIED"
	if kind != nil && !kind.sharing.dataRead(c.user) {
		reason = "User has no data read access to relationshipType: " + kind.uid
	}
	return c.noAccess("Relationship", r.UID, []string{reason})
}
