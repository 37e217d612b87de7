package programrules

import (
	"errors"
	"fmt"
	"regexp"
	"sort"
	"strings"
	"time"
)

// Set is the compiled rules of a program. It does not change and is safe for concurrent use.
type Set struct {
	version   int
	rules     []*compiled
	variables map[string]*Variable
	types     map[string]valueType // of the variables, by name
	constants map[string]float64
	groups    map[string]map[string]bool
}

type compiled struct {
	*Rule
	condition  *node
	broken     error // DHIS2 cannot read the condition either
	enrollment []*compiledAction
	event      []*compiledAction
}

type compiledAction struct {
	*Action
	data   *node
	broken error
}

// Skipped is a rule that DHIS2 evaluates and this package does not, with the reason.
type Skipped struct{ UID, Name, Reason string }

// Compile reads the rules of a program for a version of DHIS2, 42 for 2.42. Rules that a server has
// nothing to do for are left out.
func Compile(d Definition, version int) (*Set, []Skipped) {
	s := &Set{version: version, variables: map[string]*Variable{}, types: map[string]valueType{}, constants: d.Constants,
		groups: d.Groups}
	for i := range d.Variables {
		v := &d.Variables[i]
		s.variables[v.Name], s.types[v.Name] = v, typeOf(v.ValueType)
	}
	var skipped []Skipped
	for i := range d.Rules {
		c, err := compileRule(&d.Rules[i], version)
		switch {
		case err != nil:
			skipped = append(skipped, Skipped{d.Rules[i].UID, d.Rules[i].Name, err.Error()})
		case c != nil:
			s.rules = append(s.rules, c)
		}
	}
	sort.SliceStable(s.rules, func(i, j int) bool { return earlier(s.rules[i].Priority, s.rules[j].Priority) })
	if version <= 40 || version == 42 {
		s.groups = groupsInConditions(s.rules, d.Groups)
	}
	return s, skipped
}

// groupInCondition finds an org unit group that a condition asks about.
var groupInCondition = regexp.MustCompile(`d2:inOrgUnitGroup\( *'([^']*)' *\)`)

// groupsInConditions gives the groups that 2.42 and the versions up to 2.40 load: those that a
// condition names; what the data of an action names alone has no org units (DHIS2
// SupplementaryDataProvider).
func groupsInConditions(rules []*compiled, groups map[string]map[string]bool) map[string]map[string]bool {
	named := map[string]map[string]bool{}
	for _, r := range rules {
		for _, m := range groupInCondition.FindAllStringSubmatch(r.Condition, -1) {
			named[m[1]] = groups[m[1]]
		}
	}
	return named
}

// earlier orders by priority; what has none comes last.
func earlier(a, b *int) bool { return a != nil && (b == nil || *a < *b) }

// Empty tells whether there is nothing to evaluate.
func (s *Set) Empty() bool { return s == nil || len(s.rules) == 0 }

func compileRule(r *Rule, version int) (*compiled, error) {
	c := &compiled{Rule: r}
	acts := false
	for i := range r.Actions {
		a := &r.Actions[i]
		if !a.Kind.actsOn(version) {
			continue
		}
		acts = true
		ca := &compiledAction{Action: a}
		if a.Data != "" && a.Kind != SetMandatory && a.Kind != SendMessage {
			if ca.data, ca.broken = parse(a.Data, version); errors.Is(ca.broken, errUnsupported) {
				return nil, fmt.Errorf("the data of its action %s: %w", a.Kind, ca.broken)
			}
		}
		if a.Target != DataElement {
			c.enrollment = append(c.enrollment, ca)
		}
		if a.Target != Attribute {
			c.event = append(c.event, ca)
		}
	}
	if !acts {
		return nil, nil
	}
	if version >= 43 {
		for _, actions := range [][]*compiledAction{c.enrollment, c.event} {
			sort.SliceStable(actions, func(i, j int) bool { return earlier(actions[i].Priority, actions[j].Priority) })
		}
	}
	if r.Condition != "" {
		if c.condition, c.broken = parse(r.Condition, version); errors.Is(c.broken, errUnsupported) {
			return nil, fmt.Errorf("its condition: %w", c.broken)
		}
	}
	return c, nil
}

// Evaluate gives the effects of the rules on an enrollment with its events, or, without one, on the
// events of an event program that are imported together. now is the server's time in its time zone.
func (s *Set) Evaluate(en *Enrollment, events []*Event, user User, now time.Time) Effects {
	history := newHistory(events, s.version)
	out := Effects{Events: map[string][]Effect{}}
	scopeOf := func(ev *Event) *scope {
		return &scope{set: s, enrollment: en, event: ev, history: history, user: user, today: dateOf(now).String(),
			assigned: map[string]*held{}}
	}
	if en != nil {
		sc := scopeOf(nil)
		for _, r := range s.rules {
			if r.Stage == "" {
				out.Enrollment = append(out.Enrollment, s.apply(r, r.enrollment, sc)...)
			}
		}
	}
	for _, ev := range events {
		if !ev.Asked {
			continue
		}
		sc := scopeOf(ev)
		effects := []Effect{}
		for _, r := range s.rules {
			if r.Stage == "" || r.Stage == ev.Stage {
				effects = append(effects, s.apply(r, r.event, sc)...)
			}
		}
		out.Events[ev.UID] = effects
	}
	return out
}

// apply evaluates one rule. What cannot be evaluated is an effect of its own; the other actions of
// the rule still count.
func (s *Set) apply(r *compiled, actions []*compiledAction, sc *scope) []Effect {
	m := &machine{version: s.version, scope: sc}
	holds, err := (*string)(nil), r.broken
	if err == nil {
		holds, err = m.result(r.condition)
	}
	if err != nil {
		return []Effect{failed(r, "its condition", err)}
	}
	if holds == nil || !strings.EqualFold(*holds, "true") {
		return nil
	}
	var failures, effects []Effect
	for _, a := range actions {
		e, err := m.act(r, a)
		switch {
		case err != nil:
			failures = append(failures, failed(r, "its action "+string(a.Kind), err))
		case e != nil:
			effects = append(effects, *e)
		}
	}
	return append(failures, effects...)
}

func failed(r *compiled, what string, err error) Effect {
	return Effect{Rule: r.UID, Kind: Failed, Content: fmt.Sprintf("Rule %s (%s) could not be evaluated: %s: %v", r.Name,
		r.UID, what, err)}
}

// act gives the effect of an action; one that sets a calculated value has none beyond that.
func (m *machine) act(r *compiled, a *compiledAction) (*Effect, error) {
	if a.broken != nil {
		return nil, a.broken
	}
	data := new(string)
	if a.data != nil {
		var err error
		if data, err = m.result(a.data); err != nil {
			return nil, err
		}
	}
	e := &Effect{Rule: r.UID, Kind: a.Kind, Target: a.Target, Field: a.Field, Content: a.Content, Data: data}
	if a.Kind != Assign {
		return e, nil
	}
	value := &held{}
	if data != nil {
		value.text, value.has = *data, true
	}
	if a.Target == NoTarget {
		name, ok := m.variableIn(a.Content)
		if !ok {
			return nil, fmt.Errorf("%q is not the name of a variable", a.Content)
		}
		m.scope.assigned[name] = value
		return m.backed(r, e, name), nil
	}
	m.scope.assigned[a.Field] = value
	return emptied(e), nil
}

// variableIn gives the name of the variable that an action assigns to: of #{name}, from 2.44 on of A{name} too.
func (m *machine) variableIn(content string) (string, bool) {
	name, ok := strings.CutPrefix(content, "#{")
	if !ok && m.version >= 44 {
		name, ok = strings.CutPrefix(content, "A{")
	}
	if !ok {
		return "", false
	}
	return strings.CutSuffix(name, "}")
}

// emptied: assigning an empty text is assigning no value.
func emptied(e *Effect) *Effect {
	if e.Data != nil && *e.Data == "" {
		e.Data = nil
	}
	return e
}

// backed gives the effect of assigning to a variable: none up to 2.43. From 2.44 on its data
// element or attribute is assigned too, an attribute with the enrollment where that is evaluated by
// the same rule.
func (m *machine) backed(r *compiled, e *Effect, name string) *Effect {
	v := m.scope.set.variables[name]
	if m.version < 44 || v == nil || v.Source == Calculated || v.Field == "" {
		return nil
	}
	ofEvent := m.scope.event != nil
	e.Field, e.Target = v.Field, DataElement
	if v.Source == OfAttribute {
		e.Target = Attribute
		if ofEvent && m.scope.enrollment != nil && r.Stage == "" {
			return nil
		}
	} else if !ofEvent {
		return nil
	}
	return emptied(e)
}
