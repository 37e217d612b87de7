package queue

import (
	"context"

	"github.com/culvert/culvert/engine/journal"
)

// mayName tells whether a record that was kept without an id is to get the one that its rule gives now. When
// that has not helped it is sent as it is.
func (q *Queue) mayName(seq int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.named[seq] {
		delete(q.named, seq)
		return false
	}
	q.named[seq] = true
	return true
}

// identify gives claimed records their ids and back to the journal, from where they come again when it is their
// turn among the records of their keys. The error is only that the runner ends.
func (q *Queue) identify(records []*record) error {
	seqs, plain := make([]int64, len(records)), make([]*journal.Record, len(records))
	names := make([]journal.Identification, len(records))
	for i, w := range records {
		seqs[i], plain[i], names[i] = w.Record.Seq, w.Record, *w.name
	}
	if err := q.releaseRecords(seqs); err != nil {
		return err
	}
	var n int64
	err := q.Writer.Retry("give records their ids", func(ctx context.Context) (err error) {
		n, err = q.Journal.Identify(ctx, names)
		return err
	})
	if err != nil {
		return err
	}
	if n == int64(len(names)) {
		q.mu.Lock()
		for _, seq := range seqs {
			delete(q.named, seq)
		}
		q.mu.Unlock()
	}
	q.forget(plain)
	return nil
}

// identified leaves out the records that get their ids first.
func identified(works []*record, settlements []*journal.Settlement) (w []*record, s []*journal.Settlement) {
	for i := range works {
		if works[i].name == nil {
			w, s = append(w, works[i]), append(s, settlements[i])
		}
	}
	return w, s
}
