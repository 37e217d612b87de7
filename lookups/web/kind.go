// Package web answers lookups from web APIs that give JSON: one request a value, one for many values,
// or a whole list that is read once and looked into.
package web

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/culvert/culvert/lookups"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/jsonpath"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources/httpget"
)

// Kind is the lookup in: http.
type Kind struct{}

const collection = "http"

// Collections implements rules.AskedKind.
func (Kind) Collections() []string { return []string{collection} }

// Keys implements rules.AskedKind.
func (Kind) Keys(string) []settings.Field { return fields() }

const (
	maxBatch       = 1000
	defaultTimeout = "30s"
)

// fields declares the keys of a lookup.
func fields() []settings.Field {
	return append([]settings.Field{
		lookups.ConnectionField("name one of connections: in culvert.yaml, of kind http"),
		{Name: "path", LeftOut: "the connection's own address",
			Doc: "what is asked for, behind the connection's address; `{code}` stands for the value of code in `where`. " +
				"Without such places it is the whole list, which `where` is looked for in"},
		{Name: "params", Type: settings.Mapping, LeftOut: "none", Doc: "parameters of the address; places as in path"},
		{Name: "body", Type: settings.Mapping, LeftOut: "it is asked with GET",
			Doc: "JSON that is sent with POST; a text that is a place alone, such as `{code}`, becomes the value, or with " +
				"batch the list of values"},
		{Name: "items", LeftOut: "the reply itself",
			Doc: "where the list of what was found stands in the reply, such as data.facilities"},
		{Name: "value", LeftOut: "all of it", Doc: "what of that which was found the lookup is, such as properties.dhis2_id"},
		{Name: "batch", Type: settings.Whole, Min: 1, Max: maxBatch, Default: "1",
			Doc: "how many values one request asks for, where the API takes several"},
		{Name: "separator", Default: ",", Doc: "what stands between several values in path and params"},
		{Name: "next", LeftOut: "there is one page",
			Doc: "where the address of the next page stands: `link` for the header Link, or a place in the reply, such as " +
				"pager.nextPage"},
		{Name: "timeout", Type: settings.Duration, Default: defaultTimeout, Least: time.Second, Most: 5 * time.Minute,
			Doc: "how long one request may take"},
	}, lookups.CommonFields()...)
}

// place is what stands for a value, such as {code}.
var place = regexp.MustCompile(`\{([A-Za-z_$][^{}"\s]*)\}`)

// Asked is what one lookup asks for.
type Asked struct {
	lookups.Common
	Path      string
	Params    []param
	Body      any // nil: GET
	Items     jsonpath.Path
	Value     jsonpath.Path
	HasItems  bool
	Batch     int
	Separator string
	NextLink  bool
	Next      *jsonpath.Path // nil: none in the reply
	Timeout   time.Duration

	places []string                 // fields of where: that are sent
	paths  map[string]jsonpath.Path // of the fields of where:
}

type param struct{ name, value string }

// Compile implements rules.AskedKind.
func (Kind) Compile(_ string, r settings.Reader, _ func(string) (rules.Asked, bool)) rules.Asked {
	a := &Asked{Common: lookups.ReadCommon(r, httpget.ConnectionName), Path: r.Text("path"), Batch: r.Whole("batch"),
		Separator: r.Text("separator"), Timeout: r.Duration("timeout"), HasItems: r.Has("items")}
	if a.Separator == "" {
		a.Separator = ","
	}
	a.Items, a.Value = readPath(r, "items"), readPath(r, "value")
	a.readNext(r)
	a.readRequest(r)
	a.readWhere(r)
	if a.isList() {
		a.KeepList(r)
	}
	a.Identify(collection, a.Path, fmt.Sprint(a.Params, a.Body), r.Text("items"), r.Text("value"), r.Text("next"),
		a.Separator, fmt.Sprint(a.Batch))
	return a
}

// Cache implements lookups.Asked: a list is kept as a whole.
func (a *Asked) Cache() (long time.Duration, each bool) { return a.Common.Long, !a.isList() }

// isList tells that the reply is the same for all records, and looked into here.
func (a *Asked) isList() bool { return len(a.places) == 0 }

func readPath(r settings.Reader, key string) jsonpath.Path {
	path, err := jsonpath.Parse(r.Text(key))
	if err != nil {
		lookups.Wrong(r, key, "bad-path", err)
	}
	return path
}

func (a *Asked) readNext(r settings.Reader) {
	switch text := r.Text("next"); text {
	case "":
	case "link":
		a.NextLink = true
	default:
		path := readPath(r, "next")
		a.Next = &path
	}
}

// readRequest reads path, params and body, and finds the places in them.
func (a *Asked) readRequest(r settings.Reader) {
	note := func(text string) {
		for _, m := range place.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(a.places, m[1]) {
				a.places = append(a.places, m[1])
			}
		}
	}
	u, err := url.Parse(place.ReplaceAllString(a.Path, "x"))
	if err != nil || u.Host != "" || u.Scheme != "" || u.Fragment != "" || strings.Contains(u.Path, "..") {
		r.Wrong(r.Node("path"), "bad-path", fmt.Sprintf("%q is no path behind the connection's address", a.Path),
			"write path: /facilities/{code}; the host stands in the connection")
	}
	if before, _, _ := strings.Cut(place.ReplaceAllString(a.Path, "x"), "?"); strings.ContainsAny(before, "{}") {
		r.Wrong(r.Node("path"), "bad-path", fmt.Sprintf("the path %q has braces that hold no name of where:", a.Path),
			"write one name in each pair of braces, such as /facilities/{code}")
	}
	note(a.Path)
	if p, ok := r.Sub("params"); ok {
		for _, pair := range p.Config.Pairs() {
			a.Params = append(a.Params, param{pair.Key.Value, pair.Value.Value})
			note(pair.Value.Value)
		}
	}
	if b, ok := r.Sub("body"); ok {
		a.Body = b.Config.Plain()
		walkTexts(a.Body, note)
	}
}

// walkTexts goes through the texts of a tree.
func walkTexts(v any, see func(string)) {
	switch v := v.(type) {
	case string:
		see(v)
	case []any:
		for _, item := range v {
			walkTexts(item, see)
		}
	case map[string]any:
		for _, in := range v {
			walkTexts(in, see)
		}
	}
}

// readWhere finds which fields there are, and checks the places against them.
func (a *Asked) readWhere(r settings.Reader) {
	n := r.Config
	groups := lookups.Where(n)
	a.paths = map[string]jsonpath.Path{}
	for _, g := range groups {
		for _, p := range g.Pairs() {
			path, err := jsonpath.Parse(p.Key.Value)
			if err != nil && !slices.Contains(a.places, p.Key.Value) {
				lookups.WrongAt(r, p.Key, "bad-path", err)
			}
			a.paths[p.Key.Value] = path
		}
		for _, name := range a.places {
			if g.Get(name) == nil {
				r.Wrong(g, "unknown-place", fmt.Sprintf("{%s} stands for a value that where: does not have", name),
					diag.Suggest(name, keysOf(g), "fields"))
			}
		}
	}
	switch {
	case len(groups) == 0 && len(a.places) > 0:
		r.Wrong(n.Get("path"), "lookup-where", fmt.Sprintf("nothing says what {%s} stands for", a.places[0]),
			fmt.Sprintf("add where: {%s: trigger.code}", a.places[0]))
	case a.Batch > 1 && len(a.places) != 1:
		r.Wrong(n.Get("batch"), "lookup-batch", "several values in one request need exactly one place for them",
			"write for instance path: /facilities?codes={code}, with where: {code: trigger.code}")
	}
	a.Whole = len(groups) == 0
}

func keysOf(n *yamlnode.Node) (names []string) {
	for _, p := range n.Pairs() {
		names = append(names, p.Key.Value)
	}
	return names
}
