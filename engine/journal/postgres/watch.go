package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/culvert/culvert/engine/journal/internal/codec"
)

// notify wakes this process; tell wakes the others too, at most some times a second, for a
// notification costs the whole server a lock.
func (s *Store) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

const notifyEvery = 100 * time.Millisecond

func (s *Store) notifyAll(ctx context.Context) {
	s.notify()
	s.mu.Lock()
	due := time.Since(s.notified) >= notifyEvery
	if due {
		s.notified = time.Now()
	}
	s.mu.Unlock()
	if !due {
		return
	}
	if _, err := s.pool.Exec(ctx, "SELECT pg_notify($1, '')", s.channel()); err != nil && ctx.Err() == nil {
		s.log.Debug("wake the other runners; they look by themselves every second", "error", err)
	}
}

func (s *Store) channel() string { return "culvert_" + s.schema }

// Wake implements journal.Journal.
func (s *Store) Wake() <-chan struct{} { return s.wake }

const pollEvery = time.Second

// watch wakes this process when another one appended records, and every second when something is
// due: notifications are lost with a connection.
func (s *Store) watch(ctx context.Context) {
	for ctx.Err() == nil {
		if err := s.listen(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("listen to the other runners", "error", s.explain(err))
		}
		s.notify()
		select {
		case <-ctx.Done():
		case <-time.After(pollEvery):
		}
	}
}

func (s *Store) listen(ctx context.Context) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	// The session has subscriptions: it is not one that others may use.
	raw := conn.Hijack()
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = raw.Close(closing)
	}()
	if _, err := raw.Exec(ctx, "LISTEN "+pgx.Identifier{s.channel()}.Sanitize()); err != nil {
		return err
	}
	for {
		wait, cancel := context.WithTimeout(ctx, pollEvery)
		_, err := raw.WaitForNotification(wait)
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			s.notify()
			continue
		case !pgconn.Timeout(err):
			return err
		}
		var ready bool
		err = raw.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM rules r, LATERAL (SELECT 1 FROM keys k WHERE k.rule = r.id
			AND k.owner IS NULL AND k.state = 0
			AND k.due <= $1 LIMIT 1) d)`, codec.Micros(s.now())).Scan(&ready)
		if err != nil {
			return err
		}
		if ready {
			s.notify()
		}
	}
}
