package engine

import (
	"fmt"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/delivery"
	"github.com/culvert/culvert/engine/journal"
)

// poison is how often a record may be among those that got no answer, alone at the end, before it is put off so that others can pass.
const poison = 5

// deliver sends one batch, records what became of it, and lets the next of each key go.
func (l *lane) deliver(jobs []*job, s delivery.Setting, full bool) {
	jobs = l.dropStale(jobs)
	jobs, err := l.claimRows(jobs)
	if err != nil || len(jobs) == 0 || l.r.silentNow() {
		l.forgo()
		l.landed(jobs)
		return
	}
	plans := make([]actions.Plan, len(jobs))
	for i, j := range jobs {
		plans[i] = j.plan
	}
	start := time.Now()
	before := l.flown(len(jobs), start)
	results := l.sendPlans(plans)
	took := time.Since(start)
	load := (l.flown(-len(jobs), start.Add(took)) - before) / max(took.Seconds(), 1e-9)
	done, again, trouble := l.sort(jobs, results)
	if l.r.work.Err() == nil {
		sent := countSent(results)
		full = full && sent >= s.Batch*9/10 // what was not sent tells nothing of the server
		share := float64(sent) / float64(len(jobs))
		l.learn(delivery.Sample{
			Epoch: s.Epoch, Records: sent, Load: load * share, Took: took, Full: full,
			Trouble: trouble != nil && trouble.problem.Class != actions.ClassCredentials,
		}, trouble, share)
	}
	l.r.metrics.Batch(l.name, len(jobs), took)
	l.landed(again) // the server is free for the next batch while this one is recorded
	l.record(done, results)
	l.keepPace(l.r.work, false)
}

// flown counts records that go to the server or come back; see flight.
func (l *lane) flown(n int, at time.Time) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.load.change(n, at)
}

// judged is a job with what its result means.
type judged struct {
	*job
	verdict verdict
	index   int // of its result
}

// sort judges every result: jobs that are decided, and jobs for which the server could not be asked. trouble is the worst of the latter.
func (l *lane) sort(jobs []*job, results []actions.Result) (done []judged, again []*job, trouble *verdict) {
	for i, j := range jobs {
		v := judge(&j.plan, results[i])
		if v.again {
			if trouble == nil || v.problem.Class == actions.ClassCredentials {
				trouble = &v
			}
			if j.strikes++; j.strikes < poison || len(jobs) > l.server().Batch.MinBatch || v.problem.Class == actions.ClassCredentials {
				again = append(again, j)
				continue
			}
			v.again = false // it alone gets no answer from a server that answers others
			j.strikes = 0
		}
		done = append(done, judged{j, v, i})
	}
	return done, again, trouble
}

// learn tells the controller and the breaker how a batch went.
func (l *lane) learn(sample delivery.Sample, trouble *verdict, fresh float64) {
	l.mu.Lock()
	l.fresh = max(0.5*l.fresh+0.5*fresh, 0.001)
	l.control.Observe(sample)
	news, closed, refused := false, false, false
	now := l.r.now()
	if trouble == nil {
		closed = l.breaker.Worked(now)
	} else {
		refused = trouble.problem.Class == actions.ClassCredentials
		news = l.breaker.Trip(now, refused, trouble.wait, trouble.problem.Cause)
	}
	l.mu.Unlock()
	if news {
		l.announce(refused, trouble.problem.Cause)
	}
	if closed {
		l.r.log.Info("the server takes records again", "server", l.name)
	}
}

// countSent counts the records of which something had to be sent.
func countSent(results []actions.Result) (n int) {
	for _, r := range results {
		for _, o := range r.Outcomes {
			if o.Status != actions.Unchanged && o.Status != actions.Superseded {
				n++
				break
			}
		}
	}
	return n
}

// forgo gives back the right to try a half-open server when nothing was sent after all.
func (l *lane) forgo() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.breaker.Forgo()
}

// dropStale drops jobs whose rule was changed, paused or found invalid since they were evaluated: records go back to the journal, files are read again
// from the first row that is not settled.
func (l *lane) dropStale(jobs []*job) []*job {
	kept := jobs[:0]
	var stale []*job
	for _, j := range jobs {
		if l.isStale(j) {
			stale = append(stale, j)
		} else {
			kept = append(kept, j)
		}
	}
	if len(stale) > 0 {
		l.r.giveBack(stale)
	}
	return kept
}

// enterRows lets rows that were read take their turn. They take their keys at once, so that no record that is accepted later comes before them while they
// wait for the server.
func (l *lane) enterRows(jobs []*job) {
	ready := l.r.sched.enter(jobs)
	if kept, err := l.claimRows(ready); err == nil {
		ready = kept
	} // else the runner ends, and they are read again
	l.r.sched.push(ready)
}

// claimRows takes the keys of file rows in the journal, so that neither a record of the journal nor another runner touches them meanwhile. A row
// whose key is not free becomes a record of the journal, at its place behind those before it.
func (l *lane) claimRows(jobs []*job) ([]*job, error) {
	var rows []*job
	kept := make([]*job, 0, len(jobs))
	var behind []*job
	for _, j := range jobs {
		switch {
		case j.row == nil || j.claimed:
			kept = append(kept, j)
		case l.r.sched.isParked(j.key()):
			behind = append(behind, j)
		default:
			rows = append(rows, j)
		}
	}
	if len(rows) > 0 {
		given, err := l.r.claimKeys(rows)
		if err != nil {
			return nil, err
		}
		for i, j := range rows {
			if given[i] {
				j.claimed = true
				kept = append(kept, j)
			} else {
				behind = append(behind, j)
			}
		}
	}
	for _, j := range behind {
		l.r.sched.park(j.key())
		j.row.settle(rowOutcome{state: journal.Pending, job: j, parked: true, nextTry: l.r.now()})
	}
	l.r.sched.finish(behind)
	return kept, nil
}

// record commits what a batch came to, then tells files and keys of it.
func (l *lane) record(done []judged, results []actions.Result) {
	b := &journal.Batch{Owner: l.r.owner, Server: l.name}
	for _, res := range results {
		b.Digests = append(b.Digests, res.Digests...)
		b.Identities = append(b.Identities, res.Identities...)
	}
	now := l.r.now()
	outcomes := make([]rowOutcome, 0, len(done))
	jobs := make([]*job, len(done))
	var heirs []*job
	for i, d := range done {
		jobs[i] = d.job
		s := l.r.retry.settlement(d.verdict, d.attempts(), now)
		l.count(d, s)
		if d.rec != nil {
			s.Seq = d.rec.Seq
			b.Settlements = append(b.Settlements, s)
			continue
		}
		o := rowOutcome{state: s.State, unchanged: d.verdict.unchanged, problem: s.Problem, objects: s.Objects, job: d.job, attempts: s.Attempts, nextTry: s.NextTry,
			by: s.SupersededBy}
		if v, ok := d.row.version(s); ok {
			b.Versions = append(b.Versions, v)
		}
		if s.State == journal.Pending {
			o.parked, o.claimed = true, true // its key is freed together with the record that it becomes
			b.Holding = append(b.Holding, d.key())
		} else if heir := l.r.sched.heir(d.key()); heir != nil {
			heirs = append(heirs, heir) // no record may come in between
			b.Holding = append(b.Holding, d.key())
		} else {
			b.Keys = append(b.Keys, d.key())
		}
		outcomes = append(outcomes, o)
	}
	if l.r.commit(b) != nil {
		return // the runner ends: claims and rows are given back as they were
	}
	if target, ok := l.server().Target.(actions.Recorder); ok {
		target.Recorded(results)
	}
	l.r.recorded(b.Settlements)
	l.r.files.freed(b.Keys)
	for _, heir := range heirs {
		heir.claimed = true
	}
	for _, o := range outcomes {
		if o.parked {
			l.r.sched.park(o.job.key())
		}
		o.job.row.settle(o)
	}
	l.r.settled(jobs)
}

// count keeps the figures of a decided record.
func (l *lane) count(d judged, s journal.Settlement) {
	l.r.metrics.Settled(d.flow.Rule.Name, l.name, s.State, d.verdict.unchanged, s.Problem)
	if s.State == journal.Delivered {
		l.r.metrics.Delivered(d.flow.Rule.Name, l.name, l.r.now().Sub(d.received()))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.add(s.State, l.r.now())
	if s.State == journal.Failed {
		l.stats.lastError, l.stats.lastErrorAt = fmt.Sprintf("%s: %s", s.Problem.Code, s.Problem.Cause), l.r.now()
	}
}
