package sandbox

import "strings"

// bundle reads the whole request.
func (d *decoder) bundle(root *node) *bundle {
	b := &bundle{}
	if root.kind != jsonObject {
		d.fail("Cannot deserialize value of type `org.hisp.dhis.webapi.controller.tracker.imports.Body` from %s", root.kind)
		return b
	}
	var nestedEnrollments []*enrollmentIn
	var nestedEvents []*eventIn
	var nestedRelations []*relationshipIn
	relations := func(n *node) {
		for _, r := range d.list(n, "relationships") {
			nestedRelations = append(nestedRelations, d.relationship(r))
		}
	}
	eventsOf := func(n *node, parent *enrollmentIn, into *[]*eventIn) {
		for _, e := range d.list(n, "events") {
			ev := d.event(e)
			if parent != nil {
				ev.enrollment = parent.uid
			}
			relations(e)
			*into = append(*into, ev)
		}
	}
	enrollmentsOf := func(n *node, parent *entityIn, into *[]*enrollmentIn) {
		for _, e := range d.list(n, "enrollments") {
			en := d.enrollment(e)
			if parent != nil {
				en.entity = parent.uid
			}
			eventsOf(e, en, &nestedEvents)
			relations(e)
			*into = append(*into, en)
		}
	}
	for _, t := range d.list(root, "trackedEntities") {
		te := d.entity(t)
		enrollmentsOf(t, te, &nestedEnrollments)
		relations(t)
		b.entities = append(b.entities, te)
	}
	enrollmentsOf(root, nil, &b.enrollments)
	eventsOf(root, nil, &b.events)
	for _, r := range d.list(root, "relationships") {
		b.relationships = append(b.relationships, d.relationship(r))
	}
	b.enrollments = append(b.enrollments, nestedEnrollments...)
	b.events = append(b.events, nestedEvents...)
	b.relationships = append(b.relationships, nestedRelations...)
	return b
}

func orNew(uid string) string {
	if uid == "" {
		return newUID()
	}
	return uid
}

func (d *decoder) entity(n *node) *entityIn {
	return &entityIn{uid: orNew(d.uid(n, "trackedEntity")), typeID: d.text(n, "trackedEntityType"), orgUnitID: d.text(n, "orgUnit"),
		inactive: d.flag(n, "inactive"), duplicate: d.flag(n, "potentialDuplicate"), geometry: d.geometry(n),
		createdAtClient: d.date(n, "createdAtClient"), updatedAtClient: d.date(n, "updatedAtClient"), attributes: d.attributes(n)}
}

func (d *decoder) attributes(n *node) []attributeIn {
	items := d.list(n, "attributes")
	out := make([]attributeIn, 0, len(items))
	for _, a := range items {
		out = append(out, attributeIn{id: d.text(a, "attribute"), value: emptyIsNil(d.optional(a, "value"))})
	}
	return out
}

// emptyIsNil: an empty value clears like null does.
func emptyIsNil(p *string) *string {
	if p != nil && *p == "" {
		return nil
	}
	return p
}

func (d *decoder) notes(n *node) []noteIn {
	var out []noteIn
	for _, x := range d.list(n, "notes") {
		out = append(out, noteIn{orNew(d.uid(x, "note")), d.text(x, "value")})
	}
	return out
}

func (d *decoder) enrollment(n *node) *enrollmentIn {
	e := &enrollmentIn{uid: orNew(d.uid(n, "enrollment")), entity: d.uid(n, "trackedEntity"), programID: d.text(n, "program"),
		orgUnitID: d.text(n, "orgUnit"), status: d.enum(n, "status", "ACTIVE", "COMPLETED", "CANCELLED"), enrolled: d.date(n, "enrolledAt"),
		occurred: d.date(n, "occurredAt"), completed: d.date(n, "completedAt"), createdAtClient: d.date(n, "createdAtClient"),
		updatedAtClient: d.date(n, "updatedAtClient"), followUp: d.flag(n, "followUp"), geometry: d.geometry(n), attributes: d.attributes(n), notes: d.notes(n)}
	if d.m >= 43 {
		e.comboID = d.text(n, "attributeOptionCombo")
	}
	if e.status == "" && d.m.enrollmentDefaultsActive() {
		e.status = "ACTIVE"
	}
	return e
}

func (d *decoder) event(n *node) *eventIn {
	e := &eventIn{uid: orNew(d.uid(n, "event")), enrollment: d.uid(n, "enrollment"), programID: d.text(n, "program"), stageID: d.text(n, "programStage"),
		orgUnitID: d.text(n, "orgUnit"), status: d.enum(n, "status", "ACTIVE", "COMPLETED", "VISITED", "SCHEDULE", "OVERDUE", "SKIPPED"),
		occurred: d.date(n, "occurredAt"), scheduled: d.date(n, "scheduledAt"), completed: d.date(n, "completedAt"),
		createdAtClient: d.date(n, "createdAtClient"), updatedAtClient: d.date(n, "updatedAtClient"), comboID: d.text(n, "attributeOptionCombo"),
		geometry: d.geometry(n), notes: d.notes(n)}
	d.uid(n, "trackedEntity") // taken from the enrollment, but it must be a uid all the same
	if e.status == "" {
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
		if a.kind == jsonObject {
			e.assignedUID, e.assignedName = d.text(a, "uid"), d.text(a, "username")
		} else {
			e.assignedUID = d.text(n, "assignedUser")
		}
		e.hasAssigned = e.assignedUID != "" || e.assignedName != ""
	}
	items := d.list(n, "dataValues")
	e.values = make([]valueIn, 0, len(items))
	for _, v := range items {
		e.values = append(e.values, valueIn{id: d.text(v, "dataElement"), value: emptyIsNil(d.optional(v, "value")), elsewhere: d.flag(v, "providedElsewhere")})
	}
	return e
}

func (d *decoder) relationship(n *node) *relationshipIn {
	r := &relationshipIn{uid: orNew(d.uid(n, "relationship")), typeID: d.text(n, "relationshipType")}
	r.from, r.fromCount = d.item(n, "from")
	r.to, r.toCount = d.item(n, "to")
	return r
}

// item reads one side of a relationship: objects that hold the uid, or the uid itself as before 2.38.
func (d *decoder) item(n *node, side string) (*item, int) {
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
