package dhis2

import (
	"context"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
)

// Newest wins: what an older record says of an object is not sent where something newer was delivered. With every object is kept, in its digest, the order
// of what was delivered last and which fields that set, its shape. An older record still sets what no newer one has set: a laboratory's form that failed
// brings its values to the event that a visit has changed since. Fields that the last write did not set, and that another had set before, have a digest of
// their own, named by object and field.

// The parts of a digest's mark.
const (
	shapeBits = actions.MaxShape
	// markUnversioned: what was delivered last had no version, so that its place counts too.
	markUnversioned = 1 << 14
	// markApart: the object's status was changed by itself, and has a digest of its own.
	markApart = 1 << 15
)

// allFields is the shape of what sets every field, and of what was deleted.
const allFields = 0

// Names of fields that are no attributes or data elements.
const (
	fieldOrgUnit   = "orgUnit"
	fieldGeometry  = "geometry"
	fieldStatus    = "status"
	fieldEnrolled  = "enrolledAt"
	fieldOccurred  = "occurredAt"
	fieldScheduled = "scheduledAt"
	fieldFollowUp  = "followUp"
	fieldCombo     = "attributeOptionCombo"
	fieldAssigned  = "assignedUser"
)

// fieldsOf lists what a write sets, nil for what is written as a whole.
func fieldsOf(o actions.Object) []string {
	var list []string
	add := func(set bool, field string) {
		if set {
			list = append(list, field)
		}
	}
	attributes := func(values []client.AttributeValue) {
		for _, v := range values {
			list = append(list, v.Attribute)
		}
	}
	switch o := o.(type) {
	case *trackedEntityWrite:
		add(o.orgUnit != nil, fieldOrgUnit)
		add(o.geometry != nil, fieldGeometry)
		attributes(o.values)
	case *enrollmentWrite:
		b := &o.body
		add(b.OrgUnit != "", fieldOrgUnit)
		add(b.Geometry != nil, fieldGeometry)
		add(b.Status != "" || b.CompletedAt != "", fieldStatus)
		add(b.EnrolledAt != "", fieldEnrolled)
		add(b.OccurredAt != "", fieldOccurred)
		add(o.followUp, fieldFollowUp)
		add(b.AttributeOptionCombo != "", fieldCombo)
		attributes(b.Attributes)
	case *eventWrite:
		b := &o.body
		add(b.OrgUnit != "", fieldOrgUnit)
		add(b.Geometry != nil, fieldGeometry)
		add(b.Status != "" || b.CompletedAt != "", fieldStatus)
		add(b.OccurredAt != "", fieldOccurred)
		add(b.ScheduledAt != "", fieldScheduled)
		add(b.AttributeOptionCombo != "", fieldCombo)
		add(b.AssignedUser != nil, fieldAssigned)
		for _, v := range b.DataValues {
			list = append(list, v.DataElement)
		}
	}
	slices.Sort(list)
	return list
}

// only gives a write with nothing but some of its fields.
func only(o actions.Object, fields []string) actions.Object {
	drop := func(field string) bool { return !slices.Contains(fields, field) }
	attributes := func(values []client.AttributeValue) []client.AttributeValue {
		return slices.DeleteFunc(slices.Clone(values), func(v client.AttributeValue) bool { return drop(v.Attribute) })
	}
	clear := func(text *string, field string) {
		if drop(field) {
			*text = ""
		}
	}
	switch o := o.(type) {
	case *trackedEntityWrite:
		c := *o
		if drop(fieldOrgUnit) {
			c.orgUnit = nil
		}
		if drop(fieldGeometry) {
			c.geometry = nil
		}
		c.values = attributes(o.values)
		return &c
	case *enrollmentWrite:
		c := *o
		b := &c.body
		for field, texts := range map[string][]*string{fieldOrgUnit: {&b.OrgUnit}, fieldStatus: {&b.Status, &b.CompletedAt}, fieldEnrolled: {&b.EnrolledAt},
			fieldOccurred: {&b.OccurredAt}, fieldCombo: {&b.AttributeOptionCombo}} {
			for _, text := range texts {
				clear(text, field)
			}
		}
		if drop(fieldGeometry) {
			b.Geometry = nil
		}
		c.followUp = c.followUp && !drop(fieldFollowUp)
		b.Attributes = attributes(b.Attributes)
		return &c
	case *eventWrite:
		c := *o
		b := &c.body
		for field, texts := range map[string][]*string{fieldOrgUnit: {&b.OrgUnit}, fieldStatus: {&b.Status, &b.CompletedAt}, fieldOccurred: {&b.OccurredAt},
			fieldScheduled: {&b.ScheduledAt}, fieldCombo: {&b.AttributeOptionCombo}} {
			for _, text := range texts {
				clear(text, field)
			}
		}
		if drop(fieldGeometry) {
			b.Geometry = nil
		}
		if drop(fieldAssigned) {
			b.AssignedUser = nil
		}
		b.DataValues = slices.DeleteFunc(slices.Clone(b.DataValues), func(v client.EventValue) bool { return drop(v.DataElement) })
		return &c
	}
	return o
}

// older tells whether what comes with an order is older than what a digest is of.
func older(o actions.Order, last actions.Digest) bool {
	before := o.Seq != 0 && o.Seq < last.Order.Seq
	if actions.Comparable(o.Version, last.Order.Version) && o.Version != last.Order.Version {
		return o.Version < last.Order.Version || last.Mark&markUnversioned != 0 && before
	}
	return before
}

// merged gives the order and the mark of what was delivered, after what was delivered before: nothing makes an object older than it was.
func merged(o actions.Order, shape uint16, before actions.Digest) (actions.Order, uint16) {
	last := before.Order
	if older(o, before) { // a person insisted
		return last, shape | before.Mark&(markUnversioned|markApart)
	}
	mark := shape | before.Mark&markApart
	out := actions.Order{Version: o.Version, Seq: max(o.Seq, last.Seq)}
	if o.Version == 0 && last.Version != 0 {
		out.Version, mark = last.Version, mark|markUnversioned
	}
	return out, mark
}

func fieldName(object, field string) string { return object + "/" + field }

func statusName(k client.ObjectKey) string { return "STATUS:" + k.Type + ":" + k.UID }

// guards lists the digests that decide whether an item is sent, beside those of single fields.
func (i *item) guards() []string {
	if _, status := i.whole.(*statusWrite); status {
		return []string{i.name, digestName(i.key.Type, i.key.UID)}
	}
	if i.name == "" {
		return nil
	}
	return []string{i.name}
}

// allow decides what of an item is sent, as things stand now: all of it, what nothing newer has set, or nothing, and then the item is finished. The names
// that guard it are in this delivery's hands.
func (d *delivery) allow(ctx context.Context, i *item) error {
	i.write.Object, i.left = i.whole, 0
	if i.done {
		return nil
	}
	before := d.digests[i.name]
	o := i.job.plan.Order
	if d.rehearse || i.name == "" || i.job.plan.Insist {
		return nil
	}
	if _, status := i.whole.(*statusWrite); status {
		return d.allowStatus(ctx, i)
	}
	fields := fieldsOf(i.whole)
	if !older(o, before) {
		return d.withoutNewerStatus(ctx, i, fields)
	}
	left, err := d.unset(ctx, i, before, fields)
	switch {
	case err != nil:
		return err
	case len(left) == 0:
		i.finish(superseded(before.Order.Seq))
	default:
		i.left, i.known = before.Order.Seq, true
		i.write.Object = only(i.whole, left)
		return d.withoutNewerStatus(ctx, i, left)
	}
	return nil
}

func superseded(by int64) actions.Outcome {
	return actions.Outcome{
		Status: actions.Superseded, Code: "superseded", By: by,
		Cause: "something newer was delivered to the same object", Mend: "nothing: the newest is in DHIS2",
	}
}

// unset gives those of a write's fields that nothing newer has set.
func (d *delivery) unset(ctx context.Context, i *item, last actions.Digest, fields []string) ([]string, error) {
	set, known, err := d.shapeFields(ctx, last.Mark&shapeBits)
	if err != nil || !known {
		return nil, err
	}
	left := slices.DeleteFunc(slices.Clone(fields), func(f string) bool { return slices.Contains(set, f) })
	names := make([]string, len(left))
	for n, f := range left {
		names[n] = fieldName(i.name, f)
	}
	if err := d.recall(ctx, names); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(left, func(f string) bool { return older(i.job.plan.Order, d.digests[fieldName(i.name, f)]) }), nil
}

// withoutNewerStatus leaves the status out of a write when that was changed by itself since.
func (d *delivery) withoutNewerStatus(ctx context.Context, i *item, fields []string) error {
	if d.digests[i.name].Mark&markApart == 0 || !slices.Contains(fields, fieldStatus) {
		return nil
	}
	name := statusName(i.key)
	if err := d.recall(ctx, []string{name}); err != nil {
		return err
	}
	status := d.digests[name]
	if !older(i.job.plan.Order, status) {
		return nil
	}
	left := slices.DeleteFunc(slices.Clone(fields), func(f string) bool { return f == fieldStatus })
	i.left = max(i.left, status.Order.Seq)
	i.write.Object = only(i.whole, left)
	if len(left) == 0 {
		i.finish(superseded(status.Order.Seq))
	}
	return nil
}

// allowStatus lets a change of status pass unless the status was changed since, by itself or with the object.
func (d *delivery) allowStatus(ctx context.Context, i *item) error {
	o := i.job.plan.Order
	if by := d.digests[i.name]; older(o, by) {
		i.finish(superseded(by.Order.Seq))
		return nil
	}
	object := digestName(i.key.Type, i.key.UID)
	last := d.digests[object]
	if !older(o, last) {
		return nil
	}
	set, known, err := d.shapeFields(ctx, last.Mark&shapeBits)
	if err != nil {
		return err
	}
	if !known || slices.Contains(set, fieldStatus) {
		i.finish(superseded(last.Order.Seq))
		return nil
	}
	if err := d.recall(ctx, []string{fieldName(object, fieldStatus)}); err != nil {
		return err
	}
	if by := d.digests[fieldName(object, fieldStatus)]; older(o, by) {
		i.finish(superseded(by.Order.Seq))
	}
	return nil
}

// shapeFields gives the fields of a shape; known is false for one that sets all.
func (d *delivery) shapeFields(ctx context.Context, shape uint16) (fields []string, known bool, err error) {
	if shape == allFields {
		return nil, false, nil
	}
	text, err := d.shapes.name(ctx, d.memory, shape)
	if err != nil || text == "" {
		return nil, false, err
	}
	return strings.Split(text, ","), true, nil
}

// keep notes what an item that was written, or equals what was written before, leaves behind: in this delivery, for others that are under way, and for the
// journal.
func (d *delivery) keep(ctx context.Context, i *item) {
	sent := i.outcome.Status == actions.Delivered
	if d.rehearse || i.name == "" || i.kept || !i.done || !sent && i.outcome.Status != actions.Unchanged {
		return
	}
	before := d.digests[i.name]
	o := i.job.plan.Order
	if !sent && before.Sum != 0 && !before.Order.Before(o) {
		return
	}
	i.kept = true
	if _, status := i.whole.(*statusWrite); status {
		d.keepStatus(i, before)
		return
	}
	if i.left != 0 {
		i.outcome.By = i.left
	}
	if older(o, before) && !i.job.plan.Insist {
		if sent {
			for _, f := range fieldsOf(i.write.Object) {
				d.keepField(i, f, o)
			}
		}
		return
	}
	shape, err := d.shapeOf(ctx, i.whole)
	if err == nil && shape != allFields {
		err = d.keepLost(ctx, i, before)
	}
	if err != nil {
		d.log.Warn("what an object was written with could not be noted: older records will not add to it", "error", err)
		shape = allFields
	}
	digest := actions.Digest{Object: i.name, Sum: i.sum}
	digest.Order, digest.Mark = merged(o, shape, before)
	d.keepDigest(i.job, digest)
}

// keepField notes that a field alone was written.
func (d *delivery) keepField(i *item, field string, o actions.Order) {
	name := fieldName(i.name, field)
	digest := actions.Digest{Object: name, Sum: 1}
	digest.Order, digest.Mark = merged(o, allFields, d.digests[name])
	d.keepDigest(i.job, digest)
}

// keepStatus notes that a status was changed by itself, also with the object.
func (d *delivery) keepStatus(i *item, before actions.Digest) {
	digest := actions.Digest{Object: i.name, Sum: i.sum}
	digest.Order, digest.Mark = merged(i.job.plan.Order, allFields, before)
	d.keepDigest(i.job, digest)
	object := d.digests[digestName(i.key.Type, i.key.UID)]
	if object.Mark&markApart == 0 {
		object.Object = digestName(i.key.Type, i.key.UID)
		object.Mark |= markApart
		d.keepDigest(i.job, object)
	}
}

// keepLost gives digests of their own to fields that the write before this one had set and this one did not.
func (d *delivery) keepLost(ctx context.Context, i *item, before actions.Digest) error {
	set, known, err := d.shapeFields(ctx, before.Mark&shapeBits)
	if err != nil || !known {
		return err
	}
	fields := fieldsOf(i.whole)
	for _, f := range set {
		if !slices.Contains(fields, f) {
			d.keepDigest(i.job, actions.Digest{Object: fieldName(i.name, f), Sum: 1, Order: before.Order, Mark: before.Mark & markUnversioned})
		}
	}
	return nil
}

func (d *delivery) keepDigest(j *job, digest actions.Digest) {
	d.digests[digest.Object] = digest
	j.digests = append(j.digests, digest)
	d.traffic.keep(digest)
}

// shapeOf numbers the fields of a write. When there are no numbers left, it is taken to set everything: no older record passes it then.
func (d *delivery) shapeOf(ctx context.Context, o actions.Object) (uint16, error) {
	fields := fieldsOf(o)
	if len(fields) == 0 {
		return allFields, nil
	}
	return d.shapes.number(ctx, d.memory, strings.Join(fields, ","))
}
