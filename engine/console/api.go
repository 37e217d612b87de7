package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/culvert/culvert/engine/access"
	"github.com/culvert/culvert/engine/journal"
)

// APIPrefix begins the path of what programs ask: the same as the pages, behind the same roles.
// openapi.yaml describes it.
const APIPrefix = "/api/v1/"

// apiRoutes are the reads and changes of the API, with the least role for each.
func (s *Console) apiRoutes() {
	type route struct {
		do     func(*http.Request) (any, error)
		params []string // of its address
	}
	search := []string{"q", "rule", "state", "code", "org_unit", "file", "since", "until", "limit", "before"}
	for path, get := range map[string]route{
		"overview": {s.apiOverview, nil}, "figures": {s.apiFigures, []string{"period", "rule"}},
		"records": {s.apiRecords, search}, "records/{seq}": {s.apiRecord, nil},
		"persons": {s.apiPerson, []string{"who"}}, "failures": {s.apiFailures, []string{"rule"}}, "files": {s.apiFiles, nil},
		"rules":   {s.apiRules, nil},
		"servers": {s.apiServers, nil}, "servers/{name}/metadata": {s.apiMetadata, []string{"q"}},
	} {
		s.mux.HandleFunc("GET "+APIPrefix+path, asAPI(access.Viewer, s.api(get.do, get.params...)))
	}
	s.mux.HandleFunc("GET "+APIPrefix+"records/{seq}/content", asAPI(access.Operator, s.api(s.apiContent)))
	s.mux.HandleFunc("GET "+APIPrefix+"audit", asAPI(access.Admin, s.api(s.apiAudit, "limit")))
	for path, change := range map[string]func(*http.Request) (any, error){
		"replay": s.apiReplay, "dismiss": s.apiDismiss, "pause": s.apiPause, "resume": s.apiResume,
		"run":                   s.apiRun,
		"records/{seq}/trace":   s.apiTrace,
		"records/{seq}/correct": s.apiCorrect,
	} {
		s.mux.HandleFunc("POST "+APIPrefix+path, asAPI(access.Operator, s.api(change)))
	}
	s.mux.HandleFunc("GET "+APIPrefix+"openapi.yaml", asset("openapi.yaml", "application/yaml"))
	s.mux.HandleFunc(APIPrefix, func(w http.ResponseWriter, r *http.Request) {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			other := r.Clone(r.Context())
			if other.Method = method; method == r.Method {
				continue
			}
			if _, pattern := s.mux.Handler(other); pattern != APIPrefix && pattern != "" {
				w.Header().Set("Allow", method)
				apiFail(w, http.StatusMethodNotAllowed, "this address takes "+method)
				return
			}
		}
		apiFail(w, http.StatusNotFound, "there is no such address: see "+APIPrefix+"openapi.yaml")
	})
}

// apiError is what the API answers where it cannot do what it was asked.
type apiError struct {
	Error string `json:"error"`
}

func apiFail(w http.ResponseWriter, status int, what string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(apiError{what}) // the caller is gone when this fails
}

// asAPI is as, for programs.
func asAPI(role access.Role, do http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if u := visitor(r); u == nil || u.Role < role {
			apiFail(w, http.StatusForbidden, "your role does not allow this; it needs the role "+role.String())
			return
		}
		do(w, r)
	}
}

// malformed is a request that cannot be understood; it is answered by 400.
type malformed struct{ error }

// api answers with what was asked for, as JSON. A parameter of the address that nobody knows is
// refused, so that a misspelt one never means all.
func (s *Console) api(do func(*http.Request) (any, error), params ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 2*maxContent)
		for name := range r.URL.Query() {
			if !slices.Contains(params, name) {
				apiFail(w, http.StatusBadRequest, fmt.Sprintf("there is no parameter %q here: see %sopenapi.yaml", name, APIPrefix))
				return
			}
		}
		answer, err := do(r)
		var bad malformed
		switch {
		case errors.As(err, &bad):
			apiFail(w, http.StatusBadRequest, bad.Error())
		case err != nil && statusOf(err) == http.StatusServiceUnavailable:
			s.c.Log.Error("a request of the API failed", "path", r.URL.Path, "error", err)
			apiFail(w, http.StatusServiceUnavailable, notNow(err))
		case err != nil:
			apiFail(w, statusOf(err), err.Error())
		default:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(answer) // the caller is gone when this fails
		}
	}
}

// apiRecordOf is a record for programs, without what it says.
type apiRecordOf struct {
	Number       int64     `json:"number"`
	Rule         string    `json:"rule"`
	ID           string    `json:"id"`
	Key          string    `json:"key"`
	State        string    `json:"state"`
	Trigger      string    `json:"trigger,omitempty"`
	File         string    `json:"file,omitempty"`
	Row          int       `json:"row,omitempty"`
	Received     time.Time `json:"received"`
	Settled      time.Time `json:"settled,omitzero"`
	NextTry      time.Time `json:"next_try,omitzero"`
	Attempts     int       `json:"attempts"`
	Corrected    bool      `json:"corrected,omitempty"`
	SupersededBy int64     `json:"superseded_by,omitempty"`
	Objects      []string  `json:"objects,omitempty"`   // uids
	OrgUnits     []string  `json:"org_units,omitempty"` // uids
	Code         string    `json:"code,omitempty"`
	Class        string    `json:"class,omitempty"`
	Cause        string    `json:"cause,omitempty"`
	Hint         string    `json:"hint,omitempty"`
	Place        string    `json:"place,omitempty"`
}

func forPrograms(rec *journal.Record) apiRecordOf {
	out := apiRecordOf{
		Number: rec.Seq, Rule: rec.Rule, ID: rec.ID, Key: rec.Key, State: string(rec.State), Trigger: rec.Origin.Trigger,
		File: rec.Origin.File, Row: rec.Origin.Row,
		Received: rec.Received, Settled: rec.Settled, Attempts: rec.Attempts, Corrected: rec.Edited,
		SupersededBy: rec.SupersededBy, Objects: rec.Objects, OrgUnits: rec.About,
	}
	if rec.State == journal.Pending {
		out.NextTry = rec.NextTry
	}
	if p := rec.Problem; p != nil {
		out.Code, out.Class, out.Cause, out.Hint, out.Place = p.Code, string(p.Class), p.Message, p.Hint,
			p.Place.String()
	}
	return out
}

func allForPrograms(list []*journal.Record) []apiRecordOf {
	out := make([]apiRecordOf, 0, len(list))
	for _, rec := range list {
		out = append(out, forPrograms(rec))
	}
	return out
}

func (s *Console) apiOverview(r *http.Request) (any, error) { return s.read(r.Context()) }

func (s *Console) apiFigures(r *http.Request) (any, error) {
	q := r.URL.Query()
	name := q.Get("period")
	p := periodOf(name)
	if q.Has("period") && p.name != name {
		return nil, malformed{fmt.Errorf("the period %q is none of hour, day, week and month", name)}
	}
	lately, err := s.figures(r.Context(), p, s.c.Now())
	if err != nil {
		return nil, err
	}
	x := lately.all
	if rule := q.Get("rule"); rule != "" {
		x = lately.rules.of(rule)
	}
	type stretch struct {
		From      time.Time `json:"from"`
		Received  int64     `json:"received"`
		Delivered int64     `json:"delivered"`
		Failed    int64     `json:"failed"`
	}
	bars := make([]stretch, 0, len(x.Bars))
	for _, b := range x.Bars {
		bars = append(bars, stretch{b.At, b.Received, b.Delivered, b.Failed})
	}
	return map[string]any{"period": p.name, "seconds": int64(p.each / time.Second), "stretches": bars}, nil
}

// apiFilter reads what records are searched by.
func (s *Console) apiFilter(r *http.Request) (journal.Filter, error) {
	q := r.URL.Query()
	f, err := s.filter(r.Context(), query{Text: q.Get("q"), Rule: q.Get("rule"), State: q.Get("state"),
		Code: q.Get("code"), Unit: q.Get("org_unit"), File: q.Get("file")})
	if err != nil {
		return f, err
	}
	if q.Has("state") && !slices.Contains(states, journal.State(q.Get("state"))) {
		return f, malformed{fmt.Errorf("the state %q does not exist", q.Get("state"))}
	}
	for name, to := range map[string]*time.Time{"since": &f.Since, "until": &f.Until} {
		if q.Has(name) {
			if *to, err = time.Parse(time.RFC3339, q.Get(name)); err != nil {
				return f, malformed{fmt.Errorf("%s: write a time such as 2026-07-01T12:00:00Z", name)}
			}
		}
	}
	limit, err := number64(q, "limit", pageSize, 1, journal.MaxPage)
	if err != nil {
		return f, err
	}
	f.Limit = int(limit)
	f.Before, err = number64(q, "before", 0, 1, maxSeq)
	return f, err
}

// maxSeq is the greatest number of a record that the API takes, as its description says.
const maxSeq = 1 << 62

// number64 reads a whole number of the address.
func number64(q url.Values, name string, fallback, least, most int64) (int64, error) {
	if !q.Has(name) {
		return fallback, nil
	}
	n, err := strconv.ParseInt(q.Get(name), 10, 64)
	if err != nil || n < least || n > most {
		return 0, malformed{fmt.Errorf("%s: write a whole number from %d to %d", name, least, most)}
	}
	return n, nil
}

func (s *Console) apiRecords(r *http.Request) (any, error) {
	f, err := s.apiFilter(r)
	if err != nil {
		return nil, err
	}
	page, err := s.c.Journal.Search(r.Context(), f)
	if err != nil {
		return nil, err
	}
	answer := map[string]any{"records": allForPrograms(page.Records)}
	if page.Next != 0 {
		answer["next"] = page.Next
	}
	return answer, nil
}

func (s *Console) apiRecord(r *http.Request) (any, error) {
	rec, err := s.find(r, false)
	if err != nil {
		return nil, err
	}
	return forPrograms(rec), nil
}

// apiContent gives what a record says, which goes into the audit trail.
func (s *Console) apiContent(r *http.Request) (any, error) {
	rec, err := s.find(r, true)
	if err != nil {
		return nil, err
	}
	if len(rec.Body) == 0 {
		return nil, notFound{"the content of this record is not kept any more"}
	}
	if err := s.look(r, rec); err != nil {
		return nil, err
	}
	return map[string]any{"number": rec.Seq, "content": json.RawMessage(rec.Body)}, nil
}

func (s *Console) apiPerson(r *http.Request) (any, error) {
	name := r.URL.Query().Get("who")
	if name == "" {
		return nil, malformed{errors.New("who: name an external id, a key or a uid")}
	}
	story, err := s.c.Journal.Story(r.Context(), name, longestStory)
	if err != nil {
		return nil, err
	}
	if len(story.Records) == 0 && len(story.Holders) == 0 {
		return nil, notFound{"the journal knows nobody of this external id, key or uid"}
	}
	type holder struct {
		Server     string `json:"server"`
		UID        string `json:"uid"`
		ExternalID string `json:"external_id"`
	}
	holders := make([]holder, 0, len(story.Holders))
	for _, h := range story.Holders {
		holders = append(holders, holder{h.Server, h.UID, h.ExternalID})
	}
	return map[string]any{"holders": holders, "records": allForPrograms(story.Records), "more": story.More}, nil
}

// body reads the JSON object of a request. Keys that nobody knows are refused, so that a misspelt
// one never means all; so is null, but as a content.
func body(r *http.Request, v any) error {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return malformed{fmt.Errorf("the body cannot be read: %w", err)}
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil {
		return malformed{fmt.Errorf("the body is not as openapi.yaml says: %w", err)}
	}
	for name, value := range keys {
		if string(value) == "null" && name != "content" {
			return malformed{fmt.Errorf("the body is not as openapi.yaml says: %s is null", name)}
		}
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return malformed{fmt.Errorf("the body is not as openapi.yaml says: %w", err)}
	}
	return nil
}
