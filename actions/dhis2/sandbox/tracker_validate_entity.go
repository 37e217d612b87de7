package sandbox

func (im *importer) validateEntity(t *entityIn) {
	s := im.r.about(trackedEntityKind, t.uid)
	if t.strategy == remove {
		im.inOrder(
			func() { s.uidForm(im.m, t.uid) },
			func() { s.exists(t.old != nil, t.old != nil && t.old.Deleted, remove, "E1114", "E1002", "E1063") },
			func() { im.entityAccess(s, t) },
		)
		return
	}
	im.inOrder(
		func() { s.uidForm(im.m, t.uid) },
		func() { s.exists(t.old != nil, t.old != nil && t.old.Deleted, t.strategy, "E1114", "E1002", "E1063") },
		func() { im.entityMandatory(s, t) },
		func() { im.entityMeta(s, t) },
		func() {
			if t.strategy == update && t.old.Type != t.entityType.uid {
				s.error("E1126", "trackedEntityType")
			}
		},
		func() { im.entityAccess(s, t) },
		func() { im.entityAttributes(s, t) },
	)
}

func (im *importer) entityMandatory(s *subject, t *entityIn) {
	if t.typeID == "" {
		s.error("E1121", "trackedEntityType")
	}
	if t.orgUnitID == "" {
		s.error("E1121", "orgUnit")
	}
}

func (im *importer) entityMeta(s *subject, t *entityIn) {
	if t.orgUnit == nil {
		s.error("E1049", t.orgUnitID)
	}
	if t.entityType == nil {
		s.error("E1005", t.typeID)
	}
}

func (im *importer) entityAccess(s *subject, t *entityIn) {
	if im.user.super {
		return
	}
	kind, unit := t.entityType, t.orgUnit
	if t.strategy != create {
		kind, unit = im.c.types[t.old.Type], im.c.orgUnits[t.old.OrgUnit]
	}
	writes := kind == nil || kind.sharing.dataWrite(im.user)
	if im.m >= 43 {
		im.entityAccessNew(s, t, kind, unit, writes)
	} else {
		if t.strategy == create && !writes {
			s.error("E1001", im.user.uid, kind.uid)
		}
		if t.strategy != update {
			im.capture(s, unit)
		}
		if t.strategy != create && !im.access().writesEntity(t.old) {
			s.error("E1003", im.user.uid, t.uid)
		}
	}
	if t.strategy == remove && im.hasLiveEnrollment(t.uid) && !im.user.may("F_TEI_CASCADE_DELETE") {
		s.error("E1100", im.user.uid, t.uid)
	}
}

// entityAccessNew: from 2.43 on an existing tracked entity is reached through a program that the user may write to.
func (im *importer) entityAccessNew(s *subject, t *entityIn, kind *entityType, unit *orgUnit, writes bool) {
	if !writes {
		s.error("E1001", im.user.uid, kind.uid)
	}
	if t.strategy != create && kind != nil {
		a := im.access()
		switch readable := a.programs(kind.uid, a.dataRead); {
		case len(readable) == 0:
			s.error("E1323", im.user.uid)
		case !a.inSome(t.old, a.programs(kind.uid, a.dataWrite)):
			s.error("E1324", im.user.uid, t.uid)
		}
	}
	switch {
	case t.strategy != update:
		im.capture(s, unit)
	case t.orgUnit != nil && unit != nil && t.orgUnit.uid != unit.uid:
		im.capture(s, t.orgUnit)
	}
}

func (im *importer) hasLiveEnrollment(entity string) bool {
	for _, e := range im.st.enrollmentsOf[entity] {
		if !e.Deleted {
			return true
		}
	}
	return false
}

// entityAttributes: mandatory attributes of the type may be in the request or stored already; a mandatory one cannot be cleared.
func (im *importer) entityAttributes(s *subject, t *entityIn) {
	has := map[string]bool{}
	for _, a := range im.b.entityBy[t.uid].attributes { // of the first, where one is in the request twice
		has[a.uid] = true
	}
	mandatory := setOf(t.entityType.mandatory)
	for _, id := range t.entityType.mandatory {
		if has[id] {
			continue
		}
		if t.old != nil {
			if _, stored := t.old.attribute(id); stored {
				continue
			}
		}
		s.error("E1090", id, t.entityType.uid, t.uid)
	}
	for _, a := range t.attributes {
		switch {
		case a.uid == "":
			s.error("E1006", a.id)
		case a.value == nil:
			if mandatory[a.uid] {
				s.error("E1076", "TrackedEntityAttribute", a.uid)
			}
		default:
			im.attributeValue(s, t.strategy, im.c.attributes[a.uid], *a.value, t.uid, t.unit())
		}
	}
}
