package intake

import (
	"context"
	"sync"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/internal/await"
	"github.com/culvert/culvert/sources"
)

// rescan is how often awaited records are read again without a word from the queue: another runner
// may have sent them, or a person settled them.
const rescan = 2 * time.Second

// watch knows who waits for which records. Its zero value is ready.
type watch struct {
	mu      sync.Mutex
	waiting map[int64][]await.Signal
}

// enter has a signal given when one of some records is settled, until leave is called.
func (w *watch) enter(seqs []int64) (s await.Signal, leave func()) {
	s = await.NewSignal()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting == nil {
		w.waiting = map[int64][]await.Signal{}
	}
	for _, seq := range seqs {
		w.waiting[seq] = append(w.waiting[seq], s)
	}
	return s, func() { w.leave(seqs, s) }
}

func (w *watch) leave(seqs []int64, s await.Signal) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, seq := range seqs {
		var left []await.Signal
		for _, other := range w.waiting[seq] {
			if other != s {
				left = append(left, other)
			}
		}
		if len(left) == 0 {
			delete(w.waiting, seq)
		} else {
			w.waiting[seq] = left
		}
	}
}

func (w *watch) settled(settlements []journal.Settlement) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) == 0 {
		return
	}
	for _, s := range settlements {
		for _, signal := range w.waiting[s.Seq] {
			signal.Notify()
		}
	}
}

// Settled hears of records that the queue has settled.
func (in *Intake) Settled(settlements []journal.Settlement) { in.watch.settled(settlements) }

// Await gives how records stand, as soon as none of them is pending any more or ctx ends.
func (in *Intake) Await(ctx context.Context, seqs []int64) ([]sources.Outcome, error) {
	signal, leave := in.watch.enter(seqs)
	defer leave()
	for {
		out, pending, err := in.standing(context.WithoutCancel(ctx), seqs)
		if err != nil || !pending || !signal.Wait(ctx, rescan) {
			return out, err
		}
	}
}

// lookUp bounds one look at awaited records, which is not cut off when their sender's time ends.
const lookUp = 5 * time.Second

// standing says how records stand now, and whether one of them is still on its way.
func (in *Intake) standing(ctx context.Context, seqs []int64) (out []sources.Outcome, pending bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookUp)
	defer cancel()
	records, err := in.Journal.Select(ctx, journal.Filter{Seqs: seqs, Limit: len(seqs)})
	if err != nil {
		return nil, false, err
	}
	out = make([]sources.Outcome, len(records))
	for i, rec := range records {
		if rec, err = in.successor(ctx, rec); err != nil {
			return nil, false, err
		}
		pending = pending || rec.State == journal.Pending
		out[i] = outcomeOf(rec)
		out[i].Seq = records[i].Seq
	}
	return out, pending, nil
}

// outcomeOf gives what a source is told of a record, without its body.
func outcomeOf(rec *journal.Record) sources.Outcome {
	o := sources.Outcome{Seq: rec.Seq, RecordID: rec.ID, State: string(rec.State), Objects: rec.Objects,
		Settled: rec.Settled}
	if p := rec.Problem; p != nil {
		o.Code, o.Message, o.Hint, o.Field, o.Column = p.Code, p.Message, p.Hint, p.Field, p.Column
	}
	return o
}
