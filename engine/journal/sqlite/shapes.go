package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/culvert/culvert/actions"
)

// ShapeNumbers implements actions.Shapes.
func (m memory) ShapeNumbers(ctx context.Context, shapes []string) (map[string]uint16, error) {
	out, err := m.shapes(ctx, "SELECT s.number, s.fields FROM json_each(?) j CROSS JOIN shapes s ON s.server = ? AND "+
		"s.fields = j.value", shapes)
	if err != nil || len(out) == len(shapes) {
		return out, err
	}
	err = m.s.writer.change(ctx, 1, func(t *tx) error {
		for _, fields := range shapes {
			if _, known := out[fields]; known {
				continue
			}
			err := t.exec(`INSERT OR IGNORE INTO shapes (server, fields, number)
				SELECT ?1, ?2, n FROM (SELECT coalesce(max(number), 0) + 1 AS n FROM shapes WHERE server = ?1)
				WHERE n <= ?3`, m.server, fields, actions.MaxShape)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("keep sets of fields: %w", err)
	}
	return m.shapes(ctx, "SELECT s.number, s.fields FROM json_each(?) j CROSS JOIN shapes s ON s.server = ? AND "+
		"s.fields = j.value", shapes)
}

// ShapeNames implements actions.Shapes.
func (m memory) ShapeNames(ctx context.Context, numbers []uint16) (map[uint16]string, error) {
	found, err := m.shapes(ctx,
		"SELECT s.number, s.fields FROM json_each(?) j CROSS JOIN shapes s ON s.server = ? AND s.number = j.value", numbers)
	out := make(map[uint16]string, len(found))
	for fields, number := range found {
		out[number] = fields
	}
	return out, err
}

func (m memory) shapes(ctx context.Context, query string, asked any) (map[string]uint16, error) {
	text, err := json.Marshal(asked)
	if err != nil {
		return nil, fmt.Errorf("look for sets of fields: %w", err)
	}
	out := map[string]uint16{}
	rows, err := m.s.read.query(ctx, query, string(text), m.server)
	err = scan(rows, err, func(rows *sql.Rows) error {
		var number uint16
		var fields string
		err := rows.Scan(&number, &fields)
		out[fields] = number
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for sets of fields: %w", explain(err, m.s.place))
	}
	return out, nil
}
