// Package lookups asks other systems than DHIS2 what rules look up while records are evaluated: web
// APIs, databases, CommCare, and what the project itself has delivered before. One package per kind
// of system lies below; the Desk asks for whole batches, once for what several records want, keeps
// answers as long as their lookups allow, and leaves a system that is away alone for a while.
package lookups

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
)

// Kind is one kind of place where lookups ask.
type Kind interface {
	rules.AskedKind
	// New makes what asks. Nothing is connected to before there is a question.
	New(env Env) Finder
}

// Env is what asking may need of the project.
type Env struct {
	// Connection gives a connection of culvert.yaml, with its secrets.
	Connection func(name string) (sources.Connection, error)
	// Earlier reads delivered records of the journal, the newest first; nil: there is none.
	Earlier func(ctx context.Context, q EarlierQuery) ([]Earlier, error)
	Log     *slog.Logger
	Now     func() time.Time
}

// EarlierQuery asks for records of a rule with a key that were accepted before a place.
type EarlierQuery struct {
	Rule, Key string
	Before    int64 // 0: all
	Limit     int
}

// Earlier is a record that was delivered.
type Earlier struct {
	Seq      int64
	Rule, ID string
	Received time.Time
	Body     []byte // JSON; nil once erased
}

// Asked is what a lookup of such a kind asks for.
type Asked interface {
	rules.Asked
	// Same is the same for lookups that get the same answers to the same values, in whichever rule they are.
	Same() string
	// Connection is where the lookup names a connection of culvert.yaml, and of which kind it has to be.
	Connection() (at *yamlnode.Node, kind string)
	// Cache is how long an answer may be used again; 0: for the batch that asked. each says that the
	// desk keeps the answers, one by one; else the finder does.
	Cache() (long time.Duration, each bool)
}

// Finder answers the questions of one kind.
type Finder interface {
	// Takes tells whether a lookup is of its kind.
	Takes(a Asked) bool
	// Find answers questions of one lookup, no two of which are the same: one answer each. The error of
	// an answer, and Find's own for all of them, is an *Error.
	Find(ctx context.Context, asked Asked, questions []rules.Question) ([]actions.Answer, error)
	// Close lets go what is open.
	Close()
}

// Error is why a question has no answer. It holds no secret and nothing of a person.
type Error struct {
	diag.Problem
	// Fault says that the record must be fixed: its value can never be asked for. Others wait, and are asked again.
	Fault bool
	After time.Duration // when it is worth asking again; 0: not known
	// Away says that the system answers nobody: it is left alone for a while.
	Away bool
}

// Codes of what cannot be asked.
const (
	CodeAway    = "lookup-away"    // the system does not answer, or is busy
	CodeRefused = "lookup-refused" // it refuses what it is asked
	CodeValue   = "lookup-value"   // the record's value cannot be asked for
)

// outcome is what an error means for the record.
func outcome(err error) actions.Outcome {
	o := actions.Outcome{Status: actions.Retry, Class: actions.ClassTransient,
		Problem: diag.Problem{Code: CodeAway, Message: "a lookup could not be asked",
			Hint: "it is asked again by itself; the log tells more"}}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return o
	}
	o.Problem, o.RetryAfter = e.Problem, e.After
	if e.Fault {
		o.Status, o.Class = actions.Failed, actions.ClassData
	}
	return o
}
