package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/culvert/culvert/engine/journal"
)

// retryAfter is when another try is worth it after the database refused.
const retryAfter = 5 * time.Second

// explain turns PostgreSQL's own error into words: an *journal.ErrUnavailable for what lies outside
// of the call, else the error as it is.
func (s *Store) explain(err error) error {
	if err == nil {
		return nil
	}
	var already *journal.ErrUnavailable
	if errors.As(err, &already) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if reason := s.reason(err); reason != "" {
		return &journal.ErrUnavailable{Reason: reason, RetryAfter: retryAfter, Err: err}
	}
	return err
}

func (s *Store) reason(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		switch {
		case e.Code == "53100":
			return fmt.Sprintf("the disk of %s is full: free some space there", s.place)
		case e.Code == "53300":
			return fmt.Sprintf("%s takes no more connections: raise its max_connections or run fewer programs", s.place)
		case e.Code[:2] == "53":
			return fmt.Sprintf("%s lacks resources: %s", s.place, e.Message)
		case e.Code == "25006":
			return fmt.Sprintf("%s is read-only, perhaps a standby: name the primary server in store", s.place)
		case e.Code[:2] == "57", e.Code[:2] == "08", e.Code == "25P03":
			return fmt.Sprintf("%s ended the connection: %s", s.place, e.Message)
		case e.Code == "28P01", e.Code == "28000":
			return fmt.Sprintf("%s refuses the user or the password: check them in store", s.place)
		case e.Code == "3D000":
			return fmt.Sprintf("there is no such database at %s: create it, or name another in store", s.place)
		case e.Code == "42501":
			return fmt.Sprintf("the user of store lacks a right at %s: %s", s.place, e.Message)
		}
		return ""
	}
	var connect *pgconn.ConnectError
	var network net.Error
	var op *net.OpError
	if errors.As(err, &connect) || errors.As(err, &network) || errors.As(err, &op) || pgconn.SafeToRetry(err) ||
		errors.Is(err, net.ErrClosed) || pgconn.Timeout(err) {
		return fmt.Sprintf("%s cannot be reached: check that the server runs and that store names it rightly", s.place)
	}
	return ""
}

// retriable tells whether a transaction met another one in a way that a second try resolves.
func retriable(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "40P01" || e.Code == "40001")
}
