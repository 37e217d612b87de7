package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/culvert/culvert/rules/diag"
)

// Preview stands for a server of one version that holds nothing, takes everything, and notes each
// request instead of having it sent: what it notes is made by the same code as what a Client sends.
// Not safe for concurrent use.
type Preview struct {
	Minor int // 42 for DHIS2 2.42
	Sent  []Sent

	enrollments map[string]Enrollment
	events      map[string]Event
}

// Sent is one request as it would reach the server.
type Sent struct {
	Method string            `json:"method"`
	Path   string            `json:"path"` // from /api on, without the query
	Query  map[string]string `json:"query,omitempty"`
	Body   json.RawMessage   `json:"body,omitempty"`
}

func (p *Preview) note(method, path string, query url.Values, body []byte) {
	s := Sent{Method: method, Path: "/api/" + path, Body: body}
	if len(query) > 0 {
		s.Query = map[string]string{}
	}
	for name := range query {
		s.Query[name] = query.Get(name)
	}
	p.Sent = append(p.Sent, s)
}

// Ping does nothing.
func (p *Preview) Ping(context.Context) error { return nil }

// ImportTracker notes the import and answers that all of it was written.
func (p *Preview) ImportTracker(_ context.Context, payload *TrackerPayload, o TrackerOptions) (*TrackerReport, error) {
	body, err := encodePayload(payload, p.Minor, o)
	if err != nil {
		return nil, &Error{Kind: Refused,
			Problem: diag.Problem{Message: "a write cannot be put as JSON: " + err.Error(),
				Hint: "look for a geometry that is no GeoJSON"}, Err: err}
	}
	p.note(http.MethodPost, "tracker", o.query(), body)
	if p.enrollments == nil {
		p.enrollments, p.events = map[string]Enrollment{}, map[string]Event{}
	}
	for _, e := range payload.Enrollments {
		p.enrollments[e.Enrollment] = e
	}
	for _, e := range payload.Events {
		p.events[e.Event] = e
	}
	report := &TrackerReport{Status: "OK", Written: map[ObjectKey]bool{}}
	for key := range payload.objects() {
		report.Written[key] = true
	}
	return report, nil
}

// ImportDataValues notes the import and answers that all values were taken.
func (p *Preview) ImportDataValues(_ context.Context, s *DataValueSet, o DataValueOptions) (*DataValueReport, error) {
	body, err := encodeValues(s, p.Minor)
	if err != nil {
		return nil, &Error{Kind: Refused, Problem: diag.Problem{Message: "the data values cannot be put as JSON"},
			Err: err}
	}
	p.note(http.MethodPost, "dataValueSets", o.query(), body)
	return &DataValueReport{Completed: s.CompleteDate != ""}, nil
}

// Complete notes the registration or its withdrawal.
func (p *Preview) Complete(_ context.Context, x Completion) error {
	if x.undoes() {
		p.note(http.MethodDelete, "completeDataSetRegistrations", x.undoQuery(), nil)
		return nil
	}
	body, err := encodeCompletion(x)
	if err != nil {
		return &Error{Kind: Refused, Problem: diag.Problem{Message: "the completion cannot be put as JSON"}, Err: err}
	}
	p.note(http.MethodPost, "completeDataSetRegistrations", nil, body)
	return nil
}

// Reserve notes the reservation and answers with placeholders.
func (p *Preview) Reserve(_ context.Context, q ReserveQuery) ([]string, error) {
	p.note(http.MethodGet, "trackedEntityAttributes/"+q.Attribute+"/generateAndReserve", q.query(q.Count), nil)
	values := make([]string, q.Count)
	for i := range values {
		values[i] = fmt.Sprintf("(what DHIS2 generates, %d)", i+1)
	}
	return values, nil
}

// EventsOf finds nothing.
func (p *Preview) EventsOf(context.Context, []string, string) (map[string][]Event, error) {
	return nil, nil
}

// FindTrackedEntities notes the search and finds nobody.
func (p *Preview) FindTrackedEntities(_ context.Context, q FindQuery) ([]Found, error) {
	query := findQuery(q, q.Values, p.Minor)
	query.Set("page", strconv.Itoa(1))
	p.note(http.MethodGet, "tracker/trackedEntities", query, nil)
	return nil, nil
}

// TrackedEntities notes the reading and gives people of whom nothing is known but that they are there.
func (p *Preview) TrackedEntities(_ context.Context, uids []string, _ string) ([]TrackedEntity, error) {
	list := make([]TrackedEntity, len(uids))
	for n, uid := range uids {
		p.note(http.MethodGet, "tracker/trackedEntities/"+uid, nil, nil)
		list[n].TrackedEntity = uid
	}
	return list, nil
}

// Enrollments notes the reading and gives what was written before, or an enrollment of which
// nothing is known but that it is there.
func (p *Preview) Enrollments(_ context.Context, list []InProgram) ([]Enrollment, error) {
	out := make([]Enrollment, 0, len(list))
	for _, x := range list {
		e, written := p.enrollments[x.UID]
		if !written {
			e = Enrollment{Enrollment: x.UID, Program: x.Program}
			p.note(http.MethodGet, "tracker/enrollments/"+x.UID, nil, nil)
		}
		out = append(out, e)
	}
	return out, nil
}

// Events is to events what Enrollments is to enrollments.
func (p *Preview) Events(_ context.Context, list []InProgram) ([]Event, error) {
	out := make([]Event, 0, len(list))
	for _, x := range list {
		e, written := p.events[x.UID]
		if !written {
			e = Event{Event: x.UID, Program: x.Program}
			p.note(http.MethodGet, "tracker/events/"+x.UID, nil, nil)
		}
		out = append(out, e)
	}
	return out, nil
}
