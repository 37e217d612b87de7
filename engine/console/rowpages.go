package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/engine/access"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/sources/results"
)

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

// rowCount is how many rows of a file came to one outcome.
type rowCount struct {
	Name, Outcome string
	Count         int64
}

// Counts gives the outcomes that rows have come to, with those first that a person must look at.
func (v fileView) Counts() (list []rowCount) {
	for _, c := range []rowCount{{"Failed", "failed", v.Failed}, {"Delivered", "delivered", v.Delivered},
		{"Unchanged", "unchanged", v.Unchanged}, {"Skipped", "skipped", v.Skipped},
		{"Superseded", "superseded", v.Superseded}} {
		if c.Count > 0 {
			list = append(list, c)
		}
	}
	return list
}

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
