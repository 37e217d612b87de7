package postgres

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
	"github.com/culvert/culvert/internal/await"
)

// Names are hidden with one key at a time: ids are compared as they are stored, and every hash by
// which records are found is made with it. Another key therefore changes all of them at once, in one
// transaction, together with the payloads, which are bound to the hash of their record's identity.

// renamedAtOnce is how many records are read at once, with their payloads.
const renamedAtOnce = 200

// renaming hides the journal's names with another key.
type renaming struct {
	*tx   // hides as before
	to    *codec.Sealer
	count int64 // payloads that were sealed anew
}

// rename hides all names with the newest key, and seals all payloads with it.
func (s *Store) rename(ctx context.Context, conn *pgx.Conn, to *codec.Sealer) (count int64, err error) {
	note := to.HiddenNote()
	var xid int64
	err = s.beginTx(ctx, func(ctx context.Context, t *tx) error {
		r := &renaming{tx: t, to: to}
		if err := r.records(ctx); err != nil {
			return err
		}
		for _, p := range r.parts() {
			if err := r.rewrite(ctx, p); err != nil {
				return fmt.Errorf("rename what is in %s: %w", p.table, err)
			}
		}
		count = r.count
		if _, err := t.Exec(ctx, setMeta, keyCheck, note); err != nil {
			return err
		}
		return t.QueryRow(ctx, "SELECT txid_current()").Scan(&xid)
	})
	if err != nil {
		return 0, err
	}
	if _, err := s.sealer.Checks(note); err != nil {
		return count, err
	}
	s.compact(ctx, conn, xid)
	return count, nil
}

// olderWait is how long compact waits for transactions that began before what was replaced, such as
// a dump of the database: what they may still read the database keeps.
const olderWait = time.Minute

// older counts the transactions in the database that may read what one has replaced: those that read as
// of before it, and those that have written since before it, which may begin to read at any time.
const older = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
	AND greatest(age(backend_xmin), age(backend_xid)) >= age(($1::bigint % 4294967296)::text::xid)`

// compact gives back the room of what a transaction replaced, in which it could be read until it is overwritten.
func (s *Store) compact(ctx context.Context, conn *pgx.Conn, xid int64) {
	for end := time.Now().Add(olderWait); ; {
		var n int
		if err := conn.QueryRow(ctx, older, xid).Scan(&n); err != nil || n == 0 {
			break // where it cannot be asked, the tables are rewritten all the same
		}
		if time.Now().After(end) {
			s.log.Warn("what was in clear stays in the database's files, for others may still read it who began before: "+
				"end what is long under way in pg_stat_activity, and run VACUUM FULL", "transactions", n)
			break
		}
		if !await.Sleep(ctx, 20*time.Millisecond) {
			return
		}
	}
	for _, table := range []string{"records", "payloads", "outcomes", "terms", "keys", "identities", "contributions",
		"contributions_left", "audit", "meta"} {
		if _, err := conn.Exec(ctx, "VACUUM (FULL, ANALYZE) "+table); err != nil {
			s.log.Warn("what was in clear may stay in the database's files until they are overwritten: "+
				"run VACUUM FULL as the owner of the tables", "table", table, "error", s.explain(err))
			return
		}
	}
}

// renamed are records with their new names and what is sealed for them.
type renamed struct {
	seqs, idents, chains []int64
	ids, keys            []string
	why                  [3][]*string // causes, hints and objects of their problems
	parts                [3]struct {
		seqs  []int64
		fresh [][]byte
	}
}

// renamedParts are what is sealed for a record, and how it is written.
var renamedParts = [3]struct{ purpose, write string }{
	{codec.PurposeOrigin, resealed[1].write}, {codec.PurposeBody, resealed[0].write},
	{codec.PurposeProblem, resealed[2].write},
}

func (r *renaming) records(ctx context.Context) error {
	for _, table := range []string{"terms", "locks", "keys"} {
		if _, err := r.Exec(ctx, "DELETE FROM "+table); err != nil {
			return err
		}
	}
	for after := int64(0); ; {
		page, err := r.page(ctx, after)
		if err != nil {
			return fmt.Errorf("read records to rename: %w", err)
		}
		if len(page.seqs) == 0 {
			break
		}
		after = page.seqs[len(page.seqs)-1]
		if err := r.write(ctx, page); err != nil {
			return fmt.Errorf("rename records: %w", err)
		}
	}
	_, err := r.Exec(ctx, fillKeys)
	return err
}

// page reads the next records and gives them their new names.
func (r *renaming) page(ctx context.Context, after int64) (*renamed, error) {
	page := &renamed{}
	return page, each(ctx, r, func(rows pgx.Rows) error {
		var seq, ident, chain int64
		var rule, id, key, objects string
		var sealed [3][]byte
		var why [3]*string
		err := rows.Scan(&seq, &rule, &ident, &chain, &id, &key, &objects, &sealed[0], &sealed[1], &sealed[2], &why[0],
			&why[1], &why[2])
		if err == nil {
			err = r.s.sealer.ShowAll(&id, &key)
		}
		if err != nil {
			return err
		}
		fresh := shared.IdentOf(r.to, rule, id, seq)
		if chain != shared.ForgottenChain {
			chain = r.to.Chain(key)
		}
		for _, text := range append(codec.SplitObjects(objects), id, key) {
			r.terms = append(r.terms, term{r.to.Term(text), seq})
		}
		page.seqs, page.idents, page.chains = append(page.seqs, seq), append(page.idents, fresh), append(page.chains, chain)
		page.ids, page.keys = append(page.ids, r.to.Hide(id)), append(page.keys, r.to.Hide(key))
		for i, text := range why {
			if text != nil {
				shown, err := r.s.sealer.Show(*text)
				if err != nil {
					return err
				}
				*text = r.to.Hide(shown)
			}
			page.why[i] = append(page.why[i], text)
		}
		for i, part := range renamedParts {
			stored, changed, err := r.to.Rebind(part.purpose, ident, fresh, sealed[i])
			if err != nil {
				return fmt.Errorf("record %d: %w", seq, err)
			}
			if changed {
				p := &page.parts[i]
				p.seqs, p.fresh = append(p.seqs, seq), append(p.fresh, stored)
			}
		}
		return nil
	}, `SELECT r.seq, n.name, r.ident, r.chain, r.id, r.key, coalesce(o.objects, ''), r.origin, p.body, o.private,
			o.cause, o.hint, o.object
		FROM records r JOIN rules n ON n.id = r.rule LEFT JOIN payloads p ON p.seq = r.seq
		LEFT JOIN outcomes o ON o.seq = r.seq WHERE r.seq > $1 ORDER BY r.seq LIMIT $2`, after, renamedAtOnce)
}

func (r *renaming) write(ctx context.Context, page *renamed) error {
	err := r.batch(ctx, func(b *pgx.Batch) {
		b.Queue(`UPDATE records t SET ident = u.ident, chain = u.chain, id = u.id, key = u.key
			FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[]) u(seq, ident, chain, id, key)
			WHERE t.seq = u.seq`, page.seqs, page.idents, page.chains, page.ids, page.keys)
		b.Queue(`UPDATE outcomes t SET cause = u.cause, hint = u.hint, object = u.what
			FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) u(seq, cause, hint, what) WHERE t.seq = u.seq`,
			page.seqs, page.why[0], page.why[1], page.why[2])
		for i, part := range page.parts {
			if len(part.seqs) > 0 {
				b.Queue(renamedParts[i].write, part.seqs, part.fresh)
			}
			r.count += int64(len(part.seqs))
		}
	})
	if err != nil {
		return err
	}
	err = r.saveTerms(ctx)
	r.terms = nil
	return err
}

// part is a table whose rows hold names. read gives texts; what change makes of these is written, column by column.
type part struct {
	table, read, write string
	change             func(row []string) ([]string, error)
}

func (r *renaming) parts() []part {
	// again adds to a row what the texts in some columns are from now on.
	again := func(columns ...int) func(row []string) ([]string, error) {
		return func(row []string) ([]string, error) {
			for _, i := range columns {
				text, err := r.s.sealer.Show(row[i])
				if err != nil {
					return nil, err
				}
				row = append(row, r.to.Hide(text))
			}
			return row, nil
		}
	}
	return []part{
		{"identities", "SELECT server, type, external_id FROM identities",
			`UPDATE identities t SET external_id = u.fresh FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
			u(server, type, old, fresh) WHERE t.server = u.server AND t.type = u.type AND t.external_id = u.old`, again(2)},
		{"contributions", "SELECT server, contributor, slot, value FROM contributions",
			`UPDATE contributions t SET contributor = u.fresh, value = u.fresh_value
			FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
			u(server, old, slot, value, fresh, fresh_value) WHERE t.server = u.server AND t.contributor = u.old`,
			func(row []string) ([]string, error) {
				value, changed, err := r.to.ResealShare(row[0], row[2], row[3])
				if err != nil {
					return nil, err
				}
				if changed {
					r.count++
				}
				row, err = again(1)(row)
				return append(row, value), err
			}},
		{"contributions_left", "SELECT server, contributor, slot FROM contributions_left",
			`UPDATE contributions_left t SET contributor = u.fresh FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
			u(server, old, slot, fresh) WHERE t.server = u.server AND t.contributor = u.old AND t.slot = u.slot`, again(1)},
		{"audit", "SELECT id::text, why, subject FROM audit",
			`UPDATE audit t SET why = u.fresh_why, subject = u.fresh_subject
			FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[])
			u(id, why, subject, fresh_why, fresh_subject) WHERE t.id = u.id`, again(1, 2)},
		{"meta", "SELECT name, value FROM meta WHERE name NOT LIKE 'journal.%'",
			`UPDATE meta t SET value = u.fresh FROM unnest($1::text[], $2::text[], $3::text[]) u(name, value, fresh)
			WHERE t.name = u.name`, again(1)},
	}
}

// rewrite changes the rows of a table. It reads them as they were when it began.
func (r *renaming) rewrite(ctx context.Context, p part) error {
	cursor := "rename_" + p.table
	if _, err := r.Exec(ctx, "DECLARE "+cursor+" INSENSITIVE CURSOR FOR "+p.read); err != nil {
		return err
	}
	for {
		var columns [][]string
		err := each(ctx, r, func(rows pgx.Rows) error {
			row := make([]string, len(rows.FieldDescriptions()))
			into := make([]any, len(row))
			for i := range row {
				into[i] = &row[i]
			}
			if err := rows.Scan(into...); err != nil {
				return err
			}
			row, err := p.change(row)
			for i, text := range row {
				if i == len(columns) {
					columns = append(columns, nil)
				}
				columns[i] = append(columns[i], text)
			}
			return err
		}, "FETCH "+strconv.Itoa(shared.ChangeSize)+" FROM "+cursor)
		if err != nil {
			return err
		}
		if len(columns) == 0 {
			break
		}
		args := make([]any, len(columns))
		for i, texts := range columns {
			args[i] = texts
		}
		if _, err := r.Exec(ctx, p.write, args...); err != nil {
			return err
		}
	}
	_, err := r.Exec(ctx, "CLOSE "+cursor)
	return err
}
