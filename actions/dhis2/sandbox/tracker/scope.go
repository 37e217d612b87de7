package tracker

import (
	"net/http"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

// scope is where a list looks: a mode and org units.
type scope struct {
	mode  string
	units []*catalog.OrgUnit
}

func (s *scope) needsUnits() bool {
	return s.mode == "SELECTED" || s.mode == "CHILDREN" || s.mode == "DESCENDANTS"
}

// scopeMode reads where to look and checks that mode and org units suit each other; ids are those
// of the parameter that names org units in this list. exempt lists need no org unit although the
// mode does.
func (c *call) scopeMode(b *rest.Bound, ids []string, exempt bool) (*scope, *rest.Problem) {
	name, p := c.Either(b, "orgUnitMode", "ouMode")
	if p != nil {
		return nil, p
	}
	s := &scope{mode: b.Text[name]}
	switch {
	case s.mode == "" && len(ids) > 0:
		s.mode = "SELECTED"
	case s.mode == "":
		s.mode = "ACCESSIBLE"
	case s.needsUnits() && len(ids) == 0 && !exempt:
		return nil, c.Nonsense("At least one org unit is required for orgUnitMode: %s. Please add one org unit or use a "+
			"different orgUnitMode.", s.mode)
	case !s.needsUnits() && len(ids) > 0 && c.Version >= 41:
		return nil, c.Invalid("orgUnitMode %s cannot be used with orgUnits. Please remove the orgUnit parameter and try "+
			"again.", s.mode)
	}
	return s, nil
}

// resolve finds the org units of a scope and checks that the user may look there.
func (c *call) resolve(s *scope, ids []string, p *catalog.Program) *rest.Problem {
	for _, id := range ids {
		u := c.Catalog.OrgUnits[id]
		if u == nil {
			return c.Invalid("Organisation unit does not exist: %s", id)
		}
		if !c.User.Searches(u) {
			return rest.Refuse(http.StatusForbidden, "", "Organisation unit is not part of the search scope: %s", id)
		}
		s.units = append(s.units, u)
	}
	if c.User.Super {
		return nil
	}
	switch {
	case s.mode == "ALL":
		if !c.User.May("F_TRACKED_ENTITY_INSTANCE_SEARCH_IN_ALL_ORGUNITS") {
			return rest.Refuse(http.StatusForbidden, "", "User is not authorized to query across all organisation units")
		}
	case s.mode == "CAPTURE" || p != nil && p.Restricted():
		if len(c.User.Capture) == 0 {
			return rest.Refuse(http.StatusForbidden, "", "User needs to be assigned data capture org units")
		}
	case len(c.User.SearchRoots()) == 0:
		return rest.Refuse(http.StatusForbidden, "", "User needs to be assigned either search or data capture org units")
	}
	return nil
}

// covers tells whether an org unit lies in the scope of a user.
func (s *scope) covers(o *catalog.OrgUnit, u *catalog.User) bool {
	if o == nil {
		return false
	}
	switch s.mode {
	case "ALL":
		return true
	case "CAPTURE":
		return u.Captures(o)
	case "ACCESSIBLE":
		return u.Searches(o)
	}
	for _, unit := range s.units {
		switch {
		case o == unit:
			return true
		case s.mode == "CHILDREN" && o.Parent == unit.UID:
			return true
		case s.mode == "DESCENDANTS" && strings.HasPrefix(o.Path, unit.Path+"/"):
			return true
		}
	}
	return false
}

// reaches tells whether the user may see data of a program that are at home in an org unit, and
// about a tracked entity if any.
func (c *call) reaches(unit *catalog.OrgUnit, p *catalog.Program, t *store.TrackedEntity) bool {
	if unit == nil || p == nil {
		return true
	}
	if p.Restricted() {
		return c.User.Captures(unit) || p.AccessLevel == "PROTECTED" && t != nil && t.Lets(p.UID, c.User.UID, c.Now())
	}
	return c.User.Searches(unit)
}

// home gives the org unit that owns a tracked entity in a program; nil when nobody does.
func (v view) home(entity, program string) *catalog.OrgUnit {
	if t := v.st.Entities[entity]; t != nil {
		return v.c.OrgUnits[t.Owner(program)]
	}
	return nil
}

// personOf gives the tracked entity that an event is about; nil when it is about none.
func (v view) personOf(e *store.Event) *store.TrackedEntity {
	if en := v.st.Enrollments[e.Enrollment]; en != nil {
		return v.st.Entities[en.Entity]
	}
	return nil
}

// homeOf gives the org unit at which an event is found: that which owns its tracked entity, and its
// own where there is none.
func (v view) homeOf(e *store.Event) *catalog.OrgUnit {
	if en := v.st.Enrollments[e.Enrollment]; en != nil {
		if u := v.home(en.Entity, e.Program); u != nil {
			return u
		}
	}
	return v.c.OrgUnits[e.OrgUnit]
}

// readableProgram finds the program that a list is about and checks that the user may read its
// data; nil without one. tracker asks for one with registration.
func (c *call) readableProgram(id string, tracker bool) (*catalog.Program, *rest.Problem) {
	if id == "" {
		return nil, nil
	}
	p := c.Catalog.Programs[id]
	switch {
	case p == nil:
		return nil, c.Invalid("Program is specified but does not exist: %s", id)
	case !p.Sharing.DataRead(c.User):
		return nil, rest.Refuse(http.StatusForbidden, "", "User has no access to program: %s", id)
	case tracker && !p.Registration && c.Version >= 41:
		return nil, c.Invalid("Program specified is not a tracker program: %s", id)
	}
	if t := c.Catalog.Types[p.EntityType]; t != nil && tracker && !t.Sharing.DataRead(c.User) {
		return nil, rest.Refuse(http.StatusForbidden, "",
			"User is not authorized to read data from selected program's tracked entity type: %s", t.UID)
	}
	return p, nil
}

// readableEntity checks the tracked entity that a list is about.
func (c *call) readableEntity(b *rest.Bound) *rest.Problem {
	id := b.Text["trackedEntity"]
	if id == "" || c.Version.PlainLists() {
		return nil
	}
	t := c.Store.Entities[id]
	if t == nil || t.Deleted && !b.Flags["includeDeleted"] {
		return c.Invalid("Tracked entity is specified but does not exist: %s", id)
	}
	if kind := c.Catalog.Types[t.Type]; kind != nil && !kind.Sharing.DataRead(c.User) {
		return rest.Refuse(http.StatusForbidden, "",
			"User is not authorized to read data from type of selected tracked entity: %s", kind.UID)
	}
	return nil
}

// readableType finds the type of tracked entities that a list is about.
func (c *call) readableType(id string) (*catalog.EntityType, *rest.Problem) {
	if id == "" {
		return nil, nil
	}
	t := c.Catalog.Types[id]
	if t == nil {
		return nil, c.Invalid("Tracked entity type is specified but does not exist: %s", id)
	}
	if !t.Sharing.DataRead(c.User) {
		return nil, rest.Refuse(http.StatusForbidden, "",
			"User is not authorized to read data from selected tracked entity type: %s", id)
	}
	return t, nil
}
