package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/diag"
)

// ImportTracker sends a tracker import and reads its reply per object. The error is an *Error when
// the request failed as a whole.
//
// DHIS2 2.38 to 2.44 answer status OK in atomic mode OBJECT however many objects they refuse, so
// only the report per object counts. With Rehearse, Written holds what would be written. A
// relationship that is there already counts as written.
func (c *Client) ImportTracker(ctx context.Context, p *TrackerPayload, o TrackerOptions) (*TrackerReport, error) {
	minor, err := c.writable(ctx)
	if err != nil {
		return nil, err
	}
	body, err := encodePayload(p, minor, o)
	if err != nil {
		return nil, &Error{Kind: Refused,
			Problem: diag.Problem{Message: "a write cannot be put as JSON: " + err.Error(),
				Hint: "look for a geometry that is no GeoJSON"}, Err: err}
	}
	a, err := c.do(ctx, request{method: http.MethodPost, path: "tracker", query: o.query(), body: body})
	if err != nil {
		return nil, err
	}
	if o.Async {
		if a, err = c.awaitJob(ctx, a); err != nil {
			return nil, err
		}
	}
	report, err := c.readReport(a)
	if err != nil {
		return nil, err
	}
	report.followParents(p)
	if o.Rehearse {
		report.assumeWritten(p)
	}
	return report, nil
}

// query spells every mode out: defaults differ, and async=false is recognised by 2.41 and before
// only in exactly these letters.
func (o TrackerOptions) query() url.Values {
	q := url.Values{
		"async": {"false"}, "atomicMode": {"OBJECT"}, "importStrategy": {"CREATE_AND_UPDATE"}, "reportMode": {"WARNINGS"},
	}
	if o.Async {
		q.Set("async", "true")
	}
	if o.AllOrNothing {
		q.Set("atomicMode", "ALL")
	}
	if o.CreateOnly {
		q.Set("importStrategy", "CREATE")
	}
	if o.Delete {
		q.Set("importStrategy", "DELETE")
	}
	if o.Rehearse {
		q.Set("importMode", "VALIDATE")
	}
	for name, on := range map[string]bool{
		"skipRuleEngine": o.SkipRuleEngine, "skipSideEffects": o.SkipSideEffects,
		"skipPatternValidation": o.SkipPatternValidation,
	} {
		if on {
			q.Set(name, "true")
		}
	}
	return q
}

// awaitJob polls an asynchronous import until its report is there.
func (c *Client) awaitJob(ctx context.Context, accepted *answer) (*answer, error) {
	if err := c.refusal(accepted); err != nil {
		return nil, err
	}
	var m struct {
		Response struct {
			ID string `json:"id"`
		} `json:"response"`
	}
	if err := json.Unmarshal(accepted.body, &m); err != nil || m.Response.ID == "" {
		return nil, c.brokenReply(accepted, errors.New("it names no job"))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.wait, errTooSlow)
	defer cancel()
	pause := c.poll
	completed := 0
	for {
		if err := sleep(ctx, pause); err != nil {
			return nil, c.jobUnknown(m.Response.ID, err)
		}
		pause = min(pause*2, c.poll*10)
		state, err := c.jobState(ctx, m.Response.ID)
		if err != nil || state == jobRunning {
			if fatal(err) {
				return nil, err
			}
			continue
		}
		a, err := c.do(ctx, request{method: http.MethodGet, path: "tracker/jobs/" + m.Response.ID + "/report",
			query: url.Values{"reportMode": {"WARNINGS"}}})
		if err == nil && a.status == http.StatusOK {
			return a, nil
		}
		if fatal(err) {
			return nil, err
		}
		// The report comes a moment after the job says that it is done, or never when the job died.
		if completed++; completed == 5 {
			return nil, c.jobUnknown(m.Response.ID, errors.New("the job ended without a report"))
		}
	}
}

// States of a job.
const (
	jobRunning = iota
	jobEnded
)

func (c *Client) jobState(ctx context.Context, id string) (int, error) {
	var notes []struct {
		Completed bool   `json:"completed"`
		Level     string `json:"level"`
	}
	if err := c.Get(ctx, "tracker/jobs/"+id, nil, &notes); err != nil {
		return jobRunning, err
	}
	for _, n := range notes {
		if n.Completed || n.Level == "ERROR" {
			return jobEnded, nil
		}
	}
	return jobRunning, nil
}

// fatal tells whether asking again about a job is of no use.
func fatal(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Kind == Unauthorized || e.Kind == Forbidden)
}

func (c *Client) jobUnknown(id string, err error) *Error {
	return &Error{Kind: Unreachable, Err: err,
		Problem: diag.Problem{Message: fmt.Sprintf("what became of the import job %s at %s is not known",
			id, c.name),
			Hint: "it is sent again by itself, which changes nothing that has been written"}}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// encodePayload writes the payload as a server of the version takes it.
func encodePayload(p *TrackerPayload, minor int, o TrackerOptions) ([]byte, error) {
	w := wirePayload{TrackedEntities: wireEntities(p.TrackedEntities, minor),
		Enrollments: wireEnrollments(p.Enrollments, minor),
		Events:      wireEvents(p.Events, minor), Relationships: p.Relationships}
	if !o.Delete {
		w.fillIn()
	}
	return json.Marshal(w)
}

// statusByDefault is what DHIS2 means by an enrollment or event without a status.
const statusByDefault = "ACTIVE"

// fillIn says what DHIS2 would assume: 2.42 and 2.43 answer 500 to the whole request where the
// status is missing in some places.
func (w *wirePayload) fillIn() {
	for i := range w.TrackedEntities {
		fillInEnrollments(w.TrackedEntities[i].Enrollments)
	}
	fillInEnrollments(w.Enrollments)
	fillInEvents(w.Events)
}

func fillInEnrollments(list []wireEnrollment) {
	for i := range list {
		list[i].Status = orElse(list[i].Enrollment.Status, statusByDefault)
		fillInEvents(list[i].Events)
	}
}

func fillInEvents(list []wireEvent) {
	for i := range list {
		list[i].Status = orElse(list[i].Event.Status, statusByDefault)
	}
}

// The wire types differ from the exported ones where versions differ.
type wirePayload struct {
	TrackedEntities []wireEntity     `json:"trackedEntities,omitempty"`
	Enrollments     []wireEnrollment `json:"enrollments,omitempty"`
	Events          []wireEvent      `json:"events,omitempty"`
	Relationships   []Relationship   `json:"relationships,omitempty"`
}

type wireEntity struct {
	*TrackedEntity
	Enrollments []wireEnrollment `json:"enrollments,omitempty"`
}

type wireEnrollment struct {
	*Enrollment
	Status string      `json:"status,omitempty"`
	Events []wireEvent `json:"events,omitempty"`
}

type wireEvent struct {
	*Event
	Status          string `json:"status,omitempty"`
	FollowUp        bool   `json:"followUp,omitempty"` // from 2.41
	Followup        bool   `json:"followup,omitempty"` // to 2.40
	CategoryOptions string `json:"attributeCategoryOptions,omitempty"`
}

func wireEntities(list []TrackedEntity, minor int) []wireEntity {
	out := make([]wireEntity, len(list))
	for i := range list {
		out[i] = wireEntity{&list[i], wireEnrollments(list[i].Enrollments, minor)}
	}
	return out
}

func wireEnrollments(list []Enrollment, minor int) []wireEnrollment {
	out := make([]wireEnrollment, len(list))
	for i := range list {
		out[i] = wireEnrollment{Enrollment: &list[i], Status: list[i].Status, Events: wireEvents(list[i].Events, minor)}
	}
	return out
}

func wireEvents(list []Event, minor int) []wireEvent {
	out := make([]wireEvent, len(list))
	for i := range list {
		e := &list[i]
		w := wireEvent{Event: e, Status: e.Status}
		if minor <= 40 {
			w.Followup = e.FollowUp
			w.CategoryOptions = strings.Join(e.AttributeCategoryOptions, ";")
		} else {
			w.FollowUp = e.FollowUp
			w.CategoryOptions = strings.Join(e.AttributeCategoryOptions, ",")
		}
		out[i] = w
	}
	// DHIS2 finds the users of events up to the first event without one, and says that those behind it do not
	// exist, where they are named by uid (AssignedUserPreprocessor).
	slices.SortStableFunc(out, func(a, b wireEvent) int {
		switch {
		case (a.AssignedUser == nil) == (b.AssignedUser == nil):
			return 0
		case a.AssignedUser != nil:
			return -1
		}
		return 1
	})
	return out
}
