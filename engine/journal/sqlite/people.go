package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
)

func (s *Store) audit(t *tx, who, did, why string, count int64, subject string) error {
	err := t.exec("INSERT INTO audit (at, who, did, why, count, subject) VALUES (?, ?, ?, ?, ?, ?)",
		codec.Micros(s.now()), who, did, s.sealer.Hide(why), count, s.sealer.Hide(subject))
	if err != nil {
		return fmt.Errorf("write the audit trail: %w", err)
	}
	return nil
}

// Audit implements journal.Journal.
func (s *Store) Audit(ctx context.Context, limit int) ([]journal.AuditEntry, error) {
	if limit <= 0 {
		limit = -1
	}
	rows, err := s.read.query(ctx, "SELECT at, who, did, why, count, subject FROM audit ORDER BY id DESC LIMIT ?", limit)
	var out []journal.AuditEntry
	err = scan(rows, err, func(rows *sql.Rows) error {
		var e journal.AuditEntry
		var at int64
		err := rows.Scan(&at, &e.Who, &e.Did, &e.Why, &e.Count, &e.Subject)
		if err == nil {
			err = s.sealer.ShowAll(&e.Why, &e.Subject)
		}
		e.At = codec.Time(at)
		out = append(out, e)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the audit trail: %w", explain(err, s.place))
	}
	return out, nil
}

// move brings the records that a filter selects from one state to another, some at a time, and
// writes one line of the audit trail for each part.
type move struct {
	filter   journal.Filter
	to       int
	who, did string
	why      string
	keepBody bool // records without a body cannot be moved
	change   func(t *tx, seqs []int64, before map[int64]standing) error
	skip     func(seq int64) bool
}

func (s *Store) move(ctx context.Context, m move) (int64, error) {
	w, err := s.conditions(ctx, m.filter, false)
	if err != nil {
		return 0, fmt.Errorf("select records: %w", explain(err, s.place))
	}
	if m.keepBody {
		w.add("EXISTS (SELECT 1 FROM payloads p WHERE p.seq = r.seq)")
	}
	seqs, err := s.selectSeqs(ctx, w, m.filter)
	if err != nil {
		return 0, err
	}
	var total int64
	for part := range slices.Chunk(seqs, shared.ChangeSize) {
		n, err := s.movePart(ctx, m, part)
		total += n
		if err != nil {
			return total, err
		}
	}
	s.notify()
	return total, nil
}

func (s *Store) movePart(ctx context.Context, m move, seqs []int64) (int64, error) {
	allowed, err := shared.Allowed(m.filter)
	if err != nil {
		return 0, err
	}
	var moved int64
	err = s.writer.change(ctx, len(seqs), func(t *tx) error {
		moved = 0
		before, err := t.standing(seqs)
		if err != nil {
			return err
		}
		var still []int64
		for _, seq := range seqs {
			was, ok := before[seq]
			if ok && allowed[was.state] && (m.skip == nil || !m.skip(seq)) {
				still = append(still, seq)
				t.moved(was.rule, was.state, m.to, 1)
			}
		}
		if len(still) == 0 {
			return nil
		}
		if err := m.change(t, still, before); err != nil {
			return err
		}
		moved = int64(len(still))
		return s.audit(t, m.who, m.did, m.why, moved, m.filter.Subject())
	})
	if err != nil {
		return 0, fmt.Errorf("%s records: %w", m.did, err)
	}
	return moved, nil
}

// Replay implements journal.Journal. Without states in the filter it takes the failed records.
// Records whose payload has expired stay as they are.
func (s *Store) Replay(ctx context.Context, f journal.Filter, who, why string, force bool) (int64, error) {
	f, err := shared.Replayable(f)
	if err != nil {
		return 0, err
	}
	flag := codec.ReplayFlags(f, force)
	return s.move(ctx, move{filter: f, to: codec.Pending, who: who, did: "replay", why: why, keepBody: true,
		change: func(t *tx, seqs []int64, before map[int64]standing) error {
			heads, err := t.heads(seqs, before)
			if err != nil {
				return err
			}
			err = t.exec(`UPDATE records SET state = 0, head = 0, next_try = 0, attempts = 0, flags = flags & ~17 | ?,
				touched = ? WHERE seq IN (SELECT value FROM json_each(?))`,
				flag, codec.Micros(s.now()), list(seqs))
			if err != nil {
				return err
			}
			return t.around(chainsOf(before), func(map[int64]bool) error { return s.rejoin(t, seqs, before, heads) })
		}})
}

// heads gives the first unsettled record of the keys of some records, 0 where there is none.
func (t *tx) heads(seqs []int64, before map[int64]standing) (map[int64]int64, error) {
	out := map[int64]int64{}
	for _, seq := range seqs {
		chain := before[seq].chain
		if _, ok := out[chain]; ok {
			continue
		}
		head, err := t.next(chain, 0)
		if err != nil {
			return nil, err
		}
		out[chain] = head
	}
	return out, nil
}

// rejoin puts records back among the unsettled ones of their keys. The earliest of a key becomes its head.
func (s *Store) rejoin(t *tx, seqs []int64, before map[int64]standing, heads map[int64]int64) error {
	first := map[int64]int64{}
	for _, seq := range seqs {
		chain := before[seq].chain
		if f := first[chain]; f == 0 || seq < f {
			first[chain] = seq
		}
		t.then(func() { s.finder.waiting(chain, seq) })
	}
	err := t.index(len(seqs), func(i int) found { return found{before[seqs[i]].chain, seqs[i]} })
	if err != nil {
		return fmt.Errorf("index records again: %w", err)
	}
	var up, down []int64
	for chain, f := range first {
		head := heads[chain]
		if head == 0 || f < head {
			up = append(up, f)
			if head != 0 {
				down = append(down, head)
			}
		}
	}
	return t.setHeads(up, down)
}

// Dismiss implements journal.Journal. Without states in the filter it takes the failed records.
func (s *Store) Dismiss(ctx context.Context, f journal.Filter, who, why string) (int64, error) {
	f, err := shared.Dismissable(f)
	if err != nil {
		return 0, err
	}
	return s.move(ctx, move{filter: f, to: codec.Dismissed, who: who, did: "dismiss", why: why, skip: s.inFlight,
		change: func(t *tx, seqs []int64, before map[int64]standing) error { return s.dismiss(t, seqs, before) }})
}

// dismiss settles records for good and lets the next of their keys come.
func (s *Store) dismiss(t *tx, seqs []int64, before map[int64]standing) error {
	return t.around(chainsOf(before), func(apart map[int64]bool) error {
		err := t.exec("UPDATE records SET state = 5, head = 0, next_try = 0, flags = flags & ~8, touched = ? WHERE seq IN "+
			"(SELECT value FROM json_each(?))",
			codec.Micros(s.now()), list(seqs))
		if err != nil {
			return err
		}
		return s.promote(t, seqs, before, apart)
	})
}

func (s *Store) inFlight(seq int64) bool {
	s.claims.mu.Lock()
	defer s.claims.mu.Unlock()
	_, ok := s.claims.seqs[seq]
	return ok
}

// Correct implements journal.Desk.
func (s *Store) Correct(ctx context.Context, seq int64, body []byte, who, why string) (int64, error) {
	corrected, err := s.correct(ctx, seq, body, who, why)
	if err != nil {
		return 0, fmt.Errorf("correct a record: %w", explain(err, s.place))
	}
	s.notify()
	return corrected, nil
}

func (s *Store) correct(ctx context.Context, seq int64, body []byte, who, why string) (int64, error) {
	var old *fetched
	if err := s.fetch(ctx, "1", false, []int64{seq}, func(f *fetched) { old = f }); err != nil {
		return 0, err
	}
	if old == nil {
		return 0, journal.Refuse("there is no record %d", seq)
	}
	if err := shared.Correctable(old.rec, body, why); err != nil {
		return 0, err
	}
	now := s.now()
	row, err := s.makeRow(shared.Correction(old.rec, body, now), codec.Micros(now), true)
	if err != nil {
		return 0, err
	}
	by := seq
	err = s.writer.change(ctx, 1, func(t *tx) error {
		before, err := t.standing([]int64{seq})
		if err != nil {
			return err
		}
		if codec.StateOf(before[seq].state) != old.rec.State {
			return journal.Refuse("record %d changed this moment: look at it again", seq)
		}
		if before[seq].state == codec.Held {
			if err := s.rewrite(t, seq, before[seq].ident, body); err != nil {
				return err
			}
		} else {
			if by, err = s.putVersion(t, seq, before[seq].state, row, codec.Micros(now)); err != nil {
				return err
			}
			c := shared.Corrected{Rule: old.rec.Rule, ID: old.rec.ID, Order: old.rec.Order(), By: by}
			if err := s.supersedeParts(t, c, "", codec.Micros(now)); err != nil {
				return err
			}
		}
		return s.audit(t, who, "correct", why, 1, "record "+strconv.FormatInt(seq, 10))
	})
	return by, err
}

// rewrite gives a held record another content at its old place.
func (s *Store) rewrite(t *tx, seq, ident int64, body []byte) error {
	if err := t.exec("INSERT OR REPLACE INTO payloads (seq, body) VALUES (?, ?)", seq,
		s.sealer.Seal(codec.PurposeBody, ident, body)); err != nil {
		return err
	}
	return t.exec("UPDATE records SET flags = flags | ? WHERE seq = ?", codec.FlagEdited, seq)
}

// putVersion keeps the corrected version of a settled record.
func (s *Store) putVersion(t *tx, seq int64, state int, r *row, now int64) (int64, error) {
	unsettled, err := t.members(r.chain)
	if err != nil {
		return 0, err
	}
	seqs := make([]int64, len(unsettled))
	for i, m := range unsettled {
		seqs[i] = m.seq
	}
	var waiting sql.NullInt64
	err = t.queryRow("SELECT max(seq) FROM records WHERE seq IN (SELECT value FROM json_each(?)) AND flags & ? AND "+
		"ident = ? AND rank = ?",
		list(seqs), codec.FlagEdited, r.ident, r.rec.Rank).Scan(&waiting)
	if err != nil {
		return 0, err
	}
	if waiting.Valid {
		return 0, shared.ErrCorrected(seq, waiting.Int64)
	}
	if err := s.appendRows(t, []*row{r}); err != nil {
		return 0, err
	}
	if state == codec.Failed {
		if err := s.setSuperseded(t, map[int64]int64{seq: r.seq}, "", now); err != nil {
			return 0, err
		}
	}
	return r.seq, nil
}

// Note implements journal.Desk.
func (s *Store) Note(ctx context.Context, e journal.AuditEntry) error {
	err := s.writer.change(ctx, 1, func(t *tx) error { return s.audit(t, e.Who, e.Did, e.Why, e.Count, e.Subject) })
	if err != nil {
		return fmt.Errorf("write the audit trail: %w", err)
	}
	return nil
}

// Hold implements journal.Journal. Records in flight are left alone: their delivery decides.
func (s *Store) Hold(ctx context.Context, rule string, p *journal.Problem) (int64, error) {
	why := ""
	if p != nil {
		why = p.Message
	}
	return s.move(ctx, move{filter: journal.Filter{Rule: rule, States: []journal.State{journal.Pending}}, to: codec.Held,
		who: shared.Program, did: "hold", why: why,
		skip: s.inFlight, change: func(t *tx, seqs []int64, before map[int64]standing) error {
			err := t.around(chainsOf(before), func(map[int64]bool) error {
				return t.exec("UPDATE records SET state = 2, next_try = 0, touched = ? WHERE seq IN (SELECT value FROM "+
					"json_each(?))", codec.Micros(s.now()), list(seqs))
			})
			if err != nil || p == nil {
				return err
			}
			return s.setProblem(t, seqs, before, p)
		}})
}

func (s *Store) setProblem(t *tx, seqs []int64, before map[int64]standing, p *journal.Problem) error {
	privates := make([][]byte, len(seqs))
	for i, seq := range seqs {
		var err error
		if privates[i], err = s.sealer.Private(before[seq].ident, p); err != nil {
			return err
		}
	}
	return t.insert(insertOutcome, outcomeFields, len(seqs), func(values []any, i int) []any {
		return t.outcomeValues(values, seqs[i], p, privates[i], nil, 0)
	})
}

// Unhold implements journal.Journal.
func (s *Store) Unhold(ctx context.Context, rule string) (int64, error) {
	return s.move(ctx, move{filter: journal.Filter{Rule: rule, States: []journal.State{journal.Held}}, to: codec.Pending,
		who: shared.Program, did: "unhold",
		change: func(t *tx, seqs []int64, before map[int64]standing) error {
			if err := t.exec("DELETE FROM outcomes WHERE seq IN (SELECT value FROM json_each(?))", list(seqs)); err != nil {
				return err
			}
			return t.around(chainsOf(before), func(map[int64]bool) error {
				return t.exec("UPDATE records SET state = 0, next_try = 0, touched = ? WHERE seq IN (SELECT value FROM "+
					"json_each(?))", codec.Micros(s.now()), list(seqs))
			})
		}})
}
