package program

import (
	"maps"
	"slices"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/sources"
)

// Program is a set of rules that is ready to run. It is read-only; a reload makes a new one and swaps it in.
type Program struct {
	Rules map[string]*Flow // by the rule's name
	// Former are the flows of rules that had another name, by that name: what was accepted under it goes on.
	Former map[string]*Flow
	// Intakes are sources that live as long as this program: a swap stops them and starts those of the next one.
	Intakes []Intake
}

// Flow is one rule with its compiled actions. Of a rule that writes to several places it is the part
// for one of them: the others are flows of their own, which come beside it or after it.
type Flow struct {
	Rule    *rules.Rule
	Actions []actions.Action
	Server  string // where they write to: a server or a connection, by the name it has in culvert.yaml
	Home    string // the server that the rule's lookups ask
	Part    string // "" of a rule's first part; of the others where they write to
	// After says of each action what must have become of the part that this one comes after:
	// delivered (or nothing), failed or settled.
	After   []string
	Next    []*Flow          // parts that come once this one is settled
	Beside  []*Flow          // parts that wait for no other one; of the first part alone
	Invalid *journal.Problem // why the rule cannot run now; its records are held
	Notify  bool             // the source of its records is notified of how they were settled
	// KeepRows: rows of files that went through are kept as records, as other rules look them up.
	KeepRows bool
	// Attachments finds the files that records of the rule name; nil: the trigger has none.
	Attachments sources.AttachmentFinder
}

// Intake is a source with what the engine must know to run it.
type Intake struct {
	Name   string // in logs and status
	Source sources.Source
	Once   bool // only one of several runners may run it: folders, polls, schedules
}

// Flow gives a rule by its name, nil when there is none.
func (p *Program) Flow(rule string) *Flow {
	if p == nil {
		return nil
	}
	if f := p.Rules[rule]; f != nil {
		return f
	}
	return p.Former[rule]
}

// Names lists the rules, sorted.
func (p *Program) Names() []string {
	if p == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(p.Rules))
}

// Count is how many rules there are, each with all of its parts.
func (p *Program) Count() int {
	n := 0
	for _, f := range p.Rules {
		if f.Part == "" {
			n++
		}
	}
	return n
}
