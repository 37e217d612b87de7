package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine"
	"github.com/culvert/culvert/engine/access"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/status"
)

func (s *Console) overview(r *http.Request) (view, error) {
	o, err := status.Read(r.Context(), s.c.Journal, s.c.Now())
	if err != nil {
		return view{}, err
	}
	return view{Title: "Overview", Page: "overview", Refresh: 5, Data: o}, nil
}

func (s *Console) apiOverview(w http.ResponseWriter, r *http.Request) {
	o, err := status.Read(r.Context(), s.c.Journal, s.c.Now())
	if err != nil {
		http.Error(w, "the journal cannot be read now", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(o) // the caller is gone when this fails
}

func (s *Console) failures(r *http.Request) (view, error) {
	causes, err := s.c.Journal.Causes(r.Context(), journal.Filter{States: []journal.State{journal.Failed}, Limit: 200})
	if err != nil {
		return view{}, err
	}
	return view{Title: "Failures", Page: "failures", Data: causes}, nil
}

// pageSize is how many records a list shows.
const pageSize = 100

func (s *Console) records(r *http.Request) (view, error) {
	q := r.URL.Query()
	f := journal.Filter{Rule: q.Get("rule"), Key: q.Get("key"), ID: q.Get("id"), Code: q.Get("code"), Cause: q.Get("cause"), Limit: pageSize, NewestOne: true}
	if state := q.Get("state"); state != "" {
		f.States = []journal.State{journal.State(state)}
	}
	list, err := s.c.Journal.Select(r.Context(), f)
	if err != nil {
		return view{}, err
	}
	data := struct {
		List  []*journal.Record
		Rules []Rule
		State string
		Rule  string
		Key   string
		ID    string
		More  bool
	}{list, s.c.Rules(), q.Get("state"), q.Get("rule"), q.Get("key"), q.Get("id"), len(list) == pageSize}
	return view{Title: "Records", Page: "records", Data: data}, nil
}

func (s *Console) record(r *http.Request) (view, error) {
	seq, err := strconv.ParseInt(r.PathValue("seq"), 10, 64)
	if err != nil {
		return view{}, errNotFound
	}
	content := r.URL.Query().Has("content")
	if content && visitor(r).Role < access.Operator {
		return view{}, errRole
	}
	list, err := s.c.Journal.Select(r.Context(), journal.Filter{Seq: seq, Limit: 1, WithBody: content})
	if err != nil {
		return view{}, err
	}
	if len(list) == 0 {
		return view{}, errNotFound
	}
	rec := list[0]
	data := struct {
		*journal.Record
		Content string
		Asked   bool
		By      string // what superseded it, or a part of it
	}{Record: rec, Asked: content}
	if data.By, err = engine.SupersededBy(r.Context(), s.c.Journal, rec); err != nil {
		return view{}, err
	}
	if content {
		s.c.Log.Info("a record's content was looked at", "record", rec.ID, "rule", rec.Rule, "who", who(r))
		data.Content = pretty(rec.Body)
	}
	return view{Title: fmt.Sprintf("Record %d", seq), Page: "record", Data: data}, nil
}

func pretty(body []byte) string {
	if len(body) == 0 {
		return "(erased)"
	}
	var b bytes.Buffer
	if json.Indent(&b, body, "", "  ") != nil {
		return string(body)
	}
	return b.String()
}

func (s *Console) rules(*http.Request) (view, error) {
	return view{Title: "Rules", Page: "rules", Data: s.c.Rules()}, nil
}

func (s *Console) files(r *http.Request) (view, error) {
	list, err := s.c.Journal.Files(r.Context(), "")
	if err != nil {
		return view{}, err
	}
	if len(list) > pageSize {
		list = list[:pageSize]
	}
	return view{Title: "Files", Page: "files", Data: list}, nil
}

func (s *Console) audit(r *http.Request) (view, error) {
	list, err := s.c.Journal.Audit(r.Context(), pageSize)
	if err != nil {
		return view{}, err
	}
	return view{Title: "Audit trail", Page: "audit", Data: list}, nil
}

// chosen reads which failed records a form is about; a form that names none is refused, so that a mistake never means all.
func chosen(r *http.Request) (journal.Filter, error) {
	f := journal.Filter{
		Rule: r.PostFormValue("rule"), Code: r.PostFormValue("code"), Cause: r.PostFormValue("cause"), Class: actions.Class(r.PostFormValue("class")),
		States: []journal.State{journal.Failed},
	}
	if n := r.PostFormValue("seq"); n != "" {
		seq, err := strconv.ParseInt(n, 10, 64)
		if err != nil {
			return f, errNotFound
		}
		f.Seq = seq
	}
	if f.Rule == "" && f.Code == "" && f.Cause == "" && f.Seq == 0 {
		return f, errors.New("the form names no records")
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
		return errors.New("say why the records will never be sent: the audit trail keeps it")
	}
	_, err = s.c.Journal.Dismiss(ctx, f, who(r), why)
	return err
}

// functions are what templates may call.
func (s *Console) functions() template.FuncMap {
	return template.FuncMap{
		"time": func(t time.Time) string {
			if t.IsZero() {
				return "–"
			}
			return t.Local().Format("2006-01-02 15:04:05")
		},
		"ago": func(t time.Time) string {
			if t.IsZero() {
				return "–"
			}
			return words(s.c.Now().Sub(t)) + " ago"
		},
		"length": words,
		"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"number": number,
		"target": func(kind, name string, paused bool) target { return target{kind, name, paused} },
		"states": func() []journal.State {
			return []journal.State{journal.Pending, journal.Held, journal.Delivered, journal.Skipped, journal.Failed, journal.Dismissed, journal.Superseded}
		},
	}
}

// words gives a length of time in its largest unit.
func words(d time.Duration) string {
	unit := func(n int, name string) string {
		if n == 1 {
			return "1 " + name
		}
		return fmt.Sprintf("%d %ss", n, name)
	}
	switch {
	case d < 2*time.Minute:
		return unit(int(max(d, 0).Seconds()), "second")
	case d < 2*time.Hour:
		return unit(int(d.Minutes()), "minute")
	case d < 48*time.Hour:
		return unit(int(d.Hours()), "hour")
	}
	return unit(int(d.Hours()/24), "day")
}

// target is a rule or server that can be paused.
type target struct {
	Kind, Name string
	Paused     bool
}

// number writes a count with its thousands apart.
func number(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "\u202f" + text[i:]
	}
	return text
}
