package httpreq

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/remote"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// action is a compiled action.
type action struct {
	spec        *rules.ActionSpec
	project     string
	method      string
	path        *path
	query       []*rules.Field
	headers     []*rules.Field
	json        *node
	form        []*rules.Field
	text        *rules.Field
	contentType string
	external    *rules.Expr
	expect      remote.Expect
	idempotency string
	sample      map[string]any
}

// Key implements actions.Action, as Plan does.
func (a *action) Key() *rules.Expr { return a.external }

// Plan makes the requests of a record.
func (a *action) Plan(s *rules.Scope) ([]actions.Write, error) {
	var writes []actions.Write
	err := a.spec.Each(s, func(s *rules.Scope) error {
		w, err := a.request(s)
		if err == nil {
			if a.spec.ID != "" {
				s.SetResult(a.spec.ID, a.sample)
			}
			writes = append(writes, actions.Write{Action: a.spec.Number, Place: a.spec.Place, Object: w})
		}
		return err
	})
	return writes, err
}

func (a *action) request(s *rules.Scope) (*request, error) {
	w := &request{action: a, header: http.Header{}, query: url.Values{}}
	var err error
	if w.path, err = a.path.eval(s); err != nil {
		return nil, err
	}
	for _, f := range a.query {
		text, ok, _, err := remote.TextOf(f, s)
		if err != nil {
			return nil, err
		}
		if ok {
			w.query.Set(f.Name, text)
		}
	}
	for _, f := range a.headers {
		text, ok, _, err := remote.TextOf(f, s)
		if err != nil {
			return nil, err
		}
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return nil, &rules.Failure{Problem: diag.Problem{Code: "bad-header", Field: f.Name, Place: f.Place,
				Column: f.Column(), Value: text, Message: "the value of a header holds a line break or a control sign",
				Hint: "send it in the body"}}
		}
		if ok {
			w.header.Set(f.Name, text)
		}
	}
	if err := w.fill(s); err != nil {
		return nil, err
	}
	if len(w.body) > remote.MaxBody {
		return nil, &rules.Failure{Problem: diag.Problem{Code: "too-large", Place: a.spec.Place,
			Message: fmt.Sprintf(
				"the body of the request has %d bytes; %d is the most that is sent",
				len(w.body),
				remote.MaxBody,
			),
			Hint: "send less of the record"}}
	}
	id := a.spec.ID
	if id == "" {
		id = strconv.Itoa(a.spec.Number)
	}
	if a.method != http.MethodGet {
		w.name = remote.HashName(ConnectionKind, a.project, a.spec.Rule().Records(), id, s.RecordID(), s.Position())
	}
	w.digest = remote.Digest(a.method, w.path, w.query.Encode(), headerText(w.header), string(w.body))
	if a.idempotency != "" && a.method != http.MethodGet {
		key := remote.HashName("", w.name, strconv.FormatUint(w.digest, 16))[1:]
		w.header[http.CanonicalHeaderKey(a.idempotency)] = []string{key}
	}
	if a.contentType != "" {
		w.header.Set("Content-Type", a.contentType)
	}
	if w.header.Get("Accept") == "" {
		w.header.Set("Accept", "application/json, */*;q=0.5")
	}
	return w, nil
}

func headerText(h http.Header) string {
	var lines []string
	for name, values := range h {
		lines = append(lines, name+":"+strings.Join(values, ","))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// fill makes the body.
func (w *request) fill(s *rules.Scope) error {
	a := w.action
	switch {
	case a.json != nil:
		v, _, err := a.json.eval(s)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			return &rules.Failure{Problem: diag.Problem{Code: "bad-body", Place: a.spec.Place,
				Message: "the body cannot be written as JSON", Hint: "send values that are text, numbers, lists or objects"}}
		}
		w.body, w.shown = bytes.TrimRight(b.Bytes(), "\n"), v
	case a.form != nil:
		form, shown := url.Values{}, map[string]any{}
		for _, f := range a.form {
			text, ok, clear, err := remote.TextOf(f, s)
			if err != nil {
				return err
			}
			if ok || clear {
				form.Set(f.Name, text)
				shown[f.Name] = text
			}
		}
		w.body, w.shown = []byte(form.Encode()), shown
	case a.text != nil:
		text, _, _, err := remote.TextOf(a.text, s)
		if err != nil {
			return err
		}
		w.body, w.shown = []byte(text), text
	}
	return nil
}

func number(text string) any {
	if n, err := strconv.ParseInt(text, 0, 64); err == nil {
		return n
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		return f
	}
	return text
}

// request is what is asked for one record, or one item of it.
type request struct {
	action *action
	path   string
	query  url.Values
	header http.Header
	body   []byte
	shown  any // the body, for tests and try
	name   string
	digest uint64
}

// Label implements actions.Object. The path as the rule has it holds nothing of the record.
func (w *request) Label() string {
	return "request " + w.action.method + " " + w.action.spec.Body.Get("path").Value
}

// Describe gives it by the names of the rule.
func (w *request) Describe() map[string]any {
	out := map[string]any{"request": w.action.method + " " + w.path}
	if len(w.query) > 0 {
		query := map[string]any{}
		for name := range w.query {
			query[name] = w.query.Get(name)
		}
		out["query"] = query
	}
	if len(w.action.headers) > 0 {
		headers := map[string]any{}
		for _, f := range w.action.headers {
			if v := w.header.Get(f.Name); v != "" {
				headers[f.Name] = v
			}
		}
		out["headers"] = headers
	}
	switch {
	case w.action.json != nil:
		out["json"] = w.shown
	case w.action.form != nil:
		out["form"] = w.shown
	case w.action.text != nil:
		out["text"] = w.shown
	}
	return out
}

// Name implements remote.Write, as the following methods do.
func (w *request) Name() string   { return w.name }
func (w *request) Digest() uint64 { return w.digest }

// Always: what later actions read of the answer is not kept, so that it is asked for again.
func (w *request) Always() bool { return w.action.spec.ID != "" }

// Request implements actions.Requesting.
func (w *request) Request() actions.Request {
	r := actions.Request{Method: w.action.method, Path: w.path, Query: map[string]string{}}
	for name := range w.query {
		r.Query[name] = w.query.Get(name)
	}
	if w.action.json != nil {
		r.Body = w.body
	}
	return r
}
