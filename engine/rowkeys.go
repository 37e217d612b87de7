package engine

import (
	"context"

	"github.com/culvert/culvert/engine/journal"
)

// claimKeys takes in the journal the keys of rows whose turn it is, and says which were given. A record that was accepted after a row may have been claimed
// in the moment in which nobody held the key, between the outcome of the row before and this one's turn: it is given back, and comes behind the row.
func (r *Runner) claimKeys(rows []*job) (given []bool, err error) {
	if given, err = r.askForKeys(rows); err != nil {
		return nil, err
	}
	var denied []*job
	var at []int
	for i, ok := range given {
		if !ok && rows[i].row.seq() > 0 {
			denied, at = append(denied, rows[i]), append(at, i)
		}
	}
	if len(denied) == 0 {
		return given, nil
	}
	r.claiming.Lock() // what is being claimed has entered the scheduler, and nothing is claimed until the keys are asked for again
	defer r.claiming.Unlock()
	later := r.sched.withdrawLater(denied)
	if len(later) == 0 {
		return given, nil
	}
	seqs := make([]int64, len(later))
	for i, j := range later {
		seqs[i] = j.rec.Seq
	}
	if err := r.returnClaims(seqs); err != nil {
		return nil, err
	}
	r.feed.drop(later)
	again, err := r.askForKeys(denied)
	if err != nil {
		return nil, err
	}
	for i, ok := range again {
		given[at[i]] = ok
	}
	return given, nil
}

// askForKeys asks the journal once.
func (r *Runner) askForKeys(rows []*job) (given []bool, err error) {
	keys := make([]journal.RowKey, len(rows))
	for i, j := range rows {
		keys[i] = journal.RowKey{Key: j.key(), Seq: j.row.seq()}
	}
	err = r.persist(r.work, "take the keys of file rows", func(ctx context.Context) (err error) {
		given, err = r.journal.ClaimKeys(ctx, r.owner, keys)
		return err
	})
	if err != nil {
		return nil, err
	}
	r.files.claimed(keys, given)
	return given, nil
}
