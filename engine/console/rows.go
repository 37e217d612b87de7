package console

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/results"
)

// Rows of dropped files that went through plainly have no record in the journal: what became of them
// stands in the results of their file, and what they say in the file itself, while both are there.

// What one look through results may take, so that a page stays quick whatever the files hold.
const (
	rowsBytes = 96 << 20
	rowsTime  = 50 * time.Millisecond
)

// foundRow is a row of a file in a list.
type foundRow struct {
	File journal.File
	results.Row
}

// rowPlace is where a look through the results of files goes on.
type rowPlace struct {
	file   string
	offset int64
}

func (p rowPlace) String() string {
	if p.file == "" {
		return ""
	}
	return p.file + ":" + strconv.FormatInt(p.offset, 10)
}

// parseRowPlace reads what String wrote; empty is the beginning.
func parseRowPlace(text string) (p rowPlace, err error) {
	if text == "" {
		return p, nil
	}
	file, offset, ok := cutLast(text, ":")
	if p.offset, err = strconv.ParseInt(offset, 10, 64); err != nil || !ok || file == "" || p.offset < 0 {
		return p, refused("the page's address is broken: search again")
	}
	p.file = file
	return p, nil
}

// foundRows is what a look through results came to.
type foundRows struct {
	Rows []foundRow
	Next rowPlace // where to look further; empty: all was looked through
	At   string   // the name of the file in which the look ended
}

// without takes out rows that are listed as records.
func (f *foundRows) without(records []*journal.Record) {
	f.Rows = slices.DeleteFunc(f.Rows, func(row foundRow) bool {
		return slices.ContainsFunc(records, func(rec *journal.Record) bool {
			return rec.Origin.FileID == row.File.ID && rec.Origin.DataRow == row.Record
		})
	})
}

// newestFiles lists the files of a filter, the newest first.
func (s *Console) newestFiles(ctx context.Context, f *journal.Filter) ([]journal.File, error) {
	list, err := s.c.Journal.Files(ctx, "")
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(x journal.File) bool {
		return f.Rule != "" && x.Rule != f.Rule || f.FileID != "" && x.ID != f.FileID ||
			!f.Since.IsZero() && x.Received.Before(f.Since) || !f.Until.IsZero() && !x.Received.Before(f.Until)
	})
	slices.SortStableFunc(list, func(a, b journal.File) int { return b.Received.Compare(a.Received) })
	return list, nil
}

// outcomesOf are the outcomes of rows that have a state. Other states have records.
var outcomesOf = map[journal.State][]string{
	journal.Delivered: {"delivered", "unchanged"}, journal.Skipped: {"skipped"}, journal.Superseded: {"superseded"},
}

// searchRows looks through the results of files for rows that a filter selects, from a place on.
func (s *Console) searchRows(ctx context.Context, f journal.Filter, from rowPlace, most int) (out foundRows, err error) {
	q, ok, err := s.rowQuery(ctx, &f)
	if err != nil || !ok {
		return out, err
	}
	list, err := s.newestFiles(ctx, &f)
	if err != nil {
		return out, err
	}
	if from.file != "" {
		at := slices.IndexFunc(list, func(x journal.File) bool { return x.ID == from.file })
		if at < 0 {
			return out, refused("the page's address is broken: search again")
		}
		list = list[at:]
	}
	until := time.Now().Add(rowsTime) // of the clock that the look itself goes by
	for left := int64(rowsBytes); len(list) > 0; list, from.offset = list[1:], 0 {
		if left <= 0 || len(out.Rows) >= most || time.Now().After(until) {
			out.Next, out.At = rowPlace{list[0].ID, 0}, list[0].Name
			return out, nil
		}
		next, read, err := s.rowsOf(ctx, list[0], q, f, from.offset,
			results.Budget{Rows: most - len(out.Rows), Bytes: left, Until: until}, &out)
		if err != nil {
			return out, err
		}
		if left -= read; next != 0 {
			out.Next, out.At = rowPlace{list[0].ID, next}, list[0].Name
			return out, nil
		}
	}
	return out, nil
}

// rowQuery makes of a filter what is looked for in results; false when no row without a record fits.
func (s *Console) rowQuery(ctx context.Context, f *journal.Filter) (q results.Query, ok bool, err error) {
	if f.Code != "" || f.About != nil || f.Class != "" || f.Text == "" && f.FileID == "" {
		return q, false, nil
	}
	for _, state := range f.States {
		if outcomesOf[state] == nil {
			return q, false, nil
		}
	}
	q.Line = f.Row
	if f.Text == "" {
		return q, true, nil
	}
	q.Texts = []string{f.Text}
	// An external id stands in results where the rule's key is it; else by what it stands for.
	story, err := s.c.Journal.Story(ctx, f.Text, 1)
	if err != nil {
		return q, false, err
	}
	for _, h := range story.Holders[:min(len(story.Holders), mostHolders)] {
		q.Texts = append(q.Texts, h.UID, h.ExternalID)
	}
	return q, true, nil
}

// mostHolders is for how many tracked entities of one id rows are looked for.
const mostHolders = 5

// rowsOf looks through the results of one file, and adds what it finds. A file whose results are gone
// holds nothing.
func (s *Console) rowsOf(ctx context.Context, file journal.File, q results.Query, f journal.Filter, from int64,
	b results.Budget, out *foundRows) (next, read int64, err error) {
	content, size, err := s.openResults(file)
	if err != nil || content == nil {
		return 0, 0, err
	}
	defer content.Close()
	rows, next, err := results.Find(ctx, content, size, from, q, b)
	if err != nil {
		return 0, 0, err
	}
	for _, row := range rows {
		if len(f.States) == 0 || slices.Contains(outcomesOf[f.States[0]], row.Outcome) {
			out.Rows = append(out.Rows, foundRow{file, row})
		}
	}
	if read = next - from; next == 0 {
		read = size - from
	}
	return next, read, nil
}

// openResults opens the results of a file as far as they stand; nil when they are gone.
func (s *Console) openResults(file journal.File) (content *os.File, size int64, err error) {
	path, _ := s.c.Running.Outputs(file)
	if path == "" {
		return nil, 0, nil
	}
	content, err = os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("open the results of %s: %w", file.Name, err)
	}
	size = file.Offset // of an open file, what is behind is not settled yet
	if file.State != journal.FileOpen {
		info, err := content.Stat()
		if err != nil {
			return nil, 0, errors.Join(fmt.Errorf("open the results of %s: %w", file.Name, err), content.Close())
		}
		size = info.Size()
	}
	return content, size, nil
}

// fileOf gives the file of an address.
func (s *Console) fileOf(r *http.Request) (journal.File, error) {
	list, err := s.c.Journal.Files(r.Context(), "")
	if err != nil {
		return journal.File{}, err
	}
	for _, f := range list {
		if f.ID == r.PathValue("id") {
			return f, nil
		}
	}
	return journal.File{}, errNoFile
}

// RowGone is why what a row of a file says cannot be shown: its text is for people.
type RowGone struct{ Why string }

func (e *RowGone) Error() string { return e.Why }

// InDHIS2 is an object that a record wrote, and where people look at it in DHIS2.
type InDHIS2 struct {
	ID   string `json:"id"`             // its uid, or what identifies a data value
	Kind string `json:"kind,omitempty"` // tracked entity, enrollment, event, data value, org unit, relationship
	Name string `json:"name,omitempty"` // of the data set, for a data value
	URL  string `json:"url,omitempty"`
}

// OriginOf is where a row of a file came from.
func OriginOf(f journal.File, row results.Row) sources.Origin {
	return sources.Origin{Trigger: "files", File: f.Name, FileID: f.ID, Row: row.Line, DataRow: row.Record,
		Sheet: row.Sheet}
}
