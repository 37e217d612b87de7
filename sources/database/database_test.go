package database

import (
	"github.com/culvert/culvert/sources/sourcetest"

	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"go.uber.org/goleak"

	"github.com/culvert/culvert/sources"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPollGoesOnWhereItWas(t *testing.T) {
	each(t, func(t *testing.T, e engine) {
		table := e.table(t, "id INTEGER PRIMARY KEY, updated_at "+e.moment+", name VARCHAR(50)")
		for i := 1; i <= 10; i++ {
			e.exec(t, fmt.Sprintf("INSERT INTO %s VALUES (%d, '2026-08-01 10:00:%02d', 'n')", table, i, i/4))
		}
		e.exec(t, fmt.Sprintf("INSERT INTO %s VALUES (99, NULL, 'never changed')", table))
		d, s := e.open(t), sourcetest.New()
		q := query("SELECT * FROM "+table+" -- all of them", "updated_at", "id")
		poll := func(want []any) {
			t.Helper()
			if err := d.Poll(t.Context(), q, delivery(s)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, idsOf(s)); diff != "" {
				t.Error(diff)
			}
		}
		poll(numbers(1, 10))
		if s.Batches() != 4 || s.Again() != 0 {
			t.Errorf("%d batches, %d rows read twice", s.Batches(), s.Again())
		}
		poll(nil)
		e.exec(t, "INSERT INTO "+table+" VALUES (11, '2026-08-01 10:00:02', 'same time, greater id'), (12, '2026-08-02 "+
			"00:00:00', 'later')")
		e.exec(t, "UPDATE "+table+" SET updated_at = '2026-08-03 00:00:00', name = 'changed' WHERE id = 3")
		poll([]any{11.0, 12.0, 3.0})
		if s.Again() != 0 {
			t.Errorf("without overlap %d rows were read twice", s.Again())
		}
	})
}

func TestOverlapFindsLateCommits(t *testing.T) {
	each(t, func(t *testing.T, e engine) {
		table := e.table(t, "id INTEGER PRIMARY KEY, updated_at "+e.moment)
		e.exec(t, "INSERT INTO "+table+" VALUES (1, '2026-08-01 10:00:00'), (2, '2026-08-01 10:20:00'), (3, '2026-08-01 "+
			"10:30:00.250')")
		d, s := e.open(t), sourcetest.New()
		q := query("SELECT * FROM "+table, "updated_at", "id")
		q.Overlap = Overlap{Time: 15 * time.Minute, Given: true}
		read := func() []any {
			t.Helper()
			if err := d.Poll(t.Context(), q, delivery(s)); err != nil {
				t.Fatal(err)
			}
			return idsOf(s)
		}
		read()
		before := s.Cursors()["database/anc"]
		e.exec(t, "INSERT INTO "+table+" VALUES (4, '2026-08-01 10:16:00'), (5, '2026-08-01 10:01:00')")
		if diff := cmp.Diff([]any{4.0}, read()); diff != "" {
			t.Error(diff)
		}
		if s.Again() != 2 {
			t.Errorf("%d rows were recognised", s.Again())
		}
		if s.Cursors()["database/anc"] != before {
			t.Errorf("the cursor went from %s to %s", before, s.Cursors()["database/anc"])
		}
	})
}

func TestRowsOfOneTimeAreNeverSplit(t *testing.T) {
	each(t, func(t *testing.T, e engine) {
		table := e.table(t, "id INTEGER PRIMARY KEY, updated_at "+e.moment)
		for i := 1; i <= 20; i++ {
			second := 0
			if i > 16 {
				second = i
			}
			e.exec(t, fmt.Sprintf("INSERT INTO %s VALUES (%d, '2026-08-01 10:00:%02d')", table, i, second))
		}
		d, s := e.open(t), sourcetest.New()
		if err := d.Poll(t.Context(), query("SELECT * FROM "+table, "updated_at"), delivery(s)); err != nil {
			t.Fatal(err)
		}
		if got := len(idsOf(s)); got != 20 || s.Again() != 0 {
			t.Errorf("%d rows, %d twice", got, s.Again())
		}
	})
}

func TestNumberCursorStartAndCrash(t *testing.T) {
	each(t, func(t *testing.T, e engine) {
		table := e.table(t, "id BIGINT PRIMARY KEY")
		for i := 1; i <= 12; i++ {
			e.exec(t, fmt.Sprintf("INSERT INTO %s VALUES (%d)", table, i))
		}
		d, s := e.open(t), sourcetest.New()
		q := query("WITH recent AS (SELECT id FROM "+table+") SELECT id FROM recent", "id")
		q.Start, q.Overlap = "4", Overlap{Time: defaultOverlap}
		crash := errors.New("gone")
		s.Refuse = func(batch int) error {
			if batch == 3 {
				return crash
			}
			return nil
		}
		if err := d.Poll(t.Context(), q, delivery(s)); !errors.Is(err, crash) {
			t.Fatal(err)
		}
		if diff := cmp.Diff(numbers(4, 9), idsOf(s)); diff != "" {
			t.Error(diff)
		}
		s.Refuse = func(batch int) error {
			if batch == 4 {
				return &sources.ErrBusy{RetryAfter: time.Millisecond, Reason: "full"}
			}
			return nil
		}
		if err := d.Poll(t.Context(), q, delivery(s)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(numbers(10, 12), idsOf(s)); diff != "" || s.Again() != 0 {
			t.Error(diff, s.Again())
		}
		q.Overlap = Overlap{Number: 2, Given: true}
		if err := d.Poll(t.Context(), q, delivery(s)); err != nil || s.Again() != 3 {
			t.Errorf("%d rows read again, %v", s.Again(), err)
		}
		q.Overlap = Overlap{Time: time.Hour, Given: true}
		if err := d.Poll(t.Context(), q, delivery(s)); err == nil || !strings.Contains(err.Error(), "overlap does not fit") {
			t.Error(err)
		}
		q.Start, q.Overlap = "1", Overlap{}
		if err := d.Poll(t.Context(), q, delivery(s)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(numbers(1, 3), idsOf(s)); diff != "" {
			t.Error("another start reads again from there", diff)
		}
	})
}

func TestCursorOfAnExpression(t *testing.T) {
	each(t, func(t *testing.T, e engine) {
		table := e.table(t, "id INTEGER PRIMARY KEY, at "+map[string]string{"MariaDB": "DOUBLE"}[e.name]+
			map[string]string{"SQLite": "REAL", "PostgreSQL": "FLOAT8"}[e.name])
		for i := 1; i <= 8; i++ {
			e.exec(t, fmt.Sprintf("INSERT INTO %s VALUES (%d, %d.1)", table, i, i))
		}
		d, s := e.open(t), sourcetest.New()
		q := query("SELECT id, at * 3 AS place FROM "+table, "place")
		q.Start = "6"
		for range 2 {
			if err := d.Poll(t.Context(), q, delivery(s)); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(numbers(2, 8), idsOf(s)); diff != "" || s.Again() != 0 {
			t.Error(s.Again(), diff)
		}
		q.Overlap = Overlap{Number: 4, Given: true}
		if err := d.Poll(t.Context(), q, delivery(s)); err != nil || s.Again() != 2 {
			t.Errorf("%d rows read again, %v", s.Again(), err)
		}
	})
}

func TestOnlyReading(t *testing.T) {
	for _, e := range engines(t) {
		if e.name == "SQLite" {
			continue
		}
		t.Run(e.name, func(t *testing.T) {
			text := map[string]string{"PostgreSQL": "SELECT set_config('culvert.test', txid_current()::text, false) AS id, " +
				"nextval(pg_get_serial_sequence('%s', 'id')) AS n", "MariaDB": "SELECT NEXTVAL(%s_seq) AS id"}[e.name]
			table := e.table(t, map[string]string{"PostgreSQL": "id SERIAL", "MariaDB": "id INTEGER"}[e.name])
			if e.name == "MariaDB" {
				e.exec(t, "CREATE SEQUENCE "+table+"_seq")
				t.Cleanup(func() { e.exec(t, "DROP SEQUENCE "+table+"_seq") })
			}
			err := e.open(t).Poll(t.Context(), query(fmt.Sprintf(text, table), "id"), delivery(sourcetest.New()))
			if err == nil || !strings.Contains(err.Error(), "write") {
				t.Errorf("a query that writes: %v", err)
			}
		})
	}
}

func TestSlowQueryIsStopped(t *testing.T) {
	each(t, func(t *testing.T, e engine) {
		text := map[string]string{
			"PostgreSQL": "SELECT 1 AS id, pg_sleep(60)::text AS s",
			"MariaDB":    "SELECT 1 AS id, BENCHMARK(100000000000, MD5('a')) AS s",
			"SQLite":     "WITH RECURSIVE c(id) AS (SELECT 1 UNION ALL SELECT id+1 FROM c) SELECT max(id) AS id FROM c",
		}[e.name]
		q := query(text, "id")
		q.Timeout = time.Second
		if e.name == "SQLite" {
			q.Timeout = time.Second - grace // it has no limit of its own
		}
		err := e.open(t).Poll(t.Context(), q, delivery(sourcetest.New()))
		if err == nil || !strings.Contains(err.Error(), "did not answer in time") {
			t.Error(err)
		}
	})
}

func TestErrorsAreWords(t *testing.T) {
	each(t, func(t *testing.T, e engine) {
		table := e.table(t, "id INTEGER PRIMARY KEY, name VARCHAR(20)")
		e.exec(t, "INSERT INTO "+table+" VALUES (1, 'Jane Doe')")
		d := e.open(t)
		for text, want := range map[string]string{
			"SELECT nothing FROM " + table:       "the database refuses the query",
			"SELECT * FROM no_such_table":        "the database refuses the query",
			"SELECT id FROM " + table + " WHERE": "the database refuses the query",
			"SELECT name FROM " + table:          "id",
			"SELECT id, name, id FROM " + table:  "", // each database has its own words for it
		} {
			err := d.Poll(t.Context(), query(text, "id"), delivery(sourcetest.New()))
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "Jane") {
				t.Errorf("%s: %v", text, err)
			}
		}
		if e.name == "PostgreSQL" {
			err := d.Poll(t.Context(), query("SELECT id, name::int AS n FROM "+table, "id"), delivery(sourcetest.New()))
			if err == nil || strings.Contains(err.Error(), "Jane") || !strings.Contains(err.Error(), "22P02") {
				t.Errorf("data in an error: %v", err)
			}
		}
	})
}

func TestAddressesAreNeverPrinted(t *testing.T) {
	const secret = "s3cret"
	for _, url := range []string{
		"postgres://u:s3cret@127.0.0.1:1/db", "postgres://u:s3cret@127.0.0.1:port/db", "mysql://u:s3cret@127.0.0.1:1/db",
		"u:s3cret@tcp(127.0.0.1:1)/db",
		"u:s3cret@nowhere", "mysql://u:s3c%ret@h/db", "sqlserver://u:s3cret@127.0.0.1:1?database=x",
		"sqlserver://u:s3cret%zz@h", "oracle://u:s3cret@h/db",
		"sqlite:", "sqlite:/nowhere/s3cret.db", "postgres://u:s3cret@no-such-host.invalid/db?connect_timeout=2",
	} {
		d, err := Open(Connection{Name: "registry", URL: url})
		if err == nil {
			err = d.Poll(t.Context(), query("SELECT 1 AS id", "id"), delivery(sourcetest.New()))
			if closing := d.Close(); closing != nil {
				t.Error(closing)
			}
		}
		if err == nil || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "s3c") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if url := os.Getenv("CULVERT_TEST_MARIADB"); url != "" {
		c, err := mysql.ParseDSN(url)
		if err != nil {
			t.Fatal(err)
		}
		d, err := Open(Connection{Name: "registry", URL: "mysql://" + c.Addr + "/" + c.DBName, Username: c.User,
			Password: secret})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = d.Close() }()
		err = d.Poll(t.Context(), query("SELECT 1 AS id", "id"), delivery(sourcetest.New()))
		if err == nil || !strings.Contains(err.Error(), "refuses the user") || strings.Contains(err.Error(), secret) {
			t.Error(err)
		}
	}
}

func TestManyRowsInSteadyMemory(t *testing.T) {
	const rows = 100_000
	each(t, func(t *testing.T, e engine) {
		text := "WITH RECURSIVE c(id) AS (SELECT 1 UNION ALL SELECT id+1 FROM c WHERE id < 100000) SELECT id, 'a name " +
			"that is not short' AS name FROM c"
		table := e.table(t, "id INTEGER PRIMARY KEY, name VARCHAR(50)")
		insert := "INSERT INTO " + table + " " + text
		if e.name == "MariaDB" {
			insert = "INSERT INTO " + table + " SELECT seq, 'a name that is not short' FROM seq_1_to_100000"
		}
		e.exec(t, insert)
		count, peak := 0, uint64(0)
		s := &counting{Sink: sourcetest.New(), count: &count, watch: func() {
			if count%20_000 == 0 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
		}}
		q := query("SELECT * FROM "+table, "id")
		q.Batch = 5000
		to := delivery(nil)
		to.Sink = s
		if err := e.open(t).Poll(t.Context(), q, to); err != nil {
			t.Fatal(err)
		}
		if err := e.open(t).All(t.Context(), q, to); err != nil {
			t.Fatal(err)
		}
		if count != 2*rows || peak == 0 || peak > 64<<20 {
			t.Errorf("%d rows, %d MiB at the most", count, peak>>20)
		}
	})
}

// counting is a sink that keeps nothing.
type counting struct {
	*sourcetest.Sink
	count *int
	watch func()
}

func (s *counting) Accept(_ context.Context, b sources.Batch) ([]sources.Receipt, error) {
	*s.count += len(b.Records)
	s.watch()
	return make([]sources.Receipt, len(b.Records)), nil
}

func TestRunStopsAndHeals(t *testing.T) {
	e := engines(t)[0]
	table := e.table(t, "id INTEGER PRIMARY KEY")
	e.exec(t, "INSERT INTO "+table+" VALUES (1), (2)")
	asked := 0
	s := New(Config{
		Rules: []Rule{{Rule: "anc", Connection: "registry", Query: query("SELECT * FROM "+table, "id"), Every: time.Hour}},
		Connect: func(string) (Connection, error) {
			if asked++; asked == 1 {
				return Connection{}, errors.New("the environment variable DB is not set")
			}
			return e.connection, nil
		},
		Log: slog.New(slog.DiscardHandler),
	})
	to, ctx := sourcetest.New(), t.Context()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	to.Watch = cancel
	if err := s.Run(ctx, to); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(numbers(1, 2), idsOf(to)); diff != "" {
		t.Error(diff)
	}
}
