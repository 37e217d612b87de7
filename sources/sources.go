package sources

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// Record is one item that a trigger delivers: a form, a case, a row.
type Record struct {
	Rule     string // the rule that it is for
	Received time.Time
	Origin   Origin
	Body     any    // decoded: map[string]any with strings, float64, bool, nil, []any and map[string]any
	Raw      []byte // the body as JSON, when the source has it at hand; nil: made from Body
}

// Origin says where a record came from; expressions see it as `source`.
type Origin struct {
	Trigger string `json:"trigger"`           // webhook, files, database, schedule, commcare, import
	File    string `json:"file,omitempty"`    // base name of a dropped file
	FileID  string `json:"file_id,omitempty"` // of a file kept by reference
	// 1-based row of the file as a spreadsheet shows it (the header is row 1)
	Row     int   `json:"row,omitempty"`
	DataRow int64 `json:"data_row,omitempty"` // 1-based data row of a file kept by reference
	// of a corrected record that stands for a row of no file any more: the id of the file that it was a
	// row of, with which lies what it names
	Beside string `json:"beside,omitempty"`
	Sheet  string `json:"sheet,omitempty"`
	Query  string `json:"query,omitempty"`
	Remote string `json:"remote,omitempty"`
	// the record is gone from the source; its body says no more than which it was
	Deleted bool `json:"deleted,omitempty"`
	// the record turned out to be a version of another one: what it wrote under its own id is taken back
	Withdrawn bool `json:"withdrawn,omitempty"`
	// a row that went through, and that is kept for lookups alone: its file has counted it
	Kept    bool              `json:"kept,omitempty"`
	Headers map[string]string `json:"headers,omitempty"` // only those that a rule may use, never credentials
}

// FileBeside is the id of the file with which lies what the record names; "" where it came without one.
func (o Origin) FileBeside() string { return cmp.Or(o.FileID, o.Beside) }

// ErrBusy is answered by a Sink that cannot keep more now; the source slows down and tries again, a
// webhook answers 503.
type ErrBusy struct {
	RetryAfter time.Duration
	Reason     string
}

// Error says why in a sentence.
func (e *ErrBusy) Error() string { return "cannot take more records now: " + e.Reason }

// ErrFinal marks what the sink will never take, such as a record for a rule that does not exist.
var ErrFinal = errors.New("the record cannot be taken")

// Receipt tells what became of one accepted record.
type Receipt struct {
	RecordID  string
	Duplicate bool  // the same id with the same content was accepted before
	Skipped   bool  // the rule's filter said no
	Seq       int64 // of the record in the journal; of a duplicate, of the one that is kept
}

// Batch is what a source hands over at once. When Accept returns nil all of it is durable, the cursor with it.
type Batch struct {
	Records []Record
	Cursor  *Cursor // where a poll resumes; nil when the source has none
}

// Cursor is a named place in a source.
type Cursor struct{ Name, Value string }

// File is a dropped file that has been moved to where Culvert keeps it until every row has an outcome.
type File struct {
	ID       string // of this file in this project
	Rule     string
	Path     string // where it lies now
	Name     string // as it was dropped
	Folder   string // where it was dropped, absolute
	Size     int64
	SHA256   string
	Received time.Time
}

// Sink is where sources hand over. The engine implements it.
type Sink interface {
	// Accept makes the batch durable. The error is *ErrBusy when it cannot keep it now.
	Accept(ctx context.Context, b Batch) ([]Receipt, error)
	// AcceptFile makes a taken file known; its rows are read by reference. duplicate is true when the
	// same content was accepted before for the rule under another id. The same file id again is no
	// duplicate and changes nothing: sources ask again after a crash.
	AcceptFile(ctx context.Context, f File) (duplicate bool, err error)
	// Cursor gives a saved cursor, "" when there is none.
	Cursor(ctx context.Context, name string) (string, error)
}

// Source runs the triggers of one kind for all rules that use it.
type Source interface {
	// Run delivers records to the sink until ctx ends. It comes back earlier only with an error that a person must fix.
	Run(ctx context.Context, sink Sink) error
}
