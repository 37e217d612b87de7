package sqlite_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
)

// TestHiddenContributors brings contributions up to date that told which record they were of: what
// a record gives then takes the place of what it gave.
func TestHiddenContributors(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("testdata/format-4.db")
	if err != nil {
		t.Fatal(err)
	}
	p := place(filepath.Join(t.TempDir(), "culvert.db"))
	if err := os.WriteFile(string(p), content, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+string(p))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`INSERT INTO contributions VALUES ('national', 'visits/form/of Amina/malaria/0/abcdefghijk/',
		'march', 'of old', NULL, '1'), ('national', 'odd', 'march', '3', 3, '0');
		INSERT INTO contributions_left 
			VALUES ('national', 'visits/form/of Amina/malaria/0/abcdefghijk/', 'february')`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	shares := p.open(t, journal.Options{}).Memory("national").(actions.Contributions)
	totals := func(want actions.CellTotal) {
		t.Helper()
		got, err := shares.Totals(t.Context(), []string{"march"})
		if diff := cmp.Diff(map[string]actions.CellTotal{"march": want}, got); diff != "" || err != nil {
			t.Error(diff, err)
		}
	}
	totals(actions.CellTotal{Cell: "march", Count: 2, Sum: 3, Last: "of old"})
	name := actions.ContributorOf("visits", "form/of Amina", "malaria/0/abcdefghijk/")
	left, err := shares.Contribute(t.Context(), []actions.Contribution{{Contributor: name, Cell: "march", Value: "5",
		At: "1"}})
	if diff := cmp.Diff(map[string][]string{name: {"february"}}, left); diff != "" || err != nil {
		t.Error(diff, err)
	}
	totals(actions.CellTotal{Cell: "march", Count: 2, Sum: 8, Last: "5"})
}
