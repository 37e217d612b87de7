package intake

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/rules/diag"
)

// withdraw makes the records that take back what an earlier version of another record wrote under
// its own id: one for each place that its rule, or one that shares its ids, has written to.
func (in *Intake) withdraw(ctx context.Context, p *program.Program, s splitRecord) (list []*journal.Record, err error) {
	for _, name := range slices.Sorted(maps.Keys(p.Rules)) {
		flow := p.Rules[name]
		if flow.Rule == nil || flow.Rule.Records() != s.namespace {
			continue
		}
		found, err := in.Journal.Select(ctx, journal.Filter{Rule: flow.Name(), ID: s.id, NewestOne: true, Limit: 1,
			WithBody: true})
		if err != nil {
			return nil, fmt.Errorf("look up an earlier version: %w", err)
		}
		if len(found) == 0 {
			continue
		}
		if rec := in.withdrawal(flow, found[0], s); rec != nil {
			list = append(list, rec)
		}
	}
	return list, nil
}

// withdrawal is the record that takes back what another one wrote; nil where that wrote nothing.
func (in *Intake) withdrawal(flow *program.Flow, of *journal.Record, s splitRecord) *journal.Record {
	if of.Origin.Withdrawn || of.State == journal.Skipped || of.State == journal.Dismissed {
		return nil
	}
	rec := &journal.Record{
		Rule: of.Rule, ID: of.ID, Key: of.Key, Origin: of.Origin, Received: in.Now(), State: journal.Pending,
		Version: of.Version, Body: of.Body, Content: ^of.Content,
	}
	rec.Origin.Withdrawn, rec.Origin.FileID, rec.Origin.DataRow = true, "", 0
	switch paused := in.Gate.Controls().PausedRule(flow.Rule.Name); {
	case len(of.Body) == 0:
		rec.State, rec.Settled, rec.Problem = journal.Failed, in.Now(), splitForGood(of, s)
	case flow.Invalid != nil:
		rec.State, rec.Problem = journal.Held, flow.Invalid
	case flow.Rule.Delivery.Disabled:
		rec.State, rec.Problem = journal.Held, program.DisabledRule(flow.Rule.Name)
	case paused != nil:
		rec.State, rec.Problem = journal.Held, paused
	}
	in.Log.Warn("an edit says that a record is an earlier version of another: what it wrote under its own id is taken back",
		"rule", of.Rule, "record", of.ID, "version_of", s.into)
	return rec
}

// splitForGood is what is wrong with a record that is an earlier version of another when its payload,
// which says what it wrote, is erased.
func splitForGood(of *journal.Record, s splitRecord) *journal.Problem {
	hint := "compare the two in DHIS2, delete what this record wrote there, and dismiss it"
	if len(of.Objects) > 0 {
		hint = "compare the two in DHIS2, delete " + strings.Join(of.Objects, ", ") + " there, and dismiss this record"
	}
	return &journal.Problem{Class: actions.ClassConflict, Objects: of.Objects, Problem: diag.Problem{
		Code: "split-submission", Message: "this record is an earlier version of the record " + s.into +
			", as an edit says that came after both, and its payload is erased: what it wrote cannot be taken back",
		Hint: hint,
	}}
}
