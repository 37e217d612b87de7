package database

import (
	"github.com/culvert/culvert/sources/sourcetest"

	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// engine is one real database that the tests run against.
type engine struct {
	name       string
	connection Connection
	db         *sql.DB // that may write
	moment     string  // the type of a column that holds the time of a change
}

func engines(t *testing.T) []engine {
	t.Helper()
	path := filepath.Join(t.TempDir(), "registry of people.db")
	lite := open(t, "sqlite", "file:"+strings.ReplaceAll(path, " ", "%20"))
	if _, err := lite.Exec("CREATE TABLE made (n INTEGER)"); err != nil {
		t.Fatal(err)
	}
	out := []engine{{"SQLite", Connection{Name: "registry", URL: "sqlite:" + filepath.Base(path),
		Dir: filepath.Dir(path)}, lite, "DATETIME"}}
	if url := server(t, "CULVERT_TEST_POSTGRES"); url != "" {
		out = append(out, engine{"PostgreSQL", Connection{Name: "registry", URL: url}, open(t, "pgx", url), "TIMESTAMPTZ"})
	}
	if dsn := server(t, "CULVERT_TEST_MARIADB"); dsn != "" {
		out = append(out, engine{"MariaDB", Connection{Name: "registry", URL: dsn}, open(t, "mysql", dsn), "DATETIME(6)"})
	}
	return out
}

// server gives the address of a test server; the tests that need it are skipped without one, but not in CI.
func server(t *testing.T, variable string) string {
	t.Helper()
	v := os.Getenv(variable)
	if v == "" && os.Getenv("CI") == "true" {
		t.Fatalf("%s is not set", variable)
	}
	if v == "" {
		t.Logf("SKIP: %s is not set, so this database is not tested", variable)
	}
	return v
}

func open(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// table makes a table that is gone after the test, and gives its name.
func (e engine) table(t *testing.T, columns string) string {
	t.Helper()
	name := fmt.Sprintf("visits_%d", time.Now().UnixNano())
	e.exec(t, "CREATE TABLE "+name+" ("+columns+")")
	t.Cleanup(func() { e.exec(t, "DROP TABLE "+name) })
	return name
}

func (e engine) exec(t *testing.T, text string) {
	t.Helper()
	if _, err := e.db.Exec(text); err != nil {
		t.Fatalf("%s: %v", e.name, err)
	}
}

func (e engine) open(t *testing.T) *Database {
	t.Helper()
	d, err := Open(e.connection)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// each runs a test against every database that there is.
func each(t *testing.T, do func(t *testing.T, e engine)) {
	for _, e := range engines(t) {
		t.Run(e.name, func(t *testing.T) { do(t, e) })
	}
}

// idsOf gives the ids of the new records since the last call.
func idsOf(s *sourcetest.Sink) []any {
	var out []any
	for _, b := range s.Bodies() {
		out = append(out, b.(map[string]any)["id"])
	}
	return out
}

func delivery(s *sourcetest.Sink) Delivery {
	return Delivery{Rule: "anc", Trigger: "database", Cursor: "database/anc", Sink: s, Log: slog.New(slog.DiscardHandler),
		Now: time.Now}
}

func query(text string, cursor ...string) Query {
	return Query{Text: text, Cursor: cursor, Batch: 3, Timeout: 30 * time.Second}
}

func numbers(from, to int) []any {
	var out []any
	for i := from; i <= to; i++ {
		out = append(out, float64(i))
	}
	return out
}
