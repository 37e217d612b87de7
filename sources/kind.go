package sources

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
)

// Kind is one kind of trigger.
type Kind interface {
	// Name is how rule files name it.
	Name() string
	// Settings declares the keys of a trigger.
	Settings() settings.Spec
	// Check reads a trigger's config and reports what is wrong with it.
	Check(t *rules.Trigger, report func(diag.Diagnostic))
	// Sample decodes a sample file into record bodies, as a run would, at most limit of them.
	Sample(t *rules.Trigger, path string, text []byte, limit int) ([]any, error)
	// New makes the source of the rules that use the kind; nil when there is nothing to run. Nothing
	// live is touched, and nothing asked for, until it runs.
	New(bound []Bound, env Env) (Source, error)
}

// Bound is a rule's trigger, which has passed Check unless Invalid says otherwise.
type Bound struct {
	Rule    string
	Server  string // of culvert.yaml, that the rule sends to
	Trigger *rules.Trigger
	// Text is the rule's file, and those that it extends: another text may read the same content in another way.
	Text    []byte
	Invalid bool // the rule has mistakes: what is sent to it is kept and held, and nothing is asked for
	Off     bool // the rule is switched off: nothing is taken for it, and nothing asked for
}

// Runs tells whether the source asks for records of the rule, or looks for them.
func (b *Bound) Runs() bool { return !b.Invalid && !b.Off }

// Valid gives what read makes of the triggers that have no mistakes and are not switched off.
func Valid[R any](bound []Bound, read func(Bound) R) []R {
	var list []R
	for _, b := range bound {
		if b.Runs() {
			list = append(list, read(b))
		}
	}
	return list
}

// Env is what a source may need of the project that it runs in.
type Env struct {
	Dir     string         // the project's folder, absolute
	Inbox   string         // where taken files lie, absolute
	Zone    *time.Location // of dates without one
	Log     *slog.Logger
	Version string
	Proxies []netip.Prefix // whose X-Forwarded-For is believed
	// PublicURL is the address under which others reach the project; empty: as their requests say
	PublicURL string
	// Secret gives what a text stands for in which ${NAME} names variables of the environment.
	Secret func(text string) (string, error)
	// Connection gives a connection of culvert.yaml, with its secrets.
	Connection func(name string) (Connection, error)
	// Login gives how those that call show who they are where their rule does not say; the zero Login
	// when culvert.yaml does not say either.
	Login func() (Login, error)
	// NonceKey gives a random key that all runners of the project have alike; nil: there is none.
	NonceKey func(ctx context.Context) ([]byte, error)
	Lists    Lists
	// Catalog gives the synced metadata of a server as it is now; nil where there is none.
	Catalog func(server string) Catalog
}

// Lists reads lists of the project's DHIS2 servers.
type Lists interface {
	// Get reads one resource of a server; an empty server is the project's default. The error of a refusal that the
	// server gave a code tells it by a method ServerCode.
	Get(ctx context.Context, server, path string, query url.Values) (json.RawMessage, error)
}

// Connection is a named outside system of culvert.yaml, with its secrets. What its kind does not have is empty.
type Connection struct {
	Name                       string
	Kind                       string // the name of its ConnectionKind
	URL                        string
	Domain                     string // a part of the system: a project space of CommCare HQ
	Username, Password, APIKey string
	Bearer                     string
	Header                     string            // that the API key is sent in; empty: the kind's own
	Dir                        string            // the project's folder, from which paths count
	Own                        map[string]string // the keys that only its kind has, by name
}

// ConnectionKind is a kind of outside system, as culvert.yaml names it.
type ConnectionKind struct {
	Name    string // the key that holds the address
	Doc     string // of that key
	Example string // of the address
	Secret  bool   // the address may hold a password, and comes from the environment then
	Keys    []settings.Field
	// what is wrong with the keys that are there; nil: nothing
	Requires func(has func(key string) bool) (message, hint string)
}

// Login is how a caller shows who it is; exactly one way is set.
type Login struct {
	Username, Password string // basic
	Bearer             string
	HMACSecret         string
	HMACHeader         string // empty: X-Hub-Signature-256
	HMACTimestamp      string // header with the Unix time that is signed as "<time>.<body>", or empty
	APIKey             string
	APIKeyHeader       string // empty: X-API-Key
	None               bool   // open on purpose
}

// System is a kind of outside system that culvert.yaml names as a connection.
type System interface {
	// Connection says which keys such a connection has.
	Connection() ConnectionKind
	// Ping asks one for something small, with its secrets; the error says why it does not answer.
	Ping(ctx context.Context, c Connection, log *slog.Logger) error
}

// Connected is a Kind whose triggers name connections of culvert.yaml.
type Connected interface {
	Kind
	System
	// Connections gives where a trigger names connections, nil where it could and does not.
	Connections(t *rules.Trigger) []*yamlnode.Node
}

// Standing is a source that runs on every runner, and goes on while rules change: it serves
// requests at the paths of its rules.
type Standing interface {
	Source
	http.Handler
	// Serves tells whether a path is one of its rules'.
	Serves(path string) bool
	// TakeOver serves, from now on, what a source of the same kind was made for.
	TakeOver(fresh Source)
	// Taking tells whether records are taken now.
	Taking() bool
}

// Prompted is a source that can be told not to wait for its time.
type Prompted interface {
	Source
	// Prompt has it ask for the records of a rule now; the error is poll.ErrRunning or poll.ErrNotHere.
	Prompt(rule string) error
}

// Inheriting is a Kind whose triggers are let in by webhook_auth of culvert.yaml where they do not say how.
type Inheriting interface {
	Inherits(t *rules.Trigger) bool
}

// Posting is a Kind whose triggers may take requests, too, beside what they ask for.
type Posting interface {
	// Posts gives a trigger of the kind webhook for what is posted; nil when nothing is.
	Posts(t *rules.Trigger) *rules.Trigger
}

// Hosting is a Kind whose triggers hand out files of the project.
type Hosting interface {
	// CheckFiles reports what is wrong with the files that the trigger of a rule hands out. What is wrong with them
	// keeps no record from being taken.
	CheckFiles(r *rules.Rule, files Files, report func(diag.Diagnostic))
}

// Files are the files of a project, by their paths in it, with slashes.
type Files interface {
	Read(name string) ([]byte, error)
	// List lists the names of the files of a folder, without those in folders below it; none where there is no such folder.
	List(folder string) []string
}

// Telling is a Kind of which a trigger may ask that its source is told how records were settled.
type Telling interface {
	Tells(t *rules.Trigger) bool
}

// Attaching is a Kind whose records may name files that lie at their source, or beside them.
type Attaching interface {
	// Attachments gives what finds the files of the records of a trigger; nil when it has none.
	Attachments(rule string, t *rules.Trigger, env AttachmentEnv) AttachmentFinder
}

// Enclosing is a Kind whose records may come with files in the same request, which they keep under AttachmentsKey.
type Enclosing interface {
	// Encloses tells whether those of a trigger keep them; where they do not, how says what would make them do so,
	// for a hint.
	Encloses(t *rules.Trigger) (kept bool, how string)
}

// AttachmentFinder finds the files that a record names by what it holds, or by the dropped file that
// it is a row of. It asks nobody: what it gives is fetched later. It is safe for concurrent use.
type AttachmentFinder func(body any, fileID string) rules.Attachments

// AttachmentEnv is what finding and fetching files may need of a project.
type AttachmentEnv struct {
	Dir        string // the project's folder, absolute
	Inbox      string // where taken files lie, absolute
	Log        *slog.Logger
	Connection func(name string) (Connection, error) // with its secrets
	// Finished gives the path of a dropped file that is finished, "" where it is not known; nil: nobody knows.
	Finished func(fileID string) string
}

// Neighbouring is a Kind whose triggers must not get in each other's way.
type Neighbouring interface {
	// CheckAll reports what is wrong with the triggers of all rules of the kind together, in the order of their files.
	CheckAll(rules []*rules.Rule, report func(diag.Diagnostic))
}

// Timed is a Kind whose triggers run at fixed times.
type Timed interface {
	// NextRun gives the next time after another; zero when there is none. zone holds where the trigger names none.
	NextRun(t *rules.Trigger, zone *time.Location, after time.Time) time.Time
}

// Sampled is a Kind that has parts which must fit the sample, beside what expressions read.
type Sampled interface {
	CheckSample(t *rules.Trigger, rows []any, report func(diag.Diagnostic))
}

// Described is a Kind of which the language must know more than its name.
type Described interface {
	// Describe says what holds of its records.
	Describe() rules.TriggerKind
}

// TriggerKind says of a kind what the language must know.
func TriggerKind(k Kind) rules.TriggerKind {
	if d, ok := k.(Described); ok {
		return d.Describe()
	}
	return rules.TriggerKind{Name: k.Name()}
}

// Peeking is a Kind that can show records of its source and leave everything as it is.
type Peeking interface {
	Kind
	// Peek reads at most limit records of a trigger that has passed Check, as a run would deliver them, the newest
	// where the source can tell. It keeps nothing, and changes nothing over there. None is no error.
	Peek(ctx context.Context, b Bound, env Env, limit int) ([]any, error)
}

// Named gives a kind by its name, nil when there is none.
func Named(kinds []Kind, name string) Kind {
	for _, k := range kinds {
		if k.Name() == name {
			return k
		}
	}
	return nil
}
