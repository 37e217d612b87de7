package sources

import (
	"context"
	"time"

	"github.com/culvert/culvert/rules/diag"
)

// Outcome is how a record that a source delivered was settled.
type Outcome struct {
	Seq          int64 // of the record in the journal
	RecordID     string
	Body         map[string]any // as the source delivered it; nil once it was erased
	State        string         // delivered, superseded, skipped, failed or dismissed
	Objects      []string       // UIDs in DHIS2 that hold its data
	diag.Problem                // what is wrong with it: code, message and hint
	Settled      time.Time
	Known        uint64 // digest of what the source was last told of the record's id; 0: nothing
}

// Told is what came of telling a source of an outcome.
type Told struct {
	Outcome
	Digest uint64    // of what it was told, of which OutcomeMask covers what is kept; 0: nothing
	Again  time.Time // when to try again; zero: it knows
}

// OutcomeMask covers the bits of a digest that are kept.
const OutcomeMask = 1<<32 - 1

// Outcomes is what a source asks that tells of outcomes to where its records came from. The engine's Sink is one.
type Outcomes interface {
	// Outcomes gives settled records of a rule of which the source does not know yet, at most limit,
	// in the order in which they were accepted.
	Outcomes(ctx context.Context, rule string, limit int) ([]Outcome, error)
	// Told keeps what the source knows now.
	Told(ctx context.Context, rule string, told []Told) error
}

// Awaiter is a Sink that says what became of records while their sender waits.
type Awaiter interface {
	// Await gives how records stand, as soon as nothing more will happen to any of them by itself, or
	// when ctx ends: at most those that the journal still keeps, in the order of their Seq and without
	// bodies. State is also pending or held.
	Await(ctx context.Context, seqs []int64) ([]Outcome, error)
}

// FileOutcomes is a Sink that says what became of files.
type FileOutcomes interface {
	// FileOutcomes gives how the files of a rule stand, by their SHA256: of those with the same one, the newest.
	FileOutcomes(ctx context.Context, rule string) (map[string]FileOutcome, error)
}

// FileOutcome is how a file stands.
type FileOutcome struct {
	Finished time.Time // every row had an outcome, and the file was moved away; zero: not yet
	Results  string    // path of its results, beside which it lies; empty: there are none
}

// Alarm is a Sink that tells people what is wrong with a source.
type Alarm interface {
	// Alarm says what is wrong with a subject, such as the database of a rule; nothing any more when what is empty.
	Alarm(subject, what string)
}

// Conditions is a Sink that tells people, in status, health and console, what is wrong outside of
// Culvert while a source does its work.
type Conditions interface {
	// SetCondition says what is wrong with a subject, such as a dropped file; nothing any more when what is empty.
	SetCondition(subject, what string)
}
