package importer

import (
	"reflect"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
)

type exactValue struct{ attribute, value string }

// holder is a tracked entity that holds a value of a unique attribute.
type holder struct{ uid, unit string }

// taken tells whether another tracked entity holds a value of a unique attribute, in the store or
// in the same request. A tracked entity that is new is another than all that the request holds,
// even where it stands there twice (DHIS2 UniqueAttributesSupplier, AttributeValidator).
func (im *importer) taken(a *catalog.Attribute, value, entity, orgUnit string) bool {
	if im.payloadHolders() == nil {
		return false
	}
	for _, t := range im.st.HoldersOf(a.UID, value) {
		if t.UID != entity && (!a.OrgUnitScope || t.OrgUnit == orgUnit) {
			return true
		}
	}
	isNew := im.st.Entities[entity] == nil
	for _, h := range im.payloadHolders()[exactValue{a.UID, value}] {
		if (isNew || h.uid != entity) && (!a.OrgUnitScope || h.unit == orgUnit) {
			return true
		}
	}
	return false
}

// payloadHolders gives, for each value of a unique attribute that several tracked entities of the
// request hold, who they are. It is nil where one tracked entity stands in the request twice with
// all that it holds: there a server finds neither these nor those in its database.
func (im *importer) payloadHolders() map[exactValue][]holder {
	if im.holdersRead {
		return im.holders
	}
	im.holdersRead = true
	seen := map[string][]*entityIn{}
	for _, t := range im.b.entities {
		for _, o := range seen[t.uid] {
			if t.sameAs(o) {
				return nil
			}
		}
		seen[t.uid] = append(seen[t.uid], t)
	}
	im.holders = map[exactValue][]holder{}
	type once struct {
		by    any // the tracked entity of the request, else its uid
		value exactValue
	}
	counted := map[once]bool{}
	put := func(attrs []attributeIn, by any, h holder) {
		for _, a := range attrs {
			if a.value == nil || a.uid == "" || !im.c.Attributes[a.uid].Unique {
				continue
			}
			k := exactValue{a.uid, *a.value}
			if counted[once{by, k}] {
				continue
			}
			counted[once{by, k}] = true
			im.holders[k] = append(im.holders[k], h)
		}
	}
	for _, t := range im.b.entities {
		put(t.attributes, t, holder{t.uid, t.unit()})
	}
	for _, e := range im.b.enrollments {
		var by any = e.entity
		if t := im.b.entityBy[e.entity]; t != nil {
			by = t
		}
		put(e.attributes, by, holder{e.entity, im.unitOf(e.entity)})
	}
	for k, all := range im.holders {
		if len(all) < 2 {
			delete(im.holders, k)
		}
	}
	return im.holders
}

// sameAs tells whether a request says twice the same about a tracked entity.
func (t *entityIn) sameAs(o *entityIn) bool {
	return t.uid == o.uid && t.typeID == o.typeID && t.orgUnitID == o.orgUnitID && t.inactive == o.inactive &&
		t.duplicate == o.duplicate &&
		string(t.geometry) == string(o.geometry) && reflect.DeepEqual(t.createdAtClient, o.createdAtClient) &&
		reflect.DeepEqual(t.updatedAtClient, o.updatedAtClient) && reflect.DeepEqual(t.attributes, o.attributes)
}

func (t *entityIn) unit() string {
	if t.orgUnit == nil {
		return ""
	}
	return t.orgUnit.UID
}

// unitOf gives the org unit of a tracked entity: that of the request, else that which is stored.
func (im *importer) unitOf(entity string) string {
	if t := im.b.entityBy[entity]; t != nil {
		return t.unit()
	}
	if t := im.st.Entities[entity]; t != nil {
		return t.OrgUnit
	}
	return ""
}
