package sandbox

import (
	"slices"
	"strings"
)

// bundleDecoder reads the body of an import.
type bundleDecoder struct {
	decoder
	blind bool // values were sent as null
}

// bundle reads the whole request: what stands inside a parent comes before what stands beside it (DHIS2 BodyConverter).
func (d *bundleDecoder) bundle(root *node) *bundle {
	b := &bundle{}
	if root.kind != jsonObject {
		d.fail("Cannot deserialize value of type `org.hisp.dhis.webapi.controller.tracker.imports.Body` from %s", root.kind)
		return b
	}
	var ofEntities, ofEnrollments, ofEvents relations
	enrollment := func(n *node, entity string) {
		e := d.enrollment(n)
		if entity != "" {
			e.entity = entity
		}
		for _, child := range d.list(n, "events") {
			ev := d.event(child)
			ev.enrollment = e.uid
			ofEvents.read(d, child)
			b.events = append(b.events, ev)
		}
		ofEnrollments.read(d, n)
		b.enrollments = append(b.enrollments, e)
	}
	for _, t := range d.list(root, "trackedEntities") {
		te := d.entity(t)
		for _, child := range d.list(t, "enrollments") {
			enrollment(child, te.uid)
		}
		ofEntities.read(d, t)
		b.entities = append(b.entities, te)
	}
	for _, n := range d.list(root, "enrollments") {
		enrollment(n, "")
	}
	for _, n := range d.list(root, "events") {
		b.events = append(b.events, d.event(n))
		ofEvents.read(d, n)
	}
	b.relationships = append(append(append(b.relationships, ofEntities...), ofEnrollments...), ofEvents...)
	for _, r := range d.list(root, "relationships") {
		b.relationships = append(b.relationships, d.relationship(r))
	}
	return b
}

// relations are those that stand inside other objects.
type relations []*relationshipIn

func (r *relations) read(d *bundleDecoder, n *node) {
	for _, it := range d.list(n, "relationships") {
		*r = append(*r, d.relationship(it))
	}
}

func orNew(uid string) string {
	if uid == "" {
		return newUID()
	}
	return uid
}

func (d *bundleDecoder) entity(n *node) *entityIn {
	return &entityIn{uid: orNew(d.uid(n, "trackedEntity")), typeID: d.text(n, "trackedEntityType"), orgUnitID: d.text(n, "orgUnit"),
		inactive: d.flag(n, "inactive"), duplicate: d.flag(n, "potentialDuplicate"), geometry: d.geometry(n),
		createdAtClient: d.date(n, "createdAtClient"), updatedAtClient: d.date(n, "updatedAtClient"), attributes: d.attributes(n)}
}

func (d *bundleDecoder) attributes(n *node) []attributeIn {
	items := brokenApart(d.values(n, "attributes"))
	out := make([]attributeIn, 0, len(items))
	for _, a := range items {
		out = append(out, attributeIn{id: d.text(a, "attribute"), value: emptyIsNil(d.optional(a, "value"))})
	}
	return out
}

// values reads a list of values. When one is null a real server's look-up of what a request names fails without a word.
func (d *bundleDecoder) values(n *node, name string) []*node {
	if n.has(name) && n.get(name) == nil {
		d.blind = true
		return nil
	}
	return d.list(n, name)
}

// brokenApart gives the items of a list as DHIS2's parser sees them where the value of one is an object: it reads no value, takes the fields of that
// object for fields of the item, ends the item where the object ends, and begins another with what follows (EmptyStringToNullStdDeserializer).
func brokenApart(items []*node) []*node {
	out := make([]*node, 0, len(items))
	for _, it := range items {
		for {
			at := slices.IndexFunc(it.fields, func(f field) bool { return f.name == "value" && f.value.kind == jsonObject })
			if at < 0 {
				break
			}
			first := &node{kind: jsonObject, fields: append(append([]field{}, it.fields[:at]...), it.fields[at].value.fields...)}
			out = append(out, first)
			it = &node{kind: jsonObject, fields: it.fields[at+1:]}
		}
		out = append(out, it)
	}
	return out
}

func (d *bundleDecoder) notes(n *node) []noteIn {
	var out []noteIn
	for _, x := range d.list(n, "notes") {
		if it := (noteIn{orNew(d.uid(x, "note")), d.text(x, "value")}); it.value != "" { // one without a text is not looked at
			out = append(out, it)
		}
	}
	return out
}

func (d *bundleDecoder) enrollment(n *node) *enrollmentIn {
	e := &enrollmentIn{uid: orNew(d.uid(n, "enrollment")), entity: d.uid(n, "trackedEntity"), programID: d.text(n, "program"),
		orgUnitID: d.text(n, "orgUnit"), status: d.enum(n, "status", "ACTIVE", "COMPLETED", "CANCELLED"), enrolled: d.date(n, "enrolledAt"),
		occurred: d.date(n, "occurredAt"), completed: d.date(n, "completedAt"), createdAtClient: d.date(n, "createdAtClient"),
		updatedAtClient: d.date(n, "updatedAtClient"), followUp: d.flag(n, "followUp"), geometry: d.geometry(n), attributes: d.attributes(n), notes: d.notes(n)}
	if d.m >= 43 {
		e.comboID = d.text(n, "attributeOptionCombo")
	}
	if !n.has("status") && d.m.enrollmentDefaultsActive() {
		e.status = "ACTIVE"
	}
	return e
}

func (d *bundleDecoder) event(n *node) *eventIn {
	e := &eventIn{uid: orNew(d.uid(n, "event")), enrollment: d.uid(n, "enrollment"), programID: d.text(n, "program"), stageID: d.text(n, "programStage"),
		orgUnitID: d.text(n, "orgUnit"), status: d.enum(n, "status", "ACTIVE", "COMPLETED", "VISITED", "SCHEDULE", "OVERDUE", "SKIPPED"),
		occurred: d.date(n, "occurredAt"), scheduled: d.date(n, "scheduledAt"), completed: d.date(n, "completedAt"),
		createdAtClient: d.date(n, "createdAtClient"), updatedAtClient: d.date(n, "updatedAtClient"), comboID: d.text(n, "attributeOptionCombo"),
		geometry: d.geometry(n), notes: d.notes(n)}
	d.uid(n, "trackedEntity") // taken from the enrollment, but it must be a uid all the same
	if !n.has("status") {
		e.status = "ACTIVE"
	}
	separator := ","
	if d.m <= 40 {
		separator = ";"
	}
	for _, o := range strings.Split(d.text(n, "attributeCategoryOptions"), separator) {
		if o = strings.TrimSpace(o); o != "" {
			e.optionIDs = append(e.optionIDs, o)
		}
	}
	if a := n.get("assignedUser"); a != nil {
		if a.kind != jsonObject {
			d.fail("Cannot construct instance of `org.hisp.dhis.webapi.controller.tracker.view.User` from %s", a.kind)
		}
		e.assignedUser = &userRef{uid: d.text(a, "uid"), username: d.text(a, "username")}
	}
	items := brokenApart(d.values(n, "dataValues"))
	e.values = make([]valueIn, 0, len(items))
	for _, v := range items {
		e.values = append(e.values, valueIn{id: d.text(v, "dataElement"), value: emptyIsNil(d.optional(v, "value")), elsewhere: d.flag(v, "providedElsewhere")})
	}
	return e
}

func (d *bundleDecoder) relationship(n *node) *relationshipIn {
	r := &relationshipIn{uid: orNew(d.uid(n, "relationship")), typeID: d.text(n, "relationshipType")}
	r.from, r.fromCount = d.item(n, "from")
	r.to, r.toCount = d.item(n, "to")
	return r
}

// item reads one side of a relationship: objects that hold the uid, or the uid itself as before 2.38.
func (d *bundleDecoder) item(n *node, side string) (*item, int) {
	v := n.get(side)
	if v == nil {
		return nil, 0
	}
	if v.kind != jsonObject {
		d.fail("Cannot deserialize the %s of a relationship from %s", side, v.kind)
		return nil, 0
	}
	read := func(name string) string {
		inner := v.get(name)
		if inner == nil {
			return ""
		}
		if inner.kind == jsonObject {
			return d.uid(inner, name)
		}
		return d.uid(v, name)
	}
	it := &item{Entity: read("trackedEntity"), Enrollment: read("enrollment"), Event: read("event")}
	count := 0
	for _, uid := range []string{it.Entity, it.Enrollment, it.Event} {
		if uid != "" {
			count++
		}
	}
	return it, count
}
