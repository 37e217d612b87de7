package deliver

import (
	"context"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/rules/diag"
)

// Newest wins: what an older record says of an object is not sent where something newer was
// delivered. With every object is kept, in its digest, the order of what was delivered last and
// which fields that set, its shape. An older record still sets what no newer one has set: a
// laboratory's form that failed brings its values to the event that a visit has changed since.
// Fields that the last write did not set, and that another had set before, have a digest of their
// own, named by object and field.

// The parts of a digest's mark.
const (
	shapeBits = actions.MaxShape
	// markUnversioned: what was delivered last had no version, so that its place counts too.
	markUnversioned = 1 << 14
	// markApart: fields of the object were written by themselves, such as a status, or attributes with
	// an enrollment. They have digests of their own, which may be newer.
	markApart = 1 << 15
)

// allFields is the shape of what sets every field, and of what was deleted.
const allFields = 0

// older tells whether what comes with an order is older than what a digest is of.
func older(o actions.Order, last actions.Digest) bool {
	before := o.Seq != 0 && o.Seq < last.Order.Seq
	if actions.Comparable(o.Version, last.Order.Version) && o.Version != last.Order.Version {
		return o.Version < last.Order.Version || last.Mark&markUnversioned != 0 && before
	}
	return before
}

// merged gives the order and the mark of what was delivered, after what was delivered before:
// nothing makes an object older than it was.
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

// guards lists the digests that decide whether an item is sent, beside those of single fields.
func (i *item) guards() []string {
	if _, one := i.whole.(object.OneField); one {
		return []string{i.name, i.key.String()}
	}
	if i.name == "" {
		return nil
	}
	if o, ok := i.whole.(object.OfPerson); ok && len(o.PersonAttributes()) > 0 {
		return []string{i.name, i.personName()}
	}
	return []string{i.name}
}

// personName is under which the digest of an enrollment's person is kept.
func (i *item) personName() string {
	return client.ObjectKey{Type: client.TypeTrackedEntity, UID: i.parents[0]}.String()
}

// allow decides what of an item is sent, as things stand now: all of it, what nothing newer has
// set, or nothing, and then the item is finished. The names that guard it are in this delivery's
// hands.
func (d *delivery) allow(ctx context.Context, i *item) error {
	i.object, i.left = i.whole, 0
	if i.done {
		return nil
	}
	before := d.digests[i.name]
	o := i.job.plan.Order
	if d.rehearse || i.name == "" || i.job.plan.Insist {
		return nil
	}
	if o, one := i.whole.(object.OneField); one {
		return d.allowField(ctx, i, o.Field())
	}
	fields, err := d.withoutNewerAttributes(ctx, i, object.FieldsOf(i.whole))
	if err != nil {
		return err
	}
	if !older(o, before) {
		return d.withoutNewerFields(ctx, i, fields)
	}
	left, err := d.unset(ctx, i, before, fields)
	switch {
	case err != nil:
		return err
	case len(left) == 0:
		i.finish(superseded(before.Order.Seq))
	default:
		i.left, i.known = before.Order.Seq, true
		i.object = object.Only(i.whole, left)
		return d.withoutNewerFields(ctx, i, left)
	}
	return nil
}

func superseded(by int64) actions.Outcome {
	return actions.Outcome{
		Status: actions.Superseded, Problem: diag.Problem{Code: "superseded",
			Message: "something newer was delivered to the same object", Hint: "nothing: the newest is in DHIS2"},
		By: by,
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
	if err := d.Recall(ctx, names); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(left, func(f string) bool {
		return older(i.job.plan.Order,
			d.digests[fieldName(i.name, f)])
	}), nil
}

// withoutNewerFields leaves out of a write what was written by itself since.
func (d *delivery) withoutNewerFields(ctx context.Context, i *item, fields []string) error {
	if d.digests[i.name].Mark&markApart == 0 {
		return nil
	}
	name := func(field string) string {
		if field == object.FieldStatus {
			return object.StatusName(i.key)
		}
		return fieldName(i.name, field)
	}
	left, by, err := d.withoutNewer(ctx, i.job.plan.Order, fields, name)
	if err != nil || len(left) == len(fields) {
		return err
	}
	i.left = max(i.left, by)
	i.object = object.Only(i.whole, left)
	if len(left) == 0 {
		i.finish(superseded(by))
	}
	return nil
}

// withoutNewer gives the fields that nothing newer has written by itself, and the last that did.
func (d *delivery) withoutNewer(ctx context.Context, o actions.Order, fields []string,
	name func(string) string) (left []string, by int64, err error) {
	names := make([]string, len(fields))
	for n, f := range fields {
		names[n] = name(f)
	}
	if err := d.Recall(ctx, names); err != nil {
		return nil, 0, err
	}
	for n, f := range fields {
		if last := d.digests[names[n]]; older(o, last) {
			by = max(by, last.Order.Seq)
		} else {
			left = append(left, f)
		}
	}
	return left, by, nil
}

// withoutNewerAttributes leaves out of an enrollment those attributes of its person that were
// written since, with the person or with another enrollment.
func (d *delivery) withoutNewerAttributes(ctx context.Context, i *item, fields []string) ([]string, error) {
	w, ok := i.whole.(object.OfPerson)
	if !ok || len(w.PersonAttributes()) == 0 {
		return fields, nil
	}
	o, person := i.job.plan.Order, d.digests[i.personName()]
	if !older(o, person) && person.Mark&markApart == 0 {
		return fields, nil
	}
	set, known, err := d.shapeFields(ctx, person.Mark&shapeBits)
	if err != nil {
		return nil, err
	}
	attributes := make([]string, len(w.PersonAttributes()))
	for n, v := range w.PersonAttributes() {
		attributes[n] = v.Attribute
	}
	left, by, err := d.withoutNewer(ctx, o, attributes, func(f string) string { return fieldName(i.personName(), f) })
	if err != nil {
		return nil, err
	}
	kept := slices.DeleteFunc(slices.Clone(fields), func(f string) bool {
		newer := older(o, person) && (!known || slices.Contains(set, f))
		return slices.Contains(attributes, f) && (newer || !slices.Contains(left, f))
	})
	if len(kept) < len(fields) {
		i.left = max(by, person.Order.Seq)
		i.object = object.Only(i.whole, kept)
	}
	return kept, nil
}

// allowField lets a change of one field pass unless it was changed since, by itself or with the object.
func (d *delivery) allowField(ctx context.Context, i *item, field string) error {
	o := i.job.plan.Order
	if by := d.digests[i.name]; older(o, by) {
		i.finish(superseded(by.Order.Seq))
		return nil
	}
	whole := i.key.String()
	last := d.digests[whole]
	if !older(o, last) {
		return nil
	}
	set, known, err := d.shapeFields(ctx, last.Mark&shapeBits)
	if err != nil {
		return err
	}
	if !known || slices.Contains(set, field) {
		i.finish(superseded(last.Order.Seq))
		return nil
	}
	if err := d.Recall(ctx, []string{fieldName(whole, field)}); err != nil {
		return err
	}
	if by := d.digests[fieldName(whole, field)]; older(o, by) {
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
