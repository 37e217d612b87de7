package deliver

import (
	"context"
	"errors"
	"fmt"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/codes"
	"github.com/culvert/culvert/actions/dhis2/object"
)

// upload uploads the files of objects that are about to be written: DHIS2 deletes files that no
// value uses for two hours, so that nothing is left behind. Records whose files it does not take
// are settled; the others go on. A rehearsal uploads nothing and leaves the files out.
func (d *delivery) upload(ctx context.Context, items []*item) []*item {
	for _, i := range items {
		i.uploaded = nil
		o, ok := i.object.(object.Filed)
		if !ok || i.done || d.rehearse {
			continue
		}
		for _, u := range o.Uploads(d.current(i), i.job.fileGeneration) {
			uid, err := d.server.UploadFile(ctx, client.Upload{UID: u.UID, Name: u.File.Name, Type: u.File.Type,
				Content: u.File.Content})
			if err != nil {
				i.finish(d.notUploaded(i, u, err))
				break
			}
			if i.uploaded == nil {
				i.uploaded = map[string]string{}
			}
			i.uploaded[u.Field] = uid
		}
	}
	return open(items)
}

// notUploaded is the outcome of a record one of whose files the server does not take.
func (d *delivery) notUploaded(i *item, u object.Upload, err error) actions.Outcome {
	o := codes.OfRequest(err)
	label := i.object.Label()
	if name, place, ok := i.object.FieldAt(client.Issue{Message: u.Field}); ok {
		label, o.Place = fmt.Sprintf("%q of %s", name, label), place
	}
	if e, ok := errors.AsType[*client.Error](err); ok && e.Kind == client.Refused && !e.Request && e.Status < 500 {
		o.Status, o.Class, o.Code = actions.Failed, actions.ClassData, "file-refused"
		o.Hint = "send another file, of another type or smaller, or leave the field out; the detail says what the server " +
			"has against it"
	}
	o.Cause = label + ": " + o.Cause
	return o
}
