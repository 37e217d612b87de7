package importer

import (
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

func (im *importer) born(now time.Time) store.Made {
	return store.Made{Created: now, Updated: now, CreatedBy: im.user.Username, UpdatedBy: im.user.Username,
		Seq: im.st.Next()}
}

// writeEntity replaces what is single and merges attributes, as every update does: what is not sent
// falls back, but attributes stay.
func (im *importer) writeEntity(in *entityIn, now time.Time) (isNew bool) {
	t := im.st.Entities[in.uid]
	if t == nil {
		isNew = true
		t = &store.TrackedEntity{UID: in.uid, Made: im.born(now)}
	}
	t.Type, t.OrgUnit, t.Inactive, t.Duplicate, t.Geometry = in.entityType.UID, in.orgUnit.UID, in.inactive, in.duplicate,
		in.geometry
	t.CreatedAtClient, t.UpdatedAtClient = in.createdAtClient, in.updatedAtClient
	t.Touch(now, im.user.Username)
	im.writeAttributes(t, in.attributes, now)
	if isNew {
		im.st.PutEntity(t)
	} else {
		im.st.Keep(t)
	}
	return isNew
}

func (im *importer) writeAttributes(t *store.TrackedEntity, attrs []attributeIn, now time.Time) {
	if t.Attributes == nil {
		t.Attributes = make([]store.AttributeValue, 0, len(attrs))
	}
	for _, a := range attrs {
		if a.uid == "" {
			continue
		}
		value := ""
		if a.value != nil {
			value = *a.value
		}
		im.st.SetAttribute(t, a.uid, value, im.user.Username, now)
		if im.c.Attributes[a.uid].ValueType == "FILE_RESOURCE" && value != "" {
			im.st.Assign(value, t.UID)
		}
	}
}

func (im *importer) writeEnrollment(in *enrollmentIn, now time.Time) (isNew bool) {
	e := im.st.Enrollments[in.uid]
	if e == nil {
		isNew = true
		e = &store.Enrollment{UID: in.uid, Entity: in.entity, Made: im.born(now)}
	}
	e.Program, e.OrgUnit, e.FollowUp, e.Geometry = in.program.UID, in.orgUnit.UID, in.followUp, in.geometry
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
		e.OptionCombo = catalog.DefaultOptionCombo
	}
	status := in.status
	if status == "" {
		status = "ACTIVE"
	}
	im.enrollmentStatus(e, in, status, now)
	e.Notes = im.addNotes(e.Notes, in.notes, now)
	e.Touch(now, im.user.Username)
	if t := im.st.Entities[in.entity]; t != nil {
		im.writeAttributes(t, in.attributes, now)
		t.Touch(now, im.user.Username)
		im.st.Keep(t)
	}
	if isNew {
		if t := im.st.Entities[in.entity]; t != nil && t.Owner(e.Program) == "" {
			t.SetOwner(e.Program, e.OrgUnit)
		}
		im.st.PutEnrollment(e)
	} else {
		im.st.Keep(e)
	}
	return isNew
}

// enrollmentStatus takes the date of a completion or cancellation with the change of the status
// only (TrackerObjectsMapper).
func (im *importer) enrollmentStatus(e *store.Enrollment, in *enrollmentIn, status string, now time.Time) {
	if status == e.Status {
		return
	}
	e.Status, e.Completed, e.CompletedBy = status, nil, ""
	if status == "ACTIVE" {
		return
	}
	at := now
	if im.version.CompletedOnly() && in.completed != nil {
		at = *in.completed
	}
	e.Completed = &at
	if status == "COMPLETED" {
		e.CompletedBy = im.user.Username
	}
}

func (im *importer) addNotes(have []store.Note, given []noteIn, now time.Time) []store.Note {
	for _, n := range given {
		if n.value == "" || im.st.Notes[n.uid] {
			continue
		}
		im.st.Notes[n.uid] = true
		have = append(have, store.Note{UID: n.uid, Value: n.value, Stored: now, By: im.user.Username})
	}
	return have
}

func (im *importer) writeEvent(in *eventIn, now time.Time) (isNew bool) {
	e := im.st.Events[in.uid]
	if e == nil {
		isNew = true
		e = &store.Event{UID: in.uid, Made: im.born(now)}
		if in.program.Registration {
			e.Enrollment = in.enrollment
		}
	}
	e.Program, e.Stage, e.OrgUnit, e.Geometry = in.program.UID, in.stage.UID, in.orgUnit.UID, in.geometry
	e.Occurred, e.Scheduled = in.occurred, in.scheduled
	if im.version.SplitEvents() && !in.tracker {
		e.Scheduled = nil
	}
	e.CreatedAtClient, e.UpdatedAtClient = in.createdAtClient, in.updatedAtClient
	e.OptionCombo = catalog.DefaultOptionCombo
	if in.combo != nil {
		e.OptionCombo = in.combo.UID
	}
	if in.stage.UserAssignment && in.assigned != nil {
		e.AssignedUser = in.assigned.UID
	}
	im.eventStatus(e, in, now)
	im.writeValues(e, in.values, now)
	e.Notes = im.addNotes(e.Notes, in.notes, now)
	e.Touch(now, im.user.Username)
	if isNew {
		im.st.PutEvent(e)
	} else {
		im.st.Keep(e)
	}
	if en := im.st.Enrollments[e.Enrollment]; en != nil {
		if t := im.st.Entities[en.Entity]; t != nil {
			t.Touch(now, im.user.Username)
			im.st.Keep(t)
		}
	}
	return isNew
}

func (im *importer) eventStatus(e *store.Event, in *eventIn, now time.Time) {
	status := in.status
	if status == "VISITED" {
		status = "ACTIVE"
	}
	switch {
	case status != "COMPLETED":
		e.Completed, e.CompletedBy = nil, ""
	case e.Status != "COMPLETED":
		at := now
		if im.version.CompletedOnly() && in.completed != nil {
			at = *in.completed
		}
		e.Completed, e.CompletedBy = &at, im.user.Username
	}
	e.Status = status
}

// writeValues merges the values of an event: an empty one removes, one that is not sent stays.
func (im *importer) writeValues(e *store.Event, values []valueIn, now time.Time) {
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
				old.Value, old.Elsewhere, old.Updated, old.StoredBy = *v.value, v.elsewhere, now, im.user.Username
				im.assignFile(e, v)
			}
		default:
			e.Values = append(e.Values, store.EventValue{Element: v.uid, Value: *v.value, Elsewhere: v.elsewhere, Created: now,
				Updated:  now,
				StoredBy: im.user.Username})
			im.assignFile(e, v)
		}
	}
}

// assignFile gives a file to the event whose value names it.
func (im *importer) assignFile(e *store.Event, v valueIn) {
	if de := im.c.DataElements[v.uid]; de != nil && isFile(de.ValueType) {
		im.st.Assign(*v.value, e.UID)
	}
}

func (im *importer) writeRelationship(in *relationshipIn, now time.Time) {
	im.st.PutRelationship(&store.Relationship{UID: in.uid, Type: in.relType.UID, From: *in.from, To: *in.to,
		Made: im.born(now)})
}
