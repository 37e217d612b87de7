package database

import (
	"fmt"
	"slices"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
)

const writeBackCode = "write-back"

// readWriteBack reads write_back: a statement, or a statement with the connection that it is for.
func readWriteBack(c settings.Reader, r *Rule) *WriteBack {
	n := c.Config.Get("write_back")
	if n == nil {
		return nil
	}
	out := &WriteBack{Connection: r.Connection, Timeout: r.Query.Timeout}
	text := ""
	if n.Kind == yamlnode.Mapping {
		sub, ok := c.Sub("write_back")
		if !ok {
			return nil
		}
		if sub.Has("connection") {
			out.Connection = sub.Text("connection")
		}
		text, n = sub.Text("statement"), n.Get("statement")
	} else {
		text = c.Text("write_back")
	}
	if text == "" {
		return nil
	}
	if len(text) > maxQueryText {
		c.Wrong(n, writeBackCode, fmt.Sprintf("the statement is longer than %d KiB", maxQueryText>>10),
			"make a procedure of it in the database, and CALL that")
		return nil
	}
	var problems []problem
	out.statement, problems = parseStatement(text)
	for _, p := range problems {
		c.Problem(n, p.from, p.to, writeBackCode, p.message, p.hint)
	}
	out.ignored = slices.Clone(out.statement.sets)
	if len(r.Query.Cursor) > 0 {
		out.ignored = append(out.ignored, r.Query.Cursor[0])
	}
	for _, column := range r.Query.Cursor {
		if out.statement.assigns(column) {
			c.Warn(n, writeBackCode, fmt.Sprintf("the statement sets %s, the cursor: every row that is written back is read "+
				"again", column), "leave that column as it is")
		}
	}
	if len(problems) > 0 {
		return nil
	}
	return out
}

// Tells tells whether outcomes are written back.
func (Kind) Tells(t *rules.Trigger) bool {
	return t.Config.Get("write_back") != nil
}

// CheckSample reports what does not fit the rows of the trigger's sample.
func (Kind) CheckSample(t *rules.Trigger, rows []any, report func(diag.Diagnostic)) {
	r := read(t, func(diag.Diagnostic) {})
	if r.WriteBack == nil {
		return
	}
	var columns []string
	for _, row := range rows {
		fields, ok := row.(map[string]any)
		if !ok {
			return
		}
		for name := range fields {
			if !slices.Contains(columns, name) {
				columns = append(columns, name)
			}
		}
	}
	if len(columns) == 0 {
		return
	}
	slices.Sort(columns)
	n := t.Config.Get("write_back")
	if n.Kind == yamlnode.Mapping {
		n = n.Get("statement")
	}
	r.WriteBack.fits(columns, func(from, to int, message, hint string) {
		report(diag.Diagnostic{Problem: diag.Problem{Code: writeBackCode, Message: message, Hint: hint,
			Place: n.PlaceOf(from, to)}})
	})
}
