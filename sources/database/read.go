package database

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/diag"
)

const (
	// maxPageBytes bounds what one page holds in memory; rows beyond it come with the next one.
	maxPageBytes = 32 << 20
	// maxGroup is how many rows may share one place of the cursor.
	maxGroup = 50000
	// grace is what a statement has beyond its own limit before the connection is given up.
	grace = 5 * time.Second
)

// page is some rows of a query, in the order of its cursor.
type page struct {
	rows []map[string]any
	keys [][]value
	more bool // the last row belongs to the next page
}

// cut takes away the last row and those that share its place: the next page begins behind a place,
// and must find all rows of the one after it. What is left is empty when all rows share one place.
func (p *page) cut() {
	n := len(p.keys) - 1
	last := p.keys[n]
	for n > 0 && same(p.keys[n-1], last) {
		n--
	}
	p.rows, p.keys = p.rows[:n], p.keys[:n]
}

func same(a, b []value) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// page reads at most limit rows.
func (d *Database) page(ctx context.Context, q Query, at position, limit int) (page, error) {
	var p page
	err := d.read(ctx, q, func(columns []string) (string, []any, error) {
		// One row more tells whether the last place is complete.
		return d.dialect.page(q, columns, at, limit+1)
	}, func(columns []column, values []any, size int) (bool, error) {
		key := make([]value, len(q.Cursor))
		for i := range columns {
			if n := columns[i].cursor; n > 0 {
				v, err := valueOf(columns[i].normal(values[i]), columns[i].number)
				if err != nil {
					return false, err
				}
				key[n-1] = v
			}
		}
		p.keys = append(p.keys, key)
		p.rows = append(p.rows, bodyOf(columns, values))
		p.more = len(p.rows) > limit || size >= maxPageBytes
		return !p.more, nil
	})
	if err != nil {
		return page{}, err
	}
	return p, nil
}

func bodyOf(columns []column, values []any) map[string]any {
	body := make(map[string]any, len(columns))
	for i := range columns {
		body[columns[i].name] = columns[i].body(values[i])
	}
	return body
}

// read runs one statement in a read-only transaction and gives its rows to take until that says
// false. size is what was read so far, in bytes.
func (d *Database) read(ctx context.Context, q Query, statement func(columns []string) (string, []any, error),
	take func(columns []column, values []any, size int) (bool, error)) (err error) {
	return d.within(ctx, q.Timeout, func(ctx, outer context.Context, tx *sql.Tx) error {
		var names []string
		if d.dialect.named {
			if names, err = columnNames(ctx, tx, q); err != nil {
				return explain(outer, "read the query's columns", err)
			}
		}
		text, args, err := statement(names)
		if err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, text, args...)
		if err != nil {
			return explain(outer, "run the query", err)
		}
		defer func() { _ = rows.Close() }() // what Close says, Err has said
		return explain(outer, "read the query's rows", d.scan(rows, q, take))
	})
}

// within runs statements in one transaction that changes nothing, each within a time. outer is the
// context that the caller gave.
func (d *Database) within(outer context.Context, timeout time.Duration,
	do func(ctx, outer context.Context, tx *sql.Tx) error) error {
	ctx, cancel := context.WithTimeout(outer, timeout+grace)
	defer cancel()
	tx, err := d.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: d.dialect.readOnly})
	if err != nil {
		return explain(outer, "connect to the database", err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was changed
	if d.dialect.prepare != nil {
		if err := d.dialect.prepare(ctx, d, tx, timeout); err != nil {
			return explain(outer, "prepare the database session", err)
		}
	}
	return do(ctx, outer, tx)
}

// columnNames gives the names of a query's columns without reading rows.
func columnNames(ctx context.Context, tx *sql.Tx, q Query) ([]string, error) {
	rows, err := tx.QueryContext(ctx, "SELECT * FROM ("+q.Text+"\n) AS "+alias+" LIMIT 0")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		// SQLite names the second of two columns of one name id:1.
		if !isIdentifier(name) || strings.Contains(name, ":") {
			return nil, &diag.Problem{Message: "a column of the query's result has no plain name of its own",
				Hint: "give it one with AS"}
		}
	}
	return names, rows.Err()
}

func (d *Database) scan(rows *sql.Rows, q Query, take func([]column, []any, int) (bool, error)) error {
	types, err := rows.ColumnTypes()
	if err != nil {
		return err
	}
	columns, err := d.dialect.columnsOf(types, q)
	if err != nil {
		return err
	}
	values := make([]any, len(columns))
	into := make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	size := 0
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for _, v := range values {
			size += sizeOf(v)
		}
		more, err := take(columns, values, size)
		if err != nil || !more {
			return err
		}
	}
	return rows.Err()
}

func sizeOf(v any) int {
	switch v := v.(type) {
	case string:
		return 16 + len(v)
	case []byte:
		return 16 + len(v)
	}
	return 16
}
