// Package actions is what rules do with records: an action turns a record into writes, a target
// delivers the writes of many records in bulk and says of each what became of it. One package per
// target lies below.
package actions

import (
	"context"
	"errors"
	"time"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
)

// Kind compiles one kind of action, such as dhis2.event, against the metadata that it was made with.
type Kind interface {
	// Name is how rule files name it.
	Name() string
	// Settings declares its keys beside those of rules.ActionKeys, from which the JSON Schema of rule files
	// and the reference in docs/ are made.
	Settings() settings.Spec
	// Compile checks an action of a rule and reports what is wrong through the spec. It is nil when
	// the action cannot be used.
	Compile(spec *rules.ActionSpec) Action
}

// Action is a compiled action. It is read-only and safe for concurrent use.
type Action interface {
	// Plan turns the record in scope into writes, without any request. The error is a *rules.Failure.
	Plan(s *rules.Scope) ([]Write, error)
	// Key is the expression that identifies the person or case (external_id), the default key of the
	// rule; nil when there is none.
	Key() *rules.Expr
}

// Withdrawer is an Action that writes objects under the record's own id. It can take them back once
// the record turns out to be a version of another one, which stands for them.
type Withdrawer interface {
	// Withdraw gives the writes that take back what Plan would write under the record's own id, and
	// nothing else. The error is a *rules.Failure.
	Withdraw(s *rules.Scope) ([]Write, error)
}

// Write is one object to create or update. Object belongs to the target.
type Write struct {
	Action int        // number of the action in the rule
	Place  diag.Place // of the action in the rule
	Object Object
}

// Object is the target's own form of a write.
type Object interface {
	// Label names the object in words, without any data of the record: "event First visit of Antenatal care".
	Label() string
	// Describe gives the object by the names that the rule uses, for tests and `try`.
	Describe() map[string]any
}

// Ref names a record in messages and logs. It holds no data of the record but its id.
type Ref struct {
	Rule, RecordID, Key string
}

// Plan is all that one record asks for, in order: parents before children.
type Plan struct {
	Record Ref
	Force  bool // send even what would change nothing
	Order  Order
	Insist bool // a person named this very record: it may overwrite what is newer
	Writes []Write
	// Pending is set while it is not known what the record writes: its lookups have to be answered first.
	Pending Pending
	// Left are remarks: on values that did not fit and were left out, as the rule says (invalid: omit),
	// and on those that are doubtful though they are sent
	Left []*rules.Failure
	// About are the ids of objects by which people look for the record, known even of one that failed: its org units.
	About []string
}

// Empty tells that there is nothing to write, and nothing to find out.
func (p *Plan) Empty() bool { return len(p.Writes) == 0 && p.Pending == nil }

// Pending is the evaluation of a record that has to ask first.
type Pending interface {
	// Questions are those that it needs next.
	Questions() []rules.Question
	// Resume goes on with what is known now.
	Resume(answers rules.Answers) Resumed
}

// Resumed is what an evaluation came to that was told more.
type Resumed struct {
	Plan    Plan           // may be pending again
	Skipped bool           // the rule skips the record
	Failure *rules.Failure // why it cannot be used
	Err     error          // a fault of the program
}

// Answer is what was found for a question, or why that could not be told.
type Answer struct {
	Found []any
	Err   error // the server refuses this question
}

// Asker is a Target that can be asked.
type Asker interface {
	// Answer answers questions in bulk, one answer each. An error says that nothing could be asked:
	// Ask turns it into an outcome.
	Answer(ctx context.Context, questions []rules.Question) ([]Answer, error)
	// Unanswered is the outcome of a record whose question failed.
	Unanswered(err error) Outcome
}

// Outside is an Asker of other systems than the one that is written to.
type Outside interface {
	Asker
	// Takes tells whether it is the one to be asked what a lookup asks for.
	Takes(asked rules.Asked) bool
}

// Status is what became of a write.
type Status int

const (
	// Delivered: the target confirmed that the object was written.
	Delivered Status = iota
	// Unchanged: it equals what was delivered last and was not sent.
	Unchanged
	// Failed: a person must act.
	Failed
	// Retry: it may succeed later by itself.
	Retry
	// NotTried: another write of the same record failed first.
	NotTried
	// Superseded: something newer was delivered to the object, and nothing of this was sent.
	Superseded
)

// Class groups outcomes by what heals them.
type Class string

const (
	ClassNone        Class = ""
	ClassData        Class = "data"        // the record must be fixed
	ClassMetadata    Class = "metadata"    // the server's metadata or the rule must change
	ClassRights      Class = "rights"      // the user lacks rights
	ClassClosed      Class = "closed"      // the period or data is locked
	ClassConflict    Class = "conflict"    // it contradicts what the server holds
	ClassGone        Class = "gone"        // the object was deleted on the server
	ClassParent      Class = "parent"      // waits for an object that is not there yet
	ClassTransient   Class = "transient"   // this request failed, a later one may not
	ClassServer      Class = "server"      // the server is away or overloaded: everything for it waits
	ClassCredentials Class = "credentials" // the server refuses us: everything for it waits until fixed
)

// Outcome is what the target said of one write.
type Outcome struct {
	Status       Status
	Class        Class
	diag.Problem               // what is wrong; its code is the target's own, E1064, or ours
	Detail       string        // the target's own words; may hold data: journal only
	ObjectID     string        // DHIS2 uid, or what identifies the value
	RetryAfter   time.Duration // asked for by the server; 0 when it did not say
	Warnings     []string      // the server's remarks on a delivered object
	// what later actions of the rule may read of it beside the id, by field; not kept with the record
	Result map[string]any
	// of Superseded, or of what was delivered but for what is newer: the Order.Seq of that; 0: nothing, or not known
	By int64
}

// Result answers one Plan: one Outcome per write, and what is to be remembered once they are recorded.
type Result struct {
	Outcomes   []Outcome
	Digests    []Digest   // of objects now known to be on the server in this form
	Identities []Identity // learned: matched people, new generations
	Locks      []string   // the target's own: held until the result is recorded
}

// Digest is the fingerprint of an object's last delivered form, and what of it stands there.
type Digest struct {
	Object string // unique per server: type and id
	Sum    uint64 // 0: not known, or the object was deleted
	Order  Order  // of what was delivered last
	Mark   uint16 // the target's own
}

// IdentityKey names a person or case of the source system.
type IdentityKey struct {
	Type       string // uid of the tracked entity type
	ExternalID string
}

// Identity is which object an external id stands for. Only what cannot be derived is kept: matched
// people, new generations, entries by hand.
type Identity struct {
	IdentityKey
	UID        string
	Generation int
	Origin     string // derived, matched, manual, recreated
}

// Memory is what a target may know of earlier deliveries to one server. The journal implements it.
type Memory interface {
	// Identities gives what is kept for the keys; keys without an entry are absent from the answer.
	Identities(ctx context.Context, keys []IdentityKey) (map[IdentityKey]Identity, error)
	// Holders gives what is kept of the objects with these uids: the external ids that stand for them.
	// What can be derived may be absent.
	Holders(ctx context.Context, uids []string) ([]Identity, error)
	// Digests gives the last delivered form of the objects; objects never delivered are absent.
	Digests(ctx context.Context, objects []string) (map[string]Digest, error)
}

// Shapes numbers the sets of fields that writes set, so that a digest can say which fields it is
// about. A Memory that implements it lets records that set different fields of one object pass each
// other.
type Shapes interface {
	// ShapeNumbers gives the number of every shape, from 1 to MaxShape, and keeps new ones before it
	// returns. A shape is absent when no number is left.
	ShapeNumbers(ctx context.Context, shapes []string) (map[string]uint16, error)
	// ShapeNames gives the shapes of numbers.
	ShapeNames(ctx context.Context, numbers []uint16) (map[uint16]string, error)
}

// Locks keeps the targets of several processes from writing one object, or creating one person, at
// once. A Memory that several processes share implements it.
type Locks interface {
	// Lock takes those of the names that no other process has, and says which: it waits for nobody.
	// What is taken again has to be given back as often. A process that ends without giving back
	// holds nothing for longer than its lease.
	Lock(ctx context.Context, names []string) (taken []bool, err error)
	// Unlock gives names back.
	Unlock(ctx context.Context, names []string) error
}

// ObjectBusy is the code of a write that was put off because another delivery wrote the same object,
// or looked for the same person. It does not count as a try: whoever was first ends soon.
const ObjectBusy = "object-busy"

// MaxShape is the highest number of a shape.
const MaxShape = 1<<14 - 1

// ErrRefused is what Probe's error wraps when the server is there but does not take our credentials.
var ErrRefused = errors.New("the server refuses our credentials")

// Target delivers to one server. Safe for concurrent use: the engine sends several batches at once,
// never two with the same key.
type Target interface {
	// Deliver sends what the plans ask for, in bulk, and answers one Result per plan. It never returns
	// early: what could not be tried has an Outcome that says so. A batch that the server refuses as a
	// whole is split until the culprit is alone.
	Deliver(ctx context.Context, plans []Plan) []Result
	// Rehearse asks the server to validate without writing (culvert plan).
	Rehearse(ctx context.Context, plans []Plan) []Result
	// Probe asks for something small, to see whether the server is back and takes our credentials.
	Probe(ctx context.Context) error
}

// Recorder is a Target that wants to know when what it answered is in the journal.
type Recorder interface {
	Recorded(results []Result)
}

// Use is one place where a rule names a metadata object.
type Use struct {
	ID    string // uid of the object
	Place diag.Place
}

// User is an action that tells which metadata objects it names, for the effect of a sync on rules.
type User interface {
	Uses() []Use
}
