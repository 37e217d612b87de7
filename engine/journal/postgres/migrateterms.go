package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
	"github.com/culvert/culvert/rules/diag"
)

// searchedRecords is the first format in which records are found by their terms, and failures by their cause.
const searchedRecords = 12

// nameRecords makes the records of an earlier journal known by their terms, and groups its
// failures: a part at a time, so that it needs little memory.
func (s *Store) nameRecords(ctx context.Context, p pgx.Tx) error {
	t := &tx{Tx: p, s: s, counts: map[countOf]countBy{}, figures: shared.FigureSums{}}
	for after, more := int64(0), true; more; {
		more = false
		var failed, causes []int64
		err := each(ctx, t, func(rows pgx.Rows) error {
			var state int
			var id, key, objects, rule, class, place string
			var f journal.Problem
			err := rows.Scan(&after, &state, &id, &key, &objects, &rule, &class, &f.Code, &f.Message, &place)
			f.Place = diag.ParsePlace(place)
			for _, text := range append(codec.SplitObjects(objects), id, key) {
				t.term(text, after)
			}
			if f.Class = actions.Class(class); state == codec.Failed {
				failed, causes = append(failed, after), append(causes, codec.CauseOf(rule, &f))
			}
			more = true
			return err
		}, `SELECT r.seq, r.state, r.id, r.key, coalesce(o.objects, ''), n.name, coalesce(o.class, ''), coalesce(o.code,
			''), coalesce(o.cause, ''), coalesce(o.place, '')
			FROM records r JOIN rules n ON n.id = r.rule LEFT JOIN outcomes o ON o.seq = r.seq WHERE r.seq > $1
			ORDER BY r.seq LIMIT 20000`, after)
		if err == nil {
			err = t.saveTerms(ctx)
		}
		if err == nil {
			_, err = t.Exec(ctx, "UPDATE records r SET cause = u.cause FROM unnest($1::bigint[], $2::bigint[]) u(seq, cause) "+
				"WHERE r.seq = u.seq", failed, causes)
		}
		if err != nil {
			return fmt.Errorf("make records known by their terms: %w", err)
		}
		t.terms = nil
	}
	return nil
}
