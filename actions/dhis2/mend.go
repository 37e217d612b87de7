package dhis2

import (
	"context"
	"slices"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
)

// missingParent tells whether a code says that an object is not there that ours belongs to. E1079 is what 2.42 and later say of an event whose
// enrollment they do not find.
func missingParent(code string) bool {
	return slices.Contains([]string{"E1068", "E1033", "E1313", "E1079", "E1123", "E4012"}, code)
}

// fix does what heals an object at once: look a person up again, take up an existing enrollment, give a deleted object a new uid, send parents that were
// thought to be there. It is true when the record is to be tried again; every fix is tried once.
func (d *delivery) hint(ctx context.Context, i *item, issue client.Issue) bool {
	how := issue.Code
	switch {
	case missingParent(issue.Code):
		how = "parents"
	case isThere(issue.Code):
		how = "there"
	}
	once := how + " " + i.key.Type
	if how == "there" && i.job.probe || i.job.recoveriesTried[once] {
		return how == "there" && i.job.repeat
	}
	i.job.recoveriesTried[once] = true
	switch issue.Code {
	case "E1064":
		return d.lookAgain(ctx, i) || !i.done && d.reserveAgain(ctx, i)
	case "E1015", "E1016":
		return d.takeUp(ctx, i)
	case "E1114", "E1113", "E1082", "E4017":
		return d.recreate(i, issue.Code)
	}
	if how == "there" {
		i.job.probe = true
		return true
	}
	return how == "parents" && d.resend(i.job)
}

// isThere tells whether a code says that an object that was to be created is there already.
func isThere(code string) bool { return code == "E1002" || code == "E1080" || code == "E1030" }

// lookAgain finds a person whom somebody created between our look-up and our write.
func (d *delivery) lookAgain(ctx context.Context, i *item) bool {
	o, ok := i.write.Object.(*trackedEntityWrite)
	if !ok || !o.person.looksUp() {
		return false
	}
	before := d.personUID(o.person)
	d.match(ctx, map[*person]*job{o.person: i.job})
	return d.personUID(o.person) != before && i.job.failed() == nil
}

// takeUp finds the enrollment that a person has in the program already.
func (d *delivery) takeUp(ctx context.Context, i *item) bool {
	o, ok := i.write.Object.(*enrollmentWrite)
	if !ok {
		return false
	}
	list, err := d.server.TrackedEntities(ctx, []string{i.uids[0]}, o.ref.program)
	if err != nil || len(list) == 0 {
		return false
	}
	before := d.enrollmentUID(o.ref)
	return d.adopt(i.job, o.ref, list[0].Enrollments) && d.enrollmentUID(o.ref) != before
}

// recreate gives a deleted object the next generation of its uid, where the rule asks for that. A uid that was deleted can never be used again.
func (d *delivery) recreate(i *item, code string) bool {
	if _, deleting := i.write.Object.(*deletion); deleting {
		return false
	}
	switch code {
	case "E1114":
		who := people(i.write.Object)
		if len(who) == 0 || !who[0].recreate || !i.job.writes(client.TypeTrackedEntity) {
			return false
		}
		id := d.identities[who[0].key]
		next := id.Generation + 1
		d.learn(i.job, actions.Identity{
			IdentityKey: who[0].key, Generation: next, Origin: originRecreated,
			UID: PersonUID(d.options.Project, who[0].key.Type, who[0].key.ExternalID, next),
		})
		return true
	case "E1113":
		ref := refOf(i.write.Object)
		if ref == nil || !ref.person.recreate || !i.job.writes(client.TypeEnrollment) {
			return false
		}
		key := d.enrollmentKey(ref)
		next := d.identities[key].Generation + 1
		d.learn(i.job, actions.Identity{IdentityKey: key, Generation: next, Origin: originRecreated, UID: ref.uid(d.personUID(ref.person), next)})
		return true
	case "E1082":
		o, ok := i.write.Object.(*eventWrite)
		if !ok || !o.recreate {
			return false
		}
		key := d.eventKey(o)
		next := d.identities[key].Generation + 1
		parent := o.parent
		if o.ref != nil {
			parent = d.enrollmentUID(o.ref)
		}
		d.learn(i.job, actions.Identity{IdentityKey: key, Generation: next, Origin: originRecreated, UID: EventUID(o.stage, parent+o.scope, o.id, next)})
		return true
	case "E4017":
		o, ok := i.write.Object.(*relationshipWrite)
		if !ok {
			return false
		}
		key := d.relationshipKey(o)
		next := d.identities[key].Generation + 1
		d.learn(i.job, actions.Identity{IdentityKey: key, Generation: next, Origin: originRecreated, UID: RelationshipUID(o.typ, d.endUID(&o.from), d.endUID(&o.to), next)})
		return true
	}
	return false
}

func refOf(o actions.Object) *enrollmentRef {
	switch o := o.(type) {
	case *enrollmentWrite:
		return o.ref
	case *eventWrite:
		return o.ref
	}
	return nil
}

// writes tells whether the record writes an object of a type.
func (j *job) writes(typ string) bool {
	return slices.ContainsFunc(j.items, func(i *item) bool {
		_, deleting := i.write.Object.(*deletion)
		return i.key.Type == typ && !deleting && !i.changesOnly()
	})
}

// resend sends parents that were thought to be on the server: somebody may have deleted them, or the server was set back to a backup.
func (d *delivery) resend(j *job) bool {
	if j.force {
		return false
	}
	skipped := slices.ContainsFunc(j.items, func(i *item) bool { return i.done && i.outcome.Status == actions.Unchanged })
	j.force = skipped
	return skipped
}
