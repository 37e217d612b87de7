package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
)

// where turns a filter into a condition on records r, rules n and outcomes o.
type where struct {
	parts []string
	args  []any
}

func (w *where) add(part string, args ...any) {
	w.parts = append(w.parts, part)
	w.args = append(w.args, args...)
}

func (w *where) text() string {
	if len(w.parts) == 0 {
		return "1"
	}
	return strings.Join(w.parts, " AND ")
}

// conditions gives the conditions of a filter. along: whoever asks goes along what the texts find already.
func (s *Store) conditions(ctx context.Context, f journal.Filter, along bool) (*where, error) {
	w := &where{}
	if err := s.addTexts(ctx, w, f, along); err != nil {
		return nil, err
	}
	if len(f.States) > 0 {
		codes := make([]int64, len(f.States))
		// The index by state serves what is a small part of a full journal. A reader that keeps its
		// place, and one that asks for what most records are, goes along the records instead.
		column := "r.state"
		for i, state := range f.States {
			code, err := codec.StateCode(state)
			if err != nil {
				return nil, err
			}
			codes[i] = int64(code)
			if code == codec.Delivered || code == codec.Skipped || code == codec.Superseded || f.AfterSeq > 0 {
				column = "+r.state"
			}
		}
		w.add(column+" IN (SELECT value FROM json_each(?))", list(codes))
	}
	if f.Rule != "" {
		w.add("n.name = ?", f.Rule)
	}
	if f.Key != "" {
		w.add("r.chain = ? AND r.key = ?", s.sealer.Chain(f.Key), s.sealer.Hide(f.Key))
	}
	if f.ID != "" {
		w.add("r.id = ?", s.sealer.Hide(f.ID))
	}
	if f.Code != "" {
		w.add("o.code = ?", f.Code)
	}
	if f.Class != "" {
		w.add("o.class = ?", string(f.Class))
	}
	if f.Cause != "" {
		w.add("o.cause = ?", s.sealer.Hide(f.Cause))
	}
	if f.FileID != "" {
		w.add("r.file = ?", f.FileID)
	}
	if f.Row != 0 {
		w.add("r.place = ?", f.Row)
	}
	if f.Seq != 0 {
		w.add("r.seq = ?", f.Seq)
	}
	if f.Seqs != nil {
		w.add("r.seq IN (SELECT value FROM json_each(?))", list(f.Seqs))
	}
	if f.Before > 0 {
		w.add("r.seq < ?", f.Before)
	}
	if !f.Since.IsZero() {
		w.add("r.received >= ?", codec.Micros(f.Since))
	}
	if !f.Until.IsZero() {
		w.add("r.received < ?", codec.Micros(f.Until))
	}
	if f.AfterSeq != 0 {
		w.add("r.seq > ?", f.AfterSeq)
	}
	return w, nil
}

// isObject holds of a record that wrote an object.
const isObject = "instr(char(10) || o.objects || char(10), char(10) || ? || char(10))"

// isAbout holds of a record that is about one of some objects.
const isAbout = "EXISTS (SELECT 1 FROM json_each(?) a WHERE instr(char(10) || o.objects || char(10), " +
	"char(10) || a.value || char(10)))"

// addTexts restricts to records that are known by a text of the filter. along: whoever asks goes along these already.
func (s *Store) addTexts(ctx context.Context, w *where, f journal.Filter, along bool) error {
	texts, err := s.texts(ctx, f)
	if err != nil || len(texts) == 0 && f.About == nil {
		return err
	}
	if f.Seq == 0 && f.Seqs == nil && !along {
		seqs, err := s.recordsBy(ctx, texts, math.MaxInt64, math.MaxInt32)
		if err != nil {
			return err
		}
		w.add("r.seq IN (SELECT value FROM json_each(?))", list(seqs))
	}
	if f.Object != "" {
		w.add(isObject, f.Object)
	}
	if f.About != nil {
		about, err := json.Marshal(shared.TermsAbout(f.About))
		if err != nil {
			return err
		}
		w.add(isAbout, string(about))
	}
	if f.Text == "" {
		return nil
	}
	any, args := "r.id = ? OR r.key = ?", []any{s.sealer.Hide(f.Text), s.sealer.Hide(f.Text)}
	for _, text := range texts {
		any, args = any+" OR "+isObject, append(args, text)
	}
	w.add("("+any+")", args...)
	return nil
}

// selectSeqs gives the records that a filter's conditions select, in its order. Rows are read by
// seq afterwards, so that only numbers are sorted.
func (s *Store) selectSeqs(ctx context.Context, w *where, f journal.Filter) ([]int64, error) {
	order, limit := "ASC", -1
	if f.NewestOne {
		order = "DESC"
	}
	if f.Limit > 0 {
		limit = f.Limit
	}
	query := fmt.Sprintf("SELECT r.seq FROM records r CROSS JOIN rules n ON n.id = r.rule LEFT JOIN outcomes o ON "+
		"o.seq = r.seq WHERE %s ORDER BY r.seq %s LIMIT %d",
		w.text(), order, limit)
	rows, err := s.read.db.QueryContext(ctx, query, w.args...)
	var out []int64
	err = scan(rows, err, func(rows *sql.Rows) error {
		var seq int64
		err := rows.Scan(&seq)
		out = append(out, seq)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("select records: %w", explain(err, s.place))
	}
	return out, nil
}

// Select implements journal.Journal.
func (s *Store) Select(ctx context.Context, f journal.Filter) ([]*journal.Record, error) {
	w, err := s.conditions(ctx, f, false)
	if err != nil {
		return nil, fmt.Errorf("select records: %w", explain(err, s.place))
	}
	seqs, err := s.selectSeqs(ctx, w, f)
	if err != nil {
		return nil, err
	}
	var out []*journal.Record
	for part := range slices.Chunk(seqs, shared.ChangeSize) {
		if err := s.fetch(ctx, "1", f.WithBody, part, func(r *fetched) { out = append(out, r.rec) }); err != nil {
			return nil, fmt.Errorf("list records: %w", explain(err, s.place))
		}
	}
	if f.NewestOne {
		slices.SortFunc(out, func(a, b *journal.Record) int { return cmp.Compare(b.Seq, a.Seq) })
	}
	return out, nil
}

// Causes implements journal.Journal. Without states in the filter it groups the failed records.
func (s *Store) Causes(ctx context.Context, f journal.Filter) ([]journal.Cause, error) {
	if len(f.States) == 0 {
		f.States = []journal.State{journal.Failed}
	}
	if shared.OnlyFailed(f) {
		return s.failedCauses(ctx, f)
	}
	w, err := s.conditions(ctx, f, false)
	if err != nil {
		return nil, fmt.Errorf("group failures: %w", explain(err, s.place))
	}
	limit := -1
	if f.Limit > 0 {
		limit = f.Limit
	}
	query := fmt.Sprintf(`SELECT n.name, coalesce(o.code, ''), coalesce(o.cause, ''), max(coalesce(o.hint, '')),
		coalesce(o.place, ''), coalesce(o.class, ''),
		count(*), min(r.touched), max(r.touched), max(r.seq) FROM records r CROSS JOIN rules n ON n.id = r.rule
		LEFT JOIN outcomes o ON o.seq = r.seq
		WHERE %s GROUP BY n.name, o.class, o.code, o.cause, o.place ORDER BY count(*) DESC, n.name, o.code, o.cause,
		o.place LIMIT %d`, w.text(), limit)
	rows, err := s.read.db.QueryContext(ctx, query, w.args...)
	var out []journal.Cause
	var examples []int64
	err = scan(rows, err, func(rows *sql.Rows) error {
		var c journal.Cause
		var class string
		var first, last, example int64
		if err := rows.Scan(&c.Rule, &c.Code, &c.Cause, &c.Hint, &c.Place, &class, &c.Count, &first, &last,
			&example); err != nil {
			return err
		}
		if err := s.sealer.ShowAll(&c.Cause, &c.Hint); err != nil {
			return err
		}
		c.Class, c.First, c.Last = actions.Class(class), codec.Time(first), codec.Time(last)
		out, examples = append(out, c), append(examples, example)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("group failures: %w", explain(err, s.place))
	}
	bySeq := map[int64]*journal.Record{}
	if err := s.fetch(ctx, "1", false, examples, func(f *fetched) { bySeq[f.rec.Seq] = f.rec }); err != nil {
		return nil, fmt.Errorf("read examples of failures: %w", explain(err, s.place))
	}
	for i := range out {
		out[i].Example = bySeq[examples[i]]
	}
	return out, nil
}

// failedCauses groups failed records of all times, which their index gives.
func (s *Store) failedCauses(ctx context.Context, f journal.Filter) ([]journal.Cause, error) {
	groups, err := s.causeGroups(ctx, countCauses)
	if err != nil {
		return nil, fmt.Errorf("group failures: %w", explain(err, s.place))
	}
	out := make([]journal.Cause, len(groups))
	for i, g := range groups {
		out[i] = shared.CauseOf(g.example, g.count, codec.Time(g.first), codec.Time(g.last))
	}
	return shared.Causes(out, f), nil
}

// Summary implements journal.Journal. It reads counters, not records, so that it is quick whatever the backlog.
func (s *Store) Summary(ctx context.Context) (journal.Summary, error) {
	var sum journal.Summary
	ids, err := s.ruleCounts(ctx, &sum)
	if err == nil {
		err = s.oldest(ctx, &sum, ids)
	}
	if err == nil {
		rows, queryErr := s.read.query(ctx, "SELECT count(*) FROM files WHERE state = ?", string(journal.FileOpen))
		err = scan(rows, queryErr, func(rows *sql.Rows) error { return rows.Scan(&sum.Files) })
	}
	if err != nil {
		return journal.Summary{}, fmt.Errorf("sum up the journal: %w", explain(err, s.place))
	}
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(s.path + suffix)
		if err == nil {
			sum.Size += info.Size()
		} else if !errors.Is(err, os.ErrNotExist) {
			return journal.Summary{}, fmt.Errorf("measure the journal: %w", err)
		}
	}
	return sum, nil
}

func (s *Store) ruleCounts(ctx context.Context, sum *journal.Summary) ([]int64, error) {
	var ids []int64
	rows, err := s.read.query(ctx,
		`SELECT id, name, pending, held, delivered, skipped, failed, dismissed, superseded, last_received,
			last_delivered FROM rules ORDER BY name`)
	err = scan(rows, err, func(rows *sql.Rows) error {
		var r journal.RuleSummary
		var id, received, delivered int64
		if err := rows.Scan(&id, &r.Rule, &r.Pending, &r.Held, &r.Delivered, &r.Skipped, &r.Failed, &r.Dismissed,
			&r.Superseded, &received, &delivered); err != nil {
			return err
		}
		r.LastReceived, r.LastDelivered = codec.Time(received), codec.Time(delivered)
		sum.Rules, ids = append(sum.Rules, r), append(ids, id)
		return nil
	})
	return ids, err
}

// oldest finds the first accepted pending record and the next retry of every rule.
func (s *Store) oldest(ctx context.Context, sum *journal.Summary, ids []int64) error {
	for i, id := range ids {
		r := &sum.Rules[i]
		if r.Pending == 0 {
			continue
		}
		rows, err := s.read.query(ctx, `SELECT (SELECT received FROM records WHERE seq = (SELECT min(s) FROM (
				SELECT min(seq) AS s FROM records INDEXED BY work WHERE state = 0 AND head = 1 AND rule = ?1 AND next_try = 0
				UNION ALL
				SELECT min(seq) FROM records INDEXED BY work WHERE state = 0 AND head = 0 AND rule = ?1 AND next_try = 0 UNION ALL
				SELECT min(seq) FROM records INDEXED BY work WHERE state = 0 AND head = 1 AND rule = ?1 AND next_try > 0 UNION ALL
				SELECT min(seq) FROM records INDEXED BY work WHERE state = 0 AND head = 0 AND rule = ?1 AND next_try > 0))),
			(SELECT min(next_try) FROM records INDEXED BY work WHERE state = 0 AND head = 1 AND rule = ?1 AND next_try > 0)`, id)
		var received, next sql.NullInt64
		if err := scan(rows, err, func(rows *sql.Rows) error { return rows.Scan(&received, &next) }); err != nil {
			return err
		}
		r.Oldest = codec.Time(received.Int64)
		sum.Oldest = shared.Earlier(sum.Oldest, r.Oldest)
		sum.NextTry = shared.Earlier(sum.NextTry, codec.Time(next.Int64))
	}
	return nil
}
