package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
)

func (t *tx) audit(ctx context.Context, who, did, why string, count int64, subject string) error {
	_, err := t.Exec(ctx, "INSERT INTO audit (at, who, did, why, count, subject) VALUES ($1, $2, $3, $4, $5, $6)",
		codec.Micros(t.s.now()), clean(who), did, t.s.hide(why), count, t.s.hide(subject))
	if err != nil {
		return fmt.Errorf("write the audit trail: %w", err)
	}
	return nil
}

// Audit implements journal.Journal.
func (s *Store) Audit(ctx context.Context, limit int) ([]journal.AuditEntry, error) {
	var most *int
	if limit > 0 {
		most = &limit
	}
	var out []journal.AuditEntry
	err := s.query(ctx, func(rows pgx.Rows) error {
		var e journal.AuditEntry
		var at int64
		err := rows.Scan(&at, &e.Who, &e.Did, &e.Why, &e.Count, &e.Subject)
		if err == nil {
			err = s.sealer.ShowAll(&e.Why, &e.Subject)
		}
		e.At = codec.Time(at)
		out = append(out, e)
		return err
	}, "SELECT at, who, did, why, count, subject FROM audit ORDER BY id DESC LIMIT $1", most)
	if err != nil {
		return nil, fmt.Errorf("read the audit trail: %w", s.explain(err))
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
	inFlight bool // records in flight are moved, too
	change   func(ctx context.Context, t *tx, seqs []int64, before map[int64]standing) error
}

func (s *Store) move(ctx context.Context, m move) (int64, error) {
	w, err := s.conditions(ctx, m.filter, false)
	if err != nil {
		return 0, fmt.Errorf("select records: %w", s.explain(err))
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
	s.notifyAll(ctx)
	return total, nil
}

func (s *Store) movePart(ctx context.Context, m move, seqs []int64) (int64, error) {
	allowed, err := shared.Allowed(m.filter)
	if err != nil {
		return 0, err
	}
	var moved int64
	err = s.tx(ctx, func(ctx context.Context, t *tx) error {
		moved = 0
		before, err := t.lock(ctx, seqs)
		if err != nil {
			return err
		}
		flying := map[int64]bool{}
		if !m.inFlight {
			claimed, err := numbers(ctx, t, "SELECT claimed FROM keys WHERE owner IS NOT NULL AND claimed = ANY($1)", seqs)
			if err != nil {
				return err
			}
			for _, seq := range claimed {
				flying[seq] = true
			}
		}
		still := slices.DeleteFunc(slices.Clone(seqs), func(seq int64) bool {
			was, ok := before[seq]
			return !ok || !allowed[was.state] || flying[seq]
		})
		if len(still) > 0 {
			for _, seq := range still {
				t.moved(before[seq].rule, before[seq].state, m.to, 1)
			}
			if err := m.change(ctx, t, still, before); err != nil {
				return err
			}
		}
		if err := t.rehead(ctx, chainsOf(before)); err != nil {
			return err
		}
		if moved = int64(len(still)); moved == 0 {
			return nil
		}
		return t.audit(ctx, m.who, m.did, m.why, moved, m.filter.Subject())
	})
	if err != nil {
		return 0, fmt.Errorf("%s records: %w", m.did, err)
	}
	return moved, nil
}

// lock locks the keys of records, in order, and gives how the records stand then.
func (t *tx) lock(ctx context.Context, seqs []int64) (map[int64]standing, error) {
	before, err := t.standing(ctx, seqs, "")
	if err != nil {
		return nil, err
	}
	if err := t.lockKeys(ctx, chainsOf(before)); err != nil {
		return nil, err
	}
	return t.standing(ctx, seqs, rowLock)
}

func chainsOf(records map[int64]standing) []int64 {
	chains := make([]int64, 0, len(records))
	for _, r := range records {
		chains = append(chains, r.chain)
	}
	slices.Sort(chains)
	return slices.Compact(chains)
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
		inFlight: true,
		change: func(ctx context.Context, t *tx, seqs []int64, _ map[int64]standing) error {
			_, err := t.Exec(ctx, "UPDATE records SET state = 0, next_try = 0, attempts = 0, flags = flags & ~17 | $2, "+
				"touched = $3 WHERE seq = ANY($1)",
				seqs, flag, codec.Micros(s.now()))
			return err
		}})
}

// Dismiss implements journal.Journal. Without states in the filter it takes the failed records.
func (s *Store) Dismiss(ctx context.Context, f journal.Filter, who, why string) (int64, error) {
	f, err := shared.Dismissable(f)
	if err != nil {
		return 0, err
	}
	return s.move(ctx, move{filter: f, to: codec.Dismissed, who: who, did: "dismiss", why: why,
		change: func(ctx context.Context, t *tx, seqs []int64, _ map[int64]standing) error {
			return t.dismiss(ctx, seqs)
		}})
}

func (t *tx) dismiss(ctx context.Context, seqs []int64) error {
	_, err := t.Exec(ctx, "UPDATE records SET state = 5, next_try = 0, flags = flags & ~8, touched = $2 WHERE seq = "+
		"ANY($1)", seqs, codec.Micros(t.s.now()))
	return err
}

// Correct implements journal.Desk.
func (s *Store) Correct(ctx context.Context, seq int64, body []byte, who, why string) (int64, error) {
	corrected, err := s.correct(ctx, seq, body, who, why)
	if err != nil {
		return 0, fmt.Errorf("correct a record: %w", s.explain(err))
	}
	s.notifyAll(ctx)
	return corrected, nil
}

func (s *Store) correct(ctx context.Context, seq int64, body []byte, who, why string) (int64, error) {
	var old *journal.Record
	if err := s.fetch(ctx, s.pool, false, []int64{seq}, func(r *journal.Record) { old = r }); err != nil {
		return 0, err
	}
	if old == nil {
		return 0, journal.Refuse("there is no record %d", seq)
	}
	if err := shared.Correctable(old, body, why); err != nil {
		return 0, err
	}
	now := s.now()
	row, err := s.makeRow(ctx, shared.Correction(old, body, now), codec.Micros(now), true)
	if err != nil {
		return 0, err
	}
	by := seq
	err = s.tx(ctx, func(ctx context.Context, t *tx) error {
		// Before any key is locked, as everybody does who appends.
		if _, err := t.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", s.lockID(appendLock)); err != nil {
			return fmt.Errorf("wait for other appends: %w", err)
		}
		before, err := t.lock(ctx, []int64{seq})
		if err != nil {
			return err
		}
		was := before[seq]
		if codec.StateOf(was.state) != old.State {
			return journal.Refuse("record %d changed this moment: look at it again", seq)
		}
		if was.state == codec.Held {
			err = t.batch(ctx, func(b *pgx.Batch) {
				b.Queue("INSERT INTO payloads VALUES ($1, $2) ON CONFLICT (seq) DO UPDATE SET body = excluded.body", seq,
					s.sealer.Seal(codec.PurposeBody, was.ident, body))
				b.Queue("UPDATE records SET flags = flags | $2 WHERE seq = $1", seq, codec.FlagEdited)
			})
		} else {
			by, err = t.putVersion(ctx, seq, was.state, row, codec.Micros(now))
			if err == nil {
				c := shared.Corrected{Rule: old.Rule, ID: old.ID, Order: old.Order(), By: by}
				err = t.supersedeParts(ctx, c, "", codec.Micros(now))
			}
		}
		if err == nil {
			err = t.rehead(ctx, []int64{was.chain})
		}
		if err != nil {
			return err
		}
		return t.audit(ctx, who, "correct", why, 1, "record "+strconv.FormatInt(seq, 10))
	})
	return by, err
}

// putVersion keeps the corrected version of a settled record.
func (t *tx) putVersion(ctx context.Context, seq int64, state int, r *row, now int64) (int64, error) {
	var waiting *int64
	err := t.QueryRow(ctx, "SELECT max(seq) FROM records WHERE chain = $1 AND state IN (0, 2) AND flags & $2 <> 0 AND "+
		"ident = $3 AND rank = $4",
		r.chain, codec.FlagEdited, r.ident, r.rec.Rank).Scan(&waiting)
	if err != nil {
		return 0, err
	}
	if waiting != nil {
		return 0, shared.ErrCorrected(seq, *waiting)
	}
	if err := t.appendRows(ctx, []*row{r}); err != nil {
		return 0, err
	}
	if state == codec.Failed {
		return r.seq, t.setSuperseded(ctx, map[int64]int64{seq: r.seq}, "", now)
	}
	return r.seq, nil
}

// Note implements journal.Desk.
func (s *Store) Note(ctx context.Context, e journal.AuditEntry) error {
	err := s.tx(ctx, func(ctx context.Context, t *tx) error {
		return t.audit(ctx, e.Who, e.Did, e.Why, e.Count,
			e.Subject)
	})
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
		change: func(ctx context.Context, t *tx, seqs []int64, before map[int64]standing) error {
			_, err := t.Exec(ctx, "UPDATE records SET state = 2, next_try = 0, touched = $2 WHERE seq = ANY($1)", seqs,
				codec.Micros(s.now()))
			if err != nil || p == nil {
				return err
			}
			return t.setProblem(ctx, seqs, before, p)
		}})
}

func (t *tx) setProblem(ctx context.Context, seqs []int64, before map[int64]standing, p *journal.Problem) error {
	var all outcomes
	for _, seq := range seqs {
		private, err := t.s.sealer.Private(before[seq].ident, p)
		if err != nil {
			return err
		}
		all.add(t.s, seq, p, private, nil, 0)
	}
	return t.batch(ctx, all.queue)
}

// Unhold implements journal.Journal.
func (s *Store) Unhold(ctx context.Context, rule string) (int64, error) {
	return s.move(ctx, move{filter: journal.Filter{Rule: rule, States: []journal.State{journal.Held}}, to: codec.Pending,
		who: shared.Program, did: "unhold", inFlight: true,
		change: func(ctx context.Context, t *tx, seqs []int64, _ map[int64]standing) error {
			return t.batch(ctx, func(b *pgx.Batch) {
				b.Queue("DELETE FROM outcomes WHERE seq = ANY($1)", seqs)
				b.Queue("UPDATE records SET state = 0, next_try = 0, touched = $2 WHERE seq = ANY($1)", seqs, codec.Micros(s.now()))
			})
		}})
}

var errNobody = errors.New("forget a person: the external id is empty")
