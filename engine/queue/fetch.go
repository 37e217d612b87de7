package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/durable"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/tracing"
	"github.com/culvert/culvert/engine/work"
	"github.com/culvert/culvert/internal/await"
)

// claimLimit is how many records are claimed at once.
const claimLimit = 500

// fetchDelay is how long the first record of many waits for others, so that one look at the journal serves them all.
const fetchDelay = 2 * time.Millisecond

// record is the Work of a record that the journal holds.
type record struct {
	*journal.Record
	flow  *program.Flow
	plan  actions.Plan
	epoch int64
	name  *journal.Identification // what it is called, when it was kept without an id: it waits for its turn first
}

func (r *record) Flow() *program.Flow { return r.flow }
func (r *record) Plan() *actions.Plan { return &r.plan }
func (r *record) Key() string         { return r.plan.Record.Key }
func (r *record) Seq() int64          { return r.Record.Seq }
func (r *record) Attempts() int       { return r.Record.Attempts }
func (r *record) Received() time.Time { return r.Record.Received }
func (r *record) LeaseEpoch() int64   { return r.epoch }
func (r *record) OfFile() bool        { return false }
func (r *record) Cancelled() bool     { return false }

// AsRecord gives the record, whose id is known by now.
func (r *record) AsRecord() (*journal.Record, error) {
	rec := *r.Record
	if r.plan.Record.RecordID != "" {
		rec.ID, rec.Key = r.plan.Record.RecordID, r.plan.Record.Key
	}
	if rec.Version == 0 {
		rec.Version = r.plan.Order.Version
	}
	return &rec, nil
}

// fetched are the records in memory.
type fetched struct {
	records map[int64]size // by their place in the journal
	count   map[string]int // of them by server
	bytes   int64
}

type size struct {
	server string
	bytes  int64
}

func (f *fetched) add(rec *journal.Record, server string) {
	s := size{server: server, bytes: weigh(rec)}
	f.records[rec.Seq] = s
	f.count[server]++
	f.bytes += s.bytes
}

func (f *fetched) forget(seq int64) {
	s, ok := f.records[seq]
	if !ok {
		return
	}
	delete(f.records, seq)
	f.bytes -= s.bytes
	if f.count[s.server]--; f.count[s.server] == 0 {
		delete(f.count, s.server)
	}
}

func (f *fetched) all() []int64 {
	seqs := make([]int64, 0, len(f.records))
	for seq := range f.records {
		seqs = append(seqs, seq)
	}
	return seqs
}

// Run fetches until ctx ends.
func (q *Queue) Run(ctx context.Context) {
	if !q.catchUp(ctx) {
		return
	}
	timer := time.NewTimer(q.Poll)
	defer timer.Stop()
	for ctx.Err() == nil {
		more, err := q.fetch(ctx)
		if err != nil && ctx.Err() == nil {
			q.Conditions.Set(durable.Subject, fmt.Sprintf("cannot claim records: %v", err), q.Now())
			q.Log.Error("cannot claim records", "error", err)
		}
		if more && err == nil {
			continue
		}
		timer.Reset(q.Poll)
		select {
		case <-ctx.Done():
		case <-q.wake:
			await.Sleep(ctx, fetchDelay)
		case <-q.Journal.Wake():
			await.Sleep(ctx, fetchDelay)
		case <-timer.C:
		}
	}
}

// fetch takes what fits and tells whether there may be more at once.
func (q *Queue) fetch(ctx context.Context) (more bool, err error) {
	q.claiming.Lock()
	defer q.claiming.Unlock()
	prog := q.Gate.Program()
	epoch := q.Gate.LeaseEpoch()
	records, more, err := q.claim(ctx, prog)
	if err != nil || len(records) == 0 {
		return false, err
	}
	prog = q.Gate.Program()
	if records, err = q.keep(prog, records); err == nil && len(records) > 0 {
		q.evaluate(prog, records, epoch)
	}
	return more, err
}

// claim claims what fits and tells whether limits cut it.
func (q *Queue) claim(ctx context.Context, prog *program.Program) (records []*journal.Record, more bool, err error) {
	limit, bytes, not := q.room(prog)
	if limit <= 0 {
		return nil, false, nil
	}
	records, err = q.Journal.Claim(ctx, journal.Claim{Owner: q.Owner, Limit: limit, Bytes: bytes, Now: q.Now(),
		NotRules: not})
	if err != nil {
		return nil, false, err
	}
	q.Conditions.Clear(durable.Subject)
	return records, len(records) == limit || weigh(records...) >= bytes, nil
}

// weigh gives about how many bytes records take up in memory.
func weigh(records ...*journal.Record) int64 {
	n := 0
	for _, rec := range records {
		n += len(rec.Body) + 512
	}
	return int64(n)
}

// room says how many records fit, how many bytes of them, and the rules whose records must not
// come: they cannot run, or their server has its share, or waits for a file.
func (q *Queue) room(prog *program.Program) (limit int, bytes int64, not []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	f := &q.fetched
	if bytes = q.Memory - f.bytes; bytes <= 0 {
		return 0, 0, nil
	}
	limit = min(claimLimit, q.Window)
	for _, name := range prog.Names() {
		flow := prog.Rules[name]
		if !q.Gate.Runnable(flow) || f.count[flow.Server] >= q.Window || q.barrier.awaited(flow.Server) {
			not = append(not, name)
		} else {
			limit = min(limit, q.Window-f.count[flow.Server])
		}
	}
	for name, flow := range prog.Former {
		if !q.Gate.Runnable(flow) || slices.Contains(not, flow.Name()) {
			not = append(not, name)
		}
	}
	if len(not) == len(prog.Rules)+len(prog.Former) && len(not) > 0 {
		return 0, 0, nil
	}
	return limit, bytes, not
}

// keep notes claimed records, and gives those of them back that must wait for a file to be read.
func (q *Queue) keep(prog *program.Program, records []*journal.Record) (kept []*journal.Record, err error) {
	var wait []int64
	kept = make([]*journal.Record, 0, len(records))
	q.mu.Lock()
	for _, rec := range records {
		server := ""
		if flow := prog.Flow(rec.Rule); flow != nil {
			server = flow.Server
		}
		q.fetched.add(rec, server)
		if server != "" && q.barrier.mustWait(server, rec.Seq) {
			wait = append(wait, rec.Seq)
		} else {
			kept = append(kept, rec)
		}
	}
	q.mu.Unlock()
	if len(wait) == 0 {
		return kept, nil
	}
	if err := q.releaseRecords(wait); err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, seq := range wait {
		q.fetched.forget(seq)
	}
	return kept, nil
}

// evaluate runs the rules on claimed records, several at once, and hands them on in order. What
// needs no server is settled here.
func (q *Queue) evaluate(prog *program.Program, records []*journal.Record, epoch int64) {
	works := make([]*record, len(records))
	settlements := make([]*journal.Settlement, len(records))
	inParallel(len(records), func(i int) {
		start := time.Now()
		works[i] = &record{Record: records[i], flow: prog.Flow(records[i].Rule), epoch: epoch}
		settlements[i] = q.prepare(works[i])
		q.trace(works[i], settlements[i], start)
	})
	b := &journal.Batch{Owner: q.Owner}
	var settled []*journal.Record
	var ready []work.Work
	var nameless []*record
	for i, s := range settlements {
		if works[i].name != nil {
			nameless = append(nameless, works[i])
			continue
		}
		if s == nil {
			ready = append(ready, works[i])
			continue
		}
		if s.State == journal.Failed && q.Failed(works[i].flow, s.Problem) != nil {
			return // the runner ends
		}
		s.Seq = records[i].Seq
		b.Settlements = append(b.Settlements, *s)
		settled = append(settled, records[i])
	}
	if len(nameless) > 0 {
		works, settlements = identified(works, settlements)
		if q.identify(nameless) != nil {
			return // the runner ends
		}
	}
	if q.goOn(evaluated(works, settlements), true) != nil {
		return // the runner ends
	}
	if len(settled) > 0 && q.Writer.Commit(b) == nil {
		q.Settled(settled, b.Settlements)
		q.forget(settled)
	}
	q.push(q.enter(ready))
}

// prepare evaluates a record. It gives its settlement when no server has to be asked, nil when it has a plan.
func (q *Queue) prepare(w *record) *journal.Settlement {
	rec, flow := w.Record, w.flow
	s := &journal.Settlement{Attempts: rec.Attempts}
	switch {
	case flow == nil:
		s.State, s.Problem = journal.Held, program.MissingRule(rec.Rule)
		return s
	case flow.Invalid != nil:
		s.State, s.Problem = journal.Held, flow.Invalid
		return s
	}
	fail := func(p *journal.Problem) *journal.Settlement {
		s.State, s.Problem = journal.Failed, p
		q.Metrics.Settled(rec.Rule, flow.Server, s.State, false, p)
		return s
	}
	if rec.Body == nil {
		return fail(program.NoPayload())
	}
	var body any
	if err := json.Unmarshal(rec.Body, &body); err != nil {
		return fail(program.BrokenPayload())
	}
	e, err := program.Evaluate(flow, program.InputOf(rec, body))
	s.About = e.Plan.About
	if strings.HasPrefix(rec.ID, program.Unidentified) && e.ID != "" && e.Key != "" {
		if q.mayName(rec.Seq) {
			w.name = &journal.Identification{Seq: rec.Seq, Rule: rec.Rule, From: rec.ID, ID: e.ID, Key: e.Key,
				Version: e.Version}
			return nil
		}
		w.plan.Record = actions.Ref{Rule: rec.Rule, RecordID: e.ID, Key: e.Key}
	}
	switch {
	case err != nil:
		return fail(program.ProblemOf(q.Log, flow, rec.ID, err))
	case e.Failure != nil:
		order := rec.Order()
		if order.Version == 0 {
			order.Version = e.Version
		}
		if by := work.NewerDelivered(q.Writer.End, q.Journal, rec.Rule, rec.ID, order, rec.Problem != nil); by != 0 {
			s.State, s.SupersededBy = journal.Superseded, by
			break
		}
		return fail(program.FailureProblem(e.Failure))
	case e.Skipped:
		s.State = journal.Skipped
	case e.Plan.Empty():
		s.State = journal.Delivered
	case q.replaced(rec) != 0:
		s.State, s.SupersededBy = journal.Superseded, q.replaced(rec)
	default:
		w.plan = e.Plan
		w.plan.Force, w.plan.Insist, w.plan.Order = rec.Force, rec.Insist, rec.Order()
		if rec.Version == 0 {
			w.plan.Order.Version = e.Version
		}
		w.plan.Record = actions.Ref{Rule: rec.Rule, RecordID: e.ID, Key: e.Key}
		return nil
	}
	q.Metrics.Settled(rec.Rule, flow.Server, s.State, false, nil)
	return s
}

// trace tells of the evaluation of a record.
func (q *Queue) trace(w *record, s *journal.Settlement, start time.Time) {
	if q.Trace == nil {
		return
	}
	rule, part := w.Rule, ""
	if w.flow != nil { // so that it comes to the trace of what is told elsewhere
		rule, part = w.flow.Rule.Name, w.flow.Part
	}
	step := tracing.Step{Name: "evaluate", Rule: rule, Part: part, Record: w.ID, Received: w.Record.Received, Start: start,
		End: time.Now(), State: string(journal.Pending)}
	if s != nil {
		step.State, step.Code, step.Last = string(s.State), s.Problem.CodeOf(), s.State != journal.Held
	}
	q.Trace.Step(step)
}

// forget drops records that are settled or given back; what they leave is room for others.
func (q *Queue) forget(records []*journal.Record) {
	if len(records) == 0 {
		return
	}
	q.mu.Lock()
	for _, rec := range records {
		q.fetched.forget(rec.Seq)
	}
	q.mu.Unlock()
	q.Notify()
}

// releaseRecords gives records back to the journal. The error is only that the runner ends.
func (q *Queue) releaseRecords(seqs []int64) error {
	return q.Writer.Retry("release claimed records",
		func(ctx context.Context) error { return q.Journal.Release(ctx, q.Owner, seqs) })
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

// replaced gives the place of the edit that has replaced a version of a submission, where that is
// delivered: what the edit took out, such as an item of a repeat group, comes back to nobody.
func (q *Queue) replaced(rec *journal.Record) int64 {
	if rec.Rank == 0 || rec.Insist {
		return 0
	}
	return work.NewerDelivered(q.Writer.End, q.Journal, rec.Rule, rec.ID, rec.Order(), true)
}
