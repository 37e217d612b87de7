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
	"strings"
	"time"

	"github.com/culvert/culvert/engine/access"
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

// fileView is what the page of a file shows.
type fileView struct {
	fileRow
	Text, Outcome string
	Outcomes      []string
	Gone          bool // its results are
	Found         foundRows
	First, Next   string // addresses of other pages; empty: there is none
}

// outcomes are what can become of a row, as results call it.
var outcomes = []string{"delivered", "unchanged", "superseded", "skipped", "failed", "dismissed"}

// file shows the rows of one file with what became of them.
func (s *Console) file(r *http.Request) (view, error) {
	f, err := s.fileOf(r)
	if err != nil {
		return view{}, err
	}
	values := r.URL.Query()
	done, failed := s.c.Running.Outputs(f)
	data := fileView{fileRow: fileRow{f, there(done), there(failed)}, Text: strings.TrimSpace(values.Get("q")),
		Outcome: values.Get("outcome"), Outcomes: outcomes}
	data.Gone = !data.HasResults
	from, err := parseRowPlace(values.Get("rows"))
	if err != nil || from.file != "" && from.file != f.ID {
		return view{}, refused("the page's address is broken: search again")
	}
	if data.Found, err = s.rowsIn(r.Context(), f, data.Text, data.Outcome, from.offset, pageSize); err != nil {
		return view{}, err
	}
	if from.offset > 0 {
		data.First = addressOf(r, values, 0, "")
	}
	if next := data.Found.Next.String(); next != "" {
		data.Next = addressOf(r, values, 0, next)
	}
	return view{Title: f.Name, Page: "file", Trail: []link{{Name: "Files", Path: Prefix + "files"}}, Data: data}, nil
}

// rowsIn gives rows of one file by a text, a line or an outcome; all where none is named.
func (s *Console) rowsIn(ctx context.Context, f journal.File, text, outcome string, from int64, most int) (foundRows,
	error) {
	filter := journal.Filter{Rule: f.Rule, FileID: f.ID, Text: text}
	q, _, err := s.rowQuery(ctx, &filter)
	if err != nil {
		return foundRows{}, err
	}
	if q.Line, err = strconv.Atoi(text); err != nil || q.Line < 1 {
		q.Line = 0
	}
	var out foundRows
	q.Outcome = outcome
	next, _, err := s.rowsOf(ctx, f, q, filter, from, results.Budget{Rows: most, Bytes: rowsBytes,
		Until: time.Now().Add(rowsTime)}, &out)
	if next != 0 {
		out.Next, out.At = rowPlace{f.ID, next}, f.Name
	}
	return out, err
}

// rowView is what the page of a row shows.
type rowView struct {
	File journal.File
	results.Row
	Objects []InDHIS2
	Asked   bool // its content is shown
	Content string
	Trace   *Trace
	NoTrace string // why there is none
	Gone    string // why its content cannot be shown
}

// rowOf finds a row of a file, by the number of the data row. A row that has a record of its own is
// given as that.
func (s *Console) rowOf(r *http.Request) (f journal.File, row results.Row, rec *journal.Record, err error) {
	if f, err = s.fileOf(r); err != nil {
		return f, row, nil, err
	}
	n, err := strconv.ParseInt(r.PathValue("row"), 10, 64)
	if err != nil || n < 1 {
		return f, row, nil, errNoRow
	}
	if seq := f.Seq(n); seq != 0 {
		list, err := s.c.Journal.Select(r.Context(), journal.Filter{Seq: seq, Limit: 1})
		if err != nil {
			return f, row, nil, err
		}
		if len(list) > 0 && list[0].Origin.FileID == f.ID {
			return f, row, list[0], nil
		}
	}
	content, size, err := s.openResults(f)
	if err != nil {
		return f, row, nil, err
	}
	if content == nil {
		return f, row, nil, errNoResults
	}
	defer content.Close()
	rows, _, err := results.Find(r.Context(), content, size, 0, results.Query{Record: n}, results.Budget{Rows: 1})
	if err == nil && len(rows) == 0 {
		err = errNoRow
	}
	if err != nil {
		return f, row, nil, err
	}
	return f, rows[0], nil, nil
}

// What is answered of rows that are not there; both answer 404.
var (
	errNoRow     = notFound{"there is no such row, or nothing has become of it yet"}
	errNoResults = notFound{"the results of this file are gone from where they were, or lie with another runner: " +
		"what became of its rows cannot be told any more"}
)

// row shows a row of a file that has no record, or leads to its record.
func (s *Console) row(w http.ResponseWriter, r *http.Request) {
	f, row, rec, err := s.rowOf(r)
	if err == nil && rec != nil {
		to := fmt.Sprintf("%srecords/%d", Prefix, rec.Seq)
		if r.URL.RawQuery != "" {
			to += "?" + r.URL.RawQuery
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
		return
	}
	s.page(func(r *http.Request) (view, error) {
		if err != nil {
			return view{}, err
		}
		return s.rowPage(r, f, row)
	})(w, r)
}

func (s *Console) rowPage(r *http.Request, f journal.File, row results.Row) (view, error) {
	data := rowView{File: f, Row: row, Asked: r.URL.Query().Has("content")}
	if data.Asked && visitor(r).Role < access.Operator {
		return view{}, errRole
	}
	if data.Asked {
		if err := s.lookAtRow(r, f, row); err != nil {
			return view{}, err
		}
		in, err := s.c.Running.Row(r.Context(), f, row)
		var gone *RowGone
		switch {
		case errors.As(err, &gone):
			data.Gone = gone.Error()
		case err != nil:
			return view{}, err
		default:
			data.Content = pretty(in.Body)
			if data.Trace, err = s.c.Running.Trace(r.Context(), f.Rule, in); err != nil {
				data.NoTrace = err.Error()
			}
		}
	}
	var about []string
	if data.Trace != nil {
		about = data.Trace.OrgUnits
	}
	var err error
	if data.Objects, err = s.c.Running.Links(r.Context(), f.Rule, row.Objects, about); err != nil {
		return view{}, err
	}
	at := fmt.Sprintf("%sfiles/%s", Prefix, f.ID)
	return view{Title: fmt.Sprintf("Row %d of %s", row.Line, f.Name), Page: "row", Data: data,
		Trail: []link{{Name: "Files", Path: Prefix + "files"}, {Name: f.Name, Path: at}}}, nil
}

// lookAtRow notes that somebody sees what a row says.
func (s *Console) lookAtRow(r *http.Request, f journal.File, row results.Row) error {
	s.c.Log.Info("a row's content was looked at", "file", f.ID, "row", row.Record, "rule", f.Rule, "who", who(r))
	return s.note(r, "look", journal.Filter{Rule: f.Rule, FileID: f.ID, Row: row.Line}.Subject())
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
