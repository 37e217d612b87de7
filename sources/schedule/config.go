package schedule

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/netresearch/go-cron"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/database"
	"github.com/culvert/culvert/sources/tabular"
	"github.com/culvert/culvert/sources/tree"
)

// Kind is the trigger that reads at fixed times.
type Kind struct{}

// Name is how rule files name the trigger.
func (Kind) Name() string { return "schedule" }

// Rule is one rule's schedule and what it reads. Exactly one of Query, HTTP, File, DHIS2 and Folder is set.
type Rule struct {
	Rule       string
	Times      cron.Schedule
	Missed     bool // a run that was missed is made up for
	Connection string
	Query      *database.Query
	HTTP       *HTTP
	File       *File
	DHIS2      *DHIS2
	Folder     *Folder
}

// Request is what is asked for.
type Request struct {
	URL     string
	Params  map[string]string
	Auth    Auth
	Timeout time.Duration
}

// HTTP is a web API with paging.
type HTTP struct {
	Request
	Form  map[string]string        // sent with POST; nil: it is asked with GET
	Items func(any) ([]any, error) // nil: a list's items, or the whole reply
	Next  Next
}

// File is a table at an address, whose rows are read as those of a dropped file.
type File struct {
	Request
	Folder string // where its results go; empty: fetched/ and the name of the rule
	Rule   string // digest of the rule's text
	Format tabular.Format
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

var feeds = []string{"query", "http", "file", "dhis2", "folder"}

// Settings declares the keys of a trigger.
func (Kind) Settings() settings.Spec {
	fields := []settings.Field{
		{Name: "cron", LeftOut: "cron or every is needed",
			Doc: "minute, hour, day of the month, month and day of the week, such as \"0 3 * * 1\" for Mondays at three; or " +
				"@daily and the like"},
		{Name: "every", Type: settings.Duration, Least: time.Second, Most: 366 * 24 * time.Hour,
			LeftOut: "cron or every is needed", Doc: "instead of cron: how long between runs, such as 1h"},
		{Name: "time_zone", LeftOut: "time_zone of culvert.yaml", Doc: "time zone of cron, such as Africa/Nairobi"},
		{Name: "missed", Type: settings.Word, Words: []string{"run", "skip"},
			Doc: "runs that were missed while Culvert did not run: `run` makes up for one of them, `skip` waits for the next"},
		{Name: "connection", LeftOut: "needed with query", Hint: "name one of connections: in culvert.yaml",
			Doc: "with query: one of `connections:` in culvert.yaml"},
	}
	for _, f := range database.QueryFields("30m") {
		switch f.Name {
		case "query":
			f.Doc, f.LeftOut = "a query that is read as a whole at each run, or from its cursor; as for database",
				"one of "+diag.Names(feeds, "or")+" is needed"
		case "cursor":
			f.Doc, f.LeftOut = "with query: read only what came since the last run, by this column or these two", "all is read"
		default:
			f.Doc = "with query: " + f.Doc
		}
		fields = append(fields, f)
	}
	return settings.Spec{
		Name: "schedule", Doc: "Records are what is read at fixed times: a query, a web API, a table on the web, a list " +
			"of DHIS2, or a folder.",
		Example: `schedule: {cron: "0 3 * * *", connection: warehouse, query: SELECT * FROM monthly}`,
		Fields: append(fields,
			settings.Field{Name: "http", Type: settings.Mapping, LeftOut: "none", Doc: "a web API",
				Fields: httpFields()},
			settings.Field{Name: "file", Type: settings.Mapping, LeftOut: "none",
				Doc: "a table on the web, such as a published sheet or an export as CSV, xlsx or JSON, that is read as a dropped " +
					"file is, when it has changed", Fields: fileFields()},
			settings.Field{Name: "dhis2", Type: settings.Mapping, LeftOut: "none", Doc: "a list of a DHIS2 server",
				Fields: []settings.Field{
					{Name: "server", LeftOut: "the rule's", Doc: "a server of culvert.yaml"},
					{Name: "path", Required: true, Hint: "write the part behind /api/, such as tracker/events",
						Doc: "the part behind /api/, such as tracker/events"},
					{Name: "params", Type: settings.Mapping, LeftOut: "none",
						Doc: "parameters, in which {last}, {last_date}, {due} and {due_date} stand for the time of the run before, " +
							"and of this one"},
					{Name: "items", Type: settings.Expression, LeftOut: "as the path has them",
						Doc: "an expression on the reply that gives the records"},
				}},
			settings.Field{Name: "folder", LeftOut: "none",
				Doc: "a folder whose files are taken at the times of the schedule, as by the files trigger, when they have not " +
					"changed for 5 seconds"},
			settings.Field{Name: "glob", LeftOut: "all files", Doc: "with folder: which files, such as registrations*.csv"},
		),
	}
}

// Describe says that what is read has no id of its own as a rule.
func (Kind) Describe() rules.TriggerKind {
	return rules.TriggerKind{Name: Kind{}.Name(), Anonymous: true}
}

// Check reads a trigger's config and reports what is wrong with it.
func (Kind) Check(t *rules.Trigger, report func(diag.Diagnostic)) { read(t, time.UTC, report) }

// Connections gives where a trigger names its connection.
func (Kind) Connections(t *rules.Trigger) []*yamlnode.Node {
	return []*yamlnode.Node{t.Config.Get("connection")}
}

// Connection is a database.
func (Kind) Connection() sources.ConnectionKind { return database.Kind{}.Connection() }

// Ping connects to a database.
func (Kind) Ping(ctx context.Context, c sources.Connection, log *slog.Logger) error {
	return database.Kind{}.Ping(ctx, c, log)
}

// NextRun gives the next time after another at which a trigger reads; zero when there is none.
func (Kind) NextRun(t *rules.Trigger, zone *time.Location, after time.Time) time.Time {
	if at := ruleOf("", t, zone).Times; at != nil {
		return at.Next(after)
	}
	return time.Time{}
}

// Sample decodes a sample into record bodies: for http and dhis2 a reply as the server gives it or
// one item, for a folder a file, for a query its rows as JSON.
func (Kind) Sample(t *rules.Trigger, path string, text []byte, limit int) ([]any, error) {
	r := read(t, time.UTC, func(diag.Diagnostic) {})
	switch {
	case r.Folder != nil:
		return tabular.Sample(path, text, tabular.Format{}, limit)
	case r.File != nil:
		return tabular.Sample(path, text, r.File.Format, limit)
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

// New makes the source of the rules that run at fixed times.
func (Kind) New(bound []sources.Bound, env sources.Env) (sources.Source, error) {
	var list []Rule
	for _, b := range bound {
		if !b.Runs() {
			continue
		}
		r := ruleOf(b.Rule, b.Trigger, env.Zone)
		if sum := sha256.Sum256(b.Text); r.File != nil {
			r.File.Rule = hex.EncodeToString(sum[:])
		}
		if r.DHIS2 != nil && r.DHIS2.Server == "" {
			r.DHIS2.Server = b.Server
		}
		list = append(list, r)
	}
	if len(list) == 0 {
		return nil, nil
	}
	return New(Config{Rules: list, Connect: database.Connect(env), Resolve: env.Secret, Lists: env.Lists, Dir: env.Dir,
		Inbox: env.Inbox, Log: env.Log}), nil
}

// ruleOf reads a trigger that has passed Check. zone holds where it names none.
func ruleOf(rule string, t *rules.Trigger, zone *time.Location) Rule {
	r := read(t, zone, func(diag.Diagnostic) {})
	r.Rule = rule
	return r
}

func read(t *rules.Trigger, zone *time.Location, report func(diag.Diagnostic)) Rule {
	var out Rule
	c, ok := t.Read(Kind{}.Settings(), report)
	if !ok {
		return out
	}
	out.Times = times(c, zone)
	out.Missed = c.Word("missed") == "run"
	switch feed := feedOf(c); feed {
	case "query":
		if !c.Has("connection") {
			c.Missing("connection", "name one of connections: in culvert.yaml")
		}
		out.Connection = c.Text("connection")
		q := database.ReadQuery(c)
		out.Query = &q
	case "http":
		out.HTTP = readHTTP(c)
	case "file":
		out.File = readFile(c)
	case "dhis2":
		out.DHIS2 = readDHIS2(c)
	case "folder":
		out.Folder = readFolder(c)
	}
	return out
}

// stray tells whether keys stand there that a schedule does not have.
func stray(c settings.Reader) bool {
	known := settings.Keys(Kind{}.Settings().Fields)
	return slices.ContainsFunc(
		c.Config.Pairs(),
		func(p yamlnode.Pair) bool { return !slices.Contains(known, p.Key.Value) },
	)
}

// feedOf gives the one thing that is read.
func feedOf(c settings.Reader) string {
	found := ""
	for _, p := range c.Config.Pairs() {
		feed := p.Key.Value
		switch {
		case !slices.Contains(feeds, feed):
		case found != "":
			c.Wrong(p.Key, "two-feeds", fmt.Sprintf("the schedule reads two things, %s and %s", found, feed),
				"keep one, and make another rule for the other")
		default:
			found = feed
		}
	}
	if found == "" && !stray(c) { // what is misplaced or misspelt was to be read, and is named already
		c.Missing("something to read", "add one of "+diag.Names(feeds, "or"))
	}
	if found != "query" {
		for _, key := range append([]string{"connection"}, settings.Keys(database.QueryFields(""))...) {
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
	out := &DHIS2{Server: d.Text("server"), Params: params(d, "params"), Items: items(d)}
	out.Path = strings.TrimPrefix(d.Text("path"), "/")
	if !d.Has("items") {
		out.Items = known(out.Path)
	}
	if n := d.Config.Get("path"); n != nil && (strings.ContainsAny(out.Path, "?#") || strings.Contains(out.Path, "..") ||
		strings.Contains(out.Path, "://")) {
		d.Wrong(n, "path", fmt.Sprintf("%q is no path below /api/", n.Value),
			"write tracker/events, and what follows the question mark under params:")
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
		c.Wrong(n, "folder", fmt.Sprintf("folder %q leads out of the project", f.Path),
			"give the whole path, from / on, for a folder outside the project")
	}
	if _, err := filepath.Match(f.Glob, "a.csv"); err != nil || strings.ContainsAny(f.Glob, `/\`) {
		c.Wrong(c.Config.Get("glob"), "glob", fmt.Sprintf("glob %q is not a pattern for file names", f.Glob),
			`use * for any text and ? for one character, such as "anc-*.csv"`)
		f.Glob = ""
	}
	return f
}
