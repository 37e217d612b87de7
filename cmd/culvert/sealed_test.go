package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestSealedInPostgreSQL runs the script of an encrypted project with its journal in PostgreSQL.
func TestSealedInPostgreSQL(t *testing.T) {
	admin := os.Getenv("CULVERT_TEST_POSTGRES")
	if admin == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("CULVERT_TEST_POSTGRES names no PostgreSQL")
		}
		t.Skip("CULVERT_TEST_POSTGRES names no PostgreSQL")
	}
	p := scripts(freshDatabase(t, admin))
	p.Files = []string{"testdata/script/sealed.txtar"}
	testscript.Run(t, p)
}

// storedCommand looks for a text in every file of the state folder, and in every row of a journal in PostgreSQL.
func storedCommand(ts *testscript.TestScript, neg bool, args []string) {
	err := traces(ts, []string{args[0], "state"})
	found := err == nil
	if store := ts.Getenv("CULVERT_STORE"); !found && strings.HasPrefix(store, "postgres") {
		found, err = inTables(store, args[0])
		ts.Check(err)
	}
	if found == neg {
		ts.Fatalf("that %q is stored is %v", args[0], found)
	}
}

// inTables looks for a text in all rows of a database. As a text, a row shows bytes in hex.
func inTables(dsn, text string) (found bool, err error) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	list := func(query string) ([]string, error) {
		rows, err := conn.Query(ctx, query)
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, pgx.RowTo[string])
	}
	tables, err := list("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'culvert'")
	if err != nil {
		return false, err
	}
	all := 0
	for _, table := range tables {
		rows, err := list("SELECT t::text FROM " + table + " t")
		if err != nil {
			return false, err
		}
		all += len(rows)
		for _, row := range rows {
			found = found || strings.Contains(row, text) || strings.Contains(row, fmt.Sprintf("%x", text))
		}
	}
	if all < 20 {
		return false, fmt.Errorf("this is not the journal: %d rows in %d tables", all, len(tables))
	}
	return found, nil
}
