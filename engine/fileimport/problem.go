package fileimport

import (
	"errors"
	"fmt"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources/tabular"
)

func unreadableRow(err error) *journal.Problem {
	p := &journal.Problem{Class: actions.ClassData, Problem: diag.Problem{Code: "unreadable-row", Message: err.Error()}}
	var bad *tabular.RowError
	if errors.As(err, &bad) {
		p.Message, p.Hint, p.Field, p.Column = bad.Message, bad.Hint, bad.Column, bad.Column
	}
	if p.Hint == "" {
		p.Hint = "fix the row in the file of failed rows and drop it again"
	}
	return p
}

func unreadableFile(name string, err error) *journal.Problem {
	p := &journal.Problem{Class: actions.ClassData, Problem: diag.Problem{Code: program.CodeUnreadableFile,
		Message: err.Error(),
		Hint:    "fix the file and drop it again"}}
	var bad *tabular.FileError
	if errors.As(err, &bad) {
		p.Message = fmt.Sprintf("%s: %s", name, bad.Message)
		if bad.Hint != "" {
			p.Hint = bad.Hint
		}
	}
	return p
}

// AllFaults describes all that is wrong with a row for whoever corrects the table: cause, column,
// value and fix of each. It holds values.
func AllFaults(p *journal.Problem) (cause, column, value, hint string) {
	faults := p.Faults()
	if len(faults) == 1 {
		return p.Message, p.Column, p.Value, p.Hint
	}
	var causes, columns, values, hints []string
	for i, f := range faults {
		number := fmt.Sprintf("(%d) ", i+1)
		causes, hints = append(causes, number+f.Message), append(hints, number+f.Hint)
		columns, values = append(columns, number+f.Column), append(values, number+f.Value)
	}
	return strings.Join(causes, "; "), strings.Join(columns, "; "), strings.Join(values, "; "), strings.Join(hints, "; ")
}
