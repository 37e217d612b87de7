package console

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/access"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/yamlnode"
)

// mostCauses is how many causes are shown at once, the most frequent ones.
const mostCauses = 200

type failuresView struct {
	Causes []causeView
	Rule   string
	Rules  []Rule
	More   bool
}

// causeView is a cause with the page of its records.
type causeView struct {
	journal.Cause
	Page string
}

func (s *Console) failures(r *http.Request) (view, error) {
	data := failuresView{Rule: r.FormValue("rule"), Rules: s.c.Running.Rules()}
	f := journal.Filter{States: []journal.State{journal.Failed}, Rule: data.Rule, Limit: mostCauses}
	causes, err := s.c.Journal.Causes(r.Context(), f)
	if err != nil {
		return view{}, err
	}
	for _, c := range causes {
		data.Causes = append(data.Causes, causeView{c, causePage(c.Rule, c.Code, c.Cause)})
	}
	data.More = len(causes) == mostCauses
	return view{Title: "Failures", Page: "failures", Data: data}, nil
}

func causePage(rule, code, cause string) string {
	return Prefix + "failures/cause?" + url.Values{"rule": {rule}, "code": {code}, "cause": {cause}}.Encode()
}

// oneCause is the page of the records that failed for one cause.
type oneCause struct {
	Rule, Code, Cause, Hint, Place string
	List                           []*journal.Record
	Next, First                    string
	Files                          []fileRow
	Values                         []valueCount // that were refused; only when asked for
	Asked                          bool
	Lines                          string // to add to the value map
	Download                       string
	Lately                         series // when those of this page and the next ones failed
}

// valueCount is a value that records failed on, and how many did, of those looked at.
type valueCount struct {
	Column string `json:"column"`
	Value  string `json:"value"`
	Count  int    `json:"count"`
}

func (s *Console) cause(r *http.Request) (view, error) {
	q := r.URL.Query()
	data := oneCause{Rule: q.Get("rule"), Code: q.Get("code"), Cause: q.Get("cause"), Asked: q.Has("values")}
	if data.Rule == "" || data.Code == "" || data.Cause == "" {
		return view{}, notFound{"the address names no cause"}
	}
	if data.Asked && visitor(r).Role < access.Operator {
		return view{}, errRole
	}
	f := data.filter()
	f.Limit = valuesLookedAt
	if before := q.Get("before"); before != "" {
		f.Before, _ = strconv.ParseInt(before, 10, 64) // what is no number is the first page
		data.First = causePage(data.Rule, data.Code, data.Cause)
	}
	page, err := s.c.Journal.Search(r.Context(), f)
	if err != nil {
		return view{}, err
	}
	data.Lately = failedLately(page.Records, s.c.Now())
	if data.List = page.Records[:min(len(page.Records), pageSize)]; page.Next != 0 || len(data.List) < len(page.Records) {
		data.Next = causePage(data.Rule, data.Code, data.Cause) + "&before=" +
			strconv.FormatInt(data.List[len(data.List)-1].Seq, 10)
	}
	if len(data.List) > 0 && data.List[0].Problem != nil {
		data.Hint, data.Place = data.List[0].Problem.Hint, data.List[0].Problem.Place.String()
	}
	data.Download = Prefix + "failures/download?" +
		url.Values{"rule": {data.Rule}, "code": {data.Code}, "cause": {data.Cause}}.Encode()
	if data.Files, err = s.filesOf(r.Context(), data.List); err != nil {
		return view{}, err
	}
	if data.Asked {
		if err := s.values(r, &data); err != nil {
			return view{}, err
		}
	}
	return view{Title: data.Cause, Page: "cause", Trail: []link{{Name: "Failures", Path: Prefix + "failures"}},
		Data: data}, nil
}

// failedLately draws when records failed, in the last week.
func failedLately(list []*journal.Record, now time.Time) series {
	p := periodOf("week")
	last := now.UTC().Truncate(p.each)
	first := last.Add(-p.each * time.Duration(p.bars-1))
	out := series{Name: "Failed in the last week", Each: p.each, Bars: make([]bar, p.bars)}
	for i := range out.Bars {
		out.Bars[i].At = first.Add(p.each * time.Duration(i))
	}
	for _, rec := range list {
		if i := int(rec.Settled.Sub(first) / p.each); !rec.Settled.Before(first) && i < p.bars {
			out.Bars[i].Failed++
		}
	}
	return out
}

func (c oneCause) filter() journal.Filter {
	return journal.Filter{States: []journal.State{journal.Failed}, Rule: c.Rule, Code: c.Code, Cause: c.Cause,
		Limit: pageSize}
}

// filesOf gives the finished files that records are rows of and that have a file of failed rows.
func (s *Console) filesOf(ctx context.Context, list []*journal.Record) ([]fileRow, error) {
	ids := map[string]bool{}
	for _, rec := range list {
		ids[rec.Origin.FileID] = true
	}
	if delete(ids, ""); len(ids) == 0 {
		return nil, nil
	}
	files, err := s.c.Journal.Files(ctx, "")
	var out []fileRow
	for _, f := range files {
		if !ids[f.ID] {
			continue
		}
		if _, failed := s.c.Running.Outputs(f); there(failed) {
			out = append(out, fileRow{File: f, HasFailed: true})
		}
	}
	return out, err
}

// valuesLookedAt is of how many failed records the values are counted.
const valuesLookedAt = journal.MaxPage

// values counts the values that records failed on, and writes the lines that a value map lacks.
func (s *Console) values(r *http.Request, data *oneCause) error {
	f := data.filter()
	f.Limit = valuesLookedAt
	page, err := s.c.Journal.Search(r.Context(), f)
	if err != nil {
		return err
	}
	s.c.Log.Info("the values of failed records were looked at", "rule", data.Rule, "code", data.Code, "who", who(r))
	entry := journal.AuditEntry{At: s.c.Now(), Who: who(r), Did: "look", Count: int64(len(page.Records)),
		Subject: f.Subject()}
	if err := s.c.Journal.Note(r.Context(), entry); err != nil {
		return fmt.Errorf("note that values were looked at: %w", err)
	}
	counts := map[[2]string]int{}
	for _, rec := range page.Records {
		if rec.Problem != nil && rec.Problem.Value != "" {
			counts[[2]string{rec.Problem.Column, rec.Problem.Value}]++
		}
	}
	for at, n := range counts {
		data.Values = append(data.Values, valueCount{at[0], at[1], n})
	}
	slices.SortFunc(data.Values, func(a, b valueCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count),
			cmp.Compare(a.Value, b.Value))
	})
	if data.Code == "unmapped-value" {
		for _, v := range data.Values {
			data.Lines += yamlnode.Text(v.Value) + ": \n"
		}
	}
	return nil
}

// Bounds of what is downloaded at once.
const (
	mostDownloaded  = 10_000
	bytesDownloaded = 50 << 20
)

// downloadFailed answers with the contents of the records that failed for a cause, as a JSON list
// that can be corrected and sent back.
func (s *Console) downloadFailed(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	c := oneCause{Rule: q.Get("rule"), Code: q.Get("code"), Cause: q.Get("cause")}
	if c.Rule == "" {
		s.fail(w, r, notFound{"the address names no rule"})
		return
	}
	f := c.filter()
	f.WithBody, f.Limit = true, mostDownloaded
	list, err := s.c.Journal.Select(r.Context(), f)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	bodies, size := make([]json.RawMessage, 0, len(list)), 0
	for _, rec := range list {
		if size += len(rec.Body); len(rec.Body) > 0 && size < bytesDownloaded && json.Valid(rec.Body) {
			bodies = append(bodies, rec.Body)
		}
	}
	s.c.Log.Info("failed records were downloaded", "rule", c.Rule, "code", c.Code, "records", len(bodies), "who", who(r))
	entry := journal.AuditEntry{At: s.c.Now(), Who: who(r), Did: "download", Count: int64(len(bodies)),
		Subject: f.Subject()}
	if err := s.c.Journal.Note(r.Context(), entry); err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment",
		map[string]string{"filename": c.Rule + "-failed.json"}))
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(bodies) // the visitor is gone when this fails
}

// chosen reads which failed records a form is about; a form that names none is refused, so that a
// mistake never means all.
func chosen(r *http.Request) (journal.Filter, error) {
	f := journal.Filter{
		Rule: r.PostFormValue("rule"), Code: r.PostFormValue("code"), Cause: r.PostFormValue("cause"),
		Class:  actions.Class(r.PostFormValue("class")),
		States: []journal.State{journal.Failed},
	}
	for _, n := range r.PostForm["chosen"] {
		seq, err := strconv.ParseInt(n, 10, 64)
		if err != nil {
			return f, errNotFound
		}
		f.Seqs = append(f.Seqs, seq)
	}
	if n := r.PostFormValue("seq"); n != "" {
		seq, err := strconv.ParseInt(n, 10, 64)
		if err != nil || seq < 1 {
			return f, errNotFound
		}
		f.Seq = seq
	}
	if r.PostForm.Has("choose") && len(f.Seqs) == 0 {
		return f, refused("choose records first")
	}
	if f.Rule == "" && f.Code == "" && f.Cause == "" && f.Seq == 0 && len(f.Seqs) == 0 {
		return f, refused("the form names no records")
	}
	return f, nil
}

func (s *Console) replay(ctx context.Context, r *http.Request) error {
	f, err := chosen(r)
	if err != nil {
		return err
	}
	_, err = s.c.Journal.Replay(ctx, f, who(r), r.PostFormValue("why"), false)
	return err
}

func (s *Console) dismiss(ctx context.Context, r *http.Request) error {
	f, err := chosen(r)
	if err != nil {
		return err
	}
	why := r.PostFormValue("why")
	if why == "" {
		return refused("say why the records will never be sent: the audit trail keeps it")
	}
	_, err = s.c.Journal.Dismiss(ctx, f, who(r), why)
	return err
}
