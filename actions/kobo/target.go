package kobo

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/remote"
	"github.com/culvert/culvert/rules/diag"
)

// mark is the status of one submission.
type mark struct {
	action             *action
	submission, status string
	uid                string // of the status; a blank to take it away
	name               string
	digest             uint64
}

// Label implements actions.Object, as Describe does.
func (*mark) Label() string { return "validation status in KoboToolbox" }

// Describe gives it by the names of the rule.
func (w *mark) Describe() map[string]any {
	return map[string]any{"submission": w.submission, "status": strings.TrimPrefix(w.status, "validation_status_")}
}

// Name implements remote.Write, as the following methods do.
func (w *mark) Name() string   { return w.name }
func (w *mark) Digest() uint64 { return w.digest }
func (*mark) Always() bool     { return false }

// call is the request.
func (w *mark) call() remote.Call {
	c := remote.Call{Method: http.MethodPatch, Header: http.Header{"Accept": {"application/json"}},
		Path: "api/v2/assets/" + w.action.asset + "/data/" + w.submission + "/validation_status/"}
	if w.uid == " " {
		c.Method = http.MethodDelete
		return c
	}
	c.Body, _ = json.Marshal(map[string]string{"validation_status.uid": w.uid}) // a text can always be written
	c.Header.Set("Content-Type", "application/json")
	return c
}

// Request implements actions.Requesting.
func (w *mark) Request() actions.Request {
	c := w.call()
	return actions.Request{Method: c.Method, Path: "/" + c.Path, Body: c.Body}
}

// NewTarget gives the target of a server.
func NewTarget(c actions.Connection, o actions.TargetOptions) (actions.Target, error) {
	client, err := remote.New(c, func(u *url.URL) *url.URL {
		at := *u
		path, _, _ := strings.Cut(u.Path+"/", "/api/") // people copy the address from their browser
		at.Path, at.RawPath = path, ""
		return &at
	}, o)
	if err != nil {
		return nil, err
	}
	return &remote.Target{Sender: sender{client}, Memory: o.Memory, Host: "KoboToolbox"}, nil
}

type sender struct{ *remote.Client }

// Send marks one submission after the other: what KoboToolbox says of several at once does not tell
// which of them it did not find.
func (s sender) Send(ctx context.Context, writes []remote.Write) []actions.Outcome {
	out := make([]actions.Outcome, len(writes))
	for i, w := range writes {
		m := w.(*mark)
		out[i] = outcome(s.Do(ctx, m.call()))
		if out[i].Status == actions.Delivered {
			out[i].ObjectID = m.submission
		}
		if c := out[i].Class; c == actions.ClassServer || c == actions.ClassCredentials {
			for n := i + 1; n < len(writes); n++ {
				out[n] = out[i]
			}
			break
		}
	}
	return out
}

func outcome(a remote.Answer) actions.Outcome {
	o := remote.Expect{}.Outcome("KoboToolbox", a)
	switch a.Status {
	case http.StatusNotFound:
		o.Class = actions.ClassGone
		o.Problem = diag.Problem{Code: "submission-missing", Message: "KoboToolbox has no such submission in the project",
			Hint: "it was deleted, or asset: names another project; dismiss it, or correct the rule and replay"}
	case http.StatusForbidden:
		o.Problem = diag.Problem{
			Code:    "forbidden",
			Message: "the connection's user may not validate submissions of the project",
			Hint:    "share the project with the right to validate submissions, then replay",
		}
	}
	return o
}

// Check cannot be: the API does not try.
func (sender) Check(context.Context, []remote.Write) []actions.Outcome { return nil }

// Ping asks for one project.
func (s sender) Ping(ctx context.Context) remote.Answer {
	return s.Do(ctx, remote.Call{Method: http.MethodGet, Path: "api/v2/assets/",
		Query: url.Values{"format": {"json"}, "limit": {"1"}}, JSON: true})
}
