// Package expression compiles and runs the expressions of rule files.
//
// It wraps expr-lang/expr: the fields that an expression may name are known when it is compiled (from the trigger's sample), so that a
// mistake is a Problem with a position in the text of the expression, the nearest names that exist, and no Go in its words.
package expression

import (
	"time"
)

// Problem is a mistake in an expression. From and To are rune offsets into its text.
type Problem struct {
	From, To int
	Code     string // unknown-field, unknown-name, unknown-function, wrong-type, syntax, too-complex...
	Message  string
	Hint     string
}

// Want says which type of result an expression must have.
type Want int

const (
	// Anything accepts every type.
	Anything Want = iota
	// Condition needs a boolean.
	Condition
	// List needs a list, or one object that stands for a list of one.
	List
	// Text accepts what can be written as text: text, numbers, booleans, dates.
	Text
)

// Options are what an expression can reach besides the names of its scope.
type Options struct {
	Now  func() time.Time // now() and today(); tests fix it
	Zone *time.Location   // of dates without a zone; nil means UTC
}

// Env is what an expression sees when it runs: values by name, as Scope declared them.
type Env map[string]any
