package journaltest

import (
	"testing"

	"github.com/culvert/culvert/engine/journal"
)

// Sealed is a place whose journal is encrypted from the beginning: it does all that one in clear does.
func Sealed(p Place) Place { return sealed{p} }

type sealed struct{ Place }

// Open implements Place.
func (p sealed) Open(t testing.TB, o journal.Options) journal.Journal {
	t.Helper()
	if o.Key == nil {
		o.Key = []byte("the key of a sealed place in tests")
	}
	return p.Place.Open(t, o)
}
