package rules

import "github.com/culvert/culvert/rules/diag"

// Findings collects what is wrong with one rule, no more than one finding for a place and code.
type Findings struct {
	List diag.List

	seen map[seenFinding]bool
	// where the rule includes files, by their names: a finding in one says which rule it is about
	included map[string]diag.Place
	shaped   map[diag.Place]bool // where the schema found something: what follows from it is not reported
}

type seenFinding struct {
	place diag.Place
	code  string
}

// Report adds a finding.
func (f *Findings) Report(d diag.Diagnostic) {
	key := seenFinding{d.Place, d.Code}
	if f.seen[key] || f.shaped[d.Place] && d.Severity == diag.Error {
		return
	}
	if f.seen == nil {
		f.seen = map[seenFinding]bool{}
	}
	f.seen[key] = true
	if at, ok := f.included[d.Place.File]; ok {
		d.Related = append(d.Related, diag.Related{Place: at, Message: "included here"})
	}
	f.List.Add(d)
}

// includedAt notes where the rule includes a file, itself or by way of another one.
func (f *Findings) includedAt(file string, at diag.Place) {
	if outer, ok := f.included[at.File]; ok {
		at = outer
	}
	if f.included == nil {
		f.included = map[string]diag.Place{}
	}
	if _, known := f.included[file]; !known {
		f.included[file] = at
	}
}

// settle keeps the places of the errors so far, so that later steps say no more about them.
func (f *Findings) settle() {
	f.shaped = make(map[diag.Place]bool, len(f.List))
	for _, d := range f.List {
		if d.Severity == diag.Error {
			f.shaped[d.Place] = true
		}
	}
}
