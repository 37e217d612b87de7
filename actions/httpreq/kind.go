package httpreq

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/remote"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
)

// Name is how rule files name the action.
const Name = "http.request"

// ConnectionKind is the kind of connection that it writes to.
const ConnectionKind = "http"

// Kinds gives the kind of action of this package.
func Kinds(o actions.Options) []actions.Kind { return []actions.Kind{kind{o.Project}} }

type kind struct{ project string }

// Name implements actions.Kind, as the following methods do.
func (kind) Name() string { return Name }

// ConnectionKind implements actions.Placed.
func (kind) ConnectionKind() string { return ConnectionKind }

// Settings declares the keys.
func (kind) Settings() settings.Spec {
	return settings.Spec{Name: Name, Doc: "asks any web API: OpenMRS, a FHIR server, a gateway for text messages",
		Fields: []settings.Field{
			{Name: "connection", LeftOut: "the only one of its kind",
				Doc: "one of `connections:` in culvert.yaml: `http: https://...`. Requests go to its host and to no other"},
			{Name: "method", Type: settings.Word, Words: methods, Doc: "what is asked for"},
			{
				Name:     "path",
				Required: true,
				Hint:     "write what stands behind the connection's address, such as /Patient/{trigger.id}",
				Doc: "what stands behind the connection's address. `{expression}` is filled in, and escaped: a value never " +
					"leads elsewhere",
			},
			{Name: "query", Ref: "fields", Doc: "what stands behind the question mark, by name"},
			{Name: "headers", Ref: "fields", Doc: "headers by name, but those of the connection's credentials"},
			{Name: "json", Type: settings.Free, Schema: []string{"object", "array", "string"},
				Doc: "body in JSON: texts are expressions, `{value: text}` is a fixed value; a blank value is left out"},
			{Name: "form", Ref: "fields", Doc: "body as a web form, by name"},
			{Name: "text", Ref: "field", Doc: "body as plain text"},
			{Name: "content_type", LeftOut: "that of the body",
				Doc: "what the body is said to be, such as application/fhir+json"},
			{Name: "sample", Type: settings.Free, Schema: []string{"object"}, LeftOut: "status 200 and an empty body",
				Doc: "an answer to try and test with, `{status: 201, body: {...}}`, where later actions read it"},
			{Name: "external_id", Ref: "expression", LeftOut: "the record's id",
				Doc: "the person or case that it is about: the rule's key where it names none"},
			{Name: "success", Type: settings.Free, Schema: []string{"array"}, Each: &settings.Field{Type: settings.Whole},
				LeftOut: "200 to 299", Doc: "statuses that mean that it is done, such as [200, 201, 409]"},
			{Name: "retry", Type: settings.Free, Schema: []string{"array"}, Each: &settings.Field{Type: settings.Whole},
				LeftOut: "none more", Doc: "statuses after which it is tried again, beside 408, 425, 429 and those from 500 on"},
			{Name: "idempotency_header", Default: "Idempotency-Key",
				Doc: "header with a key of the record and its content, the same for each try, by which the other system can tell " +
					"what it has taken already; `none` for none"},
		}}
}

var methods = []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodGet}

// fixedHeaders are set by the connection and the client.
var fixedHeaders = []string{"Authorization", "Proxy-Authorization", "Host", "Content-Length", "Transfer-Encoding",
	"Connection", "Cookie", "Content-Type", "User-Agent", "Upgrade", "Te", "Trailer"}

// Compile checks an action.
func (k kind) Compile(spec *rules.ActionSpec) actions.Action {
	r := remote.Read(spec, k.Settings())
	a := &action{spec: spec, project: k.project, method: r.Word("method", methods...), external: r.Text("external_id"),
		query: r.Fields("query"), headers: r.Fields("headers"), idempotency: "Idempotency-Key"}
	a.path = readPath(r, spec.Body.Get("path"))
	for _, h := range a.headers {
		if name := http.CanonicalHeaderKey(h.Name); slices.Contains(fixedHeaders, name) || !validHeader(h.Name) {
			r.Fault(h.Place, "bad-header", "credentials belong to the connection, the type of the body behind content_type:",
				"the header %q cannot be set here", h.Name)
		}
	}
	a.readBody(r)
	a.sample = readSample(r)
	a.expect.Success, a.expect.Retry = statuses(r, "success"), statuses(r, "retry")
	if n := spec.Body.Get("idempotency_header"); !n.IsNull() {
		switch {
		case n.Value == "none":
			a.idempotency = ""
		case !validHeader(n.Value):
			r.Fault(
				n.Place(),
				"bad-header",
				"write a name such as Idempotency-Key, or none",
				"%q is no name of a header",
				n.Value,
			)
		default:
			a.idempotency = n.Value
		}
	}
	if r.Failed {
		return nil
	}
	spec.DeclareResult("status", "body", "location")
	return a
}

// readSample reads the answer that later actions read while the rule is tried.
func readSample(r *remote.Reader) map[string]any {
	out := map[string]any{"status": 200.0, "body": map[string]any{}, "location": ""}
	n := r.Spec.Body.Get("sample")
	if n.IsNull() {
		return out
	}
	for _, pair := range n.Pairs() {
		if _, known := out[pair.Key.Value]; !known {
			r.Fault(
				pair.Key.Place(),
				"unknown-key",
				"an answer has status, body and location",
				"an answer has no %q",
				pair.Key.Value,
			)
			continue
		}
		out[pair.Key.Value] = plainYAML(pair.Value)
	}
	return out
}

// plainYAML gives a value as it is written, numbers as JSON has them.
func plainYAML(n *yamlnode.Node) any {
	switch n.Kind {
	case yamlnode.Sequence:
		out := []any{}
		for _, item := range n.Items() {
			out = append(out, plainYAML(item))
		}
		return out
	case yamlnode.Mapping:
		out := map[string]any{}
		for _, pair := range n.Pairs() {
			out[pair.Key.Value] = plainYAML(pair.Value)
		}
		return out
	}
	switch v := literal(n).(type) {
	case int64:
		return float64(v)
	default:
		return v
	}
}

func validHeader(name string) bool {
	return name != "" && len(name) <= 100 && strings.IndexFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_'
	}) < 0
}

// statuses reads a list of statuses.
func statuses(r *remote.Reader, key string) (list []int) {
	n := r.Spec.Body.Get(key)
	if n.IsNull() {
		return nil
	}
	items := n.Items()
	if n.Kind == yamlnode.Scalar {
		items = []*yamlnode.Node{n}
	}
	for _, item := range items {
		status, err := strconv.Atoi(item.Value)
		if err != nil || status < 200 || status > 599 {
			r.Fault(item.Place(), "bad-status", "write numbers such as [200, 201]", "%q is no status of an answer", item.Value)
			continue
		}
		list = append(list, status)
	}
	return list
}

// readBody reads which body there is.
func (a *action) readBody(r *remote.Reader) {
	body := r.Spec.Body
	var had string
	for _, key := range []string{"json", "form", "text"} {
		n := body.Get(key)
		if n.IsNull() {
			continue
		}
		if had != "" {
			r.Fault(body.Key(key).Place(), "two-bodies", "keep one of them", "the request has two bodies, %s and %s", had, key)
			continue
		}
		had = key
	}
	switch had {
	case "json":
		a.json, a.contentType = readJSON(r, "json", body.Get("json"), 0), "application/json"
	case "form":
		a.form, a.contentType = r.Fields("form"), "application/x-www-form-urlencoded"
	case "text":
		a.text, a.contentType = r.Field("text", body.Get("text")), "text/plain; charset=utf-8"
	}
	if had != "" && (a.method == http.MethodGet || a.method == http.MethodDelete) {
		r.Fault(body.Key(had).Place(), "needless-body", "remove it, or write method: POST", "%s has no body", a.method)
	}
	if n := body.Get("content_type"); !n.IsNull() {
		if had == "" || n.Kind != yamlnode.Scalar || !strings.Contains(n.Value, "/") || strings.ContainsAny(n.Value, "\r\n") {
			r.Fault(
				n.Place(),
				"bad-value",
				"write a type such as application/fhir+json beside json:",
				"%q is the type of no body",
				n.Value,
			)
			return
		}
		a.contentType = n.Value
	}
}
