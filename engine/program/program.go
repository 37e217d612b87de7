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

// Flow is one rule with its compiled actions.
type Flow struct {
	Rule    *rules.Rule
	Actions []actions.Action // parallel to Rule.Actions
	Server  string           // by the name it has in culvert.yaml
	Invalid *journal.Problem // why the rule cannot run now; its records are held
	Notify  bool             // the source of its records is notified of how they were settled
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
