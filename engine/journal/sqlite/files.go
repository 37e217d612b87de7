package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
)

const fileColumns = `id, rule, path, name, folder, size, sha256, received, state, next, offset, rows,
	delivered, unchanged, skipped, failed, owner, finished, place, places,
	records_delivered, records_skipped, superseded, records_superseded, results`

// AddFile implements journal.Journal.
func (s *Store) AddFile(ctx context.Context, f *journal.File) (bool, error) {
	state := f.State
	if state == "" {
		state = journal.FileOpen
	}
	duplicate := false
	err := s.writer.change(ctx, 1, func(t *tx) error {
		duplicate = false
		if err := t.exec(shared.ReleaseContent("?", "?", "?"), f.Rule, f.SHA256, f.ID); err != nil {
			return err
		}
		n, err := t.execCount("INSERT INTO files ("+fileColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
			?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (rule, sha256) DO NOTHING`, f.ID, f.Rule, f.Path, f.Name, f.Folder, f.Size, f.SHA256,
			codec.Micros(f.Received),
			string(state), f.Next, f.Offset, f.Rows, f.Delivered, f.Unchanged, f.Skipped, f.Failed, f.Owner,
			codec.Micros(f.Finished),
			t.lastSeq(), f.Places, f.RecordsDelivered, f.RecordsSkipped, f.Superseded, f.RecordsSuperseded, f.Results)
		if err != nil {
			return err
		}
		if n > 0 {
			f.Place = t.lastSeq()
			return t.reserve(f.Places)
		}
		// A source asks again after a crash: the same id is the same file.
		var known string
		err = t.queryRow("SELECT id FROM files WHERE rule = ? AND sha256 = ?", f.Rule, f.SHA256).Scan(&known)
		duplicate = known != f.ID
		return err
	})
	if err != nil {
		return false, fmt.Errorf("make the file %s known: %w", f.Name, err)
	}
	if !duplicate {
		f.State = state
		s.notify()
	}
	return duplicate, nil
}

// TakeFile implements journal.Journal. An owner that was not heard of within the lease is silent.
func (s *Store) TakeFile(ctx context.Context, owner, fileID string) (bool, error) {
	if err := s.own(ctx); err != nil {
		return false, err
	}
	s.claims.mu.Lock()
	s.claims.alive(owner, s.lease)
	alive := make(map[string]bool, len(s.claims.owners))
	for o := range s.claims.owners {
		alive[o] = s.claims.known(o, s.lease)
	}
	s.claims.mu.Unlock()
	taken := false
	err := s.writer.change(ctx, 1, func(t *tx) error {
		taken = false
		var other string
		err := t.queryRow("SELECT owner FROM files WHERE id = ? AND state = ?", fileID, string(journal.FileOpen)).Scan(&other)
		if errors.Is(err, sql.ErrNoRows) || err == nil && other != owner && alive[other] {
			return nil
		}
		if err != nil {
			return err
		}
		taken = true
		return t.exec("UPDATE files SET owner = ? WHERE id = ?", owner, fileID)
	})
	if err != nil {
		return false, fmt.Errorf("take a file over: %w", err)
	}
	return taken, nil
}

// saveFiles keeps the progress of files that the owner reads, or that nobody does.
func (t *tx) saveFiles(b *journal.Batch, now int64) error {
	owner := b.Owner
	for i := range b.Files {
		f := &b.Files[i]
		if err := t.countRows(f, b.Server, now); err != nil {
			return err
		}
		n, err := t.execCount(`UPDATE files SET path = CASE WHEN ?1 = '' THEN path ELSE ?1 END, state = ?2, next = ?3,
			offset = ?4, rows = ?5, delivered = ?6,
			unchanged = ?7, skipped = ?8, failed = ?9, finished = ?10, owner = ?11, records_delivered = ?13,
			records_skipped = ?14, superseded = ?15, records_superseded = ?16, results = ?17
			WHERE id = ?12 AND owner IN ('', ?11)`,
			f.Path, string(f.State), f.Next, f.Offset, f.Rows, f.Delivered, f.Unchanged, f.Skipped, f.Failed,
			codec.Micros(f.Finished), owner, f.ID,
			f.RecordsDelivered, f.RecordsSkipped, f.Superseded, f.RecordsSuperseded, f.Results)
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
func (t *tx) countRows(f *journal.File, server string, now int64) error {
	var was journal.File
	var name string
	var received int64
	err := t.queryRow(`SELECT rule, received, rows, delivered, unchanged, skipped, superseded, records_delivered,
		records_skipped, records_superseded FROM files WHERE id = ?`, f.ID).
		Scan(&name, &received, &was.Rows, &was.Delivered, &was.Unchanged, &was.Skipped, &was.Superseded,
			&was.RecordsDelivered, &was.RecordsSkipped, &was.RecordsSuperseded)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the progress of the file %s: %w", f.Name, err)
	}
	rule, err := t.rule(name)
	if err != nil {
		return err
	}
	shared.Progress(t.figures.Of(rule, ""), t.figures.Of(rule, server), &was, f, shared.Lag(now, received))
	return nil
}

// Files implements journal.Journal.
func (s *Store) Files(ctx context.Context, state journal.FileState) ([]journal.File, error) {
	rows, err := s.read.query(ctx,
		"SELECT "+fileColumns+" FROM files WHERE ?1 = '' OR state = ?1 ORDER BY received DESC, id DESC", string(state))
	var out []journal.File
	err = scan(rows, err, func(rows *sql.Rows) error {
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
	})
	if err != nil {
		return nil, fmt.Errorf("list files: %w", explain(err, s.place))
	}
	return out, nil
}
