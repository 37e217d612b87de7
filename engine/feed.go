package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
)

// claimLimit is how many records are claimed at once.
const claimLimit = 500

// company is how long the first record of many waits for others, so that one look at the journal serves them all.
const company = 2 * time.Millisecond

// feeder brings pending records of the journal to the scheduler, no more than fit in memory.
type feeder struct {
	r     *Runner
	wake  chan struct{}
	mu    sync.Mutex
	held  map[int64]held // records in memory, by their place in the journal
	count map[string]int // of them by server
	bytes int64
}

type held struct {
	server string
	bytes  int64
}

func newFeeder(r *Runner) *feeder {
	return &feeder{r: r, wake: make(chan struct{}, 1), held: map[int64]held{}, count: map[string]int{}}
}

// poke says that there may be something to claim, or room for it.
func (f *feeder) poke() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// run claims until ctx ends.
func (f *feeder) run(ctx context.Context) {
	if !f.r.files.catchUp(ctx) {
		return
	}
	timer := time.NewTimer(f.r.limits.Poll)
	defer timer.Stop()
	for ctx.Err() == nil {
		more, err := f.claim(ctx)
		if err != nil && ctx.Err() == nil {
			f.r.trouble.Set("journal", fmt.Sprintf("cannot claim records: %v", err), f.r.now())
			f.r.log.Error("cannot claim records", "error", err)
		}
		if more && err == nil {
			continue
		}
		timer.Reset(f.r.limits.Poll)
		select {
		case <-ctx.Done():
		case <-f.wake:
			sleep(ctx, company)
		case <-f.r.journal.Wake():
			sleep(ctx, company)
		case <-timer.C:
		}
	}
}

// claim takes what fits and tells whether there may be more at once.
func (f *feeder) claim(ctx context.Context) (more bool, err error) {
	f.r.claiming.Lock()
	defer f.r.claiming.Unlock()
	limit, not := f.room()
	if limit <= 0 {
		return false, nil
	}
	claims := f.r.claims.Load()
	records, err := f.r.journal.Claim(ctx, journal.Claim{Owner: f.r.owner, Limit: limit, Now: f.r.now(), NotRules: not})
	if err != nil {
		return false, err
	}
	f.r.trouble.Clear("journal")
	more = len(records) == limit
	prog := f.r.program.Load()
	f.keep(prog, records)
	if records, err = f.withhold(prog, records); err != nil || len(records) == 0 {
		return more, err
	}
	f.evaluate(prog, records, claims)
	return more, nil
}

// room says how many records fit, and the rules whose records must not come: they cannot run, or their server has its share.
func (f *feeder) room() (limit int, not []string) {
	prog := f.r.program.Load()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.bytes >= f.r.limits.Memory {
		return 0, nil
	}
	share := f.r.limits.Window
	limit = min(claimLimit, share)
	if n := int64(len(f.held)); n > 0 {
		average := max(f.bytes/n, 1)
		limit = min(limit, int(max((f.r.limits.Memory-f.bytes)/average, 1)))
	}
	for _, name := range prog.Names() {
		flow := prog.Rules[name]
		if !f.r.runnable(flow) || f.count[flow.Server] >= share || f.r.files.unread.awaited(flow.Server) {
			not = append(not, name)
		} else {
			limit = min(limit, share-f.count[flow.Server])
		}
	}
	for name, flow := range prog.Former {
		if !f.r.runnable(flow) || slices.Contains(not, flow.Rule.Name) {
			not = append(not, name)
		}
	}
	if len(not) == len(prog.Rules)+len(prog.Former) && len(not) > 0 {
		return 0, nil
	}
	return limit, not
}

func (f *feeder) keep(prog *program.Program, records []*journal.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, rec := range records {
		h := held{bytes: int64(len(rec.Body)) + 512}
		if flow := prog.Flow(rec.Rule); flow != nil {
			h.server = flow.Server
		}
		f.held[rec.Seq] = h
		f.count[h.server]++
		f.bytes += h.bytes
	}
}

// drop forgets records that are settled or given back.
func (f *feeder) drop(jobs []*job) {
	room := false
	f.mu.Lock()
	for _, j := range jobs {
		if j.rec != nil {
			f.forget(j.rec.Seq)
			room = true
		}
	}
	f.mu.Unlock()
	if room {
		f.poke()
	}
}

func (f *feeder) forget(seq int64) {
	h, ok := f.held[seq]
	if !ok {
		return
	}
	delete(f.held, seq)
	f.bytes -= h.bytes
	if f.count[h.server]--; f.count[h.server] == 0 {
		delete(f.count, h.server)
	}
}

// all gives the places of the records in memory.
func (f *feeder) all() []int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	seqs := make([]int64, 0, len(f.held))
	for seq := range f.held {
		seqs = append(seqs, seq)
	}
	return seqs
}

// evaluate runs the rules on claimed records, several at once, and hands them on in order. What needs no server is settled here.
func (f *feeder) evaluate(prog *program.Program, records []*journal.Record, claims int64) {
	jobs := make([]*job, len(records))
	settlements := make([]*journal.Settlement, len(records))
	inParallel(len(records), func(i int) {
		jobs[i] = &job{rec: records[i], flow: prog.Flow(records[i].Rule), claims: claims}
		settlements[i] = f.r.prepare(jobs[i])
	})
	b := &journal.Batch{Owner: f.r.owner}
	var settled, ready []*job
	for i, s := range settlements {
		if s == nil {
			ready = append(ready, jobs[i])
			continue
		}
		s.Seq = records[i].Seq
		b.Settlements = append(b.Settlements, *s)
		settled = append(settled, jobs[i])
	}
	if len(settled) > 0 && f.r.commit(b) == nil {
		f.r.recorded(b.Settlements)
		f.r.closing.touched(settled)
		f.drop(settled)
	}
	f.r.sched.submit(ready)
}

// prepare evaluates a record of the journal. It gives its settlement when no server has to be asked, nil when the job has a plan.
func (r *Runner) prepare(j *job) *journal.Settlement {
	rec := j.rec
	s := &journal.Settlement{Attempts: rec.Attempts}
	switch {
	case j.flow == nil:
		s.State, s.Problem = journal.Held, program.MissingRule(rec.Rule)
		return s
	case j.flow.Invalid != nil:
		s.State, s.Problem = journal.Held, j.flow.Invalid
		return s
	}
	fail := func(p *journal.Problem) *journal.Settlement {
		s.State, s.Problem = journal.Failed, p
		r.metrics.Settled(rec.Rule, j.flow.Server, s.State, false, p)
		return s
	}
	if rec.Body == nil {
		return fail(program.NoPayload())
	}
	var body any
	if err := json.Unmarshal(rec.Body, &body); err != nil {
		return fail(program.BrokenPayload())
	}
	e, err := program.Evaluate(j.flow, program.InputOf(rec, body))
	switch {
	case err != nil:
		return fail(program.ProblemOf(r.log, j.flow, rec.ID, err))
	case e.Failure != nil:
		return fail(program.FailureProblem(e.Failure))
	case e.Skipped:
		s.State = journal.Skipped
	case len(e.Plan.Writes) == 0:
		s.State = journal.Delivered
	default:
		j.plan = e.Plan
		j.plan.Force, j.plan.Insist, j.plan.Order = rec.Force, rec.Insist, rec.Order()
		if rec.Version == 0 {
			j.plan.Order.Version = e.Version
		}
		j.plan.Record = actions.Ref{Rule: rec.Rule, RecordID: e.ID, Key: e.Key}
		return nil
	}
	r.metrics.Settled(rec.Rule, j.flow.Server, s.State, false, nil)
	return s
}

// inParallel calls do for 0 to n-1 on all processors.
func inParallel(n int, do func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), (n+15)/16)
	if workers <= 1 {
		for i := range n {
			do(i)
		}
		return
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w * n / workers; i < (w+1)*n/workers; i++ {
				do(i)
			}
		})
	}
	wg.Wait()
}
