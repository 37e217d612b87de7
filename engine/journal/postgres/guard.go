package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/shared"
)

// Who moves a journal, fills it or encrypts it anew holds the move lock. Every transaction that
// writes takes it shared and looks whether the journal still lies here: so nothing is accepted into
// a store that was copied already, whoever has it open and however long they were silent.

// shutWait is how long shut waits for transactions that have begun; an idle one is ended before.
const shutWait = "8s"

// shut takes the move lock for a session, once what is being written has ended. It tells whether it got it.
func (s *Store) shut(ctx context.Context, conn *pgx.Conn) (bool, error) {
	err := pgx.BeginFunc(ctx, conn, func(t pgx.Tx) error {
		if _, err := t.Exec(ctx, "SET LOCAL lock_timeout = '"+shutWait+"'"); err != nil {
			return err
		}
		_, err := t.Exec(ctx, "SELECT pg_advisory_lock($1)", s.lockID(moveLock)) // outlives the transaction
		return err
	})
	var e *pgconn.PgError
	if errors.As(err, &e) && e.Code == "55P03" {
		return false, nil
	}
	return err == nil, err
}

// idle answers with *journal.ErrInUse when a runner has given a sign of life within its lease.
func (s *Store) idle(ctx context.Context, conn *pgx.Conn) error {
	var owners int
	err := conn.QueryRow(ctx, "SELECT count(*) FROM owners WHERE seen >= clock_timestamp() - $1::interval", s.lease).
		Scan(&owners)
	if err != nil {
		return fmt.Errorf("look for runners: %w", s.explain(err))
	}
	if owners > 0 {
		return &journal.ErrInUse{Place: s.place}
	}
	return nil
}

// notes are what a journal says of itself.
type notes struct{ moved, moving, key string }

// look takes the move lock, shared, for the transaction, and reads the journal's notes after that:
// in a statement of their own, which sees what its holder wrote last.
func (s *Store) look(ctx context.Context, t pgx.Tx) (n notes, err error) {
	var free bool
	b := &pgx.Batch{}
	b.Queue("SELECT pg_try_advisory_xact_lock_shared($1)", s.lockID(moveLock)).QueryRow(func(row pgx.Row) error {
		return row.Scan(&free)
	})
	b.Queue(`SELECT coalesce(max(value) FILTER (WHERE name = $1), ''), coalesce(max(value) FILTER (WHERE name = $2), ''),
		coalesce(max(value) FILTER (WHERE name = $3), '') FROM meta WHERE name IN ($1, $2, $3)`,
		shared.MetaMoved, shared.MetaMoving, keyCheck).QueryRow(func(row pgx.Row) error {
		return row.Scan(&n.moved, &n.moving, &n.key)
	})
	if err := t.SendBatch(ctx, b).Close(); err != nil {
		return n, err
	}
	if !free {
		return n, &journal.ErrUnavailable{Reason: s.place + " is being moved to another store, filled or encrypted anew " +
			"this moment", RetryAfter: retryAfter}
	}
	return n, nil
}

// checkMoved refuses to open a journal that lies somewhere else now, that was not filled to the
// end, or that is being moved this moment. It waits for a runner that begins at the same moment and
// is the first to take a key into use.
func (s *Store) checkMoved(ctx context.Context) error {
	var n notes
	err := pgx.BeginFunc(ctx, s.pool, func(t pgx.Tx) (err error) {
		if _, err := t.Exec(ctx, "SELECT pg_advisory_xact_lock_shared($1)", s.lockID(migrationLock)); err != nil {
			return err
		}
		n, err = s.look(ctx, t)
		return err
	})
	if err != nil {
		return fmt.Errorf("open the journal: %w", s.explain(err))
	}
	return shared.CheckMoved(s.place, n.moved, n.moving)
}

// guard refuses to write into a journal that was moved, or is, since it was opened, and to seal
// with a key that it was encrypted anew without. Senders try again, and find the runner that has
// been set right meanwhile.
func (t *tx) guard(ctx context.Context) error {
	n, err := t.s.look(ctx, t)
	if err != nil {
		return err
	}
	if err := shared.CheckMoved(t.s.place, n.moved, n.moving); err != nil {
		return &journal.ErrUnavailable{Reason: err.Error(), RetryAfter: retryAfter, Err: err}
	}
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	if n.key == t.s.keyNote {
		return nil
	}
	if !t.s.sealer.Fits(n.key) {
		return &journal.ErrUnavailable{Reason: journal.ErrKeyWrong.Error(), RetryAfter: retryAfter, Err: journal.ErrKeyWrong}
	}
	t.s.keyNote = n.key
	return nil
}
