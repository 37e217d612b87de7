package database

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/charset"
	"github.com/culvert/culvert/sources/tree"
)

// Kind is the trigger that polls a database.
type Kind struct{}

// Name is how rule files name the trigger.
func (Kind) Name() string { return "database" }

// Query is what is read from a database.
type Query struct {
	Text   string   // one SELECT or WITH, without an end
	Cursor []string // one or two columns of its result, named as the result names them
	// of text that the database gives and that is not UTF-8; empty: such text is refused where it is used
	Encoding string
	Start    string        // where the first read begins, inclusive; empty: at the beginning
	Overlap  Overlap       // how far before the saved cursor each poll begins
	Batch    int           // rows handed over at once
	Timeout  time.Duration // of one statement
}

// Overlap is how much is read again on each poll, because a transaction that began early may commit late.
type Overlap struct {
	Time   time.Duration // for cursors that are times
	Number int64         // for cursors that are numbers
	Given  bool          // written by the implementer, who is told when it does not fit the cursor
}

const (
	defaultOverlap  = 5 * time.Minute
	maxBatch        = 20000
	maxIdentifier   = 128
	maxQueryText    = 64 << 10
	maxCursorColumn = 2
)

// Settings declares the keys of a trigger.
func (Kind) Settings() settings.Spec {
	fields := []settings.Field{
		{Name: "connection", Required: true, Hint: "name one of connections: in culvert.yaml",
			Doc: "one of `connections:` in culvert.yaml"},
	}
	fields = append(fields, QueryFields("60s")...)
	fields[1].Required, fields[2].Required = true, true
	return settings.Spec{
		Name: "database", Doc: "Records are the rows of a query, which is asked again and again for what came since.",
		Example: "database: {connection: warehouse, query: SELECT * FROM visits, cursor: [updated_at, id]}",
		Fields: append(fields,
			settings.Field{Name: "every", Type: settings.Duration, Default: "5m", Least: time.Second, Most: 31 * 24 * time.Hour,
				Doc: "how often the database is asked"},
			settings.Field{Name: "write_back", Type: settings.Mapping, Schema: []string{"string", "object"},
				LeftOut: "nothing is written",
				Doc: "a statement that tells the database how a row was settled, such as UPDATE visits SET dhis2 = :outcome " +
					"WHERE id = :id; or with another connection",
				Fields: []settings.Field{
					{Name: "connection", LeftOut: "the connection that is read", Doc: "the connection whose user takes changes"},
					{Name: "statement", Required: true, Hint: "write the UPDATE that tells how a row was settled",
						Doc: "the statement"},
				}},
		),
	}
}

// QueryFields declares the keys of a query; its first two are the query and its cursor.
func QueryFields(timeout string) []settings.Field {
	return []settings.Field{
		{Name: "query", Hint: "write the SELECT whose rows become records",
			Doc: "one SELECT (or WITH), without ORDER BY, LIMIT or semicolon: paging is added around it"},
		{Name: "cursor", Type: settings.Texts,
			Hint: "name the column that grows with every change, best together with the id: cursor: [updated_at, id]",
			Doc:  "the column that grows with every change, or that and a unique one, named as the result names them"},
		{Name: "start", Schema: []string{"string", "integer", "number"}, LeftOut: "the beginning",
			Doc: "where the first read begins, inclusive, such as 2026-01-01. Another value reads again from there"},
		{Name: "encoding", LeftOut: "such text fails where it is used", Words: charset.Common,
			Doc: "the encoding of text that the database gives and that is not UTF-8, such as windows-1252, as old SQLite " +
				"files and PostgreSQL's SQL_ASCII have"},
		{Name: "overlap", Schema: []string{"integer", "string"}, LeftOut: "5m for times",
			Doc: "how much before the cursor is read again on each poll, for transactions that commit late: `10m` for times, " +
				"a number for numbers"},
		{Name: "batch", Type: settings.Whole, Default: "500", Min: 1, Max: maxBatch,
			Doc: "rows handed over at once, with the cursor behind them"},
		{Name: "timeout", Type: settings.Duration, Default: timeout, Least: time.Second, Most: 24 * time.Hour,
			Doc: "how long one statement may take"},
	}
}

// Check reads a trigger's config and reports what is wrong with it.
func (Kind) Check(t *rules.Trigger, report func(diag.Diagnostic)) { read(t, report) }

// Connections gives where a trigger names its connections.
func (Kind) Connections(t *rules.Trigger) []*yamlnode.Node {
	return []*yamlnode.Node{t.Config.Get("connection"), t.Config.Get("write_back").Get("connection")}
}

// Connection is a database.
func (Kind) Connection() sources.ConnectionKind {
	return sources.ConnectionKind{
		Name: "database", Doc: "address of the database, as ${NAME} where it holds a password", Example: "${DATABASE_URL}",
		Secret: true,
		Keys: []settings.Field{
			{Name: "username", LeftOut: "that of the address", Doc: "user name"},
			{Name: "password", Type: settings.Secret, LeftOut: "that of the address",
				Doc: "password, as ${NAME} or {file: path}"},
		},
	}
}

// Sample decodes a sample into record bodies: a JSON object, a list of them, or one on each line,
// as the columns of the query are named.
func (Kind) Sample(_ *rules.Trigger, path string, text []byte, limit int) ([]any, error) {
	bodies, err := tree.Records(text, limit)
	if err != nil {
		return nil, fmt.Errorf("sample %s: %w; save rows of the query as a JSON list of objects", filepath.Base(path), err)
	}
	return bodies, nil
}

// New makes the source of the rules that poll.
func (Kind) New(bound []sources.Bound, env sources.Env) (sources.Source, error) {
	list := sources.Valid(bound, func(b sources.Bound) Rule { return ruleOf(b.Rule, b.Trigger) })
	if len(list) == 0 {
		return nil, nil
	}
	return New(Config{Rules: list, Connect: Connect(env), Log: env.Log}), nil
}

// ruleOf reads a trigger that has passed Check.
func ruleOf(rule string, t *rules.Trigger) Rule {
	r := read(t, func(diag.Diagnostic) {})
	r.Rule = rule
	return r
}

func read(t *rules.Trigger, report func(diag.Diagnostic)) Rule {
	var out Rule
	c, ok := t.Read(Kind{}.Settings(), report)
	if !ok {
		return out
	}
	out.Connection = c.Text("connection")
	out.Every = c.Duration("every")
	out.Query = ReadQuery(c)
	out.WriteBack = readWriteBack(c, &out)
	return out
}

// Ping connects to a database.
func (Kind) Ping(ctx context.Context, c sources.Connection, _ *slog.Logger) error {
	return Ping(ctx, ConnectionOf(c))
}

// ConnectionOf gives what opens a connection of culvert.yaml.
func ConnectionOf(c sources.Connection) Connection {
	return Connection{Name: c.Name, URL: c.URL, Username: c.Username, Password: c.Password, Dir: c.Dir}
}

// Connect gives the databases that culvert.yaml names.
func Connect(env sources.Env) func(name string) (Connection, error) {
	return func(name string) (Connection, error) {
		c, err := env.Connection(name)
		return ConnectionOf(c), err
	}
}

// ReadQuery reads the keys that QueryFields declares.
func ReadQuery(c settings.Reader) Query {
	q := Query{Text: readText(c), Cursor: readCursor(c), Start: c.Text("start"), Batch: c.Whole("batch"),
		Timeout: c.Duration("timeout")}
	q.Overlap = readOverlap(c)
	q.Encoding = charset.Setting(c, "encoding")
	return q
}

func readText(c settings.Reader) string {
	text := c.Text("query")
	if text == "" {
		return ""
	}
	n := c.Config.Get("query")
	if len(text) > maxQueryText {
		c.Wrong(n, "query", fmt.Sprintf("the query is longer than %d KiB", maxQueryText>>10),
			"make a view of it in the database, and select from that")
		return ""
	}
	for _, p := range checkQuery(text) {
		c.Problem(n, p.from, p.to, "query", p.message, p.hint)
	}
	return text
}

func readCursor(c settings.Reader) []string {
	columns := c.Texts("cursor")
	n := c.Config.Get("cursor")
	if len(columns) > maxCursorColumn {
		c.Wrong(n, "cursor", fmt.Sprintf("the cursor has %d columns", len(columns)),
			"name one column, or a time and a unique id: [updated_at, id]")
		return columns[:maxCursorColumn]
	}
	for i, name := range columns {
		if !isIdentifier(name) {
			c.Wrong(n, "cursor", fmt.Sprintf("%q is no column of the query's result", name),
				"write the name alone, without table or quotes, as the result names it")
		}
		if i > 0 && strings.EqualFold(name, columns[0]) {
			c.Wrong(n, "cursor", fmt.Sprintf("the cursor names %q twice", name), "name the column once")
		}
	}
	return columns
}

// isIdentifier tells whether a name can be quoted in every dialect.
func isIdentifier(name string) bool {
	if name == "" || len(name) > maxIdentifier {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r < ' ' || r == 0x7f || strings.ContainsRune("\"`[].;\\'", r)
	})
}

func readOverlap(c settings.Reader) Overlap {
	text := c.Text("overlap")
	if text == "" {
		return Overlap{Time: defaultOverlap}
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
		return Overlap{Number: n, Given: n > 0}
	}
	d, err := settings.ParseDuration(text)
	if err != nil || d < 0 || d > 90*24*time.Hour {
		c.Wrong(c.Config.Get("overlap"), "overlap",
			fmt.Sprintf("overlap %q is neither a length of time up to 90d nor a number", text),
			"write overlap: 10m for a cursor that is a time, overlap: 1000 for one that is a number")
		return Overlap{}
	}
	return Overlap{Time: d, Given: d > 0}
}
