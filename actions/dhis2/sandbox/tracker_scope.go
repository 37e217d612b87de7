package sandbox

import (
	"net/http"
	"strings"
)

// scope is where a list looks: a mode and org units.
type scope struct {
	mode  string
	units []*orgUnit
}

func (s *scope) needsUnits() bool {
	return s.mode == "SELECTED" || s.mode == "CHILDREN" || s.mode == "DESCENDANTS"
}

// scopeMode reads where to look and checks that mode and org units suit each other; ids are those of the parameter that names org units in
// this list. exempt lists need no org unit although the mode does.
func (c *trackerCall) scopeMode(b *bound, ids []string, exempt bool) (*scope, *problem) {
	name, p := c.either(b, "orgUnitMode", "ouMode")
	if p != nil {
		return nil, p
	}
	s := &scope{mode: b.text[name]}
	switch {
	case s.mode == "" && len(ids) > 0:
		s.mode = "SELECTED"
	case s.mode == "":
		s.mode = "ACCESSIBLE"
	case s.needsUnits() && len(ids) == 0 && !exempt:
		return nil, c.nonsense("At least one org unit is required for orgUnitMode: %s. Please add one org unit or use a different orgUnitMode.", s.mode)
	case !s.needsUnits() && len(ids) > 0 && c.manners >= 41:
		return nil, c.invalid("orgUnitMode %s cannot be used with orgUnits. Please remove the orgUnit parameter and try again.", s.mode)
	}
	return s, nil
}

// resolve finds the org units of a scope and checks that the user may look there.
func (c *trackerCall) resolve(s *scope, ids []string, p *program) *problem {
	for _, id := range ids {
		u := c.catalog.orgUnits[id]
		if u == nil {
			return c.invalid("Organisation unit does not exist: %s", id)
		}
		if !c.user.searches(u) {
			return refuse(http.StatusForbidden, "", "Organisation unit is not part of the search scope: %s", id)
		}
		s.units = append(s.units, u)
	}
	if c.user.super {
		return nil
	}
	switch {
	case s.mode == "ALL":
		if !c.user.may("F_TRACKED_ENTITY_INSTANCE_SEARCH_IN_ALL_ORGUNITS") {
			return refuse(http.StatusForbidden, "", "User is not authorized to query across all organisation units")
		}
	case s.mode == "CAPTURE" || p != nil && p.restricted():
		if len(c.user.capture) == 0 {
			return refuse(http.StatusForbidden, "", "User needs to be assigned data capture org units")
		}
	case len(c.user.searchRoots()) == 0:
		return refuse(http.StatusForbidden, "", "User needs to be assigned either search or data capture org units")
	}
	return nil
}

// covers tells whether an org unit lies in the scope of a user.
func (s *scope) covers(o *orgUnit, u *user) bool {
	if o == nil {
		return false
	}
	switch s.mode {
	case "ALL":
		return true
	case "CAPTURE":
		return u.captures(o)
	case "ACCESSIBLE":
		return u.searches(o)
	}
	for _, unit := range s.units {
		switch {
		case o == unit:
			return true
		case s.mode == "CHILDREN" && o.parent == unit.uid:
			return true
		case s.mode == "DESCENDANTS" && strings.HasPrefix(o.path, unit.path+"/"):
			return true
		}
	}
	return false
}

// reaches tells whether the user may see data of a program that are at home in an org unit, and about a tracked entity if any.
func (c *trackerCall) reaches(unit *orgUnit, p *program, t *trackedEntity) bool {
	if unit == nil || p == nil {
		return true
	}
	if p.restricted() {
		return c.user.captures(unit) || p.accessLevel == "PROTECTED" && t != nil && t.letIn(p.uid, c.user.uid, c.now())
	}
	return c.user.searches(unit)
}

// home gives the org unit that owns a tracked entity in a program; nil when nobody does.
func (v trackerView) home(entity, program string) *orgUnit {
	if t := v.st.entities[entity]; t != nil {
		return v.c.orgUnits[t.owner(program)]
	}
	return nil
}

// personOf gives the tracked entity that an event is about; nil when it is about none.
func (v trackerView) personOf(e *event) *trackedEntity {
	if en := v.st.enrollments[e.Enrollment]; en != nil {
		return v.st.entities[en.Entity]
	}
	return nil
}

// homeOf gives the org unit at which an event is found: that which owns its tracked entity, and its own where there is none.
func (v trackerView) homeOf(e *event) *orgUnit {
	if en := v.st.enrollments[e.Enrollment]; en != nil {
		if u := v.home(en.Entity, e.Program); u != nil {
			return u
		}
	}
	return v.c.orgUnits[e.OrgUnit]
}

// readableProgram finds the program that a list is about and checks that the user may read its data; nil without one. tracker asks for one
// with registration.
func (c *trackerCall) readableProgram(id string, tracker bool) (*program, *problem) {
	if id == "" {
		return nil, nil
	}
	p := c.catalog.programs[id]
	switch {
	case p == nil:
		return nil, c.invalid("Program is specified but does not exist: %s", id)
	case !p.sharing.dataRead(c.user):
		return nil, refuse(http.StatusForbidden, "", "User has no access to program: %s", id)
	case tracker && !p.registration && c.manners >= 41:
		return nil, c.invalid("Program specified is not a tracker program: %s", id)
	}
	if t := c.catalog.types[p.entityType]; t != nil && tracker && !t.sharing.dataRead(c.user) {
		return nil, refuse(http.StatusForbidden, "", "User is not authorized to read data from selected program's tracked entity type: %s", t.uid)
	}
	return p, nil
}

// readableEntity checks the tracked entity that a list is about.
func (c *trackerCall) readableEntity(b *bound) *problem {
	id := b.text["trackedEntity"]
	if id == "" || c.manners.plainLists() {
		return nil
	}
	t := c.store.entities[id]
	if t == nil || t.Deleted && !b.flags["includeDeleted"] {
		return c.invalid("Tracked entity is specified but does not exist: %s", id)
	}
	if kind := c.catalog.types[t.Type]; kind != nil && !kind.sharing.dataRead(c.user) {
		return refuse(http.StatusForbidden, "", "User is not authorized to read data from type of selected tracked entity: %s", kind.uid)
	}
	return nil
}

// readableType finds the type of tracked entities that a list is about.
func (c *trackerCall) readableType(id string) (*entityType, *problem) {
	if id == "" {
		return nil, nil
	}
	t := c.catalog.types[id]
	if t == nil {
		return nil, c.invalid("Tracked entity type is specified but does not exist: %s", id)
	}
	if !t.sharing.dataRead(c.user) {
		return nil, refuse(http.StatusForbidden, "", "User is not authorized to read data from selected tracked entity type: %s", id)
	}
	return t, nil
}
