// Package diag holds findings: what is wrong in a file that a person wrote, where, and how to fix it.
//
// Mistakes of users are values of type Diagnostic; Go errors are kept for what the program could not do.
package diag

import (
	"cmp"
	"slices"
)

// Severity tells whether a finding stops a rule from running.
type Severity int

const (
	// Error findings keep a rule from running.
	Error Severity = iota
	// Warning findings are reported; they fail a check only with --fail-on warning.
	Warning
)

// String gives "error" or "warning", as findings are printed.
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Position is a place in a text file: lines and columns count from 1, columns in runes.
type Position struct{ Line, Column int }

// Range is a stretch of text; End is the position after the last rune.
type Range struct{ Start, End Position }

// Place is a range in a file. File is relative to the project folder where possible.
type Place struct {
	File  string
	Range Range
}

// Related points to a second place that a finding is about, such as the first of two duplicates.
type Related struct {
	Place   Place
	Message string
}

// Fix is a replacement that fixes a finding without anybody having to think; validate --fix-names applies it.
type Fix struct {
	Place Place
	Text  string
}

// Diagnostic is one finding in a file that a person wrote. Its hint names at most five names that
// exist, the nearest first.
type Diagnostic struct {
	Problem
	Severity Severity
	Related  []Related
	Fix      *Fix
	Secret   bool // the source line must not be shown: it holds a secret
}

// Error gives the finding in one line, as it is printed first.
func (d *Diagnostic) Error() string { return d.String() }

// String gives the finding in one line, as it is printed first.
func (d Diagnostic) String() string {
	return d.Place.String() + ": " + d.Severity.String() + ": " + d.Message + " [" + d.Code + "]"
}

// List collects findings.
type List []Diagnostic

// Add appends findings.
func (l *List) Add(ds ...Diagnostic) { *l = append(*l, ds...) }

// HasErrors tells whether any finding is an error.
func (l List) HasErrors() bool {
	return slices.ContainsFunc(l, func(d Diagnostic) bool { return d.Severity == Error })
}

// Count gives the number of errors and of warnings.
func (l List) Count() (errors, warnings int) {
	for _, d := range l {
		if d.Severity == Error {
			errors++
		} else {
			warnings++
		}
	}
	return errors, warnings
}

// Sort orders findings by file, line, column and code, and drops exact repeats.
func (l *List) Sort() {
	slices.SortStableFunc(*l, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(a.Place.File, b.Place.File),
			cmp.Compare(a.Place.Range.Start.Line, b.Place.Range.Start.Line),
			cmp.Compare(a.Place.Range.Start.Column, b.Place.Range.Start.Column),
			cmp.Compare(a.Code, b.Code),
			cmp.Compare(a.Message, b.Message),
		)
	})
	*l = slices.CompactFunc(*l, func(a, b Diagnostic) bool {
		return a.Place == b.Place && a.Code == b.Code && a.Message == b.Message
	})
}
