package deliver

import (
	"context"
	"slices"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/object"
)

// missingParent tells whether a code says that an object is not there that ours belongs to. E1079
// is what 2.42 and later say of an event whose enrollment they do not find.
func missingParent(code string) bool {
	return slices.Contains([]string{"E1068", "E1033", "E1313", "E1079", "E1123", "E4012"}, code)
}

// isThere tells whether a code says that an object that was to be created is there already.
func isThere(code string) bool { return code == "E1002" || code == "E1080" || code == "E1030" }

// recover does what heals an object at once: look a person up again, adopt an existing enrollment,
// give a deleted object a new uid, send parents that were thought to be there. It is true when the
// record is to be tried again; every recovery is tried once.
func (d *delivery) recover(ctx context.Context, i *item, issue client.Issue) bool {
	how := issue.Code
	switch {
	case missingParent(issue.Code):
		how = "parents"
	case isThere(issue.Code):
		how = "there"
	}
	once := how + " " + i.key.Type
	if how == "there" && i.job.probe || i.job.recoveriesTried[once] {
		return how == "there" && i.job.requeue
	}
	i.job.recoveriesTried[once] = true
	switch issue.Code {
	case "E1064":
		return d.rematch(ctx, i) || !i.done && d.reserveAgain(ctx, i)
	case "E1102":
		return d.letIn(ctx, i)
	case "E1009":
		return d.renewFiles(i)
	case "E1015", "E1016":
		o, ok := i.object.(*object.Enrollment)
		return ok && d.book.AdoptEnrollment(ctx, o.Ref, i.job)
	case "E1114", "E1113", "E1082", "E4017":
		o, ok := i.object.(object.Recoverable)
		return ok && o.Regenerate(issue.Code, generations{d.book, i.job}, i.job.writes)
	}
	if how == "there" {
		i.job.probe = true
		return true
	}
	return how == "parents" && i.job.resend()
}

// renewFiles gives the files of a record new uids: DHIS2 has one of theirs for something that is
// gone by now, and gives none away twice.
func (d *delivery) renewFiles(i *item) bool {
	if len(i.uploaded) == 0 {
		return false
	}
	i.job.fileGeneration++
	return true
}

// rematch finds a person whom somebody created between our look-up and our write.
func (d *delivery) rematch(ctx context.Context, i *item) bool {
	o, ok := i.object.(*object.TrackedEntity)
	if !ok || !o.Person.LooksUp() {
		return false
	}
	return d.book.Rematch(ctx, o.Person, i.job) && i.job.failed() == nil
}

// generations gives what a record writes new uids.
type generations struct {
	book *identity.Book
	job  *job
}

func (g generations) Person(p *identity.Person)         { g.book.RegeneratePerson(p, g.job) }
func (g generations) Enrollment(e *identity.Enrollment) { g.book.RegenerateEnrollment(e, g.job) }
func (g generations) Event(e *identity.Event)           { g.book.RegenerateEvent(e, g.job) }
func (g generations) Relationship(typ string, from, to *identity.Endpoint) {
	g.book.RegenerateRelationship(typ, from, to, g.job)
}

// writes tells whether the record writes an object of a type.
func (j *job) writes(typ string) bool {
	return slices.ContainsFunc(j.items, func(i *item) bool {
		mode := i.object.Mode()
		return i.key.Type == typ && mode != object.Remove && mode != object.Change
	})
}

// resend sends parents that were thought to be on the server: somebody may have deleted them, or
// the server was set back to a backup.
func (j *job) resend() bool {
	if j.force {
		return false
	}
	j.force = slices.ContainsFunc(j.items, func(i *item) bool { return i.done && i.outcome.Status == actions.Unchanged })
	return j.force
}
