package sandbox

func (im *importer) validateEnrollment(e *enrollmentIn) {
	s := im.r.about(enrollmentKind, e.uid)
	exists := func() { s.exists(e.old != nil, e.old != nil && e.old.Deleted, e.strategy, "E1113", "E1080", "E1081") }
	if e.strategy == remove {
		im.inOrder(func() { s.uidForm(im.m, e.uid) }, exists, func() { im.enrollmentAccess(s, e) })
		return
	}
	im.inOrder(
		func() {
			s.uidForm(im.m, e.uid)
			for _, n := range e.notes {
				s.uidForm(im.m, n.uid)
			}
		},
		exists,
		func() { im.enrollmentMandatory(s, e) },
		func() { im.enrollmentMeta(s, e) },
		func() { im.enrollmentFixed(s, e) },
		func() { im.enrollmentRelations(s, e) },
		func() {
			if im.m >= 43 {
				im.enrollmentCombo(s, e)
			}
		},
		func() { im.enrollmentAccess(s, e) },
		func() {
			im.notes(s, e.notes)
			im.enrollmentExisting(s, e)
			im.geometry(s, e.geometry, e.program.featureType)
			im.enrollmentDates(s, e)
			im.enrollmentAttributes(s, e)
		},
	)
}

func (im *importer) enrollmentMandatory(s *subject, e *enrollmentIn) {
	for _, f := range []struct{ value, name string }{{e.orgUnitID, "orgUnit"}, {e.programID, "program"}, {e.entity, "trackedEntity"}} {
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
	if im.st.entities[e.entity] == nil && im.b.entityBy[e.entity] == nil {
		s.error("E1068", e.entity)
	}
}

func (im *importer) enrollmentFixed(s *subject, e *enrollmentIn) {
	if e.strategy != update {
		return
	}
	if e.old.Program != e.program.uid {
		s.error("E1127", "program")
	}
	if e.old.Entity != e.entity {
		s.error("E1127", "trackedEntity")
	}
}

func (im *importer) enrollmentRelations(s *subject, e *enrollmentIn) {
	if !e.program.registration {
		s.error("E1014", e.program.uid)
	}
	if !e.program.orgUnits[e.orgUnit.uid] {
		s.error("E1041", e.orgUnit.uid, e.program.uid)
	}
	if e.program.entityType == "" {
		return
	}
	if old := im.st.entities[e.entity]; old != nil {
		if old.Type != e.program.entityType {
			s.error("E1022", e.entity, e.program.uid)
		}
	} else if t := im.b.entityBy[e.entity]; t.entityType == nil || t.entityType.uid != e.program.entityType {
		s.error("E1022", e.entity, e.program.uid)
	}
}

// enrollmentCombo: from 2.43 on enrollments may be broken down by an attribute option combo.
func (im *importer) enrollmentCombo(s *subject, e *enrollmentIn) {
	want := ref(im.c.byID[e.program.uid].obj, "enrollmentCategoryCombo")
	if want == "" {
		want = defaultCombo
	}
	if e.comboID == "" {
		if want != defaultCombo {
			s.error("E1055")
		}
		return
	}
	combo := im.c.optionCombos[im.c.find(kindOptionCombo, im.params.scheme(kindOptionCombo), e.comboID)]
	switch {
	case combo == nil:
		s.error("E1115", e.comboID)
		return
	case combo.combo == defaultCombo && want != defaultCombo:
		s.error("E1055")
	case combo.combo != want:
		s.error("E1130", combo.uid, want)
	}
	e.comboID = combo.uid
}

func (im *importer) enrollmentAccess(s *subject, e *enrollmentIn) {
	if im.user.super {
		return
	}
	p, unit, entity := e.program, e.orgUnit, e.entity
	if e.strategy != create {
		p, unit, entity = im.c.programs[e.old.Program], im.c.orgUnits[e.old.OrgUnit], e.old.Entity
	}
	switch {
	case e.strategy != update:
		im.capture(s, unit)
	case im.m.movesInCapture() && e.orgUnit.uid != e.old.OrgUnit:
		im.capture(s, e.orgUnit)
	}
	if e.strategy == remove && im.hasLiveEvent(e.uid) && !im.user.may("F_ENROLLMENT_CASCADE_DELETE") {
		s.error("E1103", im.user.uid, e.uid)
	}
	if p == nil {
		return
	}
	if !p.sharing.dataWrite(im.user) {
		s.error("E1091", im.user.uid, p.uid)
	}
	im.entityTypeAccess(s, p)
	owner := im.c.orgUnits[im.unitOf(entity)]
	t := im.st.entities[entity]
	if t != nil {
		owner = im.c.orgUnits[t.OrgUnit]
		if unit := t.owner(p.uid); unit != "" {
			owner = im.c.orgUnits[unit]
		}
	}
	if !im.access().reaches(owner, p, t) {
		s.error("E1102", im.user.uid, entity, p.uid)
	}
	if im.m >= 43 {
		im.comboAccess(s, im.c.optionCombos[e.comboID])
	}
}

// entityTypeAccess: working in a program needs to read its tracked entity type.
func (im *importer) entityTypeAccess(s *subject, p *program) {
	if t := im.c.types[p.entityType]; t != nil && !t.sharing.dataRead(im.user) {
		s.error("E1104", im.user.uid, p.uid)
	}
}

func (im *importer) hasLiveEvent(enrollment string) bool {
	for _, e := range im.st.eventsOf[enrollment] {
		if !e.Deleted {
			return true
		}
	}
	return false
}

// enrollmentExisting: one active enrollment a program at a time, and one altogether where the program says so.
func (im *importer) enrollmentExisting(s *subject, e *enrollmentIn) {
	if e.status == "CANCELLED" || e.status == "COMPLETED" && !e.program.onlyOnce {
		return
	}
	open := func(status string) bool { return status == "ACTIVE" || status == "COMPLETED" }
	others := map[string]string{} // uid -> status
	for _, o := range im.st.enrollmentsOf[e.entity] {
		if !o.Deleted && o.Program == e.program.uid && o.UID != e.uid && open(o.Status) {
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
		s.error("E1015", e.entity, e.program.uid)
	}
	if e.program.onlyOnce && len(others) > 0 {
		s.error("E1016", e.entity, e.program.uid)
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
	if !e.program.futureEnrollment && im.future(e.enrolled) {
		s.error("E1020", stamp(*e.enrolled))
	}
	if !e.program.futureIncident && im.future(e.occurred) {
		s.error("E1021", stamp(*e.occurred))
	}
	if e.program.incidentDate && e.occurred == nil {
		s.error("E1023")
	}
	if im.m.completedOnly() && e.completed != nil && e.status != "COMPLETED" && e.status != "CANCELLED" {
		s.error("E1052", e.uid, e.status)
	}
}

// enrollmentAttributes: those of the program alone; the mandatory ones may come with the tracked entity or be stored already.
func (im *importer) enrollmentAttributes(s *subject, e *enrollmentIn) {
	given := map[string]string{}
	for _, a := range e.attributes {
		if a.id == "" {
			s.error("E1075")
			continue
		}
		if a.value == nil && e.program.attributeOf[a.uid].mandatory {
			s.error("E1076", "TrackedEntityAttribute", a.uid)
		}
		if a.uid == "" {
			s.error("E1006", a.id)
			continue
		}
		if a.value != nil {
			given[a.uid] = *a.value
			im.attributeValue(s, e.strategy, im.c.attributes[a.uid], *a.value, e.entity, im.unitOf(e.entity))
		}
	}
	for uid, value := range given {
		if _, ok := e.program.attributeOf[uid]; !ok {
			s.error("E1019", uid+"="+value)
		}
	}
	for _, id := range e.program.mandatory {
		if _, ok := given[id]; !ok && !im.entityHas(e.entity, id) {
			s.error("E1018", id, e.program.uid, e.uid)
		}
	}
}

// entityHas tells whether a tracked entity names an attribute in the request or holds it in the store.
func (im *importer) entityHas(entity, attribute string) bool {
	if t := im.st.entities[entity]; t != nil {
		if _, ok := t.attribute(attribute); ok {
			return true
		}
	}
	if t := im.b.entityBy[entity]; t != nil {
		for _, a := range t.attributes {
			if a.uid == attribute {
				return true
			}
		}
	}
	return false
}
