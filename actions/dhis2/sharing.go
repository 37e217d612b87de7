package dhis2

import (
	"context"

	"github.com/culvert/culvert/actions"
)

// maxTallies bounds how often totals are asked for again because others gave to them meanwhile.
const maxTallies = 5

// sum sends aggregates: first it notes durably what the records give, then it sends what their slots come to, and asks again: somebody else may have
// given meanwhile and sent the larger total before ours. Whoever sends last asks last, so that the last total sent is the true one.
func (d *delivery) sum(ctx context.Context, items []*item) {
	ledger, ok := d.memory.(actions.Contributions)
	if !ok || d.rehearse {
		for _, i := range items {
			if d.rehearse {
				i.finish(actions.Outcome{Status: actions.Delivered, Warnings: []string{"aggregates cannot be rehearsed"}})
			} else {
				i.finish(noContributions(i.write.Object.Label()))
			}
		}
		return
	}
	slots, touched, err := contribute(ctx, ledger, items)
	if err != nil {
		d.finishAll(items, retryLater("the journal could not keep what the record gives", err))
		return
	}
	sent := map[string]*item{}
	for range maxTallies {
		changed, err := d.sendTotals(ctx, ledger, slots, touched, sent)
		if err != nil {
			d.finishAll(items, retryLater("the journal could not be read", err))
			return
		}
		if !changed {
			break
		}
	}
	d.settleShares(ctx, ledger, items, touched, sent)
}

func (d *delivery) finishAll(items []*item, o actions.Outcome) {
	for _, i := range items {
		i.finish(o)
	}
}

// contribute notes what the records give. It answers every slot that has to be sent, and which of them each item touched.
func contribute(ctx context.Context, ledger actions.Contributions, items []*item) (slots []string, touched map[*item][]string, err error) {
	var list []actions.Contribution
	for _, i := range items {
		o := i.write.Object.(*dataValueWrite)
		list = append(list, actions.Contribution{Contributor: o.share.contributor, Slot: o.slot(), Value: o.share.value, At: o.share.at})
	}
	left, err := ledger.Contribute(ctx, list)
	if err != nil {
		return nil, nil, err
	}
	touched, seen := map[*item][]string{}, map[string]bool{}
	for n, i := range items {
		own := left[list[n].Contributor]
		if list[n].Slot != "" {
			own = append([]string{list[n].Slot}, own...)
		}
		touched[i] = own
		for _, s := range own {
			if !seen[s] {
				seen[s] = true
				slots = append(slots, s)
			}
		}
	}
	return slots, touched, nil
}

// sendTotals sends the slots whose totals are not what was sent last. It is true when any was sent.
func (d *delivery) sendTotals(ctx context.Context, ledger actions.Contributions, slots []string, touched map[*item][]string, sent map[string]*item) (bool, error) {
	tallies, err := ledger.Tallies(ctx, slots)
	if err != nil {
		return false, err
	}
	var names []string
	values := map[string]*item{}
	for _, s := range slots {
		if i := d.totalOf(s, tallies[s], touched); i != nil {
			values[s] = i
			names = append(names, i.name)
		}
	}
	if err := d.recall(ctx, names); err != nil {
		return false, err
	}
	groups := map[string][]*item{}
	for s, i := range values {
		if before := sent[s]; before != nil && (before.sum == i.sum || !before.good()) {
			continue
		}
		sent[s] = i
		if d.digests[i.name].Sum == i.sum && !i.job.force {
			i.finish(actions.Outcome{Status: actions.Unchanged})
			continue
		}
		set := i.write.Object.(*dataValueWrite).cell.dataSet
		groups[set] = append(groups[set], i)
	}
	for set, group := range groups {
		d.importValues(ctx, set, group)
	}
	return len(groups) > 0, nil
}

// totalOf is the write of a slot's total, in the name of a record that touched it.
func (d *delivery) totalOf(slot string, t actions.Tally, touched map[*item][]string) *item {
	function, c, ok := cellOf(slot)
	if !ok {
		return nil
	}
	e := d.x.DataElementByID(c.dataElement)
	w := &dataValueWrite{blueprint: newBlueprint("", c.dataElement, ImportOptions{}), cell: c, orgUnit: d.x.OrgUnitByID(c.orgUnit), value: total(function, t, e)}
	w.remove = w.value == ""
	if e != nil {
		w.name = e.Name
	}
	if set := d.x.DataSetByID(c.dataSet); set != nil {
		w.set = set.Name
	}
	i := &item{write: actions.Write{Object: w}, name: "DATA_VALUE:" + c.String()}
	for real, own := range touched {
		for _, s := range own {
			if s == slot {
				i.job, i.write.Place, w.place = real.job, real.write.Place, real.write.Object.(*dataValueWrite).place
			}
		}
	}
	i.sum = sumOf(w, nil)
	return i
}

// settleShares gives every record the worst of what became of the slots that it touched, and the journal the totals that were sent.
func (d *delivery) settleShares(ctx context.Context, ledger actions.Contributions, items []*item, touched map[*item][]string, sent map[string]*item) {
	var done []string
	for _, i := range items {
		o := actions.Outcome{Status: actions.Unchanged}
		for _, s := range touched[i] {
			if v := sent[s]; v != nil && v.done && worse(v.outcome.Status, o.Status) {
				o = v.outcome
			}
		}
		i.finish(o)
		if i.good() {
			done = append(done, i.write.Object.(*dataValueWrite).share.contributor)
		}
	}
	for _, v := range sent {
		if v.good() {
			kept := d.digests[v.name]
			kept.Object, kept.Sum = v.name, v.sum
			d.digests[v.name] = kept
			v.job.totals = append(v.job.totals, kept)
		}
	}
	if err := ledger.Settle(ctx, done); err != nil {
		d.log.Warn("slots that were left will be sent once more", "error", err)
	}
}

// worse orders statuses: failures before what heals, before what was sent, before what was not needed.
func worse(a, b actions.Status) bool {
	rank := map[actions.Status]int{actions.Unchanged: 0, actions.Superseded: 0, actions.Delivered: 1, actions.NotTried: 2, actions.Retry: 3, actions.Failed: 4}
	return rank[a] > rank[b]
}
