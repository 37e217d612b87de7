package tracker

import (
	"net/http"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
	"github.com/culvert/culvert/actions/dhis2/sandbox/tracker/access"
)

// letInFor is how long somebody is let in to a tracked entity of a protected program (DHIS2 TrackerOwnershipManager).
const letInFor = 3 * time.Hour

// ownership answers PUT /api/tracker/ownership/transfer and POST /api/tracker/ownership/override.
func (c *call) ownership() {
	switch c.At(2) {
	case "transfer":
		if c.Method(http.MethodPut) {
			c.answerOwnership(c.transfer, "Ownership transferred")
		}
	case "override":
		if c.Method(http.MethodPost) {
			c.answerOwnership(c.override, "Temporary Ownership granted")
		}
	default:
		c.NotFound()
	}
}

func (c *call) answerOwnership(act func(entity, program string) *rest.Problem, done string) {
	entity, program, unit := c.Query.Get("trackedEntity"), c.Query.Get("program"), c.Query.Get("orgUnit")
	if entity == "" && c.Version <= 41 {
		entity = c.Query.Get("trackedEntityInstance")
	}
	if c.Version <= 42 && (unit == "" || c.Version <= 41) {
		unit = c.Query.Get("ou")
	}
	if entity == "" || program == "" || c.At(2) == "transfer" && unit == "" || c.At(2) == "override" &&
		!c.Query.Has("reason") {
		c.W.WriteHeader(http.StatusBadRequest) // a parameter is missing: the framework says no more
		return
	}
	c.Query.Set("orgUnit", unit)
	st := c.Store
	st.Lock()
	defer st.Unlock()
	if p := act(entity, program); p != nil {
		c.Refused(p)
		return
	}
	if err := st.Flush(); err != nil {
		c.Fail(http.StatusInternalServerError, "", err.Error())
		return
	}
	c.JSON(http.StatusOK, rest.Message{HTTPStatus: "OK", HTTPStatusCode: http.StatusOK, Status: "OK", Message: done})
}

// transfer makes another org unit the owner. What does not exist is passed over without a word up to 2.42.
func (c *call) transfer(entity, programID string) *rest.Problem {
	st, cat := c.Store, c.Catalog
	t, p, unit := st.Entities[entity], cat.Programs[programID], cat.OrgUnits[c.Query.Get("orgUnit")]
	strict := c.Version >= 43
	switch {
	case c.Version >= 42 && (t == nil || t.Deleted):
		return c.Unknown("TrackedEntity", entity)
	case strict && p == nil:
		return c.Unknown("Program", programID)
	case strict && unit == nil:
		return rest.Refuse(http.StatusNotFound, "E1005", "Tracked entity not transferred. Org unit supplied does not exist.")
	case t == nil || t.Deleted || p == nil || unit == nil:
		return nil
	case c.Version != 42 && !c.User.Searches(unit):
		return rest.Refuse(http.StatusForbidden, "E1006",
			"Tracked entity not transferred. Org unit supplied is not in the user scope.")
	case !access.NewAccess(c.Version, cat, st, c.User).Owns(t, p) || !p.Sharing.DataWrite(c.User):
		return rest.Refuse(http.StatusForbidden, "E1006",
			"User does not have access to change ownership for the entity-program combination")
	case !p.OrgUnits[unit.UID]:
		return rest.Refuse(http.StatusForbidden, "E1006", "The program %s is not associated to the org unit %s", p.UID,
			unit.UID)
	case strict && t.Owner(p.UID) == "":
		return rest.Refuse(http.StatusBadRequest, "E1003",
			"Tracked entity not transferred. No owner found for the combination of tracked entity %s and program %s", t.UID,
			p.UID)
	case strict && t.Owner(p.UID) == unit.UID:
		return rest.Refuse(http.StatusBadRequest, "E1003",
			"Tracked entity not transferred. The owner of the tracked entity %s and program %s is already %s", t.UID, p.UID,
			unit.UID)
	case t.Owner(p.UID) == "":
		return nil
	}
	t.SetOwner(p.UID, unit.UID)
	st.Keep(t)
	return nil
}

// override lets a user in to a tracked entity of a protected program for some hours.
func (c *call) override(entity, programID string) *rest.Problem {
	st, cat := c.Store, c.Catalog
	t, p := st.Entities[entity], cat.Programs[programID]
	no := func(format string, args ...any) *rest.Problem {
		return rest.Refuse(http.StatusForbidden, "E1006", "Temporary ownership not created. "+format, args...)
	}
	switch {
	case p == nil:
		return no("Program supplied does not exist.")
	case (t == nil || t.Deleted) && c.Version >= 43:
		return rest.Refuse(http.StatusNotFound, "E1005",
			"Temporary ownership not created. Tracked entity supplied does not exist.")
	case t == nil || t.Deleted:
		return no("Tracked entity supplied does not exist.")
	case c.User.Super:
		return no("Current user is a superuser.")
	case !p.Registration:
		return no("Program supplied is not a tracker program.")
	case p.AccessLevel != "PROTECTED":
		return no("Temporary ownership can only be granted to protected programs. %s access level is %s.", p.UID,
			p.AccessLevel)
	case p.EntityType != t.Type:
		return no("The tracked entity type of the program %s differs from that of the tracked entity %s.", p.EntityType,
			t.Type)
	case !p.Sharing.DataRead(c.User):
		return no("User has no data read access to program: %s", p.UID)
	}
	unit := t.Owner(p.UID)
	if unit == "" {
		unit = t.OrgUnit
	}
	if u := cat.OrgUnits[unit]; u != nil && !u.Descends(c.User.Search) {
		return no("The owner of the entity-program combination is not in the user's search scope.")
	}
	t.LetIn = append(t.LetIn, store.TemporaryOwner{Program: p.UID, User: c.User.UID, Until: st.Now().Add(letInFor)})
	st.Keep(t)
	return nil
}
