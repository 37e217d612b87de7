package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
	"github.com/culvert/culvert/sources"
)

// Expire implements journal.Journal, a part at a time. Delivered and skipped records go by
// Retention.Delivered, failed and dismissed ones by Retention.Failed. The last record always stays.
func (s *Store) Expire(ctx context.Context, r journal.Retention, now time.Time) (journal.Expired, error) {
	var out journal.Expired
	err := s.expirePayloads(ctx, r.Payloads, now, &out.Payloads)
	if err == nil {
		err = s.expireRecords(ctx, r.Delivered, now, "(1, 3, 6)", &out.Records)
	}
	if err == nil {
		err = s.expireRecords(ctx, r.Failed, now, "(4, 5)", &out.Records)
	}
	if err == nil {
		err = s.tx(ctx, func(ctx context.Context, t *tx) (err error) {
			if out.Files, err = t.expireFiles(ctx, r.Delivered, now); err != nil {
				return err
			}
			if err := t.expireFigures(ctx, now); err != nil || out == (journal.Expired{}) {
				return err
			}
			return t.audit(ctx, shared.Program, "expire", "the project's retention", out.Payloads+out.Records,
				fmt.Sprintf("%d payloads, %d records, %d files", out.Payloads, out.Records, out.Files))
		})
	}
	if err != nil {
		return out, fmt.Errorf("apply the retention: %w", s.explain(err))
	}
	return out, nil
}

func (t *tx) expireFiles(ctx context.Context, age time.Duration, now time.Time) (int64, error) {
	if age <= 0 {
		return 0, nil
	}
	return t.run(ctx, "DELETE FROM files WHERE state = $1 AND finished > 0 AND finished < $2",
		string(journal.FileFinished), codec.Micros(now.Add(-age)))
}

func (s *Store) expirePayloads(ctx context.Context, age time.Duration, now time.Time, count *int64) error {
	return s.expire(ctx, age, now, `SELECT r.seq FROM payloads p JOIN records r ON r.seq = p.seq
		WHERE r.state IN (1, 3, 5, 6) AND r.touched < $1
		AND p.seq > $2 AND p.seq < $3 ORDER BY p.seq LIMIT $4`,
		func(ctx context.Context, t *tx, seqs []int64, _ map[int64]standing) error {
			if _, err := t.Exec(ctx, "UPDATE outcomes SET private = NULL WHERE seq = ANY($1)", seqs); err != nil {
				return err
			}
			n, err := t.run(ctx, "DELETE FROM payloads WHERE seq = ANY($1)", seqs)
			t.then(func() { *count += n })
			return err
		})
}

func (s *Store) expireRecords(ctx context.Context, age time.Duration, now time.Time, states string,
	count *int64) error {
	return s.expire(ctx, age, now,
		`SELECT seq FROM records WHERE state IN `+states+` AND touched < $1 AND seq > $2 AND seq < $3 ORDER BY seq LIMIT $4`,
		func(ctx context.Context, t *tx, seqs []int64, before map[int64]standing) error {
			if err := t.dropTerms(ctx, seqs); err != nil {
				return err
			}
			err := t.batch(ctx, func(b *pgx.Batch) {
				for _, table := range []string{"payloads", "outcomes", "records"} {
					b.Queue("DELETE FROM "+table+" WHERE seq = ANY($1)", seqs)
				}
			})
			for _, seq := range seqs {
				t.count(before[seq].rule, before[seq].state, -1, 0)
			}
			t.then(func() { *count += int64(len(seqs)) })
			return err
		})
}

// expire applies one kind of expiry to all that was settled longer ago than age, in parts.
func (s *Store) expire(ctx context.Context, age time.Duration, now time.Time, query string,
	change func(context.Context, *tx, []int64, map[int64]standing) error) error {
	if age <= 0 {
		return nil
	}
	cutoff := codec.Micros(now.Add(-age))
	end, err := s.firstSince(ctx, cutoff)
	if err != nil {
		return err
	}
	after := int64(0)
	for {
		seqs, err := numbers(ctx, s.pool, query, cutoff, after, end, shared.ChangeSize)
		if err != nil || len(seqs) == 0 {
			return err
		}
		after = seqs[len(seqs)-1]
		err = s.tx(ctx, func(ctx context.Context, t *tx) error {
			before, err := t.lock(ctx, seqs)
			if err != nil {
				return err
			}
			// A replay may have come in between.
			still := slices.DeleteFunc(slices.Clone(seqs), func(seq int64) bool {
				was, ok := before[seq]
				return !ok || codec.Unsettled(was.state)
			})
			if err := change(ctx, t, still, before); err != nil {
				return err
			}
			return t.rehead(ctx, chainsOf(before))
		})
		if err != nil {
			return err
		}
	}
}

// Forget implements journal.Journal. It erases what is kept of records whose key or id is the
// external id or holds it, the payloads of delivered records that mention it, and all of others
// that do. What was not delivered yet is dismissed. Outcomes stay, without anything that tells
// whose they are.
func (s *Store) Forget(ctx context.Context, externalID, who, why string) (journal.Forgotten, error) {
	var out journal.Forgotten
	if externalID == "" {
		return out, errNobody
	}
	own, err := s.recordsOf(ctx, externalID)
	if err != nil {
		return out, fmt.Errorf("look for a person's records: %w", s.explain(err))
	}
	mentions, err := s.mentions(ctx, externalID)
	if err != nil {
		return out, fmt.Errorf("look for a person's records: %w", s.explain(err))
	}
	own = append(own, mentions.open...)
	for part := range slices.Chunk(own, shared.ChangeSize) {
		if err := s.tx(ctx, func(ctx context.Context, t *tx) error {
			return t.forgetRecords(ctx, part, externalID,
				&out)
		}); err != nil {
			return out, fmt.Errorf("forget a person: %w", err)
		}
	}
	digest := sha256.Sum256([]byte(externalID))
	err = s.tx(ctx, func(ctx context.Context, t *tx) error {
		n, err := t.run(ctx, "DELETE FROM payloads WHERE seq = ANY($1)", mentions.settled)
		if err != nil {
			return err
		}
		if _, err := t.Exec(ctx, "UPDATE outcomes SET private = NULL WHERE seq = ANY($1)", mentions.settled); err != nil {
			return err
		}
		if len(externalID) >= shared.MinMention {
			if err := t.forgetInAudit(ctx, clean(externalID)); err != nil {
				return err
			}
			why = strings.ReplaceAll(why, externalID, shared.ForgottenKey)
		}
		ids, err := t.run(ctx, "DELETE FROM identities WHERE external_id = $1", s.hide(externalID))
		if err != nil {
			return err
		}
		t.then(func() {
			out.Payloads += n
			out.Records += n
			out.Identities += ids
		})
		return t.audit(ctx, who, "forget", why, out.Records+n,
			"the person whose external id has the SHA-256 "+hex.EncodeToString(digest[:8])+"…")
	})
	if err != nil {
		return out, fmt.Errorf("forget a person: %w", err)
	}
	s.notifyAll(ctx)
	return out, nil
}

func (s *Store) recordsOf(ctx context.Context, externalID string) (out []int64, err error) {
	query, args := "SELECT seq, key, id FROM records WHERE chain = $1 AND key = $2 OR id = $2 ORDER BY seq",
		[]any{s.sealer.Chain(externalID), s.hide(externalID)}
	switch {
	case len(externalID) < shared.MinMention:
	case s.sealer.Hides():
		query, args = "SELECT seq, key, id FROM records ORDER BY seq", nil
	default:
		query, args = "SELECT seq, key, id FROM records WHERE strpos(key, $1) > 0 OR strpos(id, $1) > 0 ORDER BY seq",
			[]any{clean(externalID)}
	}
	err = s.query(ctx, func(rows pgx.Rows) error {
		var seq int64
		var key, id string
		err := rows.Scan(&seq, &key, &id)
		if err == nil {
			err = s.sealer.ShowAll(&key, &id)
		}
		if err == nil && named(key, id, externalID) {
			out = append(out, seq)
		}
		return err
	}, query, args...)
	return out, err
}

// named tells whether a record's key or id, which are kept clean, names an external id.
func named(key, id, externalID string) bool {
	return shared.Names(key, id, clean(externalID))
}

// mentioning are records of others whose body holds an external id.
type mentioning struct{ settled, open []int64 }

func (s *Store) mentions(ctx context.Context, externalID string) (out mentioning, err error) {
	out = mentioning{settled: []int64{}}
	if len(externalID) < shared.MinMention {
		return out, nil
	}
	inner, err := shared.Quoted(externalID)
	if err != nil {
		return out, err
	}
	err = s.query(ctx, func(rows pgx.Rows) error {
		var seq, ident int64
		var state int
		var key, id string
		var stored []byte
		if err := rows.Scan(&seq, &ident, &state, &key, &id, &stored); err != nil {
			return err
		}
		if err := s.sealer.ShowAll(&key, &id); err != nil {
			return err
		}
		if named(key, id, externalID) {
			return nil // found already
		}
		body, err := s.sealer.Open(codec.PurposeBody, ident, stored)
		switch {
		case err != nil:
			return err
		case !sources.Mentions(string(body), inner):
		case codec.Unsettled(state) || state == codec.Failed:
			out.open = append(out.open, seq)
		default:
			out.settled = append(out.settled, seq)
		}
		return nil
	}, "SELECT p.seq, r.ident, r.state, r.key, r.id, p.body FROM payloads p JOIN records r ON r.seq = p.seq")
	return out, err
}

// forgetRecords erases what tells whose some records are.
func (t *tx) forgetRecords(ctx context.Context, seqs []int64, externalID string, out *journal.Forgotten) error {
	before, err := t.lock(ctx, seqs)
	if err != nil {
		return err
	}
	var open []int64
	var notes outcomes
	why := shared.Forgotten()
	for _, seq := range seqs {
		was, ok := before[seq]
		if ok && (codec.Unsettled(was.state) || was.state == codec.Failed) {
			open = append(open, seq)
			notes.add(t.s, seq, why, nil, nil, 0)
			t.moved(was.rule, was.state, codec.Dismissed, 1)
		}
	}
	if err := t.dropTerms(ctx, seqs); err != nil {
		return err
	}
	if err := t.dismiss(ctx, open); err != nil {
		return err
	}
	ids, origins, err := t.bare(ctx, seqs, before, clean(externalID))
	if err != nil {
		return err
	}
	payloads, err := t.run(ctx, "DELETE FROM payloads WHERE seq = ANY($1)", seqs)
	if err != nil {
		return err
	}
	err = t.batch(ctx, func(b *pgx.Batch) {
		b.Queue("UPDATE outcomes SET private = NULL, object = '', objects = '' WHERE seq = ANY($1)", seqs)
		b.Queue(`UPDATE records r SET key = $4, chain = $5, id = u.id, origin = u.origin
			FROM unnest($1::bigint[], $2::text[], $3::bytea[]) u(seq, id, origin) WHERE r.seq = u.seq`, seqs, ids, origins,
			t.s.hide(shared.ForgottenKey), shared.ForgottenChain)
		notes.queue(b)
	})
	if err != nil {
		return err
	}
	t.then(func() {
		out.Records += int64(len(seqs))
		out.Payloads += payloads
	})
	return t.rehead(ctx, chainsOf(before))
}

// bare gives the ids of records without a person's, and their origins without what a sender added.
func (t *tx) bare(ctx context.Context, seqs []int64, before map[int64]standing, externalID string) (ids []string,
	origins [][]byte, err error) {
	at := make(map[int64]int, len(seqs))
	for i, seq := range seqs {
		at[seq] = i
	}
	ids, origins = make([]string, len(seqs)), make([][]byte, len(seqs))
	err = each(ctx, t, func(rows pgx.Rows) error {
		var seq int64
		var id string
		var stored []byte
		if err := rows.Scan(&seq, &id, &stored); err != nil {
			return err
		}
		if err := t.s.sealer.ShowAll(&id); err != nil {
			return err
		}
		o, err := t.s.sealer.OpenOrigin(before[seq].ident, stored)
		if err != nil {
			return err
		}
		ids[at[seq]] = t.s.hide(shared.BareID(id, externalID))
		origins[at[seq]], err = t.s.sealer.Origin(before[seq].ident, shared.BareOrigin(o))
		return err
	}, "SELECT seq, id, origin FROM records WHERE seq = ANY($1)", seqs)
	return ids, origins, err
}

// forgetInAudit takes an external id out of the audit trail.
func (t *tx) forgetInAudit(ctx context.Context, externalID string) error {
	var found []int64
	var whys, subjects []string
	err := each(ctx, t, func(rows pgx.Rows) error {
		var id int64
		var why, subject string
		err := rows.Scan(&id, &why, &subject)
		if err == nil {
			err = t.s.sealer.ShowAll(&why, &subject)
		}
		if strings.Contains(why, externalID) || strings.Contains(subject, externalID) {
			found = append(found, id)
			whys = append(whys, t.s.hide(strings.ReplaceAll(why, externalID, shared.ForgottenKey)))
			subjects = append(subjects, t.s.hide(strings.ReplaceAll(subject, externalID, shared.ForgottenKey)))
		}
		return err
	}, "SELECT id, why, subject FROM audit")
	if err != nil || len(found) == 0 {
		return err
	}
	_, err = t.Exec(ctx, `UPDATE audit a SET why = u.why, subject = u.subject
		FROM unnest($1::bigint[], $2::text[], $3::text[]) u(id, why, subject) WHERE a.id = u.id`, found, whys, subjects)
	return err
}
