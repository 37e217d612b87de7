package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/shared"
)

// closeWait is how long a server may take to take leave.
const closeWait = 5 * time.Second

// Transfer reads or fills a schema as a whole.
type Transfer struct {
	s    *Store
	conn *pgx.Conn
	tx   pgx.Tx // of a source: it sees the journal as it was when it was opened
}

var _ shared.Target = (*Transfer)(nil)

// OpenSource opens a journal to move it away: as it is now, while nobody else can open it, and who
// has it open cannot write. Runners at work are answered with *journal.ErrInUse.
func OpenSource(ctx context.Context, dsn string, o journal.Options) (*Transfer, error) {
	x, err := openTransfer(ctx, dsn, o)
	if err != nil {
		return nil, err
	}
	if err = x.s.idle(ctx, x.conn); err == nil {
		err = x.shut(ctx)
	}
	if err == nil {
		err = x.s.idle(ctx, x.conn) // a runner may have come in the meantime
	}
	if err == nil {
		err = x.freeze(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

// OpenSnapshot opens a journal to read it as it is now, while work goes on.
func OpenSnapshot(ctx context.Context, dsn string, o journal.Options) (*Transfer, error) {
	x, err := openTransfer(ctx, dsn, o)
	if err != nil {
		return nil, err
	}
	if err := x.freeze(ctx); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

// OpenTarget opens a schema to fill it: a new one, or one that was not filled to the end. A journal
// with something in it is refused.
func OpenTarget(ctx context.Context, dsn string) (*Transfer, error) {
	x, err := openTransfer(ctx, dsn, journal.Options{})
	if err != nil {
		return nil, err
	}
	if err = x.shut(ctx); err == nil {
		err = x.checkEmpty(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

// openTransfer connects and brings the schema up to date.
func openTransfer(ctx context.Context, dsn string, o journal.Options) (*Transfer, error) {
	s, err := connect(ctx, dsn, o)
	if err != nil {
		return nil, err
	}
	config := s.pool.Config().ConnConfig.Copy()
	config.RuntimeParams["idle_in_transaction_session_timeout"] = "0" // the other store may take its time
	err = s.migrate(ctx)
	s.pool.Close()
	if err != nil {
		return nil, err
	}
	x := &Transfer{s: s}
	if x.conn, err = pgx.ConnectConfig(ctx, config); err != nil {
		return nil, fmt.Errorf("open the journal: %w", s.explain(err))
	}
	return x, nil
}

// shut keeps others from opening the journal, and from writing into it, until Close.
func (x *Transfer) shut(ctx context.Context) error {
	free, err := x.s.shut(ctx, x.conn)
	if err == nil && !free {
		err = errors.New("it is being moved by another `culvert`: wait until that has ended")
	}
	if err != nil {
		return fmt.Errorf("open the journal: %w", x.s.explain(err))
	}
	return nil
}

// freeze begins a transaction that sees the journal as it is now.
func (x *Transfer) freeze(ctx context.Context) error {
	var err error
	x.tx, err = x.conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err == nil {
		var n int
		err = x.tx.QueryRow(ctx, "SELECT count(*) FROM meta").Scan(&n) // the first query decides of what moment it is
	}
	if err != nil {
		return fmt.Errorf("open the journal: %w", x.s.explain(err))
	}
	return nil
}

// checkEmpty refuses a journal that holds something which was not put there by an unfinished move.
func (x *Transfer) checkEmpty(ctx context.Context) error {
	moving, err := x.meta(ctx, shared.MetaMoving)
	if err != nil || moving != "" {
		return err
	}
	var some bool
	err = x.conn.QueryRow(ctx,
		"SELECT EXISTS (SELECT 1 FROM records) OR EXISTS (SELECT 1 FROM files) OR EXISTS (SELECT 1 FROM meta)").Scan(&some)
	if err == nil && some {
		return fmt.Errorf("there is a journal in the schema %s of %s already: it is not overwritten; name another with "+
			"?search_path=NAME, or drop that one",
			x.s.schema, x.s.place)
	}
	return x.s.explain(err)
}

func (x *Transfer) meta(ctx context.Context, name string) (value string, err error) {
	err = x.conn.QueryRow(ctx, "SELECT value FROM meta WHERE name = $1", name).Scan(&value)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return value, x.s.explain(err)
}

// Close lets others in again and ends the connection.
func (x *Transfer) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	if x.tx != nil {
		_ = x.tx.Rollback(ctx) // what it read is read
	}
	// The server notices the end of a connection a moment later. When this fails it ends the lock then.
	_, _ = x.conn.Exec(ctx, "SELECT pg_advisory_unlock_all()")
	return x.conn.Close(ctx)
}

// quoted gives the columns of a table; offset is a word of SQL.
func quoted(columns []string) string {
	return strings.Replace(strings.Join(columns, ", "), " offset,", ` "offset",`, 1)
}

// Dump implements shared.Source.
func (x *Transfer) Dump(ctx context.Context, t shared.Table, f func(row []any) error) error {
	query := "SELECT " + quoted(t.Columns) + " FROM " + t.Name
	switch t.Name {
	case "rules":
		query = `SELECT id, name, coalesce((SELECT max(last) FROM counts WHERE rule = id AND state = -1), 0),
			coalesce((SELECT max(last) FROM counts WHERE rule = id AND state = 1), 0) FROM rules ORDER BY id`
	case "figures":
		query = `SELECT width, start, rule, server, sum(received)::bigint, sum(delivered)::bigint, sum(failed)::bigint,
			sum(skipped)::bigint, sum(superseded)::bigint,
			sum(lag_sum)::bigint, max(lag_max) FROM figures GROUP BY width, start, rule, server ORDER BY 1, 2, 3, 4`
	case "digests":
		query += " WHERE sum <> 0 OR seq <> 0 OR version <> 0 OR mark <> 0 ORDER BY object"
	case "audit":
		query += " ORDER BY id"
	default:
		query += " ORDER BY 1, 2"
	}
	var q querier = x.conn
	if x.tx != nil {
		q = x.tx
	}
	err := each(ctx, q, func(rows pgx.Rows) error {
		row, err := rows.Values()
		if err != nil {
			return err
		}
		for i, v := range row {
			switch v := v.(type) {
			case int16:
				row[i] = int64(v)
			case int32:
				row[i] = int64(v)
			}
		}
		if t.Name == "meta" && !shared.Moves(row[0].(string)) {
			return nil
		}
		return f(row)
	}, query)
	return x.s.explain(err)
}

// Moved implements shared.Source.
func (x *Transfer) Moved(ctx context.Context, to string) error {
	if err := x.tx.Rollback(ctx); err != nil {
		return x.s.explain(err)
	}
	x.tx = nil
	_, err := x.conn.Exec(ctx, setMeta, shared.MetaMoved, to)
	return x.s.explain(err)
}

// Loaded implements shared.Target.
func (x *Transfer) Loaded(ctx context.Context) (map[string]shared.Digest, error) {
	text, err := x.meta(ctx, shared.MetaMoving)
	if err != nil || text == "" {
		return map[string]shared.Digest{}, err
	}
	out := map[string]shared.Digest{}
	return out, json.Unmarshal([]byte(text), &out)
}

// Load implements shared.Target.
func (x *Transfer) Load(ctx context.Context, t shared.Table, rows iter.Seq2[[]any, error],
	done func() shared.Digest) error {
	loaded, err := x.Loaded(ctx)
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, x.conn, func(tx pgx.Tx) error {
		if err := fill(ctx, tx, t, rows); err != nil {
			return err
		}
		loaded[t.Name] = done()
		text, err := json.Marshal(loaded)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, setMeta, shared.MetaMoving, string(text))
		return err
	})
	return x.s.explain(err)
}

func fill(ctx context.Context, tx pgx.Tx, t shared.Table, rows iter.Seq2[[]any, error]) error {
	clearing := "DELETE FROM " + t.Name
	if t.Name == "meta" {
		clearing = "DELETE FROM meta WHERE name NOT LIKE 'journal.%'"
	}
	if _, err := tx.Exec(ctx, clearing); err != nil {
		return err
	}
	if t.Name == "rules" {
		return fillRules(ctx, tx, rows)
	}
	columns := t.Columns
	var more []any
	switch t.Name {
	case "figures":
		columns, more = append(append([]string{}, columns...), "slot"), []any{int64(0)}
	case "files":
		columns, more = append(append([]string{}, columns...), "owner"), []any{""}
	}
	next, stop := iter.Pull2(rows)
	defer stop()
	_, err := tx.CopyFrom(ctx, pgx.Identifier{t.Name}, columns, pgx.CopyFromFunc(func() ([]any, error) {
		row, err, ok := next()
		if !ok || err != nil {
			return nil, err
		}
		for i, v := range row {
			if text, ok := v.(string); ok {
				row[i] = clean(text)
			}
		}
		return append(row, more...), nil
	}))
	return err
}

// fillRules keeps rules with their numbers, and when something of them was received and delivered last.
func fillRules(ctx context.Context, tx pgx.Tx, rows iter.Seq2[[]any, error]) error {
	if _, err := tx.Exec(ctx, "DELETE FROM counts"); err != nil {
		return err
	}
	for row, err := range rows {
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "INSERT INTO rules (id, name) OVERRIDING SYSTEM VALUE VALUES ($1, $2)", row[0],
			clean(row[1].(string))); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "INSERT INTO counts SELECT $1, state, 0, 0, last FROM (VALUES (-1, $2::bigint), (1, "+
			"$3::bigint)) v(state, last)", row[0], row[2], row[3])
		if err != nil {
			return err
		}
	}
	return nil
}

// Finish implements shared.Target: counters, the heads of keys, and where numbers go on.
func (x *Transfer) Finish(ctx context.Context) error {
	err := pgx.BeginFunc(ctx, x.conn, func(tx pgx.Tx) error {
		for _, q := range []string{
			`INSERT INTO counts AS c SELECT rule, state, 0, count(*), 0 FROM records GROUP BY rule, state
				ON CONFLICT (rule, state, slot) DO UPDATE SET n = excluded.n`,
			"DELETE FROM keys",
			fillKeys,
			"SELECT setval('record_seq', greatest(1, (SELECT max(seq) FROM records), (SELECT max(place + places) FROM files)))",
			"SELECT setval(pg_get_serial_sequence('rules', 'id'), greatest(1, (SELECT max(id) FROM rules)))",
			"DELETE FROM meta WHERE name = '" + shared.MetaMoving + "'",
		} {
			if _, err := tx.Exec(ctx, q); err != nil {
				return fmt.Errorf("put the journal in order: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return x.s.explain(err)
	}
	for _, table := range shared.Tables {
		if _, err := x.conn.Exec(ctx, "ANALYZE "+table.Name); err != nil {
			return x.s.explain(err)
		}
	}
	return nil
}
