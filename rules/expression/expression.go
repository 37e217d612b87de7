// Package expression compiles and runs the expressions of rule files.
//
// It wraps expr-lang/expr: the fields that an expression may name are known when it is compiled
// (from the trigger's sample), so that a mistake is a Problem with a position in the text of the
// expression, the nearest names that exist, and no Go in its words.
//
// The grammar, the byte code and its machine are expr's. What values mean is ours, because field
// data is full of gaps: a field that a record does not have is blank, and a blank is passed on
// instead of being an error.
//
//   - Reading a field of something blank is blank. So is arithmetic with a blank.
//   - Missing, empty, only spaces, and "---" are all blank, and all equal to each other: x == "" is true of
//     every one of them.
//   - A comparison (<, <=, >, >=, in, contains, startsWith, endsWith, matches) with a blank is false.
//   - A condition that is blank is false.
//   - Text functions read a blank as empty text, date and number functions give a blank for a blank.
//   - A date compared with a text reads the text as an ISO date.
package expression

import (
	"time"

	"github.com/culvert/culvert/rules/diag"
)

// Problem is a mistake in an expression. From and To are rune offsets into its text; To is after the last rune.
type Problem struct {
	diag.Problem // its code is one of the Code constants
	From, To     int
}

// Codes of problems, found when an expression is compiled.
const (
	CodeSyntax          = "syntax"           // not an expression at all
	CodeUnknownName     = "unknown-name"     // nothing in scope has the name
	CodeUnknownField    = "unknown-field"    // the sample has no such field
	CodeUnknownFunction = "unknown-function" // no function has the name
	CodeWrongType       = "wrong-type"       // also a RunError: a value is not of the type that is needed
	CodeWrongArguments  = "wrong-arguments"  // too many or too few arguments
	CodeWrongValue      = "wrong-value"      // also a RunError: a value is of the right type, yet cannot be used
	CodeTooComplex      = "too-complex"      // longer or deeper than an expression may be
)

// Codes of failures that only a record can bring to light.
const (
	CodeTooLarge = "too-large" // a list or a text is larger than an expression may handle
	CodeInternal = "internal"  // a defect of this package
	// CodePositionOrder: of two numbers either could be the latitude.
	CodePositionOrder = "position-order"
)

// Want says which type of result an expression must have.
type Want int

const (
	// Anything accepts every type.
	Anything Want = iota
	// Condition needs yes or no; the program's result is then always a bool, false when blank.
	Condition
	// List needs a list, or one object that stands for a list of one; the program's result is then
	// always a []any, empty when blank.
	List
	// Text accepts what can be written as text: text, numbers, yes/no, dates. AsText writes it.
	Text
)

// Options are what an expression can reach besides the names of its scope.
type Options struct {
	Now  func() time.Time // now() and today(); tests fix it. nil means time.Now
	Zone *time.Location   // of dates without a zone; nil means UTC
}

// Env is what an expression sees when it runs: values by name, as Scope declared them.
type Env map[string]any

// Limits of expressions and of what they may do with one record.
const (
	maxText       = 4096      // characters of an expression
	maxNodes      = 1000      // parts of an expression
	maxNesting    = 2         // filter, map, all... inside each other
	maxItems      = 10_000    // items of a list that filter, map, all... go through
	maxSteps      = 1_000_000 // items gone through for one record in one expression
	maxMadeText   = 4 << 20   // bytes of text that functions may make for one record in one expression
	maxReadText   = 64 << 20  // bytes of text that functions may look at for one record in one expression
	maxPatternLen = 1000      // bytes of a regular expression
)
