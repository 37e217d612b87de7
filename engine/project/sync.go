package project

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/metadata"
)

// SyncResult is what a sync found.
type SyncResult struct {
	Snapshot *metadata.Snapshot
	First    bool      // there was no snapshot before
	Before   time.Time // when the snapshot before was made
	Changes  []metadata.Change
	Warnings []string // what a person should know though the sync went on
}

// Sync reads a server's metadata, and what the rules of the project ask for, and compares it with the
// snapshot in the project's metadata/NAME; with write set the snapshot is replaced.
func Sync(ctx context.Context, c *client.Client, root, name string, write bool,
	progress func(metadata.Progress)) (*SyncResult, error) {
	dir := filepath.Join(root, MetadataDir, name)
	wanted, err := Wanted(root)
	if err != nil {
		return nil, err
	}
	old, err := previous(dir)
	if err != nil {
		return nil, err
	}
	r := &SyncResult{First: old == nil}
	fresh, err := metadata.Sync(ctx, c, old, metadata.Options{Progress: progress,
		Wanted: wanted, Warn: func(m string) { r.Warnings = append(r.Warnings, m) }})
	if err != nil {
		return nil, err
	}
	r.Snapshot = fresh
	if old != nil {
		r.Before = old.Server.Synced
		r.Changes = metadata.Diff(old, fresh)
	}
	if !write {
		return r, nil
	}
	if err := metadata.Write(dir, fresh); err != nil {
		return nil, err
	}
	return r, nil
}

// previous reads the snapshot in dir, nil when there is none. A snapshot that cannot be read, or is
// of another format, is replaced by a full sync, for it can be had again.
func previous(dir string) (*metadata.Snapshot, error) {
	s, err := metadata.Read(dir)
	var fault *metadata.ReadError
	if errors.Is(err, metadata.ErrNoSnapshot) || errors.As(err, &fault) {
		return nil, nil
	}
	return s, err
}
