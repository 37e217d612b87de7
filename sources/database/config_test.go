package database

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

func trigger(t *testing.T, text string) *rules.Trigger {
	t.Helper()
	var list diag.List
	doc := yamlnode.Parse("rules/a.yaml", []byte(text), &list)
	if doc == nil || list.HasErrors() {
		t.Fatal(list)
	}
	return &rules.Trigger{Kind: "database", Config: doc.Root, Place: diag.Place{File: "rules/a.yaml"}}
}

func findings(t *testing.T, text string) []string {
	t.Helper()
	var got []string
	Kind{}.Check(trigger(t, text), func(d diag.Diagnostic) {
		got = append(got, fmt.Sprintf("%d:%d %s: %s", d.Place.Range.Start.Line, d.Place.Range.Start.Column, d.Code,
			d.Message))
		if d.Hint == "" {
			t.Errorf("%s: no hint", d.Message)
		}
	})
	return got
}

func TestCheck(t *testing.T) {
	for text, want := range map[string][]string{
		"{connection: w, query: SELECT * FROM v, cursor: [updated_at, id], start: 2026-01-01, every: 5m, overlap: 10m, " +
			"batch: 500, timeout: 60s}": nil,
		"{connection: w, query: \"WITH a AS (SELECT ';' AS x) SELECT " +
			"* FROM a -- b;\", cursor: id, overlap: 100}": nil,
		"{conection: w, query: SELECT 1, cursor: id}": {`1:2 unknown-key: database has no "conection"`,
			"0:0 missing-key: database needs connection"},
		"{connection: w, query: SELECT 1, " +
			"cursor: id, encoding: windows-1256}": nil,
		"{connection: w, query: SELECT 1, cursor: id, encoding: klingon}": {"1:56 encoding: no encoding is named " +
			"\"klingon\""},
		"{connection: w}": {"0:0 missing-key: database needs query", "0:0 missing-key: database needs cursor"},
		"{connection: w, query: SELECT 1;, cursor: id}":     {"1:32 query: the query holds a semicolon"},
		"{connection: w, query: delete from v, cursor: id}": {"1:24 query: the query does not begin with SELECT or WITH"},
		"{connection: w, query: SELECT * " +
			"INTO x FROM v, cursor: id}": {"1:33 query: the query holds INTO: it must only read"},
		"{connection: w, query: SELECT * FROM v " +
			"ORDER BY id LIMIT 5, cursor: id}": {"1:40 query: the query has an order of its own",
			"1:52 query: the query has a LIMIT of its own, so that later rows would never be read"},
		"{connection: w, query: \"SELECT " +
			"(1, cursor\", cursor: id}": {"1:32 query: this ( is not closed"},
		"{connection: w, query: \"SELECT 1) " +
			"UNION (SELECT 2\", cursor: id}": {"1:33 query: this ) closes nothing"},
		"{connection: w, query: \"SELECT 'a\", cursor: id}":   {"1:32 query: this quote is not closed"},
		"{connection: w, query: SELECT 1, cursor: [a, b, c]}": {"1:42 cursor: the cursor has 3 columns"},
		"{connection: w, query: SELECT 1, cursor: v.id}":      {`1:42 cursor: "v.id" is no column of the query's result`},
		"{connection: w, query: SELECT 1, " +
			"cursor: id, every: soon}": {`1:53 duration: every "soon" is no length of time from 1s to 31d`},
		"{connection: w, query: SELECT 1, " +
			"cursor: id, overlap: some}": {`1:55 overlap: overlap "some" is neither a length of time up to 90d nor a number`},
		"{connection: w, query: SELECT 1, cursor: id, batch: 0}": {
			"1:53 wrong-type: batch is a whole number from 1 to 20000"},
		"{connection: w, query: SELECT 1, cursor: id, write_back: " +
			"UPDATE v SET a = :outcome WHERE id = :id}": nil,
		"{connection: w, query: SELECT 1, cursor: id, write_back: {connection: x, statement: UPDATE v SET a = :outcome " +
			"WHERE id = :id}}": nil,
		"{connection: w, query: SELECT 1, cursor: id, write_back: UPDATE v SET a = 1}": {"1:58 write-back: the statement " +
			"names no column of the row, so that every outcome would be written to the same place"},
		"{connection: w, query: SELECT 1, cursor: id, write_back: SELECT :id}": {"1:58 write-back: the statement does " +
			"not begin with a word that writes"},
		"{connection: w, query: SELECT 1, cursor: id, write_back: " +
			"UPDATE v SET a = :outcome WHERE id = :id;}": {"1:98 write-back: the statement holds a semicolon"},
		"{connection: w, query: SELECT 1, cursor: id, write_back: " +
			"\"UPDATE v SET a = 'x WHERE id = :id\"}": {"1:76 write-back: this quote is not closed"},
		"{connection: w, query: SELECT 1, cursor: [at, id], write_back: \"UPDATE v SET a = :outcome, AT = now() WHERE id " +
			"= :id\"}": {"1:65 write-back: the statement sets at, the cursor: every row that is written back is read again"},
		"{connection: w, query: SELECT 1, cursor: " +
			"id, write_back: {conection: x}}": {`1:59 unknown-key: database.write_back has no "conection"`,
			"1:46 missing-key: database.write_back needs statement"},
		"{connection: w, query: SELECT 1, cursor: id, write_back: [a]}": {"1:58 wrong-type: write_back is one text"},
		"[a]": {"0:0 wrong-type: the database trigger is a mapping of keys"},
	} {
		if diff := cmp.Diff(want, findings(t, text)); diff != "" {
			t.Errorf("%s\n%s", text, diff)
		}
	}
}

func TestPolled(t *testing.T) {
	got := ruleOf("anc", trigger(t,
		"{connection: w, query: SELECT * FROM v, cursor: [updated_at, id], start: 2026-01-01, every: 1d, overlap: 1000}"))
	want := Rule{Rule: "anc", Connection: "w", Every: 24 * time.Hour, Query: Query{
		Text: "SELECT * FROM v", Cursor: []string{"updated_at", "id"}, Start: "2026-01-01",
		Overlap: Overlap{Number: 1000, Given: true}, Batch: 500, Timeout: time.Minute,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSample(t *testing.T) {
	for text, want := range map[string]int{`[{"id": 1}, {"id": 2}, {"id": 3}]`: 2, `{"id": 1}`: 1,
		"{\"id\": 1}\n{\"id\": 2}\n": 2} {
		if got, err := (Kind{}).Sample(nil, "samples/a.json", []byte(text), 2); err != nil || len(got) != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	if _, err := (Kind{}).Sample(nil, "samples/a.csv", []byte("id,name\n1,a\n"), 2); err == nil {
		t.Error("a CSV passes as JSON")
	}
}

func TestPageOfEveryDialect(t *testing.T) {
	at := position{after: []value{{typeTime, "2026-08-01T00:00:00Z"}, {typeInteger, "7"}}}
	q := query("SELECT * FROM v", "updated_at", "id")
	for d, want := range map[*dialect]string{
		postgres: "SELECT * FROM (SELECT * FROM v\n) AS culvert WHERE culvert.\"updated_at\" IS NOT NULL AND " +
			"culvert.\"id\" IS NOT NULL AND culvert.\"updated_at\" >= $1 AND (culvert.\"updated_at\" > $2 OR culvert.\"id\" " +
			"> $3) ORDER BY culvert.\"updated_at\", culvert.\"id\" LIMIT 10",
		mySQL: "SELECT * FROM (SELECT * FROM v\n) AS culvert WHERE culvert.`updated_at` IS NOT NULL AND culvert.`id` " +
			"IS NOT NULL AND culvert.`updated_at` >= ? AND (culvert.`updated_at` > ? OR culvert.`id` > ?) ORDER BY " +
			"culvert.`updated_at`, culvert.`id` LIMIT 10",
		sqLite: "SELECT +culvert.`id` AS `id` FROM (SELECT * FROM v\n) AS culvert WHERE culvert.`updated_at` IS NOT " +
			"NULL AND culvert.`id` IS NOT NULL AND culvert.`updated_at` >= ? AND (culvert.`updated_at` > ? OR culvert.`id` > " +
			"?) ORDER BY culvert.`updated_at`, culvert.`id` LIMIT 10",
		sqlServer: "SELECT TOP (10) * FROM (SELECT * FROM v\n) AS culvert WHERE culvert.[updated_at] IS NOT NULL AND " +
			"culvert.[id] IS NOT NULL AND culvert.[updated_at] >= @p1 AND (culvert.[updated_at] > @p2 OR culvert.[id] > @p3) " +
			"ORDER BY culvert.[updated_at], culvert.[id]",
	} {
		got, args, err := d.page(q, []string{"id"}, at, 10)
		if err != nil || len(args) != 3 {
			t.Fatal(args, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", d.name, diff)
		}
	}
}

func FuzzDecodeCursor(f *testing.F) {
	f.Add(`{"by":["id"],"at":[{"t":"integer","v":"7"}]}`)
	f.Add(`{"by":["id"],"at":[{"t":"time","v":"2026-01-01T00:00:00Z"}]}`)
	f.Add(`{"by":["id"],"at":[{"t":"decimal","v":"1e999999999"}]}`)
	f.Add(`{"by":["id"],"at":[]}`)
	q := query("SELECT 1 AS id", "id")
	q.Overlap = Overlap{Time: time.Hour, Number: 5}
	f.Fuzz(func(t *testing.T, text string) {
		c, known, err := decodeCursor(text, q)
		if err != nil || !known {
			return
		}
		if _, err := begin(q, c, true); err != nil {
			return
		}
		_ = c.Values[0].before(c.Values[0])
		if _, _, err := postgres.page(q, nil, position{after: c.Values}, 1); err != nil {
			t.Errorf("%s: a cursor that was read cannot be used: %v", text, err)
		}
	})
}

func FuzzCheckQuery(f *testing.F) {
	for _, text := range []string{"SELECT 1", "SELECT 'a'';' FROM (SELECT 1) x -- b",
		"WITH a AS (SELECT 1) SELECT * FROM a /* ; */", "SELECT \"a", "/*", "SELECT 1;"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range checkQuery(text) {
			if p.from < 0 || p.to > len(text) || p.from > p.to || p.message == "" || p.hint == "" {
				t.Errorf("%q: %+v", text, p)
			}
		}
	})
}
