package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/engine/journal"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrations gives the steps in order; step i brings a journal from format i to i+1.
func migrations() ([]string, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		return nil, fmt.Errorf("list the journal's formats: %w", err)
	}
	slices.Sort(names)
	steps := make([]string, len(names))
	for i, name := range names {
		text, err := migrationFiles.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read the journal's format: %w", err)
		}
		steps[i] = string(text)
	}
	return steps, nil
}

// migrate brings the schema up to our format in one transaction, or refuses one that is newer.
// Runners that start together wait for each other.
func (s *Store) migrate(ctx context.Context) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", s.lockID(migrationLock)); err != nil {
			return err
		}
		if err := makeSchema(ctx, tx, s.schema); err != nil {
			return err
		}
		version, err := format(ctx, tx)
		if err != nil {
			return err
		}
		if version > len(steps) {
			return &journal.ErrNewer{Place: s.place, Found: version, Known: len(steps)}
		}
		for ; version < len(steps); version++ {
			if _, err := tx.Exec(ctx, steps[version], pgx.QueryExecModeSimpleProtocol); err != nil {
				return fmt.Errorf("bring the journal to format %d: %w", version+1, err)
			}
			if version+1 == searchedRecords {
				if err := s.nameRecords(ctx, tx); err != nil {
					return fmt.Errorf("bring the journal to format %d: %w", version+1, err)
				}
			}
		}
		_, err = tx.Exec(ctx, "UPDATE journal_format SET version = $1 WHERE version <> $1", version)
		return err
	})
	if err != nil {
		return fmt.Errorf("open the journal: %w", s.explain(err))
	}
	return nil
}

// makeSchema makes the schema when it is missing; a user who may not make one can have it made beforehand.
func makeSchema(ctx context.Context, tx pgx.Tx, schema string) error {
	var exists bool
	if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)",
		schema).Scan(&exists); err != nil || exists {
		return err
	}
	_, err := tx.Exec(ctx, "CREATE SCHEMA "+pgx.Identifier{schema}.Sanitize())
	return err
}

// format reads the schema's format: 0 for an empty one.
func format(ctx context.Context, tx pgx.Tx) (int, error) {
	if _, err := tx.Exec(ctx, "CREATE TABLE IF NOT EXISTS journal_format (version int NOT NULL)"); err != nil {
		return 0, err
	}
	var version int
	err := tx.QueryRow(ctx, "SELECT version FROM journal_format").Scan(&version)
	if errors.Is(err, pgx.ErrNoRows) {
		_, err = tx.Exec(ctx, "INSERT INTO journal_format VALUES (0)")
	}
	return version, err
}
