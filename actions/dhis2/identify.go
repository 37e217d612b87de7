package dhis2

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
)

// Origins of identities.
const (
	originDerived   = "derived" // kept only where people are matched, so that it can be told who they are
	originMatched   = "matched"
	originRecreated = "recreated"
)

// resolve finds out who everybody is: what the journal keeps, then people that are in DHIS2 already.
func (d *delivery) resolve(ctx context.Context) error {
	var keys []actions.IdentityKey
	for _, j := range d.jobs {
		for _, i := range j.items {
			for _, p := range people(i.write.Object) {
				keys = append(keys, p.key)
			}
		}
	}
	if err := d.remember(ctx, keys); err != nil {
		return err
	}
	var strangers []string
	for _, j := range d.jobs {
		d.eachStranger(j, func(p *person) { strangers = append(strangers, digestName(client.TypeTrackedEntity, p.uid)) })
	}
	if err := d.recall(ctx, strangers); err != nil {
		return err
	}
	wanted := map[*person]*job{}
	for _, j := range d.jobs {
		d.eachStranger(j, func(p *person) {
			if !d.delivered(digestName(client.TypeTrackedEntity, p.uid)) {
				wanted[p] = j
			}
		})
	}
	d.match(ctx, wanted)
	return nil
}

// eachStranger calls do for the people of a record who may be in DHIS2 under another uid.
func (d *delivery) eachStranger(j *job, do func(*person)) {
	for _, i := range j.items {
		for _, p := range people(i.write.Object) {
			if _, known := d.identities[p.key]; !known && p.looksUp() {
				do(p)
			}
		}
	}
}

// question is one attribute by which people are looked up together.
type question struct{ typ, program, attribute string }

// match looks people up by their unique attributes, in bulk. Records whose people cannot be told are settled.
func (d *delivery) match(ctx context.Context, wanted map[*person]*job) {
	hits, failures := d.ask(ctx, wanted, false, func(p *person) []match { return p.match })
	if err := d.whose(ctx, hits); err != nil {
		for _, j := range wanted {
			d.failAll([]*job{j}, retryLater("the journal could not be read", err))
		}
		return
	}
	unknown := map[*person]*job{}
	for _, p := range inOrder(d.jobs, wanted) {
		if d.decide(p, wanted[p], hits, failures) {
			unknown[p] = wanted[p]
		}
	}
	d.weigh(ctx, unknown)
}

// ask looks up everybody who has one of the values by which the people are known.
func (d *delivery) ask(ctx context.Context, wanted map[*person]*job, anyCase bool, by func(*person) []match) (map[question]map[string][]client.Found, map[question]error) {
	values := map[question][]string{}
	for p := range wanted {
		for _, m := range by(p) {
			q := question{p.typ, m.program, m.attribute}
			values[q] = append(values[q], m.value)
		}
	}
	hits := map[question]map[string][]client.Found{}
	failures := map[question]error{}
	for q, list := range values {
		query := client.FindQuery{Attribute: q.attribute, Values: list, Program: q.program, AnyCase: anyCase}
		if q.program == "" {
			query.TrackedEntityType = q.typ
		}
		found, err := d.server.FindTrackedEntities(ctx, query)
		if err != nil {
			failures[q] = err
		}
		hits[q] = map[string][]client.Found{}
		for _, f := range found {
			hits[q][f.Value] = append(hits[q][f.Value], f)
		}
	}
	return hits, failures
}

// failureOf is why nobody could be looked for by a value: the look-up failed, or the server refuses this one value.
func failureOf(err error, value string) error {
	some, ok := errors.AsType[*client.UnreadError](err)
	if !ok {
		return err
	}
	if failed := some.Failed[value]; failed != nil {
		return failed
	}
	return nil
}

// decide says who a person is, after the look-up. It is true when nobody was found.
func (d *delivery) decide(p *person, j *job, hits map[question]map[string][]client.Found, failures map[question]error) bool {
	uids := map[string]string{} // uid -> attribute by which it was found
	for _, m := range p.match {
		q := question{p.typ, m.program, m.attribute}
		if err := failureOf(failures[q], m.value); err != nil {
			d.failAll([]*job{j}, d.lookupFailed(m, err))
			return false
		}
		for _, f := range hits[q][m.value] {
			uids[f.TrackedEntity] = m.name
			d.found[f.TrackedEntity] = f
		}
	}
	switch len(uids) {
	case 0:
		return true
	case 1:
		for uid := range uids {
			d.take(p, j, uid)
		}
		return false
	}
	d.failAll([]*job{j}, d.severalPeople(slices.Sorted(maps.Keys(uids))))
	return false
}

// lookupFailed is the outcome of a record whose person could not be looked up. Only a refusal of the question itself, as of an attribute that
// cannot be searched, stays; an error inside the server passes.
func (d *delivery) lookupFailed(m match, err error) actions.Outcome {
	o := wholeFailure(err)
	e, ok := errors.AsType[*client.Error](err)
	// DHIS2 2.42 answers 409 to a search by what is not searchable, which no later try changes.
	never := ok && e.Kind == client.Refused && strings.Contains(e.Message+e.Detail, "Non-searchable")
	if !never && (!ok || o.Status != actions.Failed || e.Kind != client.Refused || e.Request) {
		return o
	}
	o.Status, o.Class, o.Code = actions.Failed, actions.ClassMetadata, "lookup-refused"
	o.Cause = fmt.Sprintf("DHIS2 refuses to look people up by %q: %s", m.name, e.Message)
	o.Hint = "make the attribute searchable in DHIS2 and give the user a search org unit that covers the people, then replay the record"
	return o
}

// reuse takes up the enrollments that matched people have in a program already, active ones first.
func (d *delivery) reuse(j *job, r *enrollmentRef) {
	person, ok := d.found[d.personUID(r.person)]
	if !ok || r.again != "" {
		return
	}
	d.adopt(j, r, person.Enrollments)
}

// adopt makes an existing enrollment the one that the rule means; false when there is none to take.
func (d *delivery) adopt(j *job, r *enrollmentRef, list []client.Enrollment) bool {
	key := d.enrollmentKey(r)
	var best *client.Enrollment
	for n := range list {
		e := &list[n]
		if e.Program != r.program || e.Status != "ACTIVE" && !r.once {
			continue
		}
		if best == nil || e.Status == "ACTIVE" && best.Status != "ACTIVE" || e.Status == best.Status && e.EnrolledAt > best.EnrolledAt {
			best = e
		}
	}
	if best == nil {
		return false
	}
	if id, known := d.identities[key]; best.Enrollment != key.ExternalID && !(known && id.UID == best.Enrollment) {
		d.learn(j, actions.Identity{IdentityKey: key, UID: best.Enrollment, Generation: id.Generation, Origin: originMatched})
	}
	return true
}

// assign gives every write of the records the uids that it has now, and finds what would change nothing.
func (d *delivery) assign(ctx context.Context, jobs []*job) error {
	var enrollments, events []actions.IdentityKey
	eachRef(jobs, func(_ *job, r *enrollmentRef) { enrollments = append(enrollments, d.enrollmentKey(r)) }, nil)
	if err := d.remember(ctx, enrollments); err != nil {
		return err
	}
	eachRef(jobs, func(j *job, r *enrollmentRef) {
		if _, known := d.identities[d.enrollmentKey(r)]; !known {
			d.reuse(j, r)
		}
	}, func(e *eventWrite) { events = append(events, d.eventKey(e)) })
	if err := d.remember(ctx, events); err != nil {
		return err
	}
	var names []string
	for _, j := range jobs {
		for _, i := range j.items {
			d.label(i)
			names = append(names, i.guards()...)
		}
	}
	if err := d.recall(ctx, names); err != nil {
		return err
	}
	for _, j := range jobs {
		for _, i := range j.items {
			i.known = d.digests[i.name].Sum != 0 || d.adopted(i)
		}
	}
	d.settleUnchanged(ctx, jobs)
	return nil
}

// label gives an item its key, the name of its digest and the uids that it refers to.
func (d *delivery) label(i *item) {
	i.write.Object = i.whole
	before := i.key
	i.uids = i.uids[:0]
	switch o := i.write.Object.(type) {
	case *trackedEntityWrite:
		i.key = client.ObjectKey{Type: client.TypeTrackedEntity, UID: d.personUID(o.person)}
	case *enrollmentWrite:
		i.key = client.ObjectKey{Type: client.TypeEnrollment, UID: d.enrollmentUID(o.ref)}
		i.uids = append(i.uids, d.personUID(o.ref.person))
	case *eventWrite:
		i.key = client.ObjectKey{Type: client.TypeEvent, UID: d.eventUID(o)}
		if o.ref != nil {
			i.uids = append(i.uids, d.enrollmentUID(o.ref))
		}
	case *statusWrite:
		if i.key = (client.ObjectKey{Type: client.TypeEnrollment}); o.event != nil {
			i.key = client.ObjectKey{Type: client.TypeEvent, UID: d.eventUID(o.event)}
		} else {
			i.key.UID = d.enrollmentUID(o.ref)
		}
		i.name = statusName(i.key)
	case *relationshipWrite:
		i.key = client.ObjectKey{Type: client.TypeRelationship, UID: d.relationshipUID(o)}
		i.uids = append(i.uids, d.endUID(&o.from), d.endUID(&o.to))
	case *deletion:
		i.key = d.deletionKey(o)
	case *dataValueWrite:
		if i.name = "DATA_VALUE:" + o.cell.String(); o.share != nil {
			i.name = "SHARE:" + o.share.contributor
		}
	case *completionWrite:
		x := o.completion
		i.name = strings.Join([]string{"COMPLETION:" + x.DataSet, x.Period, x.OrgUnit, x.AttributeOptionCombo}, ".")
	}
	switch i.write.Object.(type) {
	case *trackedEntityWrite, *enrollmentWrite, *eventWrite, *relationshipWrite, *deletion:
		i.name = digestName(i.key.Type, i.key.UID)
	}
	i.sum = sumOf(i.write.Object, i.uids)
	if i.done && i.key != before {
		i.done, i.kept, i.outcome = false, false, actions.Outcome{}
	}
}

func (d *delivery) deletionKey(o *deletion) client.ObjectKey {
	switch {
	case o.relationship != nil:
		return client.ObjectKey{Type: client.TypeRelationship, UID: d.relationshipUID(o.relationship)}
	case o.target.event != nil:
		return client.ObjectKey{Type: client.TypeEvent, UID: d.eventUID(o.target.event)}
	case o.target.enrollment != nil:
		return client.ObjectKey{Type: client.TypeEnrollment, UID: d.enrollmentUID(o.target.enrollment)}
	}
	return client.ObjectKey{Type: client.TypeTrackedEntity, UID: d.personUID(o.target.person)}
}

func digestName(typ, uid string) string { return typ + ":" + uid }

// same tells whether an item would change nothing.
func (d *delivery) same(i *item) bool {
	if i.done || i.name == "" || d.rehearse || i.job.force {
		return false
	}
	switch o := i.whole.(type) {
	case *statusWrite:
		return false // somebody may have changed it in DHIS2 since; it is read before it is written
	case *dataValueWrite:
		if o.share != nil {
			return false // what it gives is known where tallies are kept
		}
	}
	before := d.digests[i.name]
	return before.Sum != 0 && before.Sum == i.sum
}

// settleUnchanged settles items that would change nothing, but for those whose object somebody else may be changing now: they wait for their round.
func (d *delivery) settleUnchanged(ctx context.Context, jobs []*job) {
	writers := map[string]int{}
	for _, j := range jobs {
		for _, i := range j.items {
			writers[i.name]++
		}
	}
	for _, j := range jobs {
		for _, i := range j.items {
			if !d.same(i) || writers[i.name] > 1 || !d.traffic.tryAcquire(i.name) {
				continue
			}
			names := []string{i.name}
			d.traffic.latest(names, d.digests)
			if d.same(i) {
				i.finish(actions.Outcome{Status: actions.Unchanged})
				d.keep(ctx, i)
			}
			d.traffic.release(names)
		}
	}
}

// adopted tells whether an object was made by somebody else.
func (d *delivery) adopted(i *item) bool {
	switch o := i.write.Object.(type) {
	case *trackedEntityWrite:
		return i.key.UID != o.person.uid && d.identities[o.person.key].Origin != originRecreated
	case *enrollmentWrite:
		id, ok := d.identities[d.enrollmentKey(o.ref)]
		return ok && id.Origin != originRecreated
	}
	return false
}
