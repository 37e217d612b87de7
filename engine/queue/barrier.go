package queue

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/work"
	"github.com/culvert/culvert/sources"
)

// barrier keeps one promise: a file's rows come before what was accepted later. A row has no record
// in the journal, so that four things stand in the way of a later record or row of its key until
// the row has its outcome:
//
//   - Before the file is read, the keys of its rows are not known: records for its server that were accepted
//     later are not fetched (unread).
//   - Once a row is in memory, its key is locked in the journal, and the lock passes from row to row of the
//     key without being free in between (locked). A record that was claimed in the moment in which nobody
//     held the key is withdrawn, and comes behind the row (withdrawLater).
//   - A row that must be tried again, or whose key is not free, becomes a record of the journal at its place.
//     Until that record is written, later rows of its key become records too, behind it (awaitingRequeue).
//   - After a start, nothing is fetched until the rows that may have been in flight when the last run ended
//     are in memory again (caughtUp).
//
// Its fields are guarded by the queue's mu.
type barrier struct {
	unread          map[*unreadFile]struct{}
	awaitingRequeue map[string]int      // keys of rows that become records, by how many are not in the journal yet
	locked          map[string]bool     // keys that are locked in the journal for the row whose turn it is
	held            map[string]struct{} // all keys that are locked in the journal for us
}

// unreadFile is an accepted file of which nothing, or not all that fits into memory, has been read yet.
type unreadFile struct {
	id, name, server string

	since  time.Time
	place  int64 // before its rows in the order of acceptance; 0 until the journal knows the file
	added  bool  // the journal knows it
	waited bool  // a record waits for it
}

// awaited tells whether a record for the server waits for a file; those behind it need not be asked for.
func (b *barrier) awaited(server string) bool {
	for f := range b.unread {
		if f.waited && f.server == server {
			return true
		}
	}
	return false
}

// mustWait tells whether a record for the server was accepted after a file that is not read.
func (b *barrier) mustWait(server string, seq int64) bool {
	for f := range b.unread {
		if f.server == server && f.place < seq {
			f.waited = true
			return true
		}
	}
	return false
}

func (b *barrier) heldKeys() []string { return slices.Collect(maps.Keys(b.held)) }

// Expect has later records for the server wait for a file that is about to be accepted. accepted
// says where it stands once the journal knows it; until then every record has to wait for it, also
// those that turn out to stand before it: who waits is found out anew. cancel says that it is not
// accepted after all.
func (q *Queue) Expect(file sources.File, server string) (accepted func(place int64), cancel func()) {
	f := &unreadFile{id: file.ID, name: file.Name, server: server, since: q.Now()}
	q.mu.Lock()
	q.barrier.unread[f] = struct{}{}
	q.mu.Unlock()
	accepted = func(place int64) {
		q.mu.Lock()
		f.place, f.added, f.waited = place, true, false
		q.mu.Unlock()
		q.Notify()
	}
	cancel = func() {
		q.mu.Lock()
		delete(q.barrier.unread, f)
		q.mu.Unlock()
		q.Notify()
	}
	return accepted, cancel
}

// startLimit bounds how long records of the journal wait for the rows that stand before them: a
// share that hangs must not stop everything.
const startLimit = 2 * time.Minute

// FilesScanned has scan start the files whose turn it is. Then those records go on that waited for
// files which were read to their end or to what fits into memory, and for those whose turn has not
// come, which can take long. reading tells whether a file is still being read into memory.
func (q *Queue) FilesScanned(scan func() error, reading func(fileID string) bool) error {
	known := q.knownFiles() // those that are accepted meanwhile count from the next scan on
	if err := scan(); err != nil {
		return err
	}
	gone := false
	for _, f := range known {
		if reading(f.id) {
			if q.Now().Sub(f.since) <= startLimit {
				continue
			}
			q.Log.Warn("a file is slow to read; records are sent without waiting for it any longer", "file", f.name, "waited",
				startLimit)
		}
		q.mu.Lock()
		delete(q.barrier.unread, f)
		q.mu.Unlock()
		gone = true
	}
	if gone {
		q.Notify()
	}
	return nil
}

// knownFiles gives the unread files that the journal knows.
func (q *Queue) knownFiles() (files []*unreadFile) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for f := range q.barrier.unread {
		if f.added {
			files = append(files, f)
		}
	}
	return files
}

// CaughtUp says, once, that every open file has been read to its end or to what fits into memory:
// no more can have been in flight when the last run ended.
func (q *Queue) CaughtUp() { close(q.caughtUp) }

// catchUp waits until rows that may have been in flight when the last run ended are in memory:
// records of their keys that were accepted later come behind them. It is false when ctx ends first.
func (q *Queue) catchUp(ctx context.Context) bool {
	timer := time.NewTimer(startLimit)
	defer timer.Stop()
	select {
	case <-q.caughtUp:
	case <-timer.C:
		q.Log.Warn("open files are slow to read; records are sent without waiting for them any longer", "waited", startLimit)
	case <-ctx.Done():
		return false
	}
	return true
}

// Claim locks the keys of rows in the journal, so that neither a record of the journal nor another
// runner touches them meanwhile. A row whose key is not free becomes a record of the journal, at
// its place behind those before it, and is not among those that may be sent. The error is only that
// the runner ends.
func (q *Queue) Claim(works []work.Work) (kept []work.Work, err error) {
	var rows, behind []work.Row
	kept = make([]work.Work, 0, len(works))
	q.mu.Lock()
	for _, w := range works {
		row, ok := w.(work.Row)
		switch {
		case !ok || q.barrier.locked[w.Key()]:
			kept = append(kept, w)
		case q.barrier.awaitingRequeue[w.Key()] > 0:
			behind = append(behind, row)
		default:
			rows = append(rows, row)
		}
	}
	q.mu.Unlock()
	if len(rows) > 0 {
		given, err := q.lockKeys(rows)
		if err != nil {
			return nil, err
		}
		for i, row := range rows {
			if given[i] {
				kept = append(kept, row)
			} else {
				behind = append(behind, row)
			}
		}
	}
	for _, row := range behind {
		q.awaitRequeue(row.Key())
		row.Settle(work.RowOutcome{Settlement: journal.Settlement{State: journal.Pending, NextTry: q.Now()},
			AwaitingRequeue: true})
		q.finish(row)
	}
	return kept, nil
}

// lockKeys locks the keys of rows whose turn it is, and says which were given. A record that was
// accepted after a row may have been claimed in the moment in which nobody held the key, between
// the outcome of the row before and this one's turn: it is given back, and comes behind the row.
func (q *Queue) lockKeys(rows []work.Row) (given []bool, err error) {
	if given, err = q.askForKeys(rows); err != nil {
		return nil, err
	}
	var denied []work.Row
	var at []int
	for i, ok := range given {
		if !ok && rows[i].Seq() > 0 {
			denied, at = append(denied, rows[i]), append(at, i)
		}
	}
	if len(denied) == 0 {
		return given, nil
	}
	// what is being claimed has entered the queue, and nothing is claimed until the keys are asked for again
	q.claiming.Lock()
	defer q.claiming.Unlock()
	later := q.withdrawLater(denied)
	if len(later) == 0 {
		return given, nil
	}
	seqs := make([]int64, len(later))
	for i, rec := range later {
		seqs[i] = rec.Seq
	}
	if err := q.releaseRecords(seqs); err != nil {
		return nil, err
	}
	q.forget(later)
	retried, err := q.askForKeys(denied)
	if err != nil {
		return nil, err
	}
	for i, ok := range retried {
		given[at[i]] = ok
	}
	return given, nil
}

// askForKeys asks the journal once.
func (q *Queue) askForKeys(rows []work.Row) (given []bool, err error) {
	keys := make([]journal.RowKey, len(rows))
	for i, row := range rows {
		keys[i] = journal.RowKey{Key: row.Key(), Seq: row.Seq()}
	}
	err = q.Writer.Retry("lock the keys of file rows", func(ctx context.Context) (err error) {
		given, err = q.Journal.ClaimKeys(ctx, q.Owner, keys)
		return err
	})
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, key := range keys {
		if given[i] {
			q.barrier.held[key.Key], q.barrier.locked[key.Key] = struct{}{}, true
		}
	}
	return given, nil
}

// withdrawLater takes out the records that wait behind a row whose turn it is though they were accepted after it.
func (q *Queue) withdrawLater(rows []work.Row) (later []*journal.Record) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, row := range rows {
		for _, w := range q.keys.Withdraw(row.Key(), func(w work.Work) bool { return !w.OfFile() && w.Seq() > row.Seq() }) {
			later = append(later, w.(*record).Record)
		}
	}
	return later
}

// awaitRequeue keeps later rows of the key from overtaking one that is about to become a record of the journal.
func (q *Queue) awaitRequeue(key string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.barrier.awaitingRequeue[key]++
}

// Requeued says that rows have become records of the journal, or will be read again, and that the
// journal has freed keys.
func (q *Queue) Requeued(awaited, freed []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, key := range awaited {
		if q.barrier.awaitingRequeue[key]--; q.barrier.awaitingRequeue[key] <= 0 {
			delete(q.barrier.awaitingRequeue, key)
		}
	}
	for _, key := range freed {
		delete(q.barrier.held, key)
	}
}

// Discard undoes what a row held whose file was given up before it was recorded.
func (q *Queue) Discard(key string, o work.RowOutcome) {
	if o.AwaitingRequeue {
		q.Requeued([]string{key}, nil)
	}
	if o.Locked {
		q.releaseKeys([]string{key})
	}
}

// releaseKeys gives keys back to the journal.
func (q *Queue) releaseKeys(keys []string) {
	if len(keys) == 0 {
		return
	}
	err := q.Writer.Retry("release keys", func(ctx context.Context) error {
		return q.Journal.ReleaseKeys(ctx, q.Owner,
			keys)
	})
	if err == nil {
		q.Requeued(nil, keys)
	}
}
