package queue

import (
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/work"
)

// EnterRows takes rows that were read, in the order of the file. Those whose turn it is lock their
// keys at once, so that no record that is accepted later comes before them while they wait for the
// server.
func (q *Queue) EnterRows(rows []work.Work) {
	if q.goOn(entering(rows), true) != nil {
		return // the runner ends, and they are read again
	}
	ready := q.enter(rows)
	if kept, err := q.Claim(ready); err == nil {
		ready = kept
	} // else the runner ends, and they are read again
	q.push(ready)
}

// enter takes works in the order of their acceptance and gives those whose turn it is, for the caller to push.
func (q *Queue) enter(works []work.Work) []work.Work {
	q.mu.Lock()
	defer q.mu.Unlock()
	ready := works[:0:0]
	for _, w := range works {
		if q.keys.Enter(w.Key(), w) {
			ready = append(ready, w)
		}
	}
	return ready
}

// finish ends the turn of works whose outcome is recorded or that were given back; those behind them go next.
func (q *Queue) finish(works ...work.Work) {
	ready := make([]work.Work, 0, len(works))
	q.mu.Lock()
	for _, w := range works {
		if next, ok := q.keys.Leave(w.Key()); ok {
			ready = append(ready, next)
		}
	}
	q.mu.Unlock()
	q.push(ready)
}

func (q *Queue) push(ready []work.Work) {
	for _, w := range ready {
		q.Dispatcher(w.Flow().Server).Push(w)
	}
}

// Settle records what one delivery came to, says so to files, and lets the next of each key go. The
// error is only that the runner ends: then claims and rows are given back as they were.
func (q *Queue) Settle(done work.Batch) error {
	b := &journal.Batch{Owner: q.Owner, Server: done.Server, Digests: done.Digests, Identities: done.Identities}
	works := make([]work.Work, len(done.Outcomes))
	var err error
	rows := make([]work.RowOutcome, len(done.Outcomes))
	var records []*journal.Record
	for i, o := range done.Outcomes {
		works[i] = o.Work
		if _, row := o.Work.(work.Row); !row {
			if err := q.stop(o); err != nil {
				return err
			}
		}
		switch w := o.Work.(type) {
		case *record:
			s := o.Settlement
			s.Seq = w.Record.Seq
			b.Settlements = append(b.Settlements, s)
			records = append(records, w.Record)
		case work.Row:
			if rows[i], err = q.addRow(b, w, o); err != nil {
				return err
			}
		}
	}
	if err := q.goOn(done.Outcomes, false); err != nil {
		return err
	}
	if err := q.Writer.Commit(b); err != nil {
		return err
	}
	if done.Recorded != nil {
		done.Recorded()
	}
	q.unlock(b.Keys)
	for i, o := range done.Outcomes {
		row, ok := o.Work.(work.Row)
		if !ok {
			continue
		}
		if rows[i].Locked {
			q.requeueLocked(row.Key())
		}
		row.Settle(rows[i])
	}
	for _, o := range done.Outcomes { // a paused rule's file takes no more outcomes, so that its rows come first
		if _, row := o.Work.(work.Row); row {
			if err := q.stop(o); err != nil {
				return err
			}
		}
	}
	q.Settled(records, b.Settlements)
	q.forget(records)
	q.finish(works...)
	return nil
}

// stop pauses the rule of what failed, where the rule says so.
func (q *Queue) stop(o work.Outcome) error {
	if o.Settlement.State != journal.Failed {
		return nil
	}
	return q.Failed(o.Flow(), o.Settlement.Problem)
}

// addRow adds what a settled row is to others of its key to a batch. The lock of its key stays
// where the row goes on as a record, until that record is in the journal, and where the next of the
// key is a row too: no record may come in between.
func (q *Queue) addRow(b *journal.Batch, row work.Row, o work.Outcome) (out work.RowOutcome, err error) {
	out = work.RowOutcome{Settlement: o.Settlement, Unchanged: o.Unchanged}
	if v, ok := row.Version(o.Settlement); ok {
		b.Versions = append(b.Versions, v)
	}
	if out.LookedAt = row.Flow().KeepRows && o.Settlement.State == journal.Delivered; out.LookedAt {
		var rec *journal.Record
		if rec, out.Stored, err = q.kept(row, o); err != nil {
			return out, err
		}
		if rec != nil {
			b.New = append(b.New, rec)
		}
	}
	switch {
	case o.Settlement.State == journal.Pending:
		out.AwaitingRequeue, out.Locked = true, true
		b.Holding = append(b.Holding, row.Key())
	case q.nextInKey(row.Key()):
		b.Holding = append(b.Holding, row.Key())
	default:
		b.Keys = append(b.Keys, row.Key())
	}
	return out, nil
}

// nextInKey tells whether a row waits behind the one whose turn it is.
func (q *Queue) nextInKey(key string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	next, ok := q.keys.Next(key)
	return ok && next.OfFile()
}

// unlock notes keys that the journal has freed.
func (q *Queue) unlock(keys []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, key := range keys {
		delete(q.barrier.locked, key)
		delete(q.barrier.held, key)
	}
}

// requeueLocked has the lock of a key belong to the record that a row becomes, and no longer to rows.
func (q *Queue) requeueLocked(key string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.barrier.locked, key)
	q.barrier.awaitingRequeue[key]++
}

// Release gives back what must not be sent as it was planned: its rule was changed, paused or found
// invalid. Records go back to the journal, files are read again from the first row that is not
// settled.
func (q *Queue) Release(works []work.Work) {
	var seqs []int64
	var records []*journal.Record
	var keys []string
	for _, w := range works {
		switch w := w.(type) {
		case *record:
			seqs, records = append(seqs, w.Record.Seq), append(records, w.Record)
		case work.Row:
			if q.takeLock(w.Key()) {
				keys = append(keys, w.Key())
			}
			w.Abandon()
		}
	}
	q.releaseKeys(keys)
	if len(seqs) > 0 && q.releaseRecords(seqs) != nil {
		return
	}
	q.forget(records)
	q.finish(works...)
}

// takeLock ends the lock of a key for the row whose turn it is, and tells whether there was one.
// The journal does not know of it yet.
func (q *Queue) takeLock(key string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	locked := q.barrier.locked[key]
	delete(q.barrier.locked, key)
	return locked
}

// Keys lets the records of one key through one at a time, in the order in which they came. Not safe for concurrent use.
type Keys[T any] struct {
	waiting map[string][]T // of every key that is in flight: those behind it
}

// NewKeys makes an empty set of keys.
func NewKeys[T any]() *Keys[T] { return &Keys[T]{waiting: map[string][]T{}} }

// Enter tells whether an item may go at once. When another of its key is on its way it waits behind
// that one, and Leave gives it later.
func (k *Keys[T]) Enter(key string, item T) bool {
	behind, busy := k.waiting[key]
	if !busy {
		k.waiting[key] = nil
		return true
	}
	k.waiting[key] = append(behind, item)
	return false
}

// Leave ends an item's turn and gives the next of its key, whose turn has then begun; false when none waits.
func (k *Keys[T]) Leave(key string) (next T, ok bool) {
	behind := k.waiting[key]
	if len(behind) == 0 {
		delete(k.waiting, key)
		return next, false
	}
	next = behind[0]
	var zero T
	behind[0] = zero
	k.waiting[key] = behind[1:]
	return next, true
}

// Next gives the item that waits behind the one whose turn it is; false when none does.
func (k *Keys[T]) Next(key string) (next T, ok bool) {
	behind := k.waiting[key]
	if len(behind) == 0 {
		return next, false
	}
	return behind[0], true
}

// Withdraw takes out of those that wait of a key what drop holds for; the one whose turn it is stays.
func (k *Keys[T]) Withdraw(key string, drop func(T) bool) (out []T) {
	behind := k.waiting[key]
	if len(behind) == 0 {
		return nil
	}
	kept := make([]T, 0, len(behind))
	for _, item := range behind {
		if drop(item) {
			out = append(out, item)
		} else {
			kept = append(kept, item)
		}
	}
	k.waiting[key] = kept
	return out
}

// Len is how many keys are in flight.
func (k *Keys[T]) Len() int { return len(k.waiting) }
