package schedule

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources/database"
	"github.com/culvert/culvert/sources/files"
	"github.com/culvert/culvert/sources/settings"
	"github.com/culvert/culvert/sources/tree"
)

// Kind is the trigger that reads at fixed times.
type Kind struct{}

// Name is how rule files name the trigger.
func (Kind) Name() string { return "schedule" }

// Rule is one rule's schedule and what it reads. Exactly one of Query, HTTP, DHIS2 and Folder is set.
type Rule struct {
	Rule       string
	Times      cron.Schedule
	Missed     bool // a run that was missed is made up for
	Connection string
	Query      *database.Query
	HTTP       *HTTP
	DHIS2      *DHIS2
	Folder     *Folder
}

// HTTP is a GET with paging.
type HTTP struct {
	URL     string
	Params  map[string]string
	Auth    Auth
	Items   func(any) ([]any, error) // nil: a list's items, or the whole reply
	Next    Next
	Timeout time.Duration
}

// Auth is how a request shows who asks; secrets as they stand in the rule.
type Auth struct {
	Username, Password, Bearer string
	Header, Key                string
}

// Next says how the next page is found.
type Next struct {
	Link   bool                      // in the Link header
	Header string                    // in a header of this name
	Field  func(any) (string, error) // in the reply
	Param  string                    // what was found is the value of this parameter; empty: it is an address
	Page   string                    // a parameter that counts pages, until one holds no items
	First  int                       // the first value of Page
}

// DHIS2 is a list that is read from a DHIS2 server.
type DHIS2 struct {
	Server string // empty: the rule's
	Path   string // below /api/
	Params map[string]string
	Items  func(any) ([]any, error)
}

// Folder is where files are taken from at the times of the schedule.
type Folder struct{ Path, Glob string }

const (
	example        = `schedule: {cron: "0 3 * * *", connection: warehouse, query: SELECT * FROM monthly}`
	queryTimeout   = 30 * time.Minute
	defaultTimeout = 2 * time.Minute
)

var feeds = []string{"query", "http", "dhis2", "folder"}

// Check reads a trigger's config and reports what is wrong with it.
func (Kind) Check(t *rules.Trigger, report func(diag.Diagnostic)) { read(t, time.UTC, report) }

// Connections gives where a trigger names its connection, and of which kind that must be.
func (Kind) Connections(t *rules.Trigger) ([]*yamlnode.Node, string) {
	return []*yamlnode.Node{t.Config.Get("connection")}, "database"
}

// Sample decodes a sample into record bodies: for http and dhis2 a reply as the server gives it or one item, for a folder a file, for a query its rows as
// JSON.
func (Kind) Sample(t *rules.Trigger, path string, text []byte, limit int) ([]any, error) {
	r := read(t, time.UTC, func(diag.Diagnostic) {})
	if r.Folder != nil {
		return sampleRows(path, text, limit)
	}
	bodies, err := tree.Records(text, limit)
	if err != nil {
		return nil, fmt.Errorf("sample %s: %w", filepath.Base(path), err)
	}
	pick := itemsOf(r)
	if pick == nil || len(bodies) != 1 {
		return bodies, nil
	}
	items, err := pick(bodies[0])
	if err != nil || len(items) == 0 {
		return bodies, nil // one item instead of a reply
	}
	return items[:min(len(items), limit)], nil
}

func itemsOf(r Rule) func(any) ([]any, error) {
	switch {
	case r.HTTP != nil:
		return r.HTTP.Items
	case r.DHIS2 != nil:
		return r.DHIS2.Items
	}
	return nil
}

func sampleRows(path string, text []byte, limit int) ([]any, error) {
	rows, err := files.OpenBytes(context.Background(), filepath.Base(path), text, files.Format{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var bodies []any
	for len(bodies) < limit {
		row, err := rows.Next()
		if err != nil {
			break
		}
		bodies = append(bodies, row.Body)
	}
	return bodies, nil
}

// Scheduled gives a rule's schedule from its trigger, which has passed Check. zone holds where the trigger names none.
func Scheduled(rule string, t *rules.Trigger, zone *time.Location) Rule {
	r := read(t, zone, func(diag.Diagnostic) {})
	r.Rule = rule
	return r
}

func read(t *rules.Trigger, zone *time.Location, report func(diag.Diagnostic)) Rule {
	var out Rule
	c, ok := settings.Of(t, example, report)
	if !ok {
		return out
	}
	c.Known("cron", "every", "time_zone", "missed", "connection", "query", "cursor", "start", "overlap", "batch", "timeout", "http", "dhis2", "folder", "glob")
	out.Times = times(c, zone)
	out.Missed = c.OneOf("missed", "run", "skip") == "run"
	switch feed := feedOf(c); feed {
	case "query":
		out.Connection = c.Required("connection", "name one of connections: in culvert.yaml")
		q := database.ReadQuery(c, queryTimeout)
		out.Query = &q
	case "http":
		out.HTTP = readHTTP(c)
	case "dhis2":
		out.DHIS2 = readDHIS2(c)
	case "folder":
		out.Folder = readFolder(c)
	}
	return out
}

// feedOf gives the one thing that is read.
func feedOf(c settings.Reader) string {
	found := ""
	for _, p := range c.Config.Pairs() {
		feed := p.Key.Value
		switch {
		case !slices.Contains(feeds, feed):
		case found != "":
			c.Wrong(p.Key, "two-feeds", fmt.Sprintf("the schedule reads two things, %s and %s", found, feed), "keep one, and make another rule for the other")
		default:
			found = feed
		}
	}
	if found == "" {
		c.Missing("something to read", "add one of "+diag.Names(feeds, "or"))
	}
	if found != "query" {
		for _, key := range []string{"connection", "cursor", "start", "overlap", "batch", "timeout"} {
			if c.Has(key) && found != "" {
				c.Wrong(c.Config.Key(key), "unknown-key", key+" belongs to query, which this schedule has not", "take it out")
			}
		}
	}
	return found
}

// interval is a schedule that runs again after a length of time.
type interval time.Duration

// Next gives the time of the run after one.
func (i interval) Next(t time.Time) time.Time { return t.Add(time.Duration(i)) }

var fields = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

func times(c settings.Reader, zone *time.Location) cron.Schedule {
	if name := c.Text("time_zone"); name != "" {
		z, err := time.LoadLocation(name)
		if err != nil || name == "Local" {
			c.Wrong(c.Config.Get("time_zone"), "unknown-zone", fmt.Sprintf("%q is not a time zone", name), "use a name such as Africa/Dar_es_Salaam")
		} else {
			zone = z
		}
	}
	spec := c.Text("cron")
	switch {
	case c.Has("cron") && c.Has("every"):
		c.Wrong(c.Config.Key("every"), "cron", "the schedule has both cron and every", "keep one of them")
	case !c.Has("cron") && !c.Has("every"):
		c.Missing("cron or every", `write cron: "0 3 * * *" for three in the morning, or every: 1h`)
	case c.Has("every"):
		if d := c.Duration("every", time.Hour, time.Second, 366*24*time.Hour); d > 0 {
			return interval(d)
		}
	case spec != "":
		s, err := fields.Parse(spec)
		if err != nil || strings.Contains(spec, "TZ=") {
			c.Wrong(c.Config.Get("cron"), "cron", fmt.Sprintf("%q is no cron expression", spec), `write minute, hour, day of month, month, day of week, such as "0 3 * * 1" for Mondays at three; the zone goes into time_zone:`)
			return nil
		}
		switch s := s.(type) {
		case *cron.SpecSchedule:
			s.Location = zone
		case cron.ConstantDelaySchedule:
			return interval(s.Delay)
		}
		if s.Next(time.Now()).IsZero() {
			c.Wrong(c.Config.Get("cron"), "cron", fmt.Sprintf("%q names a day that never comes", spec), "check day and month")
		}
		return s
	}
	return nil
}

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
		}
	}
	out.Auth = readAuth(h)
	out.Next = readNext(h)
	return out
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

func readDHIS2(c settings.Reader) *DHIS2 {
	d, ok := c.Sub("dhis2")
	if !ok {
		return nil
	}
	d.Known("server", "path", "params", "items")
	out := &DHIS2{Server: d.Text("server"), Params: params(d), Items: items(d)}
	out.Path = strings.TrimPrefix(d.Required("path", "write the part behind /api/, such as tracker/events"), "/")
	if !d.Has("items") {
		out.Items = known(out.Path)
	}
	if n := d.Config.Get("path"); n != nil && (strings.ContainsAny(out.Path, "?#") || strings.Contains(out.Path, "..") || strings.Contains(out.Path, "://")) {
		d.Wrong(n, "path", fmt.Sprintf("%q is no path below /api/", n.Value), "write tracker/events, and what follows the question mark under params:")
	}
	for _, key := range []string{"page", "paging", "totalPages"} {
		if _, ok := out.Params[key]; ok {
			p, _ := d.Sub("params")
			p.Wrong(p.Config.Key(key), "params", key+" is set while reading, page by page", "take it out; pageSize may stay")
		}
	}
	return out
}

func readFolder(c settings.Reader) *Folder {
	f := &Folder{Path: c.Text("folder"), Glob: c.Text("glob")}
	n := c.Config.Get("folder")
	if f.Path != "" && !filepath.IsAbs(f.Path) && !filepath.IsLocal(filepath.FromSlash(f.Path)) {
		c.Wrong(n, "folder", fmt.Sprintf("folder %q leads out of the project", f.Path), "give the whole path, from / on, for a folder outside the project")
	}
	if _, err := filepath.Match(f.Glob, "a.csv"); err != nil || strings.ContainsAny(f.Glob, `/\`) {
		c.Wrong(c.Config.Get("glob"), "glob", fmt.Sprintf("glob %q is not a pattern for file names", f.Glob), `use * for any text and ? for one character, such as "anc-*.csv"`)
		f.Glob = ""
	}
	return f
}

// places are what values of params may hold: the time of the run before, and of this one.
var places = []string{"{last}", "{last_date}", "{due}", "{due_date}"}

func params(r settings.Reader) map[string]string {
	p, ok := r.Sub("params")
	if !ok {
		return nil
	}
	out := map[string]string{}
	for _, pair := range p.Config.Pairs() {
		text := p.Text(pair.Key.Value)
		rest := text
		for _, place := range places {
			rest = strings.ReplaceAll(rest, place, "")
		}
		if strings.Contains(rest, "{") && !strings.Contains(rest, "${") {
			p.Wrong(pair.Value, "params", fmt.Sprintf("%q holds a place that does not exist", text), "use "+diag.Names(places, "or"))
		}
		out[pair.Key.Value] = text
	}
	return out
}

func compile(r settings.Reader, n *yamlnode.Node, want expression.Want) *expression.Program {
	if n.Kind != yamlnode.Scalar {
		r.Wrong(n, "wrong-type", "this is an expression", "write it as trigger.data")
		return nil
	}
	scope := expression.NewScope(expression.Options{})
	scope.AddShape("trigger", expression.Dynamic())
	program, problems := expression.Compile(n.Value, scope, want)
	for _, p := range problems {
		r.Problem(n, p.From, p.To, p.Code, p.Message, p.Hint)
	}
	return program
}

// items gives what picks the records out of a reply.
func items(r settings.Reader) func(any) ([]any, error) {
	n := r.Config.Get("items")
	if n == nil {
		return listed
	}
	program := compile(r, n, expression.List)
	if program == nil {
		return nil
	}
	return func(reply any) ([]any, error) {
		v, err := program.Run(expression.Env{"trigger": reply})
		if err != nil {
			return nil, fmt.Errorf("items of the reply: %w", err)
		}
		if v == nil {
			return nil, nil
		}
		return listed(v)
	}
}

// listed gives the items of a list; anything else is one item.
func listed(v any) ([]any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case []any:
		return v, nil
	}
	return []any{v}, nil
}
