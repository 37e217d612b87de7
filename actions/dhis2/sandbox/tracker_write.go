package sandbox

import "time"

func (im *importer) born(now time.Time) made {
	return made{Created: now, Updated: now, CreatedBy: im.user.username, UpdatedBy: im.user.username, Seq: im.st.next()}
}

// writeEntity replaces what is single and merges attributes, as every update does: what is not sent falls back, but attributes stay.
func (im *importer) writeEntity(in *entityIn, now time.Time) (isNew bool) {
	t := im.st.entities[in.uid]
	if t == nil {
		isNew = true
		t = &trackedEntity{UID: in.uid, made: im.born(now)}
	}
	t.Type, t.OrgUnit, t.Inactive, t.Duplicate, t.Geometry = in.entityType.uid, in.orgUnit.uid, in.inactive, in.duplicate, in.geometry
	t.CreatedAtClient, t.UpdatedAtClient = in.createdAtClient, in.updatedAtClient
	t.touch(now, im.user.username)
	im.writeAttributes(t, in.attributes, now)
	if isNew {
		im.st.putEntity(t)
	} else {
		im.st.state.note("te", t)
	}
	return isNew
}

func (im *importer) writeAttributes(t *trackedEntity, attrs []attributeIn, now time.Time) {
	if t.Attributes == nil {
		t.Attributes = make([]attributeValue, 0, len(attrs))
	}
	for _, a := range attrs {
		if a.uid == "" {
			continue
		}
		value := ""
		if a.value != nil {
			value = *a.value
		}
		im.st.setAttribute(t, a.uid, value, im.user.username, now)
		if im.c.attributes[a.uid].valueType == "FILE_RESOURCE" && value != "" {
			im.st.assign(value, t.UID)
		}
	}
}

func (im *importer) writeEnrollment(in *enrollmentIn, now time.Time) (isNew bool) {
	e := im.st.enrollments[in.uid]
	if e == nil {
		isNew = true
		e = &enrollment{UID: in.uid, Entity: in.entity, made: im.born(now)}
	}
	e.Program, e.OrgUnit, e.FollowUp, e.Geometry = in.program.uid, in.orgUnit.uid, in.followUp, in.geometry
	if in.enrolled != nil {
		e.Enrolled = *in.enrolled
	}
	e.Occurred = in.occurred
	if e.Occurred == nil {
		e.Occurred = in.enrolled
	}
	e.CreatedAtClient, e.UpdatedAtClient = in.createdAtClient, in.updatedAtClient
	e.OptionCombo = in.comboID
	if e.OptionCombo == "" {
		e.OptionCombo = defaultOptionCombo
	}
	status := in.status
	if status == "" {
		status = "ACTIVE"
	}
	im.enrollmentStatus(e, in, status, now)
	e.Notes = im.addNotes(e.Notes, in.notes, now)
	e.touch(now, im.user.username)
	if t := im.st.entities[in.entity]; t != nil {
		im.writeAttributes(t, in.attributes, now)
		t.touch(now, im.user.username)
		im.st.state.note("te", t)
	}
	if isNew {
		if t := im.st.entities[in.entity]; t != nil && t.owner(e.Program) == "" {
			t.setOwner(e.Program, e.OrgUnit)
		}
		im.st.putEnrollment(e)
	} else {
		im.st.state.note("en", e)
	}
	return isNew
}

func (im *importer) enrollmentStatus(e *enrollment, in *enrollmentIn, status string, now time.Time) {
	if status == e.Status {
		if im.m.completedOnly() && in.completed != nil {
			e.Completed = in.completed
		}
		return
	}
	e.Status, e.Completed, e.CompletedBy = status, nil, ""
	if status == "ACTIVE" {
		return
	}
	at := now
	if im.m.completedOnly() && in.completed != nil {
		at = *in.completed
	}
	e.Completed = &at
	if status == "COMPLETED" {
		e.CompletedBy = im.user.username
	}
}

func (im *importer) addNotes(have []note, given []noteIn, now time.Time) []note {
	for _, n := range given {
		if n.value == "" || im.st.notes[n.uid] {
			continue
		}
		im.st.notes[n.uid] = true
		have = append(have, note{UID: n.uid, Value: n.value, Stored: now, By: im.user.username})
	}
	return have
}

func (im *importer) writeEvent(in *eventIn, now time.Time) (isNew bool) {
	e := im.st.events[in.uid]
	if e == nil {
		isNew = true
		e = &event{UID: in.uid, made: im.born(now)}
		if in.program.registration {
			e.Enrollment = in.enrollment
		}
	}
	e.Program, e.Stage, e.OrgUnit, e.Geometry = in.program.uid, in.stage.uid, in.orgUnit.uid, in.geometry
	e.Occurred, e.Scheduled = in.occurred, in.scheduled
	if im.m.splitEvents() && !in.tracker {
		e.Scheduled = nil
	}
	e.CreatedAtClient, e.UpdatedAtClient = in.createdAtClient, in.updatedAtClient
	e.OptionCombo = defaultOptionCombo
	if in.combo != nil {
		e.OptionCombo = in.combo.uid
	}
	if in.stage.userAssignment && in.assigned != nil {
		e.AssignedUser = in.assigned.uid
	}
	im.eventStatus(e, in, now)
	im.writeValues(e, in.values, now)
	e.Notes = im.addNotes(e.Notes, in.notes, now)
	e.touch(now, im.user.username)
	if isNew {
		im.st.putEvent(e)
	} else {
		im.st.state.note("ev", e)
	}
	if en := im.st.enrollments[e.Enrollment]; en != nil {
		if t := im.st.entities[en.Entity]; t != nil {
			t.touch(now, im.user.username)
			im.st.state.note("te", t)
		}
	}
	return isNew
}

func (im *importer) eventStatus(e *event, in *eventIn, now time.Time) {
	status := in.status
	if status == "VISITED" {
		status = "ACTIVE"
	}
	switch {
	case status != "COMPLETED":
		e.Completed, e.CompletedBy = nil, ""
	case e.Status != "COMPLETED":
		at := now
		e.Completed, e.CompletedBy = &at, im.user.username
	}
	if status == "COMPLETED" && im.m.completedOnly() && in.completed != nil {
		e.Completed = in.completed
	}
	e.Status = status
}

// writeValues merges the values of an event: an empty one removes, one that is not sent stays.
func (im *importer) writeValues(e *event, values []valueIn, now time.Time) {
	for _, v := range values {
		at := -1
		for i := range e.Values {
			if e.Values[i].Element == v.uid {
				at = i
			}
		}
		switch {
		case v.uid == "":
		case v.value == nil && at >= 0:
			e.Values = append(e.Values[:at:at], e.Values[at+1:]...)
		case v.value == nil:
		case at >= 0:
			old := &e.Values[at]
			if old.Value != *v.value || old.Elsewhere != v.elsewhere {
				old.Value, old.Elsewhere, old.Updated, old.StoredBy = *v.value, v.elsewhere, now, im.user.username
				im.assignFile(e, v)
			}
		default:
			e.Values = append(e.Values, eventValue{v.uid, *v.value, v.elsewhere, now, now, im.user.username})
			im.assignFile(e, v)
		}
	}
}

// assignFile gives a file to the event whose value names it.
func (im *importer) assignFile(e *event, v valueIn) {
	if de := im.c.dataElements[v.uid]; de != nil && isFile(de.valueType) {
		im.st.assign(*v.value, e.UID)
	}
}

func (im *importer) writeRelationship(in *relationshipIn, now time.Time) {
	im.st.putRelationship(&relationship{UID: in.uid, Type: in.relType.uid, From: *in.from, To: *in.to, made: im.born(now)})
}
