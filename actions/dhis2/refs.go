package dhis2

import (
	"github.com/culvert/culvert/actions"
)

// people gives everybody whom a write is about.
func people(o actions.Object) []*person {
	var list []*person
	add := func(p *person, ref *enrollmentRef) {
		if ref != nil {
			p = ref.person
		}
		if p != nil {
			list = append(list, p)
		}
	}
	side := func(e *end) {
		if e.event != nil {
			add(nil, e.event.ref)
			return
		}
		add(e.person, e.enrollment)
	}
	switch o := o.(type) {
	case *trackedEntityWrite:
		add(o.person, nil)
	case *enrollmentWrite:
		add(nil, o.ref)
	case *eventWrite:
		add(nil, o.ref)
	case *statusWrite:
		add(nil, o.ref)
	case *relationshipWrite:
		side(&o.from)
		side(&o.to)
	case *deletion:
		if o.relationship != nil {
			return people(o.relationship)
		}
		side(&o.target)
	}
	return list
}

// eachRef walks enrollments and events that writes are about.
func eachRef(jobs []*job, enrollment func(*job, *enrollmentRef), event func(*eventWrite)) {
	for _, j := range jobs {
		visit := func(r *enrollmentRef, e *eventWrite) {
			if r != nil {
				enrollment(j, r)
			}
			if e != nil && event != nil {
				event(e)
			}
		}
		for _, i := range j.items {
			switch o := i.write.Object.(type) {
			case *enrollmentWrite:
				visit(o.ref, nil)
			case *eventWrite:
				visit(o.ref, o)
			case *statusWrite:
				visit(o.ref, o.event)
			case *relationshipWrite:
				visit(o.from.refs())
				visit(o.to.refs())
			case *deletion:
				if o.relationship != nil {
					visit(o.relationship.from.refs())
					visit(o.relationship.to.refs())
					continue
				}
				visit(o.target.refs())
			}
		}
	}
}

// refs gives the enrollment and the event of a side.
func (e *end) refs() (*enrollmentRef, *eventWrite) {
	if e.event != nil {
		return e.event.ref, e.event
	}
	return e.enrollment, nil
}

// personUID is the uid that a person has in DHIS2 as far as we know.
func (d *delivery) personUID(p *person) string {
	if id, ok := d.identities[p.key]; ok && id.UID != "" {
		return id.UID
	}
	return p.uid
}

// enrollmentKey is under which a change of an enrollment's uid is kept: its program, and the uid that would be derived.
func (d *delivery) enrollmentKey(r *enrollmentRef) actions.IdentityKey {
	return actions.IdentityKey{Type: r.program, ExternalID: r.uid(d.personUID(r.person), 0)}
}

func (d *delivery) enrollmentUID(r *enrollmentRef) string {
	key := d.enrollmentKey(r)
	if id, ok := d.identities[key]; ok {
		return id.UID
	}
	return key.ExternalID
}

func (d *delivery) eventKey(e *eventWrite) actions.IdentityKey {
	parent := e.parent
	if e.ref != nil {
		parent = d.enrollmentUID(e.ref)
	}
	return actions.IdentityKey{Type: e.stage, ExternalID: EventUID(e.stage, parent+e.scope, e.id, 0)}
}

func (d *delivery) eventUID(e *eventWrite) string {
	key := d.eventKey(e)
	if id, ok := d.identities[key]; ok {
		return id.UID
	}
	return key.ExternalID
}

func (d *delivery) endUID(e *end) string {
	switch {
	case e.event != nil:
		return d.eventUID(e.event)
	case e.enrollment != nil:
		return d.enrollmentUID(e.enrollment)
	}
	return d.personUID(e.person)
}

func (d *delivery) relationshipKey(r *relationshipWrite) actions.IdentityKey {
	return actions.IdentityKey{Type: r.typ, ExternalID: RelationshipUID(r.typ, d.endUID(&r.from), d.endUID(&r.to), 0)}
}

func (d *delivery) relationshipUID(r *relationshipWrite) string {
	key := d.relationshipKey(r)
	if id, ok := d.identities[key]; ok {
		return id.UID
	}
	return key.ExternalID
}
