package rules

import (
	"slices"
	"strings"
)

// Reading is what a rule reads of a record.
type Reading struct {
	// Whole: the rule takes the record as one value, so that every field matters.
	Whole bool
	// Needs are the fields that must be there, each as the names on the way to it. Of each entry one field is enough.
	Needs [][][]string
}

// Reading gives what the rule's expressions read of a record: its columns, for a row.
func (r *Rule) Reading() Reading {
	var out Reading
	seen := map[string]bool{}
	for _, choice := range r.needs {
		var fields [][]string
		own := len(choice) == 0
		for _, names := range choice {
			switch {
			case names[0] != "trigger":
				own = true // something else than the record serves
			case len(names) == 1:
				out.Whole = true
				own = true
			default:
				fields = append(fields, names[1:])
			}
		}
		if own && len(fields) > 0 {
			out.Needs = append(out.Needs, optional(fields))
			continue
		}
		if key := keyOf(fields); len(fields) > 0 && !seen[key] {
			seen[key] = true
			out.Needs = append(out.Needs, fields)
		}
	}
	return out
}

// Results lists the ids of the actions whose results others may read.
func (r *Rule) Results() []string { return r.results }

// HasResults tells whether actions of the rule may read what others came to.
func (r *Rule) HasResults() bool { return len(r.results) > 0 }

// optional marks fields that need not be there: an entry that nothing can miss.
func optional(fields [][]string) [][]string { return append(fields, nil) }

func keyOf(fields [][]string) string {
	var parts []string
	for _, names := range fields {
		parts = append(parts, strings.Join(names, "\x00"))
	}
	slices.Sort(parts)
	return strings.Join(parts, "\x01")
}

// Concerns tells whether the rule can be about records of a source, such as a file of some name:
// false where its condition looks at the source alone and says no.
func (r *Rule) Concerns(source map[string]any) bool {
	if r.When == nil {
		return true
	}
	for _, choice := range r.When.program.Needs() {
		for _, names := range choice {
			if names[0] != "source" {
				return true
			}
		}
	}
	yes, err := r.Filter(r.Begin(Input{Source: source}))
	return yes || err != nil
}
