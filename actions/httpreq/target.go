package httpreq

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/remote"
)

// maxResult bounds what of an answer later actions may read, in bytes.
const maxResult = 16 << 10

// NewTarget gives the target of a connection.
func NewTarget(c actions.Connection, o actions.TargetOptions) (actions.Target, error) {
	client, err := remote.New(c, nil, o)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(client.URL())
	if err != nil {
		return nil, err
	}
	return &remote.Target{Sender: sender{client, u.Host}, Memory: o.Memory, Host: u.Host}, nil
}

type sender struct {
	*remote.Client
	host string
}

// Send makes one request after the other; once the system is away, the others wait.
func (s sender) Send(ctx context.Context, writes []remote.Write) []actions.Outcome {
	out := make([]actions.Outcome, len(writes))
	for i, w := range writes {
		r := w.(*request)
		a := s.Do(ctx, remote.Call{Method: r.action.method, Path: r.path, Query: r.query, Header: r.header, Body: r.body,
			Needed: r.Always(), JSON: r.wantsJSON()})
		out[i] = r.action.expect.Outcome(s.host, a)
		if out[i].Status == actions.Delivered {
			out[i].Result = result(r, a)
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

// wantsJSON tells whether the answer can be no page: JSON was sent, or is read of the answer, or is asked
// for by the rule's own Accept. A gateway that takes forms may well answer with a page.
func (r *request) wantsJSON() bool {
	accept := ""
	for _, f := range r.action.headers {
		if http.CanonicalHeaderKey(f.Name) == "Accept" {
			accept = r.header.Get("Accept")
		}
	}
	if strings.Contains(accept, "html") {
		return false
	}
	return r.action.json != nil || r.action.spec.ID != "" || r.action.method == http.MethodGet ||
		strings.Contains(accept, "json")
}

// result is what later actions may read of an answer.
func result(r *request, a remote.Answer) map[string]any {
	if r.action.spec.ID == "" {
		return nil
	}
	out := map[string]any{"status": float64(a.Status)}
	if at := a.Header.Get("Location"); at != "" && len(at) < 1000 {
		out["location"] = at
	}
	var v any
	if len(a.Body) <= maxResult && json.Unmarshal(a.Body, &v) == nil {
		out["body"] = v
	}
	return out
}

// Check cannot be: no API can be asked without doing.
func (sender) Check(context.Context, []remote.Write) []actions.Outcome { return nil }

// Ping asks for the head of the connection's address.
func (s sender) Ping(ctx context.Context) remote.Answer {
	return s.Do(ctx, remote.Call{Method: http.MethodHead, Path: "/"})
}

// Ping asks a connection for something small.
func Ping(ctx context.Context, c actions.Connection, o actions.TargetOptions) error {
	t, err := NewTarget(c, o)
	if err != nil {
		return err
	}
	return t.Probe(ctx)
}
