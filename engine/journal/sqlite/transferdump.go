package sqlite

import (
	"context"
	"database/sql"
	"strings"

	"github.com/culvert/culvert/engine/journal/shared"
)

// columnsOf gives a table's columns as this store calls them.
func columnsOf(t shared.Table) string {
	columns := strings.Join(t.Columns, ", ")
	if t.Name == "records" {
		columns = strings.Replace(columns, "row,", "place,", 1)
	}
	return columns
}

// Dump implements shared.Source.
func (x *Transfer) Dump(ctx context.Context, t shared.Table, f func(row []any) error) error {
	query := "SELECT " + columnsOf(t) + " FROM " + t.Name + " ORDER BY 1, 2"
	switch t.Name {
	case "digests":
		return x.dumpDigests(ctx, f)
	case "terms":
		return x.dumpTerms(ctx, f)
	case "audit":
		query = "SELECT " + columnsOf(t) + " FROM audit ORDER BY id"
	}
	rows, err := x.conn.QueryContext(ctx, query)
	err = scan(rows, err, func(rows *sql.Rows) error {
		row, into := make([]any, len(t.Columns)), make([]any, len(t.Columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if t.Name == "meta" && !shared.Moves(row[0].(string)) {
			return nil
		}
		return f(row)
	})
	return explain(err, x.path)
}

// dumpDigests gives what pages and log say together, sums and marks with a sign, as PostgreSQL keeps them.
func (x *Transfer) dumpDigests(ctx context.Context, f func(row []any) error) error {
	d := newDigests(usualSizes)
	ask := func(query string, args ...any) (*sql.Rows, error) { return x.conn.QueryContext(ctx, query, args...) }
	if err := d.load(ask); err != nil {
		return err
	}
	d.freeze()
	newer := d.frozen
	give := func(e digest) error {
		if e.entry == (entry{}) {
			return nil
		}
		return f([]any{int64(e.hash), int64(int32(e.sum)), int64(int16(e.mark)), e.version, e.seq})
	}
	for part := 0; part < len(d.firsts); part++ {
		var entries []byte
		if err := x.conn.QueryRowContext(ctx, "SELECT entries FROM digest_pages WHERE first = ?",
			int64(d.firsts[part])).Scan(&entries); err != nil {
			return explain(err, x.path)
		}
		for _, e := range unpack(d.firsts[part], entries) {
			for len(newer) > 0 && newer[0].hash < e.hash {
				if err := give(newer[0]); err != nil {
					return err
				}
				newer = newer[1:]
			}
			if len(newer) > 0 && newer[0].hash == e.hash {
				continue
			}
			if err := give(e); err != nil {
				return err
			}
		}
	}
	for _, e := range newer {
		if err := give(e); err != nil {
			return err
		}
	}
	return nil
}

// dumpTerms gives what table and log say together. Terms of records that are gone stay behind.
func (x *Transfer) dumpTerms(ctx context.Context, f func(row []any) error) error {
	logged := map[found]bool{}
	rows, err := x.conn.QueryContext(ctx, "SELECT entries FROM term_log")
	err = scan(rows, err, func(rows *sql.Rows) error {
		var entries []byte
		err := rows.Scan(&entries)
		eachTerm(entries, func(e found) { logged[e] = true })
		return err
	})
	if err != nil {
		return explain(err, x.path)
	}
	rows, err = x.conn.QueryContext(ctx, "SELECT hash, seq FROM terms ORDER BY hash, seq")
	err = scan(rows, err, func(rows *sql.Rows) error {
		var e found
		if err := rows.Scan(&e.hash, &e.seq); err != nil {
			return err
		}
		delete(logged, e)
		return f([]any{e.hash, e.seq})
	})
	if err != nil {
		return err
	}
	for e := range logged {
		if err := f([]any{e.hash, e.seq}); err != nil {
			return err
		}
	}
	return nil
}
