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

func TestSuite(t *testing.T) {
	t.Parallel()
	journaltest.Run(t, func(t *testing.T) journaltest.Place { return newPlace(t) })
}

func TestModel(t *testing.T) {
	t.Parallel()
	journaltest.Model(t, func(t *testing.T) journaltest.Place { return newPlace(t) })
}
