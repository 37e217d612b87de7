package sandbox

// access answers what a user may do with stored tracker objects (DHIS2 TrackerAccessManager and TrackerOwnershipManager). The store must be locked.
type access struct {
	m    manners
	c    *catalog
	st   *store
	user *user
}

// reaches tells whether a user may work with a tracked entity in a program that an org unit owns it in: whoever captures there, and in an open
// program whoever may search there; in a protected one also who was let in for some hours.
func (a access) reaches(owner *orgUnit, p *program, t *trackedEntity) bool {
	if a.user.super || owner == nil || !p.registration {
		return true
	}
	switch p.accessLevel {
	case "PROTECTED":
		return a.user.captures(owner) || t != nil && t.letIn(p.uid, a.user.uid, a.st.now())
	case "CLOSED":
		return a.user.captures(owner)
	}
	return a.user.searches(owner)
}

// owns tells the same of a stored tracked entity; where nobody owns it in the program, its own org unit counts.
func (a access) owns(t *trackedEntity, p *program) bool {
	if t == nil {
		return true
	}
	unit := t.owner(p.uid)
	if unit == "" {
		unit = t.OrgUnit
	}
	return a.reaches(a.c.orgUnits[unit], p, t)
}

// programs are the tracker programs of a tracked entity type that a right is given for.
func (a access) programs(entityType string, right func(sharing) bool) []*program {
	var out []*program
	for _, p := range a.c.programs {
		if p.registration && p.entityType == entityType && right(p.sharing) {
			out = append(out, p)
		}
	}
	return out
}

func (a access) dataRead(s sharing) bool  { return s.dataRead(a.user) }
func (a access) dataWrite(s sharing) bool { return s.dataWrite(a.user) }

// inSome tells whether a user reaches a tracked entity in one of the programs at least.
func (a access) inSome(t *trackedEntity, programs []*program) bool {
	for _, p := range programs {
		if a.owns(t, p) {
			return true
		}
	}
	return false
}

func (a access) readsEntity(t *trackedEntity) bool {
	if a.user.super || t == nil {
		return true
	}
	kind := a.c.types[t.Type]
	return kind != nil && kind.sharing.dataRead(a.user) && a.inSome(t, a.programs(t.Type, a.dataRead))
}

func (a access) writesEntity(t *trackedEntity) bool {
	if a.user.super || t == nil {
		return true
	}
	kind := a.c.types[t.Type]
	return kind != nil && kind.sharing.dataWrite(a.user) && a.inSome(t, a.programs(t.Type, a.dataWrite))
}

func (a access) readsEnrollment(e *enrollment) bool {
	return e == nil || a.enrollment(e, a.dataRead)
}

func (a access) updatesEnrollment(e *enrollment) bool {
	return e == nil || a.enrollment(e, a.dataWrite)
}

func (a access) enrollment(e *enrollment, right func(sharing) bool) bool {
	p := a.c.programs[e.Program]
	if a.user.super || p == nil {
		return true
	}
	kind := a.c.types[p.entityType]
	return right(p.sharing) && (kind == nil || kind.sharing.dataRead(a.user)) && a.owns(a.st.entities[e.Entity], p)
}

func (a access) readsEvent(e *event) bool {
	if a.user.super || e == nil {
		return true
	}
	p, st := a.c.programs[e.Program], a.c.stages[e.Stage]
	if p == nil || st == nil {
		return true
	}
	if !p.sharing.dataRead(a.user) || !a.options(e.OptionCombo, a.dataRead) {
		return false
	}
	if p.registration {
		return st.sharing.dataRead(a.user) && a.ofEvent(e, p)
	}
	unit := a.c.orgUnits[e.OrgUnit]
	if p.accessLevel == "PROTECTED" || p.accessLevel == "CLOSED" {
		return unit == nil || a.user.captures(unit)
	}
	return unit == nil || a.user.searches(unit)
}

func (a access) updatesEvent(e *event) bool {
	if a.user.super || e == nil {
		return true
	}
	p, st := a.c.programs[e.Program], a.c.stages[e.Stage]
	if p == nil || st == nil {
		return true
	}
	if !a.options(e.OptionCombo, a.dataWrite) {
		return false
	}
	if !p.registration {
		return p.sharing.dataWrite(a.user)
	}
	unit := a.c.orgUnits[e.OrgUnit]
	return st.sharing.dataWrite(a.user) && p.sharing.dataRead(a.user) && (unit == nil || a.user.searches(unit)) && a.ofEvent(e, p)
}

// ofEvent checks the tracked entity that an event is about.
func (a access) ofEvent(e *event, p *program) bool {
	kind := a.c.types[p.entityType]
	if kind != nil && !kind.sharing.dataRead(a.user) {
		return false
	}
	en := a.st.enrollments[e.Enrollment]
	return en == nil || a.owns(a.st.entities[en.Entity], p)
}

// options tells whether a right is given for every option of a combo.
func (a access) options(combo string, right func(sharing) bool) bool {
	oc := a.c.optionCombos[combo]
	if oc == nil {
		return true
	}
	for _, id := range oc.options {
		if o := a.c.catOptions[id]; o != nil && !right(o.sharing) {
			return false
		}
	}
	return true
}

// updatesItem and readsItem check one endpoint of a relationship; what is not stored yet is not asked about.
func (a access) updatesItem(it item) bool {
	return a.writesEntity(a.st.entities[it.Entity]) && a.updatesEnrollment(a.st.enrollments[it.Enrollment]) && a.updatesEvent(a.st.events[it.Event])
}

func (a access) readsItem(it item) bool {
	return a.readsEntity(a.st.entities[it.Entity]) && a.readsEnrollment(a.st.enrollments[it.Enrollment]) && a.readsEvent(a.st.events[it.Event])
}

// links tells whether a user may make a relationship, or delete one: both endpoints of one that goes both ways must be writable, else the first.
func (a access) links(kind *relationshipType, from, to item, remove bool) bool {
	if a.user.super {
		return true
	}
	if kind == nil || !kind.sharing.dataWrite(a.user) || !a.updatesItem(from) {
		return false
	}
	if kind.bidirectional {
		return a.updatesItem(to)
	}
	return remove || a.readsItem(to)
}
