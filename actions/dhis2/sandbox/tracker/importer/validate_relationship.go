package importer

import (
	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

func (im *importer) validateRelationship(r *relationshipIn) {
	s := im.r.about(relationshipKind, r.uid)
	if r.strategy == remove {
		im.inOrder(func() { s.uidForm(im.version, r.uid) }, func() { im.relationshipExists(s, r) },
			func() { im.relationshipAccess(s, r) })
		return
	}
	im.inOrder(
		func() { s.uidForm(im.version, r.uid) },
		func() { im.relationshipExists(s, r) },
		func() { im.relationshipMandatory(s, r) },
		func() {
			if r.relType == nil {
				s.error("E4006", r.typeID)
			}
		},
		func() {
			if r.strategy == create && *r.from == *r.to {
				s.error("E4000", r.uid)
			}
		},
		func() {
			if r.strategy == create {
				im.side(s, "from", r.from, r.relType.From)
				im.side(s, "to", r.to, r.relType.To)
			}
		},
		func() { im.relationshipAccess(s, r) },
		func() {
			if r.strategy == create && im.linked(r) {
				s.error("E4018", r.uid, r.from.UID(), r.to.UID())
			}
		},
	)
}

func (im *importer) relationshipAccess(s *subject, r *relationshipIn) {
	allowed := true
	switch r.strategy {
	case create:
		allowed = im.access().Links(r.relType, *r.from, *r.to, false)
	case remove:
		allowed = im.access().Links(im.c.RelTypes[r.old.Type], r.old.From, r.old.To, true)
	}
	if !allowed {
		s.error("E4020", im.user.UID, r.uid)
	}
}

func (im *importer) relationshipExists(s *subject, r *relationshipIn) {
	switch {
	case r.old != nil && r.old.Deleted:
		s.error("E4017", r.uid)
	case r.old != nil && r.strategy == create:
		s.error("E4015", r.uid)
	case r.old != nil && r.strategy == update:
		s.warning("E4015", r.uid)
	case r.old == nil && r.strategy != create:
		s.error("E4016", r.uid)
	}
}

func (im *importer) relationshipMandatory(s *subject, r *relationshipIn) {
	if r.from == nil || r.fromCount != 1 {
		s.error("E4001", "from", r.uid)
	}
	if r.to == nil || r.toCount != 1 {
		s.error("E4001", "to", r.uid)
	}
	if r.typeID == "" {
		s.error("E1124", "relationshipType")
	}
}

func itemKind(i *store.Item) string {
	switch {
	case i.Entity != "":
		return trackedEntityKind
	case i.Enrollment != "":
		return enrollmentKind
	}
	return eventKind
}

// side checks one side of a relationship against what its type allows there.
func (im *importer) side(s *subject, name string, it *store.Item, allowed catalog.Constraint) {
	want, exists := "", false
	switch allowed.Entity {
	case "TRACKED_ENTITY_INSTANCE":
		want = trackedEntityKind
		exists = im.st.Entities[it.Entity] != nil || im.b.entityBy[it.Entity] != nil
	case "PROGRAM_INSTANCE":
		want = enrollmentKind
		exists = im.st.Enrollments[it.Enrollment] != nil || im.b.enrollmentBy[it.Enrollment] != nil
	case "PROGRAM_STAGE_INSTANCE":
		want = eventKind
		exists = im.st.Events[it.Event] != nil || im.b.eventBy[it.Event] != nil
	default:
		return
	}
	switch {
	case itemKind(it) != want:
		s.error("E4010", name, kindName[want], kindName[itemKind(it)])
	case !exists:
		s.error("E4012", kindName[want], it.UID())
	case want == trackedEntityKind:
		if got := im.typeOf(it.Entity); got != allowed.EntityType {
			s.error("E4014", name, allowed.EntityType, got)
		}
	}
}

func (im *importer) typeOf(entity string) string {
	if t := im.st.Entities[entity]; t != nil {
		return t.Type
	}
	if t := im.b.entityBy[entity]; t != nil {
		if t.entityType == nil {
			return t.typeID
		}
		return t.entityType.UID
	}
	return ""
}

// linked tells whether a relationship of the type between the two exists; for a type that goes both
// ways, in either direction.
func (im *importer) linked(r *relationshipIn) bool {
	for _, o := range im.st.RelationsOf[r.from.UID()] {
		if o.Deleted || o.Type != r.relType.UID {
			continue
		}
		if o.From == *r.from && o.To == *r.to || r.relType.Bidirectional && o.From == *r.to && o.To == *r.from {
			return true
		}
	}
	return false
}
