package sources

import (
	"encoding/base64"
	"fmt"
	"unicode/utf8"
)

// AttachmentsKey is where a record holds the files that came with it, by their names: each {name,
// type, base64}. So the journal keeps them with the record, and for as long.
const AttachmentsKey = "attachments"

// maxAttachments is how many files may come with one record. How large they may be is bounded by
// what the source takes at all.
const maxAttachments = 100

// Attachments are the files that come with one record, by their names.
type Attachments map[string]any

// Add keeps a file. Of two of one name the later one stays. The error says that there are too many.
func (a Attachments) Add(name, contentType string, content []byte) error {
	if name == "" || !utf8.ValidString(name) || !utf8.ValidString(contentType) {
		return nil // nothing can refer to it
	}
	if len(a) >= maxAttachments {
		return fmt.Errorf("more than %d files come with the record", maxAttachments)
	}
	a[name] = map[string]any{"name": name, "type": contentType, "base64": base64.StdEncoding.EncodeToString(content)}
	return nil
}

// Put lays the files into a record, unless there are none or the record has something else under that name.
func (a Attachments) Put(record map[string]any) {
	if len(a) == 0 || record == nil {
		return
	}
	if _, taken := record[AttachmentsKey]; !taken {
		record[AttachmentsKey] = map[string]any(a)
	}
}
