package sqlite_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/journaltest"
	"github.com/culvert/culvert/engine/journal/sqlite"
)

// modelChecks are fewer than rapid's hundred, for every step waits for the disk; -rapid.checks on
// the command line says otherwise.
const modelChecks = "40"

func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", modelChecks); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// place is a file in a folder of the test.
type place string

func newPlace(t testing.TB) place { return place(filepath.Join(t.TempDir(), "state", "culvert.db")) }

func (p place) Open(t testing.TB, o journal.Options) journal.Journal {
	t.Helper()
	return p.open(t, o)
}

// Bytes gives every byte that the journal has on disk.
func (p place) Bytes(t testing.TB) (all []byte) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(filepath.Dir(string(p)), "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, content...)
	}
	return all
}

// Bytes gives every byte that the journal has on disk.
func (p smallPlace) Bytes(t testing.TB) []byte { return place(p).Bytes(t) }

// smallPlace is a file whose journal merges what it keeps in memory all the time.
type smallPlace string

func (p smallPlace) Open(t testing.TB, o journal.Options) journal.Journal {
	t.Helper()
	s, err := sqlite.OpenSmall(t.Context(), string(p), o)
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

func (p place) open(t testing.TB, o journal.Options) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), string(p), o)
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

func TestSuiteWhileMerging(t *testing.T) {
	t.Parallel()
	journaltest.Run(t, func(t *testing.T) journaltest.Place { return smallPlace(newPlace(t)) })
}

func TestSuiteSealed(t *testing.T) {
	t.Parallel()
	journaltest.Run(t, func(t *testing.T) journaltest.Place { return journaltest.Sealed(smallPlace(newPlace(t))) })
}

func TestModelSealed(t *testing.T) {
	t.Parallel()
	journaltest.Model(t, func(t *testing.T) journaltest.Place { return journaltest.Sealed(smallPlace(newPlace(t))) })
}

func TestModelWhileMerging(t *testing.T) {
	t.Parallel()
	journaltest.Model(t, func(t *testing.T) journaltest.Place { return smallPlace(newPlace(t)) })
}

func TestModel(t *testing.T) {
	t.Parallel()
	journaltest.Model(t, func(t *testing.T) journaltest.Place { return newPlace(t) })
}
