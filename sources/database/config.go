package database

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources/charset"
	"github.com/culvert/culvert/sources/settings"
	"github.com/culvert/culvert/sources/tree"
)

// Kind is the trigger that polls a database.
type Kind struct{}

// Name is how rule files name the trigger.
func (Kind) Name() string { return "database" }

// Query is what is read from a database.
type Query struct {
	Text     string        // one SELECT or WITH, without an end
	Cursor   []string      // one or two columns of its result, named as the result names them
	Encoding string        // of text that the database gives and that is not UTF-8; empty: such text is refused where it is used
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
	example         = "database: {connection: warehouse, query: SELECT * FROM visits, cursor: [updated_at, id]}"
	defaultEvery    = 5 * time.Minute
	defaultOverlap  = 5 * time.Minute
	defaultBatch    = 500
	maxBatch        = 20000
	defaultTimeout  = time.Minute
	maxIdentifier   = 128
	maxQueryText    = 64 << 10
	maxCursorColumn = 2
)

// Check reads a trigger's config and reports what is wrong with it.
func (Kind) Check(t *rules.Trigger, report func(diag.Diagnostic)) { read(t, report) }

// Connections gives where a trigger names its connections, and of which kind those must be.
func (Kind) Connections(t *rules.Trigger) ([]*yamlnode.Node, string) {
	return []*yamlnode.Node{t.Config.Get("connection"), t.Config.Get("write_back").Get("connection")}, "database"
}

// Sample decodes a sample into record bodies: a JSON object, a list of them, or one on each line, as the columns of the query are named.
func (Kind) Sample(_ *rules.Trigger, path string, text []byte, limit int) ([]any, error) {
	bodies, err := tree.Records(text, limit)
	if err != nil {
		return nil, fmt.Errorf("sample %s: %w; save rows of the query as a JSON list of objects", filepath.Base(path), err)
	}
	return bodies, nil
}

// Polled gives a rule's poll from its trigger, which has passed Check.
func Polled(rule string, t *rules.Trigger) Rule {
	r := read(t, func(diag.Diagnostic) {})
	r.Rule = rule
	return r
}

func read(t *rules.Trigger, report func(diag.Diagnostic)) Rule {
	var out Rule
	c, ok := settings.Of(t, example, report)
	if !ok {
		return out
	}
	c.Known("connection", "query", "cursor", "start", "every", "overlap", "batch", "timeout", "encoding", "write_back")
	out.Connection = c.Required("connection", "name one of connections: in culvert.yaml")
	out.Every = c.Duration("every", defaultEvery, time.Second, 31*24*time.Hour)
	out.Query = ReadQuery(c, defaultTimeout)
	if !c.Has("cursor") {
		c.Missing("cursor", "name the column that grows with every change, best together with the id: cursor: [updated_at, id]")
	}
	out.WriteBack = readWriteBack(c, &out)
	return out
}

// ReadQuery reads the keys of a query: query, cursor, start, overlap, batch and timeout.
func ReadQuery(c settings.Reader, timeout time.Duration) Query {
	q := Query{
		Text:    readText(c),
		Cursor:  readCursor(c),
		Start:   c.Text("start"),
		Batch:   c.Whole("batch", defaultBatch, 1, maxBatch),
		Timeout: c.Duration("timeout", timeout, time.Second, 24*time.Hour),
	}
	q.Overlap = readOverlap(c)
	if q.Encoding = c.Text("encoding"); q.Encoding != "" {
		if _, ok := charset.Find(q.Encoding); !ok {
			c.Wrong(c.Config.Get("encoding"), "encoding", fmt.Sprintf("no encoding is named %q", q.Encoding), "use "+charset.Examples)
			q.Encoding = ""
		}
	}
	return q
}

func readText(c settings.Reader) string {
	text := c.Required("query", "write the SELECT whose rows become records")
	if text == "" {
		return ""
	}
	n := c.Config.Get("query")
	if len(text) > maxQueryText {
		c.Wrong(n, "query", fmt.Sprintf("the query is longer than %d KiB", maxQueryText>>10), "make a view of it in the database, and select from that")
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
		c.Wrong(n, "cursor", fmt.Sprintf("the cursor has %d columns", len(columns)), "name one column, or a time and a unique id: [updated_at, id]")
		return columns[:maxCursorColumn]
	}
	for i, name := range columns {
		if !isIdentifier(name) {
			c.Wrong(n, "cursor", fmt.Sprintf("%q is no column of the query's result", name), "write the name alone, without table or quotes, as the result names it")
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
		c.Wrong(c.Config.Get("overlap"), "overlap", fmt.Sprintf("overlap %q is neither a length of time up to 90d nor a number", text), "write overlap: 10m for a cursor that is a time, overlap: 1000 for one that is a number")
		return Overlap{}
	}
	return Overlap{Time: d, Given: d > 0}
}
