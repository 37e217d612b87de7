package fileimport

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/status"
	"github.com/culvert/culvert/internal/await"
	"github.com/culvert/culvert/sources/results"
)

const (
	// renewEvery is how often the results of finished files are brought up to what became of their rows since.
	renewEvery = 2 * time.Second
	// renewElsewhere is how often while nothing but results that are elsewhere has changed.
	renewElsewhere = 30 * time.Second
	// renewRows is for how many rows at once.
	renewRows = 20_000
	// renewPatience is how long a change waits for the runner that has the results on its disk.
	renewPatience = 10 * time.Minute
	// maxSuccession bounds how far a row is followed through the rows that stood for it.
	maxSuccession = 50
)

// keepResults brings results up to date until ctx ends.
func (m *Importer) keepResults(ctx context.Context) {
	for wait := renewEvery; await.Sleep(ctx, wait); {
		wait = renewEvery
		if elsewhere := m.RenewResults(ctx); elsewhere {
			wait = renewElsewhere
		}
	}
}

// RenewResults writes into the results of finished files what became of rows that were replayed,
// corrected, superseded or dismissed since. It tells whether all that has changed has its results
// elsewhere: on the disk of another runner, or nowhere.
func (m *Importer) RenewResults(ctx context.Context) (elsewhere bool) {
	changed, err := m.Journal.RowChanges(ctx, renewRows)
	if err == nil && len(changed) > 0 {
		elsewhere, err = m.renew(ctx, changed)
	}
	if err != nil && ctx.Err() == nil {
		m.Log.Error("cannot bring the results of files up to date", "error", err)
	}
	return elsewhere
}

func (m *Importer) renew(ctx context.Context, changed []*journal.Record) (elsewhere bool, err error) {
	list, err := m.Journal.Files(ctx, "")
	if err != nil {
		return false, err
	}
	n := renewal{m: m, files: map[string]*journal.File{}, rows: map[string]map[int64]results.Row{},
		missing: map[string]bool{}}
	for i := range list {
		n.files[list[i].ID] = &list[i]
	}
	for _, rec := range changed {
		if n.isElsewhere(rec.Origin.FileID) {
			continue // what became of its row is looked up once there is something to write it into
		}
		if err := n.add(ctx, rec); err != nil {
			return false, err
		}
	}
	done := map[string]bool{}
	var failed error // what cannot be written of one file keeps nothing from the others
	for id, rows := range n.rows {
		done[id], err = n.write(id, rows)
		failed = errors.Join(failed, err)
	}
	var noted []*journal.Record
	for _, rec := range changed {
		if done[rec.Origin.FileID] || m.Gate.Leading() && m.Now().Sub(rec.Settled) > renewPatience {
			noted = append(noted, rec)
		}
	}
	if len(noted) == 0 {
		return failed == nil, failed
	}
	return false, errors.Join(failed, m.Journal.RowChangesNoted(ctx, noted))
}

// renewal is one round.
type renewal struct {
	m     *Importer
	files map[string]*journal.File
	rows  map[string]map[int64]results.Row // by file

	missing map[string]bool // whether the results of a file are elsewhere
}

// isElsewhere tells whether the results of a finished file are not on this disk.
func (n *renewal) isElsewhere(id string) bool {
	f := n.files[id]
	if f == nil || f.Results == "" {
		return false
	}
	missing, known := n.missing[id]
	if !known {
		_, err := os.Stat(f.Results)
		missing = errors.Is(err, fs.ErrNotExist)
		n.missing[id] = missing
	}
	return missing
}

// add notes what became of a row, and of the first row that it stands for.
func (n *renewal) add(ctx context.Context, rec *journal.Record) error {
	if err := n.put(ctx, rec); err != nil {
		return err
	}
	if rec.Rank == 0 || rec.Rank == rec.Seq {
		return nil
	}
	first, err := n.m.anyRecord(ctx, journal.Filter{Seq: rec.Rank})
	if err != nil || first == nil || first.Origin.FileID == "" || first.State != journal.Superseded {
		return err
	}
	return n.put(ctx, first)
}

func (n *renewal) put(ctx context.Context, rec *journal.Record) error {
	row := recordResult(rec)
	if rec.State == journal.Superseded {
		if err := n.follow(ctx, rec, &row); err != nil {
			return err
		}
	}
	id := rec.Origin.FileID
	if n.rows[id] == nil {
		n.rows[id] = map[int64]results.Row{}
	}
	n.rows[id][row.Record] = n.m.said(row)
	return nil
}

// follow says of a superseded row what became of it in the end: of the row or record that stands in its place.
func (n *renewal) follow(ctx context.Context, rec *journal.Record, row *results.Row) error {
	by := rec.SupersededBy
	for range maxSuccession {
		next, err := n.m.anyRecord(ctx, journal.Filter{Seq: by})
		if err != nil {
			return err
		}
		where := n.where(by, next)
		switch {
		case next == nil:
			row.Message = "delivered as " + where
			return nil
		case next.State == journal.Superseded && next.SupersededBy != 0:
			by = next.SupersededBy
			continue
		case next.State == journal.Failed:
			row.Outcome = results.Failed
			row.Message, row.Hint = "as "+where+" it failed again", ""
			if p := next.Problem; p != nil {
				row.Message, row.Hint = fmt.Sprintf("as %s: %s", where, p.Message), p.Hint
			}
		default:
			row.Objects = next.Objects
			row.Message = string(next.State) + " as " + where
		}
		return nil
	}
	return nil
}

// where names the record or the row of a file at a place in the order of acceptance.
func (n *renewal) where(seq int64, rec *journal.Record) string {
	if rec != nil && rec.Origin.File != "" {
		return fmt.Sprintf("row %d of %s", rec.Origin.Row, rec.Origin.File)
	}
	if rec != nil {
		return fmt.Sprintf("record %d", seq)
	}
	return status.RowAt(n.files, seq)
}

// write renews the results of one file; false when they are not here.
func (n *renewal) write(id string, rows map[int64]results.Row) (bool, error) {
	f := n.files[id]
	if f == nil || f.State != journal.FileFinished || f.Results == "" {
		return f == nil || f.State == journal.FileFinished, nil
	}
	err := results.Renew(f.Results, rows)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		n.m.Log.Info("results brought up to date", "rule", f.Rule, "file", f.Name, "rows", len(rows))
	}
	return err == nil, err
}
