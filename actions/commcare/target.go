package commcare

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/remote"
	"github.com/culvert/culvert/rules/diag"
)

// maxCases is how many cases CommCare takes in one request.
const maxCases = 100

// casePath is the Case API v2, below the address of a project space.
const casePath = "api/case/v2/"

// NewTarget gives the target of a project space.
func NewTarget(c actions.Connection, o actions.TargetOptions) (actions.Target, error) {
	client, err := remote.New(c, func(u *url.URL) *url.URL {
		at := *u
		// People copy the address from their browser, where it goes on with /a/ and the project space.
		path, _, _ := strings.Cut(u.Path+"/", "/a/")
		at.Path, at.RawPath = strings.TrimRight(path, "/")+"/a/"+c.Domain, ""
		return &at
	}, o)
	if err != nil {
		return nil, err
	}
	return &remote.Target{Sender: sender{client}, Memory: o.Memory, Host: "CommCare HQ"}, nil
}

type sender struct{ *remote.Client }

// bulk is an update in a request of many.
type bulk struct {
	Create bool `json:"create"`
	body
}

// request gives the request of one case alone. A case that may have to be created is named by its
// external id: a repeat finds it then.
func (w *update) request() (method, path string, text []byte) {
	if !w.action.creates {
		text, _ = json.Marshal([]bulk{{body: w.body}})
		return http.MethodPost, casePath, text
	}
	alone := w.body
	alone.ExternalID = ""
	text, _ = json.Marshal(alone)
	return http.MethodPut, casePath + "ext/" + url.PathEscape(w.body.ExternalID) + "/", text
}

// Send sends updates in bulk. All cases of a request are taken or none: one that is refused is found
// by halves, so that the others are not held up.
func (s sender) Send(ctx context.Context, writes []remote.Write) []actions.Outcome {
	out := make([]actions.Outcome, len(writes))
	var many []int
	for i, w := range writes {
		switch {
		case stopped(out[:i]) != nil:
			out[i] = *stopped(out[:i])
		case w.(*update).action.creates:
			out[i] = s.alone(ctx, w.(*update))
		default:
			many = append(many, i)
		}
	}
	for len(many) > 0 {
		n := min(len(many), maxCases)
		s.together(ctx, writes, many[:n], out)
		many = many[n:]
	}
	return out
}

// stopped gives the outcome after which nothing more is tried, nil when there is none.
func stopped(outcomes []actions.Outcome) *actions.Outcome {
	for i := range outcomes {
		if c := outcomes[i].Class; c == actions.ClassServer || c == actions.ClassCredentials {
			return &outcomes[i]
		}
	}
	return nil
}

func (s sender) together(ctx context.Context, writes []remote.Write, at []int, out []actions.Outcome) {
	if o := stopped(out); o != nil {
		for _, i := range at {
			out[i] = *o
		}
		return
	}
	list := make([]bulk, len(at))
	for n, i := range at {
		list[n].body = writes[i].(*update).body
	}
	text, err := json.Marshal(list)
	if err != nil {
		text = []byte("[]")
	}
	needed := slices.ContainsFunc(at, func(i int) bool { return writes[i].Always() })
	a := s.call(ctx, http.MethodPost, casePath, text, needed)
	if a.Status/100 == 2 {
		ids := casesOf(a.Body)
		for n, i := range at {
			out[i] = actions.Outcome{Status: actions.Delivered, ObjectID: writes[i].(*update).body.CaseID}
			if n < len(ids) && len(ids) == len(at) {
				out[i].ObjectID = ids[n]
			}
		}
		return
	}
	o := outcome(a)
	if len(at) > 1 && o.Class != actions.ClassServer && o.Class != actions.ClassCredentials {
		s.together(ctx, writes, at[:len(at)/2], out)
		s.together(ctx, writes, at[len(at)/2:], out)
		return
	}
	for _, i := range at {
		out[i] = o
	}
}

// alone creates or updates one case by its external id.
func (s sender) alone(ctx context.Context, w *update) actions.Outcome {
	method, path, text := w.request()
	a := s.call(ctx, method, path, text, w.Always())
	if a.Status/100 != 2 {
		return outcome(a)
	}
	o := actions.Outcome{Status: actions.Delivered}
	if ids := casesOf(a.Body); len(ids) == 1 {
		o.ObjectID = ids[0]
	}
	return o
}

func (s sender) call(ctx context.Context, method, path string, text []byte, needed bool) remote.Answer {
	return s.Do(ctx, remote.Call{Method: method, Path: path, Body: text, Needed: needed, JSON: true,
		Header: http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}}})
}

// casesOf gives the ids of the cases of an answer, in the order of the request.
func casesOf(text []byte) (ids []string) {
	type answered struct {
		ID string `json:"case_id"`
	}
	var reply struct {
		Case  *answered  `json:"case"`
		Cases []answered `json:"cases"`
	}
	if json.Unmarshal(text, &reply) != nil {
		return nil
	}
	if reply.Case != nil {
		reply.Cases = append(reply.Cases, *reply.Case)
	}
	for _, c := range reply.Cases {
		ids = append(ids, c.ID)
	}
	return ids
}

// outcome says what an answer that is no success means.
func outcome(a remote.Answer) actions.Outcome {
	o := remote.Expect{}.Outcome("CommCare HQ", a)
	said := remote.Sentence(a)
	switch {
	case a.Status == http.StatusBadRequest && (strings.Contains(said, "No case found") ||
		strings.Contains(said, "Could not find a case")):
		o.Status, o.Class = actions.Retry, actions.ClassParent
		o.Problem = diag.Problem{Code: "case-missing", Message: "CommCare HQ has no such case (yet)",
			Hint: "it is tried again by itself; correct case_id or external_id when the case is never to come"}
	case a.Status == http.StatusBadRequest && strings.Contains(said, "multiple cases"):
		o.Class = actions.ClassConflict
		o.Problem = diag.Problem{Code: "case-ambiguous", Message: "several cases on CommCare HQ have this external id",
			Hint: "close or change all but one, or name the case by case_id; then replay"}
	case a.Status == http.StatusBadRequest:
		o.Problem = diag.Problem{Code: "case-refused", Message: "CommCare HQ refuses the case",
			Hint: "the record's particulars hold what it said; correct the record or the rule, then replay"}
	case a.Status == http.StatusForbidden && !strings.Contains(said, "permission for Case"),
		a.Status == http.StatusNotFound:
		// It is said of all cases alike: nothing of the record is wrong.
		o.Status, o.Class = actions.Retry, actions.ClassCredentials
		o.Problem = diag.Problem{Code: "no-case-api", Message: "CommCare HQ does not let the connection's user write cases",
			Hint: "check domain: of the connection, the user's role (edit data, API access) and that the project's plan has APIs"}
	}
	return o
}

// Check cannot be: the API does not try.
func (sender) Check(context.Context, []remote.Write) []actions.Outcome { return nil }

// Ping asks for one case.
func (s sender) Ping(ctx context.Context) remote.Answer {
	a := s.Do(ctx, remote.Call{Method: http.MethodGet, Path: casePath, Query: url.Values{"limit": {"1"}}, JSON: true})
	if a.Status == http.StatusForbidden || a.Status == http.StatusNotFound {
		a.Status = http.StatusUnauthorized
	}
	return a
}
