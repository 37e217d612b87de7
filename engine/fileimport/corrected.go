package fileimport

import (
	"context"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/sources/tabular"
)

// correctedRow is a failed row of an earlier file that a row of a file of failed rows stands for.
// The row stands where that one stood in the order of acceptance, so that what was delivered since
// stays; and once it has an outcome, or a record of its own, the earlier failure is settled.
type correctedRow struct {
	file string
	seq  int64 // the record of the earlier row
	rank int64
}

// settle has a version supersede what the row stands for.
func (f *correctedRow) settle(v *journal.Version) {
	if f != nil {
		v.Fixes, v.File = f.seq, f.file
	}
}

// correctedRows finds what rows of one file stand for. It is not safe for concurrent use.
type correctedRows struct {
	journal Journal
	rule    string
	files   map[string]map[int64]correctedRow // by file and data row
}

// maxCorrectedFiles bounds how many files the rows of one can stand for: people put the failed rows
// of some files together, not of hundreds.
const maxCorrectedFiles = 100

// find gives what a link names, nil when it names no failed row of the rule that is known (any more).
func (f *correctedRows) find(ctx context.Context, link string) (*correctedRow, error) {
	file, row, ok := tabular.ParseLink(link)
	if !ok {
		return nil, nil
	}
	rows, known := f.files[file]
	if !known && len(f.files) < maxCorrectedFiles {
		rows = map[int64]correctedRow{}
		err := eachRecord(ctx, f.journal, file, func(rec *journal.Record) error {
			if rec.Rule == f.rule {
				rows[rec.Origin.DataRow] = correctedRow{file, rec.Seq, rec.Order().Seq}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		f.files[file] = rows
	}
	if row, ok := rows[row]; ok {
		return &row, nil
	}
	return nil, nil
}

// standing gives the version that a row is once it has been recorded without a delivery: it settles
// what it stands for, whatever became of it.
func (row *fileRow) standing() (v journal.Version, ok bool) {
	if row.fixes == nil {
		return v, false
	}
	v = journal.Version{Rule: row.run.source.Rule, Order: row.order, Seq: row.Seq()}
	row.fixes.settle(&v)
	return v, true
}

// place gives the row's order among what writes the same objects.
func (row *fileRow) place(version int64) actions.Order {
	if row.fixes != nil {
		return actions.Order{Version: version, Seq: row.fixes.rank}
	}
	return actions.Order{Version: version, Seq: row.Seq()}
}
