package console

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/language"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/results"
)

// Project is the running project, as far as the journal does not tell of it. Safe for concurrent use.
type Project interface {
	// Rules lists the rules as they run now, with what is wrong with their files.
	Rules() []Rule
	// Rule tells how a rule maps; nil when there is none of the name.
	Rule(name string) *Mapping
	// Trace evaluates a rule on a record without sending anything. The error is for a rule that cannot
	// be used, or content that is no JSON.
	Trace(ctx context.Context, rule string, record Input) (*Trace, error)
	// Refused says why the project as it lies on disk is not the one that runs; empty when it is.
	Refused() string
	// Servers lists the servers with what their last sync said; Connections the other systems that rules read from.
	Servers() []Server
	Connections() []Connection
	// Catalogue lists the programs and data sets of a server; Object tells all of one of its objects,
	// nil when it has none of the uid; Search finds objects.
	Catalogue(server string) []Object
	Object(server, uid string) *Object
	Search(server, text string) []Object
	// OrgUnits finds org units of any server by uid, code or name, with all that lie below them.
	OrgUnits(text string) Units
	// UnitName gives the name of an org unit; its uid where none is known.
	UnitName(uid string) string
	// Test asks a server or connection for something small; the error says what does not work.
	Test(ctx context.Context, name string) error
	// RunNow has a rule ask for its records now, not at its next time. It does not wait for what comes of
	// it. The error is ErrAsksNothing, poll.ErrRunning or poll.ErrNotHere.
	RunNow(rule string) error
	// Sync reads the metadata of a server anew and puts its rules to work with it; the answer says what changed.
	Sync(ctx context.Context, server string) (changes []string, err error)
	// Upload takes a file for a rule, as if it had been dropped. Errors made with Refuse are for the
	// person: a file that was taken before, a rule that takes none. It gives the file's id.
	Upload(ctx context.Context, rule, name string, content io.Reader) (fileID string, err error)
	// Row reads a row of a file by what its results say of it, as a record. The error is *RowGone where
	// that is not possible (any more).
	Row(ctx context.Context, f journal.File, row results.Row) (Input, error)
	// Links tells what the objects are that a record of a rule wrote, and where people look at them in
	// DHIS2; about are the org units that the record is about.
	Links(ctx context.Context, rule string, objects, about []string) ([]InDHIS2, error)
	// PersonLink is where people look at a tracked entity; empty where that is not known.
	PersonLink(server, uid string) string
	// Outputs tells where the results of a finished file lie, and its failed rows; empty for what there is none of.
	Outputs(f journal.File) (results, failed string)
	// Explain says in a language what the code of a finding, a failure or an error of DHIS2 means, as Markdown.
	Explain(code string, in *language.Language) (markdown string, ok bool)
	// Tell gives the results of a file, or its failed rows, in a language, for a person to open in a spreadsheet.
	Tell(ctx context.Context, f journal.File, failed bool, in *language.Language) (io.ReadSeekCloser, error)
}

// Units are org units that a text means.
type Units struct {
	Names []string // of those that are meant; none: the text means none
	IDs   []string // of these and of all below them
	Near  []string // what may have been meant instead
}

// Rule is what the console shows of a rule in a list.
type Rule struct {
	Name        string    `json:"rule"`
	Description string    `json:"description,omitempty"`
	File        string    `json:"file"`
	Server      string    `json:"server"`
	Trigger     string    `json:"trigger"`
	Address     string    `json:"address,omitempty"` // the path of a webhook, the folder of files, the times of a schedule
	NextRun     time.Time `json:"next_run,omitzero"` // of a schedule or a poll, where that can be told
	TakesFiles  bool      `json:"takes_files"`
	Asks        bool      `json:"asks"`                  // it asks for its records itself, at times: it can be told to now
	Disabled    bool      `json:"disabled,omitempty"`    // it is switched off in its file
	Opens       time.Time `json:"window_opens,omitzero"` // while its window is closed: when it opens
	Findings    diag.List `json:"-"`
}

// Broken tells whether the rule's file has mistakes that keep it from running.
func (r Rule) Broken() bool { return r.Findings.HasErrors() }

// Mapping is how a rule maps.
type Mapping struct {
	Rule
	Text    string // of the file
	When    string
	ID, Key string
	Lookups []Field
	Actions []Action
	Trace   *Trace // of the rule's own sample; nil when it has none
}

// Action is one thing that a rule does with a record.
type Action struct {
	Kind    string  `json:"kind"`
	ForEach string  `json:"for_each,omitempty"`
	When    string  `json:"when,omitempty"`
	Line    int     `json:"line"`
	Fields  []Field `json:"fields"`
}

// Field is one entry of a mapping. Values are those of the rule's own sample.
type Field struct {
	Group   string `json:"group,omitempty"` // what it stands under in the rule
	Name    string `json:"name"`            // and its name there
	Expr    string `json:"expression"`
	Literal bool   `json:"literal,omitempty"` // Expr is the value itself
	Map     string `json:"map,omitempty"`
	Type    string `json:"type,omitempty"`
	In      string `json:"in,omitempty"`
	Out     string `json:"out,omitempty"`
	Line    int    `json:"line"`
}

// Input is a record for Trace.
type Input struct {
	ID       string // of a record that the journal knows; empty: what the rule makes of it
	Origin   sources.Origin
	Received time.Time
	Body     []byte // JSON
}

// Trace is what a rule makes of one record, step by step. It holds what the record says.
type Trace struct {
	Status   string    `json:"status"` // fine, skipped, failed
	ID       string    `json:"id,omitempty"`
	Key      string    `json:"key,omitempty"`
	Steps    []Step    `json:"steps"`
	Faults   []Fault   `json:"faults,omitempty"`
	Writes   []Write   `json:"writes,omitempty"`
	Requests []Request `json:"requests,omitempty"`
	OrgUnits []string  `json:"org_units,omitempty"` // uids of those that the record is about
	Note     string    `json:"note,omitempty"`      // why it cannot be said what would be sent
}

// Step is one thing that happens while a record is evaluated.
type Step struct {
	What   string `json:"what"` // filter, id, key, lookup, map, field, value
	Name   string `json:"name,omitempty"`
	Expr   string `json:"expression,omitempty"`
	In     string `json:"in,omitempty"`
	Out    string `json:"out,omitempty"`
	Type   string `json:"type,omitempty"`
	Line   int    `json:"line,omitempty"`
	Source string `json:"source,omitempty"` // the rule's line
	Failed string `json:"failed,omitempty"`
}

// Fault is one thing that is wrong with a record.
type Fault struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Field   string `json:"field,omitempty"`
	Column  string `json:"column,omitempty"`
	Value   string `json:"value,omitempty"`
	Line    int    `json:"line,omitempty"`
	Source  string `json:"source,omitempty"`
}

// Write is one object that would be looked up, created or updated.
type Write struct {
	Label  string `json:"label"`
	Effect string `json:"effect"`
	ID     string `json:"id,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Request is one request that would be made. What its uids stand for is written behind them.
type Request struct {
	Heading string `json:"heading"`
	Body    string `json:"body,omitempty"`
}

// Server is a DHIS2 server.
type Server struct {
	Name     string    `json:"server"`
	URL      string    `json:"url"`
	System   string    `json:"system,omitempty"`
	Version  string    `json:"version,omitempty"`
	User     string    `json:"user,omitempty"`
	Synced   time.Time `json:"synced,omitzero"` // zero: never
	NextSync time.Time `json:"next_sync,omitzero"`
	Programs int       `json:"programs"`
	DataSets int       `json:"data_sets"`
	Elements int       `json:"data_elements"`
	OrgUnits int       `json:"org_units"`
	Rules    []string  `json:"rules"`
	// what the last sync that this process has seen changed, with the rules that it touches
	Changes []string `json:"changes,omitempty"`
}

// Connection is another system that rules read from.
type Connection struct {
	Name  string   `json:"name"`
	Kind  string   `json:"kind"`
	Rules []string `json:"rules"`
}

// Names are what DHIS2 calls an object in other languages, by locale: fr, pt_BR.
type Names map[string]string

// In gives the name in a language, of its locales the plain one first; "" when there is none.
func (n Names) In(language string) string {
	for _, locale := range slices.Sorted(maps.Keys(n)) {
		base, _, _ := strings.Cut(strings.ReplaceAll(locale, "-", "_"), "_")
		if strings.EqualFold(base, language) {
			return n[locale]
		}
	}
	return ""
}

// Object is an object of a server's metadata.
type Object struct {
	ID        string   `json:"id"`
	Code      string   `json:"code,omitempty"`
	Name      string   `json:"name"`
	Names     Names    `json:"names,omitempty"` // in other languages
	Kind      string   `json:"kind"`            // program, program stage, data element, ...
	Type      string   `json:"type,omitempty"`  // DHIS2's value type, period type or program type
	In        string   `json:"in,omitempty"`    // what it lies in
	Mandatory bool     `json:"mandatory,omitempty"`
	Uses      []string `json:"uses,omitempty"`    // places in rules: file:line
	Options   []Object `json:"options,omitempty"` // the values that it takes
	Parts     []Object `json:"parts,omitempty"`
}
