package console

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/status"
)

func (s *Console) overview(r *http.Request) (view, error) {
	o, err := s.read(r.Context())
	if err != nil {
		return view{}, err
	}
	return view{Title: "Overview", Page: "overview", Refresh: 5, Data: o}, nil
}

func (s *Console) apiOverview(w http.ResponseWriter, r *http.Request) {
	o, err := s.read(r.Context())
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

// read says how the project stands.
func (s *Console) read(ctx context.Context) (status.Overview, error) {
	return status.Read(ctx, s.c.Journal, s.c.Now())
}
