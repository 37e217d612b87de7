package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal/internal/codec"
)

var _ actions.Contributions = memory{}

// Contribute implements actions.Contributions.
func (m memory) Contribute(ctx context.Context, list []actions.Contribution) (map[string][]string, error) {
	names := map[string]string{}
	var contributors []string
	for _, c := range list {
		hidden := m.s.hide(c.Contributor)
		names[hidden] = c.Contributor
		contributors = append(contributors, hidden)
	}
	// In one order, so that two runners do not wait for each other in a circle; of one contributor, as they came.
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b actions.Contribution) int { return cmp.Compare(a.Contributor, b.Contributor) })
	var left map[string][]string
	err := m.s.tx(ctx, func(ctx context.Context, t *tx) error {
		left = map[string][]string{}
		err := t.batch(ctx, func(b *pgx.Batch) {
			for _, c := range sorted {
				m.queueContribution(b, c)
			}
		})
		if err != nil {
			return err
		}
		return each(ctx, t, func(rows pgx.Rows) error {
			var contributor, slot string
			err := rows.Scan(&contributor, &slot)
			left[names[contributor]] = append(left[names[contributor]], slot)
			return err
		}, "SELECT contributor, slot FROM contributions_left WHERE server = $1 AND contributor = ANY($2) ORDER BY "+
			"contributor, slot", m.server, contributors)
	})
	if err != nil {
		return nil, fmt.Errorf("keep what records give: %w", err)
	}
	return left, nil
}

func (m memory) queueContribution(b *pgx.Batch, c actions.Contribution) {
	server, contributor, slot, value := m.server, m.s.hide(c.Contributor), clean(c.Cell), clean(c.Value)
	b.Queue(`INSERT INTO contributions_left SELECT server, contributor, slot FROM contributions WHERE server = $1
		AND contributor = $2 AND slot <> $3
		ON CONFLICT DO NOTHING`, server, contributor, slot)
	if slot == "" {
		b.Queue("DELETE FROM contributions WHERE server = $1 AND contributor = $2", server, contributor)
		return
	}
	b.Queue("DELETE FROM contributions_left WHERE server = $1 AND contributor = $2 AND slot = $3", server, contributor,
		slot)
	b.Queue(`INSERT INTO contributions (server, contributor, slot, value, number, at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (server, contributor)
		DO UPDATE SET slot = excluded.slot, value = excluded.value, number = excluded.number, at = excluded.at`,
		server, contributor, slot, m.s.sealer.Share(server, slot, value), codec.Number(value), clean(c.At))
}

// Totals implements actions.Contributions.
func (m memory) Totals(ctx context.Context, slots []string) (map[string]actions.CellTotal, error) {
	cleaned := make([]string, len(slots))
	for i, s := range slots {
		cleaned[i] = clean(s)
	}
	found := map[string]actions.CellTotal{}
	err := m.s.query(ctx, func(rows pgx.Rows) error {
		var t actions.CellTotal
		err := rows.Scan(&t.Cell, &t.Count, &t.Sum, &t.Last)
		if err == nil {
			t.Last, err = m.s.sealer.OpenShare(m.server, t.Cell, t.Last)
		}
		found[t.Cell] = t
		return err
	}, `SELECT slot, count(*), coalesce(sum(number), 0), (array_agg(value ORDER BY at DESC, contributor DESC))[1]
		FROM contributions WHERE server = $1 AND slot = ANY($2) GROUP BY slot`, m.server, cleaned)
	if err != nil {
		return nil, fmt.Errorf("add up what records give: %w", m.s.explain(err))
	}
	out := make(map[string]actions.CellTotal, len(slots))
	for i, slot := range slots {
		t := found[cleaned[i]]
		t.Cell = slot
		out[slot] = t
	}
	return out, nil
}

// Settle implements actions.Contributions.
func (m memory) Settle(ctx context.Context, contributors []string) error {
	cleaned := make([]string, len(contributors))
	for i, c := range contributors {
		cleaned[i] = m.s.hide(c)
	}
	err := m.s.tx(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.Exec(ctx, "DELETE FROM contributions_left WHERE server = $1 AND contributor = ANY($2)", m.server, cleaned)
		return err
	})
	if err != nil {
		return fmt.Errorf("settle what records gave: %w", err)
	}
	return nil
}
