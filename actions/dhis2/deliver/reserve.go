package deliver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/codes"
	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
)

// DHIS2's own apps fill in generated attributes, such as a System Case ID, before they send a
// person; the import does not (E1018, E1090). So values are reserved for people who are about to be
// created, many in one request, and the journal keeps them: a retry takes the same ones.

// request is one reservation: an attribute, and the code that its pattern takes from the org unit.
type request struct{ attribute, code string }

// reserve gives people who are about to be created the values that DHIS2 generates. Records whose
// values cannot be had are settled.
func (d *delivery) reserve(ctx context.Context, fresh []*item) []*item {
	var keys []actions.IdentityKey
	for _, i := range fresh {
		if o, ok := i.object.(*object.TrackedEntity); ok {
			for _, a := range o.Generate {
				keys = append(keys, o.Person.ReservedKey(a.ID))
			}
		}
	}
	if len(keys) == 0 {
		return fresh
	}
	if err := d.book.Remember(ctx, keys); err != nil {
		for _, i := range fresh {
			i.finish(codes.Later("the journal could not be read", err))
		}
		return nil
	}
	wanting := map[request][]*item{}
	for _, i := range fresh {
		o, ok := i.object.(*object.TrackedEntity)
		if !ok {
			continue
		}
		for _, a := range o.Generate {
			if _, has := d.book.Known(o.Person.ReservedKey(a.ID)); !has {
				r := request{attribute: a.ID, code: codeFor(a, o.OrgUnit)}
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
	values, err := d.server.Reserve(ctx, client.ReserveQuery{Attribute: r.attribute, OrgUnitCode: r.code,
		Count: len(items), Rehearse: d.rehearse})
	for n, i := range items {
		if err != nil {
			i.finish(d.notReserved(r.attribute, err))
			continue
		}
		key := i.object.(*object.TrackedEntity).Person.ReservedKey(r.attribute)
		d.book.Learn(i.job, actions.Identity{IdentityKey: key, UID: values[n], Origin: identity.OriginReserved})
	}
}

// reserveAgain takes other values for a person whose reserved ones somebody else has by now.
func (d *delivery) reserveAgain(ctx context.Context, i *item) bool {
	o, ok := i.object.(*object.TrackedEntity)
	if !ok || len(o.Generate) == 0 || i.known {
		return false
	}
	for _, a := range o.Generate {
		d.reserveFor(ctx, request{attribute: a.ID, code: codeFor(a, o.OrgUnit)}, []*item{i})
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
	o := codes.OfRequest(err)
	name := attribute
	if a := d.x.AttributeByID(attribute); a != nil {
		name = a.Name
	}
	if e, ok := errors.AsType[*client.Error](err); ok && e.Kind == client.Refused && o.Status == actions.Failed {
		o.Class, o.Code = actions.ClassMetadata, "not-reserved"
	}
	o.Message = fmt.Sprintf("DHIS2 reserves no value of %q, which it generates: %s", name, o.Message)
	if o.Status == actions.Failed {
		o.Hint = "look at the attribute's pattern in DHIS2 (all its values may be taken, or the org unit has no code), or " +
			"have the rule set the attribute; then replay the record"
	}
	return o
}

// reservedValues are the values reserved for a person who is created now.
func (d *delivery) reservedValues(i *item) []client.AttributeValue {
	o, ok := i.object.(*object.TrackedEntity)
	if !ok || i.known {
		return nil // the person has them
	}
	var list []client.AttributeValue
	for _, a := range o.Generate {
		if id, ok := d.book.Known(o.Person.ReservedKey(a.ID)); ok {
			list = append(list, client.AttributeValue{Attribute: a.ID, Value: id.UID})
		}
	}
	return list
}
