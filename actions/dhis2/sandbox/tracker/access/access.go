package access

import (
	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
	"github.com/culvert/culvert/actions/dhis2/sandbox/version"
)

// Access answers what a user may do with stored tracker objects (DHIS2 TrackerAccessManager and
// TrackerOwnershipManager). The store must be locked.
type Access struct {
	version version.Profile
	Catalog *catalog.Catalog
	Store   *store.Store
	User    *catalog.User
}

// Reaches tells whether a user may work with a tracked entity in a program that an org unit owns it
// in: whoever captures there, and in an open program whoever may search there; in a protected one
// also who was let in for some hours.
func (a Access) Reaches(owner *catalog.OrgUnit, p *catalog.Program, t *store.TrackedEntity) bool {
	if a.User.Super || owner == nil || !p.Registration {
		return true
	}
	switch p.AccessLevel {
	case "PROTECTED":
		return a.User.Captures(owner) || t != nil && t.Lets(p.UID, a.User.UID, a.Store.Now())
	case "CLOSED":
		return a.User.Captures(owner)
	}
	return a.User.Searches(owner)
}

// Owns tells the same of a stored tracked entity; where nobody owns it in the program, its own org unit counts.
func (a Access) Owns(t *store.TrackedEntity, p *catalog.Program) bool {
	if t == nil {
		return true
	}
	unit := t.Owner(p.UID)
	if unit == "" {
		unit = t.OrgUnit
	}
	return a.Reaches(a.Catalog.OrgUnits[unit], p, t)
}

// Programs are the tracker programs of a tracked entity type that a right is given for.
func (a Access) Programs(entityType string, right func(catalog.Sharing) bool) []*catalog.Program {
	var out []*catalog.Program
	for _, p := range a.Catalog.Programs {
		if p.Registration && p.EntityType == entityType && right(p.Sharing) {
			out = append(out, p)
		}
	}
	return out
}

func (a Access) DataRead(s catalog.Sharing) bool { return s.DataRead(a.User) }

func (a Access) DataWrite(s catalog.Sharing) bool { return s.DataWrite(a.User) }

// InSome tells whether a user reaches a tracked entity in one of the programs at least.
func (a Access) InSome(t *store.TrackedEntity, programs []*catalog.Program) bool {
	for _, p := range programs {
		if a.Owns(t, p) {
			return true
		}
	}
	return false
}

func (a Access) ReadsEntity(t *store.TrackedEntity) bool {
	if a.User.Super || t == nil {
		return true
	}
	kind := a.Catalog.Types[t.Type]
	return kind != nil && kind.Sharing.DataRead(a.User) && a.InSome(t, a.Programs(t.Type, a.DataRead))
}

func (a Access) WritesEntity(t *store.TrackedEntity) bool {
	if a.User.Super || t == nil {
		return true
	}
	kind := a.Catalog.Types[t.Type]
	return kind != nil && kind.Sharing.DataWrite(a.User) && a.InSome(t, a.Programs(t.Type, a.DataWrite))
}

func (a Access) ReadsEnrollment(e *store.Enrollment) bool {
	return e == nil || a.enrollment(e, a.DataRead)
}

func (a Access) updatesEnrollment(e *store.Enrollment) bool {
	return e == nil || a.enrollment(e, a.DataWrite)
}

func (a Access) enrollment(e *store.Enrollment, right func(catalog.Sharing) bool) bool {
	p := a.Catalog.Programs[e.Program]
	if a.User.Super || p == nil {
		return true
	}
	kind := a.Catalog.Types[p.EntityType]
	return right(p.Sharing) && (kind == nil || kind.Sharing.DataRead(a.User)) && a.Owns(a.Store.Entities[e.Entity], p)
}

func (a Access) ReadsEvent(e *store.Event) bool {
	if a.User.Super || e == nil {
		return true
	}
	p, st := a.Catalog.Programs[e.Program], a.Catalog.Stages[e.Stage]
	if p == nil || st == nil {
		return true
	}
	if !p.Sharing.DataRead(a.User) || !a.options(e.OptionCombo, a.DataRead) {
		return false
	}
	if p.Registration {
		return st.Sharing.DataRead(a.User) && a.ofEvent(e, p)
	}
	unit := a.Catalog.OrgUnits[e.OrgUnit]
	if p.AccessLevel == "PROTECTED" || p.AccessLevel == "CLOSED" {
		return unit == nil || a.User.Captures(unit)
	}
	return unit == nil || a.User.Searches(unit)
}

func (a Access) updatesEvent(e *store.Event) bool {
	if a.User.Super || e == nil {
		return true
	}
	p, st := a.Catalog.Programs[e.Program], a.Catalog.Stages[e.Stage]
	if p == nil || st == nil {
		return true
	}
	if !a.options(e.OptionCombo, a.DataWrite) {
		return false
	}
	if !p.Registration {
		return p.Sharing.DataWrite(a.User)
	}
	unit := a.Catalog.OrgUnits[e.OrgUnit]
	return st.Sharing.DataWrite(a.User) && p.Sharing.DataRead(a.User) && (unit == nil || a.User.Searches(unit)) &&
		a.ofEvent(e, p)
}

// ofEvent checks the tracked entity that an event is about.
func (a Access) ofEvent(e *store.Event, p *catalog.Program) bool {
	kind := a.Catalog.Types[p.EntityType]
	if kind != nil && !kind.Sharing.DataRead(a.User) {
		return false
	}
	en := a.Store.Enrollments[e.Enrollment]
	return en == nil || a.Owns(a.Store.Entities[en.Entity], p)
}

// options tells whether a right is given for every option of a combo.
func (a Access) options(combo string, right func(catalog.Sharing) bool) bool {
	oc := a.Catalog.OptionCombos[combo]
	if oc == nil {
		return true
	}
	for _, id := range oc.Options {
		if o := a.Catalog.CatOptions[id]; o != nil && !right(o.Sharing) {
			return false
		}
	}
	return true
}

// updatesItem and readsItem check one endpoint of a relationship; what is not stored yet is not asked about.
func (a Access) updatesItem(it store.Item) bool {
	return a.WritesEntity(a.Store.Entities[it.Entity]) && a.updatesEnrollment(a.Store.Enrollments[it.Enrollment]) &&
		a.updatesEvent(a.Store.Events[it.Event])
}

func (a Access) ReadsItem(it store.Item) bool {
	return a.ReadsEntity(a.Store.Entities[it.Entity]) && a.ReadsEnrollment(a.Store.Enrollments[it.Enrollment]) &&
		a.ReadsEvent(a.Store.Events[it.Event])
}

// Links tells whether a user may make a relationship, or delete one: both endpoints of one that
// goes both ways must be writable, else the first.
func (a Access) Links(kind *catalog.RelationshipType, from, to store.Item, remove bool) bool {
	if a.User.Super {
		return true
	}
	if kind == nil || !kind.Sharing.DataWrite(a.User) || !a.updatesItem(from) {
		return false
	}
	if kind.Bidirectional {
		return a.updatesItem(to)
	}
	return remove || a.ReadsItem(to)
}

// NewAccess gives what a user may do.
func NewAccess(m version.Profile, c *catalog.Catalog, st *store.Store, u *catalog.User) Access {
	return Access{version: m, Catalog: c, Store: st, User: u}
}
