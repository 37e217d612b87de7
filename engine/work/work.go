// Package work is what travels through the engine: one record on its way to a server, whether the
// journal holds it or a row of a file stands for it.
package work

import (
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
)

// Work is one record on its way to a server.
type Work interface {
	Flow() *program.Flow
	Plan() *actions.Plan
	Key() string
	Seq() int64          // its place in the order of acceptance; 0: none is kept for it
	Attempts() int       // tries before this one
	Received() time.Time // when the record, or the file of the row, was accepted
	LeaseEpoch() int64   // under which it was taken: under a later one it may be with another runner
	OfFile() bool        // it is a Row
	Cancelled() bool     // its file was given up, and is read again later
	// AsRecord is it as the journal keeps it, or would, with its body.
	AsRecord() (*journal.Record, error)
}

// Row is the Work of a file row. The journal has no record of it, so that its key is locked there
// for it while it is in flight.
type Row interface {
	Work
	// Version is what the row is to earlier failures of the same record once it is settled so; false
	// when it is nothing to them.
	Version(s journal.Settlement) (journal.Version, bool)
	// Settle says what became of it.
	Settle(o RowOutcome)
	// Abandon gives its file up: what is not recorded of it is read again.
	Abandon()
}

// RowOutcome is what became of a row. Its settlement has no Seq; one that is pending goes on as a
// record of the journal.
type RowOutcome struct {
	journal.Settlement
	Unchanged bool // nothing had to be sent
	// AwaitingRequeue: no later row of its key may be sent until the record that it becomes is in the
	// journal. Locked: its key is locked until then, too.
	AwaitingRequeue, Locked bool
	// Stored: it went through, and the journal has a record of it for lookups that ask for earlier ones. Looked at:
	// whether it needs one was decided.
	Stored, LookedAt bool
}

// Kept tells whether the row needs a record of its own in the journal.
func (o *RowOutcome) Kept() bool { return o.State == journal.Pending || o.State == journal.Failed }

// Outcome is what a server's answer means for one record.
type Outcome struct {
	Work
	Settlement journal.Settlement // without Seq
	Unchanged  bool               // nothing had to be sent
	Results    program.Results    // what later parts of its rule may read
}

// Batch is what one delivery to a server came to.
type Batch struct {
	Server     string
	Outcomes   []Outcome
	Digests    []actions.Digest
	Identities []actions.Identity
	// Recorded is called once the journal has it all, before the next of each key goes; nil: nobody waits for that.
	Recorded func()
}
