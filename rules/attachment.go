package rules

import (
	"context"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/diag"
)

// Attachment is a file that belongs to a record and is fetched when it is sent: a photo at the
// server of a form, or one beside a dropped file.
type Attachment struct {
	Name string // of the file, perhaps with a folder
	// Key says which content it is: a file with another key is another file. Whoever sends the file
	// remembers the key instead of the content.
	Key string
	// Fetch gets the content, at most limit bytes, and its media type where the source says it. The
	// error is an *AttachmentError, or that ctx ended.
	Fetch func(ctx context.Context, limit int64) (content []byte, mediaType string, err error)
}

// AttachmentError is why a file cannot be had. It holds no secret and nothing of a person.
type AttachmentError struct {
	diag.Problem               // file-not-there, file-source-away, file-too-large; the message completes "Photo: ..."
	Later        bool          // it may come by itself: the record waits
	After        time.Duration // when it is worth trying again; 0: not known
}

// Attachments gives the file of a record that a value names; nil when there is none of that name
// and may be none. The error is an *AttachmentError.
type Attachments func(name string) (*Attachment, error)

// NamesFile tells whether a text can be the name of a file, perhaps in a folder: content has no such ending.
func NamesFile(text string) bool {
	if strings.HasPrefix(text, "data:") || len(text) > 500 || strings.ContainsAny(text, "\n\r\x00") {
		return false
	}
	dot := strings.LastIndexByte(text, '.')
	ending := text[dot+1:]
	return dot > 0 && ending != "" && len(ending) <= 10 && !strings.ContainsAny(ending, `/\ `)
}

// Attachment gives the file of the record that a value names, nil when it names none. The error is an
// *AttachmentError.
func (s *Scope) Attachment(name string) (*Attachment, error) {
	if s.input.Attachments == nil || !NamesFile(name) {
		return nil, nil
	}
	return s.input.Attachments(name)
}
