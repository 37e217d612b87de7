package fileimport

import (
	"fmt"
	"hash/maphash"

	"github.com/culvert/culvert/engine/journal"
)

// Two rows of one file with one id are one record to Culvert, and the later row writes over the
// earlier. That is meant where a list is kept by adding lines to it, and a mistake where a number was
// given twice, or where id: names a column that many rows share. So each such row says which it stands
// for, and the file as a whole is told of.

// repeatedIDs bounds for how many rows of a file ids are kept; about 20 bytes each.
const repeatedIDs = 500_000

// rowIDs finds rows whose id an earlier row of the same file has. What was read before a restart is
// not known to it.
type rowIDs struct {
	seed maphash.Seed
	seen map[uint64]int // a hash of the id, to the line where it stood last
}

// before gives the line of the row before with the same id, 0 when there is none.
func (ids *rowIDs) before(id string, line int) int {
	if ids.seen == nil {
		ids.seed, ids.seen = maphash.MakeSeed(), map[uint64]int{}
	}
	hash := maphash.String(ids.seed, id)
	earlier, known := ids.seen[hash]
	if known || len(ids.seen) < repeatedIDs {
		ids.seen[hash] = line
	}
	return earlier
}

// noteRepeated marks rows whose id an earlier row has, in the order of the file.
func (run *fileRun) noteRepeated(rows []*fileRow) {
	if run.flow.Rule.ID == nil {
		return // each row is a record of its own
	}
	for _, row := range rows {
		if row.id != "" && row.line > 0 && row.fixes == nil {
			row.repeats = run.ids.before(row.id, row.line)
		}
	}
}

// overwrites tells whether a row wrote over what an earlier row of the same file had brought.
func (row *fileRow) overwrites() bool {
	return row.repeats > 0 && row.outcome.State == journal.Delivered && !row.outcome.Unchanged
}

// sameID is what the results say of a row with the id of an earlier one.
func (row *fileRow) sameID() (message, hint string) {
	if !row.overwrites() {
		return fmt.Sprintf("row %d has the same id", row.repeats), ""
	}
	return fmt.Sprintf("row %d has the same id: this row stands in its place", row.repeats),
		"if these are two records, give them different ids; if every row is a record of its own, id: of the rule names too little"
}

// tellRepeated tells of a file in which rows wrote over one another, until the rule's next file has none.
func (m *Importer) tellRepeated(run *fileRun) {
	subject := "repeated ids of " + run.source.Rule
	if run.overwritten == 0 {
		m.Outside.Clear(subject)
		return
	}
	m.Outside.Set(subject, fmt.Sprintf("%d of %d rows of file %s of rule %s stand in the place of an earlier row "+
		"with the same id: see its results, and whether id: names what only one row has", run.overwritten, run.file.Rows,
		run.source.Name, run.source.Rule), m.Now())
	m.Log.Warn("rows stand in the place of earlier rows with the same id", "rule", run.source.Rule,
		"file", run.source.Name, "rows", run.overwritten)
}
