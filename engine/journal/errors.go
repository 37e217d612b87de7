package journal

import (
	"errors"
	"fmt"
	"time"
)

// ErrUnavailable says that the store cannot be written or read now: the disk is full, the database
// is away. Nothing of the call was kept; only when a connection broke in its last moment it is not
// known, and asking again is safe, because known records are recognised. The store heals by itself:
// the next call tries again.
type ErrUnavailable struct {
	Reason     string        // plain words, fit for a person and for a 503
	RetryAfter time.Duration // when it is worth trying again
	Err        error
}

// Error says why, in a sentence.
func (e *ErrUnavailable) Error() string { return "the journal is not available: " + e.Reason }

// Unwrap gives the store's own error.
func (e *ErrUnavailable) Unwrap() error { return e.Err }

// ErrRefused says why what a person asked for is not done. Nothing is wrong with the store, and
// asking again changes nothing.
type ErrRefused struct{ Reason string } // fit for that person

// Error gives the reason.
func (e *ErrRefused) Error() string { return e.Reason }

// Refuse makes an ErrRefused.
func Refuse(format string, args ...any) error { return &ErrRefused{fmt.Sprintf(format, args...)} }

var (
	// ErrNotOwner answers a commit for a file that another runner has taken over.
	ErrNotOwner = errors.New("another runner has taken this file over")
	// ErrClosed answers calls after Close.
	ErrClosed = errors.New("the journal is closed")
	// ErrKeyMissing and ErrKeyWrong answer opening an encrypted journal.
	ErrKeyMissing = errors.New("the journal's payloads are encrypted and no key was given: set the key that it was " +
		"written with")
	// ErrKeyWrong answers a key that is not the journal's.
	ErrKeyWrong = errors.New("the key does not fit this journal's payloads: set the key that it was written with, and " +
		"while keys change all that are in use")
)

// ErrNewer answers opening a journal that a newer version of the program has written.
type ErrNewer struct {
	Place        string
	Found, Known int
}

// Error says what to do.
func (e *ErrNewer) Error() string {
	return fmt.Sprintf("%s was written by a newer version of culvert (journal format %d, this one knows up to %d): use "+
		"that version, or restore a backup made before the upgrade",
		e.Place, e.Found, e.Known)
}

// ErrInUse answers a second runner on a store that only one may work on.
type ErrInUse struct{ Place string }

// Error says what to do.
func (e *ErrInUse) Error() string {
	return fmt.Sprintf("another runner is working on %s: stop it first, or use store: postgres://… to let several "+
		"share the work", e.Place)
}

// ErrMoved answers opening a journal that was moved to another store.
type ErrMoved struct{ Place, To string }

// Error says what to do.
func (e *ErrMoved) Error() string {
	return fmt.Sprintf("the journal at %s was moved to %s: name that one in `store:` of culvert.yaml", e.Place, e.To)
}
