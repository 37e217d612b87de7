package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/rules/diag"
)

// searchedRecords is the first format in which records are found by their terms, and failures by their cause.
const searchedRecords = 12

// nameRecords makes the records of an earlier journal known by their terms, and groups its
// failures. Terms are written in order of hash.
func nameRecords(ctx context.Context, conn *sql.Conn) error {
	all, err := termsOfAll(ctx, conn)
	if err != nil {
		return fmt.Errorf("read by what records are found: %w", err)
	}
	slices.SortFunc(all, byTerm)
	insert, err := conn.PrepareContext(ctx, "INSERT OR IGNORE INTO terms (hash, seq) VALUES (?, ?)")
	if err != nil {
		return err
	}
	defer insert.Close()
	for _, e := range all {
		if _, err := insert.ExecContext(ctx, e.hash, e.seq); err != nil {
			return fmt.Errorf("make records known by their terms: %w", err)
		}
	}
	return groupFailures(ctx, conn)
}

func termsOfAll(ctx context.Context, conn *sql.Conn) ([]found, error) {
	var all []found
	clear := &codec.Sealer{} // no journal of those formats hides names
	rows, err := conn.QueryContext(ctx,
		"SELECT r.seq, r.id, r.key, coalesce(o.objects, '') FROM records r LEFT JOIN outcomes o ON o.seq = r.seq")
	err = scan(rows, err, func(rows *sql.Rows) error {
		var seq int64
		var id, key, objects string
		err := rows.Scan(&seq, &id, &key, &objects)
		for _, text := range append(codec.SplitObjects(objects), id, key) {
			all = append(all, found{clear.Term(text), seq})
		}
		return err
	})
	return all, err
}

func groupFailures(ctx context.Context, conn *sql.Conn) error {
	causes := map[int64]int64{}
	rows, err := conn.QueryContext(ctx, `SELECT r.seq, n.name, coalesce(o.class, ''), coalesce(o.code, ''),
		coalesce(o.cause, ''), coalesce(o.place, '')
		FROM records r JOIN rules n ON n.id = r.rule LEFT JOIN outcomes o ON o.seq = r.seq WHERE r.state = 4`)
	err = scan(rows, err, func(rows *sql.Rows) error {
		var seq int64
		var rule, class, place string
		var p journal.Problem
		err := rows.Scan(&seq, &rule, &class, &p.Code, &p.Message, &place)
		p.Class, p.Place = actions.Class(class), diag.ParsePlace(place)
		causes[seq] = codec.CauseOf(rule, &p)
		return err
	})
	if err != nil {
		return fmt.Errorf("read why records failed: %w", err)
	}
	for seq, cause := range causes {
		if _, err := conn.ExecContext(ctx, "UPDATE records SET cause = ? WHERE seq = ?", cause, seq); err != nil {
			return fmt.Errorf("group failures: %w", err)
		}
	}
	return nil
}
