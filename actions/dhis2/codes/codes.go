// Package codes explains the error codes that DHIS2 gives in the reports of its imports: what
// happened, in the words of whoever sets up rules, and what to do. docs/errors.md is made from it.
//
// The codes are those of DHIS2 2.38 to 2.44: E1000 to E5000 and E9999 of the tracker import, E76xx
// of data values to 2.42, E8xxx of data values from 2.43 on. The codes in the envelope of other
// replies (WebMessage) reuse some of the numbers with other meanings: they are not explained here.
package codes

import (
	"cmp"
	"slices"
	"sync"

	"github.com/culvert/culvert/actions"
)

// Entry explains one code.
type Entry struct {
	Code  string
	Class actions.Class // what heals it; ClassNone: harmless
	Cause string        // what happened: a sentence without full stop
	Hint  string        // what to do: the same
}

// Explain gives the entry of a code. An unknown code is not ok, and its entry says so: it is
// treated as a mistake in the data, which no retry heals.
func Explain(code string) (entry Entry, ok bool) {
	if e, ok := byCode()[code]; ok {
		return e, true
	}
	return Entry{Code: code, Class: actions.ClassData, Cause: "DHIS2 refuses it for a reason that Culvert does not know",
		Hint: "see the server's own words in the detail"}, false
}

// All gives every entry in the order of the codes.
func All() []Entry {
	all := slices.Concat(tracker(), programRules(), relationships(), dataValues(), dataEntry())
	slices.SortFunc(all, func(a, b Entry) int { return cmp.Compare(a.Code, b.Code) })
	return all
}

var byCode = sync.OnceValue(func() map[string]Entry {
	m := map[string]Entry{}
	for _, e := range All() {
		m[e.Code] = e
	}
	return m
})
