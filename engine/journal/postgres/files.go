package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
)

const fileColumns = `id, rule, path, name, folder, size, sha256, received, state, next, "offset", rows,
	delivered, unchanged, skipped, failed, owner, finished, place, places,
	records_delivered, records_skipped, superseded, records_superseded, results`

// AddFile implements journal.Journal.
func (s *Store) AddFile(ctx context.Context, f *journal.File) (bool, error) {
	state := f.State
	if state == "" {
		state = journal.FileOpen
	}
	if f.Owner != "" {
		if err := s.signOfLife(ctx, f.Owner, false); err != nil {
			return false, err
		}
	}
	if err := s.releaseContent(ctx, f); err != nil {
		return false, err
	}
	// A source asks again after a crash: the same id is the same file, and takes no places once more.
	if known, err := s.fileOf(ctx, f); err != nil || known != "" {
		return known != f.ID, err
	}
	added := false
	err := s.tx(ctx, func(ctx context.Context, t *tx) error {
		place, err := t.reserve(ctx, f.Places)
		if err != nil {
			return err
		}
		n, err := t.run(ctx, "INSERT INTO files ("+fileColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,
			$13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)
			ON CONFLICT (rule, sha256) DO NOTHING`, f.ID, f.Rule, clean(f.Path), clean(f.Name), clean(f.Folder), f.Size,
			f.SHA256, codec.Micros(f.Received),
			string(state), f.Next, f.Offset, f.Rows, f.Delivered, f.Unchanged, f.Skipped, f.Failed, f.Owner,
			codec.Micros(f.Finished), place, f.Places,
			f.RecordsDelivered, f.RecordsSkipped, f.Superseded, f.RecordsSuperseded, clean(f.Results))
		added = n > 0
		if added {
			f.Place = place
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("make the file %s known: %w", f.Name, err)
	}
	if !added { // somebody else was quicker
		known, err := s.fileOf(ctx, f)
		return known != f.ID, err
	}
	f.State = state
	s.notifyAll(ctx)
	return false, nil
}

// releaseContent lets content come again of which nothing was ever sent.
func (s *Store) releaseContent(ctx context.Context, f *journal.File) error {
	if known, err := s.fileOf(ctx, f); err != nil || known == "" || known == f.ID {
		return err
	}
	err := s.tx(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.run(ctx, shared.ReleaseContent("$1", "$2", "$3"), f.Rule, f.SHA256, f.ID)
		return err
	})
	if err != nil {
		return fmt.Errorf("make the file %s known: %w", f.Name, err)
	}
	return nil
}

// fileOf gives the id under which the content of a file is known for its rule, empty when it is not.
func (s *Store) fileOf(ctx context.Context, f *journal.File) (string, error) {
	var id string
	err := s.pool.QueryRow(ctx, "SELECT id FROM files WHERE rule = $1 AND sha256 = $2", f.Rule, f.SHA256).Scan(&id)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("make the file %s known: %w", f.Name, s.explain(err))
	}
	return id, nil
}

// TakeFile implements journal.Journal. An owner that is not among the living ones is silent.
func (s *Store) TakeFile(ctx context.Context, owner, fileID string) (bool, error) {
	if err := s.signOfLife(ctx, owner, false); err != nil {
		return false, err
	}
	var n int64
	err := s.tx(ctx, func(ctx context.Context, t *tx) (err error) {
		n, err = t.run(ctx, `UPDATE files SET owner = $1 WHERE id = $2 AND state = $3 AND (owner IN ('', $1)
			OR NOT EXISTS (SELECT 1 FROM owners o WHERE o.owner = files.owner AND o.seen >= clock_timestamp() - $4::interval))`,
			owner, fileID, string(journal.FileOpen), s.lease)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("take a file over: %w", err)
	}
	return n == 1, nil
}

// saveFiles keeps the progress of files that the owner reads, or that nobody does. Their rows stay
// locked until the end, so that nobody takes one over.
func (t *tx) saveFiles(ctx context.Context, b *journal.Batch, now int64) error {
	owner := b.Owner
	for _, f := range slices.SortedFunc(slices.Values(b.Files),
		func(a, b journal.File) int { return cmp.Compare(a.ID, b.ID) }) {
		if err := t.countRows(ctx, &f, b.Server, now); err != nil {
			return err
		}
		n, err := t.run(ctx, `UPDATE files SET path = CASE WHEN $1 = '' THEN path ELSE $1 END, state = $2, next = $3,
			"offset" = $4, rows = $5, delivered = $6,
			unchanged = $7, skipped = $8, failed = $9, finished = $10, owner = $11, records_delivered = $13,
			records_skipped = $14, superseded = $15, records_superseded = $16, results = $17
			WHERE id = $12 AND owner IN ('', $11)`,
			clean(f.Path), string(f.State), f.Next, f.Offset, f.Rows, f.Delivered, f.Unchanged, f.Skipped, f.Failed,
			codec.Micros(f.Finished), owner, f.ID,
			f.RecordsDelivered, f.RecordsSkipped, f.Superseded, f.RecordsSuperseded, clean(f.Results))
		if err != nil {
			return fmt.Errorf("keep the progress of the file %s: %w", f.Name, err)
		}
		if n == 0 {
			return journal.ErrNotOwner
		}
	}
	return nil
}

// countRows counts what the progress of a file adds.
func (t *tx) countRows(ctx context.Context, f *journal.File, server string, now int64) error {
	var was journal.File
	var name string
	var received int64
	err := t.QueryRow(ctx, `SELECT rule, received, rows, delivered, unchanged, skipped, superseded, records_delivered,
		records_skipped, records_superseded
		FROM files WHERE id = $1 FOR UPDATE`, f.ID).
		Scan(&name, &received, &was.Rows, &was.Delivered, &was.Unchanged, &was.Skipped, &was.Superseded,
			&was.RecordsDelivered, &was.RecordsSkipped, &was.RecordsSuperseded)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the progress of the file %s: %w", f.Name, err)
	}
	rule, err := t.s.rule(ctx, name)
	if err != nil {
		return err
	}
	shared.Progress(t.figures.Of(int64(rule), ""), t.figures.Of(int64(rule), server), &was, f, shared.Lag(now, received))
	return nil
}

// Files implements journal.Journal.
func (s *Store) Files(ctx context.Context, state journal.FileState) ([]journal.File, error) {
	var out []journal.File
	err := s.query(ctx, func(rows pgx.Rows) error {
		var f journal.File
		var state string
		var received, finished int64
		if err := rows.Scan(&f.ID, &f.Rule, &f.Path, &f.Name, &f.Folder, &f.Size, &f.SHA256, &received, &state, &f.Next,
			&f.Offset, &f.Rows,
			&f.Delivered, &f.Unchanged, &f.Skipped, &f.Failed, &f.Owner, &finished, &f.Place, &f.Places, &f.RecordsDelivered,
			&f.RecordsSkipped,
			&f.Superseded, &f.RecordsSuperseded, &f.Results); err != nil {
			return err
		}
		f.State, f.Received, f.Finished = journal.FileState(state), codec.Time(received), codec.Time(finished)
		out = append(out, f)
		return nil
	}, "SELECT "+fileColumns+" FROM files WHERE $1 = '' OR state = $1 ORDER BY received DESC, id DESC", string(state))
	if err != nil {
		return nil, fmt.Errorf("list files: %w", s.explain(err))
	}
	return out, nil
}
