package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// LiveOwners gives the owners whose lease has not ended: the runners that are alive, or were a moment ago.
func (s *Store) LiveOwners(ctx context.Context) ([]string, error) {
	rows, err := s.pool.Query(ctx, "SELECT owner FROM owners WHERE seen >= clock_timestamp() - $1::interval", s.lease)
	if err != nil {
		return nil, fmt.Errorf("read who is alive: %w", err)
	}
	owners, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("read who is alive: %w", err)
	}
	return owners, nil
}
