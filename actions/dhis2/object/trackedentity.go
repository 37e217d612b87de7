package object

import (
	"encoding/json"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/metadata"
)

// TrackedEntity creates or updates a tracked entity.
type TrackedEntity struct {
	*Template
	Person   *identity.Person
	Program  string            // whose attributes the values are of; empty: the type's
	OrgUnit  *metadata.OrgUnit // nil: as it is
	Geometry json.RawMessage   // nil: as it is
	Values   []client.AttributeValue
	Files    Files                              // among the values
	Generate []*metadata.TrackedEntityAttribute // whose values are reserved when the person is created
	People   Associates                         // whom values name
	Update   bool                               // only a person who is there is written; nobody is created
}

// Describe gives the object by the names that the rule uses.
func (o *TrackedEntity) Describe() map[string]any {
	m := map[string]any{"tracked_entity": o.Called, "external_id": o.Person.Key.ExternalID}
	put(m, "org_unit", orgUnitName(o.OrgUnit))
	putPosition(m, o.Geometry)
	o.putAttributes(m, o.Values, o.Files)
	return m
}

// Mode implements Write.
func (o *TrackedEntity) Mode() Mode {
	if o.Update {
		return Change
	}
	return Upsert
}

// Refs implements Write.
func (o *TrackedEntity) Refs() identity.Refs {
	return identity.OfPerson(o.Person).And(identity.Refs{People: o.People.people(attributesOf(o.Values))})
}

// Associates implements Associated.
func (o *TrackedEntity) Associates(r Resolver) []string {
	return o.People.uids(attributesOf(o.Values), r)
}

// Key implements Write.
func (o *TrackedEntity) Key(r Resolver) client.ObjectKey {
	return client.ObjectKey{Type: client.TypeTrackedEntity, UID: r.PersonUID(o.Person)}
}

// Digest implements Write.
func (o *TrackedEntity) Digest(parents []string) uint64 {
	h := newDigest(parents)
	if o.OrgUnit != nil {
		h.text(o.OrgUnit.ID)
	}
	h.text(string(o.Geometry))
	h.attributes(o.Values)
	return h.sum()
}

// Claims are the person, and the values of unique attributes: of two people with the same one DHIS2 would refuse both.
func (o *TrackedEntity) Claims(k client.ObjectKey, x *metadata.Index) []string {
	claims := o.Template.Claims(k, x)
	for _, v := range o.Values {
		if a := x.AttributeByID(v.Attribute); a != nil && a.Unique && v.Value != "" {
			claims = append(claims, a.ID+"="+v.Value)
		}
	}
	return claims
}

// Needs the person, with the attributes of the program where values are to be removed or are files:
// DHIS2 from 2.41 on gives those only to whoever asks with the program.
func (o *TrackedEntity) Needs(n *Needs, k client.ObjectKey, _ []string) {
	program := ""
	if removes(o.Values) || len(o.Files) > 0 {
		program = o.Program
	}
	n.People[program] = append(n.People[program], k.UID)
}

// Adopted implements Write.
func (o *TrackedEntity) Adopted(r Resolver, k client.ObjectKey) bool {
	return r.AdoptedPerson(o.Person, k.UID)
}

// AddTo sets all scalars of a tracked entity, since DHIS2 resets those that an update leaves out:
// what the rule says, else what the server holds. Whoever was registered by somebody else stays
// where that was.
func (o *TrackedEntity) AddTo(p *client.TrackerPayload, c Current) {
	e := client.TrackedEntity{TrackedEntity: c.Key.UID, TrackedEntityType: o.Person.Type, Geometry: o.Geometry}
	if o.OrgUnit != nil {
		e.OrgUnit = o.OrgUnit.ID
	}
	now := c.Entities[c.Key.UID]
	if now != nil {
		e.Inactive, e.PotentialDuplicate = now.Inactive, now.PotentialDuplicate
		if e.Geometry == nil {
			e.Geometry = now.Geometry
		}
		if c.Adopted || e.OrgUnit == "" {
			e.OrgUnit = now.OrgUnit
		}
	}
	e.Attributes = append(o.Files.attributes(o.People.attributes(dropRedundantClears(o.Values, now), c),
		c.Uploaded), c.Reserved...)
	p.TrackedEntities = append(p.TrackedEntities, e)
}

// Uploads implements Filed.
func (o *TrackedEntity) Uploads(c Current, generation int) []Upload {
	return o.Files.uploads(c.Key.UID, attributesOf(o.Values), heldAttributes(c.Entities[c.Key.UID]), generation)
}

// Fields implements Parted.
func (o *TrackedEntity) Fields() []string {
	var list fieldList
	list.add(o.OrgUnit != nil, fieldOrgUnit)
	list.add(o.Geometry != nil, fieldGeometry)
	list.attributes(o.Values)
	return list.sorted()
}

// Only implements Parted.
func (o *TrackedEntity) Only(fields []string) Write {
	keep, c := dropper(fields), *o
	if keep.drops(fieldOrgUnit) {
		c.OrgUnit = nil
	}
	if keep.drops(fieldGeometry) {
		c.Geometry = nil
	}
	c.Values = keep.attributes(o.Values)
	return &c
}

// Regenerate implements Recoverable.
func (o *TrackedEntity) Regenerate(code string, g Generations, writes func(string) bool) bool {
	return regeneratePerson(code, o.Refs(), g, writes)
}

// Effect implements Write.
func (o *TrackedEntity) Effect() string {
	if o.Update {
		return "updated" + o.Person.FoundBy() +
			"; who is not there yet is waited for, all else of the person and the enrollments stay as they are"
	}
	return "created, or updated when it is there" + o.Person.FoundBy()
}

// ResultField is under which later actions read the id.
func (*TrackedEntity) ResultField() string { return "tracked_entity" }
