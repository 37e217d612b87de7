package postgres_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/journaltest"
	"github.com/culvert/culvert/rules/diag"
)

// TestEarlierFormats brings a schema of every format that ever was, with data in it, up to date.
func TestEarlierFormats(t *testing.T) {
	t.Parallel()
	server(t)
	steps, err := filepath.Glob("migrations/*.sql")
	if err != nil || len(steps) == 0 {
		t.Fatal(err)
	}
	for format := 1; format <= len(steps); format++ {
		t.Run(fmt.Sprintf("format %d", format), func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			fillFormat(t, p, steps[:format])
			checkUpToDate(t, p)
		})
	}
}

// fillFormat makes a schema by the first steps and fills it with what today's program keeps, without what came later.
func fillFormat(t *testing.T, p place, steps []string) {
	t.Helper()
	today := newPlace(t)
	keepSome(t, today)
	conn, err := pgx.Connect(t.Context(), string(p))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	exec := func(text string, args ...any) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), text, append([]any{pgx.QueryExecModeSimpleProtocol}, args...)...); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
	var schema, from string
	if err := conn.QueryRow(t.Context(),
		"SELECT setting FROM pg_settings WHERE name = 'search_path'").Scan(&schema); err != nil {
		t.Fatal(err)
	}
	from = schemaName(t, today)
	exec("CREATE SCHEMA " + schema + "; CREATE TABLE journal_format (version int NOT NULL)")
	exec("INSERT INTO journal_format VALUES ($1)", len(steps))
	for _, step := range steps {
		text, err := os.ReadFile(step)
		if err != nil {
			t.Fatal(err)
		}
		exec(string(text))
	}
	rows, err := conn.Query(t.Context(), `SELECT
		format('INSERT INTO %I.%I (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %I.%I ON CONFLICT DO NOTHING', table_schema,
		table_name,
		string_agg(quote_ident(column_name), ', '), string_agg(CASE column_name WHEN 'mend' THEN 'hint'
		ELSE quote_ident(column_name) END, ', '), $2::text, table_name)
		FROM information_schema.columns WHERE table_schema = $1 AND table_name <> 'journal_format'
		GROUP BY table_schema, table_name`, schema, from)
	if err != nil {
		t.Fatal(err)
	}
	copies, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(copies) < 10 {
		t.Fatalf("there are %d tables: %v", len(copies), err)
	}
	for _, text := range copies {
		exec(text)
	}
	exec("SELECT setval('record_seq', (SELECT max(seq) FROM records))")
	if len(steps) >= 2 && len(steps) < 5 {
		exec("UPDATE contributions SET value = substr(value, 2), contributor = 'visits/form/of Amina/malaria/0/abcdefghijk/'")
	}
}

func schemaName(t *testing.T, p place) string {
	t.Helper()
	config, err := pgx.ParseConfig(string(p))
	if err != nil {
		t.Fatal(err)
	}
	return config.RuntimeParams["search_path"]
}

var contributor = actions.ContributorOf("visits", "form/of Amina", "malaria/0/abcdefghijk/")

// keepSome keeps three records that wait, one that was delivered, one that failed, a digest and
// what a record gives to an aggregate value.
func keepSome(t *testing.T, p place) {
	t.Helper()
	s := p.Open(t, journal.Options{})
	var records []*journal.Record
	for n := range int64(5) {
		records = append(records, journaltest.Form(n))
	}
	_, err := s.Append(t.Context(), records, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Claim(t.Context(), journal.Claim{Owner: "one", Limit: 2, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Commit(t.Context(), &journal.Batch{Owner: "one", Server: "national",
		Digests: []actions.Digest{{Object: "event a", Sum: 7}}, Settlements: []journal.Settlement{
			{Seq: got[0].Seq, State: journal.Delivered, Attempts: 1, Objects: []string{"abcdefghijk"}},
			{Seq: got[1].Seq, State: journal.Failed, Attempts: 1,
				Problem: &journal.Problem{Problem: diag.Problem{Code: "E1064", Message: "no date"}}},
		}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Memory("national").(actions.Contributions).Contribute(t.Context(),
		[]actions.Contribution{{Contributor: contributor, Cell: "march", Value: "3", At: "1"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func checkUpToDate(t *testing.T, p place) {
	t.Helper()
	s := p.Open(t, journal.Options{})
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	sum, err := s.Summary(t.Context())
	if err != nil || len(sum.Rules) != 1 || sum.Rules[0].Pending != 3 || sum.Rules[0].Delivered != 1 ||
		sum.Rules[0].Failed != 1 {
		t.Errorf("it holds %+v: %v", sum.Rules, err)
	}
	d, err := s.Append(t.Context(), []*journal.Record{journaltest.Form(2), journaltest.Form(9)}, nil)
	if err != nil || !d[0] || d[1] {
		t.Errorf("its records are not known: %v %v", d, err)
	}
	got, err := s.Claim(t.Context(), journal.Claim{Owner: "one", Limit: 9, Now: time.Now()})
	if err != nil || len(got) != 4 || string(got[0].Body) != string(journaltest.Form(2).Body) {
		t.Errorf("claimed %d of its records: %v", len(got), err)
	}
	memory := s.Memory("national")
	sums, err := memory.Digests(t.Context(), []string{"event a"})
	if err != nil || sums["event a"].Sum != 7 {
		t.Errorf("its digest is not known: %v %v", sums, err)
	}
	shares := memory.(actions.Contributions)
	if _, err := shares.Contribute(t.Context(), []actions.Contribution{{Contributor: contributor, Cell: "march",
		Value: "5", At: "1"}}); err != nil {
		t.Fatal(err)
	}
	totals, err := shares.Totals(t.Context(), []string{"march"})
	if diff := cmp.Diff(map[string]actions.CellTotal{"march": {Cell: "march", Count: 1, Sum: 5, Last: "5"}},
		totals); diff != "" || err != nil {
		t.Error(diff, err)
	}
}
