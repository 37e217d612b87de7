package rules

import (
	"fmt"
	"maps"
	"slices"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
)

// ActionSpec is one entry of a rule's actions, before and after its kind has made sense of it.
type ActionSpec struct {
	Kind    string // dhis2.event
	ID      string // as the rule gives it; empty when it gives none
	Number  int    // position in the rule, from 0
	Body    *yamlnode.Node
	Place   diag.Place // of the kind
	ForEach *Expr      // the list that it goes through, the outermost of several
	When    *Expr
	// Server is the server of DHIS2 that it writes to: its own or the rule's, empty for the default
	// one until the loader has set its name.
	Server string
	// After is what must have become of the actions before it that write elsewhere: delivered, failed
	// or settled; empty where the rule does not say.
	After string

	compiler     *compiler
	loops        []*loop                 // for_each, the outermost list first
	outer        *expression.Scope       // of for_each
	inner        *expression.Scope       // of everything else: with item and index where there is for_each
	blank        BlankPolicy             // of fields that say nothing of it
	leaveInvalid bool                    // of fields that say nothing of it
	results      bool                    // for_each or when read the result of another action
	read         map[*yamlnode.Node]bool // values that the kind has compiled
	earlier      map[string]bool         // ids of actions whose results it reads
	faulty       bool                    // the kind reported an error, and may have left the rest unread
}

// actions reads the entries of actions, with the defaults of their kinds laid under them.
func (c *compiler) actions() {
	n := c.root.Get("actions")
	if n == nil {
		c.fault(startOf(c.rule.Path), "missing-key", `the rule has no "actions"`,
			"add actions: with what is done with a record, such as - dhis2.event:")
		return
	}
	items := n.Items()
	if len(items) > maxActions {
		c.fault(n.Place(), "too-complex", fmt.Sprintf("the rule has %d actions; %d is the most", len(items), maxActions),
			"split the rule")
		items = items[:maxActions]
	}
	for _, item := range items {
		for _, p := range item.Pairs()[:min(len(item.Pairs()), 1)] {
			if len(c.env.Kinds) > 0 && c.kind(p.Key.Value) == nil {
				c.fault(p.Key.Place(), "unknown-action", fmt.Sprintf("unknown action %q", p.Key.Value),
					diag.Suggest(p.Key.Value, settings.Names(c.env.Kinds), "actions"))
				continue
			}
			c.action(p.Key, p.Value)
		}
	}
	c.checkDefaults()
}

func (c *compiler) action(key, body *yamlnode.Node) {
	switch {
	case body.Refused():
		return
	case body.IsNull():
		c.fault(key.Place(), "missing-key", fmt.Sprintf("the action %s says nothing of what it writes", key.Value),
			"indent its keys below it, such as program:")
		return
	case body.Kind != yamlnode.Mapping:
		return // the schema has said so
	}
	a := &ActionSpec{Kind: key.Value, Number: len(c.rule.Actions), Place: key.Place(), compiler: c,
		read: map[*yamlnode.Node]bool{}, earlier: map[string]bool{}}
	a.Body = c.included(key.Value, yamlnode.Merge(c.actionDefaults(key.Value), body))
	a.outer = c.scope.Clone()
	for _, id := range c.rule.results {
		a.outer.AddShape(id, expression.Dynamic())
	}
	if a.Body.Get("after") != nil {
		a.After = c.reader(a.Kind, a.Body, actionKeys).Word("after")
		a.outer.AddShape(deliveryName, expression.Dynamic())
		c.rule.afters = true
	}
	a.inner = a.outer
	r := c.reader(a.Kind, a.Body, actionKeys)
	if n := r.Node("for_each"); n != nil {
		a.repeat(n)
	}
	if n := r.Node("when"); n != nil {
		a.When = c.condition(n, a.inner, "the action")
	}
	a.results = a.reads(a.When)
	for _, l := range a.loops {
		a.results = a.reads(l.list) || a.results
	}
	if a.Server = r.Text("server"); a.Server == "" {
		a.Server = c.rule.Server
	}
	a.blank, a.leaveInvalid = blankPolicy(r.Word("blank")), r.Text("invalid") == "omit"
	if n := r.Node("id"); isValue(n) && c.name(n, "an action") {
		a.ID = n.Value
		c.rule.results = append(c.rule.results, a.ID)
	}
	c.rule.Actions = append(c.rule.Actions, a)
}

// reads tells whether an expression reads the result of an action.
func (a *ActionSpec) reads(e *Expr) bool {
	if e == nil {
		return false
	}
	found := false
	for _, name := range e.program.Uses() {
		if slices.Contains(a.compiler.rule.results, name) {
			a.earlier[name], found = true, true
		}
	}
	return found
}

// Earlier lists the ids of the actions whose results the action reads, sorted.
func (a *ActionSpec) Earlier() []string { return slices.Sorted(maps.Keys(a.earlier)) }

// deliveryName is what expressions of an action with after: call the delivery that it comes after.
const deliveryName = "delivery"

// kind gives what is declared of a kind of action; nil when there is none of that name.
func (c *compiler) kind(name string) *settings.Spec {
	i := slices.IndexFunc(c.env.Kinds, func(s settings.Spec) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &c.env.Kinds[i]
}

// actionDefaults gives what the rule and the files it inherits from set for a kind: under `actions`
// for all, under the kind for its own.
func (c *compiler) actionDefaults(kind string) *yamlnode.Node {
	defaults := c.root.Get("defaults")
	known := c.kind(kind)
	forAll := defaults.Get("actions").Only(func(key string) bool {
		return known != nil && (known.Field(key) != nil || settings.Find(actionKeys, key) != nil)
	})
	return yamlnode.Merge(forAll, defaults.Get(kind))
}

// actionWords gives the words in the expressions of an action, its defaults among them.
func (c *compiler) actionWords(kind string, body *yamlnode.Node) []string {
	known := c.kind(kind)
	return wordsIn(yamlnode.Merge(c.actionDefaults(kind), body).Only(func(key string) bool {
		return known == nil || known.Field(key) == nil || known.Field(key).Ref != "name"
	}))
}

// checkDefaults reports defaults that reach no action: of this file only, for other rules may use
// those of a shared one.
func (c *compiler) checkDefaults() {
	for _, p := range c.doc.Root.Get("defaults").Pairs() {
		if p.Key.Value == "actions" || slices.ContainsFunc(c.rule.Actions,
			func(a *ActionSpec) bool { return a.Kind == p.Key.Value }) {
			continue
		}
		if c.kind(p.Key.Value) != nil {
			c.warn(p.Key.Place(), "unused-defaults", fmt.Sprintf("no action of this rule is a %s, so these defaults do nothing",
				p.Key.Value), "remove them")
		}
	}
}

// Rule is the rule that the action belongs to.
func (a *ActionSpec) Rule() *Rule { return a.compiler.rule }

// Samples gives the records of the trigger's sample, for checks that need real values; nil when
// there are none. It is valid until Finish.
func (a *ActionSpec) Samples() []any { return a.compiler.samples }

// Report adds a finding about the action.
func (a *ActionSpec) Report(d diag.Diagnostic) {
	a.faulty = a.faulty || d.Severity == diag.Error
	a.compiler.report(d)
}

// Expression compiles a scalar node as an expression in the action's scope; nil when it is wrong,
// which is then reported.
func (a *ActionSpec) Expression(n *yamlnode.Node, want expression.Want) *Expr {
	if n == nil {
		return nil
	}
	a.read[n] = true
	e := a.compiler.expr(n, a.inner, want)
	a.note(e)
	return e
}

// note keeps which lookups every record needs, and reports those that only make sense for an item.
func (a *ActionSpec) note(e *Expr) {
	if e == nil {
		return
	}
	a.reads(e)
	r := a.compiler.rule
	for _, i := range e.needs {
		switch l := r.Lookups[i]; {
		case l.depth > 1 && l.depth > len(a.loops):
			a.compiler.fault(e.Place, "item-outside-for-each",
				fmt.Sprintf("the lookup %q is about the %s of an item, and for_each of this action does not go through lists "+
					"inside of each other", l.Name, outerNames[l.depth-1].item),
				"name the outer list too, such as for_each: [trigger.visits, item.children], or look up what the item itself holds")
		case l.perItem && len(a.loops) == 0:
			a.compiler.fault(e.Place, "item-outside-for-each",
				fmt.Sprintf("the lookup %q is about the item of a for_each, and this action has none", l.Name),
				"add for_each: to the action, or look up what the record itself holds")
		case l.perItem || a.ForEach != nil || a.When != nil || slices.Contains(r.eager, i):
		default:
			r.eager = append(r.eager, i)
		}
	}
}

// DeclareResult says which fields later actions may read from this one by its id.
func (a *ActionSpec) DeclareResult(fields ...string) {
	if a.ID == "" {
		return
	}
	for _, later := range a.compiler.rule.Actions[a.Number+1:] {
		later.outer.AddFields(a.ID, fields...)
		for _, l := range later.loops {
			l.scope.AddFields(a.ID, fields...)
		}
		later.inner.AddFields(a.ID, fields...)
	}
}

// declaredWrite is a field of an object that an action writes.
type declaredWrite struct {
	server, object, field string
	place                 diag.Place
}

// DeclareWrite says that the action writes a field. The object names what the field belongs to,
// such that two rules name it alike when they write to the same object for the same external id.
// CheckProject warns of fields that two rules write.
func (a *ActionSpec) DeclareWrite(object, field string, place diag.Place) {
	r := a.compiler.rule
	r.writes = append(r.writes, declaredWrite{server: a.Server, object: object, field: field, place: place})
}

// IsUnknownName tells whether a text is one plain name that nothing in the action's scope has: where
// a key takes words of its own or an expression, it is a word that was misspelt.
func (a *ActionSpec) IsUnknownName(text string) bool {
	return identifier.MatchString(text) && !expression.IsReserved(text) && !slices.Contains(a.inner.Names(), text)
}
