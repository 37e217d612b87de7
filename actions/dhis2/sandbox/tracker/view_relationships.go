package tracker

import (
	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
	"github.com/culvert/culvert/actions/dhis2/sandbox/fields"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

func (v view) notes(notes []store.Note) []any {
	items := []any{}
	for _, n := range notes {
		items = append(items, object{"note": n.UID, "value": n.Value, "storedAt": dates.Stamp(n.Stored), "storedBy": n.By,
			"createdBy": v.person(n.By)})
	}
	return items
}

func (v view) relationships(uid string, set *fields.Set) []any {
	items := []any{}
	for _, r := range v.st.RelationsOf[uid] {
		if kind := v.c.RelTypes[r.Type]; v.version >= 42 && r.From.UID() != uid && kind != nil && !kind.Bidirectional {
			continue // it is told at its first side alone
		}
		if !r.Deleted || v.deleted {
			items = append(items, v.relationship(r, set))
		}
	}
	return items
}

func (v view) relationship(r *store.Relationship, set *fields.Set) object {
	o := object{"relationship": r.UID, "relationshipType": v.id(catalog.KindRelType, r.Type),
		"from": v.side(r.From, inner(set, "from")), "to": v.side(r.To, inner(set, "to"))}
	v.made(o, r.Made)
	if t := v.c.RelTypes[r.Type]; t != nil {
		o["relationshipName"], o["bidirectional"] = t.Name, t.Bidirectional
	}
	if v.version >= 42 {
		delete(o, "deleted")
	}
	return o
}

// side shows one side of a relationship, without the relationships of what it points to: these would lead back.
func (v view) side(it store.Item, set *fields.Set) object {
	without := func(name string) *fields.Set {
		s := *inner(set, name)
		s.Exclude = map[string]bool{"relationships": true}
		if v.version < 42 {
			s.Exclude["enrollments"], s.Exclude["events"] = true, true
		}
		for _, f := range s.Fields {
			delete(s.Exclude, f.Name)
		}
		return &s
	}
	switch {
	case it.Entity != "":
		if t := v.st.Entities[it.Entity]; t != nil {
			o := v.entity(t, without("trackedEntity"), "")
			if _, shown := o["attributes"]; shown && v.version >= 42 {
				all := map[string]bool{}
				for _, a := range t.Attributes {
					all[a.Attribute] = true
				}
				o["attributes"] = v.attributes(t, all)
			}
			return object{"trackedEntity": fields.Project(o, without("trackedEntity"), fields.Plain{})}
		}
	case it.Enrollment != "":
		if e := v.st.Enrollments[it.Enrollment]; e != nil {
			return object{"enrollment": fields.Project(v.enrollment(e, without("enrollment")), without("enrollment"),
				fields.Plain{})}
		}
	case it.Event != "":
		if e := v.st.Events[it.Event]; e != nil {
			return object{"event": fields.Project(v.event(e, without("event")), without("event"), fields.Plain{})}
		}
	}
	return object{}
}
