package intake

import (
	"context"
	"slices"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/sources"
)

// versions are the submissions of one batch, each with the record that it is a version of.
type versions struct {
	*edits
	withdrawals []*journal.Record // take back what was written before it was known
}

// inTurn has a batch with edits wait until no other one is being accepted, and gives what ends that:
// an edit may join records that come at the same moment.
func (in *Intake) inTurn(p *program.Program, items []sources.Record, records []*journal.Record) (done func()) {
	for i, rec := range records {
		if known(p, rec) && rules.SubmissionOf(items[i].Body).Edit() {
			in.editing.Lock()
			return in.editing.Unlock
		}
	}
	in.editing.RLock()
	return in.editing.RUnlock
}

// known tells whether a record is known by an id that its rule names.
func known(p *program.Program, rec *journal.Record) bool {
	flow := p.Flow(rec.Rule)
	return flow != nil && flow.Rule != nil && flow.Rule.ID != nil
}

// versions says of each record which other one it is a version of, and makes the records that take
// back what was written for versions of which that was not known. All edits of a batch are heard first.
func (in *Intake) versions(ctx context.Context, p *program.Program, items []sources.Record,
	records []*journal.Record) (*versions, error) {
	v := &versions{edits: in.newEdits()}
	for i, rec := range records {
		if !known(p, rec) {
			continue
		}
		if err := v.learn(ctx, rec, p.Flow(rec.Rule).Rule.Records(), items[i].Body); err != nil {
			return nil, err
		}
	}
	for i, rec := range slices.Backward(records) { // later versions first: they say where the earlier ones stand
		if !known(p, rec) {
			continue
		}
		if err := v.asVersion(ctx, rec, p.Flow(rec.Rule).Rule.Records(), items[i].Body); err != nil {
			return nil, err
		}
	}
	for _, s := range v.split {
		list, err := in.withdraw(ctx, p, s)
		if err != nil {
			return nil, err
		}
		v.withdrawals = append(v.withdrawals, list...)
	}
	return v, nil
}

// appended keeps what was learned once the records have places.
func (v *versions) appended(ctx context.Context, p *program.Program, items []sources.Record,
	records []*journal.Record) error {
	for i, rec := range records {
		if !known(p, rec) {
			continue
		}
		if err := v.standsAt(ctx, p.Flow(rec.Rule).Rule.Records(), rules.SubmissionOf(items[i].Body),
			rec.Order().Seq); err != nil {
			return err
		}
	}
	return v.keep(ctx)
}

// inOrderOfEdits has the versions of one submission that are in one batch take the places that they
// have there in the order in which they were made. It gives the items in that order, and for each of
// them its position in the batch.
func inOrderOfEdits(p *program.Program, given []sources.Record, records []*journal.Record) (items []sources.Record,
	positions []int) {
	positions = make([]int, len(records))
	for i := range positions {
		positions[i] = i
	}
	type name struct{ namespace, id string }
	at := map[name]int{}
	edited := make([]name, len(records)) // the version before
	edits := false
	for i, rec := range records {
		if len(records) < 2 || !known(p, rec) {
			continue
		}
		s, namespace := rules.SubmissionOf(given[i].Body), p.Flow(rec.Rule).Rule.Records()
		at[name{namespace, plainID(s.Instance)}] = i
		if s.Edit() {
			edited[i], edits = name{namespace, plainID(s.Replaces)}, true
		}
	}
	if !edits {
		return given, positions
	}
	chains := map[int][]int{} // by its first version in the batch
	depth := make([]int, len(records))
	for i := range records {
		first := i
		for range maxLinks {
			before, ok := at[edited[first]]
			if !ok || edited[first].id == "" {
				break
			}
			first = before
			depth[i]++
		}
		chains[first] = append(chains[first], i)
	}
	was := slices.Clone(records)
	items = slices.Clone(given)
	for _, places := range chains {
		made := slices.Clone(places)
		slices.SortStableFunc(made, func(a, b int) int { return depth[a] - depth[b] })
		for i, place := range places {
			items[place], records[place], positions[place] = given[made[i]], was[made[i]], made[i]
		}
	}
	return items, positions
}
