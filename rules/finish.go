package rules

import (
	"fmt"
	"slices"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/yamlnode"
)

// maxSampleValues is how many values of a sample one finding names.
const maxSampleValues = 5

// Finish reports what is known only when the actions have been compiled: lookups and maps that
// nothing reads, conditions on results that no action has, and values of the sample that a map does
// not cover. It lets go of what only compiling needs.
func (r *Rule) Finish() {
	c := r.compiler
	if c == nil {
		return
	}
	c.recheckResults()
	for _, a := range r.Actions {
		if a.faulty || len(a.read) == 0 {
			a.checkRest()
		}
	}
	c.unused()
	c.undeclaredMissing()
	if !r.findings.List.HasErrors() {
		c.trySamples()
		c.sampleIDs()
		c.lastingIDs()
		c.unsentByKobo()
	}
	r.compiler.samples, r.compiler.root = nil, nil
}

// recheckResults compiles for_each and when again where they read results, now that it is known
// which fields those have.
func (c *compiler) recheckResults() {
	for _, a := range c.rule.Actions {
		if !a.results {
			continue
		}
		for _, l := range a.loops {
			if l.list != nil {
				l.list = c.expr(l.list.node, l.scope, expression.List)
			}
		}
		if len(a.loops) > 0 {
			a.ForEach = a.loops[0].list
		}
		if a.When != nil {
			a.When = c.expr(a.When.node, a.inner, expression.Condition)
		}
	}
}

// checkRest compiles the values that the action's kind left unread because something else in the
// action was wrong, or because there is no metadata to compile against: a mistake in them is to be
// reported in the same run.
func (a *ActionSpec) checkRest() {
	known := a.compiler.kind(a.Kind)
	if known == nil {
		return
	}
	for _, p := range a.Body.Pairs() {
		if f := known.Field(p.Key.Value); f != nil && f.HoldsExpressions() {
			a.checkValues(p.Key.Value, p.Value, 0)
		}
	}
}

// deepest is how far values lie in one another: values, data element, category option combo.
const deepest = 3

// checkValues compiles a value, or those of a mapping of names to values.
func (a *ActionSpec) checkValues(name string, n *yamlnode.Node, depth int) {
	switch {
	case depth > deepest || a.read[n]:
	case n.Kind == yamlnode.Mapping && n.Get("from") == nil && n.Get("value") == nil:
		for _, p := range n.Pairs() {
			a.checkValues(p.Key.Value, p.Value, depth+1)
		}
	case n.Kind != yamlnode.Sequence:
		a.Field(name, n)
	}
}

// unused reports lookups and maps of this file that no expression reads; those of shared files may
// serve other rules. Where an action could not be compiled, what stands in it counts as read.
func (c *compiler) unused() {
	if c.findings.List.HasErrors() {
		for _, a := range c.rule.Actions {
			if c.markWords(a.Body) {
				return // nobody knows what the part that could not be read would have used
			}
		}
	}
	for _, kind := range []struct{ key, unread, hint string }{
		{"lookups", "nothing reads the lookup %q", "remove it, or use it, such as org_unit: %s"},
		{"maps", "nothing reads the value map %q", "remove it, or use it, such as {from: ..., map: %s}"},
	} {
		for _, p := range c.doc.Root.Get(kind.key).Pairs() {
			if name := p.Key.Value; !c.used[name] && c.names[name] == p.Key.Place() {
				c.warn(p.Key.Place(), "unused-"+kind.key[:len(kind.key)-1],
					fmt.Sprintf(kind.unread, name), fmt.Sprintf(kind.hint, name))
			}
		}
	}
}

// markWords counts every word of an action as read; it tells whether a part of it was refused as YAML.
func (c *compiler) markWords(n *yamlnode.Node) (refused bool) {
	refused = n.Refused()
	for _, p := range n.Pairs() {
		refused = c.markWords(p.Value) || refused
	}
	for _, item := range n.Items() {
		refused = c.markWords(item) || refused
	}
	if isValue(n) {
		for _, word := range wordPattern.FindAllString(n.Value, -1) {
			c.used[word] = true
		}
	}
	return refused
}

// trySamples evaluates conditions, mapped fields and those that their kind doubts on the records of
// the sample.
func (c *compiler) trySamples() {
	r := c.rule
	tried := slices.DeleteFunc(slices.Clone(c.fields), func(f *Field) bool {
		return f.From == nil || f.Map == nil && f.TryOnSample == nil && f.CannotCome == nil
	})
	if len(c.samples) == 0 || r.When == nil && len(tried) == 0 {
		return
	}
	uncovered, doubted := map[*Field][]string{}, map[*Field]bool{}
	taken := 0
	for i, body := range c.samples {
		s := r.Begin(Input{Body: body})
		if ok, err := r.Filter(s); err != nil || !ok {
			continue
		}
		taken++
		if len(tried) == 0 {
			break
		}
		for _, f := range tried {
			// What fails here for other reasons is the matter of `try` and of the tests.
			_ = f.action.Each(s, func(s *Scope) error {
				if f.Map != nil {
					uncovered[f] = f.uncovered(s, uncovered[f])
				}
				if !doubted[f] {
					doubted[f] = c.doubt(f, s, i)
				}
				return nil
			})
		}
	}
	if taken == 0 && r.When != nil {
		c.warn(r.When.Place, "sample-skipped", "this condition is false for every record of the sample",
			"compare it with "+r.Trigger.Sample+", or name a sample that the rule is about")
	}
	for _, f := range c.fields {
		if values := uncovered[f]; len(values) > 0 {
			c.report(diag.Diagnostic{
				Severity: diag.Warning, Problem: diag.Problem{Code: "map-not-covering",
					Message: fmt.Sprintf("%s does not cover %s, which %q has in the sample", f.Map.label(),
						diag.Names(values, "and"),
						f.Name),
					Hint: "add a line for each, or say with other: what becomes of such values", Place: f.mapPlace},
				Related: []diag.Related{{Place: f.Map.Place, Message: "the map stands here"}},
			})
		}
	}
}

// uncovered adds the values of a record of the sample that the field's map does not have.
func (f *Field) uncovered(s *Scope, known []string) []string {
	v, err := f.From.Eval(s)
	if err != nil {
		return known
	}
	for _, one := range asList(withoutAttributes(v)) {
		if text := textOf(one); !f.Map.isCovered(one) && len(known) < maxSampleValues && !slices.Contains(known, text) {
			known = append(known, text)
		}
	}
	return known
}

// doubt reports what the field's kind doubts in a record of the sample, and whether there is something.
func (c *compiler) doubt(f *Field, s *Scope, record int) bool {
	for _, try := range []struct {
		find   func(*Scope) *Failure
		report func(at diag.Place, code, message, hint string)
	}{{f.CannotCome, c.fault}, {f.TryOnSample, c.warn}} {
		if try.find == nil {
			continue
		}
		if d := try.find(s); d != nil {
			try.report(d.Place, d.Code, fmt.Sprintf("in record %d of the sample, %s", record+1, d.Message), d.Hint)
			return true
		}
	}
	return false
}

func asList(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}
