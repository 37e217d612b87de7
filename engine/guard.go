package engine

import (
	"fmt"
	"runtime/debug"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/rules/diag"
)

// sendPlans has the target deliver. A target that breaks down must not end the run: the batch is halved until the culprit is alone, which then fails with the fault
// as its cause; what the others had sent by then is recognised or updated when they are sent again.
func (l *lane) sendPlans(plans []actions.Plan) []actions.Result {
	results, fault := l.tryPlans(plans)
	switch {
	case fault == nil:
		return results
	case len(plans) > 1:
		half := len(plans) / 2
		return append(l.sendPlans(plans[:half:half]), l.sendPlans(plans[half:])...)
	}
	ref := plans[0].Record
	l.r.log.Error("delivery broke down on a record", "server", l.name, "rule", ref.Rule, "record", ref.RecordID, "fault", fault)
	var place diag.Place
	if len(plans[0].Writes) > 0 {
		place = plans[0].Writes[0].Place
	}
	return []actions.Result{{Outcomes: []actions.Outcome{{
		Status: actions.Failed, Class: actions.ClassData, Code: "internal", Place: place,
		Cause: "Culvert itself broke down while it sent this record; the log tells more", Hint: "report the log line; replay the record once it is fixed",
	}}}}
}

// tryPlans delivers and turns a panic, or an answer for another number of records, into a fault.
func (l *lane) tryPlans(plans []actions.Plan) (results []actions.Result, fault error) {
	defer func() {
		if p := recover(); p != nil {
			fault = fmt.Errorf("%s\n%s", program.PanicText(p), debug.Stack())
		}
	}()
	results = l.server().Target.Deliver(l.r.work, plans)
	if len(results) != len(plans) {
		fault = fmt.Errorf("the target answered for %d of %d records", len(results), len(plans))
	}
	return results, fault
}
