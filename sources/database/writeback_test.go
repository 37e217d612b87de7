package database

import (
	"github.com/culvert/culvert/sources/sourcetest"

	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

func TestStatementOfEveryDialect(t *testing.T) {
	s, found := parseStatement(`UPDATE "odd:name" SET a = :outcome, t.b = ':cause', c = :cause::text, -- :note
		[d] = x[1:2], e := :Id /* :no */ WHERE id = :id`)
	if len(found) > 0 {
		t.Fatal(found)
	}
	for d, want := range map[*dialect]string{
		postgres: `UPDATE "odd:name" SET a = $1, t.b = ':cause', c = $2::text, -- :note` + "\n\t\t" +
			`[d] = x[1:2], e := $3 /* :no */ WHERE id = $4`,
		mySQL: `UPDATE "odd:name" SET a = ?, t.b = ':cause', c = ?::text, -- :note` + "\n\t\t" +
			`[d] = x[1:2], e := ? /* :no */ WHERE id = ?`,
		sqlServer: `UPDATE "odd:name" SET a = @p1, t.b = ':cause', c = @p2::text, -- :note` + "\n\t\t" +
			`[d] = x[1:2], e := @p3 /* :no */ WHERE id = @p4`,
	} {
		if diff := cmp.Diff(want, s.bind(d)); diff != "" {
			t.Errorf("%s: %s", d.name, diff)
		}
	}
	var columns []string
	for _, p := range s.parameters {
		if p.column && !slices.Contains(columns, p.name) {
			columns = append(columns, p.name)
		}
	}
	if diff := cmp.Diff([]string{"Id", "id"}, columns); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d"}, s.sets); diff != "" {
		t.Error(diff)
	}
}

func TestMergeOfSQLServerEnds(t *testing.T) {
	s, found := parseStatement("merge into told USING (SELECT :id AS id) r ON told.id = r.id WHEN MATCHED THEN UPDATE " +
		"SET a = :outcome -- ok")
	if len(found) > 0 || !strings.HasSuffix(s.bind(sqlServer), "-- ok\n;") || strings.Contains(s.bind(postgres), ";") {
		t.Errorf("%v: %s", found, s.bind(sqlServer))
	}
}

func FuzzParseStatement(f *testing.F) {
	for _, text := range []string{"UPDATE v SET a = :outcome WHERE id = :id", "INSERT INTO v VALUES (:id, ':x', a::text)",
		"UPDATE v SET a := ':", ":", "::", "CALL p(:id)"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, found := parseStatement(text)
		for _, p := range found {
			if p.from < 0 || p.to > len(text) || p.from > p.to || p.message == "" || p.hint == "" {
				t.Errorf("%q: %+v", text, p)
			}
		}
		length := len(text)
		for _, p := range s.parameters {
			length -= len(p.name)
		}
		if bound := s.bind(mySQL); len(found) == 0 && len(bound) != length {
			t.Errorf("%q became %q", text, bound)
		}
	})
}

func TestCheckSample(t *testing.T) {
	rows := []any{map[string]any{"id": 1.0, "cause": "x"}, map[string]any{"id": 2.0, "name": "a"}}
	for statement, want := range map[string][]string{
		"UPDATE v SET a = :outcome WHERE id = :id AND name = :NAME": nil,
		"UPDATE v SET a = :outcom WHERE id = :id": {
			"1:75 the statement names :outcom, which is neither a column of the row nor part of its outcome; did you mean " +
				"\"outcome\"?"},
		"UPDATE v SET a = :cause WHERE id = :id": {
			"1:75 :cause is part of the outcome, and the row has a column of that name too; give the column another name in " +
				"the query: cause AS row_cause"},
	} {
		var got []string
		Kind{}.CheckSample(trigger(t, "{connection: w, query: SELECT 1, cursor: id, write_back: "+statement+"}"), rows,
			func(d diag.Diagnostic) {
				got = append(got, fmt.Sprintf("%d:%d %s; %s", d.Place.Range.Start.Line, d.Place.Range.Start.Column, d.Message,
					d.Hint))
			})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s\n%s", statement, diff)
		}
	}
}

// ledger is a sink that tells of outcomes, as the engine does.
type ledger struct {
	*sourcetest.Sink
	mu      sync.Mutex
	untold  []sources.Outcome
	told    []sources.Told
	known   map[string]uint64
	alarms  map[string]string
	stopped func() // called when all is told
}

func newLedger(outcomes ...sources.Outcome) *ledger {
	return &ledger{Sink: sourcetest.New(), untold: outcomes, known: map[string]uint64{}, alarms: map[string]string{}}
}

func (l *ledger) Outcomes(_ context.Context, rule string, limit int) ([]sources.Outcome, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if rule != "anc" {
		return nil, errors.New("there is no rule " + rule)
	}
	out := slices.Clone(l.untold[:min(limit, len(l.untold))])
	for i := range out {
		out[i].Known = l.known[out[i].RecordID]
	}
	if len(out) == 0 && l.stopped != nil {
		l.stopped()
	}
	return out, nil
}

func (l *ledger) Told(_ context.Context, _ string, told []sources.Told) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = append(l.told, told...)
	for _, t := range told {
		l.untold = slices.DeleteFunc(l.untold, func(o sources.Outcome) bool { return o.Seq == t.Seq })
		if t.Digest != 0 && t.Again.IsZero() {
			l.known[t.RecordID] = t.Digest
		}
	}
	return nil
}

func (l *ledger) Alarm(subject, what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alarms[subject] = what
}

func delivered(seq int64, id int, more map[string]any) sources.Outcome {
	row := map[string]any{"id": float64(id), "updated_at": fmt.Sprintf("2026-08-01T10:00:%02dZ", seq), "name": "Amina"}
	for name, v := range more {
		row[name] = v
	}
	return sources.Outcome{Seq: seq, RecordID: fmt.Sprint(id), Body: row, State: "delivered",
		Objects: []string{"abcdefghijk", "bcdefghijkl"},
		Settled: time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)}
}

// writeBack runs a source over a query that gives nothing until all outcomes are told.
func writeBack(t *testing.T, e engine, table, statement string, l *ledger) *ledger {
	t.Helper()
	rule := ruleOf("anc", trigger(t,
		"{connection: registry, query: SELECT * FROM "+table+" WHERE 1 = 0, cursor: [updated_at, id], write_back: \""+
			statement+"\"}"))
	if rule.WriteBack == nil {
		t.Fatal("the statement is not taken: ", statement)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	l.stopped = cancel
	s := New(Config{Rules: []Rule{rule}, Connect: func(string) (Connection, error) { return e.connection, nil },
		Log: slog.New(slog.DiscardHandler)})
	if err := s.Run(ctx, l); err != nil {
		t.Fatal(err)
	}
	if len(l.untold) > 0 {
		t.Fatalf("%d outcomes are left: %v", len(l.untold), l.alarms)
	}
	return l
}

func (e engine) text(t *testing.T, query string) string {
	t.Helper()
	rows, err := e.db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		columns, _ := rows.Columns()
		values := make([]*string, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			if v == nil {
				out = append(out, "NULL")
				continue
			}
			out = append(out, *v)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

func TestWriteBack(t *testing.T) {
	each(t, func(t *testing.T, e engine) {
		table := e.table(t, "id INTEGER PRIMARY KEY, updated_at "+e.moment+", name VARCHAR(40), outcome VARCHAR(9), uids "+
			"VARCHAR(90), cause VARCHAR(200), told "+e.moment)
		e.exec(t, "INSERT INTO "+table+" (id, name) VALUES (1, 'Amina'), (2, 'Asha'), (3, 'Adhiambo')")
		failed := delivered(2, 2, map[string]any{"name": nil})
		failed.State, failed.Objects, failed.Code, failed.Message = "failed", nil, "E1064",
			"no date of the visit; it's needed"
		gone, erased := delivered(4, 77, nil), delivered(5, 3, nil)
		erased.Body = nil
		l := writeBack(t, e, table,
			"UPDATE "+table+" SET outcome = :outcome, uids = :objects, cause = :cause, told = :settled WHERE id = :id",
			newLedger(delivered(1, 1, nil), failed, gone, erased))
		want := "1 delivered abcdefghijk bcdefghijkl NULL 2 failed NULL no date of the visit; it's needed 3 NULL NULL NULL"
		if got := e.text(t, "SELECT id, outcome, uids, cause FROM "+table+" ORDER BY id"); got != want {
			t.Errorf("the table holds %s\nwant %s", got, want)
		}
		if got := e.text(t, "SELECT count(*) FROM "+table+
			" WHERE told >= '2026-08-01 11:59:59' AND told < '2026-08-02'"); got != "2" {
			t.Errorf("%s rows hold the time", got)
		}
		for subject, what := range l.alarms {
			if what != "" {
				t.Errorf("%s: %s", subject, what)
			}
		}

		// The same outcome is not written again when the row comes back only because it was written back; another one is.
		e.exec(t, "UPDATE "+table+" SET outcome = NULL")
		again := delivered(6, 1, map[string]any{"outcome": "delivered", "told": "2026-08-01T12:00:00Z",
			"uids": "abcdefghijk bcdefghijkl"})
		l.untold = []sources.Outcome{again}
		writeBack(t, e, table, "UPDATE "+table+" SET outcome = :outcome, uids = :objects, cause = :cause, told = :settled "+
			"WHERE id = :id", l)
		if got := e.text(t, "SELECT outcome FROM "+table+" WHERE id = 1"); got != "NULL" {
			t.Errorf("it was written again: %s", got)
		}
		l.untold = []sources.Outcome{delivered(7, 1, map[string]any{"name": "Amina B."})}
		writeBack(t, e, table, "UPDATE "+table+" SET outcome = :outcome, uids = :objects, cause = :cause, told = :settled "+
			"WHERE id = :id", l)
		if got := e.text(t, "SELECT outcome FROM "+table+" WHERE id = 1"); got != "delivered" {
			t.Errorf("the change was not written back: %s", got)
		}
	})
}

// A row that the database refuses is tried again later, keeps no other row out, and is told of without its values.
func TestWriteBackRefused(t *testing.T) {
	each(t, func(t *testing.T, e engine) {
		table := e.table(t, "id INTEGER PRIMARY KEY, updated_at "+e.moment+", outcome VARCHAR(200) CHECK (outcome <> "+
			"'Amina')")
		e.exec(t, "INSERT INTO "+table+" (id) VALUES (1), (2), (3)")
		l := writeBack(t, e, table, "UPDATE "+table+" SET outcome = :name WHERE id = :id",
			newLedger(delivered(1, 1, map[string]any{"name": "Asha"}), delivered(2, 2, nil),
				delivered(3, 3, map[string]any{"name": "Akinyi"})))
		if got := e.text(t, "SELECT outcome FROM "+table+" ORDER BY id"); got != "Asha NULL Akinyi" &&
			got != "Asha Amina Akinyi" {
			t.Errorf("the table holds %s", got)
		}
		var again []string
		for _, told := range l.told {
			if !told.Again.IsZero() {
				again = append(again, told.RecordID)
			}
		}
		if len(again) != 1 || again[0] != "2" {
			t.Errorf("%v are tried again", again)
		}
	})
}

// A statement that does not work at all loses no outcome.
func TestWriteBackStands(t *testing.T) {
	each(t, func(t *testing.T, e engine) {
		table := e.table(t, "id INTEGER PRIMARY KEY, updated_at "+e.moment)
		l := newLedger(delivered(1, 1, nil), delivered(2, 2, nil))
		for statement, want := range map[string]string{
			"UPDATE no_such_table SET a = :outcome WHERE id = :id":       "refuses the statement",
			"UPDATE " + table + " SET nothing = :outcome WHERE id = :id": "refuses the statement",
			"UPDATE " + table + " SET id = :idd WHERE id = :id": `:idd, which is neither a column of the row ` +
				`nor part of its outcome; did you mean "id"?`,
			"UPDATE " + table + " SETT id = :id WHERE id = :id":             "refuses the statement",
			"INSERT INTO " + table + " SELECT * FROM nowhere WHERE x = :id": "refuses the statement",
		} {
			r := ruleOf("anc", trigger(t, "{connection: registry, query: SELECT 1, cursor: id, write_back: \""+statement+"\"}"))
			s := New(Config{Connect: func(string) (Connection, error) { return e.connection, nil },
				Log: slog.New(slog.DiscardHandler)})
			teller := &teller{source: s, rule: "anc", back: r.WriteBack, outcomes: l, log: s.c.Log, failing: map[int64]bool{}}
			if err := teller.all(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", statement, err)
			}
			s.writers.Close()
		}
		if len(l.untold) != 2 || len(l.told) != 0 {
			t.Errorf("%d outcomes are left, %d were told", len(l.untold), len(l.told))
		}
	})
}
