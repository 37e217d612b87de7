package journal

import "github.com/culvert/culvert/actions"

// Page is a part of what a search found, newest first.
type Page struct {
	Records []*Record
	// Next is the Before of the next page; 0: there is none. A page may hold fewer records than were
	// asked for, even none, and have a Next: a search looks at so many records at once and no more.
	Next int64
}

// DefaultPage and MaxPage are how many records a page holds: when the filter does not say, and at most.
const (
	DefaultPage = 50
	MaxPage     = 1000
)

// Holder says which object on a server stands for an external id.
type Holder struct {
	Server string
	actions.Identity
}

// Story is all that the journal keeps of one person, case or other subject. Rows of files that went
// through plainly have no record and are not in it.
type Story struct {
	Holders []Holder
	Records []*Record // in order of Seq, without their bodies
	More    bool      // there are more records than were asked for: these are the latest
}
