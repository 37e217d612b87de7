package client

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// UnreadError names objects or values that the server would not be asked about while it answered for the others.
type UnreadError struct {
	Failed map[string]*Error // by uid, or by the value that was looked for
}

// Error tells how many there are, and why the first that comes to hand was refused.
func (u *UnreadError) Error() string {
	for _, err := range u.Failed {
		return fmt.Sprintf("%d could not be read, one of them because: %v", len(u.Failed), err)
	}
	return "nothing was left out"
}

func (u *UnreadError) add(what string, err *Error) {
	if u.Failed == nil {
		u.Failed = map[string]*Error{}
	}
	u.Failed[what] = err
}

// takes adds what another error leaves out; false for an error of another kind, which concerns all.
func (u *UnreadError) takes(err error) bool {
	var other *UnreadError
	if !errors.As(err, &other) {
		return err == nil
	}
	for what, failed := range other.Failed {
		u.add(what, failed)
	}
	return true
}

func (u *UnreadError) orNil() error {
	if len(u.Failed) == 0 {
		return nil
	}
	return u
}

const (
	readTries = 3
	readPause = 150 * time.Millisecond // before the second try, twice as long before the third
)

// patiently repeats a question that failed for what may have passed in a moment: a lost connection,
// an answer that broke off, an error inside the server. A server that is away, asks for patience or
// refuses is not asked again: that is for the caller to judge.
func (c *Client) patiently(ctx context.Context, ask func() error) error {
	for try := 1; ; try++ {
		err := ask()
		var failed *Error
		if err == nil || try == readTries || !errors.As(err, &failed) || !failed.momentary() {
			return err
		}
		if sleep(ctx, readPause<<(try-1)) != nil {
			return err
		}
	}
}

// momentary tells whether the same question may be answered if it is put again at once.
func (e *Error) momentary() bool {
	switch e.Kind {
	case Unreachable:
		return !errors.Is(e.Err, errTooSlow) && !errors.Is(e.Err, context.Canceled)
	case Overloaded:
		return e.RetryAfter == 0 && e.Status != 429
	case Refused:
		return e.Status >= 500
	}
	return false
}

// Of gives why one uid or value could not be read, nil where it was or nothing was left out.
func (u *UnreadError) Of(what string) error {
	if failed, ok := u.Failed[what]; ok {
		return failed
	}
	return nil
}
