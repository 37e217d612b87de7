package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/sources"
)

// How much one append takes together from callers that wait.
const (
	maxGather  = 1024
	maxRecords = 4096
)

// appendOp is one caller's records.
type appendOp struct {
	rows   []*row
	cursor *sources.Cursor
	taken  atomic.Bool // by the loop, or given up by the caller
	done   chan error
}

// Append implements journal.Journal. Callers that come together share a transaction.
func (s *Store) Append(ctx context.Context, records []*journal.Record, cursor *sources.Cursor) ([]bool, error) {
	if len(records) == 0 && cursor == nil {
		return nil, nil
	}
	if s.life.Err() != nil {
		return nil, journal.ErrClosed
	}
	now := codec.Micros(s.now())
	o := &appendOp{rows: make([]*row, len(records)), cursor: cursor, done: make(chan error, 1)}
	for i, r := range records {
		var err error
		if o.rows[i], err = s.makeRow(ctx, r, now, false); err != nil {
			return nil, err
		}
	}
	if err := s.hand(ctx, o); err != nil {
		return nil, fmt.Errorf("append to the journal: %w", err)
	}
	duplicates := make([]bool, len(o.rows))
	for i, r := range o.rows {
		duplicates[i] = r.duplicate
		r.fillRecord()
	}
	return duplicates, nil
}

// hand gives records to the loop and waits until they are durable.
func (s *Store) hand(ctx context.Context, o *appendOp) error {
	select {
	case s.appends <- o:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.life.Done():
		return journal.ErrClosed
	}
	var ended error
	select {
	case err := <-o.done:
		return err
	case <-ctx.Done():
		ended = ctx.Err()
	case <-s.life.Done():
		ended = journal.ErrClosed
	}
	if o.taken.CompareAndSwap(false, true) {
		return ended
	}
	return <-o.done
}

func (s *Store) appendLoop(ctx context.Context) {
	for {
		var batch []*appendOp
		records := 0
		take := func(o *appendOp) {
			if o.taken.CompareAndSwap(false, true) {
				batch = append(batch, o)
				records += len(o.rows)
			}
		}
		select {
		case o := <-s.appends:
			take(o)
		case <-ctx.Done():
			return
		}
	gather:
		for len(batch) < maxGather && records < maxRecords {
			select {
			case o := <-s.appends:
				take(o)
			default:
				break gather
			}
		}
		s.appendBatch(batch)
	}
}

// appendBatch keeps the records of some callers. When they cannot be kept together for a reason of
// one of them, each is tried alone.
func (s *Store) appendBatch(batch []*appendOp) {
	// Not the loop's context: what has begun is finished when the store closes.
	ctx, cancel := context.WithTimeout(context.Background(), s.lease)
	defer cancel()
	err := s.appendTogether(ctx, batch)
	var gone *journal.ErrUnavailable
	if err != nil && len(batch) > 1 && !errors.As(err, &gone) && ctx.Err() == nil {
		for _, o := range batch {
			o.done <- s.appendTogether(ctx, []*appendOp{o})
		}
		return
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = &journal.ErrUnavailable{Reason: fmt.Sprintf("%s did not answer in time", s.place), RetryAfter: retryAfter,
			Err: err}
	}
	if err != nil {
		s.log.Error("the journal cannot be written", "error", err)
	}
	for _, o := range batch {
		o.done <- err
	}
}

func (s *Store) appendTogether(ctx context.Context, batch []*appendOp) error {
	var rows []*row
	for _, o := range batch {
		rows = append(rows, o.rows...)
	}
	err := s.guardedTx(ctx, func(ctx context.Context, t *tx) error {
		if len(rows) > 0 {
			if err := t.appendRows(ctx, rows); err != nil {
				return err
			}
		}
		for _, o := range batch {
			if o.cursor == nil {
				continue
			}
			if _, err := t.Exec(ctx, setMeta, clean(cursorPrefix+o.cursor.Name), t.s.hide(o.cursor.Value)); err != nil {
				return fmt.Errorf("keep the place in %s: %w", o.cursor.Name, err)
			}
		}
		return nil
	})
	if err == nil {
		s.notifyAll(ctx)
	}
	return err
}
