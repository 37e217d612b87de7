package deliver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/codes"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/actions/dhis2/value"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
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
			file, err := d.load(ctx, u.File)
			if err != nil {
				i.finish(d.notLoaded(i, u, err))
				break
			}
			uid, err := d.server.UploadFile(ctx, client.Upload{UID: u.UID, Name: file.Name, Type: file.Type,
				Content: file.Content})
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

// longestFetching bounds how long a batch fetches files in all: others wait behind it, and what holds
// its records for this runner ends after minutes.
const longestFetching = 2 * time.Minute

// fetching is how a batch gets on with files that other systems hold.
type fetching struct {
	spent time.Duration
	away  error // of a system that did not answer: nothing more is asked for in this batch
}

// load gives a file with its content. A preview asks nobody for it. Where a source is away, or files
// take long, what is left of the batch waits for its next try.
func (d *delivery) load(ctx context.Context, f *value.File) (*value.File, error) {
	if _, preview := d.server.(*client.Preview); preview || !f.Fetched() {
		return f, nil
	}
	switch {
	case d.fetching.away != nil:
		return nil, d.fetching.away
	case d.fetching.spent > longestFetching:
		return nil, &rules.AttachmentError{Problem: diag.Problem{Code: "file-source-away",
			Message: "waits, for the files of other records took long", Hint: "it is tried again by itself"},
			Later: true}
	}
	begun := time.Now()
	loaded, err := f.Load(ctx)
	d.fetching.spent += time.Since(begun)
	if e, ok := errors.AsType[*rules.AttachmentError](err); ok && e.Later && e.Code == "file-source-away" {
		d.fetching.away = err
	}
	return loaded, err
}

// notLoaded is the outcome of a record one of whose files cannot be had, or is none that DHIS2 takes.
// What may come by itself is waited for as for an object that is not there yet.
func (d *delivery) notLoaded(i *item, u object.Upload, err error) actions.Outcome {
	label, place := d.fieldLabel(i, u)
	o := actions.Outcome{Status: actions.Retry, Class: actions.ClassTransient,
		Problem: diag.Problem{Code: "file-source-away", Place: place,
			Message: label + ": the file was not fetched", Hint: "it is tried again by itself"}}
	if p, ok := errors.AsType[*diag.Problem](err); ok {
		o.Status, o.Class, o.Code, o.Message, o.Hint = actions.Failed, actions.ClassData, p.Code, label+" "+p.Message,
			p.Hint
	}
	if e, ok := errors.AsType[*rules.AttachmentError](err); ok {
		o.Status, o.Class, o.Code = actions.Failed, actions.ClassData, e.Code
		o.Message, o.Hint, o.RetryAfter = label+" "+e.Message, e.Hint, e.After
		switch {
		case e.Later && e.Code == "file-not-there":
			o.Status, o.Class = actions.Retry, actions.ClassParent
		case e.Later:
			o.Status, o.Class = actions.Retry, actions.ClassTransient
		}
	}
	return o
}

// fieldLabel names the value that a file is of.
func (d *delivery) fieldLabel(i *item, u object.Upload) (label string, place diag.Place) {
	label = i.object.Label()
	if f, ok := i.object.FieldAt(client.Issue{Message: u.Field}); ok {
		return fmt.Sprintf("%q of %s", f.Name, label), f.Place
	}
	return label, place
}

// notUploaded is the outcome of a record one of whose files the server does not take.
func (d *delivery) notUploaded(i *item, u object.Upload, err error) actions.Outcome {
	o := codes.OfRequest(err)
	label, place := d.fieldLabel(i, u)
	if place.File != "" {
		o.Place = place
	}
	if e, ok := errors.AsType[*client.Error](err); ok && e.Kind == client.Refused && !e.Request && e.Status < 500 {
		o.Status, o.Class, o.Code = actions.Failed, actions.ClassData, "file-refused"
		o.Hint = "send another file, of another type or smaller, or leave the field out; the detail says what the server " +
			"has against it"
	}
	o.Message = label + ": " + o.Message
	return o
}
