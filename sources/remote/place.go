package remote

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/culvert/culvert/sources"
)

// Item is a file that lies at a place.
type Item struct {
	Path    string // names it there
	Name    string // as people call it
	Version string // another content has another one, as far as the place can tell
	Size    int64  // bytes; -1: known once it was fetched
	Written time.Time
	Whole   bool // it appeared at once: nobody can be writing to it still
	// Of names what it came in with others, such as a mail: that is moved, marked or deleted as one, once every one of
	// them is finished. Empty: it stands alone.
	Of      string
	Problem string // why it is left where it is, as people are told; empty: it can be taken
}

// Place is where the files of a rule lie, for as long as one look takes. Errors are fit for a log.
type Place interface {
	// List gives the files, without those in folders below.
	List(ctx context.Context) ([]Item, error)
	// Open reads a file from an offset in bytes. The error is ErrChanged when it is not the one that was listed.
	Open(ctx context.Context, item Item, offset int64) (io.ReadCloser, error)
	Close() error
}

// Writable is a Place that Culvert may change.
type Writable interface {
	// Move moves a file into a folder, under a name that is free there. One that is gone is moved.
	Move(ctx context.Context, item Item, folder string) error
	// Delete removes a file. One that is gone is removed.
	Delete(ctx context.Context, item Item) error
}

// Receiving is a Place that takes results and failed rows.
type Receiving interface {
	// Put writes a file into a folder, whole or not at all, in place of one of that name.
	Put(ctx context.Context, folder, name string, content io.ReadSeeker, size int64) error
}

// Tagging is a Place that marks files.
type Tagging interface {
	// Tag marks a file: key culvert, with a value. One that is gone is marked.
	Tag(ctx context.Context, item Item, value string) error
}

// Told is a Place that is told which of the files that it lists were taken.
type Told interface {
	Taken(ctx context.Context, taken func(Item) bool) error
}

// Dial reaches the place of a rule.
type Dial func(ctx context.Context, c sources.Connection, r *Rule, log *slog.Logger) (Place, error)

// ErrChanged says that a file is not what it was when it was listed.
var ErrChanged = errors.New("the file changed while it was fetched")

// FileError is what is wrong with one file; others may well be fetched.
type FileError struct{ Err error }

// Error says what is wrong.
func (e *FileError) Error() string { return e.Err.Error() }

// Unwrap gives what is wrong.
func (e *FileError) Unwrap() error { return e.Err }
