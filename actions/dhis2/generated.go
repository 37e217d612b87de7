package dhis2

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/metadata"
)

// DHIS2's own apps fill in generated attributes, such as a System Case ID, before they send a person; the import does not (E1018, E1090). So values are reserved
// for people who are about to be created, many in one request, and the journal keeps them: a retry takes the same ones.

// originReserved marks values that were reserved for a person.
const originReserved = "reserved"

// generated lists the attributes whose values DHIS2 generates and that the rule does not set.
func generated(uses []attributeUse, set []*valued) []*metadata.TrackedEntityAttribute {
	var list []*metadata.TrackedEntityAttribute
	for _, u := range uses {
		if !u.attribute.Generated || u.attribute.Pattern == "" {
			continue
		}
		found := false
		for _, v := range set {
			found = found || v.uid == u.attribute.ID
		}
		if !found {
			list = append(list, u.attribute)
		}
	}
	return list
}

// reservedKey is under which the journal keeps a person's reserved value. The type is no uid, so that it meets no person's.
func reservedKey(p *person, attribute string) actions.IdentityKey {
	_, namespace := TypeOfPerson(p.key.Type)
	return actions.IdentityKey{Type: PersonType("reserved:"+attribute, namespace), ExternalID: p.key.ExternalID}
}

// request is one reservation: an attribute, and the code that its pattern takes from the org unit.
type request struct{ attribute, code string }

// reserve gives people who are about to be created the values that DHIS2 generates. Records whose values cannot be had are settled.
func (d *delivery) reserve(ctx context.Context, fresh []*item) []*item {
	var keys []actions.IdentityKey
	for _, i := range fresh {
		if o, ok := i.write.Object.(*trackedEntityWrite); ok {
			for _, a := range o.generate {
				keys = append(keys, reservedKey(o.person, a.ID))
			}
		}
	}
	if len(keys) == 0 {
		return fresh
	}
	if err := d.remember(ctx, keys); err != nil {
		for _, i := range fresh {
			i.finish(retryLater("the journal could not be read", err))
		}
		return nil
	}
	wanting := map[request][]*item{}
	for _, i := range fresh {
		o, ok := i.write.Object.(*trackedEntityWrite)
		if !ok {
			continue
		}
		for _, a := range o.generate {
			if _, has := d.identities[reservedKey(o.person, a.ID)]; !has {
				r := request{attribute: a.ID, code: codeFor(a, o.orgUnit)}
				wanting[r] = append(wanting[r], i)
			}
		}
	}
	for r, items := range wanting {
		d.reserveFor(ctx, r, items)
	}
	return open(fresh)
}

func (d *delivery) reserveFor(ctx context.Context, r request, items []*item) {
	values, err := d.server.Reserve(ctx, client.ReserveQuery{Attribute: r.attribute, OrgUnitCode: r.code, Count: len(items), Rehearse: d.rehearse})
	for n, i := range items {
		if err != nil {
			i.finish(d.notReserved(r.attribute, err))
			continue
		}
		d.learn(i.job, actions.Identity{IdentityKey: reservedKey(i.write.Object.(*trackedEntityWrite).person, r.attribute), UID: values[n], Origin: originReserved})
	}
}

// reserveAgain takes other values for a person whose reserved ones somebody else has by now.
func (d *delivery) reserveAgain(ctx context.Context, i *item) bool {
	o, ok := i.write.Object.(*trackedEntityWrite)
	if !ok || len(o.generate) == 0 || i.known {
		return false
	}
	for _, a := range o.generate {
		d.reserveFor(ctx, request{attribute: a.ID, code: codeFor(a, o.orgUnit)}, []*item{i})
	}
	return !i.done
}

// codeFor is the code that a pattern takes from the org unit; empty when it takes none.
func codeFor(a *metadata.TrackedEntityAttribute, o *metadata.OrgUnit) string {
	if o == nil || !strings.Contains(a.Pattern, "ORG_UNIT_CODE") {
		return ""
	}
	return o.Code
}

func (d *delivery) notReserved(attribute string, err error) actions.Outcome {
	o := wholeFailure(err)
	name := attribute
	if a := d.x.AttributeByID(attribute); a != nil {
		name = a.Name
	}
	if e, ok := errors.AsType[*client.Error](err); ok && e.Kind == client.Refused && o.Status == actions.Failed {
		o.Class, o.Code = actions.ClassMetadata, "not-reserved"
	}
	o.Cause = fmt.Sprintf("DHIS2 reserves no value of %q, which it generates: %s", name, o.Cause)
	if o.Status == actions.Failed {
		o.Hint = "look at the attribute's pattern in DHIS2 (all its values may be taken, or the org unit has no code), or have the rule set the attribute; then replay the record"
	}
	return o
}

// generatedValues are the values reserved for a person who is created now.
func (d *delivery) generatedValues(i *item, o *trackedEntityWrite) []client.AttributeValue {
	if i.known {
		return nil // the person has them
	}
	var list []client.AttributeValue
	for _, a := range o.generate {
		if id, ok := d.identities[reservedKey(o.person, a.ID)]; ok {
			list = append(list, client.AttributeValue{Attribute: a.ID, Value: id.UID})
		}
	}
	return list
}
