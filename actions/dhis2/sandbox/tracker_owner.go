package sandbox

import (
	"net/http"
	"time"
)

// letInFor is how long somebody is let in to a tracked entity of a protected program (DHIS2 TrackerOwnershipManager).
const letInFor = 3 * time.Hour

// ownership answers PUT /api/tracker/ownership/transfer and POST /api/tracker/ownership/override.
func (c *trackerCall) ownership() {
	switch c.at(2) {
	case "transfer":
		if c.method(http.MethodPut) {
			c.answerOwnership(c.transfer, "Ownership transferred")
		}
	case "override":
		if c.method(http.MethodPost) {
			c.answerOwnership(c.override, "Temporary Ownership granted")
		}
	default:
		c.notFound()
	}
}

func (c *trackerCall) answerOwnership(act func(entity, program string) *problem, done string) {
	entity, program, unit := c.query.Get("trackedEntity"), c.query.Get("program"), c.query.Get("orgUnit")
	if entity == "" && c.manners <= 41 {
		entity = c.query.Get("trackedEntityInstance")
	}
	if c.manners <= 42 && (unit == "" || c.manners <= 41) {
		unit = c.query.Get("ou")
	}
	if entity == "" || program == "" || c.at(2) == "transfer" && unit == "" || c.at(2) == "override" && !c.query.Has("reason") {
		c.w.WriteHeader(http.StatusBadRequest) // a parameter is missing: the framework says no more
		return
	}
	c.query.Set("orgUnit", unit)
	st := c.store
	st.mu.Lock()
	defer st.mu.Unlock()
	if p := act(entity, program); p != nil {
		c.refused(p)
		return
	}
	if err := st.state.flush(); err != nil {
		c.fail(http.StatusInternalServerError, "", err.Error())
		return
	}
	c.json(http.StatusOK, message{HTTPStatus: "OK", HTTPStatusCode: http.StatusOK, Status: "OK", Message: done})
}

// transfer makes another org unit the owner. What does not exist is passed over without a word up to 2.42.
func (c *trackerCall) transfer(entity, programID string) *problem {
	st, cat := c.store, c.catalog
	t, p, unit := st.entities[entity], cat.programs[programID], cat.orgUnits[c.query.Get("orgUnit")]
	strict := c.manners >= 43
	switch {
	case c.manners >= 42 && (t == nil || t.Deleted):
		return c.unknown("TrackedEntity", entity)
	case strict && p == nil:
		return c.unknown("Program", programID)
	case strict && unit == nil:
		return refuse(http.StatusNotFound, "E1005", "Tracked entity not transferred. Org unit supplied does not exist.")
	case t == nil || t.Deleted || p == nil || unit == nil:
		return nil
	case c.manners != 42 && !c.user.searches(unit):
		return refuse(http.StatusForbidden, "E1006", "Tracked entity not transferred. Org unit supplied is not in the user scope.")
	case !(access{c.manners, cat, st, c.user}).owns(t, p) || !p.sharing.dataWrite(c.user):
		return refuse(http.StatusForbidden, "E1006", "User does not have access to change ownership for the entity-program combination")
	case !p.orgUnits[unit.uid]:
		return refuse(http.StatusForbidden, "E1006", "The program %s is not associated to the org unit %s", p.uid, unit.uid)
	case strict && t.owner(p.uid) == "":
		return refuse(http.StatusBadRequest, "E1003", "Tracked entity not transferred. No owner found for the combination of tracked entity %s and program %s", t.UID, p.uid)
	case strict && t.owner(p.uid) == unit.uid:
		return refuse(http.StatusBadRequest, "E1003", "Tracked entity not transferred. The owner of the tracked entity %s and program %s is already %s", t.UID, p.uid, unit.uid)
	case t.owner(p.uid) == "":
		return nil
	}
	t.setOwner(p.uid, unit.uid)
	st.state.note("te", t)
	return nil
}

// override lets a user in to a tracked entity of a protected program for some hours.
func (c *trackerCall) override(entity, programID string) *problem {
	st, cat := c.store, c.catalog
	t, p := st.entities[entity], cat.programs[programID]
	no := func(format string, args ...any) *problem {
		return refuse(http.StatusForbidden, "E1006", "Temporary ownership not created. "+format, args...)
	}
	switch {
	case p == nil:
		return no("Program supplied does not exist.")
	case (t == nil || t.Deleted) && c.manners >= 43:
		return refuse(http.StatusNotFound, "E1005", "Temporary ownership not created. Tracked entity supplied does not exist.")
	case t == nil || t.Deleted:
		return no("Tracked entity supplied does not exist.")
	case c.user.super:
		return no("Current user is a superuser.")
	case !p.registration:
		return no("Program supplied is not a tracker program.")
	case p.accessLevel != "PROTECTED":
		return no("Temporary ownership can only be granted to protected programs. %s access level is %s.", p.uid, p.accessLevel)
	case p.entityType != t.Type:
		return no("The tracked entity type of the program %s differs from that of the tracked entity %s.", p.entityType, t.Type)
	case !p.sharing.dataRead(c.user):
		return no("User has no data read access to program: %s", p.uid)
	}
	unit := t.owner(p.uid)
	if unit == "" {
		unit = t.OrgUnit
	}
	if u := cat.orgUnits[unit]; u != nil && !u.descends(c.user.search) {
		return no("The owner of the entity-program combination is not in the user's search scope.")
	}
	t.LetIn = append(t.LetIn, temporaryOwner{p.uid, c.user.uid, st.now().Add(letInFor)})
	st.state.note("te", t)
	return nil
}
