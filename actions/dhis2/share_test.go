package dhis2

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// ledger is a memory that keeps contributions.
type ledger struct {
	*memory
	mu    sync.Mutex
	given map[string]actions.Contribution // by contributor
	owed  map[string][]string
	// between is called once, after contributions are kept and before anything is sent.
	between func()
}

func newLedger() *ledger {
	return &ledger{memory: newMemory(), given: map[string]actions.Contribution{}, owed: map[string][]string{}}
}

func (l *ledger) Contribute(_ context.Context, list []actions.Contribution) (map[string][]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := map[string][]string{}
	for _, c := range list {
		if before := l.given[c.Contributor]; before.Cell != "" && before.Cell != c.Cell {
			l.owed[c.Contributor] = append(l.owed[c.Contributor], before.Cell)
		}
		l.given[c.Contributor] = c
		left[c.Contributor] = slices.Clone(l.owed[c.Contributor])
	}
	return left, nil
}

func (l *ledger) Totals(_ context.Context, cells []string) (map[string]actions.CellTotal, error) {
	l.mu.Lock()
	totals := map[string]actions.CellTotal{}
	for _, s := range cells {
		tally := actions.CellTotal{Cell: s}
		at := ""
		for _, name := range slices.Sorted(maps.Keys(l.given)) {
			c := l.given[name]
			if c.Cell != s {
				continue
			}
			tally.Count++
			n, _ := strconv.ParseFloat(c.Value, 64)
			tally.Sum += n
			if c.At >= at {
				at, tally.Last = c.At, c.Value
			}
		}
		totals[s] = tally
	}
	between := l.between
	l.between = nil
	l.mu.Unlock()
	if between != nil {
		between()
	}
	return totals, nil
}

func (l *ledger) Settle(_ context.Context, contributors []string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range contributors {
		delete(l.owed, c)
	}
	return nil
}

// aggregating is a target that aggregates, on a fake server.
type tallyBench struct {
	*bench
	ledger *ledger
}

func newTally(t testing.TB) *tallyBench {
	b := newBench(t)
	l := newLedger()
	b.memory = l.memory
	b.target = NewTarget(b.server, countryIndex, l, testOptions())
	return &tallyBench{b, l}
}

// value gives what the server holds of a data element in Coral Health Centre.
func (b *tallyBench) value(element, period, combo string) string {
	if combo == "" {
		combo = country().DefaultOptionCombo()
	}
	return b.server.values[element+"."+period+"."+coral+"."+combo]
}

const (
	testsDone = "ht5dzHrMOFb"
	fridge    = "BFbKZWg6vBC"
	remarks   = "kUncXZ9ti6k"
	females   = "wrjjJhJRWe4"
	males     = "XUn7rstPlzL"
)

const caseSample = `{"id": "1", "on": "2026-03-02", "sex": "f", "tested": "yes", "temp": "4.5", "note": "x"}`

func caseRecord(id, on, sex, tested string) string {
	return fmt.Sprintf(`{"id": %q, "on": %q, "sex": %q, "tested": %q, "temp": "", "note": ""}`, id, on, sex, tested)
}

func TestCountsFollowTheirRecords(t *testing.T) {
	b := newTally(t)
	rule := mustCompile(t, ruleText(`
  - dhis2.data_value:
      data_element: Malaria tests done
      category_option_combo: {from: trigger.sex, map: {f: "Under 5, Females", m: "Under 5, Males"}}
      org_unit: {value: Coral Health Centre}
      period: trigger.on
      value: trigger.tested
      aggregate: count
`), caseSample)
	expect := func(period, f, m string) {
		t.Helper()
		if got := b.value(testsDone, period, females) + "," + b.value(testsDone, period, males); got != f+","+m {
			t.Errorf("%s holds %s, want %s,%s", period, got, f, m)
		}
	}
	want(t, b.deliver(rule.plans(t, caseRecord("1", "2026-03-02", "f", "yes"), caseRecord("2", "2026-03-09", "f", "yes"),
		caseRecord("3", "2026-03-11", "m", "yes"), caseRecord("4", "2026-03-12", "m", "no"))...), "D D D U")
	expect("202603", "2", "1")
	if len(b.server.groups) != 1 {
		t.Errorf("%d requests", len(b.server.groups))
	}
	// The same again changes nothing; a late record counts; a correction of the sex moves one; of the
	// date moves one to another month.
	want(t, b.deliver(rule.plans(t, caseRecord("1", "2026-03-02", "f", "yes"))...), "U")
	want(t, b.deliver(rule.plans(t, caseRecord("5", "2026-03-01", "f", "1"))...), "D")
	expect("202603", "3", "1")
	want(t, b.deliver(rule.plans(t, caseRecord("2", "2026-03-09", "m", "yes"))...), "D")
	expect("202603", "2", "2")
	want(t, b.deliver(rule.plans(t, caseRecord("1", "2026-02-02", "f", "yes"))...), "D")
	expect("202603", "1", "2")
	expect("202602", "1", "")
	// Withdrawn: the last of a month leaves no value behind.
	want(t, b.deliver(rule.plans(t, caseRecord("1", "2026-02-02", "f", ""))...), "D")
	expect("202602", "", "")
}

func TestSumAverageAndLast(t *testing.T) {
	b := newTally(t)
	action := func(id, function, element, set, field string) string {
		return fmt.Sprintf("\n  - dhis2.data_value_set:\n      id: %s\n      data_set: %s\n      org_unit: {value: Coral "+
			"Health Centre}\n      period: trigger.on\n      aggregate: %s\n      values: {%s: trigger.%s}", id, set, function,
			element, field)
	}
	rule := mustCompile(t, ruleText(action("a", "average", "Fridge temperature mean", "Stock weekly report",
		"temp")+action("b", "sum", "ACT doses in stock", "Stock weekly report", "tested")+
		action("c", "last", "Malaria remarks", "Malaria monthly report", "note")), caseSample)
	record := func(id, on, temp, doses, note string) string {
		return fmt.Sprintf(`{"id": %q, "on": %q, "sex": "", "tested": %q, "temp": %q, "note": %q}`, id, on, doses, temp, note)
	}
	want(t, b.deliver(rule.plans(t, record("1", "2026-03-02", "4.1", "10", "first"),
		record("2", "2026-03-04", "4.4", "5", "second"), record("3", "2026-03-03", "", "", "between"))...), "DDD DDD UUD")
	got := []string{b.value(fridge, "2026W10", ""), b.value("E5xlkZMnwPQ", "2026W10", ""), b.value(remarks, "202603", "")}
	if !slices.Equal(got, []string{"4.25", "15", "second"}) {
		t.Errorf("%q", got)
	}
	want(t, b.deliver(rule.plans(t, record("2", "2026-03-04", "4.5", "5", ""))...), "DUD")
	got = []string{b.value(fridge, "2026W10", ""), b.value(remarks, "202603", "")}
	if !slices.Equal(got, []string{"4.3", "between"}) {
		t.Errorf("%q", got)
	}
}

// TestWithdraw takes back what a record wrote under its own id, and nothing that other versions of it write, too.
func TestWithdraw(t *testing.T) {
	b := newTally(t)
	rule := mustCompile(t, ruleText(countRule+`
  - dhis2.data_value_set:
      data_set: Malaria monthly report
      org_unit: {value: Coral Health Centre}
      period: trigger.on
      values: {Malaria remarks: trigger.note}
`), caseSample)
	want(t, b.deliver(rule.plans(t, caseRecord("1", "2026-03-02", "f", "yes"), caseRecord("2", "2026-03-02", "f", "yes"))...),
		"D D")
	scope := rule.rule.Begin(rules.Input{Body: decode(t, caseRecord("1", "2026-03-02", "f", "yes"))})
	if _, _, err := rule.rule.Identify(scope); err != nil {
		t.Fatal(err)
	}
	var writes []actions.Write
	for _, a := range rule.actions {
		back, err := a.(actions.Withdrawer).Withdraw(scope)
		if err != nil {
			t.Fatal(err)
		}
		writes = append(writes, back...)
	}
	want(t, b.deliver(actions.Plan{Record: actions.Ref{Rule: rule.rule.Name}, Writes: writes}), "D")
	if got := b.value(testsDone, "202603", females); got != "1" {
		t.Errorf("the server holds %s", got)
	}
}

const countRule = `
  - dhis2.data_value_set:
      data_set: Malaria monthly report
      org_unit: {value: Coral Health Centre}
      period: trigger.on
      aggregate: count
      values: {Malaria tests done: {"Under 5, Females": trigger.tested}}
`

// TestASlotThatWasLeftIsNotForgotten fails the request that moves a record to another month: the
// month that it left is sent on the next try.
func TestASlotThatWasLeftIsNotForgotten(t *testing.T) {
	b := newTally(t)
	rule := mustCompile(t, ruleText(countRule), caseSample)
	b.deliver(rule.plans(t, caseRecord("1", "2026-03-02", "f", "yes"), caseRecord("2", "2026-03-02", "f", "yes"))...)
	b.server.beforeValues = func(*client.DataValueSet) (*client.DataValueReport, error) {
		return nil, &client.Error{Kind: client.Unreachable, Problem: diag.Problem{Message: "away"}}
	}
	moved := rule.plans(t, caseRecord("1", "2026-02-02", "f", "yes"))
	want(t, b.deliver(moved...), "R")
	b.server.beforeValues = nil
	want(t, b.deliver(moved...), "D")
	if march, february := b.value(testsDone, "202603", females),
		b.value(testsDone, "202602", females); march != "1" || february != "1" {
		t.Errorf("March %q, February %q", march, february)
	}
}

// TestTheLastTotalSentIsTheTrueOne has another runner give and send between our reading and our sending.
func TestTheLastTotalSentIsTheTrueOne(t *testing.T) {
	b := newTally(t)
	rule := mustCompile(t, ruleText(countRule), caseSample)
	other := rule.plans(t, caseRecord("2", "2026-03-02", "f", "yes"))
	target := NewTarget(b.server, countryIndex, b.ledger, testOptions())
	b.ledger.between = func() { want(t, target.Deliver(context.Background(), other), "D") }
	want(t, b.deliver(rule.plans(t, caseRecord("1", "2026-03-02", "f", "yes"))...), "D")
	if got := b.value(testsDone, "202603", females); got != "2" {
		t.Errorf("the server holds %s", got)
	}
	// Many at once, of all cells alike.
	var group sync.WaitGroup
	for n := range 8 {
		plans := rule.plans(t, caseRecord(fmt.Sprintf("p%d", n), "2026-03-05", "f", "yes"))
		group.Go(func() { target.Deliver(context.Background(), plans) })
	}
	group.Wait()
	if got := b.value(testsDone, "202603", females); got != "10" {
		t.Errorf("after all at once the server holds %s", got)
	}
}

func TestAggregatesNeedAMemory(t *testing.T) {
	b := newBench(t)
	results := b.deliver(mustCompile(t, ruleText(countRule), caseSample).plans(t,
		caseRecord("1", "2026-03-02", "f", "yes"))...)
	want(t, results, "F")
	if results[0].Outcomes[0].Code != "no-aggregates" {
		t.Errorf("%+v", results[0].Outcomes[0])
	}
}
