package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
)

// Names are hidden with one key at a time: ids are compared as they are stored, and every hash by
// which records are found is made with it. Another key therefore changes all of them at once, in one
// transaction, together with the payloads, which are bound to the hash of their record's identity.
// Until it is durable all is as it was; the write-ahead log grows by as much as the journal has.

// renamedAtOnce is how many records are read at once, with their payloads.
const renamedAtOnce = 200

// renaming hides the journal's names with another key.
type renaming struct {
	t     *tx
	s     *Store // hides as before
	to    *codec.Sealer
	count int64 // payloads that were sealed anew
}

// rename hides all names with the newest key, and seals all payloads with it.
func (s *Store) rename(ctx context.Context, to *codec.Sealer) (count int64, err error) {
	note := to.HiddenNote()
	err = s.writer.change(ctx, maxWeight, func(t *tx) error {
		r := &renaming{t: t, s: s, to: to}
		// What the writer knows by the old hashes is read again by the next transaction, whatever comes of this one.
		t.w.forget()
		for _, step := range []func() error{r.records, r.identities, r.contributions, r.audit, r.meta} {
			if err := step(); err != nil {
				return err
			}
		}
		for _, query := range reindex {
			if err := t.exec(query); err != nil {
				return fmt.Errorf("index records anew: %w", err)
			}
		}
		t.terms = nil // of records that were renamed since
		t.then(func() {
			count = r.count
			t.w.forget()
			_, err = s.sealer.Checks(note)
		})
		return t.exec(setMeta, keyCheck, note)
	})
	return count, err
}

// forget has the next transaction read again what is kept in memory by hashes.
func (w *writer) forget() {
	w.finder.reset()
	w.terms.reset()
	w.loaded = false
}

// renamed is what is changed of a record.
type renamed struct {
	seq, ident, chain int64
	id, key           string
	why               [3]string // cause, hint and object of its problem
	sealed            [3][]byte // origin, body, private part of its problem
	changed           [3]bool
	terms             []int64
}

var renamedParts = [3]struct{ purpose, write string }{
	{codec.PurposeOrigin, "UPDATE records SET origin = ? WHERE seq = ?"},
	{codec.PurposeBody, "UPDATE payloads SET body = ? WHERE seq = ?"},
	{codec.PurposeProblem, "UPDATE outcomes SET private = ? WHERE seq = ?"},
}

func (r *renaming) records() error {
	if err := r.t.exec("CREATE TEMP TABLE fresh_terms (hash INTEGER NOT NULL, seq INTEGER NOT NULL)"); err != nil {
		return err
	}
	for after := int64(0); ; {
		page, err := r.page(after)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		after = page[len(page)-1].seq
		for _, rec := range page {
			if err := r.write(rec); err != nil {
				return fmt.Errorf("rename record %d: %w", rec.seq, err)
			}
		}
	}
	for _, query := range []string{
		"DELETE FROM term_log", "DELETE FROM terms",
		"INSERT OR IGNORE INTO terms SELECT hash, seq FROM temp.fresh_terms ORDER BY hash, seq",
		"DROP TABLE temp.fresh_terms",
	} {
		if err := r.t.exec(query); err != nil {
			return fmt.Errorf("make records known by their terms: %w", err)
		}
	}
	return nil
}

// page reads the next records.
func (r *renaming) page(after int64) (page []*renamed, err error) {
	rows, err := r.t.query(`SELECT r.seq, n.name, r.ident, r.chain, r.id, r.key, coalesce(o.objects, ''), r.origin, p.body,
		o.private, coalesce(o.cause, ''), coalesce(o.hint, ''), coalesce(o.object, '')
		FROM records r CROSS JOIN rules n ON n.id = r.rule LEFT JOIN payloads p ON p.seq = r.seq
		LEFT JOIN outcomes o ON o.seq = r.seq WHERE r.seq > ? ORDER BY r.seq LIMIT ?`, after, renamedAtOnce)
	err = scan(rows, err, func(rows *sql.Rows) error {
		var rule, objects string
		var ident int64
		rec := &renamed{}
		if err := rows.Scan(&rec.seq, &rule, &ident, &rec.chain, &rec.id, &rec.key, &objects, &rec.sealed[0],
			&rec.sealed[1], &rec.sealed[2], &rec.why[0], &rec.why[1], &rec.why[2]); err != nil {
			return err
		}
		page = append(page, rec)
		return r.hide(rec, rule, ident, codec.SplitObjects(objects))
	})
	if err != nil {
		return nil, fmt.Errorf("read records to rename: %w", err)
	}
	return page, nil
}

// hide gives a record its new names.
func (r *renaming) hide(rec *renamed, rule string, ident int64, objects []string) (err error) {
	from := r.s.sealer
	if err := from.ShowAll(&rec.id, &rec.key, &rec.why[0], &rec.why[1], &rec.why[2]); err != nil {
		return err
	}
	rec.ident = shared.IdentOf(r.to, rule, rec.id, rec.seq)
	if rec.chain != shared.ForgottenChain {
		rec.chain = r.to.Chain(rec.key)
	}
	for _, text := range append(objects, rec.id, rec.key) {
		rec.terms = append(rec.terms, r.to.Term(text))
	}
	rec.id, rec.key = r.to.Hide(rec.id), r.to.Hide(rec.key)
	for i, text := range rec.why {
		rec.why[i] = r.to.Hide(text)
	}
	for i, part := range renamedParts {
		rec.sealed[i], rec.changed[i], err = from.Rebind(part.purpose, ident, rec.ident, rec.sealed[i])
		if err != nil {
			return fmt.Errorf("record %d: %w", rec.seq, err)
		}
	}
	return nil
}

func (r *renaming) write(rec *renamed) error {
	err := r.t.exec("UPDATE records SET ident = ?, chain = ?, id = ?, key = ? WHERE seq = ?", rec.ident, rec.chain,
		rec.id, rec.key, rec.seq)
	if err != nil {
		return err
	}
	if rec.why != [3]string{} {
		if err := r.t.exec("UPDATE outcomes SET cause = CASE WHEN cause IS NOT NULL THEN ? END, "+
			"hint = CASE WHEN hint IS NOT NULL THEN ? END, object = CASE WHEN object IS NOT NULL THEN ? END WHERE seq = ?",
			rec.why[0], rec.why[1], rec.why[2], rec.seq); err != nil {
			return err
		}
	}
	for i, part := range renamedParts {
		if !rec.changed[i] {
			continue
		}
		r.count++
		if err := r.t.exec(part.write, rec.sealed[i], rec.seq); err != nil {
			return err
		}
	}
	return r.t.insert("INSERT INTO temp.fresh_terms (hash, seq)", 2, len(rec.terms), func(values []any, i int) []any {
		return append(values, rec.terms[i], rec.seq)
	})
}

func (r *renaming) identities() error {
	return r.table("identities", []string{"server", "type", "external_id", "uid", "generation", "origin"}, 3,
		func(row []any) error { return shared.Rename(r.s.sealer, r.to, row, 2) })
}

func (r *renaming) contributions() error {
	err := r.table("contributions", []string{"server", "contributor", "slot", "value", "number", "at"}, 2,
		func(row []any) error {
			value, changed, err := r.to.ResealShare(row[0].(string), row[2].(string), row[3].(string))
			if row[3] = value; changed {
				r.count++
			}
			if err != nil {
				return err
			}
			return shared.Rename(r.s.sealer, r.to, row, 1)
		})
	if err != nil {
		return err
	}
	return r.table("contributions_left", []string{"server", "contributor", "slot"}, 3,
		func(row []any) error { return shared.Rename(r.s.sealer, r.to, row, 1) })
}

func (r *renaming) audit() error {
	return r.table("audit", []string{"id", "at", "who", "did", "why", "count", "subject"}, 1,
		func(row []any) error { return shared.Rename(r.s.sealer, r.to, row, 4, 6) })
}

func (r *renaming) meta() error {
	return r.table("meta", []string{"name", "value"}, 1, func(row []any) error {
		if shared.OwnName(row[0].(string)) != nil {
			return nil
		}
		return shared.Rename(r.s.sealer, r.to, row, 1)
	})
}

// table writes a table anew with what change makes of its rows. Its primary key is the first columns; it may change.
func (r *renaming) table(name string, columns []string, key int, change func(row []any) error) error {
	err := r.rewrite(name, columns, key, change)
	if err != nil {
		return fmt.Errorf("rename what is in %s: %w", name, err)
	}
	return nil
}

func (r *renaming) rewrite(name string, columns []string, key int, change func(row []any) error) error {
	all, first := strings.Join(columns, ", "), strings.Join(columns[:key], ", ")
	fresh := "temp.fresh_" + name
	if err := r.t.exec("CREATE TEMP TABLE fresh_" + name + " AS SELECT " + all + " FROM main." + name +
		" WHERE 0"); err != nil {
		return err
	}
	where := ""
	var after []any
	for {
		page, err := r.rows("SELECT "+all+" FROM main."+name+where+" ORDER BY "+first+fmt.Sprintf(" LIMIT %d",
			shared.ChangeSize), len(columns), after)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		where = " WHERE (" + first + ") > (" + strings.TrimSuffix(strings.Repeat("?, ", key), ", ") + ")"
		after = append([]any{}, page[len(page)-1][:key]...)
		for _, row := range page {
			if err := change(row); err != nil {
				return err
			}
		}
		err = r.t.insert("INSERT INTO "+fresh+" ("+all+")", len(columns), len(page), func(values []any, i int) []any {
			return append(values, page[i]...)
		})
		if err != nil {
			return err
		}
	}
	for _, query := range []string{
		"DELETE FROM main." + name,
		"INSERT INTO main." + name + " (" + all + ") SELECT " + all + " FROM " + fresh + " ORDER BY " + first,
		"DROP TABLE " + fresh,
	} {
		if err := r.t.exec(query); err != nil {
			return err
		}
	}
	return nil
}

func (r *renaming) rows(query string, columns int, args []any) (all [][]any, err error) {
	rows, err := r.t.query(query, args...)
	err = scan(rows, err, func(rows *sql.Rows) error {
		row, into := make([]any, columns), make([]any, columns)
		for i := range row {
			into[i] = &row[i]
		}
		all = append(all, row)
		return rows.Scan(into...)
	})
	return all, err
}
