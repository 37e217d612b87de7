package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/culvert/culvert/engine/controls"
	"github.com/culvert/culvert/engine/journal"
)

// selection says which failed records a change is about.
type selection struct {
	Numbers []*int64 `json:"numbers"`
	Rule    string   `json:"rule"`
	Code    string   `json:"code"`
	Cause   string   `json:"cause"`
	Why     string   `json:"why"`
}

func (x selection) filter() (journal.Filter, error) {
	if len(x.Numbers) == 0 && x.Rule == "" && x.Code == "" && x.Cause == "" {
		return journal.Filter{}, refused("the body names no records: give numbers, rule, code or cause")
	}
	if len(x.Numbers) > journal.MaxPage {
		return journal.Filter{}, refused("too many numbers at once")
	}
	var seqs []int64 // nil restricts nothing
	for _, n := range x.Numbers {
		if n == nil || *n < 1 {
			return journal.Filter{}, malformed{errors.New("numbers are those of records: whole numbers from 1 on")}
		}
		seqs = append(seqs, *n)
	}
	return journal.Filter{Seqs: seqs, Rule: x.Rule, Code: x.Code, Cause: x.Cause,
		States: []journal.State{journal.Failed}}, nil
}

func (s *Console) apiReplay(r *http.Request) (any, error) {
	var x selection
	if err := body(r, &x); err != nil {
		return nil, err
	}
	f, err := x.filter()
	if err != nil {
		return nil, err
	}
	n, err := s.c.Journal.Replay(r.Context(), f, who(r), x.Why, false)
	return map[string]int64{"records": n}, err
}

func (s *Console) apiDismiss(r *http.Request) (any, error) {
	var x selection
	if err := body(r, &x); err != nil {
		return nil, err
	}
	f, err := x.filter()
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(x.Why) == "" {
		return nil, refused("say why the records will never be sent: the audit trail keeps it")
	}
	n, err := s.c.Journal.Dismiss(r.Context(), f, who(r), x.Why)
	return map[string]int64{"records": n}, err
}

// control names a rule or a server that is paused or resumed.
type control struct {
	Rule   string `json:"rule"`
	Server string `json:"server"`
	Why    string `json:"why"`
}

func (s *Console) apiPause(r *http.Request) (any, error)  { return s.apiControl(r, s.pauseNamed) }
func (s *Console) apiResume(r *http.Request) (any, error) { return s.apiControl(r, s.resumeNamed) }

func (s *Console) apiControl(r *http.Request, do func(r *http.Request, x control) error) (any, error) {
	var x control
	if err := body(r, &x); err != nil {
		return nil, err
	}
	if err := do(r, x); err != nil {
		return nil, err
	}
	return controls.Read(r.Context(), s.c.Journal)
}

func (s *Console) apiRun(r *http.Request) (any, error) {
	var x struct {
		Rule string `json:"rule"`
	}
	if err := body(r, &x); err != nil {
		return nil, err
	}
	return struct {
		Rule string `json:"rule"`
	}{x.Rule}, s.runNamed(r, x.Rule)
}

// correction is a content that takes the place of a record's.
type correction struct {
	Content json.RawMessage `json:"content"`
	Why     string          `json:"why"`
}

func readCorrection(r *http.Request) (correction, error) {
	var x correction
	err := body(r, &x)
	if err == nil && len(x.Content) == 0 {
		err = malformed{errors.New("the body has no content")}
	}
	return x, err
}

// apiTrace says what would come of a record with another content.
func (s *Console) apiTrace(r *http.Request) (any, error) {
	x, err := readCorrection(r)
	if err != nil {
		return nil, err
	}
	rec, err := s.find(r, false)
	if err != nil {
		return nil, err
	}
	t, why := s.trace(r.Context(), rec, x.Content)
	if t == nil {
		return nil, refused(why)
	}
	if t.Steps == nil {
		t.Steps = []Step{}
	}
	return t, nil
}

func (s *Console) apiCorrect(r *http.Request) (any, error) {
	x, err := readCorrection(r)
	if err != nil {
		return nil, err
	}
	rec, err := s.find(r, false)
	if err != nil {
		return nil, err
	}
	t, why := s.trace(r.Context(), rec, x.Content)
	switch {
	case t == nil:
		return nil, refused(why)
	case t.Status == "failed":
		return nil, refused("it would fail again: " + t.Faults[0].Message)
	case t.Status == "skipped":
		return nil, refused(skippedCorrection)
	case strings.TrimSpace(x.Why) == "":
		return nil, refused("say why, for the audit trail")
	}
	seq, err := s.send(r, rec, x.Content, x.Why)
	return map[string]int64{"number": seq}, err
}
