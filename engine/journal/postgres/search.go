package postgres

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
)

// outOfOrder is how far apart the times of records may be that were accepted one after the other,
// by runners with several clocks, and stand in the wrong order.
const outOfOrder = time.Minute

// Search implements journal.Reader.
func (s *Store) Search(ctx context.Context, f journal.Filter) (journal.Page, error) {
	candidates, err := s.candidates(ctx, f)
	if err != nil {
		return journal.Page{}, fmt.Errorf("search records: %w", s.explain(err))
	}
	w, err := s.conditions(ctx, f, true)
	if err != nil {
		return journal.Page{}, fmt.Errorf("search records: %w", s.explain(err))
	}
	w.add("r.seq = ANY(?)", []int64(nil))
	query := "SELECT r.seq FROM records r LEFT JOIN outcomes o ON o.seq = r.seq WHERE " + w.text()
	page, err := shared.Search{
		Candidates: candidates,
		Match: func(ctx context.Context, seqs []int64) ([]int64, error) {
			args := slices.Clone(w.args)
			args[len(args)-1] = seqs
			return numbers(ctx, s.pool, query, args...)
		},
		Fetch: func(ctx context.Context, seqs []int64) (out []*journal.Record, err error) {
			err = s.fetch(ctx, s.pool, f.WithBody, seqs, func(r *journal.Record) { out = append(out, r) })
			return out, err
		},
	}.Page(ctx, f)
	if err != nil {
		return page, fmt.Errorf("search records: %w", s.explain(err))
	}
	return page, nil
}

type candidates = func(ctx context.Context, before int64, n int) ([]int64, error)

// candidates chooses what a search goes along: what leaves the fewest records to look at.
func (s *Store) candidates(ctx context.Context, f journal.Filter) (candidates, error) {
	f = cleaned(f)
	low, high, err := s.between(ctx, f)
	if err != nil {
		return nil, err
	}
	along := func(query string, args ...any) candidates {
		return func(ctx context.Context, before int64, n int) ([]int64, error) {
			seqs, err := numbers(ctx, s.pool, query, append([]any{min(before, high), n}, args...)...)
			// What is accepted is nearly in order of time: the first record before the low end ends the search.
			if i := slices.IndexFunc(seqs, func(seq int64) bool { return seq < low }); i >= 0 {
				seqs = seqs[:i]
			}
			return seqs, err
		}
	}
	switch texts, err := s.texts(ctx, f); {
	case err != nil:
		return nil, err
	case f.Seq != 0 || f.Seqs != nil:
		seqs := f.Seqs
		if f.Seq != 0 {
			seqs = []int64{f.Seq}
		}
		return func(_ context.Context, before int64, n int) ([]int64, error) {
			return shared.Latest(n, slices.DeleteFunc(slices.Clone(seqs), func(seq int64) bool { return seq >= before })), nil
		}, nil
	case len(texts) > 0:
		return along(latestByTerms, s.termsOf(texts)), nil
	case f.FileID != "":
		return along("SELECT seq FROM records WHERE file = $3 AND ($4::bigint = 0 OR row = $4::bigint) AND seq < $1 "+
			"ORDER BY seq DESC LIMIT $2", f.FileID, f.Row), nil
	case slices.Equal(f.States, []journal.State{journal.Failed}) && (f.Code != "" || f.Class != "" || f.Cause != ""):
		causes, err := s.causesOf(ctx, f)
		// In the order of the index, as in rehead.
		return along(`SELECT r.seq FROM unnest($3::bigint[]) u(cause), LATERAL (SELECT cause, seq FROM records r
			WHERE state = 4 AND cause = u.cause
			AND (r.cause, r.seq) < (u.cause, $1) ORDER BY r.cause DESC, r.seq DESC LIMIT $2) r
			ORDER BY r.seq DESC LIMIT $2`, causes), err
	case len(f.States) > 0 || f.Rule != "":
		states, err := stateCodes(f.States)
		return along(`SELECT r.seq FROM unnest($3::smallint[]) u(state), (SELECT id FROM rules WHERE $4 = ''
			OR name = $4) n, LATERAL (SELECT seq FROM records r
			WHERE r.state = u.state AND r.rule = n.id AND (r.state, r.rule, r.seq) < (u.state, n.id, $1)
			ORDER BY r.state DESC, r.rule DESC, r.seq DESC LIMIT $2) r ORDER BY r.seq DESC LIMIT $2`, states, f.Rule), err
	default:
		return along("SELECT seq FROM records WHERE seq < $1 ORDER BY seq DESC LIMIT $2"), nil
	}
}

const latestByTerms = `SELECT DISTINCT t.seq FROM unnest($3::bigint[]) u(hash), LATERAL (SELECT seq FROM terms t
	WHERE t.hash = u.hash AND t.seq < $1
	ORDER BY t.hash DESC, t.seq DESC LIMIT $2) t ORDER BY t.seq DESC LIMIT $2`

func (s *Store) termsOf(texts []string) []int64 {
	hashes := make([]int64, len(texts))
	for i, text := range texts {
		hashes[i] = s.sealer.Term(clean(text))
	}
	return hashes
}

// stateCodes gives the numbers of states: of all when there are none.
func stateCodes(states []journal.State) ([]int16, error) {
	if len(states) == 0 {
		states = codec.States()
	}
	out := make([]int16, len(states))
	for i, state := range states {
		code, err := codec.StateCode(state)
		if err != nil {
			return nil, err
		}
		out[i] = int16(code)
	}
	return out, nil
}

// texts gives the texts by which a filter finds records; records are found by one of them.
func (s *Store) texts(ctx context.Context, f journal.Filter) ([]string, error) {
	if f.Text == "" {
		return shared.Texts(f), nil
	}
	holders, err := s.holders(ctx, []string{f.Text})
	return shared.TextsHeld(f.Text, holders), err
}

// between gives the records that were received in the filter's time: from the first to before the second.
func (s *Store) between(ctx context.Context, f journal.Filter) (low, high int64, err error) {
	high = math.MaxInt64
	if !f.Since.IsZero() {
		if low, err = s.firstSince(ctx, codec.Micros(f.Since.Add(-outOfOrder))); err != nil {
			return 0, 0, err
		}
	}
	if !f.Until.IsZero() {
		if high, err = s.firstSince(ctx, codec.Micros(f.Until.Add(outOfOrder))); err != nil {
			return 0, 0, err
		}
		high++
	}
	return max(low, f.AfterSeq+1), high, nil
}

// firstSince gives the first record that was received at a time or later, else the last one.
// Records are accepted nearly in order of time, so that halving finds it.
func (s *Store) firstSince(ctx context.Context, micros int64) (int64, error) {
	var low, high int64
	if err := s.pool.QueryRow(ctx, "SELECT coalesce(min(seq), 0), coalesce(max(seq), 0) FROM records").Scan(&low,
		&high); err != nil {
		return 0, err
	}
	return shared.FirstSince(low, high, micros, func(from int64) (seq, received int64, err error) {
		err = s.pool.QueryRow(ctx, "SELECT seq, received FROM records WHERE seq >= $1 ORDER BY seq LIMIT 1", from).Scan(&seq,
			&received)
		return seq, received, err
	})
}

// causesOf gives the causes of failed records that a filter selects. It steps from one cause to the next in the index.
func (s *Store) causesOf(ctx context.Context, f journal.Filter) ([]int64, error) {
	groups, err := s.causeGroups(ctx, `WITH RECURSIVE c(cause) AS ((SELECT cause FROM records WHERE state = 4
		ORDER BY cause LIMIT 1)
		UNION ALL SELECT (SELECT r.cause FROM records r WHERE state = 4 AND r.cause > c.cause ORDER BY r.cause LIMIT 1)
		FROM c WHERE c.cause IS NOT NULL)
		SELECT c.cause, 0::bigint, (SELECT r.seq FROM records r WHERE state = 4 AND (r.cause, r.seq) <= (c.cause,
		9223372036854775807)
		ORDER BY r.cause DESC, r.seq DESC LIMIT 1), 0::bigint, 0::bigint FROM c WHERE c.cause IS NOT NULL`)
	causes := []int64{}
	for _, g := range groups {
		if shared.HasCause(g.example, f) {
			causes = append(causes, g.hash)
		}
	}
	return causes, err
}

// causeGroup are failed records of one rule and cause.
type causeGroup struct {
	hash, count, newest int64
	first, last         int64 // when they failed
	example             *journal.Record
}

// countCauses counts the failed records, from their index alone.
const countCauses = "SELECT cause, count(*), max(seq), min(touched), max(touched) FROM records WHERE state = 4 " +
	"GROUP BY cause"

// causeGroups gives what a query groups failed records by.
func (s *Store) causeGroups(ctx context.Context, query string) ([]causeGroup, error) {
	var out []causeGroup
	var newest []int64
	err := s.query(ctx, func(rows pgx.Rows) error {
		var g causeGroup
		err := rows.Scan(&g.hash, &g.count, &g.newest, &g.first, &g.last)
		out, newest = append(out, g), append(newest, g.newest)
		return err
	}, query)
	if err != nil {
		return nil, err
	}
	bySeq := map[int64]*journal.Record{}
	if err := s.fetch(ctx, s.pool, false, newest, func(r *journal.Record) { bySeq[r.Seq] = r }); err != nil {
		return nil, err
	}
	for i := range out {
		out[i].example = bySeq[out[i].newest]
	}
	return slices.DeleteFunc(out, func(g causeGroup) bool { return g.example == nil }), nil // settled this moment
}

// holders gives which objects stand for external ids, where one of the texts is the one or the other.
func (s *Store) holders(ctx context.Context, texts []string) ([]journal.Holder, error) {
	cleaned, hidden := make([]string, len(texts)), make([]string, len(texts))
	for i, text := range texts {
		cleaned[i], hidden[i] = clean(text), s.hide(text)
	}
	var out []journal.Holder
	err := s.query(ctx, func(rows pgx.Rows) error {
		var h journal.Holder
		err := rows.Scan(&h.Server, &h.Type, &h.ExternalID, &h.UID, &h.Generation, &h.Origin)
		if err == nil {
			err = s.sealer.ShowAll(&h.ExternalID)
		}
		out = append(out, h)
		return err
	}, `SELECT server, type, external_id, uid, generation, origin FROM identities WHERE external_id = ANY($2)
		UNION SELECT server, type, external_id, uid, generation, origin FROM identities WHERE uid = ANY($1)
		ORDER BY 1, 2, 3`, cleaned, hidden)
	return out, err
}

// Story implements journal.Reader.
func (s *Store) Story(ctx context.Context, who string, limit int) (journal.Story, error) {
	story, err := shared.Story{
		Holders: s.holders,
		Records: func(ctx context.Context, texts []string, n int) ([]*journal.Record, error) {
			seqs, err := numbers(ctx, s.pool, latestByTerms, int64(math.MaxInt64), n, s.termsOf(texts))
			if err != nil {
				return nil, err
			}
			var out []*journal.Record
			err = s.fetch(ctx, s.pool, false, seqs, func(r *journal.Record) {
				if shared.Known(r, texts) {
					out = append(out, r)
				}
			})
			return out, err
		},
	}.Tell(ctx, who, limit)
	if err != nil {
		return story, fmt.Errorf("tell all of a person: %w", s.explain(err))
	}
	return story, nil
}

// Versions implements journal.Reader.
func (s *Store) Versions(ctx context.Context, rule, id string) ([]*journal.Record, error) {
	return s.Select(ctx, journal.Filter{Rule: rule, ID: id})
}

// saveTerms makes records known by texts.
func (t *tx) saveTerms(ctx context.Context) error {
	if len(t.terms) == 0 {
		return nil
	}
	// In one order for all runners.
	slices.SortFunc(t.terms, func(a, b term) int { return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.seq, b.seq)) })
	t.terms = slices.Compact(t.terms)
	hashes, seqs := make([]int64, len(t.terms)), make([]int64, len(t.terms))
	for i, x := range t.terms {
		hashes[i], seqs[i] = x.hash, x.seq
	}
	if _, err := t.Exec(ctx, "INSERT INTO terms SELECT * FROM unnest($1::bigint[], $2::bigint[]) ON CONFLICT DO NOTHING",
		hashes, seqs); err != nil {
		return fmt.Errorf("make records known by their terms: %w", err)
	}
	return nil
}

type term struct{ hash, seq int64 }

// term makes a record known by a text once the transaction ends.
func (t *tx) term(text string, seq int64) {
	if text = clean(text); text != "" {
		t.terms = append(t.terms, term{t.s.sealer.Term(text), seq})
	}
}

// dropTerms erases by what records are found, before they change or go.
func (t *tx) dropTerms(ctx context.Context, seqs []int64) error {
	var hashes, of []int64
	err := each(ctx, t, func(rows pgx.Rows) error {
		var seq int64
		var id, key, objects string
		err := rows.Scan(&seq, &id, &key, &objects)
		if err == nil {
			err = t.s.sealer.ShowAll(&id, &key)
		}
		for _, text := range append(codec.SplitObjects(objects), id, key) {
			hashes, of = append(hashes, t.s.sealer.Term(clean(text))), append(of, seq)
		}
		return err
	}, "SELECT r.seq, r.id, r.key, coalesce(o.objects, '') FROM records r LEFT JOIN outcomes o ON o.seq = r.seq WHERE "+
		"r.seq = ANY($1)", seqs)
	if err != nil {
		return fmt.Errorf("read by what records are found: %w", err)
	}
	if _, err := t.Exec(ctx, "DELETE FROM terms t USING unnest($1::bigint[], $2::bigint[]) u(hash, seq) WHERE t.hash = "+
		"u.hash AND t.seq = u.seq", hashes, of); err != nil {
		return fmt.Errorf("erase by what records are found: %w", err)
	}
	return nil
}
