package compile

import (
	"errors"
	"fmt"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/value"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// comesWithout is that a record of the sample names a file where none can come with records. how says what would
// let it come.
func (v *valued) comesWithout(s *rules.Scope, how string) *rules.Failure {
	r, err := v.Field.Eval(s)
	if err != nil || r.Blank {
		return nil
	}
	if name, ok := v.kind.Unwrap(r.Value).(string); !ok || !rules.NamesFile(strings.TrimSpace(name)) {
		return nil
	}
	return v.failure(&diag.Problem{Code: "file-unreadable",
		Message: "names a file, and no files come with the records of this trigger", Hint: how}, r)
}

// attached finds the file that a value names: one that the source has sent with the record takes
// the value's place, one that lies elsewhere is fetched when it is sent. missing: files came with
// the record, and this one is not among them. The error is a *rules.Failure.
func (v *valued) attached(s *rules.Scope, in *any) (later value.Result, missing bool, err error) {
	text, ok := v.kind.Unwrap(*in).(string)
	if !ok {
		return value.Result{}, false, nil
	}
	name := strings.TrimSpace(text)
	body, _ := s.Body().(map[string]any)
	files, some := body[attachmentsKey].(map[string]any)
	if file, ok := files[name].(map[string]any); ok && file["base64"] != nil {
		*in = file
		return value.Result{}, false, nil
	}
	a, err := s.Attachment(name)
	if e, ok := errors.AsType[*rules.AttachmentError](err); ok {
		return value.Result{}, false, &rules.Failure{Problem: diag.Problem{Code: e.Code, Place: v.place(),
			Field: v.name, Column: v.Column(),
			Value: private(name), Message: fmt.Sprintf("%q %s", v.name, e.Message), Hint: e.Hint}}
	}
	if a != nil {
		return v.kind.Later(a.Name, a.Key, a.Fetch), false, nil
	}
	return value.Result{}, some && rules.NamesFile(name), nil
}

// notAttached is why a record goes on without a file. Phones send a form with many photos in
// several parts, each with the whole form and some of the photos, so that a photo that is not there
// comes, or came, with another.
func (v *valued) notAttached(name any) *rules.Failure {
	return &rules.Failure{Problem: diag.Problem{
		Code: "file-not-attached", Place: v.place(), Field: v.name, Column: v.Column(), Value: private(name),
		Message: fmt.Sprintf("%q names a file that did not come with this part of the record", v.name),
		Hint:    "nothing, when the source sends a record's files in several parts; else see that it sends the file",
	}}
}

// attachmentsKey is where sources put the files that come with a record: by their names, each {name, type, base64}.
const attachmentsKey = "attachments"
