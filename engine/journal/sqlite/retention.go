package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
	"github.com/culvert/culvert/sources"
)

// vacuumPages is how many free pages are given back to the file system with one transaction of an expiry.
const vacuumPages = 2000

// Expire implements journal.Journal, a part at a time. Delivered, skipped and superseded records go
// by Retention.Delivered, failed and dismissed ones by Retention.Failed. The last record always
// stays, so that its seq is not given out again.
func (s *Store) Expire(ctx context.Context, r journal.Retention, now time.Time) (journal.Expired, error) {
	var out journal.Expired
	err := s.expirePayloads(ctx, r.Payloads, now, &out.Payloads)
	if err == nil {
		err = s.expireRecords(ctx, r.Delivered, now, []int64{codec.Delivered, codec.Skipped, codec.Superseded}, &out.Records)
	}
	if err == nil {
		err = s.expireRecords(ctx, r.Failed, now, []int64{codec.Failed, codec.Dismissed}, &out.Records)
	}
	if err == nil {
		err = s.expireFiles(ctx, r.Delivered, now, &out.Files)
	}
	if err == nil {
		err = s.expireFigures(ctx, now)
	}
	if err == nil && out != (journal.Expired{}) {
		err = s.writer.change(ctx, 1, func(t *tx) error {
			if err := t.exec(fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumPages)); err != nil {
				return err
			}
			return s.audit(t, shared.Program, "expire", "the project's retention", out.Payloads+out.Records,
				fmt.Sprintf("%d payloads, %d records, %d files", out.Payloads, out.Records, out.Files))
		})
	}
	if err != nil {
		return out, fmt.Errorf("apply the retention: %w", explain(err, s.place))
	}
	return out, nil
}

func (s *Store) expirePayloads(ctx context.Context, age time.Duration, now time.Time, count *int64) error {
	return s.expire(ctx, age, now, `SELECT r.seq FROM payloads p CROSS JOIN records r ON r.seq = p.seq
		WHERE p.seq > ? AND p.seq < ? AND r.state IN (1, 3, 5, 6) AND r.touched < ? ORDER BY p.seq LIMIT ?`,
		func(t *tx, seqs []int64, _ map[int64]standing) error {
			err := t.exec("UPDATE outcomes SET private = NULL WHERE seq IN (SELECT value FROM json_each(?))", list(seqs))
			if err != nil {
				return err
			}
			n, err := t.execCount("DELETE FROM payloads WHERE seq IN (SELECT value FROM json_each(?))", list(seqs))
			t.then(func() { *count += n })
			return err
		})
}

func (s *Store) expireRecords(ctx context.Context, age time.Duration, now time.Time, states []int64,
	count *int64) error {
	query := fmt.Sprintf(`SELECT seq FROM records WHERE seq > ? AND seq < ? AND state IN (SELECT value
		FROM json_each('%s')) AND touched < ? ORDER BY seq LIMIT ?`,
		list(states))
	return s.expire(ctx, age, now, query, func(t *tx, seqs []int64, before map[int64]standing) error {
		if err := t.dropTerms(seqs); err != nil {
			return err
		}
		gone := list(seqs)
		for _, q := range []string{
			"DELETE FROM finder WHERE (hash, seq) IN (SELECT ident, seq FROM records WHERE seq IN (SELECT value FROM " +
				"json_each(?)))",
			"DELETE FROM finder WHERE (hash, seq) IN (SELECT chain, seq FROM records WHERE seq IN (SELECT value FROM " +
				"json_each(?)))",
			"DELETE FROM payloads WHERE seq IN (SELECT value FROM json_each(?))",
			"DELETE FROM outcomes WHERE seq IN (SELECT value FROM json_each(?))",
			"DELETE FROM records WHERE seq IN (SELECT value FROM json_each(?))",
			fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumPages),
		} {
			args := []any{gone}
			if q[0] == 'P' {
				args = nil
			}
			if err := t.exec(q, args...); err != nil {
				return err
			}
		}
		for _, seq := range seqs {
			was := before[seq]
			t.count(was.rule).states[was.state]--
		}
		t.then(func() { *count += int64(len(seqs)) })
		return nil
	})
}

// expire applies one kind of expiry to all that is older than age, in parts. query gives seqs
// between two, touched before a time, some of them.
func (s *Store) expire(ctx context.Context, age time.Duration, now time.Time, query string,
	change func(*tx, []int64, map[int64]standing) error) error {
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
		rows, err := s.read.query(ctx, query, after, end, cutoff, shared.ChangeSize)
		var seqs []int64
		err = scan(rows, err, func(rows *sql.Rows) error {
			var seq int64
			err := rows.Scan(&seq)
			seqs = append(seqs, seq)
			return err
		})
		if err != nil || len(seqs) == 0 {
			return err
		}
		after = seqs[len(seqs)-1]
		err = s.writer.change(ctx, len(seqs), func(t *tx) error {
			before, err := t.standing(seqs)
			if err != nil {
				return err
			}
			// A replay may have come in between.
			still := slices.DeleteFunc(slices.Clone(seqs), func(seq int64) bool {
				was, ok := before[seq]
				return !ok || codec.Unsettled(was.state)
			})
			if len(still) == 0 {
				return nil
			}
			return change(t, still, before)
		})
		if err != nil {
			return err
		}
	}
}

// firstSince gives the first record that was received at a time or later, else the last one.
// Records are accepted nearly in order of time, so that halving finds it; a record out of order
// merely expires a little later.
func (s *Store) firstSince(ctx context.Context, micros int64) (int64, error) {
	var low, high int64
	rows, err := s.read.query(ctx,
		"SELECT coalesce((SELECT min(seq) FROM records), 0), coalesce((SELECT max(seq) FROM records), 0)")
	if err := scan(rows, err, func(rows *sql.Rows) error { return rows.Scan(&low, &high) }); err != nil {
		return 0, err
	}
	return shared.FirstSince(low, high, micros, func(from int64) (seq, received int64, err error) {
		rows, err := s.read.query(ctx, "SELECT seq, received FROM records WHERE seq >= ? ORDER BY seq LIMIT 1", from)
		err = scan(rows, err, func(rows *sql.Rows) error { return rows.Scan(&seq, &received) })
		return seq, received, err
	})
}

func (s *Store) expireFiles(ctx context.Context, age time.Duration, now time.Time, count *int64) error {
	if age <= 0 {
		return nil
	}
	return s.writer.change(ctx, 1, func(t *tx) error {
		n, err := t.execCount("DELETE FROM files WHERE state = ? AND finished > 0 AND finished < ?",
			string(journal.FileFinished), codec.Micros(now.Add(-age)))
		t.then(func() { *count = n })
		return err
	})
}

// Forget implements journal.Journal. It erases what is kept of records whose key or id is the
// external id or holds it, the payloads of delivered records that mention it, and all of others
// that do. What was not delivered yet is dismissed. Outcomes stay, without anything that tells
// whose they are.
func (s *Store) Forget(ctx context.Context, externalID, who, why string) (journal.Forgotten, error) {
	var out journal.Forgotten
	if externalID == "" {
		return out, errors.New("forget a person: the external id is empty")
	}
	own, err := s.recordsOf(ctx, externalID)
	if err != nil {
		return out, fmt.Errorf("look for a person's records: %w", explain(err, s.place))
	}
	mentions, err := s.mentions(ctx, externalID)
	if err != nil {
		return out, fmt.Errorf("look for a person's records: %w", explain(err, s.place))
	}
	own = append(own, mentions.open...)
	for part := range slices.Chunk(own, shared.ChangeSize) {
		if err := s.writer.change(ctx, len(part), func(t *tx) error {
			return s.forgetRecords(t, part, externalID,
				&out)
		}); err != nil {
			return out, fmt.Errorf("forget a person: %w", err)
		}
	}
	digest := sha256.Sum256([]byte(externalID))
	err = s.writer.change(ctx, len(mentions.settled)+1, func(t *tx) error {
		n, err := t.execCount("DELETE FROM payloads WHERE seq IN (SELECT value FROM json_each(?))", list(mentions.settled))
		if err != nil {
			return err
		}
		if err := t.exec("UPDATE outcomes SET private = NULL WHERE seq IN (SELECT value FROM json_each(?))",
			list(mentions.settled)); err != nil {
			return err
		}
		if len(externalID) >= shared.MinMention {
			if err := s.forgetInAudit(t, externalID); err != nil {
				return err
			}
			why = strings.ReplaceAll(why, externalID, shared.ForgottenKey)
		}
		ids, err := t.execCount("DELETE FROM identities WHERE external_id = ?", s.sealer.Hide(externalID))
		if err != nil {
			return err
		}
		t.then(func() {
			out.Payloads += n
			out.Records += n
			out.Identities += ids
		})
		return s.audit(t, who, "forget", why, out.Records+n,
			"the person whose external id has the SHA-256 "+hex.EncodeToString(digest[:8])+"…")
	})
	if err != nil {
		return out, fmt.Errorf("forget a person: %w", err)
	}
	s.notify()
	return out, s.scrub(ctx)
}

func (s *Store) recordsOf(ctx context.Context, externalID string) ([]int64, error) {
	query, args := "SELECT seq, key, id FROM records WHERE chain = ? AND key = ? OR id = ? ORDER BY seq",
		[]any{s.sealer.Chain(externalID), s.sealer.Hide(externalID), s.sealer.Hide(externalID)}
	switch {
	case len(externalID) < shared.MinMention:
	case s.sealer.Hides():
		query, args = "SELECT seq, key, id FROM records ORDER BY seq", nil
	default:
		query, args = "SELECT seq, key, id FROM records WHERE instr(key, ?) OR instr(id, ?) ORDER BY seq",
			[]any{externalID, externalID}
	}
	rows, err := s.read.query(ctx, query, args...)
	var out []int64
	err = scan(rows, err, func(rows *sql.Rows) error {
		var seq int64
		var key, id string
		err := rows.Scan(&seq, &key, &id)
		if err == nil {
			err = s.sealer.ShowAll(&key, &id)
		}
		if err == nil && shared.Names(key, id, externalID) {
			out = append(out, seq)
		}
		return err
	})
	return out, err
}

// mentioning are records of others whose body holds an external id.
type mentioning struct{ settled, open []int64 }

func (s *Store) mentions(ctx context.Context, externalID string) (out mentioning, err error) {
	if len(externalID) < shared.MinMention {
		return out, nil
	}
	inner, err := shared.Quoted(externalID)
	if err != nil {
		return out, err
	}
	rows, err := s.read.query(ctx,
		"SELECT p.seq, r.ident, r.state, r.key, r.id, p.body FROM payloads p CROSS JOIN records r ON r.seq = p.seq")
	err = scan(rows, err, func(rows *sql.Rows) error {
		var seq, ident int64
		var state int
		var key, id string
		var stored sql.RawBytes
		if err := rows.Scan(&seq, &ident, &state, &key, &id, &stored); err != nil {
			return err
		}
		if err := s.sealer.ShowAll(&key, &id); err != nil {
			return err
		}
		if shared.Names(key, id, externalID) {
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
	})
	return out, err
}

// forgetRecords erases what tells whose some records are. Their chain becomes one that is nobody's.
func (s *Store) forgetRecords(t *tx, seqs []int64, externalID string, out *journal.Forgotten) error {
	before, err := t.standing(seqs)
	if err != nil {
		return err
	}
	var open []int64
	for _, seq := range seqs {
		was, ok := before[seq]
		if ok && (codec.Unsettled(was.state) || was.state == codec.Failed) {
			open = append(open, seq)
			t.moved(was.rule, was.state, codec.Dismissed, 1)
		}
	}
	if err := s.dismiss(t, open, before); err != nil {
		return err
	}
	if err := t.dropTerms(seqs); err != nil {
		return err
	}
	gone := list(seqs)
	if err := t.exec("DELETE FROM finder WHERE (hash, seq) IN (SELECT chain, seq FROM records WHERE seq IN (SELECT "+
		"value FROM json_each(?)))", gone); err != nil {
		return err
	}
	payloads, err := t.execCount("DELETE FROM payloads WHERE seq IN (SELECT value FROM json_each(?))", gone)
	if err != nil {
		return err
	}
	if err := t.exec("UPDATE outcomes SET private = NULL, object = '', objects = '' WHERE seq IN (SELECT value FROM "+
		"json_each(?))", gone); err != nil {
		return err
	}
	for _, seq := range seqs {
		id, origin, err := s.bare(t, seq, before[seq].ident, externalID)
		if err != nil {
			return err
		}
		if err := t.exec("UPDATE records SET key = ?, chain = ?, id = ?, origin = ? WHERE seq = ?",
			s.sealer.Hide(shared.ForgottenKey), shared.ForgottenChain, s.sealer.Hide(id), origin, seq); err != nil {
			return err
		}
	}
	why := shared.Forgotten()
	err = t.insert(insertOutcome, outcomeFields, len(open),
		func(values []any, i int) []any { return t.outcomeValues(values, open[i], why, nil, nil, 0) })
	if err != nil {
		return err
	}
	t.then(func() {
		out.Records += int64(len(seqs))
		out.Payloads += payloads
	})
	return nil
}

// bare gives a record's id without a person's, and its origin without what a sender added.
func (s *Store) bare(t *tx, seq, ident int64, externalID string) (id string, origin []byte, err error) {
	if err := t.queryRow("SELECT id, origin FROM records WHERE seq = ?", seq).Scan(&id, &origin); err != nil {
		return "", nil, err
	}
	if err := s.sealer.ShowAll(&id); err != nil {
		return "", nil, err
	}
	o, err := s.sealer.OpenOrigin(ident, origin)
	if err != nil {
		return "", nil, err
	}
	origin, err = s.sealer.Origin(ident, shared.BareOrigin(o))
	return shared.BareID(id, externalID), origin, err
}

// forgetInAudit takes an external id out of the audit trail.
func (s *Store) forgetInAudit(t *tx, externalID string) error {
	type texts struct{ why, subject string }
	found := map[int64]texts{}
	rows, err := t.query("SELECT id, why, subject FROM audit")
	err = scan(rows, err, func(rows *sql.Rows) error {
		var id int64
		var x texts
		err := rows.Scan(&id, &x.why, &x.subject)
		if err == nil {
			err = s.sealer.ShowAll(&x.why, &x.subject)
		}
		if strings.Contains(x.why, externalID) || strings.Contains(x.subject, externalID) {
			found[id] = x
		}
		return err
	})
	for id, x := range found {
		err = errors.Join(err, t.exec("UPDATE audit SET why = ?, subject = ? WHERE id = ?",
			s.sealer.Hide(strings.ReplaceAll(x.why, externalID, shared.ForgottenKey)),
			s.sealer.Hide(strings.ReplaceAll(x.subject, externalID, shared.ForgottenKey)), id))
	}
	return err
}

// scrub empties the write-ahead log, in which what was erased would be readable until it is overwritten.
func (s *Store) scrub(ctx context.Context) error {
	var busy, frames, moved int
	err := s.read.db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
	if err != nil {
		return fmt.Errorf("empty the write-ahead log: %w", explain(err, s.place))
	}
	if busy != 0 {
		s.log.Warn("what was erased may stay in the write-ahead log for a while, because the journal is being read")
	}
	return nil
}
