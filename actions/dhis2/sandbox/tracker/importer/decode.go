package importer

import (
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/ids"
	"github.com/culvert/culvert/actions/dhis2/sandbox/jsontree"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

// bundleDecoder reads the body of an import.
type bundleDecoder struct {
	rest.Decoder
	blind bool // values were sent as null
}

// bundle reads the whole request: what stands inside a parent comes before what stands beside it (DHIS2 BodyConverter).
func (d *bundleDecoder) bundle(root *jsontree.Node) *Bundle {
	b := &Bundle{}
	if root.Kind != jsontree.Object {
		d.Fail("Cannot deserialize value of type `org.hisp.dhis.webapi.controller.tracker.imports.Body` from %s", root.Kind)
		return b
	}
	var ofEntities, ofEnrollments, ofEvents relations
	enrollment := func(n *jsontree.Node, entity string) {
		e := d.enrollment(n)
		if entity != "" {
			e.entity = entity
		}
		for _, child := range d.List(n, "events") {
			ev := d.event(child)
			ev.enrollment = e.uid
			ofEvents.read(d, child)
			b.events = append(b.events, ev)
		}
		ofEnrollments.read(d, n)
		b.enrollments = append(b.enrollments, e)
	}
	for _, t := range d.List(root, "trackedEntities") {
		te := d.entity(t)
		for _, child := range d.List(t, "enrollments") {
			enrollment(child, te.uid)
		}
		ofEntities.read(d, t)
		b.entities = append(b.entities, te)
	}
	for _, n := range d.List(root, "enrollments") {
		enrollment(n, "")
	}
	for _, n := range d.List(root, "events") {
		b.events = append(b.events, d.event(n))
		ofEvents.read(d, n)
	}
	b.relationships = append(append(append(b.relationships, ofEntities...), ofEnrollments...), ofEvents...)
	for _, r := range d.List(root, "relationships") {
		b.relationships = append(b.relationships, d.relationship(r))
	}
	return b
}

// relations are those that stand inside other objects.
type relations []*relationshipIn

func (r *relations) read(d *bundleDecoder, n *jsontree.Node) {
	for _, it := range d.List(n, "relationships") {
		*r = append(*r, d.relationship(it))
	}
}

// unused reads what a server keeps itself and takes from nobody: it must be of its kind all the same.
func (d *bundleDecoder) unused(n *jsontree.Node) {
	d.Date(n, "createdAt")
	d.Date(n, "updatedAt")
	for _, name := range []string{"createdBy", "updatedBy"} {
		d.user(n, name)
	}
}

// user reads a person of the server, who is given as an object.
func (d *bundleDecoder) user(n *jsontree.Node, name string) *userRef {
	a := n.Get(name)
	if a == nil {
		return nil
	}
	if a.Kind != jsontree.Object {
		d.Fail("Cannot construct instance of `org.hisp.dhis.webapi.controller.tracker.view.User` from %s", a.Kind)
		return nil
	}
	return &userRef{uid: d.Text(a, "uid"), username: d.Text(a, "username")}
}

func (d *bundleDecoder) entity(n *jsontree.Node) *entityIn {
	d.unused(n)
	return &entityIn{uid: ids.OrNew(d.UID(n, "trackedEntity")), typeID: d.Text(n, "trackedEntityType"),
		orgUnitID: d.Text(n, "orgUnit"),
		inactive:  d.Flag(n, "inactive"), duplicate: d.Flag(n, "potentialDuplicate"), geometry: d.geometry(n),
		createdAtClient: d.Date(n, "createdAtClient"), updatedAtClient: d.Date(n, "updatedAtClient"),
		attributes: d.attributes(n)}
}

func (d *bundleDecoder) attributes(n *jsontree.Node) []attributeIn {
	items := brokenApart(d.values(n, "attributes"))
	out := make([]attributeIn, 0, len(items))
	for _, a := range items {
		out = append(out, attributeIn{id: d.Text(a, "attribute"), value: d.value(a)})
	}
	return out
}

// values reads a list of values. When it or one of it is null a real server's look-up of what a request names fails without a word.
func (d *bundleDecoder) values(n *jsontree.Node, name string) []*jsontree.Node {
	v := n.Get(name)
	isNull := func(it *jsontree.Node) bool { return it.Kind == jsontree.Null }
	if n.Has(name) && v == nil || v != nil && v.Kind == jsontree.Array && slices.ContainsFunc(v.Items, isNull) {
		d.blind = true
		return nil
	}
	return d.List(n, name)
}

// value reads the value of an attribute or data element; a list is none to DHIS2.
func (d *bundleDecoder) value(n *jsontree.Node) *string {
	if v := n.Get("value"); v != nil && v.Kind == jsontree.Array {
		return nil
	}
	return rest.EmptyIsNil(d.Optional(n, "value"))
}

// brokenApart gives the items of a list as DHIS2's parser sees them where the value of one is an
// object: it reads no value, takes the fields of that object for fields of the item, ends the item
// where the object ends, and begins another with what follows (EmptyStringToNullStdDeserializer).
func brokenApart(items []*jsontree.Node) []*jsontree.Node {
	out := make([]*jsontree.Node, 0, len(items))
	for _, it := range items {
		for {
			at := slices.IndexFunc(it.Fields, func(f jsontree.Field) bool {
				return f.Name == "value" &&
					f.Value.Kind == jsontree.Object
			})
			if at < 0 {
				break
			}
			first := &jsontree.Node{Kind: jsontree.Object,
				Fields: append(append([]jsontree.Field{}, it.Fields[:at]...), it.Fields[at].Value.Fields...)}
			out = append(out, first)
			it = &jsontree.Node{Kind: jsontree.Object, Fields: it.Fields[at+1:]}
		}
		out = append(out, it)
	}
	return out
}

func (d *bundleDecoder) notes(n *jsontree.Node) []noteIn {
	var out []noteIn
	for _, x := range d.List(n, "notes") {
		// one without a text is not looked at
		if it := (noteIn{ids.OrNew(d.UID(x, "note")), d.Text(x, "value")}); it.value != "" {
			out = append(out, it)
		}
	}
	return out
}

func (d *bundleDecoder) enrollment(n *jsontree.Node) *enrollmentIn {
	d.unused(n)
	e := &enrollmentIn{uid: ids.OrNew(d.UID(n, "enrollment")), entity: d.UID(n, "trackedEntity"),
		programID: d.Text(n, "program"),
		orgUnitID: d.Text(n, "orgUnit"), status: d.Enum(n, "status", "ACTIVE", "COMPLETED", "CANCELLED"),
		enrolled: d.Date(n, "enrolledAt"),
		occurred: d.Date(n, "occurredAt"), completed: d.Date(n, "completedAt"), createdAtClient: d.Date(n, "createdAtClient"),
		updatedAtClient: d.Date(n, "updatedAtClient"), followUp: d.Flag(n, "followUp"), geometry: d.geometry(n),
		attributes: d.attributes(n), notes: d.notes(n)}
	if d.Version >= 43 {
		e.comboID = d.Text(n, "attributeOptionCombo")
	}
	if !n.Has("status") && d.Version.EnrollmentDefaultsActive() {
		e.status = "ACTIVE"
	}
	return e
}

func (d *bundleDecoder) event(n *jsontree.Node) *eventIn {
	d.unused(n)
	e := &eventIn{uid: ids.OrNew(d.UID(n, "event")), enrollment: d.UID(n, "enrollment"), programID: d.Text(n, "program"),
		stageID:   d.Text(n, "programStage"),
		orgUnitID: d.Text(n, "orgUnit"), status: d.Enum(n, "status", "ACTIVE", "COMPLETED", "VISITED", "SCHEDULE", "OVERDUE",
			"SKIPPED"),
		occurred: d.Date(n, "occurredAt"), scheduled: d.Date(n, "scheduledAt"), completed: d.Date(n, "completedAt"),
		createdAtClient: d.Date(n, "createdAtClient"), updatedAtClient: d.Date(n, "updatedAtClient"),
		comboID:  d.Text(n, "attributeOptionCombo"),
		geometry: d.geometry(n), notes: d.notes(n)}
	d.UID(n, "trackedEntity") // taken from the enrollment, but it must be a uid all the same
	if !n.Has("status") {
		e.status = "ACTIVE"
	}
	separator := ","
	if d.Version <= 40 {
		separator = ";"
	}
	for _, o := range strings.Split(d.Text(n, "attributeCategoryOptions"), separator) {
		if o = strings.TrimSpace(o); o != "" {
			e.optionIDs = append(e.optionIDs, o)
		}
	}
	e.assignedUser = d.user(n, "assignedUser")
	items := brokenApart(d.values(n, "dataValues"))
	e.values = make([]valueIn, 0, len(items))
	for _, v := range items {
		e.values = append(e.values, valueIn{id: d.Text(v, "dataElement"), value: d.value(v),
			elsewhere: d.Flag(v, "providedElsewhere")})
	}
	return e
}

func (d *bundleDecoder) relationship(n *jsontree.Node) *relationshipIn {
	r := &relationshipIn{uid: ids.OrNew(d.UID(n, "relationship")), typeID: d.Text(n, "relationshipType")}
	r.from, r.fromCount = d.item(n, "from")
	r.to, r.toCount = d.item(n, "to")
	return r
}

// item reads one side of a relationship: objects that hold the uid, or the uid itself as before 2.38.
func (d *bundleDecoder) item(n *jsontree.Node, side string) (*store.Item, int) {
	v := n.Get(side)
	if v == nil {
		return nil, 0
	}
	if v.Kind != jsontree.Object {
		d.Fail("Cannot deserialize the %s of a relationship from %s", side, v.Kind)
		return nil, 0
	}
	read := func(name string) string {
		inner := v.Get(name)
		if inner == nil {
			return ""
		}
		if inner.Kind == jsontree.Object {
			return d.UID(inner, name)
		}
		return d.UID(v, name)
	}
	it := &store.Item{Entity: read("trackedEntity"), Enrollment: read("enrollment"), Event: read("event")}
	count := 0
	for _, uid := range []string{it.Entity, it.Enrollment, it.Event} {
		if uid != "" {
			count++
		}
	}
	return it, count
}
