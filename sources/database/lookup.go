package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/internal/plain"
	"github.com/culvert/culvert/rules/diag"
)

// Lookup is a query that finds rows by values.
type Lookup struct {
	Text       string
	Timeout    time.Duration // of one statement
	Encoding   string        // as of Query
	Parameters []string      // that the text names, each once

	places []parameter
	lists  bool // every parameter stands as IN (:name)
}

// LookupProblem is a mistake in a lookup's query, at a range of its bytes.
type LookupProblem struct {
	From, To      int
	Message, Hint string
}

const (
	// maxTogether is how many questions one statement asks.
	maxTogether = 500
	// maxParameters is how many values one statement holds: SQL Server takes 2,100.
	maxParameters = 2000
	// maxLookupRows bounds what one statement may find.
	maxLookupRows = 100_000
)

// ParseLookup reads the query of a lookup. Without parameters, values are compared with the columns of
// its result. With parameters, as :code, it is run for each value; where each stands as IN (:code) it
// is run for many values at once, and the rows are told apart by the column of that name.
func ParseLookup(text string) (Lookup, []LookupProblem) {
	l := Lookup{Text: text, lists: true}
	var found []LookupProblem
	if len(text) > maxQueryText {
		return l, []LookupProblem{{0, len(text), fmt.Sprintf("the query is longer than %d KiB", maxQueryText>>10),
			"make a view of it in the database, and select from that"}}
	}
	s := scanner{text: text}
	var last [2]string // the words and signs before
	for {
		t, ok := s.next()
		if !ok || t.unclosed != "" {
			break
		}
		sign := text[t.from:t.to]
		if sign == ":" {
			if p, ok := s.parameter(t); ok {
				l.lists = l.lists && last[0] == "IN" && last[1] == "(" && s.followedBy(")")
				l.places = append(l.places, p)
				if !slices.Contains(l.Parameters, p.name) {
					l.Parameters = append(l.Parameters, p.name)
				}
			}
		}
		last[0], last[1] = last[1], strings.ToUpper(sign)
	}
	l.lists = l.lists && len(l.Parameters) == 1
	for _, p := range checkSelect(text, len(l.Parameters) == 0 || l.lists) {
		if strings.Contains(p.message, "limit") || strings.Contains(p.hint, "batch:") {
			p.hint = "take it out, or name the value in the query as = :code, so that it is run for each value alone"
		}
		found = append(found, LookupProblem{p.from, p.to, p.message, p.hint})
	}
	return l, found
}

// followedBy tells whether a sign comes next.
func (s *scanner) followedBy(sign string) bool {
	ahead := *s
	t, ok := ahead.next()
	return ok && ahead.text[t.from:t.to] == sign
}

// Together tells whether many values are asked for by one statement.
func (l *Lookup) Together() bool { return len(l.Parameters) == 0 || l.lists }

// Wanted is what one question asks for: the values of fields, in their order.
type Wanted []string

// Found is what one question found. Bad says that the database cannot compare its value, as of the
// wrong type.
type Found struct {
	Rows []any
	Bad  bool
}

// Ask runs a lookup for many questions, whose fields are the same: one statement for up to 500 of them
// where the query allows it. Without fields there is one question, for all rows.
func (d *Database) Ask(ctx context.Context, l *Lookup, fields []string, questions []Wanted) ([]Found, error) {
	found := make([]Found, len(questions))
	if l.Together() {
		step := l.atOnce(len(fields))
		for from := 0; from < len(questions); from += step {
			to := min(from+step, len(questions))
			if err := d.together(ctx, l, fields, questions[from:to], found[from:to]); err != nil {
				return nil, err
			}
		}
		return found, nil
	}
	return found, d.oneByOne(ctx, l, fields, questions, found)
}

// atOnce is how many questions of some fields one statement asks: each value takes a place of its own
// wherever the query names it.
func (l *Lookup) atOnce(fields int) int {
	return min(maxTogether, max(1, maxParameters/max(1, len(l.places), fields)))
}

// together asks for several values by one statement. One that the database cannot compare is found by halving.
func (d *Database) together(ctx context.Context, l *Lookup, fields []string, questions []Wanted, found []Found) error {
	rows, err := d.rowsOf(ctx, l, fields, questions)
	switch {
	case err == nil:
	case !isBadValue(err) || len(fields) == 0:
		return err
	case len(questions) == 1:
		found[0].Bad = true
		return nil
	default:
		half := len(questions) / 2
		return errors.Join(d.together(ctx, l, fields, questions[:half], found[:half]),
			d.together(ctx, l, fields, questions[half:], found[half:]))
	}
	if len(fields) == 0 {
		for _, row := range rows {
			found[0].Rows = append(found[0].Rows, row)
		}
		return nil
	}
	return d.dialect.sort(rows, fields, questions, found)
}

// sort gives each question its rows: one statement found those of all.
func (d *dialect) sort(rows []map[string]any, fields []string, questions []Wanted, found []Found) error {
	by := map[string][]int{}
	for i, q := range questions {
		key := d.folded(q[0])
		by[key] = append(by[key], i)
	}
	for _, row := range rows {
		v, ok := valueIn(row, fields[0])
		if !ok {
			return &diag.Problem{Message: fmt.Sprintf("the query's result has no column %q", fields[0]),
				Hint: "select the column, or give it that name with AS"}
		}
		if text, ok := plain.Text(v); ok {
			for _, i := range by[d.folded(text)] {
				if d.fits(row, fields, questions[i]) {
					found[i].Rows = append(found[i].Rows, row)
				}
			}
		}
	}
	return nil
}

// folded gives a value as it is compared: in MySQL and SQL Server, letters' case does not count as a rule.
func (d *dialect) folded(text string) string {
	text = strings.TrimSpace(text)
	if d == mySQL || d == sqlServer {
		return strings.ToLower(text)
	}
	return text
}

func (d *Database) rowsOf(ctx context.Context, l *Lookup, fields []string, questions []Wanted) (rows []map[string]any,
	err error) {
	take := func(columns []column, values []any, size int) (bool, error) {
		if rows = append(rows, bodyOf(columns, values)); len(rows) > maxLookupRows || size > maxPageBytes {
			return false, &diag.Problem{Message: fmt.Sprintf("the query finds more than %d rows, or more than %d MiB, at once",
				maxLookupRows, maxPageBytes>>20), Hint: "have it find few rows for a value, and select the columns that are needed"}
		}
		return true, nil
	}
	q := Query{Text: l.Text, Timeout: l.Timeout, Encoding: l.Encoding}
	if l.lists {
		text, args := l.expanded(d.dialect, questions)
		return rows, d.plain(ctx, q, text, args, take)
	}
	return rows, d.read(ctx, q, func(columns []string) (string, []any, error) {
		text, args := d.dialect.where(d.dialect.whole(q, columns), fields, questions)
		return text, args, nil
	}, take)
}

// where narrows down a statement to the rows that have the values of a question.
func (d *dialect) where(text string, fields []string, questions []Wanted) (string, []any) {
	if len(fields) == 0 {
		return text, nil
	}
	var args []any
	bind := func(v string) string {
		var places []string
		for _, arg := range d.forms(v) {
			args = append(args, arg)
			places = append(places, d.placeholder(len(args)))
		}
		return strings.Join(places, ", ")
	}
	var conditions []string
	if len(fields) == 1 {
		values := make([]string, len(questions))
		for i, q := range questions {
			values[i] = bind(q[0])
		}
		conditions = append(conditions, d.column(fields[0])+" IN ("+strings.Join(values, ", ")+")")
	} else {
		for _, q := range questions {
			var all []string
			for n, f := range fields {
				all = append(all, d.column(f)+" IN ("+bind(q[n])+")")
			}
			conditions = append(conditions, "("+strings.Join(all, " AND ")+")")
		}
	}
	return strings.Join([]string{text, "WHERE", strings.Join(conditions, " OR ")}, " "), args
}

// forms gives a value as it is bound. To SQLite a number is no text, unless a column's declared type
// says how to compare them: both are asked for.
func (d *dialect) forms(v string) []any {
	if d.named {
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return []any{v, n}
		}
		if f, err := strconv.ParseFloat(v, 64); err == nil {
			return []any{v, f}
		}
	}
	return []any{v}
}

// expanded gives the statement with as many placeholders as there are values in the place of each parameter.
func (l *Lookup) expanded(d *dialect, questions []Wanted) (string, []any) {
	var b strings.Builder
	var args []any
	at := 0
	for _, p := range l.places {
		b.WriteString(l.Text[at:p.from])
		var places []string
		for _, q := range questions {
			for _, arg := range d.forms(q[0]) {
				args = append(args, arg)
				places = append(places, d.placeholder(len(args)))
			}
		}
		b.WriteString(strings.Join(places, ", "))
		at = p.to
	}
	b.WriteString(l.Text[at:])
	return b.String(), args
}

// plain runs a statement as it stands.
func (d *Database) plain(ctx context.Context, q Query, text string, args []any,
	take func(columns []column, values []any, size int) (bool, error)) error {
	return d.within(ctx, q.Timeout, func(ctx, outer context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, text, args...)
		if err != nil {
			return explain(outer, "run the query", err)
		}
		defer func() { _ = rows.Close() }() // what Close says, Err has said
		return explain(outer, "read the query's rows", d.scan(rows, q, take))
	})
}

// oneByOne runs one prepared statement for each question, in one transaction; after a value that the
// database cannot compare it goes on in another one.
func (d *Database) oneByOne(ctx context.Context, l *Lookup, fields []string, questions []Wanted, found []Found) error {
	for at := 0; at < len(questions); {
		err := d.within(ctx, l.Timeout+time.Duration(len(questions)-at)*perQuestion, func(ctx, outer context.Context,
			tx *sql.Tx) error {
			s, err := tx.PrepareContext(ctx, l.bound(d.dialect))
			if err != nil {
				return explain(outer, "prepare the query", err)
			}
			defer func() { _ = s.Close() }() // ends with the transaction
			for ; at < len(questions); at++ {
				if found[at].Rows, err = d.one(ctx, s, l, fields, questions[at]); err != nil {
					return explain(outer, "run the query", err)
				}
			}
			return nil
		})
		switch {
		case err == nil:
			return nil
		case !isBadValue(err):
			return err
		}
		found[at].Bad = true
		at++
	}
	return nil
}

// perQuestion is what each further question adds to the time that all of them may take.
const perQuestion = 100 * time.Millisecond

// bound gives the statement with one placeholder for every parameter.
func (l *Lookup) bound(d *dialect) string {
	s := statement{text: l.Text, parameters: l.places}
	return s.bind(d)
}

func (d *Database) one(
	ctx context.Context,
	s *sql.Stmt,
	l *Lookup,
	fields []string,
	want Wanted,
) (found []any, err error) {
	args := make([]any, len(l.places))
	for i, p := range l.places {
		args[i] = want[slices.Index(fields, p.name)]
	}
	rows, err := s.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // what Close says, Err has said
	err = d.scan(rows, Query{Encoding: l.Encoding}, func(columns []column, values []any, size int) (bool, error) {
		if found = append(found, bodyOf(columns, values)); len(found) > maxLookupRows || size > maxPageBytes {
			return false, &diag.Problem{Message: "the query finds too many rows for one value", Hint: "have it find few rows"}
		}
		return true, nil
	})
	return found, err
}

// valueIn gives what a row has in a column, whose name is compared without regard to case.
func valueIn(row map[string]any, column string) (any, bool) {
	if v, ok := row[column]; ok {
		return v, true
	}
	for name, v := range row {
		if strings.EqualFold(name, column) {
			return v, true
		}
	}
	return nil, false
}

// fits compares a row with a question: MySQL finds more than what equals a text.
func (d *dialect) fits(row map[string]any, fields []string, want Wanted) bool {
	for n, f := range fields {
		v, ok := valueIn(row, f)
		text, has := plain.Text(v)
		if !ok || !has || d.folded(text) != d.folded(want[n]) {
			return false
		}
	}
	return true
}

// IsColumn tells whether a name can be that of a column of a query's result.
func IsColumn(name string) bool { return isIdentifier(name) }
