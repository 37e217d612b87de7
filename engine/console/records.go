package console

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/diag"
)

// recordsView is what the list of records shows.
type recordsView struct {
	query
	List    []*journal.Record
	Rules   []Rule
	Next    string // the address of the next page; empty: there is none
	First   string // that of the first page; empty: this is it
	Partial bool   // the search looked at as many records as it may at once
	OfFile  string // id of the file whose records they are; empty: of none alone

	Rows     foundRows // of files, that have no record
	MoreRows string    // the address of further ones; empty: all files were looked through
}

// query is what records are searched by, as a person wrote it.
type query struct {
	Text, Rule, State, Code, Unit, Since, Until, File string
}

// localTime is how browsers write the time of an input.
const localTime = "2006-01-02T15:04"

func queryOf(q url.Values) query {
	return query{
		Text: strings.TrimSpace(q.Get("q")), Rule: q.Get("rule"), State: q.Get("state"),
		Code: strings.TrimSpace(q.Get("code")), Unit: strings.TrimSpace(q.Get("org_unit")), Since: q.Get("since"),
		Until: q.Get("until"), File: q.Get("file"),
	}
}

// filter makes a journal's filter of a query. A text that is the name of a file, or NAME:ROW, means
// records of that file.
func (s *Console) filter(ctx context.Context, q query) (journal.Filter, error) {
	f := journal.Filter{Rule: q.Rule, Code: q.Code, FileID: q.File, Text: q.Text, Limit: pageSize}
	if q.State != "" {
		f.States = []journal.State{journal.State(q.State)}
	}
	for _, at := range []struct {
		name, text string
		to         *time.Time
	}{{"from", q.Since, &f.Since}, {"until", q.Until, &f.Until}} {
		if at.text == "" {
			continue
		}
		t, err := time.ParseInLocation(localTime, at.text, time.Local)
		if err != nil {
			return f, refused(fmt.Sprintf("the time %q (%s) cannot be read: write it as %s", at.text, at.name, localTime))
		}
		*at.to = t
	}
	if err := s.about(q, &f); err != nil {
		return f, err
	}
	if f.Text == "" || q.File != "" {
		return f, nil
	}
	return f, s.fileNamed(ctx, q.Text, &f)
}

// mostUnits is of how many org units at once records are searched.
const mostUnits = 2000

// about narrows a filter to the records of an org unit and of those below it. A text that is the uid
// of an org unit means one, too.
func (s *Console) about(q query, f *journal.Filter) error {
	if q.Unit == "" {
		if u := s.c.Running.OrgUnits(q.Text); slices.Contains(u.IDs, q.Text) {
			f.Text, f.About = "", u.IDs
		}
		return s.fewUnits(f)
	}
	u := s.c.Running.OrgUnits(q.Unit)
	if len(u.IDs) == 0 {
		what := fmt.Sprintf("no org unit of the last sync is called %q: write its name, code or uid", q.Unit)
		if len(u.Near) > 0 {
			what = fmt.Sprintf("no org unit of the last sync is called %q: did you mean %s?", q.Unit,
				diag.Names(u.Near[:min(3, len(u.Near))], "or"))
		}
		return refused(what)
	}
	f.About = u.IDs
	return s.fewUnits(f)
}

func (s *Console) fewUnits(f *journal.Filter) error {
	if len(f.About) > mostUnits {
		return refused(fmt.Sprintf("%d org units lie there, more than %d: search by one further down", len(f.About),
			mostUnits))
	}
	return nil
}

// fileNamed narrows a filter to a file, or a row of it, where the text names one. Of several files
// of one name the newest is meant.
func (s *Console) fileNamed(ctx context.Context, text string, f *journal.Filter) error {
	name, row := text, 0
	if before, after, ok := cutLast(text, ":"); ok {
		if n, err := strconv.Atoi(after); err == nil && n > 0 {
			name, row = before, n
		}
	}
	if !strings.Contains(name, ".") {
		return nil // dropped files have an ending
	}
	files, err := s.c.Journal.Files(ctx, "")
	if err != nil {
		return err
	}
	for _, file := range files {
		if strings.EqualFold(file.Name, name) {
			f.Text, f.FileID, f.Row = "", file.ID, row
			return nil
		}
	}
	return nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func (s *Console) records(r *http.Request) (view, error) {
	values := r.URL.Query()
	data := recordsView{query: queryOf(values), Rules: s.c.Running.Rules()}
	f, err := s.filter(r.Context(), data.query)
	if err != nil {
		return view{}, err
	}
	if before := values.Get("before"); before != "" {
		if f.Before, err = strconv.ParseInt(before, 10, 64); err != nil {
			return view{}, refused("the page's address is broken: search again")
		}
		data.First = addressOf(r, values, 0, "")
	}
	rowsFrom, err := parseRowPlace(values.Get("rows"))
	if err != nil {
		return view{}, err
	}
	page, err := s.c.Journal.Search(r.Context(), f)
	if err != nil {
		return view{}, err
	}
	data.List, data.OfFile = page.Records, f.FileID
	if page.Next != 0 {
		data.Next, data.Partial = addressOf(r, values, page.Next, ""), len(page.Records) < pageSize
	}
	if f.Before == 0 && (f.Text != "" || f.Row != 0) {
		if data.Rows, err = s.searchRows(r.Context(), f, rowsFrom, pageSize); err != nil {
			return view{}, err
		}
		data.Rows.without(page.Records)
		if next := data.Rows.Next.String(); next != "" {
			data.MoreRows = addressOf(r, values, 0, next)
		}
	}
	return view{Title: "Records", Page: "records", Data: data}, nil
}

// addressOf gives the address of another page of the same search: of records before one, or of rows
// of files from a place on.
func addressOf(r *http.Request, values url.Values, before int64, rows string) string {
	values = maps.Clone(values)
	values.Del("before")
	values.Del("did")
	values.Set("rows", rows)
	if before != 0 {
		values.Set("before", strconv.FormatInt(before, 10))
	}
	for name := range values {
		if values.Get(name) == "" {
			values.Del(name)
		}
	}
	if len(values) == 0 {
		return r.URL.Path
	}
	return r.URL.Path + "?" + values.Encode()
}

// personView is what the page of a person shows.
type personView struct {
	Who string
	journal.Story
	Links map[string]string // of the tracked entities in DHIS2, by their uids
	Rows  foundRows         // of files, that have no record
	More  string            // the address that looks through further files
}

// longestStory is how many records of one person are shown.
const longestStory = 200

func (s *Console) person(r *http.Request) (view, error) {
	values := r.URL.Query()
	data := personView{Who: strings.TrimSpace(values.Get("who")), Links: map[string]string{}}
	if data.Who == "" {
		return view{}, notFound{"the address names nobody"}
	}
	var err error
	if data.Story, err = s.c.Journal.Story(r.Context(), data.Who, longestStory); err != nil {
		return view{}, err
	}
	from, err := parseRowPlace(values.Get("rows"))
	if err != nil {
		return view{}, err
	}
	if data.Rows, err = s.searchRows(r.Context(), journal.Filter{Text: data.Who}, from, pageSize); err != nil {
		return view{}, err
	}
	data.Rows.without(data.Records)
	if next := data.Rows.Next.String(); next != "" {
		data.More = addressOf(r, values, 0, next)
	}
	if len(data.Records)+len(data.Holders)+len(data.Rows.Rows) == 0 && data.More == "" && from.file == "" {
		return view{}, notFound{"the journal knows nobody of this external id, key or uid"}
	}
	for _, h := range data.Holders {
		data.Links[h.UID] = s.c.Running.PersonLink(h.Server, h.UID)
	}
	return view{Title: data.Who, Page: "person", Trail: []link{{Name: "Records", Path: Prefix + "records"}}, Data: data},
		nil
}
