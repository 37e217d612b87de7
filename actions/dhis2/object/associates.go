package object

import (
	"slices"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/identity"
)

// Associates are the people whom values of a write name (TRACKER_ASSOCIATE, up to 2.42), by
// attribute or data element. The value itself is the external id until it is sent: which tracked
// entity that is, is known then only.
type Associates map[string]*identity.Person

// Add notes a person; nil is none.
func (a Associates) Add(field string, p *identity.Person) {
	if p != nil {
		a[field] = p
	}
}

// Associated is a write some of whose values name people. DHIS2 takes any text there, so that it has
// to be seen beforehand that they are there.
type Associated interface {
	Write
	// Associates gives the uids that they have now, in order.
	Associates(r Resolver) []string
}

// uids gives those of the people whom some of the fields name.
func (a Associates) uids(fields []string, r Resolver) []string {
	var list []string
	for _, field := range fields {
		if p := a[field]; p != nil {
			list = append(list, r.PersonUID(p))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// people are those named, in order.
func (a Associates) people(fields []string) []*identity.Person {
	var list []*identity.Person
	for _, field := range fields {
		if p := a[field]; p != nil {
			list = append(list, p)
		}
	}
	return list
}

// value gives what is sent for a value: the uid of the person whom it names.
func (a Associates) value(field, text string, r Resolver) string {
	if p := a[field]; p != nil {
		return r.PersonUID(p)
	}
	return text
}

// attributes puts the uids of people in the place of their external ids.
func (a Associates) attributes(values []client.AttributeValue, r Resolver) []client.AttributeValue {
	if len(a) == 0 {
		return values
	}
	list := slices.Clone(values)
	for n, v := range list {
		list[n].Value = a.value(v.Attribute, v.Value, r)
	}
	return list
}
