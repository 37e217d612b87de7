package schedule

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources/settings"
)

func readHTTP(c settings.Reader) *HTTP {
	h, ok := c.Sub("http")
	if !ok {
		return nil
	}
	h.Known("url", "params", "auth", "items", "next", "timeout")
	out := &HTTP{Params: params(h), Items: items(h), Timeout: h.Duration("timeout", defaultTimeout, time.Second, time.Hour)}
	out.URL = h.Required("url", "write the address to read, such as https://registry.example.org/api/people")
	if out.URL != "" && !strings.HasPrefix(out.URL, "${") {
		u, err := url.Parse(out.URL)
		switch n := h.Config.Get("url"); {
		case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
			h.Wrong(n, "bad-url", fmt.Sprintf("%q is no address", out.URL), "write it as https://host/path")
		case u.User != nil:
			h.Wrong(n, "secret-in-file", "the address holds credentials", "move them to auth:, as ${NAME}")
		default:
			checkPlaces(h, n, u)
		}
	}
	out.Auth = readAuth(h)
	out.Next = readNext(h)
	return out
}

// checkPlaces reports places in an address that are not replaced.
func checkPlaces(h settings.Reader, n *yamlnode.Node, u *url.URL) {
	for _, place := range unknownPlaces(n.Value) {
		h.Wrong(n, "params", fmt.Sprintf("%s is a place that does not exist", place), "use "+diag.Names(places, "or"))
	}
	if needsLast(u.Path) || needsLast(u.Host) {
		h.Wrong(n, "params", "the first run has no run before it, so {last} and {last_date} can stand behind the ? only, where they are left out then",
			"put it into params:, such as params: {since: \"{last}\"}")
	}
}

func readAuth(h settings.Reader) Auth {
	var a Auth
	r, ok := h.Sub("auth")
	if !ok {
		return a
	}
	r.Known("basic", "bearer", "header")
	if len(r.Config.Pairs()) != 1 {
		r.Wrong(r.Config, "bad-auth", "auth must name one way to log in", "one of basic, bearer or header")
		return a
	}
	secret := func(r settings.Reader, key string) string {
		text := r.Required(key, "write "+key+": ${NAME}, and set NAME in the environment")
		if text != "" && !strings.Contains(text, "${") {
			r.Wrong(r.Config.Get(key), "secret-in-file", key+" stands in the file, where everyone who can read the repository sees it", "write "+key+": ${NAME}, and set NAME in the environment")
		}
		return text
	}
	if b, ok := r.Sub("basic"); ok {
		b.Known("username", "password")
		a.Username, a.Password = b.Required("username", "write username: ${NAME}"), secret(b, "password")
	}
	if r.Has("bearer") {
		a.Bearer = secret(r, "bearer")
	}
	if b, ok := r.Sub("header"); ok {
		b.Known("name", "value")
		a.Header, a.Key = http.CanonicalHeaderKey(b.Required("name", "write name: X-API-Key")), secret(b, "value")
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
			h.Wrong(node, "next", fmt.Sprintf("next is not %q", node.Value), "write next: link, or next: {header: ...}, {field: ...} or {page: ...}")
		}
		return n
	}
	r, ok := h.Sub("next")
	if !ok {
		return n
	}
	r.Known("header", "field", "param", "page", "first")
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
	n.First = r.Whole("first", 1, 0, 1)
	if f := r.Config.Get("field"); f != nil {
		program := compile(r, f, expression.Text)
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
