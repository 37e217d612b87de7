package program

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// FailureProblem describes a record's own failure.
func FailureProblem(f *rules.Failure) *journal.Problem {
	p := &journal.Problem{
		Class: actions.ClassData, Problem: f.Problem,
	}
	for _, m := range f.More {
		p.More = append(p.More, m.Problem)
	}
	return p
}

// CodeUnreadableFile marks the record that stands for what cannot be read of a file.
const CodeUnreadableFile = "unreadable-file"

// CodeLeftOut marks what is said of a delivered record that went without some of its values.
const CodeLeftOut = "left-out"

// LeftOut describes what is to be said of a delivered record: which values it went without, and
// which are doubtful though they were sent; nil when there is nothing.
func LeftOut(left []*rules.Failure) *journal.Problem {
	if len(left) == 0 {
		return nil
	}
	first := *left[0]
	first.More = left[1:]
	p := FailureProblem(&first)
	p.Code, p.Message = remark(&first, p.Code, p.Message)
	for i := range p.More {
		m := &p.More[i]
		m.Code, m.Message = remark(left[1+i], m.Code, m.Message)
	}
	return p
}

func remark(f *rules.Failure, code, cause string) (newCode, said string) {
	if f.Note {
		return code, cause
	}
	return CodeLeftOut, "left out: " + cause
}

// InternalProblem stands for a fault of the program; its particulars are in the log.
func InternalProblem(flow *Flow) *journal.Problem {
	return &journal.Problem{
		Class: actions.ClassData, Problem: diag.Problem{Code: "internal",
			Message: "Culvert itself broke down on this record; the log tells more",
			Hint:    "report the log line with the rule; replay the record once it is fixed",
			Place:   diag.Place{File: flow.Rule.Path}},
	}
}

// CodeMissingRule is the code of what waits of a rule whose file was removed.
const CodeMissingRule = "rule-missing"

// MissingRule is why the records of a rule that is gone are held.
func MissingRule(rule string) *journal.Problem {
	return &journal.Problem{
		Class: actions.ClassMetadata, Problem: diag.Problem{Code: CodeMissingRule,
			Message: fmt.Sprintf("there is no rule %q any more", rule),
			Hint:    "bring the rule file back, or settle its records with `culvert dismiss --code rule-missing`"},
	}
}

// CodeDisabled is the code of what waits of a rule that is switched off.
const CodeDisabled = "disabled"

// DisabledRule is why the records of a rule are held that is switched off in its file.
func DisabledRule(rule string) *journal.Problem {
	return &journal.Problem{
		Class: actions.ClassMetadata, Problem: diag.Problem{Code: CodeDisabled,
			Message: fmt.Sprintf("rule %q is switched off (enabled: false)", rule),
			Hint:    "take enabled: false out of the rule, or settle its records with `culvert dismiss --code disabled`"},
	}
}

// NoPayload is why a record without its body fails.
func NoPayload() *journal.Problem {
	return &journal.Problem{
		Class: actions.ClassData, Problem: diag.Problem{Code: "no-payload",
			Message: "the record's payload is not kept (any more)",
			Hint:    "send the record again from its source"},
	}
}

// BrokenPayload is why a record whose body is no JSON fails.
func BrokenPayload() *journal.Problem {
	return &journal.Problem{
		Class: actions.ClassData, Problem: diag.Problem{Code: "broken-payload",
			Message: "the record's payload is not JSON",
			Hint:    "edit the payload, or send the record again from its source"},
	}
}

// ProblemOf describes why a rule could not be evaluated on a record. A fault of the program itself
// goes to the log with its particulars.
func ProblemOf(log *slog.Logger, flow *Flow, id string, err error) *journal.Problem {
	var f *rules.Failure
	if errors.As(err, &f) {
		return FailureProblem(f)
	}
	log.Error("evaluation broke down", "rule", flow.Name(), "record", id, "error", err)
	return InternalProblem(flow)
}
