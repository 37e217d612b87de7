package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
)

// delta is by how much the counters of a rule change.
type delta struct {
	states                  [codec.StateCount]int64
	lastReceived, delivered int64
}

// tx is the writer's open transaction. Nothing of it outlives a rollback: what is kept in memory changes in after.
type tx struct {
	w      *writer
	ctx    context.Context
	counts map[int64]*delta
	rules  map[string]int64
	seq    int64 // the last one given out, 0 before the first
	// Records of this transaction, which the finder does not know yet.
	chains  map[int64][]int64
	idents  map[int64]int64
	terms   []found // by which records become known
	figures shared.FigureSums
	after   []func()
	commit  []sync.Locker // held from before the commit until memory says the same as the file
	// How much it adds sets the pace of merging.
	appended, remembered int
}

// withhold keeps what l guards from being read while the file and memory say different things.
func (t *tx) withhold(l sync.Locker) { t.commit = append(t.commit, l) }

// then runs f once the transaction is durable.
func (t *tx) then(f func()) { t.after = append(t.after, f) }

func (t *tx) stmt(query string) (*sql.Stmt, error) {
	if s, ok := t.w.stmts[query]; ok {
		return s, nil
	}
	s, err := t.w.conn.PrepareContext(t.ctx, query)
	if err != nil {
		return nil, err
	}
	t.w.stmts[query] = s
	return s, nil
}

func (t *tx) exec(query string, args ...any) error {
	_, err := t.execCount(query, args...)
	return err
}

func (t *tx) execCount(query string, args ...any) (int64, error) {
	s, err := t.stmt(query) //nolint:sqlclosecheck // the connection keeps it for the next time
	if err != nil {
		return 0, err
	}
	r, err := s.ExecContext(t.ctx, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (t *tx) query(query string, args ...any) (*sql.Rows, error) {
	s, err := t.stmt(query) //nolint:sqlclosecheck // the connection keeps it for the next time
	if err != nil {
		return nil, err
	}
	return s.QueryContext(t.ctx, args...)
}

// one is a row that failed to be asked for, or the row.
type one struct {
	row *sql.Row
	err error
}

func (o one) Scan(into ...any) error {
	if o.err != nil {
		return o.err
	}
	return o.row.Scan(into...)
}

func (t *tx) queryRow(query string, args ...any) one {
	s, err := t.stmt(query) //nolint:sqlclosecheck // the connection keeps it for the next time
	if err != nil {
		return one{err: err}
	}
	return one{row: s.QueryRowContext(t.ctx, args...)}
}

// lastSeq is the last place in the order of acceptance that was given out.
func (t *tx) lastSeq() int64 {
	if t.seq == 0 {
		t.seq = t.w.lastSeq
		t.then(func() { t.w.lastSeq = t.seq })
	}
	return t.seq
}

// nextSeq gives out the next place in the order of acceptance.
func (t *tx) nextSeq() int64 {
	t.seq = t.lastSeq() + 1
	return t.seq
}

// rule gives the number of a rule, making it known when it is new.
func (t *tx) rule(name string) (int64, error) {
	if id, ok := t.w.rules[name]; ok {
		return id, nil
	}
	if id, ok := t.rules[name]; ok {
		return id, nil
	}
	if err := t.exec("INSERT OR IGNORE INTO rules (name) VALUES (?)", name); err != nil {
		return 0, fmt.Errorf("make a rule known: %w", err)
	}
	var id int64
	if err := t.queryRow("SELECT id FROM rules WHERE name = ?", name).Scan(&id); err != nil {
		return 0, fmt.Errorf("make a rule known: %w", err)
	}
	if t.rules == nil {
		t.rules = map[string]int64{}
	}
	t.rules[name] = id
	t.then(func() { t.w.rules[name] = id })
	return id, nil
}

func (t *tx) count(rule int64) *delta {
	d := t.counts[rule]
	if d == nil {
		d = &delta{}
		t.counts[rule] = d
	}
	return d
}

// moved counts records of a rule that change their state.
func (t *tx) moved(rule int64, from, to int, n int64) {
	d := t.count(rule)
	d.states[from] -= n
	d.states[to] += n
}

// flush writes what the transaction collected.
func (t *tx) flush() error {
	if err := t.flushCounts(); err != nil {
		return err
	}
	if err := t.flushFigures(); err != nil {
		return err
	}
	return t.flushTerms()
}

func (t *tx) flushCounts() error {
	for rule, d := range t.counts {
		s := d.states
		if err := t.exec(`UPDATE rules SET pending = pending + ?, delivered = delivered + ?, held = held + ?,
			skipped = skipped + ?, failed = failed + ?,
			dismissed = dismissed + ?, superseded = superseded + ?, last_received = max(last_received, ?),
			last_delivered = max(last_delivered, ?) WHERE id = ?`,
			s[codec.Pending], s[codec.Delivered], s[codec.Held], s[codec.Skipped], s[codec.Failed], s[codec.Dismissed],
			s[codec.Superseded],
			d.lastReceived, d.delivered, rule); err != nil {
			return fmt.Errorf("count records: %w", err)
		}
	}
	return nil
}

// list gives numbers as the JSON text that json_each takes apart again: one statement for any number of them.
func list(numbers []int64) string {
	text := make([]byte, 0, 2+20*len(numbers))
	text = append(text, '[')
	for i, n := range numbers {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, n, 10)
	}
	return string(append(text, ']'))
}

// insertSizes are how many rows one INSERT takes: few statements, each prepared once.
var insertSizes = [...]int{64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1}

// inserting is an INSERT of so many rows.
type inserting struct {
	into string
	rows int
}

// insert writes many rows of the same columns with few statements. args adds the values of row i to values.
func (t *tx) insert(into string, columns, rows int, args func(values []any, i int) []any) error {
	defer func() { clear(t.w.values[:cap(t.w.values)]) }() // which held payloads
	for done := 0; done < rows; {
		size := 1
		for _, s := range insertSizes {
			if s <= rows-done {
				size = s
				break
			}
		}
		values := t.w.values[:0]
		for i := range size {
			values = args(values, done+i)
		}
		t.w.values = values
		if err := t.exec(t.insertText(inserting{into, size}, columns), values...); err != nil {
			return err
		}
		done += size
	}
	return nil
}

func (t *tx) insertText(what inserting, columns int) string {
	text, ok := t.w.inserts[what]
	if !ok {
		tuple := "(" + strings.TrimSuffix(strings.Repeat("?,", columns), ",") + ")"
		text = what.into + " VALUES " + strings.TrimSuffix(strings.Repeat(tuple+",", what.rows), ",")
		t.w.inserts[what] = text
	}
	return text
}

// scan reads all rows with f.
func scan(rows *sql.Rows, err error, f func(*sql.Rows) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
