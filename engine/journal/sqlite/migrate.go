package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"slices"

	"github.com/culvert/culvert/engine/journal"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// applicationID marks a file as a journal of ours: "CULV".
const applicationID = 0x43554c56

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

// migrate brings the file up to our format, one transaction per step, or refuses a file that is newer or not ours.
func migrate(ctx context.Context, conn *sql.Conn, place string) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	for {
		done, err := migrateOnce(ctx, conn, place, steps)
		if done || err != nil {
			return err
		}
	}
}

// conversions are the parts of migrations that are not SQL, by the format that they lead to: SQLite has no hashes.
var conversions = map[int]func(context.Context, *sql.Conn) error{hiddenContributors: hideContributors,
	searchedRecords: nameRecords}

func migrateOnce(ctx context.Context, conn *sql.Conn, place string, steps []string) (done bool, err error) {
	version, err := format(ctx, conn, place)
	if err != nil {
		return false, err
	}
	if version > len(steps) {
		return false, &journal.ErrNewer{Place: place, Found: version, Known: len(steps)}
	}
	if version == len(steps) {
		return true, nil
	}
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return false, fmt.Errorf("bring the journal up to date: %w", explain(err, place))
	}
	defer func() {
		if err != nil {
			_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		}
	}()
	// Another process may have done it while this one waited for the lock.
	now, err := format(ctx, conn, place)
	if err != nil {
		return false, err
	}
	if now == version {
		script := fmt.Sprintf("%s;\nPRAGMA application_id = %d;\nPRAGMA user_version = %d;", steps[version], applicationID,
			version+1)
		_, err := conn.ExecContext(ctx, script)
		if convert := conversions[version+1]; err == nil && convert != nil {
			err = convert(ctx, conn)
		}
		if err != nil {
			return false, fmt.Errorf("bring the journal to format %d: %w", version+1, explain(err, place))
		}
	}
	if _, err := conn.ExecContext(ctx, "COMMIT"); err != nil {
		return false, fmt.Errorf("bring the journal up to date: %w", explain(err, place))
	}
	return false, nil
}

// format reads a file's format: 0 for an empty file.
func format(ctx context.Context, conn *sql.Conn, place string) (int, error) {
	var id, version, tables int
	for query, into := range map[string]*int{
		"PRAGMA application_id": &id, "PRAGMA user_version": &version, "SELECT count(*) FROM sqlite_schema": &tables,
	} {
		if err := conn.QueryRowContext(ctx, query).Scan(into); err != nil {
			return 0, fmt.Errorf("open the journal: %w", explain(err, place))
		}
	}
	if id != applicationID && tables > 0 {
		return 0, fmt.Errorf("%s is a database, but not a journal of culvert: name another file in store", place)
	}
	return version, nil
}
