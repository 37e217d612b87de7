// Package journal is the durable store of accepted records and their outcomes: one interface, one
// conformance suite, SQLite and PostgreSQL.
package journal

import (
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// State is where a record stands.
type State string

const (
	Pending   State = "pending"   // accepted, or waiting for its next try
	Held      State = "held"      // its rule is invalid or paused
	Delivered State = "delivered" // every write is on the server
	Skipped   State = "skipped"   // the filter said no
	Failed    State = "failed"    // a person must act
	Dismissed State = "dismissed" // a person decided that it will never be sent

	// Superseded is what a newer version of the record, or newer records that wrote the same objects,
	// left nothing to do for.
	Superseded State = "superseded"
)

// PartSign stands between the name of a rule and the place of a further part of it, under which that part's records
// are kept: anc-registration@hq. No rule has it in its name.
const PartSign = "@"

// Record is one accepted record.
type Record struct {
	Seq      int64 // order of acceptance; set by the journal
	Rule     string
	ID       string // of the record, unique per rule
	Key      string // orders records; never empty
	Content  uint64 // hash of the body: the same id with other content is an update
	Origin   sources.Origin
	Body     []byte // JSON; nil once erased
	State    State
	Received time.Time
	NextTry  time.Time // of a pending record
	Attempts int
	Problem  *Problem  // why it failed, is held, or waits
	Force    bool      // send even what would change nothing (replay --force)
	Edited   bool      // its body was edited by a person before a replay
	Notify   bool      // its source wants to know how it was settled
	Objects  []string  // ids that hold its data on the server, for people
	About    []string  // ids of what it is about, by which people look for it: org units
	Settled  time.Time // when it came to a state that nothing but a person changes

	Version int64 // as its source gives it (actions.Order); 0: none
	Rank    int64 // the place among what writes the same objects, of a record that stands for an earlier one; 0: Seq
	Insist  bool  // a person named it: it may overwrite what is newer
	// of a superseded record, and of one of which something newer kept a part from being sent: the place of
	// that; 0: not known
	SupersededBy int64
}

// Order is where the record stands among those that write the same objects.
func (r *Record) Order() actions.Order {
	if r.Rank != 0 {
		return actions.Order{Version: r.Version, Seq: r.Rank}
	}
	return actions.Order{Version: r.Version, Seq: r.Seq}
}

// Problem is why a record did not go through.
type Problem struct {
	Class actions.Class `json:"class"`
	diag.Problem
	Detail  string         `json:"detail,omitempty"` // may hold data
	Object  string         `json:"object,omitempty"` // what in DHIS2 it concerns, in words
	Objects []string       `json:"objects,omitempty"`
	More    []diag.Problem `json:"more,omitempty"` // what else is wrong with the record
}

// Faults lists all that is wrong with the record, the first of which the problem itself tells.
func (p *Problem) Faults() []diag.Problem {
	return append([]diag.Problem{p.Problem}, p.More...)
}

// CodeOf gives the problem's code; empty when there is no problem.
func (p *Problem) CodeOf() string {
	if p == nil {
		return ""
	}
	return p.Code
}

// FileState is where a dropped file stands.
type FileState string

const (
	FileOpen     FileState = "open"     // rows are still to be read or settled
	FileFinished FileState = "finished" // every row has an outcome
)

// File is a dropped file kept by reference. Rows below Next are settled or stand as records of their own.
type File struct {
	sources.File
	Place     int64 // in the order of acceptance, before its rows; set by AddFile
	Places    int64 // how many places are kept for its rows: whatever is accepted after the file stands behind them
	State     FileState
	Next      int64 // the first row that is not settled, 1-based data rows
	Offset    int64 // bytes of the results file that belong to settled rows
	Rows      int64 // settled or kept so far
	Delivered int64
	Unchanged int64
	Skipped   int64
	Failed    int64
	Owner     string
	Finished  time.Time

	Superseded int64
	Results    string // where its results lie once it is finished

	// Of Delivered, Skipped and Superseded, how many rows stood as records of their own; they are
	// counted in once the file is finished.
	RecordsDelivered, RecordsSkipped, RecordsSuperseded int64
}

// Seq gives the place of a data row in the order of acceptance: the one that the file took when it
// was accepted. It is 0 for a row for which no place is kept; such a row stands where it is when it
// is recorded.
func (f *File) Seq(row int64) int64 {
	if row < 1 || row > f.Places {
		return 0
	}
	return f.Place + row
}

// RowKey is the key of a file row that is about to be sent.
type RowKey struct {
	Key string
	Seq int64 // the row's place in the order of acceptance; 0: behind all records
}

// Settlement is what became of one claimed record.
type Settlement struct {
	Seq      int64
	State    State // Delivered, Skipped, Failed, Held, Superseded, or Pending for another try
	NextTry  time.Time
	Attempts int
	Problem  *Problem
	Objects  []string // ids that now hold its data, for people
	About    []string // see Record

	SupersededBy int64 // see Record
}

// Identification is what a record that was kept without an id is called.
type Identification struct {
	Seq     int64
	Rule    string // as the record has it
	From    string // the id that it has
	ID, Key string
	Version int64 // as its source gives it; 0: as it is
}

// Version is a row of a file that was delivered or superseded, or that stands for an earlier
// record: failed records that are older versions of it, and the record that it stands for, are
// superseded by it.
type Version struct {
	Rule, ID string // of the row; an empty ID: only what it stands for is superseded
	Order    actions.Order
	Seq      int64  // its place in the order of acceptance
	Fixes    int64  // the record that it stands for; 0: none
	File     string // whose row that record is: id of the file
}

// Notification is what came of telling a source how one of its records was settled.
type Notification struct {
	Seq     int64
	Settled time.Time // of the record as it was notified: when it was settled anew since, its source is notified again
	RetryAt time.Time // when to try again; zero: the source knows it
}

// Batch is all that one delivery taught us; it is recorded in one transaction.
type Batch struct {
	// who claimed the records and holds the files; never empty when there are Settlements, Files or Keys
	Owner       string
	Server      string
	Settlements []Settlement
	// rows of files that need a record of their own: failed, held, waiting. One with a Seq takes that place
	New     []*Record
	Files   []File   // new progress of files
	Keys    []string // taken with ClaimKeys, now free again
	Holding []string // taken with ClaimKeys for rows that this batch is about, and kept
	// of a Sum only the low SumBits are kept; one without Sum, Order and Mark forgets the object
	Digests    []actions.Digest
	Versions   []Version
	Identities []actions.Identity
}

// SumBits is how much of a digest is kept: Memory gives sums back with the other bits zero, so
// whoever compares them masks with SumMask.
const (
	SumBits = 32
	SumMask = 1<<SumBits - 1
)

// Claim asks for work.
type Claim struct {
	Owner    string
	Limit    int
	Bytes    int64 // no further record once the bodies taken have so many bytes, as stored; 0: Limit alone counts
	Now      time.Time
	NotRules []string // paused or invalid rules
	AfterSeq int64    // 0, or only records after this one: a reader that keeps its place
}

// Filter selects records; zero fields do not restrict.
type Filter struct {
	States []State
	Rule   string
	Key    string
	ID     string
	Code   string // of the problem
	Class  actions.Class
	Cause  string
	FileID string
	Row    int // of the file, as its reader numbers them
	Seq    int64
	Seqs   []int64 // a selection; nil does not restrict
	// is the record's id or key, an object that it wrote, or an external id that stands for such an object
	Text      string
	Object    string    // id of an object that it wrote
	About     []string  // it is about one of them; nil does not restrict
	Since     time.Time // received then or later
	Until     time.Time // received before
	AfterSeq  int64
	Before    int64 // a Seq: earlier records only
	Limit     int
	WithBody  bool
	NewestOne bool // newest first
}

// Cause is a group of failed records with the same cause.
type Cause struct {
	Rule, Code, Cause, Hint, Place string
	Class                          actions.Class
	Count                          int64
	First, Last                    time.Time
	Example                        *Record // newest, without its body
}

// Summary is the state of the journal at a glance.
type Summary struct {
	Rules   []RuleSummary
	Oldest  time.Time // of pending records; zero when there are none
	NextTry time.Time // the earliest coming retry; zero when nothing waits
	Files   int64     // open files
	Size    int64     // bytes on disk; 0 when not known
}

// Encryption says what of a journal is encrypted.
type Encryption struct {
	Payloads bool `json:"payloads"` // of records that were kept since there is a key
	// Names are ids, keys, external ids and the texts of the audit trail: all of them or none. When
	// they are hidden, no payload is in clear.
	Names   bool `json:"names"`
	OldKeys bool `json:"old_keys,omitempty"` // something is still encrypted with an older key
}

// RuleSummary counts the records of one rule. File rows that were plainly delivered are counted through their files.
type RuleSummary struct {
	Rule                                                             string
	Pending, Held, Delivered, Skipped, Failed, Dismissed, Superseded int64
	Oldest, LastDelivered, LastReceived                              time.Time
}

// AuditEntry is one change that a person or the program made to records.
type AuditEntry struct {
	At      time.Time `json:"at"`
	Who     string    `json:"who"`
	Did     string    `json:"did"`
	Why     string    `json:"why,omitempty"`
	Count   int64     `json:"count"`
	Subject string    `json:"subject,omitempty"`
}

// Retention says how long things stay; zero keeps for ever. Failed records keep their payload until settled.
type Retention struct {
	Payloads, Delivered, Failed time.Duration
}

// Expired and Forgotten count what was removed.
type Expired struct{ Payloads, Records, Files int64 }

// Forgotten says what Forget erased.
type Forgotten struct{ Records, Payloads, Identities int64 }
