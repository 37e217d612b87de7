package dhis2

import (
	"context"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/metadata"
)

// delivery is one batch on its way.
type delivery struct {
	*target
	x          *metadata.Index
	rehearse   bool
	jobs       []*job
	identities map[actions.IdentityKey]actions.Identity
	digests    map[string]actions.Digest
	unmatched  []*person                        // of this batch, whom DHIS2 does not know by what is weighed
	holders    map[string][]actions.IdentityKey // external ids that stand for people that were found, by uid
	found      map[string]client.Found          // matched people, by uid
	rehearsed  map[client.ObjectKey]bool
	current    current // what the server holds of the objects of this round
	refusals   refusals
	writtenBy  map[client.ObjectKey]*item // whose outcome explains those of its children
}

// job is one record's writes.
type job struct {
	plan            *actions.Plan
	items           []*item
	learned         []actions.Identity
	force           bool             // send also what would change nothing
	repeat          bool             // try once more at once
	probe           bool             // ask the server what of it is there
	digests         []actions.Digest // of what was written or found unchanged
	totals          []actions.Digest // aggregates that were sent in the record's name
	recoveriesTried map[string]bool  // what was tried already, so that nothing is tried for ever
}

// item is one write of a record.
type item struct {
	job     *job
	place   int              // in the record
	write   actions.Write    // its object is what is sent: all that the record asks for, or what nothing newer has set
	whole   actions.Object   // all that the record asks for
	left    int64            // the place of what is newer, when a part is not sent
	kept    bool             // its digest is noted
	key     client.ObjectKey // of a tracker object
	name    string           // under which its digest is kept
	sum     uint64
	uids    []string // of the objects it refers to: parents, or the ends of a relationship
	known   bool     // it is on the server as far as we know
	done    bool
	outcome actions.Outcome
}

func newDelivery(t *target, plans []actions.Plan, rehearse bool) *delivery {
	d := &delivery{
		target: t, x: t.index(), rehearse: rehearse,
		identities: map[actions.IdentityKey]actions.Identity{}, digests: map[string]actions.Digest{}, holders: map[string][]actions.IdentityKey{},
		found: map[string]client.Found{}, rehearsed: map[client.ObjectKey]bool{}, writtenBy: map[client.ObjectKey]*item{},
	}
	for i := range plans {
		j := &job{plan: &plans[i], force: plans[i].Force, recoveriesTried: map[string]bool{}}
		for place, w := range plans[i].Writes {
			j.items = append(j.items, &item{job: j, place: place, write: w, whole: w.Object})
		}
		d.jobs = append(d.jobs, j)
	}
	return d
}

// finish settles an item.
func (i *item) finish(o actions.Outcome) {
	if o.Place.File == "" {
		o.Place = i.write.Place
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
	if w, ok := i.write.Object.(*dataValueWrite); ok {
		return w.cell.String()
	}
	return ""
}

// good tells whether the item is on the server in the form asked for, or in a newer one.
func (i *item) good() bool {
	switch i.outcome.Status {
	case actions.Delivered, actions.Unchanged, actions.Superseded:
		return i.done
	}
	return false
}

// settled tells whether nothing more is to be done for the record.
func (j *job) settled() bool {
	for _, i := range j.items {
		if !i.done {
			return false
		}
	}
	return true
}

// failed gives the item that stopped the record; nil when none did.
func (j *job) failed() *item {
	for _, i := range j.items {
		if i.done && !i.good() {
			return i
		}
	}
	return nil
}

// stop settles what is left of a record after one of its writes failed.
func (j *job) stop() {
	cause := j.failed()
	if cause == nil {
		return
	}
	for _, i := range j.items {
		if !i.done {
			i.finish(notTried(cause))
		}
	}
}

func notTried(cause *item) actions.Outcome {
	return actions.Outcome{
		Status: actions.NotTried, Class: cause.outcome.Class, Code: cause.outcome.Code,
		Cause: "not written, because " + cause.write.Object.Label() + " was not: " + cause.outcome.Cause, Hint: cause.outcome.Hint,
	}
}

func (d *delivery) failAll(jobs []*job, o actions.Outcome) {
	for _, j := range jobs {
		for _, i := range j.items {
			if !i.done {
				i.finish(o)
			}
		}
	}
}

// open gives the jobs with something left to do.
func (d *delivery) open(jobs []*job) []*job {
	var open []*job
	for _, j := range jobs {
		if !j.settled() {
			open = append(open, j)
		}
	}
	return open
}

// again gives the jobs that are to be tried once more, their failures forgotten.
func (d *delivery) again(jobs []*job) []*job {
	var list []*job
	for _, j := range jobs {
		if !j.repeat {
			continue
		}
		j.repeat = false
		for _, i := range j.items {
			if !i.good() || j.force && i.outcome.Status == actions.Unchanged {
				i.done, i.outcome = false, actions.Outcome{}
			}
		}
		if !j.settled() {
			list = append(list, j)
		}
	}
	return list
}

// learn keeps an identity, for this batch and for the journal.
func (d *delivery) learn(j *job, id actions.Identity) {
	d.identities[id.IdentityKey] = id
	j.learned = append(j.learned, id)
}

// remember asks the journal for identities that are not known yet.
func (d *delivery) remember(ctx context.Context, keys []actions.IdentityKey) error {
	var ask []actions.IdentityKey
	seen := map[actions.IdentityKey]bool{}
	for _, k := range keys {
		if _, known := d.identities[k]; !known && !seen[k] {
			seen[k] = true
			ask = append(ask, k)
		}
	}
	if len(ask) == 0 {
		return nil
	}
	ids, err := d.memory.Identities(ctx, ask)
	if err != nil {
		return err
	}
	for k, id := range ids {
		d.identities[k] = id
	}
	return nil
}

// recall asks the journal for digests that are not known yet.
func (d *delivery) recall(ctx context.Context, names []string) error {
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

// delivered tells whether an object was delivered earlier.
func (d *delivery) delivered(name string) bool { return d.digests[name].Sum != 0 }

// results gives what became of the batch.
func (d *delivery) results() []actions.Result {
	results := make([]actions.Result, len(d.jobs))
	for n, j := range d.jobs {
		r := actions.Result{Outcomes: make([]actions.Outcome, len(j.items))}
		for k, i := range j.items {
			if !i.done {
				i.finish(actions.Outcome{Status: actions.Retry, Class: actions.ClassTransient, Code: "not-confirmed", Cause: i.write.Object.Label() + " could not be settled in this batch", Hint: "it is tried again by itself"})
			}
			r.Outcomes[k] = i.outcome
		}
		if !d.rehearse {
			r.Identities = append(j.learned, j.remembered(d)...)
			r.Digests = append(j.digests, j.totals...)
		}
		results[n] = r
	}
	return results
}
