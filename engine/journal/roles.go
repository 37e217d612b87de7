package journal

import (
	"context"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/sources"
)

// Journal is the durable store: all of its roles together. Every method is safe for concurrent use,
// and durable when it returns nil.
type Journal interface {
	Appender
	Claimer
	KeyLocker
	FileStore
	Notifications
	Meta
	Desk
	Reader
	Maintenance

	// Memory gives what is remembered of deliveries to a server; it implements actions.Contributions too.
	Memory(server string) actions.Memory
	Close() error
}

// Appender keeps what sources accept.
type Appender interface {
	// Append keeps new records and the cursor, all or nothing. A record whose rule and id are known
	// with the same content is marked Duplicate in the answer and not kept again; with other content
	// it is a new record of the same id. "Known" is the newest record of that id, so that a source
	// that goes from A to B and back to A is followed. Seq is set in the records, of a duplicate to
	// the one that is kept. When the store cannot write now, the error is an *ErrUnavailable and
	// nothing was kept.
	Append(ctx context.Context, records []*Record, cursor *sources.Cursor) (duplicates []bool, err error)
}

// Claimer hands records out to runners and takes what became of them.
type Claimer interface {
	// Claim gives due pending records in order of Seq and marks them as in flight for the owner: never
	// a record whose key has an earlier record that is pending, held or in flight. Records of one key
	// come one at a time. One that was settled as pending for a problem of class parent lets records
	// of other rules pass, for its parent may be among them, but not those of its own. Once one of
	// them is delivered, it comes again at its old place and that try is not counted; when nothing but
	// such records is left of a key, the one that is due first comes.
	Claim(ctx context.Context, c Claim) ([]*Record, error)
	// Release gives claimed records back untouched.
	Release(ctx context.Context, owner string, seqs []int64) error
	// Commit records what a delivery came to, in one transaction. Once a record is delivered or
	// superseded, failed records of the same rule and id that are older are superseded by it.
	// Settlements of records that the owner no longer holds, because it was silent for longer than the
	// lease, are left out, and the digests that came with them or with keys that it lost are forgotten
	// rather than set. When a file of the batch belongs to another owner by now, nothing is recorded
	// and the error is ErrNotOwner.
	Commit(ctx context.Context, b *Batch) error
	// Heartbeat keeps an owner's claims and files alive; claims of owners silent for longer than the
	// lease are given to others.
	Heartbeat(ctx context.Context, owner string) error
	// Lead tells whether the owner is the one runner that watches folders, polls and schedules. It is
	// asked every few seconds: a leader that does not ask or give a heartbeat within the lease is
	// replaced. On SQLite a second process gets *ErrInUse, as from every call of a runner.
	Lead(ctx context.Context, owner string) (bool, error)
	// Wake gives a channel that receives after records were appended or became due, here or in another
	// process (within a second or so). There is one channel, for one reader; what it missed while busy
	// is one signal.
	Wake() <-chan struct{}
}

// KeyLocker puts rows of files, which have no record, in order with the records of their keys.
type KeyLocker interface {
	// ClaimKeys marks keys of file rows as in flight for the owner. The answer says of each whether it
	// was given: not when an unsettled record of the key stands before the row, or when the key is in
	// flight, by whomever. What a silent owner had taken may be given to another at once, but is kept
	// from later records of the key for some leases more: the rows are most likely read again, and
	// come first. Keys are freed by Batch.Keys or ReleaseKeys.
	ClaimKeys(ctx context.Context, owner string, keys []RowKey) (given []bool, err error)
	// ReleaseKeys frees keys taken with ClaimKeys.
	ReleaseKeys(ctx context.Context, owner string, keys []string) error
}

// FileStore knows the files whose rows are kept by reference.
type FileStore interface {
	// AddFile makes a file known and keeps as many places in the order of acceptance as its Places ask
	// for; Place is set. duplicate when the same content was accepted for the same rule before under
	// another id, unless nothing came of it: all of it failed. The same id again changes nothing.
	AddFile(ctx context.Context, f *File) (duplicate bool, err error)
	// TakeFile makes the owner the one that reads an open file: when nobody does, or when its owner
	// has been silent for longer than the lease.
	TakeFile(ctx context.Context, owner, fileID string) (bool, error)
	// RowChanges gives records that stand for rows of finished files and came to another end than when
	// they were recorded, without their bodies: at most limit of them. RowChangesNoted leaves out
	// those that stand as given, once the results of their files say so.
	RowChanges(ctx context.Context, limit int) ([]*Record, error)
	RowChangesNoted(ctx context.Context, records []*Record) error
}

// Notifications knows which sources want to know how their records were settled.
type Notifications interface {
	// PendingNotifications gives settled records of a rule that were kept with Notify and whose source
	// does not know yet, with their bodies: at most limit of them and rather those that were not tried
	// yet, in order of Seq. What was notified is not given again until it is settled anew.
	PendingNotifications(ctx context.Context, rule string, now time.Time, limit int) ([]*Record, error)
	// Notified keeps what came of notifying.
	Notified(ctx context.Context, notifications []Notification) error
}

// Meta keeps small named values: cursors, the project's name, pauses.
type Meta interface {
	Cursor(ctx context.Context, name string) (string, error)
	Meta(ctx context.Context, name string) (string, error)
	SetMeta(ctx context.Context, name, value string) error
	// ChangeMeta puts what change makes of a value in its place, with nobody in between, and writes
	// entry into the audit trail. change may be called again.
	ChangeMeta(ctx context.Context, name string, entry AuditEntry, change func(value string) (string, error)) error
}

// Desk is what people do to records, and what the program does in their stead. All of it is in the
// audit trail, which does not tell of persons.
type Desk interface {
	// Replay makes failed records, or settled ones in the filter's states, pending again at their old
	// place in the order of their key; those whose payload has expired stay. With force, a record that
	// the filter names by its Seq or ID may overwrite what is newer.
	Replay(ctx context.Context, f Filter, who, why string, force bool) (int64, error)
	// Dismiss settles failed records, or waiting ones in the filter's states that are not in flight, for good.
	Dismiss(ctx context.Context, f Filter, who, why string) (int64, error)
	// Correct puts a content that a person has corrected in the place of a record's, to be sent; it
	// gives the Seq of the record that holds it. For a settled record that is a new version of it,
	// marked Edited, which stands where the record stood among those that write the same objects, so
	// that it overwrites nothing newer; a failed record is superseded by it, and so is what failed of the
	// record, or an older version of it, at further places of its rule. Its Content stays that of
	// the record: when its source delivers the old content once more, the correction is not undone. A
	// held record keeps its place and gets the content. why must not be empty. Records that are
	// pending or in flight are refused, and those of which a correction waits.
	Correct(ctx context.Context, seq int64, body []byte, who, why string) (int64, error)
	// Hold moves pending records of a rule to held, with the reason; Unhold moves them back.
	Hold(ctx context.Context, rule string, p *Problem) (int64, error)
	Unhold(ctx context.Context, rule string) (int64, error)
	// Identify gives records that were kept without them the ids and keys that their rules give now: from
	// then on they stand at their old places among the records of those keys, are found by them, and are
	// versions of the records of those ids. Records that are settled for good or in flight are left alone,
	// and those whose id is another than From by now. It says how many it changed.
	Identify(ctx context.Context, names []Identification) (int64, error)
	// SetIdentities imports or corrects the map from external ids.
	SetIdentities(ctx context.Context, server string, ids []actions.Identity, who, why string) error
	// Forget erases every payload of a person and says what it did: of records whose key or id is the
	// external id all that tells of them, and the payloads of settled records that mention it. What
	// was not delivered yet is dismissed. Digests hold nothing of a person and stay.
	Forget(ctx context.Context, externalID, who, why string) (Forgotten, error)
	// Note writes an entry into the audit trail: of what a person looked at, or did outside of the journal.
	Note(ctx context.Context, entry AuditEntry) error
}

// Reader lists and searches, for the command line and the console.
type Reader interface {
	// Select lists all records that a filter selects, in order of Seq unless the newest are asked for first.
	Select(ctx context.Context, f Filter) ([]*Record, error)
	// Search gives a page of the records that a filter selects, newest first. Its time does not grow
	// with the journal, but for a filter by FileID with the failures of that file, and for one by
	// Code, Class or Cause with the failures of all.
	Search(ctx context.Context, f Filter) (Page, error)
	// Versions lists the records of one rule and id, oldest first, without their bodies.
	Versions(ctx context.Context, rule, id string) ([]*Record, error)
	// Story tells all of a person: who is a tracked entity's uid, an external id, or a key. At most
	// limit records, the latest.
	Story(ctx context.Context, who string, limit int) (Story, error)
	// Figures are in order of time, rule and server; a stretch in which nothing happened has none.
	Figures(ctx context.Context, q FigureQuery) ([]Figures, error)
	// Encryption says what of the journal is encrypted.
	Encryption(ctx context.Context) (Encryption, error)
	// Summary counts records; Causes groups the failed ones, the most frequent first.
	Summary(ctx context.Context) (Summary, error)
	Causes(ctx context.Context, f Filter) ([]Cause, error)
	// Files lists files in a state; empty state: all, newest first.
	Files(ctx context.Context, state FileState) ([]File, error)
	// ListIdentities lists the map from external ids of a server: all, or one.
	ListIdentities(ctx context.Context, server, externalID string, limit int) ([]actions.Identity, error)
	Audit(ctx context.Context, limit int) ([]AuditEntry, error)
}

// Maintenance keeps the store small and sound.
type Maintenance interface {
	// Expire applies the retention, a part at a time, counted from when a record was settled. The
	// newest record always stays.
	Expire(ctx context.Context, r Retention, now time.Time) (Expired, error)
	// Rekey encrypts all payloads that are in clear or were encrypted with an older key with the
	// newest one, and says how many; ids, keys, external ids and what the audit trail says are hidden
	// with it, too. The older keys are not needed any more then. A runner at work is answered with
	// *ErrInUse. It may be stopped and started again.
	Rekey(ctx context.Context) (int64, error)
	// Check verifies the store's integrity and what must hold between its records. It reads all of them.
	Check(ctx context.Context) error
}
