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
	"strings"
	"time"

	"github.com/culvert/culvert/engine/access"
	"github.com/culvert/culvert/engine/journal"
)

// APIPrefix begins the path of what programs ask: the same as the pages, behind the same roles.
// openapi.yaml describes it.
const APIPrefix = "/api/v1/"

// apiRoutes are the reads and changes of the API, with the least role for each.
func (s *Console) apiRoutes() {
	search := []string{"q", "rule", "state", "code", "org_unit", "file", "since", "until", "limit", "before"}
	for path, get := range map[string]route{
		"overview": {s.apiOverview, access.Viewer, nil},
		"figures":  {s.apiFigures, access.Viewer, []string{"period", "rule"}},
		"records":  {s.apiRecords, access.Viewer, search}, "records/{seq}": {s.apiRecord, access.Viewer, nil},
		"records/{seq}/content":   {s.apiContent, access.Operator, nil},
		"persons":                 {s.apiPerson, access.Viewer, []string{"who", "after"}},
		"failures":                {s.apiFailures, access.Viewer, []string{"rule"}},
		"files":                   {s.apiFiles, access.Viewer, nil},
		"rules":                   {s.apiRules, access.Viewer, nil},
		"servers":                 {s.apiServers, access.Viewer, nil},
		"servers/{name}/metadata": {s.apiMetadata, access.Viewer, []string{"q"}},
		"audit":                   {s.apiAudit, access.Admin, []string{"limit"}},
	} {
		s.handle("GET "+APIPrefix+path, asAPI(get.role, s.api(get.do, get.params...)))
	}
	for path, change := range map[string]func(*http.Request) (any, error){
		"replay": s.apiReplay, "dismiss": s.apiDismiss, "pause": s.apiPause, "resume": s.apiResume,
		"run":                   s.apiRun,
		"records/{seq}/trace":   s.apiTrace,
		"records/{seq}/correct": s.apiCorrect,
	} {
		s.handle("POST "+APIPrefix+path, asAPI(access.Operator, s.api(change)))
	}
	s.moreRoutes()
	s.mux.HandleFunc("GET "+APIPrefix+"openapi.yaml", asset("openapi.yaml", "application/yaml"))
	s.mux.HandleFunc(APIPrefix, func(w http.ResponseWriter, r *http.Request) {
		var methods []string
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			other := r.Clone(r.Context())
			other.Method = method
			if _, pattern := s.mux.Handler(other); method != r.Method && pattern != APIPrefix && pattern != "" {
				methods = append(methods, method)
			}
		}
		if len(methods) > 0 {
			allow := strings.Join(methods, ", ")
			w.Header().Set("Allow", allow)
			apiFail(w, http.StatusMethodNotAllowed, "this address takes "+allow)
			return
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
		if name, unknown := unknownParameter(r.URL.Query(), params); unknown {
			apiFail(w, http.StatusBadRequest, noParameter(name))
			return
		}
		answer, err := do(r)
		if err != nil {
			s.apiError(w, r, err)
			return
		}
		apiAnswer(w, answer)
	}
}

func noParameter(name string) string {
	return fmt.Sprintf("there is no parameter %q here: see %sopenapi.yaml", name, APIPrefix)
}

// apiAnswer answers with something as JSON.
func apiAnswer(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // the caller is gone when this fails
}

// apiError answers with what went wrong.
func (s *Console) apiError(w http.ResponseWriter, r *http.Request, err error) {
	var bad malformed
	switch status := statusOf(err); {
	case errors.As(err, &bad):
		apiFail(w, http.StatusBadRequest, bad.Error())
	case status == http.StatusServiceUnavailable:
		s.c.Log.Error("a request of the API failed", "path", r.URL.Path, "error", err)
		apiFail(w, status, notNow(err))
	default:
		apiFail(w, status, err.Error())
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
	InDHIS2      []InDHIS2 `json:"in_dhis2,omitempty"`  // what these are; of one record alone
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
	x := forPrograms(rec)
	x.InDHIS2, err = s.c.Running.Links(r.Context(), rec.Rule, rec.Objects, rec.About)
	return x, err
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
	from, err := apiPlace(r)
	if err != nil {
		return nil, err
	}
	rows, err := s.searchRows(r.Context(), journal.Filter{Text: name}, from, pageSize)
	if err != nil {
		return nil, err
	}
	rows.without(story.Records)
	if len(story.Records)+len(story.Holders)+len(rows.Rows) == 0 && rows.Next.file == "" && from.file == "" {
		return nil, notFound{"the journal knows nobody of this external id, key or uid"}
	}
	type holder struct {
		Server     string `json:"server"`
		UID        string `json:"uid"`
		ExternalID string `json:"external_id"`
		URL        string `json:"url,omitempty"`
	}
	holders := make([]holder, 0, len(story.Holders))
	for _, h := range story.Holders {
		holders = append(holders, holder{h.Server, h.UID, h.ExternalID, s.c.Running.PersonLink(h.Server, h.UID)})
	}
	answer := rowsForPrograms(rows)
	answer["holders"], answer["records"], answer["more"] = holders, allForPrograms(story.Records), story.More
	return answer, nil
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
