package schedule

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/netresearch/go-cron"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources/database"
	"github.com/culvert/culvert/sources/settings"
	"github.com/culvert/culvert/sources/tabular"
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
	rows, err := tabular.OpenBytes(context.Background(), filepath.Base(path), text, tabular.Format{})
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
	c.Known("cron", "every", "time_zone", "missed", "connection", "query", "cursor", "start", "overlap", "batch", "timeout", "encoding", "http", "dhis2", "folder", "glob")
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
		for _, key := range []string{"connection", "cursor", "start", "overlap", "batch", "timeout", "encoding"} {
			if c.Has(key) && found != "" {
				c.Wrong(c.Config.Key(key), "unknown-key", key+" belongs to query, which this schedule has not", "take it out")
			}
		}
	}
	return found
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
