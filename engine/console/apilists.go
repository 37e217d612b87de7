package console

import (
	"net/http"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/diag"
)

// apiCause is a cause of failures for programs: the answer of the API, whose names stay what they are.
type apiCause struct {
	Rule    string    `json:"rule"`
	Code    string    `json:"code"`
	Class   string    `json:"class"`
	Cause   string    `json:"cause"`
	Hint    string    `json:"hint,omitempty"`
	Place   string    `json:"place,omitempty"`
	Count   int64     `json:"count"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
	Example int64     `json:"example,omitempty"` // number of a record
}

func (s *Console) apiFailures(r *http.Request) (any, error) {
	causes, err := s.c.Journal.Causes(r.Context(),
		journal.Filter{States: []journal.State{journal.Failed}, Rule: r.URL.Query().Get("rule"), Limit: mostCauses})
	if err != nil {
		return nil, err
	}
	out := make([]apiCause, 0, len(causes))
	for _, c := range causes {
		x := apiCause{Rule: c.Rule, Code: c.Code, Class: string(c.Class), Cause: c.Cause, Hint: c.Hint, Place: c.Place,
			Count: c.Count, First: c.First, Last: c.Last}
		if c.Example != nil {
			x.Example = c.Example.Seq
		}
		out = append(out, x)
	}
	return map[string]any{"causes": out}, nil
}

// apiFile is a dropped file for programs.
type apiFile struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Rule       string    `json:"rule"`
	State      string    `json:"state"`
	Received   time.Time `json:"received"`
	Finished   time.Time `json:"finished,omitzero"`
	Rows       int64     `json:"rows"`
	Delivered  int64     `json:"delivered"`
	Unchanged  int64     `json:"unchanged"`
	Superseded int64     `json:"superseded"`
	Skipped    int64     `json:"skipped"`
	Failed     int64     `json:"failed"`
}

func (s *Console) apiFiles(r *http.Request) (any, error) {
	list, err := s.c.Journal.Files(r.Context(), "")
	if err != nil {
		return nil, err
	}
	out := make([]apiFile, 0, min(len(list), pageSize))
	for _, f := range list[:min(len(list), pageSize)] {
		out = append(out, fileForPrograms(f))
	}
	return map[string]any{"files": out}, nil
}

func fileForPrograms(f journal.File) apiFile {
	return apiFile{
		ID: f.ID, Name: f.Name, Rule: f.Rule, State: string(f.State), Received: f.Received, Finished: f.Finished,
		Rows: f.Rows, Delivered: f.Delivered,
		Unchanged: f.Unchanged, Superseded: f.Superseded, Skipped: f.Skipped, Failed: f.Failed,
	}
}

// apiFinding is a finding about a rule for programs: the answer of the API calls the message so.
type apiFinding struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty"`
	Place    string `json:"place,omitempty"`
}

func (s *Console) apiRules(*http.Request) (any, error) {
	type rule struct {
		Rule
		Findings []apiFinding `json:"findings"`
	}
	list := s.c.Running.Rules()
	out := make([]rule, 0, len(list))
	for _, x := range list {
		out = append(out, rule{x, findingsForPrograms(x.Findings)})
	}
	return map[string]any{"rules": out, "refused": s.c.Running.Refused()}, nil
}

func findingsForPrograms(list diag.List) []apiFinding {
	out := make([]apiFinding, 0, len(list))
	for _, d := range list {
		out = append(out, apiFinding{d.Severity.String(), d.Code, d.Message, d.Hint, d.Place.String()})
	}
	return out
}

func (s *Console) apiServers(*http.Request) (any, error) {
	list := s.c.Running.Servers()
	if list == nil {
		list = []Server{}
	}
	for i := range list {
		if list[i].Rules == nil {
			list[i].Rules = []string{}
		}
	}
	return map[string]any{"servers": list}, nil
}

func (s *Console) apiMetadata(r *http.Request) (any, error) {
	name, known := r.PathValue("name"), false
	for _, x := range s.c.Running.Servers() {
		known = known || x.Name == name
	}
	if !known {
		return nil, errNoServer
	}
	out := s.c.Running.Catalogue(name)
	if text := r.URL.Query().Get("q"); text != "" {
		out = s.c.Running.Search(name, text)
	}
	if out == nil {
		out = []Object{}
	}
	return map[string]any{"objects": out}, nil
}

func (s *Console) apiAudit(r *http.Request) (any, error) {
	limit, err := number64(r.URL.Query(), "limit", pageSize, 1, journal.MaxPage)
	if err != nil {
		return nil, err
	}
	list, err := s.c.Journal.Audit(r.Context(), int(limit))
	if list == nil {
		list = []journal.AuditEntry{}
	}
	return map[string]any{"entries": list}, err
}
