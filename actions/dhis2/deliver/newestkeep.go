package deliver

import (
	"context"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/object"
)

// keep notes what an item that was written, or equals what was written before, leaves behind: in
// this delivery, for others that are under way, and for the journal.
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
	if _, one := i.whole.(object.OneField); one {
		d.keepOneField(i, before)
		return
	}
	if i.left != 0 {
		i.outcome.By = i.left
	}
	if w, ok := i.object.(object.OfPerson); ok && sent {
		d.keepAttributes(i, w.PersonAttributes())
	}
	if older(o, before) && !i.job.plan.Insist {
		if sent {
			for _, f := range object.FieldsOf(i.object) {
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

// keepOneField notes that a field was changed by itself, also with the object.
func (d *delivery) keepOneField(i *item, before actions.Digest) {
	digest := actions.Digest{Object: i.name, Sum: i.sum}
	digest.Order, digest.Mark = merged(i.job.plan.Order, allFields, before)
	d.keepDigest(i.job, digest)
	d.keepApart(i.job, i.key.String())
}

// keepAttributes notes that attributes of a person were written with an enrollment.
func (d *delivery) keepAttributes(i *item, values []client.AttributeValue) {
	for _, v := range values {
		name := fieldName(i.personName(), v.Attribute)
		digest := actions.Digest{Object: name, Sum: 1}
		digest.Order, digest.Mark = merged(i.job.plan.Order, allFields, d.digests[name])
		d.keepDigest(i.job, digest)
	}
	if len(values) > 0 {
		d.keepApart(i.job, i.personName())
	}
}

// keepApart notes with an object that fields of it were written by themselves.
func (d *delivery) keepApart(j *job, name string) {
	whole := d.digests[name]
	if whole.Mark&markApart == 0 {
		whole.Object = name
		whole.Mark |= markApart
		d.keepDigest(j, whole)
	}
}

// keepLost gives digests of their own to fields that the write before this one had set and this one did not.
func (d *delivery) keepLost(ctx context.Context, i *item, before actions.Digest) error {
	set, known, err := d.shapeFields(ctx, before.Mark&shapeBits)
	if err != nil || !known {
		return err
	}
	fields := object.FieldsOf(i.whole)
	for _, f := range set {
		if !slices.Contains(fields, f) {
			d.keepDigest(i.job, actions.Digest{Object: fieldName(i.name, f), Sum: 1, Order: before.Order,
				Mark: before.Mark & markUnversioned})
		}
	}
	return nil
}

func (d *delivery) keepDigest(j *job, digest actions.Digest) {
	d.digests[digest.Object] = digest
	j.digests = append(j.digests, digest)
	d.traffic.keep(digest)
}

// shapeOf numbers the fields of a write. When there are no numbers left, it is taken to set
// everything: no older record passes it then.
func (d *delivery) shapeOf(ctx context.Context, w object.Write) (uint16, error) {
	fields := object.FieldsOf(w)
	if len(fields) == 0 {
		return allFields, nil
	}
	return d.shapes.number(ctx, d.memory, strings.Join(fields, ","))
}
