package postgres_test

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/journaltest"
	"github.com/culvert/culvert/engine/journal/postgres"
)

// modelChecks are fewer than rapid's hundred, for every check makes a schema; -rapid.checks on the
// command line says otherwise.
const modelChecks = "15"

func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", modelChecks); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// server gives the database of the tests, in which the user may make schemas.
func server(t testing.TB) string {
	t.Helper()
	dsn := os.Getenv("CULVERT_TEST_POSTGRES")
	if dsn == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("CULVERT_TEST_POSTGRES is not set: it names the PostgreSQL that the journal is tested with")
		}
		t.Skip("CULVERT_TEST_POSTGRES is not set: it names a PostgreSQL, such as " +
			"postgres://postgres@127.0.0.1:5432/postgres, to test the journal with")
	}
	return dsn
}

// place is a schema of its own.
type place string

func newPlace(t testing.TB) place {
	t.Helper()
	dsn, err := url.Parse(server(t))
	if err != nil {
		t.Fatal(err)
	}
	schema := "culvert_test_" + strings.ToLower(rand.Text()[:12])
	q := dsn.Query()
	q.Set("search_path", schema)
	q.Set("application_name", schema)
	dsn.RawQuery = q.Encode()
	t.Cleanup(func() {
		ctx := context.Background()
		conn, err := pgx.Connect(ctx, dsn.String())
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close(ctx)
		if _, err := conn.Exec(ctx, fmt.Sprintf("SET client_min_messages = warning; DROP SCHEMA IF EXISTS %s CASCADE",
			pgx.Identifier{schema}.Sanitize()),
			pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Error(err)
		}
	})
	return place(dsn.String())
}

func (p place) Open(t testing.TB, o journal.Options) journal.Journal {
	t.Helper()
	s, err := postgres.Open(t.Context(), string(p), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Bytes gives all that the tables hold, as text and as bytes, and their files as the server keeps them.
func (p place) Bytes(t testing.TB) (all []byte) {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, string(p))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	text := func(query string, args ...any) (out []string) {
		rows, err := conn.Query(ctx, query, args...)
		if err == nil {
			out, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		if err != nil {
			t.Fatal(query, err)
		}
		return out
	}
	for _, table := range text("SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()") {
		for _, row := range text("SELECT t::text FROM " + table + " t") {
			all = append(all, row...)
		}
	}
	for _, column := range text(`SELECT table_name || '.' || column_name FROM information_schema.columns
		WHERE table_schema = current_schema() AND data_type = 'bytea'`) {
		table, name, _ := strings.Cut(column, ".")
		for _, row := range text("SELECT encode(" + name + ", 'escape') FROM " + table + " WHERE " + name +
			" IS NOT NULL") {
			all = append(all, row...)
		}
	}
	if text("SELECT rolsuper::text FROM pg_roles WHERE rolname = current_user")[0] != "true" {
		return all // who may not read the server's files
	}
	if _, err := conn.Exec(ctx, "CHECKPOINT"); err != nil {
		t.Fatal(err)
	}
	for _, file := range text(`SELECT encode(pg_read_binary_file(pg_relation_filepath(c.oid)), 'escape') FROM pg_class c
		WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'i') AND relpersistence = 'p'`) {
		all = append(all, file...)
	}
	return all
}

func TestSuite(t *testing.T) {
	t.Parallel()
	journaltest.Run(t, func(t *testing.T) journaltest.Place { return newPlace(t) })
}

func TestSuiteSealed(t *testing.T) {
	t.Parallel()
	journaltest.Run(t, func(t *testing.T) journaltest.Place { return journaltest.Sealed(newPlace(t)) })
}

func TestModelSealed(t *testing.T) {
	t.Parallel()
	journaltest.Model(t, func(t *testing.T) journaltest.Place { return journaltest.Sealed(newPlace(t)) })
}

func TestModel(t *testing.T) {
	t.Parallel()
	journaltest.Model(t, func(t *testing.T) journaltest.Place { return newPlace(t) })
}
