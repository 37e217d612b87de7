package deliver

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/rules/diag"
)

// Two deliveries, of one process or of two runners, must not look for one person at once: both would
// find nobody and both would create. Nor may two runners write one object at once. So each delivery
// first locks by what it looks people up, then the objects that it writes. Nobody waits while
// holding something: a record whose locks others hold is put off for a moment, and the rest of the
// batch goes on. Locks that runners share are held until the journal knows what came of them.

// persons are the people who are being looked for or created by deliveries of this process.
type persons struct {
	mu   sync.Mutex
	held map[string]*delivery
}

// take takes all of the names for a delivery, or none.
func (p *persons) take(d *delivery, names []string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range names {
		if by := p.held[n]; by != nil && by != d {
			return false
		}
	}
	if p.held == nil {
		p.held = map[string]*delivery{}
	}
	for _, n := range names {
		p.held[n] = d
	}
	return true
}

// end gives back what a delivery holds.
func (p *persons) end(d *delivery) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n, by := range p.held {
		if by == d {
			delete(p.held, n)
		}
	}
}

// busyFor is when a record that met another delivery is tried again.
const busyFor = time.Second

func busy(cause string) actions.Outcome {
	return actions.Outcome{
		Status: actions.Retry, Class: actions.ClassTransient, Problem: diag.Problem{Code: actions.ObjectBusy,
			Message: cause,
			Hint:    "it is tried again by itself in a moment"}, RetryAfter: busyFor,
	}
}

// LockPeople implements identity.Locks.
func (d *delivery) LockPeople(ctx context.Context, names map[identity.Record][]string) error {
	if d.rehearse {
		return nil
	}
	wanted := map[*job][]string{}
	for r, list := range names {
		j := r.(*job)
		if d.persons.take(d, list) {
			wanted[j] = list
			continue
		}
		j.Fail(busy("the same person is being looked for by another record"))
	}
	return d.lockShared(ctx, wanted, "the same person is being looked for by another runner")
}

// lockObjects locks the objects of records, as they are named now, against other runners. Records
// whose objects others hold are put off.
func (d *delivery) lockObjects(ctx context.Context, jobs []*job) error {
	if _, shared := d.memory.(actions.Locks); !shared || d.rehearse {
		return nil
	}
	wanted := map[*job][]string{}
	for _, j := range jobs {
		for _, i := range j.items {
			if !i.done {
				wanted[j] = append(wanted[j], i.guards()...)
				wanted[j] = append(wanted[j], d.counted(i)...)
			}
		}
	}
	return d.lockShared(ctx, wanted, "another runner is writing to the same object")
}

// lockShared takes, for every record, all of its names or none. What was known of the objects that
// are newly locked is forgotten: their holder may have changed it.
func (d *delivery) lockShared(ctx context.Context, wanted map[*job][]string, cause string) error {
	locks, shared := d.memory.(actions.Locks)
	if !shared {
		return nil
	}
	var ask []string
	for _, names := range wanted {
		for _, n := range names {
			if !d.locked[n] {
				ask = append(ask, n)
			}
		}
	}
	if len(ask) == 0 {
		return nil
	}
	slices.Sort(ask)
	ask = slices.Compact(ask)
	taken, err := locks.Lock(ctx, ask)
	if err != nil {
		return err
	}
	free := make(map[string]bool, len(ask))
	for n, name := range ask {
		if taken[n] {
			free[name] = true
			delete(d.digests, name)
		}
	}
	for j, names := range wanted {
		if slices.ContainsFunc(names, func(n string) bool { return !free[n] && !d.locked[n] }) {
			j.Fail(busy(cause))
			continue
		}
		for _, n := range names {
			if !d.locked[n] {
				d.locked[n] = true
				j.locks = append(j.locks, n)
			}
		}
	}
	var unused []string
	for n := range free {
		if !d.locked[n] {
			unused = append(unused, n)
		}
	}
	if len(unused) == 0 {
		return nil
	}
	return locks.Unlock(ctx, unused)
}

// unlockShared gives back what results hold.
func (t *target) unlockShared(ctx context.Context, results []actions.Result) {
	locks, shared := t.memory.(actions.Locks)
	if !shared {
		return
	}
	var names []string
	for _, r := range results {
		names = append(names, r.Locks...)
	}
	if len(names) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockLimit)
	defer cancel()
	if err := locks.Unlock(ctx, names); err != nil {
		t.log.Warn("objects stay locked for other runners until their locks end by themselves", "error", err)
	}
}

// unlockLimit is how long giving back may take.
const unlockLimit = 10 * time.Second
