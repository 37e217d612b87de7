package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal/internal/codec"
)

var _ actions.Contributions = memory{}

// Contribute implements actions.Contributions.
func (m memory) Contribute(ctx context.Context, list []actions.Contribution) (map[string][]string, error) {
	contributors := make([]string, len(list))
	for i, c := range list {
		contributors[i] = m.s.sealer.Hide(c.Contributor)
	}
	asked, err := json.Marshal(contributors)
	if err != nil {
		return nil, fmt.Errorf("keep what records give: %w", err)
	}
	var left map[string][]string
	err = m.s.writer.change(ctx, len(list), func(t *tx) error {
		for i, c := range list {
			c.Contributor = contributors[i]
			if err := t.contribute(m.server, c, m.s.sealer.Share(m.server, c.Cell, c.Value)); err != nil {
				return err
			}
		}
		left = map[string][]string{}
		rows, err := t.query(`SELECT l.contributor, l.slot FROM contributions_left l WHERE l.server = ?
			AND l.contributor IN (SELECT value FROM json_each(?))
			ORDER BY l.contributor, l.slot`, m.server, string(asked))
		return scan(rows, err, func(rows *sql.Rows) error {
			var contributor, slot string
			err := rows.Scan(&contributor, &slot)
			if err == nil {
				err = m.s.sealer.ShowAll(&contributor)
			}
			left[contributor] = append(left[contributor], slot)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("keep what records give: %w", err)
	}
	return left, nil
}

func (t *tx) contribute(server string, c actions.Contribution, stored string) error {
	err := t.exec(`INSERT OR IGNORE INTO contributions_left SELECT server, contributor, slot FROM contributions
		WHERE server = ? AND contributor = ? AND slot <> ?`,
		server, c.Contributor, c.Cell)
	if err != nil {
		return err
	}
	if c.Cell == "" {
		return t.exec("DELETE FROM contributions WHERE server = ? AND contributor = ?", server, c.Contributor)
	}
	if err := t.exec("DELETE FROM contributions_left WHERE server = ? AND contributor = ? AND slot = ?", server,
		c.Contributor, c.Cell); err != nil {
		return err
	}
	var number any
	if n := codec.Number(c.Value); n != nil {
		number = *n
	}
	return t.exec("INSERT OR REPLACE INTO contributions (server, contributor, slot, value, number, at) VALUES (?, ?, "+
		"?, ?, ?, ?)",
		server, c.Contributor, c.Cell, stored, number, c.At)
}

// Totals implements actions.Contributions.
func (m memory) Totals(ctx context.Context, slots []string) (map[string]actions.CellTotal, error) {
	asked, err := json.Marshal(slots)
	if err != nil {
		return nil, fmt.Errorf("add up what records give: %w", err)
	}
	out := map[string]actions.CellTotal{}
	rows, err := m.s.read.query(ctx, `SELECT j.value, count(c.contributor), total(c.number), coalesce((SELECT value
		FROM contributions l WHERE l.server = ?1 AND l.slot = j.value
		ORDER BY l.at DESC, l.contributor DESC LIMIT 1), '') FROM json_each(?2) j LEFT JOIN contributions c
		ON c.server = ?1 AND c.slot = j.value GROUP BY j.value`,
		m.server, string(asked))
	err = scan(rows, err, func(rows *sql.Rows) error {
		var t actions.CellTotal
		err := rows.Scan(&t.Cell, &t.Count, &t.Sum, &t.Last)
		if err == nil {
			t.Last, err = m.s.sealer.OpenShare(m.server, t.Cell, t.Last)
		}
		out[t.Cell] = t
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("add up what records give: %w", explain(err, m.s.place))
	}
	return out, nil
}

// Settle implements actions.Contributions.
func (m memory) Settle(ctx context.Context, contributors []string) error {
	asked, err := json.Marshal(m.s.sealer.HideAll(contributors))
	if err == nil {
		err = m.s.writer.change(ctx, 1, func(t *tx) error {
			return t.exec("DELETE FROM contributions_left WHERE server = ? AND contributor IN (SELECT value FROM json_each(?))",
				m.server, string(asked))
		})
	}
	if err != nil {
		return fmt.Errorf("settle what records gave: %w", err)
	}
	return nil
}
