package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/culvert/culvert/engine/journal"
)

// retryAfter is when writing is worth another try after the store refused.
const retryAfter = 5 * time.Second

// explain turns SQLite's own error into words: an *journal.ErrUnavailable for what lies outside of
// the call, else the error as it is.
func explain(err error, place string) error {
	var e *driver.Error
	if !errors.As(err, &e) {
		return err
	}
	reason := ""
	switch e.Code() & 0xff {
	case lib.SQLITE_FULL:
		reason = fmt.Sprintf("there is no room left for %s: free some space on its disk", place)
	case lib.SQLITE_READONLY:
		reason = fmt.Sprintf("%s cannot be written: give the program's user the right to write the file and its folder",
			place)
	case lib.SQLITE_IOERR:
		reason = fmt.Sprintf("the disk of %s reports an error (%v): check the disk and the system's log", place, err)
	case lib.SQLITE_CANTOPEN, lib.SQLITE_PERM, lib.SQLITE_AUTH:
		reason = fmt.Sprintf("%s cannot be opened: check that its folder exists and that the program's user may read and "+
			"write there", place)
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED, lib.SQLITE_PROTOCOL:
		reason = fmt.Sprintf("another process keeps %s locked", place)
	case lib.SQLITE_NOTADB:
		reason = fmt.Sprintf("%s is not a journal: it is encrypted or some other file; name another file in store", place)
	case lib.SQLITE_CORRUPT:
		reason = fmt.Sprintf("%s is damaged: stop the program, keep a copy of the file, and restore the last backup", place)
	case lib.SQLITE_NOMEM:
		reason = "the machine has no memory left"
	default:
		return err
	}
	return &journal.ErrUnavailable{Reason: reason, RetryAfter: retryAfter, Err: err}
}

// damaged tells whether an error says that the connection is better opened anew.
func damaged(err error) bool {
	var e *driver.Error
	if !errors.As(err, &e) {
		return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
	}
	switch e.Code() & 0xff {
	// A connection that was opened while the file could only be read stays one that only reads.
	case lib.SQLITE_READONLY, lib.SQLITE_IOERR, lib.SQLITE_CANTOPEN, lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB,
		lib.SQLITE_MISUSE:
		return true
	}
	return false
}
