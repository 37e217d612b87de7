package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/results"
	"github.com/culvert/culvert/sources/tabular"
)

// RowReplay puts rows of finished files back in line that were plainly delivered. Of such a row the
// journal knows no more than that its file was accepted: the row is read again from where the file
// lies now, and gets a record of its own. It stands where it stood in the order of acceptance, so
// that it overwrites nothing newer.
type RowReplay struct {
	Project *project.Project
	Journal journal.Journal
	Filter  journal.Filter // of Rule, FileID, Key, ID, Since and Until
	Force   bool           // send even what would change nothing; one that is named by its id overwrites what is newer
}

// RowsReplayed is what came of it.
type RowsReplayed struct {
	Rows   int64
	Unread []FileUnread
}

// FileUnread is a file whose rows could not be put back in line.
type FileUnread struct {
	File journal.File
	Err  error
}

const (
	// maxReplayedRows bounds how many rows get records at once: their payloads stand in the journal until they expire.
	maxReplayedRows = 200_000
	replayBatch     = 500
)

// TooManyRows says that more rows would be put back in line than are at once.
type TooManyRows struct{ Rows int64 }

// Error implements error.
func (e *TooManyRows) Error() string {
	return fmt.Sprintf("the files have %d rows that went through, and %d is the most that are put back in line at once: "+
		"narrow it down with --file, --rule, --since and --until", e.Rows, maxReplayedRows)
}

// errChanged says that a file is not what it was when its rows were sent.
var errChanged = errors.New("it was changed since it was read, so that its rows may be others: drop it again to send them")

// Do puts the rows in line.
func (r RowReplay) Do(ctx context.Context) (done RowsReplayed, err error) {
	all, err := r.Journal.Files(ctx, journal.FileFinished)
	if err != nil {
		return done, err
	}
	var list []journal.File
	var rows int64
	for _, f := range all {
		plain := f.Delivered + f.Unchanged - f.RecordsDelivered
		if plain > 0 && r.concerns(f) {
			list, rows = append(list, f), rows+plain
		}
	}
	if rows > maxReplayedRows && r.Filter.Key == "" && r.Filter.ID == "" {
		return done, &TooManyRows{rows}
	}
	for _, f := range list {
		n, err := r.file(ctx, f)
		done.Rows += n
		if err != nil {
			if ctx.Err() != nil {
				return done, ctx.Err()
			}
			done.Unread = append(done.Unread, FileUnread{f, err})
		}
	}
	return done, nil
}

func (r RowReplay) concerns(f journal.File) bool {
	return (r.Filter.Rule == "" || f.Rule == r.Filter.Rule) && (r.Filter.FileID == "" || f.ID == r.Filter.FileID) &&
		!f.Received.Before(r.Filter.Since) && (r.Filter.Until.IsZero() || f.Received.Before(r.Filter.Until))
}

// file puts the rows of one file in line.
func (r RowReplay) file(ctx context.Context, f journal.File) (n int64, err error) {
	flow, _, err := Flow(r.Project, f.Rule)
	if err != nil {
		return 0, err
	}
	path := results.OriginalBeside(f.Results, f.Name)
	if path == "" {
		return 0, errors.New("it is not known where it lies")
	}
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return 0, fmt.Errorf("it is not at %s any more: put it back there, and replay again", path)
	case err != nil:
		return 0, fmt.Errorf("look for it: %w", err)
	case info.Size() != f.Size || info.ModTime().After(f.Finished.Add(time.Second)):
		return 0, errChanged
	}
	through, err := r.through(ctx, f)
	if err != nil || len(through) == 0 {
		return 0, err
	}
	reader, err := tabular.Open(ctx, path, FormatFor(flow.Rule))
	if err != nil {
		return 0, err
	}
	defer reader.Close()
	var batch []*journal.Record
	put := func() error {
		duplicates, err := r.Journal.Append(ctx, batch, nil)
		for i := range batch {
			if err == nil && !duplicates[i] {
				n++
			}
		}
		batch = batch[:0]
		return err
	}
	for {
		row, err := reader.Next()
		var bad *tabular.RowError
		switch {
		case err == io.EOF:
			err := put() // counts
			return n, err
		case errors.As(err, &bad):
			continue
		case err != nil:
			return n, err
		}
		if !through[int64(row.Number)] {
			continue
		}
		rec, err := r.record(flow, &f, row)
		if err != nil {
			return n, err
		}
		if rec == nil {
			continue
		}
		if batch = append(batch, rec); len(batch) == replayBatch {
			if err := put(); err != nil {
				return n, err
			}
		}
	}
}

// through gives the rows that went through and that no record of the journal stands for.
func (r RowReplay) through(ctx context.Context, f journal.File) (map[int64]bool, error) {
	rows := map[int64]bool{}
	file, err := os.Open(f.Results)
	if err != nil {
		return nil, fmt.Errorf("see which of its rows went through: %w", err)
	}
	defer file.Close()
	err = results.Read(file, func(_ int64, row results.Row) error {
		if row.Outcome == string(journal.Delivered) || row.Outcome == "unchanged" {
			rows[row.Record] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for after := int64(0); ; {
		records, err := r.Journal.Select(ctx, journal.Filter{FileID: f.ID, AfterSeq: after, Limit: replayBatch})
		if err != nil {
			return nil, err
		}
		for _, rec := range records {
			delete(rows, rec.Origin.DataRow)
			after = rec.Seq
		}
		if len(records) < replayBatch {
			return rows, nil
		}
	}
}

// record makes the record of a row; nil for one that is not meant, or that the rule takes for none any more.
func (r RowReplay) record(flow *program.Flow, f *journal.File, row tabular.Row) (*journal.Record, error) {
	o := sources.Origin{Trigger: "files", File: f.Name, FileID: f.ID, Row: row.Line, DataRow: int64(row.Number),
		Sheet: row.Sheet}
	i, err := program.Identify(flow, rules.Input{Body: row.Body, Source: program.SourceFields(o, f.Received), FileID: f.ID})
	var failure *rules.Failure
	if err != nil && !errors.As(err, &failure) {
		return nil, err
	}
	if err != nil || i.Skipped || r.Filter.Key != "" && i.Key != r.Filter.Key || r.Filter.ID != "" && i.ID != r.Filter.ID {
		return nil, nil
	}
	rec := &journal.Record{Rule: f.Rule, ID: i.ID, Key: i.Key, Version: i.Version, Origin: o, Received: f.Received,
		State: journal.Pending, Rank: f.Seq(int64(row.Number)), Force: r.Force, Insist: r.Force && r.Filter.ID != "",
		Notify: flow.Notify}
	if err := program.EncodeBody(rec, nil, row.Body); err != nil {
		return nil, fmt.Errorf("read row %d: %w", row.Line, err)
	}
	return rec, nil
}
