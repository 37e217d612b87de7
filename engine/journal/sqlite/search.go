package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
)

// outOfOrder is how far apart the times of records may be that were accepted one after the other,
// with several clocks, and stand in the wrong order.
const outOfOrder = time.Minute

// Search implements journal.Reader.
func (s *Store) Search(ctx context.Context, f journal.Filter) (journal.Page, error) {
	candidates, err := s.candidates(ctx, f)
	var w *where
	if err == nil {
		w, err = s.conditions(ctx, f, true)
	}
	if err != nil {
		return journal.Page{}, fmt.Errorf("search records: %w", explain(err, s.place))
	}
	query := "SELECT r.seq FROM json_each(?) j CROSS JOIN records r ON r.seq = j.value CROSS JOIN rules n ON n.id = " +
		"r.rule LEFT JOIN outcomes o ON o.seq = r.seq WHERE " + w.text()
	page, err := shared.Search{
		Candidates: candidates,
		Match: func(ctx context.Context, seqs []int64) ([]int64, error) {
			return s.numbers(ctx, query, append([]any{list(seqs)}, w.args...)...)
		},
		Fetch: func(ctx context.Context, seqs []int64) (out []*journal.Record, err error) {
			err = s.fetch(ctx, "1", f.WithBody, seqs, func(r *fetched) { out = append(out, r.rec) })
			return out, err
		},
	}.Page(ctx, f)
	if err != nil {
		return page, fmt.Errorf("search records: %w", explain(err, s.place))
	}
	return page, nil
}

type candidates = func(ctx context.Context, before int64, n int) ([]int64, error)

// candidates chooses what a search goes along: what leaves the fewest records to look at.
func (s *Store) candidates(ctx context.Context, f journal.Filter) (candidates, error) {
	low, high, err := s.between(ctx, f)
	if err != nil {
		return nil, err
	}
	above := func(along candidates) candidates {
		return func(ctx context.Context, before int64, n int) ([]int64, error) {
			seqs, err := along(ctx, min(before, high), n)
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
	case f.Seq != 0:
		return fixed([]int64{f.Seq}), nil
	case f.Seqs != nil:
		return fixed(f.Seqs), nil
	case len(texts) > 0:
		return above(func(ctx context.Context, before int64, n int) ([]int64, error) {
			return s.recordsBy(ctx, texts, before, n)
		}), nil
	case f.FileID != "":
		return above(func(ctx context.Context, before int64, n int) ([]int64, error) {
			return s.numbers(ctx, `SELECT seq FROM records INDEXED BY record_files WHERE file = ? AND (? = 0 OR place = ?)
				AND seq < ? ORDER BY seq DESC LIMIT ?`,
				f.FileID, f.Row, f.Row, before, n)
		}), nil
	case slices.Equal(f.States, []journal.State{journal.Failed}) && (f.Code != "" || f.Class != "" || f.Cause != ""):
		along, err := s.alongCauses(ctx, f)
		return above(along), err
	case len(f.States) > 0 || f.Rule != "":
		along, err := s.alongStates(ctx, f)
		return above(along), err
	default:
		return above(func(ctx context.Context, before int64, n int) ([]int64, error) {
			return s.numbers(ctx, "SELECT seq FROM records WHERE seq < ? ORDER BY seq DESC LIMIT ?", before, n)
		}), nil
	}
}

// fixed goes along records that are named.
func fixed(seqs []int64) candidates {
	return func(_ context.Context, before int64, n int) ([]int64, error) {
		return shared.Latest(n, slices.DeleteFunc(slices.Clone(seqs), func(seq int64) bool { return seq >= before })), nil
	}
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

// alongCauses goes along the failed records of the causes that a filter names. It steps from one
// cause to the next in the index.
func (s *Store) alongCauses(ctx context.Context, f journal.Filter) (candidates, error) {
	groups, err := s.causeGroups(ctx, `WITH RECURSIVE c(cause) AS (SELECT min(cause)
		FROM records INDEXED BY failed_causes WHERE state = 4
		UNION ALL SELECT (SELECT min(cause) FROM records INDEXED BY failed_causes WHERE state = 4 AND cause > c.cause)
		FROM c WHERE cause IS NOT NULL)
		SELECT cause, 0, (SELECT max(seq) FROM records INDEXED BY failed_causes WHERE state = 4 AND cause = c.cause), 0,
		0 FROM c WHERE cause IS NOT NULL`)
	if err != nil {
		return nil, err
	}
	var causes []int64
	for _, g := range groups {
		if shared.HasCause(g.example, f) {
			causes = append(causes, g.hash)
		}
	}
	return func(ctx context.Context, before int64, n int) ([]int64, error) {
		lists := make([][]int64, len(causes))
		for i, cause := range causes {
			if lists[i], err = s.numbers(ctx,
				"SELECT seq FROM records INDEXED BY failed_causes WHERE state = 4 AND cause = ? AND seq < ? ORDER BY seq DESC "+
					"LIMIT ?",
				cause, before, n); err != nil {
				return nil, err
			}
		}
		return shared.Latest(n, lists...), nil
	}, nil
}

// causeGroup are failed records of one rule and cause.
type causeGroup struct {
	hash, count, newest int64
	first, last         int64 // when they failed
	example             *journal.Record
}

// countCauses counts the failed records, from their index alone.
const countCauses = "SELECT cause, count(*), max(seq), min(touched), max(touched) FROM records INDEXED BY " +
	"failed_causes WHERE state = 4 GROUP BY cause"

// causeGroups gives what a query groups failed records by.
func (s *Store) causeGroups(ctx context.Context, query string) ([]causeGroup, error) {
	rows, err := s.read.query(ctx, query)
	var out []causeGroup
	var newest []int64
	err = scan(rows, err, func(rows *sql.Rows) error {
		var g causeGroup
		err := rows.Scan(&g.hash, &g.count, &g.newest, &g.first, &g.last)
		out, newest = append(out, g), append(newest, g.newest)
		return err
	})
	if err != nil {
		return nil, err
	}
	bySeq := map[int64]*journal.Record{}
	if err := s.fetch(ctx, "1", false, newest, func(f *fetched) { bySeq[f.rec.Seq] = f.rec }); err != nil {
		return nil, err
	}
	for i := range out {
		out[i].example = bySeq[out[i].newest]
	}
	return slices.DeleteFunc(out, func(g causeGroup) bool { return g.example == nil }), nil // settled this moment
}

// alongStates goes along the records of some states and rules: each has its part of the index
// "work", in order of seq but for records that are tried again.
func (s *Store) alongStates(ctx context.Context, f journal.Filter) (candidates, error) {
	states := f.States
	if len(states) == 0 {
		states = codec.States()
	}
	var rules []int64
	rows, err := s.read.query(ctx, "SELECT id FROM rules WHERE ?1 = '' OR name = ?1", f.Rule)
	err = scan(rows, err, func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		rules = append(rules, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	codes := make([]int, len(states))
	for i, state := range states {
		if codes[i], err = codec.StateCode(state); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context, before int64, n int) ([]int64, error) {
		var lists [][]int64
		for _, rule := range rules {
			for _, state := range codes {
				for _, part := range partsOf(state) {
					seqs, err := s.numbers(ctx,
						"SELECT seq FROM records INDEXED BY work WHERE state = ? AND head = ? AND rule = ? AND next_try "+part.due+
							" AND seq < ? ORDER BY seq DESC LIMIT ?", state, part.head, rule, before, n)
					if err != nil {
						return nil, err
					}
					lists = append(lists, seqs)
				}
			}
			lists = [][]int64{shared.Latest(n, lists...)}
		}
		return shared.Latest(n, lists...), nil
	}, nil
}

type workPart struct {
	head int
	due  string
}

// partsOf gives the parts of the index "work" that records of a state are in.
func partsOf(state int) []workPart {
	switch state {
	case codec.Pending:
		return []workPart{{0, "= 0"}, {1, "= 0"}, {0, "> 0"}, {1, "> 0"}}
	case codec.Held:
		return []workPart{{0, "= 0"}, {1, "= 0"}}
	}
	return []workPart{{0, "= 0"}}
}

// holders gives which objects stand for external ids, where one of the texts is the one or the other.
func (s *Store) holders(ctx context.Context, texts []string) ([]journal.Holder, error) {
	asked := make([]string, 2)
	for i, list := range [][]string{s.sealer.HideAll(texts), texts} {
		text, err := json.Marshal(list)
		if err != nil {
			return nil, err
		}
		asked[i] = string(text)
	}
	rows, err := s.read.query(ctx, `SELECT server, type, external_id, uid, generation, origin FROM identities
		WHERE external_id IN (SELECT value FROM json_each(?1))
		UNION SELECT server, type, external_id, uid, generation, origin FROM identities WHERE uid IN (SELECT value
		FROM json_each(?2)) ORDER BY 1, 2, 3`, asked[0], asked[1])
	var out []journal.Holder
	err = scan(rows, err, func(rows *sql.Rows) error {
		var h journal.Holder
		err := rows.Scan(&h.Server, &h.Type, &h.ExternalID, &h.UID, &h.Generation, &h.Origin)
		if err == nil {
			err = s.sealer.ShowAll(&h.ExternalID)
		}
		out = append(out, h)
		return err
	})
	return out, err
}

// Story implements journal.Reader.
func (s *Store) Story(ctx context.Context, who string, limit int) (journal.Story, error) {
	story, err := shared.Story{
		Holders: s.holders,
		Records: func(ctx context.Context, texts []string, n int) ([]*journal.Record, error) {
			seqs, err := s.recordsBy(ctx, texts, math.MaxInt64, n)
			if err != nil {
				return nil, err
			}
			var out []*journal.Record
			err = s.fetch(ctx, "1", false, seqs, func(r *fetched) {
				if shared.Known(r.rec, texts) {
					out = append(out, r.rec)
				}
			})
			return out, err
		},
	}.Tell(ctx, who, limit)
	if err != nil {
		return story, fmt.Errorf("tell all of a person: %w", explain(err, s.place))
	}
	return story, nil
}

// Versions implements journal.Reader.
func (s *Store) Versions(ctx context.Context, rule, id string) ([]*journal.Record, error) {
	return s.Select(ctx, journal.Filter{Rule: rule, ID: id})
}
