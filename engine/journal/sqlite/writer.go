package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
)

// How much one transaction takes together. More would make callers wait for each other longer than the disk does.
const (
	maxOps    = 1024
	maxWeight = 8192
)

// A transaction costs about as much as twenty records in it, whose callers share a processor with
// it. While many call, it therefore waits a little for half of them; the other half is on its way
// meanwhile. It is what PostgreSQL does with commit_delay and commit_siblings.
const (
	manyCallers     = 8
	usualBatchDelay = 2 * time.Millisecond
)

// op is one caller's change. It may be run more than once: when another change of the same
// transaction fails, the rest starts over.
type op struct {
	rows   []*row // to append; nil for other changes
	do     func(*tx) error
	weight int
	taken  atomic.Bool // by the writer, or given up by the caller: whoever comes first
	done   chan error
}

// writer is the only one that changes the file. It puts the changes of all callers that wait into
// one transaction, so that they share one wait for the disk, and answers each of them.
type writer struct {
	log   *slog.Logger
	place string
	at    *placeOf
	open  func(context.Context) (*sql.Conn, error)
	ops   chan *op
	stop  chan struct{} // closed to end it
	gone  chan struct{} // closed when it has ended

	// Only the writer's goroutine uses what follows.
	conn       *sql.Conn
	stmts      map[string]*sql.Stmt
	inserts    map[inserting]string // their texts
	values     []any                // of an insert; kept for its room
	rules      map[string]int64
	lastSeq    int64
	version    int64 // of the file, as other processes change it
	loaded     bool
	tired      bool // the last transaction failed: merging waits for one that succeeds
	callers    int  // of the last transaction, and those who came meanwhile
	batchDelay time.Duration
	delay      *time.Timer // for more callers
	finder     *finder
	digests    *digests
	terms      *terms
	sealer     *codec.Sealer
	now        func() time.Time
	appended   func(*tx, []*row) error
	settled    func() // something may have become claimable
}

// run hands a change to the writer and waits until it is durable. When the context ends before the
// writer took it, nothing is changed.
func (w *writer) run(ctx context.Context, o *op) error {
	o.done = make(chan error, 1)
	select {
	case <-w.stop:
		return journal.ErrClosed
	default:
	}
	select {
	case w.ops <- o:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.stop:
		return journal.ErrClosed
	}
	select {
	case err := <-o.done:
		return err
	case <-ctx.Done():
		if o.taken.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		return <-o.done
	case <-w.gone:
		if o.taken.CompareAndSwap(false, true) {
			return journal.ErrClosed
		}
		return <-o.done
	}
}

// change runs one change that is not an append.
func (w *writer) change(ctx context.Context, weight int, do func(*tx) error) error {
	return w.run(ctx, &op{do: do, weight: weight})
}

// loop is the writer's goroutine.
func (w *writer) loop() {
	defer close(w.gone)
	defer w.close()
	w.delay = time.NewTimer(w.batchDelay)
	w.delay.Stop()
	for {
		var first *op
		if w.working() {
			select {
			case first = <-w.ops:
			case <-w.stop:
			default:
			}
		} else {
			select {
			case first = <-w.ops:
			case <-w.stop:
			}
		}
		batch := w.gather(first)
		if len(batch) > 0 || w.working() {
			w.transact(batch)
			w.callers = len(batch) + len(w.ops)
		}
		select {
		case <-w.stop:
			w.refuse()
			return
		default:
		}
	}
}

// working tells whether there is merging to do while nobody waits.
func (w *writer) working() bool {
	return w.loaded && !w.tired && (w.finder.merging() || w.digests.merging() || w.terms.merging())
}

// gather takes the changes that wait, and waits a little for more while many call.
func (w *writer) gather(first *op) []*op {
	var batch []*op
	weight := 0
	take := func(o *op) {
		if o.taken.CompareAndSwap(false, true) {
			batch = append(batch, o)
			weight += o.weight
		}
	}
	var over <-chan time.Time // nil: nothing is waited for yet
	if first != nil {
		take(first)
	}
	for len(batch) < maxOps && weight < maxWeight {
		select {
		case o := <-w.ops:
			take(o)
			continue
		default:
		}
		if first == nil || w.callers < manyCallers || len(batch) >= w.callers/2 {
			break
		}
		if over == nil {
			w.delay.Reset(w.batchDelay)
			defer w.delay.Stop()
			over = w.delay.C
		}
		select {
		case o := <-w.ops:
			take(o)
		case <-over:
			return batch
		case <-w.stop:
			return batch
		}
	}
	return batch
}

func (w *writer) close() {
	if w.conn == nil {
		return
	}
	w.closeStatements()
	if err := w.conn.Close(); err != nil && !errors.Is(err, sql.ErrConnDone) {
		w.log.Warn("close the journal's connection", "error", err)
	}
	w.conn = nil
}

func (w *writer) closeStatements() {
	for _, s := range w.stmts {
		_ = s.Close()
	}
	w.stmts = nil
}

// refuse answers what came too late.
func (w *writer) refuse() {
	for {
		select {
		case o := <-w.ops:
			if o.taken.CompareAndSwap(false, true) {
				o.done <- journal.ErrClosed
			}
		default:
			return
		}
	}
}
