package codec

import (
	"fmt"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
)

// The numbers of states. Pending and Delivered are 0 and 1 because SQLite keeps those two in no
// space at all: settling a record does not make its row longer.
const (
	Pending   = 0
	Delivered = 1
	Held      = 2
	Skipped   = 3
	Failed    = 4
	Dismissed = 5

	Superseded = 6
)

// states are all of them, by number.
var states = [...]journal.State{journal.Pending, journal.Delivered, journal.Held, journal.Skipped, journal.Failed,
	journal.Dismissed, journal.Superseded}

// States are all states.
func States() []journal.State { return states[:] }

// StateCount is how many states there are.
const StateCount = len(states)

// StateCode gives a state's number; the empty state is pending.
func StateCode(s journal.State) (int, error) {
	if s == "" {
		return Pending, nil
	}
	for i, known := range states {
		if s == known {
			return i, nil
		}
	}
	return 0, fmt.Errorf("there is no record state %q", string(s))
}

// StateOf gives the state of a number.
func StateOf(code int) journal.State {
	if code < 0 || code >= len(states) {
		return journal.State(fmt.Sprintf("unknown-%d", code))
	}
	return states[code]
}

// Unsettled tells whether a record in this state holds back later records of its key.
func Unsettled(code int) bool { return code == Pending || code == Held }

// Flags of a record.
const (
	FlagForce  = 1
	FlagEdited = 2
	FlagNotify = 4 // triggers of the stores' schemas know it
	FlagWaits  = 8 // indexes of the stores' schemas know it
	FlagInsist = 16
)

// Flags packs a record's flags.
func Flags(r *journal.Record) int {
	f := 0
	if r.Force {
		f |= FlagForce
	}
	if r.Edited {
		f |= FlagEdited
	}
	if r.Notify {
		f |= FlagNotify
	}
	if r.Insist {
		f |= FlagInsist
	}
	if Waits(r.State, r.Problem) {
		f |= FlagWaits
	}
	return f
}

// Waits tells whether a record waits for what it hangs on, and so lets records of other rules pass.
func Waits(s journal.State, p *journal.Problem) bool {
	return s == journal.Pending && p != nil && p.Class == actions.ClassParent
}

// ReplayFlags are the flags of records that a person replays; the stores' statements clear what an
// earlier replay set. Only a record that is named may overwrite what is newer.
func ReplayFlags(f journal.Filter, force bool) int {
	switch {
	case force && (f.Seq != 0 || f.ID != ""):
		return FlagForce | FlagInsist
	case force:
		return FlagForce
	}
	return 0
}
