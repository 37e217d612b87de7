package dhis2

import (
	"context"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions"
)

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
	if w, ok := i.write.Object.(*enrollmentWrite); ok && sent {
		d.keepAttributes(i, w)
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
	d.keepApart(i.job, digestName(i.key.Type, i.key.UID))
}

// keepAttributes notes that attributes of a person were written with an enrollment.
func (d *delivery) keepAttributes(i *item, w *enrollmentWrite) {
	for _, v := range w.body.Attributes {
		name := fieldName(i.personName(), v.Attribute)
		digest := actions.Digest{Object: name, Sum: 1}
		digest.Order, digest.Mark = merged(i.job.plan.Order, allFields, d.digests[name])
		d.keepDigest(i.job, digest)
	}
	if len(w.body.Attributes) > 0 {
		d.keepApart(i.job, i.personName())
	}
}

// keepApart notes with an object that fields of it were written by themselves.
func (d *delivery) keepApart(j *job, name string) {
	object := d.digests[name]
	if object.Mark&markApart == 0 {
		object.Object = name
		object.Mark |= markApart
		d.keepDigest(j, object)
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
