package shared

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// Program is who the audit trail names for what the program does by itself.
const Program = "culvert"

// ChangeSize is how many records one transaction changes on a person's word, so that intake does
// not wait for a large one.
const ChangeSize = 1000

// ErrNoOwner answers a batch of work that nobody holds.
var ErrNoOwner = errors.New("record what a delivery came to: the batch does not say whose it is")

// ErrNoKey answers encrypting anew without a key.
var ErrNoKey = errors.New("there is no key to encrypt the journal with: write encryption_key or encryption_keys in " +
	"culvert.yaml")

// Owned tells whether a batch says whose it is, where it must.
func Owned(b *journal.Batch) error {
	if b.Owner == "" && (len(b.Settlements) > 0 || len(b.Files) > 0 || len(b.Keys) > 0) {
		return ErrNoOwner
	}
	return nil
}

// Whole refuses a record that lacks what every record has.
func Whole(r *journal.Record) error {
	if r.Rule == "" || r.ID == "" || r.Key == "" {
		return fmt.Errorf("keep a record: it needs a rule, an id and a key, and has %q, %q and %q", r.Rule, r.ID, r.Key)
	}
	return nil
}

// OwnName refuses a name of a value that belongs to the journal itself.
func OwnName(name string) error {
	if strings.HasPrefix(name, "journal.") {
		return fmt.Errorf("keep %q: names that begin with journal. belong to the journal", name)
	}
	return nil
}

// Replayable gives a filter the states that are replayed, failed when it names none, and refuses those that cannot be.
func Replayable(f journal.Filter) (journal.Filter, error) {
	f = orFailed(f)
	for _, state := range f.States {
		if state == journal.Pending || state == journal.Held {
			return f, fmt.Errorf("replay records: %s ones are sent by themselves", state)
		}
	}
	return f, nil
}

// Dismissable gives a filter the states that are dismissed, failed when it names none, and refuses
// those that cannot be.
func Dismissable(f journal.Filter) (journal.Filter, error) {
	f = orFailed(f)
	for _, state := range f.States {
		if state != journal.Failed && state != journal.Held && state != journal.Pending {
			return f, fmt.Errorf("dismiss records: %s ones are settled already", state)
		}
	}
	return f, nil
}

func orFailed(f journal.Filter) journal.Filter {
	if len(f.States) == 0 {
		f.States = []journal.State{journal.Failed}
	}
	return f
}

// Allowed gives the numbers of a filter's states.
func Allowed(f journal.Filter) (map[int]bool, error) {
	allowed := map[int]bool{}
	for _, state := range f.States {
		code, err := codec.StateCode(state)
		if err != nil {
			return nil, err
		}
		allowed[code] = true
	}
	return allowed, nil
}

// Earlier gives the earlier of two times; the zero time is none.
func Earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Order is where a record stands among those that write the same objects.
func Order(version, rank, seq int64) actions.Order {
	if rank != 0 {
		seq = rank
	}
	return actions.Order{Version: version, Seq: seq}
}

// Newer is what was delivered of an identity, and so supersedes older failures of it.
type Newer struct {
	Ident int64
	Order actions.Order
	Seq   int64 // of what was delivered; 0: not known
}

// NewerOf gives what a settled record supersedes others by: itself, or what superseded it.
func NewerOf(ident int64, order actions.Order, s *journal.Settlement) Newer {
	n := Newer{Ident: ident, Order: order, Seq: s.Seq}
	if s.State == journal.Superseded && s.SupersededBy != 0 {
		n.Seq = s.SupersededBy
	}
	return n
}

// Supersedes tells whether it settles a failed record of its identity. Of two that stand for one version, such as a
// record and its correction, the later one counts.
func (n Newer) Supersedes(order actions.Order, seq int64) bool {
	return seq != n.Seq && n.after(order, seq)
}

func (n Newer) after(order actions.Order, seq int64) bool {
	return order.Before(n.Order) || order == n.Order && seq < n.Seq
}

// Newest gives the newest of each identity, and the identities.
func Newest(all []Newer) (byIdent map[int64]Newer, idents []int64) {
	byIdent, idents = make(map[int64]Newer, len(all)), make([]int64, 0, len(all))
	for _, n := range all {
		known, ok := byIdent[n.Ident]
		if ok && !n.after(known.Order, known.Seq) {
			continue
		}
		if !ok {
			idents = append(idents, n.Ident)
		}
		byIdent[n.Ident] = n
	}
	return byIdent, idents
}

// What stands where a person was forgotten.
const (
	ForgottenKey   = "(forgotten)"
	ForgottenChain = 1 // the hash of nobody's key
	// MinMention is the shortest external id that is looked for inside of other records: a shorter one
	// would be found where it means something else.
	MinMention = 6
)

// Forgotten is why a record of a forgotten person is not sent.
func Forgotten() *journal.Problem {
	return &journal.Problem{Problem: diag.Problem{Code: "forgotten",
		Message: "the person was forgotten before this was delivered"}}
}

// Names tells whether a record's key or id names an external id.
func Names(key, id, externalID string) bool {
	return sources.Mentions(key, externalID) || sources.Mentions(id, externalID)
}

// BareID gives a record's id as it stays when a person is forgotten.
func BareID(id, externalID string) string {
	if id == externalID || len(externalID) >= MinMention && strings.Contains(id, externalID) {
		return ForgottenKey
	}
	return id
}

// Quoted gives an external id as it stands inside of a JSON text.
func Quoted(externalID string) (string, error) {
	quoted, err := json.Marshal(externalID)
	if err != nil {
		return "", err
	}
	return string(quoted[1 : len(quoted)-1]), nil
}

// BareOrigin gives a record's origin without what a sender added.
func BareOrigin(o sources.Origin) sources.Origin {
	return sources.Origin{Trigger: o.Trigger, File: o.File, FileID: o.FileID, Row: o.Row, DataRow: o.DataRow,
		Sheet: o.Sheet, Query: o.Query, Beside: o.Beside, Kept: o.Kept}
}
