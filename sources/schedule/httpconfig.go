package schedule

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
)

// requestFields declares the keys of what is asked for.
func requestFields() []settings.Field {
	return []settings.Field{
		{Name: "url", Required: true, Hint: "write the address to read, such as https://registry.example.org/api/people",
			Doc: "the address to read; places as in params"},
		{Name: "params", Type: settings.Mapping, LeftOut: "none",
			Doc: "parameters, in which {last}, {last_date}, {due} and {due_date} stand for the time of the run before, and " +
				"of this one"},
		{Name: "auth", Type: settings.Mapping, LeftOut: "none", Doc: "how the request shows who asks, in one way",
			Fields: []settings.Field{
				{Name: "basic", Type: settings.Mapping, LeftOut: "none", Doc: "a name and a password", Fields: []settings.Field{
					{Name: "username", Required: true, Hint: "write username: ${NAME}", Doc: "the name"},
					{Name: "password", Type: settings.Secret, Required: true,
						Hint: "write password: ${NAME}, and set NAME in the environment", Doc: "the password, as ${NAME}"},
				}},
				{Name: "bearer", Type: settings.Secret, LeftOut: "none", Doc: "a token, as ${NAME}"},
				{Name: "header", Type: settings.Mapping, LeftOut: "none", Doc: "a header of its own", Fields: []settings.Field{
					{Name: "name", Required: true, Hint: "write name: X-API-Key", Doc: "the header, such as X-API-Key"},
					{Name: "value", Type: settings.Secret, Required: true,
						Hint: "write value: ${NAME}, and set NAME in the environment", Doc: "its value, as ${NAME}"},
				}},
			}},
		{Name: "timeout", Type: settings.Duration, Default: "2m", Least: time.Second, Most: time.Hour,
			Doc: "how long one request may take; a file has to begin to come within it"},
	}
}

// httpFields declares the keys of http.
func httpFields() []settings.Field {
	return append(requestFields(), []settings.Field{
		{Name: "form", Type: settings.Mapping, LeftOut: "it is asked with GET",
			Doc: "fields of a form, with which the address is asked by POST, as REDCap wants it; places as in params, and " +
				"secrets as ${NAME}"},
		{Name: "items", Type: settings.Expression, LeftOut: "the items of a list, or the reply itself",
			Doc: "an expression on the reply that gives the records"},
		{Name: "next", Type: settings.Mapping, Schema: []string{"string", "object"}, Words: []string{"link"},
			LeftOut: "there is one page",
			Doc:     "how the next page is found: `link` for the header Link, or in one of these ways", Fields: []settings.Field{
				{Name: "header", LeftOut: "none", Doc: "in a header of this name"},
				{Name: "field", Type: settings.Expression, LeftOut: "none", Doc: "by an expression on the reply"},
				{Name: "param", LeftOut: "it is an address", Doc: "what was found is the value of this parameter"},
				{Name: "page", LeftOut: "none", Doc: "a parameter that counts pages, until one holds no items"},
				{Name: "first", Type: settings.Whole, Default: "1", Min: 0, Max: 1, Doc: "the first value of page"},
			}},
	}...)
}

func readHTTP(c settings.Reader) *HTTP {
	h, ok := c.Sub("http")
	if !ok {
		return nil
	}
	return &HTTP{Request: readRequest(h), Form: params(h, "form"), Items: items(h), Next: readNext(h)}
}

func readRequest(h settings.Reader) Request {
	out := Request{Params: params(h, "params"), Timeout: h.Duration("timeout"), URL: h.Text("url"), Auth: readAuth(h)}
	if out.URL == "" || strings.HasPrefix(out.URL, "${") {
		return out
	}
	u, err := url.Parse(out.URL)
	switch n := h.Config.Get("url"); {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		h.Wrong(n, "bad-url", fmt.Sprintf("%q is no address", out.URL), "write it as https://host/path")
	case u.User != nil:
		h.Wrong(n, "secret-in-file", "the address holds credentials", "move them to auth:, as ${NAME}")
	default:
		checkPlaces(h, n, u)
	}
	return out
}

// checkPlaces reports places in an address that are not replaced.
func checkPlaces(h settings.Reader, n *yamlnode.Node, u *url.URL) {
	for _, place := range unknownPlaces(n.Value) {
		h.Wrong(n, "params", fmt.Sprintf("%s is a place that does not exist", place), "use "+diag.Names(places, "or"))
	}
	if needsLast(u.Path) || needsLast(u.Host) {
		h.Wrong(n, "params", "the first run has no run before it, so {last} and {last_date} can stand behind the ? only, "+
			"where they are left out then",
			"put it into params:, such as params: {since: \"{last}\"}")
	}
}

func readAuth(h settings.Reader) Auth {
	var a Auth
	r, ok := h.Sub("auth")
	if !ok {
		return a
	}
	if len(r.Config.Pairs()) != 1 {
		r.Wrong(r.Config, "bad-auth", "auth must name one way to log in", "one of basic, bearer or header")
		return a
	}
	if b, ok := r.Sub("basic"); ok {
		a.Username, a.Password = b.Text("username"), b.Credential("password")
	}
	a.Bearer = r.Credential("bearer")
	if b, ok := r.Sub("header"); ok {
		a.Header, a.Key = http.CanonicalHeaderKey(b.Text("name")), b.Credential("value")
	}
	return a
}

func readNext(h settings.Reader) Next {
	var n Next
	node := h.Config.Get("next")
	if node == nil {
		return n
	}
	if node.Kind == yamlnode.Scalar {
		if n.Link = node.Value == "link"; !n.Link {
			h.Wrong(node, "next", fmt.Sprintf("next is not %q", node.Value),
				"write next: link, or next: {header: ...}, {field: ...} or {page: ...}")
		}
		return n
	}
	r, ok := h.Sub("next")
	if !ok {
		return n
	}
	ways := 0
	for _, key := range []string{"header", "field", "page"} {
		if r.Has(key) {
			ways++
		}
	}
	if ways != 1 {
		r.Wrong(node, "next", "next says in one way how the next page is found", "keep one of header, field and page")
	}
	n.Header, n.Page, n.Param = r.Text("header"), r.Text("page"), r.Text("param")
	n.First = r.Whole("first")
	if r.Has("field") {
		program := r.Program("field", expression.Text)
		n.Field = func(reply any) (string, error) {
			if program == nil {
				return "", nil
			}
			v, err := program.Run(expression.Env{"trigger": reply})
			if err != nil || v == nil {
				return "", err
			}
			return fmt.Sprint(v), nil
		}
	}
	return n
}
