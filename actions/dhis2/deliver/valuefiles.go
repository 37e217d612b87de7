package deliver

import (
	"context"
	"errors"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/codes"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
)

// valueFiles sends the values that are files, one by one, and gives the others. What was sent already
// is known by its digest, so that no file is sent twice.
func (d *delivery) valueFiles(ctx context.Context, items []*item) (rest []*item) {
	for _, i := range items {
		if o := i.object.(*object.DataValue); o.File == nil || o.Remove {
			rest = append(rest, i)
		} else {
			d.valueFile(ctx, i, o)
		}
	}
	return rest
}

func (d *delivery) valueFile(ctx context.Context, i *item, o *object.DataValue) {
	if d.rehearse {
		i.finish(actions.Outcome{Status: actions.Delivered, Warnings: []string{"files cannot be rehearsed"}})
		return
	}
	file, err := d.load(ctx, o.File)
	if err != nil {
		i.finish(d.notLoaded(i, object.Upload{Field: o.Cell.DataElement, File: o.File}, err))
		return
	}
	f := client.ValueFile{DataSet: o.Cell.DataSet, DataElement: o.Cell.DataElement, Period: o.Cell.Period,
		OrgUnit: o.Cell.OrgUnit, CategoryOptionCombo: o.Cell.CategoryOptionCombo,
		Comment: o.Comment, FollowUp: o.FollowUp,
		Name: file.Name, Type: file.Type, Content: file.Content}
	f.AttributeCombo, f.AttributeOptions = attributeOptions(d.x, o.Cell.AttributeOptionCombo)
	err = d.server.SendValueFile(ctx, f)
	var e *client.Error
	switch {
	case err == nil:
		i.finish(actions.Outcome{Status: actions.Delivered})
	case errors.As(err, &e) && e.Kind == client.Refused && e.Code != "":
		i.finish(d.explain(i, client.Issue{Code: e.Code, Message: e.Message}))
	default:
		outcome := codes.OfRequest(err)
		outcome.Message = o.Label() + ": " + outcome.Message
		i.finish(outcome)
	}
}

// attributeOptions gives the category combo and the options of an attribute option combination;
// nothing of the default one.
func attributeOptions(x *metadata.Index, uid string) (combo string, options []string) {
	c := x.CategoryOptionComboByID(uid)
	if c == nil || uid == x.DefaultOptionCombo() {
		return "", nil
	}
	for _, o := range c.CategoryOptions {
		options = append(options, o.ID)
	}
	return c.CategoryCombo.ID, options
}
