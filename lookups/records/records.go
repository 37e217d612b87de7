// Package records answers lookups from the project's own journal: the records that were accepted
// before with the same key, and delivered.
package records

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/lookups"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources/tree"
)

// Kind is the lookup in: records.
type Kind struct{}

const (
	collection = "records"
	// maxEarlier is how many earlier records of a key are read, the latest.
	maxEarlier = 1000
	maxDepth   = 200
	workers    = 4
)

// Collections implements rules.AskedKind.
func (Kind) Collections() []string { return []string{collection} }

// Keys implements rules.AskedKind.
func (Kind) Keys(string) []settings.Field {
	return []settings.Field{
		{Name: "rule", Type: settings.Texts, LeftOut: "the rule's own records",
			Doc: "the rules whose earlier records are meant, one or several"},
		{Name: "values", Type: settings.Named, Each: &settings.Field{Ref: "expression"}, LeftOut: "none",
			Doc: "what is kept in mind of each earlier record: expressions over it, as `trigger`, by names of your own"},
	}
}

// Asked is what one lookup asks for.
type Asked struct {
	Rules  []string // empty: the record's own
	values map[string]*expression.Program
	nodes  []*yamlnode.Node // where rules are named
	whole  bool
}

// Compile implements rules.AskedKind.
func (Kind) Compile(_ string, r settings.Reader, _ func(string) (rules.Asked, bool)) rules.Asked {
	a := &Asked{Rules: r.Texts("rule"), values: map[string]*expression.Program{}, whole: len(lookups.Where(r.Config)) == 0}
	if n := r.Node("rule"); n != nil {
		if a.nodes = n.Items(); n.Kind == yamlnode.Scalar {
			a.nodes = []*yamlnode.Node{n}
		}
	}
	if v, ok := r.Sub("values"); ok {
		for _, pair := range v.Config.Pairs() {
			name := pair.Key.Value
			if slices.Contains([]string{"id", "rule", "received"}, name) {
				r.Wrong(pair.Key, "bad-name", name+" is what every earlier record has", "give the value another name")
			}
			a.values[name] = v.Program(name, expression.Anything)
		}
	}
	return a
}

// Named gives where the lookup names rules.
func (a *Asked) Named() []*yamlnode.Node { return a.nodes }

// Fields implements rules.Asked.
func (a *Asked) Fields() []string { return []string{"key"} }

// AsksNothing implements rules.AsksNothing: without where: it is the record's own key.
func (a *Asked) AsksNothing() bool { return a.whole }

// AboutRecord implements rules.AboutRecord.
func (a *Asked) AboutRecord() bool { return true }

// IsList implements rules.Asked.
func (a *Asked) IsList() bool { return false }

// Where names what is asked, for messages.
func (a *Asked) Where() string { return "the project's records" }

// Shape implements rules.Asked.
func (a *Asked) Shape() *expression.Shape {
	fields := map[string]*expression.Shape{"id": expression.TextShape(), "rule": expression.TextShape(),
		"received": expression.DateShape()}
	for name := range a.values {
		fields[name] = expression.Dynamic()
	}
	one := expression.Object(fields)
	return expression.Object(map[string]*expression.Shape{"count": expression.NumberShape(), "first": one, "last": one,
		"all": expression.ListOf(one)})
}

// Same implements lookups.Asked: every record has its own answer.
func (a *Asked) Same() string { return "" }

// Connection implements lookups.Asked.
func (a *Asked) Connection() (*yamlnode.Node, string) { return nil, "" }

// Cache implements lookups.Asked.
func (a *Asked) Cache() (time.Duration, bool) { return 0, false }

// New implements lookups.Kind.
func (Kind) New(env lookups.Env) lookups.Finder { return &finder{env} }

type finder struct{ env lookups.Env }

// Takes implements lookups.Finder.
func (f *finder) Takes(a lookups.Asked) bool {
	_, ok := a.(*Asked)
	return ok
}

// Close implements lookups.Finder.
func (f *finder) Close() {}

// Find implements lookups.Finder.
func (f *finder) Find(ctx context.Context, _ lookups.Asked, questions []rules.Question) ([]actions.Answer, error) {
	answers := make([]actions.Answer, len(questions))
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(workers, len(questions)) {
		wg.Go(func() {
			for i := range next {
				answers[i] = f.answer(ctx, questions[i])
			}
		})
	}
	for i := range questions {
		next <- i
	}
	close(next)
	wg.Wait()
	return answers, nil
}

// answer finds the earlier records of one question.
func (f *finder) answer(ctx context.Context, q rules.Question) (answer actions.Answer) {
	defer lookups.Recovered(func(error) { answer = actions.Answer{Err: failure()} })
	a := q.Asked.(*Asked)
	key := q.Record.Key
	if len(q.Values) > 0 {
		key = q.Values[0]
	}
	names := a.Rules
	if len(names) == 0 {
		names = []string{q.Record.Rule}
	}
	var earlier []lookups.Earlier
	for _, name := range names {
		if f.env.Earlier == nil {
			break // on trial nothing was accepted before
		}
		found, err := f.env.Earlier(ctx, lookups.EarlierQuery{Rule: name, Key: key, Before: q.Record.Seq, Limit: maxEarlier})
		if err != nil {
			return actions.Answer{Err: failure()}
		}
		earlier = append(earlier, found...)
	}
	slices.SortStableFunc(earlier, func(x, y lookups.Earlier) int { return int(min(max(y.Seq-x.Seq, -1), 1)) })
	all, err := a.remembered(earlier, q.Record)
	if err != nil {
		return actions.Answer{Err: err}
	}
	found := map[string]any{"count": len(all), "first": nil, "last": nil, "all": all}
	if len(all) > 0 {
		found["first"], found["last"] = all[0], all[len(all)-1]
	}
	return actions.Answer{Found: []any{found}}
}

// remembered gives what is kept in mind of records, the newest first, in the order in which they were
// accepted: of several versions of one the newest, and none of the record that asks.
func (a *Asked) remembered(earlier []lookups.Earlier, asking rules.RecordRef) ([]any, error) {
	type identity struct{ rule, id string }
	seen := map[identity]bool{{asking.Rule, asking.ID}: true}
	all := []any{}
	for _, e := range earlier {
		who := identity{e.Rule, e.ID}
		if seen[who] || e.Body == nil {
			continue
		}
		seen[who] = true
		body, err := tree.JSON(e.Body, tree.Limits{Depth: maxDepth})
		if err != nil {
			return nil, failure()
		}
		one := map[string]any{"id": e.ID, "rule": e.Rule, "received": e.Received}
		for name, program := range a.values {
			v, err := program.Run(expression.Env{"trigger": body})
			if err != nil {
				return nil, &lookups.Error{Fault: true, Problem: diag.Problem{Code: lookups.CodeValue, Field: name,
					Message: "the value " + name + " of an earlier record cannot be computed: " + err.Error(),
					Hint:    "have the expression in values: take what that record holds, or correct the record"}}
			}
			one[name] = v
		}
		if all = append(all, one); len(all) == maxEarlier {
			break
		}
	}
	slices.Reverse(all)
	return all, nil
}

func failure() error {
	return &lookups.Error{Problem: diag.Problem{Code: lookups.CodeAway, Message: "the journal could not be read",
		Hint: "it is read again by itself"}}
}
