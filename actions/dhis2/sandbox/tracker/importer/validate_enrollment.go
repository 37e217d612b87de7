package importer

import (
	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
)

func (im *importer) validateEnrollment(e *enrollmentIn) {
	s := im.r.about(enrollmentKind, e.uid)
	exists := func() { s.exists(e.old != nil, e.old != nil && e.old.Deleted, e.strategy, "E1113", "E1080", "E1081") }
	if e.strategy == remove {
		im.inOrder(func() { s.uidForm(im.version, e.uid) }, exists, func() { im.enrollmentAccess(s, e) })
		return
	}
	im.inOrder(
		func() {
			s.uidForm(im.version, e.uid)
			for _, n := range e.notes {
				s.uidForm(im.version, n.uid)
			}
		},
		exists,
		func() { im.enrollmentMandatory(s, e) },
		func() { im.enrollmentMeta(s, e) },
		func() { im.enrollmentFixed(s, e) },
		func() { im.enrollmentRelations(s, e) },
		func() {
			if im.version >= 43 {
				im.enrollmentCombo(s, e)
			}
		},
		func() { im.enrollmentAccess(s, e) },
		func() {
			im.notes(s, e.notes)
			im.enrollmentExisting(s, e)
			im.geometry(s, e.geometry, e.program.FeatureType)
			im.enrollmentDates(s, e)
			im.enrollmentAttributes(s, e)
		},
	)
}

func (im *importer) enrollmentMandatory(s *subject, e *enrollmentIn) {
	for _, f := range []struct{ value, name string }{{e.orgUnitID, "orgUnit"}, {e.programID, "program"},
		{e.entity, "trackedEntity"}} {
		if f.value == "" {
			s.error("E1122", f.name)
		}
	}
}

func (im *importer) enrollmentMeta(s *subject, e *enrollmentIn) {
	if e.orgUnit == nil {
		s.error("E1070", e.orgUnitID)
	}
	if e.program == nil {
		s.error("E1069", e.programID)
	}
	if im.st.Entities[e.entity] == nil && im.b.entityBy[e.entity] == nil {
		s.error("E1068", e.entity)
	}
}

func (im *importer) enrollmentFixed(s *subject, e *enrollmentIn) {
	if e.strategy != update {
		return
	}
	if e.old.Program != e.program.UID {
		s.error("E1127", "program")
	}
	if e.old.Entity != e.entity {
		s.error("E1127", "trackedEntity")
	}
}

func (im *importer) enrollmentRelations(s *subject, e *enrollmentIn) {
	if !e.program.Registration {
		s.error("E1014", e.program.UID)
	}
	if !e.program.OrgUnits[e.orgUnit.UID] {
		s.error("E1041", e.orgUnit.UID, e.program.UID)
	}
	if e.program.EntityType == "" {
		return
	}
	if old := im.st.Entities[e.entity]; old != nil {
		if old.Type != e.program.EntityType {
			s.error("E1022", e.entity, e.program.UID)
		}
	} else if t := im.b.entityBy[e.entity]; t.entityType == nil || t.entityType.UID != e.program.EntityType {
		s.error("E1022", e.entity, e.program.UID)
	}
}

// enrollmentCombo: from 2.43 on enrollments may be broken down by an attribute option combo.
func (im *importer) enrollmentCombo(s *subject, e *enrollmentIn) {
	want := catalog.Ref(im.c.ByID[e.program.UID].Obj, "enrollmentCategoryCombo")
	if want == "" {
		want = catalog.DefaultCombo
	}
	if e.comboID == "" {
		if want != catalog.DefaultCombo {
			s.error("E1055")
		}
		return
	}
	combo := im.c.OptionCombos[im.c.Find(catalog.KindOptionCombo, im.params.scheme(catalog.KindOptionCombo), e.comboID)]
	switch {
	case combo == nil:
		s.error("E1115", e.comboID)
		return
	case combo.Combo == catalog.DefaultCombo && want != catalog.DefaultCombo:
		s.error("E1055")
	case combo.Combo != want:
		s.error("E1130", combo.UID, want)
	}
	e.comboID = combo.UID
}

func (im *importer) enrollmentAccess(s *subject, e *enrollmentIn) {
	if im.user.Super {
		return
	}
	p, unit, entity := e.program, e.orgUnit, e.entity
	if e.strategy != create {
		p, unit, entity = im.c.Programs[e.old.Program], im.c.OrgUnits[e.old.OrgUnit], e.old.Entity
	}
	switch {
	case e.strategy != update:
		im.capture(s, unit)
	case im.version.MovesInCapture() && e.orgUnit.UID != e.old.OrgUnit:
		im.capture(s, e.orgUnit)
	}
	if e.strategy == remove && im.hasLiveEvent(e.uid) && !im.user.May("F_ENROLLMENT_CASCADE_DELETE") {
		s.error("E1103", im.user.UID, e.uid)
	}
	if p == nil {
		return
	}
	if !p.Sharing.DataWrite(im.user) {
		s.error("E1091", im.user.UID, p.UID)
	}
	im.entityTypeAccess(s, p)
	owner := im.c.OrgUnits[im.unitOf(entity)]
	t := im.st.Entities[entity]
	if t != nil {
		owner = im.c.OrgUnits[t.OrgUnit]
		if unit := t.Owner(p.UID); unit != "" {
			owner = im.c.OrgUnits[unit]
		}
	}
	if !im.access().Reaches(owner, p, t) {
		s.error("E1102", im.user.UID, entity, p.UID)
	}
	if im.version >= 43 {
		im.comboAccess(s, im.c.OptionCombos[e.comboID])
	}
}

// entityTypeAccess: working in a program needs to read its tracked entity type.
func (im *importer) entityTypeAccess(s *subject, p *catalog.Program) {
	if t := im.c.Types[p.EntityType]; t != nil && !t.Sharing.DataRead(im.user) {
		s.error("E1104", im.user.UID, p.UID)
	}
}

func (im *importer) hasLiveEvent(enrollment string) bool {
	for _, e := range im.st.EventsOf[enrollment] {
		if !e.Deleted {
			return true
		}
	}
	return false
}

// enrollmentExisting: one active enrollment a program at a time, and one altogether where the program says so.
func (im *importer) enrollmentExisting(s *subject, e *enrollmentIn) {
	if e.status == "CANCELLED" || e.status == "COMPLETED" && !e.program.OnlyOnce {
		return
	}
	open := func(status string) bool { return status == "ACTIVE" || status == "COMPLETED" }
	others := map[string]string{} // uid -> status
	for _, o := range im.st.EnrollmentsOf[e.entity] {
		if !o.Deleted && o.Program == e.program.UID && o.UID != e.uid && open(o.Status) {
			others[o.UID] = o.Status
		}
	}
	for _, o := range im.b.enrollments {
		if o.entity == "" && o.program == e.program {
			im.crash("Cannot invoke \"org.hisp.dhis.common.UID.equals(Object)\" because the return value of " +
				"\"org.hisp.dhis.tracker.imports.domain.Enrollment.getTrackedEntity()\" is null")
		}
	}
	if len(im.b.enrollments) > 1 {
		for _, o := range im.enrollmentsIn(e.entity) {
			if o.program == e.program && o.uid != e.uid && open(o.status) {
				others[o.uid] = o.status
			}
		}
	}
	active := false
	for _, status := range others {
		active = active || status == "ACTIVE"
	}
	if e.status == "ACTIVE" && active {
		s.error("E1015", e.entity, e.program.UID)
	}
	if e.program.OnlyOnce && len(others) > 0 {
		s.error("E1016", e.entity, e.program.UID)
	}
}

// enrollmentsIn gives the enrollments of a tracked entity within the request.
func (im *importer) enrollmentsIn(entity string) []*enrollmentIn {
	if im.enrollmentsBy == nil {
		im.enrollmentsBy = make(map[string][]*enrollmentIn, len(im.b.enrollments))
		for _, e := range im.b.enrollments {
			im.enrollmentsBy[e.entity] = append(im.enrollmentsBy[e.entity], e)
		}
	}
	return im.enrollmentsBy[entity]
}

func (im *importer) enrollmentDates(s *subject, e *enrollmentIn) {
	if e.enrolled == nil {
		s.error("E1025")
	}
	if !e.program.FutureEnrollment && im.future(e.enrolled) {
		s.error("E1020", dates.Stamp(*e.enrolled))
	}
	if !e.program.FutureIncident && im.future(e.occurred) {
		s.error("E1021", dates.Stamp(*e.occurred))
	}
	if e.program.IncidentDate && e.occurred == nil {
		s.error("E1023")
	}
	if im.version.CompletedOnly() && e.completed != nil && e.status != "COMPLETED" && e.status != "CANCELLED" {
		s.error("E1052", e.uid, e.status)
	}
}

// enrollmentAttributes: those of the program alone; the mandatory ones may come with the tracked
// entity or be stored already.
func (im *importer) enrollmentAttributes(s *subject, e *enrollmentIn) {
	given := map[string]string{}
	for _, a := range e.attributes {
		if a.id == "" {
			s.error("E1075")
			continue
		}
		if a.value == nil && e.program.AttributeOf[a.uid].Mandatory {
			s.error("E1076", "TrackedEntityAttribute", a.uid)
		}
		if a.uid == "" {
			s.error("E1006", a.id)
			continue
		}
		if a.value != nil {
			given[a.uid] = *a.value
			im.attributeValue(s, e.strategy, im.c.Attributes[a.uid], *a.value, e.entity, im.unitOf(e.entity))
		}
	}
	for uid, value := range given {
		if _, ok := e.program.AttributeOf[uid]; !ok {
			s.error("E1019", uid+"="+value)
		}
	}
	for _, id := range e.program.Mandatory {
		if _, ok := given[id]; !ok && !im.entityHas(e.entity, id) {
			s.error("E1018", id, e.program.UID, e.uid)
		}
	}
}

// entityHas tells whether a tracked entity names an attribute in the request or holds it in the store. Attributes are
// looked at a second time behind the program rules, when a tracked entity that is invalid is no longer in the request.
func (im *importer) entityHas(entity, attribute string) bool {
	if t := im.st.Entities[entity]; t != nil {
		if _, ok := t.Attribute(attribute); ok {
			return true
		}
	}
	if t := im.b.entityBy[entity]; t != nil && !(im.filtered && im.r.isInvalid(trackedEntityKind, entity)) {
		for _, a := range t.attributes {
			if a.uid == attribute {
				return true
			}
		}
	}
	return false
}
