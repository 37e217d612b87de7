package deliver

import (
	"context"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/rules/diag"
)

// delivery is one batch on its way.
type delivery struct {
	*target
	x         *metadata.Index
	rehearse  bool
	jobs      []*job
	book      *identity.Book // who is who
	digests   map[string]actions.Digest
	rehearsed map[client.ObjectKey]bool
	held      object.Held // what the server holds of the objects of this wave
	refusals  refusals
	writtenBy map[client.ObjectKey]*item // whose outcome explains those of its children
	locked    map[string]bool            // held against other runners
	fetching  fetching
	letInto   map[client.TemporaryAccess]bool // of protected programs
}

// job is one record's writes.
type job struct {
	plan            *actions.Plan
	items           []*item
	learned         []actions.Identity
	force           bool             // send also what would change nothing
	requeue         bool             // try once more at once
	probe           bool             // ask the server what of it is there
	fileGeneration  int              // of the uids of its files: goes up when DHIS2 has one for something else
	digests         []actions.Digest // of what was written or found unchanged
	totals          []actions.Digest // aggregates that were sent in the record's name
	locks           []string         // held against other runners in the record's name
	recoveriesTried map[string]bool  // what was tried already, so that nothing is tried for ever
}

// item is one write of a record.
type item struct {
	job      *job
	place    diag.Place       // of the action in the rule
	object   object.Write     // what is sent: all that the record asks for, or what nothing newer has set
	whole    object.Write     // all that the record asks for
	left     int64            // the place of what is newer, when a part is not sent
	kept     bool             // its digest is noted
	key      client.ObjectKey // of a tracker object
	name     string           // under which its digest is kept
	sum      uint64
	parents  []string          // uids of the objects that it belongs to or links
	named    []string          // uids of the people whom its values name
	known    bool              // it is on the server as far as we know
	uploaded map[string]string // uids of the files that were uploaded for it, by attribute or data element
	done     bool
	outcome  actions.Outcome
}

func newDelivery(t *target, plans []actions.Plan, rehearse bool) *delivery {
	d := &delivery{
		target: t, x: t.index(), rehearse: rehearse, digests: map[string]actions.Digest{},
		rehearsed: map[client.ObjectKey]bool{}, writtenBy: map[client.ObjectKey]*item{},
		locked: map[string]bool{}, letInto: map[client.TemporaryAccess]bool{},
	}
	d.book = identity.NewBook(t.server, t.memory, d, d, &t.claims, identity.Options{
		Project: t.options.Project, Address: t.options.Address, Now: t.options.Now, Rehearse: rehearse,
	})
	for n := range plans {
		j := &job{plan: &plans[n], force: plans[n].Force, recoveriesTried: map[string]bool{}}
		for _, w := range plans[n].Writes {
			o := w.Object.(object.Write)
			j.items = append(j.items, &item{job: j, place: w.Place, object: o, whole: o})
			for _, p := range o.Refs().People {
				d.book.Mention(p, j)
			}
		}
		d.jobs = append(d.jobs, j)
	}
	return d
}

// finish settles an item.
func (i *item) finish(o actions.Outcome) {
	if o.Place.File == "" {
		o.Place = i.place
	}
	if o.ObjectID == "" {
		o.ObjectID = i.objectID()
	}
	i.outcome, i.done = o, true
}

func (i *item) objectID() string {
	if i.key.UID != "" {
		return i.key.UID
	}
	if w, ok := i.object.(*object.DataValue); ok {
		return w.Cell.String()
	}
	return ""
}

// succeeded tells whether the item is on the server in the form asked for, or in a newer one.
func (i *item) succeeded() bool {
	switch i.outcome.Status {
	case actions.Delivered, actions.Unchanged, actions.Superseded:
		return i.done
	}
	return false
}

// Settled tells whether nothing more is to be done for the record.
func (j *job) Settled() bool {
	for _, i := range j.items {
		if !i.done {
			return false
		}
	}
	return true
}

// Fail settles what is left of a record.
func (j *job) Fail(o actions.Outcome) {
	for _, i := range j.items {
		if !i.done {
			i.finish(o)
		}
	}
}

// Learn keeps an identity for the journal.
func (j *job) Learn(id actions.Identity) { j.learned = append(j.learned, id) }

// failed gives the item that stopped the record; nil when none did.
func (j *job) failed() *item {
	for _, i := range j.items {
		if i.done && !i.succeeded() {
			return i
		}
	}
	return nil
}

// stop settles what is left of a record after one of its writes failed.
func (j *job) stop() {
	if cause := j.failed(); cause != nil {
		j.Fail(notTried(cause))
	}
}

func notTried(cause *item) actions.Outcome {
	return actions.Outcome{
		Status: actions.NotTried, Class: cause.outcome.Class, Problem: diag.Problem{Code: cause.outcome.Code,
			Message: "not written, because " + cause.object.Label() + " was not: " + cause.outcome.Message,
			Hint:    cause.outcome.Hint},
	}
}

func failAll(jobs []*job, o actions.Outcome) {
	for _, j := range jobs {
		j.Fail(o)
	}
}

// unsettled gives the jobs with something left to do.
func unsettled(jobs []*job) []*job {
	var open []*job
	for _, j := range jobs {
		if !j.Settled() {
			open = append(open, j)
		}
	}
	return open
}

// requeued gives the jobs that are to be tried once more, their failures forgotten.
func requeued(jobs []*job) []*job {
	var list []*job
	for _, j := range jobs {
		if !j.requeue {
			continue
		}
		j.requeue = false
		for _, i := range j.items {
			if !i.succeeded() || j.force && i.outcome.Status == actions.Unchanged {
				i.done, i.outcome = false, actions.Outcome{}
			}
		}
		if !j.Settled() {
			list = append(list, j)
		}
	}
	return list
}

// Recall asks the journal for digests that are not known yet.
func (d *delivery) Recall(ctx context.Context, names []string) error {
	var ask []string
	seen := map[string]bool{}
	for _, n := range names {
		if _, known := d.digests[n]; n != "" && !known && !seen[n] {
			seen[n] = true
			ask = append(ask, n)
		}
	}
	if len(ask) == 0 {
		return nil
	}
	found, err := d.memory.Digests(ctx, ask)
	if err != nil {
		return err
	}
	for n, digest := range found {
		d.digests[n] = digest
	}
	d.traffic.latest(ask, d.digests)
	return nil
}

// Delivered tells whether an object was delivered earlier.
func (d *delivery) Delivered(name string) bool { return d.digests[name].Sum != 0 }

// results gives what became of the batch.
func (d *delivery) results() []actions.Result {
	results := make([]actions.Result, len(d.jobs))
	for n, j := range d.jobs {
		r := actions.Result{Outcomes: make([]actions.Outcome, len(j.items))}
		for k, i := range j.items {
			if !i.done {
				i.finish(actions.Outcome{
					Status: actions.Retry, Class: actions.ClassTransient, Problem: diag.Problem{Code: "not-confirmed",
						Message: i.object.Label() + " could not be settled in this batch",
						Hint:    "it is tried again by itself"},
				})
			}
			r.Outcomes[k] = i.outcome
		}
		if !d.rehearse {
			r.Identities = append(j.learned, d.created(j)...)
			r.Digests = append(j.digests, j.totals...)
			r.Locks = j.locks
		}
		results[n] = r
	}
	return results
}

// created gives the identities of people whom the record has created, as far as they are to be kept.
func (d *delivery) created(j *job) []actions.Identity {
	var list []actions.Identity
	for _, i := range j.items {
		o, ok := i.object.(*object.TrackedEntity)
		if !ok || i.outcome.Status != actions.Delivered {
			continue
		}
		if id, keep := d.book.Created(o.Person); keep {
			list = append(list, id)
		}
	}
	return list
}
