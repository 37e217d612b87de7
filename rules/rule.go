// Package rules is the rule language: rule files are parsed with positions, checked, compiled once,
// and evaluated on records. It knows nothing of DHIS2, of HTTP or of the journal.
package rules

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
)

// Rule is one compiled rule file. It is read-only after Load and safe for concurrent use.
type Rule struct {
	Name        string
	Description string
	Path        string // relative to the project folder, with slashes
	Server      string // as the rule names it, empty for the default server until the loader has set its name
	Trigger     Trigger
	When        *Expr // nil: every record
	ID          *Expr // nil: a hash of the record's content
	Version     *Expr // nil: what its source says, or the order of acceptance
	// nil: the external id of the first action that has one (set by who compiles the actions), else the record's id
	Key      *Expr
	Lookups  []*Lookup
	Maps     map[string]*ValueMap
	Actions  []*ActionSpec
	Tests    []*Test
	Delivery Delivery // whether and when records are sent
	Document *yamlnode.Document
	Bases    []string // the files that the rule takes keys from, nearest first

	bases       []*yamlnode.Document // those files
	library     *Library
	between     []*ValueMap // made of the metadata of two servers
	shared      []string    // names of what the rule uses of the library
	place       diag.Place  // of the name
	serverPlace diag.Place
	namespace   namespace
	ids         []*declaredIDs
	missing     wordSet // what the project and the trigger say for "no answer"
	findings    *Findings
	compiler    *compiler // until Finish
	eager       []int     // lookups that every record needs
	results     []string  // ids of actions, which expressions may name
	afters      bool      // an action says after what it comes
	zone        *time.Location
	needs       [][][]string          // fields that expressions read, of each entry one
	columns     map[diag.Place]string // what the expression at a place reads of a record, in its own names
	writes      []declaredWrite
	fixed       atomic.Pointer[time.Time] // the time of a test, instead of the clock's
}

// FixClock has now() and today() give a time in this rule's expressions, for a test that names one;
// the zero time lets the clock run again. It is not for rules that also take records.
func (r *Rule) FixClock(at time.Time) {
	if at.IsZero() {
		r.fixed.Store(nil)
		return
	}
	r.fixed.Store(&at)
}

// clock gives the time of the rule's expressions.
func (r *Rule) clock(now func() time.Time) func() time.Time {
	return func() time.Time {
		if at := r.fixed.Load(); at != nil {
			return *at
		}
		return now()
	}
}

// Report adds a finding about the rule, for those who check parts of it after Load.
func (r *Rule) Report(d diag.Diagnostic) { r.findings.Report(d) }

// Text is the rule as it is written: its file, and behind it those that it takes keys from, or uses
// functions and value maps of. A rule that takes none is its file, byte by byte.
func (r *Rule) Text() []byte {
	if r.Document == nil {
		return nil
	}
	text := slices.Clone(r.Document.Text)
	for _, d := range slices.Concat(r.bases, r.sharedDocs()) {
		text = append(text, "\n\x00"+d.Path+"\n"...)
		text = append(text, d.Text...)
	}
	return text
}

// Place is where the rule is named, or the beginning of its file.
func (r *Rule) Place() diag.Place { return r.place }

// ServerPlace is where the rule names its server, or the rule's own place when it names none.
func (r *Rule) ServerPlace() diag.Place { return r.serverPlace }

// Trigger says where a rule's records come from. Config is the trigger's own mapping, checked by the source's package.
type Trigger struct {
	Kind   string // as its kind is named
	Config *yamlnode.Node
	Sample string         // path of the sample, relative to the project folder; empty when there is none
	Place  diag.Place     // of the trigger's kind
	About  TriggerKind    // what is known of its kind
	Fields *yamlnode.Node // fields declared though absent from the sample, or nil
	// NoFiles says how files could come with records, where none can; empty where they can. The trigger's kind
	// says so before actions are compiled.
	NoFiles string

	// SamplePlace is where the rule names the sample.
	SamplePlace diag.Place
}

// Directory finds objects in synced metadata. The package that syncs metadata implements it.
type Directory interface {
	// Collections lists what lookups may search, such as organisationUnits.
	Collections() []string
	// Fields lists what a collection can be searched by: id, code, name and the names of its metadata attributes.
	Fields(collection string) []string
	// Find gives every object of a collection whose field has the value, exactly.
	Find(collection, field, value string) []*Object
	// Names gives the values of a field for suggestions; it may be large.
	Names(collection, field string) []string
	// Among finds by uid, code or name what objects of a collection belong to, such as the set of an option.
	Among(collection, ref string) Among
	// AmongNames lists what they may belong to, for suggestions.
	AmongNames(collection string) []string
	// Lacks tells whether a collection, or Members, was not read: no rule asked for it, or it may not be seen.
	Lacks(what string) bool
}

// Members stands for which objects are in which groups, for Directory.Lacks.
const Members = "members"

// Among is what objects of a collection belong to.
type Among struct {
	What      string // such as option set; empty where objects of the collection belong to nothing
	ID        string // of the one that was found
	Ambiguous []string
	Near      []string
	Holds     func(*Object) bool
}

// Object is a metadata object as expressions see it.
type Object struct {
	ID         string            `expr:"id"`
	Code       string            `expr:"code"`
	Name       string            `expr:"name"`
	Level      int               `expr:"level"`
	Parent     *Object           `expr:"parent"`     // of an org unit, nil at the top; of an option its set, of a stage its program
	Ancestors  []*Object         `expr:"ancestors"`  // of an org unit, from the top to its parent
	Attributes map[string]string `expr:"attributes"` // metadata attribute values by the attribute's name
	Groups     []*Object         `expr:"groups"`     // of an org unit
	Username   string            `expr:"username"`   // of a user
}

// TriggerKind is a kind of trigger, as far as the language must know it.
type TriggerKind struct {
	Name string
	// Anonymous records have no id of their own as a rule, and nobody has a sample of them at hand: a
	// rule is not told that it names neither.
	Anonymous bool
	// Submissions says that forms come as they are submitted, so that edits of one are known by what they were made from.
	Submissions bool
	// Tables says that records are rows of files, which may be numbered anew in each.
	Tables bool
}

// triggerNames lists the names of the kinds that exist.
func (e *Environment) triggerNames() []string {
	names := make([]string, len(e.TriggerKinds))
	for i, k := range e.TriggerKinds {
		names[i] = k.Name
	}
	return names
}

// Environment is what a rule is compiled against.
type Environment struct {
	// Directory is nil when there is no snapshot yet; lookups of metadata are then a finding.
	Directory Directory
	// Record gives what is known of a trigger's records without a sample; nil, or a nil shape: nothing.
	Record func(t *Trigger) *expression.Shape
	// Server gives what lookups search at a server that they name; what is wrong with the name is a
	// problem with neither. nil: no server can be named.
	Server func(name string) (ServerEnv, *diag.Problem)
	// Samples gives the bodies of a trigger's sample, decoded as its source would; nil, nil when it has none.
	Samples func(t *Trigger) ([]any, error)
	// ReadFile reads a file of the project (maps, tables, tests), path relative to the project folder.
	ReadFile func(path string) ([]byte, error)
	// Asked compiles lookups of what is asked for while records are evaluated; nil: there are none.
	Asked AskedKind
	Now   func() time.Time
	Zone  *time.Location
	// Missing are the words of the project by which sources say that there is no answer.
	Missing []string
	// Kinds lists the action kinds that exist, each with the keys that it takes beside ActionKeys.
	Kinds []settings.Spec
	// TriggerKinds lists the trigger kinds that exist.
	TriggerKinds []TriggerKind
	// Defaults finds the _defaults.yaml that apply to a rule's folder; nil when the project has none.
	Defaults []*yamlnode.Document
	// Library is what the rules of the project share; nil: nothing.
	Library *Library
}

// ServerEnv is what lookups search at one server: its snapshot, and what it is asked for.
type ServerEnv struct {
	Name      string // as culvert.yaml names it
	Directory Directory
	Asked     AskedKind
}

// Failure is why one record cannot be used: data that does not fit its rule. It names the place in
// the rule and what to do. Message and Fix are safe to log; Value is the record's own data and is
// kept in the journal only.
type Failure struct {
	diag.Problem
	Skip bool       // the rule says that such a record is skipped: it has not failed
	Wait bool       // the rule says that such a record waits: what it looks for may come
	Note bool       // what is doubted was sent all the same: the record has not failed
	More []*Failure // what else is wrong with the record
}

// Error gives the message with the place in the rule, without the record's data.
func (f *Failure) Error() string { return f.Message }
