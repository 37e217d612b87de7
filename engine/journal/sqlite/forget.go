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

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
	"github.com/culvert/culvert/sources"
)

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
