package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/shared"
)

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

func without(batch []*op, o *op) []*op {
	rest := make([]*op, 0, len(batch))
	for _, other := range batch {
		if other != o {
			rest = append(rest, other)
		}
	}
	return rest
}
