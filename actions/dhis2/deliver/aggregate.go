package deliver

import (
	"context"
	"fmt"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/codes"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/rules/diag"
)

// maxTotals bounds how often totals are asked for again because others gave to them meanwhile.
const maxTotals = 5

// sum sends aggregates: first it notes durably what the records give, then it sends what their
// cells come to, and asks again: somebody else may have given meanwhile and sent the larger total
// before ours. Whoever sends last asks last, so that the last total sent is the true one.
func (d *delivery) sum(ctx context.Context, items []*item) {
	ledger, ok := d.memory.(actions.Contributions)
	if !ok || d.rehearse {
		for _, i := range items {
			if d.rehearse {
				i.finish(actions.Outcome{Status: actions.Delivered, Warnings: []string{"aggregates cannot be rehearsed"}})
			} else {
				i.finish(noContributions(i.object.Label()))
			}
		}
		return
	}
	cells, touched, err := contribute(ctx, ledger, items)
	if err != nil {
		finishAll(items, codes.Later("the journal could not keep what the record gives", err))
		return
	}
	sent := map[string]*item{}
	for range maxTotals {
		changed, err := d.sendTotals(ctx, ledger, cells, touched, sent)
		if err != nil {
			finishAll(items, codes.Later("the journal could not be read", err))
			return
		}
		if !changed {
			break
		}
	}
	d.settleContributions(ctx, ledger, items, touched, sent)
}

func finishAll(items []*item, o actions.Outcome) {
	for _, i := range items {
		i.finish(o)
	}
}

// contribute notes what the records give. It answers every cell that has to be sent, and which of
// them each item touched.
func contribute(ctx context.Context, ledger actions.Contributions, items []*item) (cells []string,
	touched map[*item][]string, err error) {
	var list []actions.Contribution
	for _, i := range items {
		o := i.object.(*object.DataValue)
		c := o.Contribution
		list = append(list, actions.Contribution{Contributor: c.Contributor, Cell: o.AggregateCell(), Value: c.Value,
			At: c.At})
	}
	left, err := ledger.Contribute(ctx, list)
	if err != nil {
		return nil, nil, err
	}
	touched, seen := map[*item][]string{}, map[string]bool{}
	for n, i := range items {
		own := left[list[n].Contributor]
		if list[n].Cell != "" {
			own = append([]string{list[n].Cell}, own...)
		}
		touched[i] = own
		for _, s := range own {
			if !seen[s] {
				seen[s] = true
				cells = append(cells, s)
			}
		}
	}
	return cells, touched, nil
}

// sendTotals sends the cells whose totals are not what was sent last. It is true when any was sent.
func (d *delivery) sendTotals(ctx context.Context, ledger actions.Contributions, cells []string,
	touched map[*item][]string, sent map[string]*item) (bool, error) {
	totals, err := ledger.Totals(ctx, cells)
	if err != nil {
		return false, err
	}
	var names []string
	values := map[string]*item{}
	for _, s := range cells {
		if i := d.totalOf(s, totals[s], touched); i != nil {
			values[s] = i
			names = append(names, i.name)
		}
	}
	if err := d.Recall(ctx, names); err != nil {
		return false, err
	}
	groups := map[string][]*item{}
	for s, i := range values {
		if before := sent[s]; before != nil && (before.sum == i.sum || !before.succeeded()) {
			continue
		}
		sent[s] = i
		if d.digests[i.name].Sum == i.sum && !i.job.force {
			i.finish(actions.Outcome{Status: actions.Unchanged})
			continue
		}
		set := i.object.(*object.DataValue).Cell.DataSet
		groups[set] = append(groups[set], i)
	}
	for set, group := range groups {
		d.importValues(ctx, set, group)
	}
	return len(groups) > 0, nil
}

// totalOf is the write of a cell's total, in the name of a record that touched it.
func (d *delivery) totalOf(cell string, t actions.CellTotal, touched map[*item][]string) *item {
	function, c, ok := object.CellOf(cell)
	if !ok {
		return nil
	}
	e := d.x.DataElementByID(c.DataElement)
	name := c.DataElement
	if e != nil {
		name = e.Name
	}
	w := &object.DataValue{
		Template: object.NewTemplate("", name, object.ImportOptions{}, nil), Cell: c, OrgUnit: d.x.OrgUnitByID(c.OrgUnit),
		Value: object.Total(function, t, e),
	}
	w.Remove = w.Value == ""
	if set := d.x.DataSetByID(c.DataSet); set != nil {
		w.Set = set.Name
	}
	i := &item{object: w, whole: w, name: w.Name(client.ObjectKey{})}
	for real, own := range touched {
		for _, s := range own {
			if s == cell {
				i.job, i.place, w.Place = real.job, real.place, real.object.(*object.DataValue).Place
			}
		}
	}
	i.sum = w.Digest(nil)
	return i
}

// settleContributions gives every record the worst of what became of the cells that it touched, and
// the journal the totals that were sent.
func (d *delivery) settleContributions(ctx context.Context, ledger actions.Contributions, items []*item,
	touched map[*item][]string, sent map[string]*item) {
	var done []string
	for _, i := range items {
		o := actions.Outcome{Status: actions.Unchanged}
		for _, s := range touched[i] {
			if v := sent[s]; v != nil && v.done && worse(v.outcome.Status, o.Status) {
				o = v.outcome
			}
		}
		i.finish(o)
		if i.succeeded() {
			done = append(done, i.object.(*object.DataValue).Contribution.Contributor)
		}
	}
	for _, v := range sent {
		if v.succeeded() {
			kept := d.digests[v.name]
			kept.Object, kept.Sum = v.name, v.sum
			d.digests[v.name] = kept
			v.job.totals = append(v.job.totals, kept)
		}
	}
	if err := ledger.Settle(ctx, done); err != nil {
		d.log.Warn("cells that were left will be sent once more", "error", err)
	}
}

// worse orders statuses: failures before what heals, before what was sent, before what was not needed.
func worse(a, b actions.Status) bool {
	rank := map[actions.Status]int{actions.Unchanged: 0, actions.Superseded: 0, actions.Delivered: 1, actions.NotTried: 2,
		actions.Retry: 3, actions.Failed: 4}
	return rank[a] > rank[b]
}

// noContributions is the outcome where the journal cannot keep contributions.
func noContributions(label string) actions.Outcome {
	return actions.Outcome{
		Status: actions.Failed, Class: actions.ClassMetadata, Problem: diag.Problem{Code: "no-aggregates",
			Message: fmt.Sprintf("%s: what records give to aggregates cannot be kept in this journal", label),
			Hint:    "leave aggregate out, or use a store that keeps contributions"},
	}
}
