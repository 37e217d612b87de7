package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
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

// transact makes a batch durable. A change that cannot be done is answered with its error and left
// out; the others start over without it.
func (w *writer) transact(batch []*op) {
	for {
		failed, err := w.attempt(batch)
		if failed != nil {
			failed.done <- err
			batch = without(batch, failed)
			if len(batch) == 0 {
				return
			}
			continue
		}
		err = explain(err, w.place)
		w.tired = err != nil
		if err != nil {
			w.log.Error("the journal cannot be written", "error", err)
		}
		for _, o := range batch {
			o.done <- err
		}
		return
	}
}

// attempt runs one transaction. failed is the change whose fault an error is; nil when it is the store's.
func (w *writer) attempt(batch []*op) (failed *op, err error) {
	ctx := context.Background()
	if err := w.prepare(ctx); err != nil {
		return nil, err
	}
	if err := w.at.check(ctx, w.conn); err != nil {
		return nil, err
	}
	t := &tx{w: w, ctx: ctx, counts: map[int64]*delta{}, chains: map[int64][]int64{}, idents: map[int64]int64{},
		figures: shared.FigureSums{}}
	if err := t.exec("BEGIN IMMEDIATE"); err != nil {
		w.mistrust(err)
		return nil, fmt.Errorf("begin to write the journal: %w", err)
	}
	failed, err = w.fill(t, batch)
	if err == nil {
		for _, l := range t.commit {
			l.Lock()
			defer l.Unlock()
		}
		err = t.exec("COMMIT")
	}
	if err != nil {
		w.terms.distrust()
		if _, rollback := w.conn.ExecContext(ctx, "ROLLBACK"); rollback != nil {
			w.mistrust(rollback)
		}
		w.mistrust(err)
		var gone *journal.ErrUnavailable
		if errors.As(explain(err, w.place), &gone) {
			failed = nil
		}
		return failed, err
	}
	for _, f := range t.after {
		f()
	}
	if len(batch) > 0 {
		w.settled()
	}
	return nil, nil
}

// fill does all of a transaction's work: appends first and together, then the other changes, then a slice of merging.
func (w *writer) fill(t *tx, batch []*op) (failed *op, err error) {
	if err := w.refresh(t); err != nil {
		return nil, err
	}
	var rows []*row
	var appender *op
	for _, o := range batch {
		if o.rows != nil {
			rows = append(rows, o.rows...)
			appender = o
		}
	}
	if len(rows) > 0 {
		if err := w.appended(t, rows); err != nil {
			return appender, err
		}
	}
	for _, o := range batch {
		if o.do == nil {
			continue
		}
		if err := o.do(t); err != nil {
			return o, err
		}
	}
	if err := t.flush(); err != nil {
		return nil, err
	}
	if err := w.finder.merge(t); err != nil {
		return nil, err
	}
	if err := w.terms.merge(t); err != nil {
		return nil, err
	}
	return nil, w.digests.merge(t)
}

// refresh catches up with what other processes, such as a replay from the command line, did to the file.
func (w *writer) refresh(t *tx) error {
	var version int64
	if err := t.queryRow("PRAGMA data_version").Scan(&version); err != nil {
		return fmt.Errorf("read the journal's version: %w", err)
	}
	if !w.terms.ready || version != w.version {
		if err := w.terms.load(t); err != nil {
			return err
		}
	}
	if w.loaded && version == w.version {
		return w.finder.table.tend(t)
	}
	if err := w.checkKey(t); err != nil {
		return err
	}
	err := t.queryRow(`SELECT max(coalesce((SELECT max(seq) FROM records), 0),
		coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE name = ?), 0))`,
		reservedMark).Scan(&w.lastSeq)
	if err != nil {
		return fmt.Errorf("find the journal's end: %w", err)
	}
	if err := w.finder.load(t); err != nil {
		return err
	}
	if err := w.digests.load(t.query); err != nil {
		return err
	}
	clear(w.rules)
	w.version, w.loaded = version, true
	return nil
}

// checkKey refuses to write into a journal that another process has encrypted anew since it was opened.
func (w *writer) checkKey(t *tx) error {
	var note string
	err := t.queryRow("SELECT coalesce((SELECT value FROM meta WHERE name = ?), '')", keyCheck).Scan(&note)
	if err != nil {
		return fmt.Errorf("read with which key the journal is encrypted: %w", err)
	}
	if !w.sealer.Fits(note) {
		return &journal.ErrUnavailable{Reason: journal.ErrKeyWrong.Error(), RetryAfter: retryAfter, Err: journal.ErrKeyWrong}
	}
	return nil
}

func (w *writer) prepare(ctx context.Context) error {
	if w.conn != nil {
		return nil
	}
	conn, err := w.open(ctx)
	if err != nil {
		return fmt.Errorf("open the journal for writing: %w", err)
	}
	w.conn, w.stmts, w.loaded = conn, map[string]*sql.Stmt{}, false
	w.finder.reset()
	w.digests.reset()
	w.terms.reset()
	return nil
}

// mistrust closes a connection that reported a fault of the disk, so that the next transaction begins with a new one.
func (w *writer) mistrust(err error) {
	if w.conn == nil || !damaged(err) {
		return
	}
	w.closeStatements()
	// Said to be bad, it is closed and not given out again.
	_ = w.conn.Raw(func(any) error { return driver.ErrBadConn })
	w.close()
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

func without(batch []*op, o *op) []*op {
	rest := make([]*op, 0, len(batch))
	for _, other := range batch {
		if other != o {
			rest = append(rest, other)
		}
	}
	return rest
}
