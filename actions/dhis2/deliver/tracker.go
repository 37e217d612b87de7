package deliver

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/codes"
	"github.com/culvert/culvert/rules/diag"
)

// importTracker sends the writes of many records, in requests of so many records as are allowed at most.
func (d *delivery) importTracker(ctx context.Context, items []*item, o client.TrackerOptions) {
	for len(items) > 0 {
		n := firstRecords(items, d.options.MaxRecords)
		d.importTogether(ctx, items[:n], o)
		items = items[n:]
	}
}

// firstRecords is how many items belong to the first so many records.
func firstRecords(items []*item, most int) int {
	records := 0
	for n, i := range items {
		if n > 0 && i.job == items[n-1].job {
			continue
		}
		if records == most {
			return n
		}
		records++
	}
	return len(items)
}

// importTogether sends one request for the writes of many records. A request that is refused as a
// whole is halved by record until the culprit is alone: k bad records among n cost about k times
// log n requests.
func (d *delivery) importTogether(ctx context.Context, items []*item, o client.TrackerOptions) {
	if e := d.refusals.general; e != nil {
		finishAll(items, waitsForRequest(e))
		return
	}
	report, err := d.server.ImportTracker(ctx, d.payload(items), o)
	if refused(report, err) {
		if left, right := halves(items); right != nil {
			d.importTogether(ctx, left, o)
			d.importTogether(ctx, right, o)
			return
		}
	}
	if err != nil {
		outcome := codes.OfRequest(err)
		d.log.Debug("tracker import failed as a whole", "objects", len(items), "code", outcome.Code, "class",
			string(outcome.Class))
		finishAll(items, outcome)
		d.refusals.refusedAlone(items, err)
		return
	}
	d.refusals.taken = true
	for _, i := range items {
		d.writtenBy[i.key] = i
	}
	for _, i := range items {
		d.judge(ctx, i, report, o)
	}
}

// refused tells whether nothing of a request was written for the sake of some part of it.
func refused(report *client.TrackerReport, err error) bool {
	var e *client.Error
	if errors.As(err, &e) {
		return e.Kind == client.Refused
	}
	return err == nil && report.Refused
}

// halves cuts a list between two records; right is nil when there is one record only.
func halves(items []*item) (left, right []*item) {
	cut := len(items) / 2
	for cut < len(items) && cut > 0 && items[cut].job == items[cut-1].job {
		cut++
	}
	if cut == len(items) {
		for cut = len(items) / 2; cut > 0 && items[cut].job == items[cut-1].job; cut-- {
		}
	}
	if cut <= 0 || cut >= len(items) {
		return items, nil
	}
	return items[:cut], items[cut:]
}

// judge reads what the reply says of one object.
func (d *delivery) judge(ctx context.Context, i *item, report *client.TrackerReport, o client.TrackerOptions) {
	issues := report.Errors[i.key]
	switch {
	case len(issues) == 0 && (report.Written[i.key] || o.Rehearse):
		d.rehearsed[i.key] = o.Rehearse
		var warnings []string
		for _, w := range report.Warnings[i.key] {
			warnings = append(warnings, w.Code+": "+w.Message)
		}
		i.finish(actions.Outcome{Status: actions.Delivered, Warnings: warnings})
	case len(issues) == 0:
		i.finish(actions.Outcome{
			Status: actions.Retry, Class: actions.ClassTransient, Problem: diag.Problem{Code: "not-confirmed",
				Message: i.object.Label() + ": DHIS2 did not confirm that it was written",
				Hint:    "it is tried again by itself"},
		})
	case o.Delete && gone(issues):
		i.finish(actions.Outcome{Status: actions.Delivered, Problem: diag.Problem{Code: issues[0].Code},
			Warnings: []string{"it was not there any more"}})
	case allOf(issues, "E4018"):
		i.finish(actions.Outcome{Status: actions.Delivered, Problem: diag.Problem{Code: "E4018"},
			Warnings: []string{"the two are linked already"}})
	default:
		d.refuse(ctx, i, issues)
	}
}

func allOf(issues []client.Issue, codes ...string) bool {
	for _, issue := range issues {
		ok := false
		for _, c := range codes {
			ok = ok || issue.Code == c
		}
		if !ok {
			return false
		}
	}
	return true
}

// gone tells whether what is to be deleted is not there.
func gone(issues []client.Issue) bool {
	return allOf(issues, "E1063", "E1081", "E1032", "E4016", "E1114", "E1113", "E1082", "E4017")
}

// refuse settles an object that DHIS2 did not take, or recovers from the cause so that the record
// is tried again at once.
func (d *delivery) refuse(ctx context.Context, i *item, issues []client.Issue) {
	issue := weightiest(issues)
	if issue.Code == "E5000" {
		i.finish(d.orphan(i, issue))
		return
	}
	if d.recover(ctx, i, issue) {
		i.job.requeue = true
	}
	if i.done {
		return // looking the person up again has told more than DHIS2 did
	}
	i.finish(d.explain(i, issue))
}

// weightiest picks the issue that explains the others. DHIS2 reports them as a set, in no order:
// the choice must not depend on one.
func weightiest(issues []client.Issue) client.Issue {
	return slices.MinFunc(issues, func(a, b client.Issue) int {
		return cmp.Or(cmp.Compare(explains(a.Code), explains(b.Code)), strings.Compare(a.Code, b.Code),
			strings.Compare(a.Message, b.Message))
	})
}

// explains ranks a code by how much it explains: a wrong value most, a parent that is not there
// next. That an event's program is not its enrollment's (E1079) is said beside it of an enrollment
// that is not there, and E5000 only that something else failed.
func explains(code string) int {
	switch {
	case code == "E5000":
		return 3
	case code == "E1079":
		return 2
	case missingParent(code):
		return 1
	}
	return 0
}

// orphan explains a child by what its parent lacked.
func (d *delivery) orphan(i *item, issue client.Issue) actions.Outcome {
	uids := append(append([]string{}, i.parents...), issue.Args...)
	for _, uid := range uids {
		for _, typ := range []string{client.TypeTrackedEntity, client.TypeEnrollment, client.TypeEvent} {
			if parent := d.writtenBy[client.ObjectKey{Type: typ, UID: uid}]; parent != nil && parent != i && parent.done &&
				!parent.succeeded() {
				return notTried(parent)
			}
		}
	}
	if parent := i.job.failed(); parent != nil {
		return notTried(parent)
	}
	o := d.explain(i, issue)
	o.Status, o.Class = actions.Retry, actions.ClassParent
	return o
}
