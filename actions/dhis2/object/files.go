package object

import (
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/value"
)

// Files are the files among the values of a write, by attribute or data element. The value itself
// is the file's sum until the file is uploaded, so that a digest tells one file from another.
type Files map[string]*value.File

// Add notes a file; nil is none.
func (f Files) Add(field string, file *value.File) {
	if file != nil {
		f[field] = file
	}
}

// shown is what Describe tells of a value: of a file its name, type and size.
func (f Files) shown(field, text string) string {
	if file := f[field]; file != nil {
		return file.String()
	}
	return text
}

// Filed is a write some of whose values are files.
type Filed interface {
	Write
	// Uploads gives what has to be uploaded: what the server does not hold yet as the values of this very object.
	Uploads(c Current, generation int) []Upload
}

// Upload is one file of one value, with the uid that it gets.
type Upload struct {
	Field, UID string
	File       *value.File
}

// generations is how many uids a file may have had: one that was given up, as DHIS2 had it for
// something else, is never used again.
const generations = 4

// uploads gives the files that are not held already.
func (f Files) uploads(owner string, set []string, held map[string]string, generation int) []Upload {
	var list []Upload
	for _, field := range set {
		if file := f[field]; file != nil && !f.holds(owner, field, held[field]) {
			list = append(list, Upload{Field: field, UID: identity.FileUID(owner, field, file.Sum, generation), File: file})
		}
	}
	return list
}

// holds tells whether the server's value is the file already: a file belongs to one value for good,
// and is refused when it is sent again (E1009).
func (f Files) holds(owner, field, now string) bool {
	for n := range generations {
		if now == identity.FileUID(owner, field, f[field].Sum, n) {
			return true
		}
	}
	return false
}

// value gives what is sent for a value: the uid of its file. It is false for a file that is there
// already or, in a rehearsal, was not uploaded.
func (f Files) value(field, text string, uploaded map[string]string) (string, bool) {
	if f[field] == nil {
		return text, true
	}
	uid, ok := uploaded[field]
	return uid, ok
}

// attributes puts the uids of uploaded files in their place.
func (f Files) attributes(values []client.AttributeValue, uploaded map[string]string) []client.AttributeValue {
	list := make([]client.AttributeValue, 0, len(values))
	for _, v := range values {
		if text, ok := f.value(v.Attribute, v.Value, uploaded); ok {
			list = append(list, client.AttributeValue{Attribute: v.Attribute, Value: text})
		}
	}
	return list
}

// heldAttributes are the values that the server holds of a person.
func heldAttributes(now *client.TrackedEntity) (held map[string]string) {
	held = map[string]string{}
	if now != nil {
		for _, v := range now.Attributes {
			held[v.Attribute] = v.Value
		}
	}
	return held
}

func attributesOf(values []client.AttributeValue) []string {
	list := make([]string, len(values))
	for n, v := range values {
		list[n] = v.Attribute
	}
	return list
}
