package sandbox

import (
	"encoding/json"
	"strings"
	"time"
)

// trackerView shows tracker objects to one user as the export API does. The store must be locked for reading.
type trackerView struct {
	m       manners
	c       *catalog
	st      *store
	user    *user
	schemes map[string]string // by collection, from 2.42 on
	deleted bool              // deleted children are shown too
	listing bool              // a list is shown, not one object
}

func (c *trackerCall) trackerView(deleted bool) trackerView {
	v := trackerView{m: c.manners, c: c.catalog, st: c.store, user: c.user, schemes: map[string]string{}, deleted: deleted}
	if c.manners >= 42 {
		for name, kind := range importSchemes {
			if s := c.query.Get(name); s != "" && s != "UID" {
				v.schemes[kind] = s
			}
		}
	}
	return v
}

// id gives the identifier of a metadata object in the scheme asked for.
func (v trackerView) id(kind, uid string) any {
	scheme, ok := v.schemes[kind]
	if !ok {
		scheme, ok = v.schemes[""]
	}
	if !ok {
		return uid
	}
	o := v.c.byID[uid].obj
	switch scheme {
	case "CODE":
		return orNothing(str(o, "code"))
	case "NAME":
		return orNothing(str(o, "name"))
	}
	for _, av := range list(o, "attributeValues") {
		if "ATTRIBUTE:"+ref(av, "attribute") == scheme {
			return av["value"]
		}
	}
	return nil
}

func orNothing(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (v trackerView) person(username string) any {
	u := v.c.users[username]
	if u == nil {
		return nil
	}
	return object{"uid": u.uid, "username": u.username, "firstName": u.firstName, "surname": u.surname}
}

func timeOrNothing(t *time.Time) any {
	if t == nil {
		return nil
	}
	return stamp(*t)
}

func rawOrNothing(r json.RawMessage) any {
	if len(r) == 0 {
		return nil
	}
	return r
}

func (v trackerView) made(o object, m made) {
	o["createdAt"], o["updatedAt"], o["deleted"] = stamp(m.Created), stamp(m.Updated), m.Deleted
	o["createdBy"], o["updatedBy"] = v.person(m.CreatedBy), v.person(m.UpdatedBy)
}

// entity shows a tracked entity with what is asked of it; program limits attributes and enrollments to one program.
func (v trackerView) entity(t *trackedEntity, set *fieldSet, program string) object {
	o := object{"trackedEntity": t.UID, "trackedEntityType": v.id(kindTEType, t.Type), "orgUnit": v.id(kindOrgUnit, t.OrgUnit), "inactive": t.Inactive,
		"potentialDuplicate": t.Duplicate, "geometry": rawOrNothing(t.Geometry), "createdAtClient": timeOrNothing(t.CreatedAtClient),
		"updatedAtClient": timeOrNothing(t.UpdatedAtClient)}
	v.made(o, t.made)
	if set.wants("attributes") {
		visible := v.visible(t.Type, program)
		if v.m == 41 && v.listing && v.user.super {
			v.showAll(visible)
		}
		o["attributes"] = v.attributes(t, visible)
	}
	if set.wants("enrollments") {
		items := []any{}
		for _, e := range v.st.enrollmentsOf[t.UID] {
			if (!e.Deleted || v.deleted) && (program == "" || e.Program == program) && v.mayRead(e.Program) {
				items = append(items, v.enrollment(e, inner(set, "enrollments")))
			}
		}
		o["enrollments"] = items
	}
	if set.wants("relationships") {
		o["relationships"] = v.relationships(t.UID, inner(set, "relationships"))
	}
	if set.wants("programOwners") {
		o["programOwners"] = v.owners(t, program)
	}
	return o
}

// inner is what is asked of a property that holds objects: everything, unless it is said.
func inner(set *fieldSet, name string) *fieldSet {
	if sub := set.subOf(name); sub != nil {
		return sub
	}
	return &fieldSet{presets: []string{"all"}, exclude: map[string]bool{}}
}

func (v trackerView) mayRead(program string) bool {
	p := v.c.programs[program]
	return p == nil || p.sharing.dataRead(v.user)
}

// visible are the attributes that a tracked entity shows: those of its type, and those of the program asked for.
func (v trackerView) visible(entityType, program string) map[string]bool {
	out := map[string]bool{}
	if t := v.c.types[entityType]; t != nil {
		for _, a := range t.attributes {
			out[a.attribute] = true
		}
	}
	for _, p := range v.c.programs {
		if p.uid == program || program == "" && v.m.allAttributes() && p.entityType == entityType && v.mayRead(p.uid) {
			for _, a := range p.attributes {
				out[a.attribute] = true
			}
		}
	}
	return out
}

// showAll: lists of 2.41 show a superuser the attributes of all programs (TrackedEntityAggregate.filterAttributes).
func (v trackerView) showAll(visible map[string]bool) {
	for _, p := range v.c.programs {
		for _, a := range p.attributes {
			visible[a.attribute] = true
		}
	}
}

func (v trackerView) attributes(t *trackedEntity, visible map[string]bool) []any {
	items := []any{}
	if t == nil {
		return items
	}
	for _, a := range t.Attributes {
		def := v.c.attributes[a.Attribute]
		if !visible[a.Attribute] || def == nil {
			continue
		}
		items = append(items, object{"attribute": v.id(kindAttribute, a.Attribute), "code": orNothing(def.code), "displayName": def.name, "value": a.Value,
			"valueType": def.valueType, "createdAt": stamp(a.Created), "updatedAt": stamp(a.Updated), "storedBy": a.StoredBy})
	}
	return items
}

// owners are those of every program, but of one alone where a tracked entity is asked for as that program knows it.
func (v trackerView) owners(t *trackedEntity, program string) []any {
	items := []any{}
	for _, o := range t.Owners {
		if !v.listing && program != "" && program != o.Program {
			continue
		}
		items = append(items, object{"orgUnit": v.id(kindOrgUnit, o.OrgUnit), "program": v.id(kindProgram, o.Program), "trackedEntity": t.UID})
	}
	return items
}

func (v trackerView) enrollment(e *enrollment, set *fieldSet) object {
	o := object{"enrollment": e.UID, "trackedEntity": e.Entity, "program": v.id(kindProgram, e.Program), "orgUnit": v.id(kindOrgUnit, e.OrgUnit),
		"status": e.Status, "enrolledAt": stamp(e.Enrolled), "occurredAt": timeOrNothing(e.Occurred), "completedAt": timeOrNothing(e.Completed),
		"completedBy": orNothing(e.CompletedBy), "followUp": e.FollowUp, "geometry": rawOrNothing(e.Geometry),
		"createdAtClient": timeOrNothing(e.CreatedAtClient), "updatedAtClient": timeOrNothing(e.UpdatedAtClient), "notes": v.notes(e.Notes)}
	v.made(o, e.made)
	if v.m <= 40 {
		if u := v.c.orgUnits[e.OrgUnit]; u != nil {
			o["orgUnitName"] = u.name
		}
	}
	if v.m >= 43 {
		o["attributeOptionCombo"] = v.id(kindOptionCombo, e.OptionCombo)
	}
	if set.wants("attributes") {
		o["attributes"] = v.attributes(v.st.entities[e.Entity], v.ofProgram(e.Program))
	}
	if set.wants("events") {
		items := []any{}
		for _, ev := range v.st.eventsOf[e.UID] {
			if !ev.Deleted || v.deleted {
				items = append(items, v.event(ev, inner(set, "events")))
			}
		}
		o["events"] = items
	}
	if set.wants("relationships") {
		o["relationships"] = v.relationships(e.UID, inner(set, "relationships"))
	}
	return o
}

func (v trackerView) ofProgram(program string) map[string]bool {
	out := map[string]bool{}
	if p := v.c.programs[program]; p != nil {
		for _, a := range p.attributes {
			out[a.attribute] = true
		}
	}
	return out
}

func (v trackerView) notes(notes []note) []any {
	items := []any{}
	for _, n := range notes {
		items = append(items, object{"note": n.UID, "value": n.Value, "storedAt": stamp(n.Stored), "storedBy": n.By, "createdBy": v.person(n.By)})
	}
	return items
}

func (v trackerView) event(e *event, set *fieldSet) object {
	o := object{"event": e.UID, "program": v.id(kindProgram, e.Program), "programStage": v.id(kindStage, e.Stage), "enrollment": orNothing(e.Enrollment),
		"orgUnit": v.id(kindOrgUnit, e.OrgUnit), "status": e.Status, "occurredAt": timeOrNothing(e.Occurred), "scheduledAt": timeOrNothing(e.Scheduled),
		"completedAt": timeOrNothing(e.Completed), "completedBy": orNothing(e.CompletedBy), "attributeOptionCombo": v.id(kindOptionCombo, e.OptionCombo),
		"geometry": rawOrNothing(e.Geometry), "createdAtClient": timeOrNothing(e.CreatedAtClient), "updatedAtClient": timeOrNothing(e.UpdatedAtClient),
		"storedBy": e.CreatedBy, "notes": v.notes(e.Notes)}
	v.made(o, e.made)
	followUp := false
	if en := v.st.enrollments[e.Enrollment]; en != nil {
		o["trackedEntity"], followUp = en.Entity, en.FollowUp
		if v.m <= 40 {
			o["enrollmentStatus"] = en.Status
		}
	}
	if v.m <= 41 {
		o["followup"] = followUp
	}
	if v.m >= 41 {
		o["followUp"] = followUp
	}
	if u := v.c.orgUnits[e.OrgUnit]; v.m <= 40 && u != nil {
		o["orgUnitName"] = u.name
	}
	if oc := v.c.optionCombos[e.OptionCombo]; oc != nil {
		separator := ","
		if v.m <= 40 {
			separator = ";"
		}
		options := make([]string, 0, len(oc.options))
		for _, id := range oc.options {
			if s, ok := v.id(kindCategoryOption, id).(string); ok {
				options = append(options, s)
			}
		}
		o["attributeCategoryOptions"] = strings.Join(options, separator)
	}
	if u := v.c.usersByID[e.AssignedUser]; u != nil {
		o["assignedUser"] = v.person(u.username)
	}
	if set.wants("dataValues") {
		items := []any{}
		for _, d := range e.Values {
			items = append(items, object{"dataElement": v.id(kindDataElement, d.Element), "value": d.Value, "providedElsewhere": d.Elsewhere,
				"createdAt": stamp(d.Created), "updatedAt": stamp(d.Updated), "storedBy": d.StoredBy, "createdBy": v.person(d.StoredBy), "updatedBy": v.person(d.StoredBy)})
		}
		o["dataValues"] = items
	}
	if set.wants("relationships") {
		o["relationships"] = v.relationships(e.UID, inner(set, "relationships"))
	}
	return o
}

func (v trackerView) relationships(uid string, set *fieldSet) []any {
	items := []any{}
	for _, r := range v.st.relationsOf[uid] {
		if !r.Deleted || v.deleted {
			items = append(items, v.relationship(r, set))
		}
	}
	return items
}

func (v trackerView) relationship(r *relationship, set *fieldSet) object {
	o := object{"relationship": r.UID, "relationshipType": v.id(kindRelType, r.Type), "from": v.side(r.From, inner(set, "from")), "to": v.side(r.To, inner(set, "to"))}
	v.made(o, r.made)
	if t := v.c.relTypes[r.Type]; t != nil {
		o["relationshipName"], o["bidirectional"] = t.name, t.bidirectional
	}
	return o
}

// side shows one side of a relationship, without the relationships of what it points to: these would lead back.
func (v trackerView) side(it item, set *fieldSet) object {
	without := func(name string) *fieldSet {
		s := *inner(set, name)
		s.exclude = map[string]bool{"relationships": true, "enrollments": true, "events": true}
		for _, f := range s.fields {
			delete(s.exclude, f.name)
		}
		return &s
	}
	switch {
	case it.Entity != "":
		if t := v.st.entities[it.Entity]; t != nil {
			return object{"trackedEntity": project(v.entity(t, without("trackedEntity"), ""), without("trackedEntity"), plainSource{})}
		}
	case it.Enrollment != "":
		if e := v.st.enrollments[it.Enrollment]; e != nil {
			return object{"enrollment": project(v.enrollment(e, without("enrollment")), without("enrollment"), plainSource{})}
		}
	case it.Event != "":
		if e := v.st.events[it.Event]; e != nil {
			return object{"event": project(v.event(e, without("event")), without("event"), plainSource{})}
		}
	}
	return object{}
}
