package sandbox

import "time"

func (st *store) deleteEntity(t *trackedEntity, by string) {
	if t.Deleted {
		return
	}
	for _, e := range st.enrollmentsOf[t.UID] {
		st.deleteEnrollment(e, by)
	}
	st.deleteRelations(t.UID, by)
	for _, a := range t.Attributes {
		st.setHolder(t, a.Attribute, a.Value, "")
	}
	t.Attributes = nil
	t.gone(st.now(), by)
	st.live.TrackedEntities--
	st.state.note("te", t)
}

func (st *store) deleteEnrollment(e *enrollment, by string) {
	if e.Deleted {
		return
	}
	for _, ev := range st.eventsOf[e.UID] {
		st.deleteEvent(ev, by)
	}
	st.deleteRelations(e.UID, by)
	e.gone(st.now(), by)
	st.live.Enrollments--
	st.state.note("en", e)
}

func (st *store) deleteEvent(e *event, by string) {
	if e.Deleted {
		return
	}
	st.deleteRelations(e.UID, by)
	e.gone(st.now(), by)
	st.live.Events--
	st.state.note("ev", e)
}

func (st *store) deleteRelations(uid, by string) {
	for _, r := range st.relationsOf[uid] {
		st.deleteRelationship(r, by)
	}
}

func (st *store) deleteRelationship(r *relationship, by string) {
	if r.Deleted {
		return
	}
	r.gone(st.now(), by)
	st.live.Relationships--
	st.state.note("re", r)
}

func (m *made) gone(at time.Time, by string) {
	m.Deleted, m.Updated, m.UpdatedBy = true, at, by
}
