package store

import (
	"time"
)

func (st *Store) DeleteEntity(t *TrackedEntity, by string) {
	if t.Deleted {
		return
	}
	for _, e := range st.EnrollmentsOf[t.UID] {
		st.DeleteEnrollment(e, by)
	}
	st.deleteRelations(t.UID, by)
	for _, a := range t.Attributes {
		st.SetHolder(t, a.Attribute, a.Value, "")
	}
	t.Attributes = nil
	t.Gone(st.Now(), by)
	st.live.TrackedEntities--
	st.Keep(t)
}

func (st *Store) DeleteEnrollment(e *Enrollment, by string) {
	if e.Deleted {
		return
	}
	for _, ev := range st.EventsOf[e.UID] {
		st.DeleteEvent(ev, by)
	}
	st.deleteRelations(e.UID, by)
	e.Gone(st.Now(), by)
	st.live.Enrollments--
	st.Keep(e)
}

func (st *Store) DeleteEvent(e *Event, by string) {
	if e.Deleted {
		return
	}
	st.deleteRelations(e.UID, by)
	e.Gone(st.Now(), by)
	st.live.Events--
	st.Keep(e)
}

func (st *Store) deleteRelations(uid, by string) {
	for _, r := range st.RelationsOf[uid] {
		st.DeleteRelationship(r, by)
	}
}

func (st *Store) DeleteRelationship(r *Relationship, by string) {
	if r.Deleted {
		return
	}
	r.Gone(st.Now(), by)
	st.live.Relationships--
	st.Keep(r)
}

func (m *Made) Gone(at time.Time, by string) {
	m.Deleted, m.Updated, m.UpdatedBy = true, at, by
}
