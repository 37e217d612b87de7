package analytics

import (
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
)

// nameOf gives what an answer calls a data element or an option combo. plain: a data element by itself, which has a
// scheme of its own.
func (q *query) nameOf(uid string, plain bool) string {
	scheme := q.schemes.all
	if q.schemes.elements != "" {
		scheme = q.schemes.elements
	}
	if q.schemes.items != "" && plain {
		scheme = q.schemes.items
	}
	return q.called(uid, scheme)
}

func (q *query) unitName(o *catalog.OrgUnit) string {
	scheme := q.schemes.all
	if q.schemes.units != "" {
		scheme = q.schemes.units
	}
	return q.called(o.UID, scheme)
}

// called gives the identifier of a scheme, the uid where there is none.
func (q *query) called(uid, scheme string) string {
	if name := q.catalog.Identifier(uid, scheme); name != "" {
		return name
	}
	return uid
}

// title is the name of an object, or of an operand those of its parts.
func (q *query) title(id string) string {
	var names []string
	for _, part := range strings.Split(id, ".") {
		if name := catalog.Str(q.catalog.ByID[part].Obj, "name"); name != "" {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}
