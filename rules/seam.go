package rules

import (
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/yamlnode"
)

// Load parses, checks and compiles one rule file. It reports everything it finds; the rule is nil when it cannot be used at all, and must not
// run when the findings hold an error. Actions are left as specs: their kinds compile them afterwards and report into the same Findings.
func Load(path string, text []byte, env Environment) (*Rule, *Findings) { panic("unwritten") }

// Findings collects what is wrong with one rule, no more than one finding for a place and code.
type Findings struct{ List diag.List }

// Report adds a finding.
func (f *Findings) Report(d diag.Diagnostic) { f.List.Add(d) }

// Input is one record as a rule sees it.
type Input struct {
	Body     any            // decoded: map[string]any for forms, cases and rows
	Source   map[string]any // what `source` shows: file, row, received, headers...
	RecordID string         // known id, when the record comes back from the journal
}

// Scope is what expressions see while one record is evaluated. Not safe for concurrent use.
type Scope struct {
	Trace func(Step) // when set, told every step (culvert try)
}

// Step is one thing that happened while a record was evaluated.
type Step struct {
	What   string // filter, id, key, lookup, map, field
	Name   string // of the lookup, map or field
	Expr   string
	In     any // value before mapping or conversion
	Out    any
	Type   string // DHIS2 value type for fields
	Place  diag.Place
	Failed *Failure
}

// Begin makes the scope for one record.
func (r *Rule) Begin(in Input) *Scope { panic("unwritten") }

// Filter evaluates `when`. The error is a *Failure.
func (r *Rule) Filter(s *Scope) (bool, error) { panic("unwritten") }

// Identify gives the record's id and key; without an `id:` the id is a hash of the content. The error is a *Failure.
func (r *Rule) Identify(s *Scope) (id, key string, err error) { panic("unwritten") }

// Resolve runs the lookups that the record needs. The error is a *Failure.
func (r *Rule) Resolve(s *Scope) error { panic("unwritten") }

// RecordID is the id of the record under evaluation, once Identify has run.
func (s *Scope) RecordID() string { panic("unwritten") }

// Index is the position of the current item inside for_each, 0 outside.
func (s *Scope) Index() int { panic("unwritten") }

// SetResult makes a field of an earlier action's result visible to later actions under the action's id.
func (s *Scope) SetResult(action string, fields map[string]any) { panic("unwritten") }

// ActionSpec is one entry of a rule's actions, before and after its kind has made sense of it.
type ActionSpec struct {
	Kind    string // dhis2.event
	ID      string // as the rule gives it; empty when it gives none
	Number  int    // position in the rule, from 0
	Body    *yamlnode.Node
	Place   diag.Place // of the kind
	ForEach *Expr
	When    *Expr
}

// Report adds a finding about the action.
func (a *ActionSpec) Report(d diag.Diagnostic) { panic("unwritten") }

// Expression compiles a scalar node as an expression in the action's scope; nil when it is wrong, which is then reported.
func (a *ActionSpec) Expression(n *yamlnode.Node, want expression.Want) *Expr { panic("unwritten") }

// Field compiles the value of a mapping entry: a bare expression, or the long form {from, map, format, default, blank} or {value}.
// nil when it is wrong, which is then reported.
func (a *ActionSpec) Field(name string, n *yamlnode.Node) *Field { panic("unwritten") }

// DeclareResult says which fields later actions may read from this one by its id.
func (a *ActionSpec) DeclareResult(fields ...string) { panic("unwritten") }

// Each runs do once for every item of for_each for which `when` holds (once where there is no for_each). The error is do's, or a *Failure.
func (a *ActionSpec) Each(s *Scope, do func(*Scope) error) error { panic("unwritten") }

// Expr is a compiled expression with its place in the rule file.
type Expr struct {
	Text  string
	Place diag.Place
}

// Eval runs the expression. The error is a *Failure that names the place and the fields involved.
func (e *Expr) Eval(s *Scope) (any, error) { panic("unwritten") }

// Text runs the expression and gives its value as text; blank ("" , null, "---") is "". The error is a *Failure.
func (e *Expr) EvalText(s *Scope) (string, error) { panic("unwritten") }

// BlankPolicy says what a blank value does.
type BlankPolicy int

const (
	// BlankOmit leaves the field out of the write.
	BlankOmit BlankPolicy = iota
	// BlankClear removes the value in DHIS2.
	BlankClear
	// BlankFail fails the record.
	BlankFail
)

// Field is the compiled value of one entry in an action's mapping.
type Field struct {
	Name   string // the name used in the rule
	Place  diag.Place
	From   *Expr     // nil for a literal
	Value  any       // the literal of {value: ...}; nil when From is set
	Map    *ValueMap // or nil
	Format string    // layout of a date or number, or empty
	Blank  BlankPolicy
}

// Result is what a field came to on one record.
type Result struct {
	Value any // after from, map and default; nil when blank
	Blank bool
	Clear bool // blank, and the rule says clear
	In    any  // before the map, for messages
}

// Eval gives the field's value on one record. The error is a *Failure (unmapped value, blank: fail, ...).
func (f *Field) Eval(s *Scope) (Result, error) { panic("unwritten") }

// ValueMap maps incoming values to DHIS2 values.
type ValueMap struct {
	Name  string
	Place diag.Place
}

// Outputs gives every right-hand side with its place, for checks against option sets.
func (m *ValueMap) Outputs() []MapOutput { panic("unwritten") }

// MapOutput is one right-hand side of a value map.
type MapOutput struct {
	In, Out string
	Place   diag.Place
}

// Lookup finds one object in synced metadata or a reference table.
type Lookup struct {
	Name       string
	Collection string // organisationUnits, ... or empty for a table
	Place      diag.Place
}

// Test is one entry of a rule's tests.
type Test struct {
	Name   string
	Given  string
	Expect *yamlnode.Node
	Fail   string // code of the expected failure, or empty
	Now    time.Time
	Place  diag.Place
}
