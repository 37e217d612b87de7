package deliver

import (
	"context"
	"errors"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/codes"
)

// letIn has Culvert's user let into a person's data of a protected program, where the rule gives a
// reason for that. It is true when the record is to be tried again: once. Nobody is let in before
// DHIS2 has refused something.
func (d *delivery) letIn(ctx context.Context, i *item) bool {
	const once = "temporary access"
	enrollments := i.object.Refs().Enrollments
	if len(enrollments) == 0 || enrollments[0].Reason == "" || d.rehearse || i.job.recoveriesTried[once] {
		return false
	}
	i.job.recoveriesTried[once] = true
	e := enrollments[0]
	x := client.TemporaryAccess{TrackedEntity: d.book.PersonUID(e.Person), Program: e.Program, Reason: e.Reason}
	if d.letInto[x] {
		return true
	}
	err := d.server.LetIn(ctx, x)
	if errors.Is(err, client.ErrAbsent) {
		return false // what DHIS2 said of the object says more
	}
	if err != nil {
		o := codes.OfRequest(err)
		o.Message = i.object.Label() + ": temporary access was asked for, with the rule's reason: " + o.Message
		i.finish(o)
		return false
	}
	d.letInto[x] = true
	d.log.InfoContext(ctx, "temporary access to a person of a protected program was taken, as the rule says", "rule",
		i.job.plan.Record.Rule, "record", i.job.plan.Record.RecordID, "program", e.Program)
	return true
}

// shutOut settles an item whose object cannot be read, or lets Culvert's user in and tries again.
func (d *delivery) shutOut(ctx context.Context, i *item, o actions.Outcome) {
	i.job.requeue = d.letIn(ctx, i) || i.job.requeue
	if !i.done {
		i.finish(o)
	}
}
