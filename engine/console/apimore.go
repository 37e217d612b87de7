package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/culvert/culvert/engine/access"
	"github.com/culvert/culvert/engine/journal"
)

// route is one read of the API: the query parameters that it takes, and the least role.
type route struct {
	do     func(*http.Request) (any, error)
	role   access.Role
	params []string
}

// moreRoutes are the reads of single things and of rows of files, and the changes that answer late.
func (s *Console) moreRoutes() {
	cause := []string{"rule", "code", "cause"}
	for path, get := range map[string]route{
		"records/{seq}/versions": {s.apiVersions, access.Viewer, nil},
		"rows": {s.apiRows, access.Viewer, []string{"q", "rule", "state", "since", "until", "limit",
			"after"}},
		"files/{id}":                    {s.apiFileByID, access.Viewer, nil},
		"files/{id}/rows":               {s.apiFileRows, access.Viewer, []string{"q", "outcome", "limit", "after"}},
		"files/{id}/rows/{row}":         {s.apiRowByNumber, access.Viewer, nil},
		"files/{id}/rows/{row}/content": {s.apiRowContent, access.Operator, nil},
		"files/{id}/rows/{row}/trace":   {s.apiRowTrace, access.Operator, nil},
		"failures/values":               {s.apiValues, access.Operator, cause},
		"rules/{name}":                  {s.apiRule, access.Viewer, nil},
		"connections":                   {s.apiConnections, access.Viewer, nil},
		"servers/{name}/metadata/{uid}": {s.apiObject, access.Viewer, nil},
	} {
		s.handle("GET "+APIPrefix+path, asAPI(get.role, s.api(get.do, get.params...)))
	}
	s.handle("GET "+APIPrefix+"failures/contents", asAPI(access.Operator,
		known(cause, long(fileTime, s.downloadFailed))))
	for _, what := range []string{"results", "failed"} {
		s.handle("GET "+APIPrefix+"files/{id}/"+what, asAPI(access.Operator,
			known(nil, long(fileTime, s.downloadOf(what)))))
	}
	s.handle("POST "+APIPrefix+"files", asAPI(access.Operator, known(nil, long(fileTime, s.upload))))
	s.handle("POST "+APIPrefix+"test", asAPI(access.Operator, s.api(s.apiTest)))
	s.handle("POST "+APIPrefix+"sync", asAPI(access.Operator, long(syncTime+time.Minute, s.api(s.apiSync))))
}

func (s *Console) apiVersions(r *http.Request) (any, error) {
	rec, err := s.find(r, false)
	if err != nil {
		return nil, err
	}
	list, err := s.c.Journal.Versions(r.Context(), rec.Rule, rec.ID)
	return map[string]any{"records": allForPrograms(list)}, err
}

// apiRowOf is a row of a file for programs.
type apiRowOf struct {
	File    string    `json:"file"` // its id
	Name    string    `json:"name"`
	Rule    string    `json:"rule"`
	Number  int64     `json:"number"` // of the data row
	Row     int       `json:"row"`    // as a spreadsheet counts
	Sheet   string    `json:"sheet,omitempty"`
	Outcome string    `json:"outcome"`
	ID      string    `json:"id,omitempty"`
	Key     string    `json:"key,omitempty"`
	Objects []string  `json:"objects,omitempty"`
	InDHIS2 []InDHIS2 `json:"in_dhis2,omitempty"`
	Cause   string    `json:"cause,omitempty"`
	Record  int64     `json:"record,omitempty"` // number of the record that it is, where it has one
}

func rowForPrograms(x foundRow) apiRowOf {
	return apiRowOf{File: x.File.ID, Name: x.File.Name, Rule: x.File.Rule, Number: x.Record, Row: x.Line, Sheet: x.Sheet,
		Outcome: x.Outcome, ID: x.ID, Key: x.Key, Objects: x.Objects, Cause: x.Message}
}

func rowsForPrograms(found foundRows) map[string]any {
	list := make([]apiRowOf, 0, len(found.Rows))
	for _, x := range found.Rows {
		list = append(list, rowForPrograms(x))
	}
	answer := map[string]any{"rows": list}
	if next := found.Next.String(); next != "" {
		answer["next"] = next
	}
	return answer
}

// apiRows searches rows of files. A page may hold fewer rows than were asked for, even none, and have a next.
func (s *Console) apiRows(r *http.Request) (any, error) {
	if r.URL.Query().Get("q") == "" {
		return nil, malformed{errors.New("q: name an external id, a record id, a key, a uid, or file:row")}
	}
	f, err := s.apiFilter(r)
	if err != nil {
		return nil, err
	}
	from, err := apiPlace(r)
	if err != nil {
		return nil, err
	}
	found, err := s.searchRows(r.Context(), f, from, f.Limit)
	if err != nil {
		return nil, err
	}
	return rowsForPrograms(found), nil
}

// apiPlace reads where a look goes on.
func apiPlace(r *http.Request) (rowPlace, error) {
	p, err := parseRowPlace(r.URL.Query().Get("after"))
	if err != nil {
		return p, malformed{errors.New("after: write the next of the page before")}
	}
	return p, nil
}

func (s *Console) apiFileByID(r *http.Request) (any, error) {
	f, err := s.fileOf(r)
	if err != nil {
		return nil, err
	}
	return fileForPrograms(f), nil
}

func (s *Console) apiFileRows(r *http.Request) (any, error) {
	f, err := s.fileOf(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	limit, err := number64(q, "limit", pageSize, 1, journal.MaxPage)
	if err != nil {
		return nil, err
	}
	from, err := apiPlace(r)
	if err == nil && from.file != "" && from.file != f.ID {
		err = malformed{errors.New("after: write the next of the page before")}
	}
	if err != nil {
		return nil, err
	}
	found, err := s.rowsIn(r.Context(), f, q.Get("q"), q.Get("outcome"), from.offset, int(limit))
	if err != nil {
		return nil, err
	}
	return rowsForPrograms(found), nil
}

func (s *Console) apiRowByNumber(r *http.Request) (any, error) {
	f, row, rec, err := s.rowOf(r)
	if err != nil {
		return nil, err
	}
	objects, about := row.Objects, []string(nil)
	x := rowForPrograms(foundRow{f, row})
	if rec != nil {
		x.Number, x.Row, x.Sheet, x.Outcome, x.ID, x.Key = rec.Origin.DataRow, rec.Origin.Row, rec.Origin.Sheet,
			string(rec.State), rec.ID, rec.Key
		x.Objects, x.Record, objects, about = rec.Objects, rec.Seq, rec.Objects, rec.About
	}
	x.InDHIS2, err = s.c.Running.Links(r.Context(), f.Rule, objects, about)
	return x, err
}

// apiRowInput reads what a row says, which goes into the audit trail.
func (s *Console) apiRowInput(r *http.Request) (f journal.File, in Input, err error) {
	f, row, rec, err := s.rowOf(r)
	if err != nil {
		return f, in, err
	}
	if rec != nil {
		return f, in, refused("this row has a record of its own: ask for that")
	}
	if err := s.lookAtRow(r, f, row); err != nil {
		return f, in, err
	}
	in, err = s.c.Running.Row(r.Context(), f, row)
	if gone, ok := errors.AsType[*RowGone](err); ok {
		return f, in, notFound{gone.Why}
	}
	return f, in, err
}

func (s *Console) apiRowContent(r *http.Request) (any, error) {
	_, in, err := s.apiRowInput(r)
	if err != nil {
		return nil, err
	}
	return map[string]any{"number": in.Origin.DataRow, "content": json.RawMessage(in.Body)}, nil
}

func (s *Console) apiRowTrace(r *http.Request) (any, error) {
	f, in, err := s.apiRowInput(r)
	if err != nil {
		return nil, err
	}
	t, err := s.c.Running.Trace(r.Context(), f.Rule, in)
	if err != nil {
		return nil, refused(err.Error())
	}
	if t.Steps == nil {
		t.Steps = []Step{}
	}
	return t, nil
}

// apiValues counts the values that records failed on, which goes into the audit trail.
func (s *Console) apiValues(r *http.Request) (any, error) {
	q := r.URL.Query()
	data := oneCause{Rule: q.Get("rule"), Code: q.Get("code"), Cause: q.Get("cause")}
	if data.Rule == "" || data.Code == "" || data.Cause == "" {
		return nil, malformed{errors.New("name rule, code and cause")}
	}
	if err := s.values(r, &data); err != nil {
		return nil, err
	}
	if data.Values == nil {
		data.Values = []valueCount{}
	}
	return map[string]any{"values": data.Values}, nil
}

// apiMapping is how a rule maps, for programs.
type apiMapping struct {
	Rule
	Findings []apiFinding `json:"findings"`
	Text     string       `json:"text"`
	When     string       `json:"when,omitempty"`
	ID       string       `json:"id,omitempty"`
	Key      string       `json:"key,omitempty"`
	Lookups  []Field      `json:"lookups"`
	Actions  []Action     `json:"actions"`
}

func (s *Console) apiRule(r *http.Request) (any, error) {
	m := s.c.Running.Rule(r.PathValue("name"))
	if m == nil {
		return nil, errNoRule
	}
	out := apiMapping{Rule: m.Rule, Findings: findingsForPrograms(m.Findings), Text: m.Text, When: m.When, ID: m.ID,
		Key: m.Key, Lookups: m.Lookups, Actions: m.Actions}
	if out.Lookups == nil {
		out.Lookups = []Field{}
	}
	if out.Actions == nil {
		out.Actions = []Action{}
	}
	for i := range out.Actions {
		if out.Actions[i].Fields == nil {
			out.Actions[i].Fields = []Field{}
		}
	}
	return out, nil
}

func (s *Console) apiConnections(*http.Request) (any, error) {
	list := s.c.Running.Connections()
	if list == nil {
		list = []Connection{}
	}
	for i := range list {
		if list[i].Rules == nil {
			list[i].Rules = []string{}
		}
	}
	return map[string]any{"connections": list}, nil
}

func (s *Console) apiObject(r *http.Request) (any, error) {
	x := s.c.Running.Object(r.PathValue("name"), r.PathValue("uid"))
	if x == nil {
		return nil, errNoObject
	}
	return x, nil
}

// apiTest asks a server or connection for something small; what does not work is an answer, not an error.
func (s *Console) apiTest(r *http.Request) (any, error) {
	var x struct {
		Name string `json:"name"`
	}
	if err := body(r, &x); err != nil {
		return nil, err
	}
	err := s.testNamed(r, x.Name)
	if no, ok := errors.AsType[refusal](err); ok {
		return nil, no
	}
	answer := map[string]any{"name": x.Name, "answers": err == nil}
	if err != nil {
		answer["cause"] = err.Error()
	}
	return answer, nil
}

func (s *Console) apiSync(r *http.Request) (any, error) {
	var x struct {
		Server string `json:"server"`
	}
	if err := body(r, &x); err != nil {
		return nil, err
	}
	changes, err := s.syncNamed(r, x.Server)
	if failed, ok := errors.AsType[*syncFailed](err); ok {
		return nil, refused(failed.Error())
	}
	if changes == nil {
		changes = []string{}
	}
	return map[string]any{"server": x.Server, "changes": changes}, err
}

// known refuses parameters of the address that nobody knows.
func known(params []string, do http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if name, unknown := unknownParameter(r.URL.Query(), params); unknown {
			apiFail(w, http.StatusBadRequest, noParameter(name))
			return
		}
		do(w, r)
	}
}

// unknownParameter gives a parameter that is none of some.
func unknownParameter(q url.Values, params []string) (name string, unknown bool) {
	for name := range q {
		if !slices.Contains(params, name) {
			return name, true
		}
	}
	return "", false
}
