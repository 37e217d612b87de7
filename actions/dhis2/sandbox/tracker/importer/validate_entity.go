package importer

import (
	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
)

func (im *importer) validateEntity(t *entityIn) {
	s := im.r.about(trackedEntityKind, t.uid)
	if t.strategy == remove {
		im.inOrder(
			func() { s.uidForm(im.version, t.uid) },
			func() { s.exists(t.old != nil, t.old != nil && t.old.Deleted, remove, "E1114", "E1002", "E1063") },
			func() { im.entityAccess(s, t) },
		)
		return
	}
	im.inOrder(
		func() { s.uidForm(im.version, t.uid) },
		func() { s.exists(t.old != nil, t.old != nil && t.old.Deleted, t.strategy, "E1114", "E1002", "E1063") },
		func() { im.entityMandatory(s, t) },
		func() { im.entityMeta(s, t) },
		func() {
			if t.strategy == update && t.old.Type != t.entityType.UID {
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
	if im.user.Super {
		return
	}
	kind, unit := t.entityType, t.orgUnit
	if t.strategy != create {
		kind, unit = im.c.Types[t.old.Type], im.c.OrgUnits[t.old.OrgUnit]
	}
	writes := kind == nil || kind.Sharing.DataWrite(im.user)
	if im.version >= 43 {
		im.entityAccessNew(s, t, kind, unit, writes)
	} else {
		if t.strategy == create && !writes {
			s.error("E1001", im.user.UID, kind.UID)
		}
		if t.strategy != update {
			im.capture(s, unit)
		}
		if t.strategy != create && !im.access().WritesEntity(t.old) {
			s.error("E1003", im.user.UID, t.uid)
		}
	}
	if t.strategy == remove && im.hasLiveEnrollment(t.uid) && !im.user.May("F_TEI_CASCADE_DELETE") {
		s.error("E1100", im.user.UID, t.uid)
	}
}

// entityAccessNew: from 2.43 on an existing tracked entity is reached through a program that the user may write to.
func (im *importer) entityAccessNew(s *subject, t *entityIn, kind *catalog.EntityType, unit *catalog.OrgUnit,
	writes bool) {
	if !writes {
		s.error("E1001", im.user.UID, kind.UID)
	}
	if t.strategy != create && kind != nil {
		a := im.access()
		switch readable := a.Programs(kind.UID, a.DataRead); {
		case len(readable) == 0:
			s.error("E1323", im.user.UID)
		case !a.InSome(t.old, a.Programs(kind.UID, a.DataWrite)):
			s.error("E1324", im.user.UID, t.uid)
		}
	}
	switch {
	case t.strategy != update:
		im.capture(s, unit)
	case t.orgUnit != nil && unit != nil && t.orgUnit.UID != unit.UID:
		im.capture(s, t.orgUnit)
	}
}

func (im *importer) hasLiveEnrollment(entity string) bool {
	for _, e := range im.st.EnrollmentsOf[entity] {
		if !e.Deleted {
			return true
		}
	}
	return false
}

// entityAttributes: mandatory attributes of the type may be in the request or stored already; a
// mandatory one cannot be cleared.
func (im *importer) entityAttributes(s *subject, t *entityIn) {
	has := map[string]bool{}
	for _, a := range im.b.entityBy[t.uid].attributes { // of the first, where one is in the request twice
		has[a.uid] = true
	}
	mandatory := catalog.SetOf(t.entityType.Mandatory)
	for _, id := range t.entityType.Mandatory {
		if has[id] {
			continue
		}
		if t.old != nil {
			if _, stored := t.old.Attribute(id); stored {
				continue
			}
		}
		s.error("E1090", id, t.entityType.UID, t.uid)
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
			im.attributeValue(s, t.strategy, im.c.Attributes[a.uid], *a.value, t.uid, t.unit())
		}
	}
}
