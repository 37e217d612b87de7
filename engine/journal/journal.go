// Package journal is the durable store of accepted records and their outcomes: one interface, one conformance suite, SQLite and PostgreSQL.
package journal

import (
	"context"
	"time"

	"github.com/culvert/culvert/actions"
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

	// Superseded is what a newer version of the record, or newer records that wrote the same objects, left nothing to do for.
	Superseded State = "superseded"
)

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
	Tell     bool      // its source wants to be told how it was settled
	Objects  []string  // ids that hold its data on the server, for people
	Settled  time.Time // when it came to a state that nothing but a person changes

	Version      int64 // as its source gives it (actions.Order); 0: none
	Rank         int64 // the place among what writes the same objects, of a record that stands for an earlier one; 0: Seq
	Insist       bool  // a person named it: it may overwrite what is newer
	SupersededBy int64 // of a superseded record, and of one of which something newer kept a part from being sent: the place of that; 0: not known
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
	Class   actions.Class `json:"class"`
	Code    string        `json:"code"`
	Cause   string        `json:"cause"`            // safe to print in a list
	Detail  string        `json:"detail,omitempty"` // may hold data
	Hint    string        `json:"hint,omitempty"`
	Object  string        `json:"object,omitempty"` // what in DHIS2 it concerns, in words
	Field   string        `json:"field,omitempty"`
	Column  string        `json:"column,omitempty"` // what the record calls the field whose value is wrong
	Value   string        `json:"value,omitempty"`  // private
	Place   string        `json:"place,omitempty"`  // rule file:line:col
	Objects []string      `json:"objects,omitempty"`
	More    []Fault       `json:"more,omitempty"` // what else is wrong with the record
}

// Fault is one thing that is wrong with a record.
type Fault struct {
	Code   string `json:"code"`
	Cause  string `json:"cause"`
	Hint   string `json:"hint,omitempty"`
	Field  string `json:"field,omitempty"`
	Column string `json:"column,omitempty"`
	Value  string `json:"value,omitempty"` // private
	Place  string `json:"place,omitempty"`
}

// Faults lists all that is wrong with the record, the first of which the problem itself tells.
func (p *Problem) Faults() []Fault {
	first := Fault{Code: p.Code, Cause: p.Cause, Hint: p.Hint, Field: p.Field, Column: p.Column, Value: p.Value, Place: p.Place}
	return append([]Fault{first}, p.More...)
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

	// Of Delivered, Skipped and Superseded, how many rows stood as records of their own; they are counted in once the file is finished.
	RecordsDelivered, RecordsSkipped, RecordsSuperseded int64
}

// Seq gives the place of a data row in the order of acceptance: the one that the file took when it was accepted. It is 0 for a row for which no place is
// kept; such a row stands where it is when it is recorded.
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

	SupersededBy int64 // see Record
}

// Version is a row of a file that was delivered or superseded, or that stands for an earlier record: failed records that are older versions of it, and the
// record that it stands for, are superseded by it.
type Version struct {
	Rule, ID string // of the row; an empty ID: only what it stands for is superseded
	Order    actions.Order
	Seq      int64  // its place in the order of acceptance
	Fixes    int64  // the record that it stands for; 0: none
	File     string // whose row that record is: id of the file
}

// Telling is what came of telling a source how one of its records was settled.
type Telling struct {
	Seq     int64
	Settled time.Time // of the record that was told of: when it was settled anew since, it is told of again
	Again   time.Time // when to try again; zero: the source knows it
}

// Batch is all that one delivery taught us; it is recorded in one transaction.
type Batch struct {
	Owner       string // who claimed the records and holds the files; never empty when there are Settlements, Files or Keys
	Server      string
	Settlements []Settlement
	New         []*Record        // rows of files that need a record of their own: failed, held, waiting. One with a Seq takes that place
	Files       []File           // new progress of files
	Keys        []string         // taken with ClaimKeys, now free again
	Holding     []string         // taken with ClaimKeys for rows that this batch is about, and kept
	Digests     []actions.Digest // of a Sum only the low SumBits are kept; one without Sum, Order and Mark forgets the object
	Versions    []Version
	Identities  []actions.Identity
}

// SumBits is how much of a digest is kept: Memory gives sums back with the other bits zero, so whoever compares them masks with SumMask.
const (
	SumBits = 32
	SumMask = 1<<SumBits - 1
)

// Claim asks for work.
type Claim struct {
	Owner    string
	Limit    int
	Now      time.Time
	NotRules []string // paused or invalid rules
	AfterSeq int64    // 0, or only records after this one: a reader that keeps its place
}

// Journal is the durable store. Every method is safe for concurrent use, and durable when it returns nil.
type Journal interface {
	// Append keeps new records and the cursor, all or nothing. A record whose rule and id are known with the same content is marked Duplicate in
	// the answer and not kept again; with other content it is a new record of the same id. "Known" is the newest record of that id, so that a
	// source that goes from A to B and back to A is followed. Seq is set in the records, of a duplicate to the one that is kept.
	// When the store cannot write now, the error is an *ErrUnavailable and nothing was kept.
	Append(ctx context.Context, records []*Record, cursor *sources.Cursor) (duplicates []bool, err error)
	// Claim gives due pending records in order of Seq and marks them as in flight for the owner: never a record whose key has an
	// earlier record that is pending, held or in flight. Records of one key come one at a time. One that was settled as pending for a problem of class
	// parent lets records of other rules pass, for its parent may be among them, but not those of its own. Once one of them is delivered, it comes
	// again at its old place and that try is not counted; when nothing but such records is left of a key, the one that is due first comes.
	Claim(ctx context.Context, c Claim) ([]*Record, error)
	// Release gives claimed records back untouched.
	Release(ctx context.Context, owner string, seqs []int64) error
	// ClaimKeys marks keys of file rows, which have no record, as in flight for the owner. The answer says of each whether it was given: not
	// when an unsettled record of the key stands before the row, or when the key is in flight, by whomever. What a silent owner had taken may be given
	// to another at once, but is kept from later records of the key for some leases more: the rows are most likely read again, and come first.
	// Keys are freed by Batch.Keys or ReleaseKeys.
	ClaimKeys(ctx context.Context, owner string, keys []RowKey) (given []bool, err error)
	// ReleaseKeys frees keys taken with ClaimKeys.
	ReleaseKeys(ctx context.Context, owner string, keys []string) error
	// Commit records what a delivery came to, in one transaction. Once a record is delivered or superseded, failed records of the same rule and id that are
	// older are superseded by it. Settlements of records that the owner no longer holds, because it was silent
	// for longer than the lease, are left out, and the digests that came with them or with keys that it lost are forgotten rather than set. When a file of the batch
	// belongs to another owner by now, nothing is recorded and the error is ErrNotOwner.
	Commit(ctx context.Context, b *Batch) error
	// Heartbeat keeps an owner's claims and files alive; claims of owners silent for longer than the lease are given to others.
	Heartbeat(ctx context.Context, owner string) error
	// Lead tells whether the owner is the one runner that watches folders, polls and schedules. It is asked every few seconds: a leader that
	// does not ask or give a heartbeat within the lease is replaced. On SQLite a second process gets *ErrInUse, as from every call of a runner.
	Lead(ctx context.Context, owner string) (bool, error)
	// Wake gives a channel that receives after records were appended or became due, here or in another process (within a second or so). There is
	// one channel, for one reader; what it missed while busy is one signal.
	Wake() <-chan struct{}

	// Memory gives what is remembered of deliveries to a server; it implements actions.Contributions too.
	Memory(server string) actions.Memory

	// AddFile makes a file known and keeps as many places in the order of acceptance as its Places ask for; Place is set. duplicate when the same content
	// was accepted for the same rule before under another id. The same id again changes nothing.
	AddFile(ctx context.Context, f *File) (duplicate bool, err error)
	// TakeFile makes the owner the one that reads an open file: when nobody does, or when its owner has been silent for longer than the lease.
	TakeFile(ctx context.Context, owner, fileID string) (bool, error)
	// Files lists files in a state; empty state: all, newest first.
	Files(ctx context.Context, state FileState) ([]File, error)
	// FileRecords gives the records that stand for rows of a file, by row.
	FileRecords(ctx context.Context, fileID string) ([]*Record, error)
	// RowChanges gives records that stand for rows of finished files and came to another end than when they were recorded, without their bodies: at most
	// limit of them. RowChangesNoted leaves out those that stand as given, once the results of their files say so.
	RowChanges(ctx context.Context, limit int) ([]*Record, error)
	RowChangesNoted(ctx context.Context, records []*Record) error
	// BlockedKeys gives keys of a rule set that have unsettled records (pending, held or in flight).
	BlockedKeys(ctx context.Context) (map[string]int, error)

	// Untold gives settled records of a rule that were kept with Tell and whose source does not know yet, with their bodies: at most limit of them and
	// rather those that were not tried yet, in order of Seq. What is told of is not given again until it is settled anew.
	Untold(ctx context.Context, rule string, now time.Time, limit int) ([]*Record, error)
	// Told keeps what came of telling.
	Told(ctx context.Context, tellings []Telling) error

	// Hold moves pending records of a rule to held, with the reason; Unhold moves them back.
	Hold(ctx context.Context, rule string, p *Problem) (int64, error)
	Unhold(ctx context.Context, rule string) (int64, error)

	// Cursor and SetMeta keep small named values: cursors, the project's name, pauses.
	Cursor(ctx context.Context, name string) (string, error)
	Meta(ctx context.Context, name string) (string, error)
	SetMeta(ctx context.Context, name, value string) error
	// ChangeMeta puts what change makes of a value in its place, with nobody in between, and writes entry into the audit trail. change may be called again.
	ChangeMeta(ctx context.Context, name string, entry AuditEntry, change func(value string) (string, error)) error

	// Select lists records, in order of Seq unless the newest are asked for first; Summary counts them; Causes groups the failed ones, the most
	// frequent first.
	Select(ctx context.Context, f Filter) ([]*Record, error)
	Summary(ctx context.Context) (Summary, error)
	Causes(ctx context.Context, f Filter) ([]Cause, error)

	// Replay makes failed records, or settled ones in the filter's states, pending again at their old place in the order of their key; those whose
	// payload has expired stay. With force, a record that the filter names by its Seq or ID may overwrite what is newer. Dismiss settles failed ones, or waiting ones in the filter's states that are not in flight, for good. Edit replaces
	// the body of a failed or held record. All are in the audit trail, which does not tell of persons.
	Replay(ctx context.Context, f Filter, who, why string, force bool) (int64, error)
	Dismiss(ctx context.Context, f Filter, who, why string) (int64, error)
	Edit(ctx context.Context, seq int64, body []byte, who, why string) error
	Audit(ctx context.Context, limit int) ([]AuditEntry, error)

	// SetIdentities imports or corrects the map from external ids; ListIdentities lists it.
	SetIdentities(ctx context.Context, server string, ids []actions.Identity, who, why string) error
	ListIdentities(ctx context.Context, server, externalID string, limit int) ([]actions.Identity, error)

	// Forget erases every payload of a person and says what it did: of records whose key or id is the external id all that tells of them, and the
	// payloads of settled records that mention it. What was not delivered yet is dismissed. Digests hold nothing of a person and stay.
	Forget(ctx context.Context, externalID, who, why string) (Forgotten, error)
	// Expire applies the retention, a part at a time, counted from when a record was settled. The newest record always stays.
	Expire(ctx context.Context, r Retention, now time.Time) (Expired, error)
	// Backup writes a consistent, checked copy to a path where nothing is yet, while work goes on. On PostgreSQL the error says how to do it there.
	Backup(ctx context.Context, path string) error
	// Check verifies the store's integrity and what must hold between its records. It reads all of them.
	Check(ctx context.Context) error
	Close() error
}

// Filter selects records; zero fields do not restrict.
type Filter struct {
	States    []State
	Rule      string
	Key       string
	ID        string
	Code      string // of the problem
	Class     actions.Class
	Cause     string
	FileID    string
	Seq       int64
	Since     time.Time // received then or later
	Until     time.Time // received before
	AfterSeq  int64
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
