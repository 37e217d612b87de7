package rules

import "github.com/culvert/culvert/rules/diag"

// Findings collects what is wrong with one rule, no more than one finding for a place and code.
type Findings struct {
	List diag.List

	seen map[seenFinding]bool
}

type seenFinding struct {
	place diag.Place
	code  string
}

// Report adds a finding.
func (f *Findings) Report(d diag.Diagnostic) {
	key := seenFinding{d.Place, d.Code}
	if f.seen[key] {
		return
	}
	if f.seen == nil {
		f.seen = map[seenFinding]bool{}
	}
	f.seen[key] = true
	f.List.Add(d)
}
