package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
)

const (
	recordFields = shared.RecordColumns
	recordJoins  = shared.RecordJoins
	withBody     = shared.BodyJoin
)

// readRecord reads a row of recordFields and the body.
func (s *Store) readRecord(rows pgx.Rows) (*journal.Record, error) {
	var stored shared.Stored
	if err := rows.Scan(stored.Into()...); err != nil {
		return nil, err
	}
	return stored.Record(s.sealer)
}

// fetch reads records in order of seq.
func (s *Store) fetch(ctx context.Context, q querier, bodies bool, seqs []int64, f func(*journal.Record)) error {
	fields, joins := recordFields+", NULL::bytea", recordJoins
	if bodies {
		fields, joins = recordFields+", p.body", recordJoins+withBody
	}
	return each(ctx, q, func(rows pgx.Rows) error {
		r, err := s.readRecord(rows)
		if err == nil {
			f(r)
		}
		return err
	}, "SELECT "+fields+" FROM records r "+joins+" WHERE r.seq = ANY($1) ORDER BY r.seq", seqs)
}

// where turns a filter into a condition on records r, rules n and outcomes o. A question mark stands for each argument.
type where struct {
	parts []string
	args  []any
}

func (w *where) add(part string, args ...any) {
	for _, a := range args {
		w.args = append(w.args, a)
		part = strings.Replace(part, "?", "$"+strconv.Itoa(len(w.args)), 1)
	}
	w.parts = append(w.parts, part)
}

func (w *where) text() string {
	if len(w.parts) == 0 {
		return "true"
	}
	return strings.Join(w.parts, " AND ")
}

// cleaned is a filter that looks for texts as they are stored. A key stays as it is for its chain,
// which is of the key as it came.
func cleaned(f journal.Filter) journal.Filter {
	for _, text := range []*string{&f.Rule, &f.ID, &f.Code, &f.Cause, &f.FileID, &f.Object, &f.Text} {
		*text = clean(*text)
	}
	if f.About != nil {
		f.About = slices.Clone(f.About)
		for i := range f.About {
			f.About[i] = clean(f.About[i])
		}
	}
	f.Class = actions.Class(clean(string(f.Class)))
	return f
}

// conditions gives the conditions of a filter. along: whoever asks goes along what the texts find already.
func (s *Store) conditions(ctx context.Context, f journal.Filter, along bool) (*where, error) {
	f = cleaned(f)
	w := &where{}
	if err := s.addTexts(ctx, w, f, along); err != nil {
		return nil, err
	}
	if len(f.States) > 0 {
		codes := make([]string, len(f.States))
		for i, state := range f.States {
			code, err := codec.StateCode(state)
			if err != nil {
				return nil, err
			}
			codes[i] = strconv.Itoa(code)
		}
		// Written out, so that the planner sees which partial index serves.
		w.add("r.state IN (" + strings.Join(codes, ", ") + ")")
	}
	if f.Rule != "" {
		w.add("r.rule = (SELECT id FROM rules WHERE name = ?)", f.Rule)
	}
	if f.Key != "" {
		w.add("r.chain = ? AND r.key = ?", s.sealer.Chain(f.Key), s.hide(f.Key))
	}
	for column, value := range map[string]string{"r.id": s.hide(f.ID), "o.code": f.Code, "o.class": string(f.Class),
		"o.cause": s.hide(f.Cause), "r.file": f.FileID} {
		if value != "" {
			w.add(column+" = ?", value)
		}
	}
	if f.Row != 0 {
		w.add("r.row = ?::bigint", f.Row)
	}
	if f.Seq != 0 {
		w.add("r.seq = ?", f.Seq)
	}
	if f.Seqs != nil {
		w.add("r.seq = ANY(?)", f.Seqs)
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

// addTexts restricts to records that are known by a text of the filter. along: whoever asks goes along these already.
func (s *Store) addTexts(ctx context.Context, w *where, f journal.Filter, along bool) error {
	texts, err := s.texts(ctx, f)
	if err != nil || len(texts) == 0 && f.About == nil {
		return err
	}
	if f.Seq == 0 && f.Seqs == nil && !along {
		w.add("r.seq = ANY(ARRAY(SELECT seq FROM terms WHERE hash = ANY(?)))", s.termsOf(texts))
	}
	if f.Object != "" {
		w.add("? = ANY(string_to_array(o.objects, E'\\n'))", f.Object)
	}
	if f.About != nil {
		w.add("string_to_array(o.objects, E'\\n') && ?", shared.TermsAbout(f.About))
	}
	if f.Text != "" {
		for i := range texts {
			texts[i] = clean(texts[i])
		}
		w.add("(r.id = ? OR r.key = ? OR string_to_array(o.objects, E'\\n') && ?)", s.hide(f.Text), s.hide(f.Text), texts)
	}
	return nil
}

// selectSeqs gives the records that a filter's conditions select, in its order.
func (s *Store) selectSeqs(ctx context.Context, w *where, f journal.Filter) ([]int64, error) {
	order, limit := "ASC", "ALL"
	if f.NewestOne {
		order = "DESC"
	}
	if f.Limit > 0 {
		limit = strconv.Itoa(f.Limit)
	}
	seqs, err := numbers(ctx, s.pool,
		fmt.Sprintf("SELECT r.seq FROM records r LEFT JOIN outcomes o ON o.seq = r.seq WHERE %s ORDER BY r.seq %s LIMIT %s",
			w.text(), order, limit), w.args...)
	if err != nil {
		return nil, fmt.Errorf("select records: %w", s.explain(err))
	}
	return seqs, nil
}

// Select implements journal.Journal.
func (s *Store) Select(ctx context.Context, f journal.Filter) ([]*journal.Record, error) {
	w, err := s.conditions(ctx, f, false)
	if err != nil {
		return nil, fmt.Errorf("select records: %w", s.explain(err))
	}
	seqs, err := s.selectSeqs(ctx, w, f)
	if err != nil {
		return nil, err
	}
	var out []*journal.Record
	for part := range slices.Chunk(seqs, shared.ChangeSize) {
		if err := s.fetch(ctx, s.pool, f.WithBody, part, func(r *journal.Record) { out = append(out, r) }); err != nil {
			return nil, fmt.Errorf("list records: %w", s.explain(err))
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
	f = cleaned(f)
	if shared.OnlyFailed(f) {
		return s.failedCauses(ctx, f)
	}
	w, err := s.conditions(ctx, f, false)
	if err != nil {
		return nil, fmt.Errorf("group failures: %w", s.explain(err))
	}
	limit := "ALL"
	if f.Limit > 0 {
		limit = strconv.Itoa(f.Limit)
	}
	var out []journal.Cause
	var examples []int64
	err = s.query(ctx, func(rows pgx.Rows) error {
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
	}, fmt.Sprintf(`SELECT n.name, coalesce(o.code, ''), coalesce(o.cause, ''), max(coalesce(o.hint, '')),
		coalesce(o.place, ''), coalesce(o.class, ''),
		count(*), min(r.touched), max(r.touched), max(r.seq) FROM records r JOIN rules n ON n.id = r.rule
		LEFT JOIN outcomes o ON o.seq = r.seq
		WHERE %s GROUP BY n.name, o.class, o.code, o.cause, o.place ORDER BY count(*) DESC, n.name, o.code, o.cause,
		o.place LIMIT %s`, w.text(), limit), w.args...)
	if err != nil {
		return nil, fmt.Errorf("group failures: %w", s.explain(err))
	}
	bySeq := map[int64]*journal.Record{}
	if err := s.fetch(ctx, s.pool, false, examples, func(r *journal.Record) { bySeq[r.Seq] = r }); err != nil {
		return nil, fmt.Errorf("read examples of failures: %w", s.explain(err))
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
		return nil, fmt.Errorf("group failures: %w", s.explain(err))
	}
	out := make([]journal.Cause, len(groups))
	for i, g := range groups {
		out[i] = shared.CauseOf(g.example, g.count, codec.Time(g.first), codec.Time(g.last))
	}
	return shared.Causes(out, f), nil
}

// Summary implements journal.Journal. It reads counters and keys, not records, so that it is quick
// whatever the backlog.
func (s *Store) Summary(ctx context.Context) (journal.Summary, error) {
	var sum journal.Summary
	err := s.query(ctx, func(rows pgx.Rows) error {
		var r journal.RuleSummary
		var received, delivered int64
		var oldest, next *int64
		if err := rows.Scan(&r.Rule, &r.Pending, &r.Delivered, &r.Held, &r.Skipped, &r.Failed, &r.Dismissed, &r.Superseded,
			&received, &delivered, &oldest, &next); err != nil {
			return err
		}
		r.LastReceived, r.LastDelivered = codec.Time(received), codec.Time(delivered)
		if oldest != nil {
			r.Oldest = codec.Time(*oldest)
			sum.Oldest = shared.Earlier(sum.Oldest, r.Oldest)
		}
		if next != nil {
			sum.NextTry = shared.Earlier(sum.NextTry, codec.Time(*next))
		}
		sum.Rules = append(sum.Rules, r)
		return nil
	}, summaryQuery)
	if err == nil {
		err = s.pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM files
			WHERE state = $1), (SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
			FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $2 AND c.relkind = 'r')`, string(
			journal.FileOpen), s.schema).
			Scan(&sum.Files, &sum.Size)
	}
	if err != nil {
		return journal.Summary{}, fmt.Errorf("sum up the journal: %w", s.explain(err))
	}
	return sum, nil
}

// The first accepted pending record of a rule need not be the head of its key when an earlier one
// of another rule is; then the index of open records gives it.
const summaryQuery = `SELECT n.name, c.s0, c.s1, c.s2, c.s3, c.s4, c.s5, c.s6, c.received, c.delivered,
	(SELECT CASE WHEN f.rule = n.id THEN f.received END FROM (SELECT r.rule, r.received FROM records r
	WHERE (r.state, r.rule, r.seq) > (0, n.id, 0)
		AND r.state = 0 ORDER BY r.state, r.rule, r.seq LIMIT 1) f),
	(SELECT min(k.due) FROM keys k WHERE k.rule = n.id AND k.owner IS NULL AND k.state = 0 AND k.due > 0)
	FROM rules n, LATERAL (SELECT coalesce(sum(n) FILTER (WHERE state = 0), 0)::bigint s0,
	coalesce(sum(n) FILTER (WHERE state = 1), 0)::bigint s1,
		coalesce(sum(n) FILTER (WHERE state = 2), 0)::bigint s2, coalesce(sum(n) FILTER (WHERE state = 3), 0)::bigint s3,
		coalesce(sum(n) FILTER (WHERE state = 4), 0)::bigint s4, coalesce(sum(n) FILTER (WHERE state = 5), 0)::bigint s5,
		coalesce(sum(n) FILTER (WHERE state = 6), 0)::bigint s6,
		coalesce(max(last) FILTER (WHERE state = -1), 0)::bigint received, coalesce(max(last) FILTER (WHERE state = 1),
		0)::bigint delivered
		FROM counts WHERE rule = n.id) c ORDER BY n.name COLLATE "C"`
