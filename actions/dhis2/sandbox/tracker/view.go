package tracker

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
	"github.com/culvert/culvert/actions/dhis2/sandbox/fields"
	"github.com/culvert/culvert/actions/dhis2/sandbox/ids"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
	"github.com/culvert/culvert/actions/dhis2/sandbox/tracker/importer"
	"github.com/culvert/culvert/actions/dhis2/sandbox/version"
)

// view shows tracker objects to one user as the export API does. The store must be locked for reading.
type view struct {
	version version.Profile
	c       *catalog.Catalog
	st      *store.Store
	user    *catalog.User
	schemes map[string]string // by collection, from 2.42 on
	deleted bool              // deleted children are shown too
	listing bool              // a list is shown, not one object
}

// schemesKnown checks the schemes that a read asks for: one that is none is refused from 2.42 on, and an
// attribute that nobody knows.
func (c *call) schemesKnown() *rest.Problem {
	if c.Version < 42 {
		return nil
	}
	for name := range importer.Schemes {
		s := c.Query.Get(name)
		id, ofAttribute := strings.CutPrefix(s, "ATTRIBUTE:")
		switch {
		case s == "" || s == "UID" || s == "CODE" || s == "NAME":
		case !ofAttribute || !ids.Valid(id):
			return rest.Refuse(http.StatusBadRequest, "",
				"Value '%s' is not valid for parameter %s. Valid values are: [UID, CODE, NAME, ATTRIBUTE:attributeUid]", s, name)
		case c.Catalog.ByID[id].Obj == nil:
			return rest.Refuse(http.StatusUnprocessableEntity, "", "No attribute has the id %s of %s", id, name)
		}
	}
	return nil
}

func (c *call) trackerView(deleted bool) view {
	v := view{version: c.Version, c: c.Catalog, st: c.Store, user: c.User, schemes: map[string]string{}, deleted: deleted}
	if c.Version >= 42 {
		for name, kind := range importer.Schemes {
			if s := c.Query.Get(name); s != "" && s != "UID" {
				v.schemes[kind] = s
			}
		}
	}
	return v
}

// id gives the identifier of a metadata object in the scheme asked for.
func (v view) id(kind, uid string) any {
	scheme, ok := v.schemes[kind]
	if !ok {
		scheme, ok = v.schemes[""]
	}
	if !ok {
		return uid
	}
	o := v.c.ByID[uid].Obj
	switch scheme {
	case "CODE":
		return orNothing(catalog.Str(o, "code"))
	case "NAME":
		return orNothing(catalog.Str(o, "name"))
	}
	for _, av := range catalog.List(o, "attributeValues") {
		if "ATTRIBUTE:"+catalog.Ref(av, "attribute") == scheme {
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

func (v view) person(username string) any {
	u := v.c.Users[username]
	if u == nil {
		return nil
	}
	return object{"uid": u.UID, "username": u.Username, "firstName": u.FirstName, "surname": u.Surname}
}

func timeOrNothing(t *time.Time) any {
	if t == nil {
		return nil
	}
	return dates.Stamp(*t)
}

func rawOrNothing(r json.RawMessage) any {
	if len(r) == 0 {
		return nil
	}
	return r
}

func (v view) made(o object, m store.Made) {
	o["createdAt"], o["updatedAt"], o["deleted"] = dates.Stamp(m.Created), dates.Stamp(m.Updated), m.Deleted
	o["createdBy"], o["updatedBy"] = v.person(m.CreatedBy), v.person(m.UpdatedBy)
}

// entity shows a tracked entity with what is asked of it; program limits attributes and enrollments to one program.
func (v view) entity(t *store.TrackedEntity, set *fields.Set, program string) object {
	o := object{"trackedEntity": t.UID, "trackedEntityType": v.id(catalog.KindTEType, t.Type),
		"orgUnit": v.id(catalog.KindOrgUnit, t.OrgUnit), "inactive": t.Inactive,
		"potentialDuplicate": t.Duplicate, "geometry": rawOrNothing(t.Geometry),
		"createdAtClient": timeOrNothing(t.CreatedAtClient),
		"updatedAtClient": timeOrNothing(t.UpdatedAtClient)}
	v.made(o, t.Made)
	if set.Wants("attributes") {
		visible := v.visible(t.Type, program)
		if v.version == 41 && v.listing && v.user.Super {
			v.showAll(visible)
		}
		o["attributes"] = v.attributes(t, visible)
	}
	if set.Wants("enrollments") {
		items := []any{}
		for _, e := range v.st.EnrollmentsOf[t.UID] {
			if (!e.Deleted || v.deleted) && (program == "" || e.Program == program) && v.mayRead(e.Program) {
				items = append(items, v.enrollment(e, inner(set, "enrollments")))
			}
		}
		o["enrollments"] = items
	}
	if set.Wants("relationships") {
		o["relationships"] = v.relationships(t.UID, inner(set, "relationships"))
	}
	if set.Wants("programOwners") {
		o["programOwners"] = v.owners(t, program)
	}
	return o
}

// inner is what is asked of a property that holds objects: everything, unless it is said.
func inner(set *fields.Set, name string) *fields.Set {
	if sub := set.SubOf(name); sub != nil {
		return sub
	}
	return &fields.Set{Presets: []string{"all"}, Exclude: map[string]bool{}}
}

func (v view) mayRead(program string) bool {
	p := v.c.Programs[program]
	return p == nil || p.Sharing.DataRead(v.user)
}

// visible are the attributes that a tracked entity shows: those of its type, and those of the program asked for.
func (v view) visible(entityType, program string) map[string]bool {
	out := map[string]bool{}
	if t := v.c.Types[entityType]; t != nil {
		for _, a := range t.Attributes {
			out[a.Attribute] = true
		}
	}
	for _, p := range v.c.Programs {
		if p.UID == program || program == "" && v.version.AllAttributes() && p.EntityType == entityType && v.mayRead(p.UID) {
			for _, a := range p.Attributes {
				out[a.Attribute] = true
			}
		}
	}
	return out
}

// showAll: lists of 2.41 show a superuser the attributes of all programs (TrackedEntityAggregate.filterAttributes).
func (v view) showAll(visible map[string]bool) {
	for _, p := range v.c.Programs {
		for _, a := range p.Attributes {
			visible[a.Attribute] = true
		}
	}
}

func (v view) attributes(t *store.TrackedEntity, visible map[string]bool) []any {
	items := []any{}
	if t == nil {
		return items
	}
	for _, a := range t.Attributes {
		def := v.c.Attributes[a.Attribute]
		if !visible[a.Attribute] || def == nil {
			continue
		}
		items = append(items, object{"attribute": v.id(catalog.KindAttribute, a.Attribute), "code": orNothing(def.Code),
			"displayName": def.Name, "value": a.Value,
			"valueType": def.ValueType, "createdAt": dates.Stamp(a.Created), "updatedAt": dates.Stamp(a.Updated),
			"storedBy": a.StoredBy})
	}
	return items
}

// owners are those of every program, but of one alone where a tracked entity is asked for as that program knows it.
func (v view) owners(t *store.TrackedEntity, program string) []any {
	items := []any{}
	for _, o := range t.Owners {
		if !v.listing && program != "" && program != o.Program {
			continue
		}
		items = append(items, object{"orgUnit": v.id(catalog.KindOrgUnit, o.OrgUnit),
			"program": v.id(catalog.KindProgram, o.Program), "trackedEntity": t.UID})
	}
	return items
}

func (v view) enrollment(e *store.Enrollment, set *fields.Set) object {
	o := object{"enrollment": e.UID, "trackedEntity": e.Entity, "program": v.id(catalog.KindProgram, e.Program),
		"orgUnit": v.id(catalog.KindOrgUnit, e.OrgUnit),
		"status":  e.Status, "enrolledAt": dates.Stamp(e.Enrolled), "occurredAt": timeOrNothing(e.Occurred),
		"completedAt": timeOrNothing(e.Completed),
		"completedBy": orNothing(e.CompletedBy), "followUp": e.FollowUp, "geometry": rawOrNothing(e.Geometry),
		"createdAtClient": timeOrNothing(e.CreatedAtClient), "updatedAtClient": timeOrNothing(e.UpdatedAtClient),
		"notes": v.notes(e.Notes)}
	v.made(o, e.Made)
	if v.version <= 40 {
		if u := v.c.OrgUnits[e.OrgUnit]; u != nil {
			o["orgUnitName"] = u.Name
		}
	}
	if v.version >= 43 {
		o["attributeOptionCombo"] = v.id(catalog.KindOptionCombo, e.OptionCombo)
	}
	if set.Wants("attributes") {
		o["attributes"] = v.attributes(v.st.Entities[e.Entity], v.ofProgram(e.Program))
	}
	if set.Wants("events") {
		items := []any{}
		for _, ev := range v.st.EventsOf[e.UID] {
			if !ev.Deleted || v.deleted {
				items = append(items, v.event(ev, inner(set, "events")))
			}
		}
		o["events"] = items
	}
	if set.Wants("relationships") {
		o["relationships"] = v.relationships(e.UID, inner(set, "relationships"))
	}
	return o
}

func (v view) ofProgram(program string) map[string]bool {
	out := map[string]bool{}
	if p := v.c.Programs[program]; p != nil {
		for _, a := range p.Attributes {
			out[a.Attribute] = true
		}
	}
	return out
}

func (v view) event(e *store.Event, set *fields.Set) object {
	o := object{"event": e.UID, "program": v.id(catalog.KindProgram, e.Program),
		"programStage": v.id(catalog.KindStage, e.Stage), "enrollment": orNothing(e.Enrollment),
		"orgUnit": v.id(catalog.KindOrgUnit, e.OrgUnit), "status": e.Status, "occurredAt": timeOrNothing(e.Occurred),
		"scheduledAt": timeOrNothing(e.Scheduled),
		"completedAt": timeOrNothing(e.Completed), "completedBy": orNothing(e.CompletedBy),
		"attributeOptionCombo": v.id(catalog.KindOptionCombo, e.OptionCombo),
		"geometry":             rawOrNothing(e.Geometry), "createdAtClient": timeOrNothing(e.CreatedAtClient),
		"updatedAtClient": timeOrNothing(e.UpdatedAtClient),
		"storedBy":        e.CreatedBy, "notes": v.notes(e.Notes)}
	v.made(o, e.Made)
	followUp := false
	if en := v.st.Enrollments[e.Enrollment]; en != nil {
		o["trackedEntity"], followUp = en.Entity, en.FollowUp
		if v.version <= 40 {
			o["enrollmentStatus"] = en.Status
		}
	}
	if v.version <= 41 {
		o["followup"] = followUp
	}
	if v.version >= 41 {
		o["followUp"] = followUp
	}
	if u := v.c.OrgUnits[e.OrgUnit]; v.version <= 40 && u != nil {
		o["orgUnitName"] = u.Name
	}
	if oc := v.c.OptionCombos[e.OptionCombo]; oc != nil {
		separator := ","
		if v.version <= 40 {
			separator = ";"
		}
		options := make([]string, 0, len(oc.Options))
		for _, id := range oc.Options {
			if s, ok := v.id(catalog.KindCategoryOption, id).(string); ok {
				options = append(options, s)
			}
		}
		o["attributeCategoryOptions"] = strings.Join(options, separator)
	}
	if u := v.c.UsersByID[e.AssignedUser]; u != nil {
		o["assignedUser"] = v.person(u.Username)
	}
	if set.Wants("dataValues") {
		items := []any{}
		for _, d := range e.Values {
			items = append(items, object{"dataElement": v.id(catalog.KindDataElement, d.Element), "value": d.Value,
				"providedElsewhere": d.Elsewhere,
				"createdAt":         dates.Stamp(d.Created), "updatedAt": dates.Stamp(d.Updated), "storedBy": d.StoredBy,
				"createdBy": v.person(d.StoredBy), "updatedBy": v.person(d.StoredBy)})
		}
		o["dataValues"] = items
	}
	if set.Wants("relationships") {
		o["relationships"] = v.relationships(e.UID, inner(set, "relationships"))
	}
	return o
}
