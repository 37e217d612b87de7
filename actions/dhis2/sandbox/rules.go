package sandbox

import (
	"fmt"
	"log/slog"
	"sort"
	"strings"
)

// programRule is a rule as the metadata tells it.
type programRule struct {
	uid, name, stage, condition string
	priority                    int
	actions                     []ruleAction

	expr ruleExpr
}

type ruleAction struct {
	kind, content, data    string
	dataElement, attribute string
	option, optionGroup    string

	expr ruleExpr // of data, where it is one
}

type ruleVariable struct {
	source, dataElement, attribute, stage, valueType string
	useCode                                          bool
}

// actions that bear on what is written; the others change a form, which nobody sees here.
var ruleActions = setOf([]string{"SHOWERROR", "SHOWWARNING", "ERRORONCOMPLETE", "WARNINGONCOMPLETE", "SETMANDATORYFIELD", "ASSIGN"})

// ruleEngine holds the compiled rules. It does not change after it was made.
type ruleEngine struct {
	rules     map[string][]*programRule // by program, in order of priority
	variables map[string]map[string]ruleVariable
	skipped   []skippedRule
}

// skippedRule is a rule that is not evaluated, with the reason.
type skippedRule struct{ UID, Name, Reason string }

func newRuleEngine(c *catalog, log *slog.Logger) *ruleEngine {
	e := &ruleEngine{rules: map[string][]*programRule{}, variables: map[string]map[string]ruleVariable{}}
	for program, rules := range c.rules {
		for _, r := range rules {
			if err := e.compile(r); err != nil {
				e.skipped = append(e.skipped, skippedRule{r.uid, r.name, err.Error()})
				continue
			}
			e.rules[program] = append(e.rules[program], r)
		}
		e.variables[program] = c.ruleVariables(program)
	}
	sort.Slice(e.skipped, func(i, j int) bool { return e.skipped[i].UID < e.skipped[j].UID })
	for _, s := range e.skipped {
		log.Warn("program rule is not evaluated", "rule", s.UID, "reason", s.Reason)
	}
	return e
}

func (e *ruleEngine) compile(r *programRule) error {
	var err error
	if r.expr, err = compileRule(r.condition); err != nil {
		return fmt.Errorf("its condition: %w", err)
	}
	for i := range r.actions {
		a := &r.actions[i]
		if strings.TrimSpace(a.data) == "" || !ruleActions[a.kind] {
			continue
		}
		if a.expr, err = compileRule(a.data); err != nil {
			return fmt.Errorf("the data of its action %s: %w", a.kind, err)
		}
	}
	return nil
}

// runRules evaluates the program rules for what is about to be written.
func (im *importer) runRules(a *accepted) {
	engine := im.srv.rules
	for _, e := range a.enrollments {
		if len(engine.rules[e.program.uid]) == 0 {
			continue
		}
		f := im.factsOf(e.program, e.uid)
		f.apply(engine.rules[e.program.uid], im.r.about(enrollmentKind, e.uid), e, nil)
	}
	for _, e := range a.events {
		if len(engine.rules[e.program.uid]) == 0 {
			continue
		}
		id := ""
		if e.program.registration {
			id = e.enrollment
		}
		f := im.factsOf(e.program, id)
		f.current = im.eventFacts(e)
		if !e.program.registration {
			f.events = []*eventFacts{f.current}
		}
		for _, o := range f.events {
			if o.uid == e.uid {
				f.current = o
			}
		}
		f.apply(engine.rules[e.program.uid], im.r.about(eventKind, e.uid), nil, e)
	}
}

// apply evaluates the rules in order and acts on those whose condition holds. One of en and ev is given.
func (f *facts) apply(rules []*programRule, s *subject, en *enrollmentIn, ev *eventIn) {
	for _, r := range rules {
		if r.stage != "" && (ev == nil || r.stage != ev.stage.uid) {
			continue
		}
		v, err := r.expr.eval(f)
		if err != nil || !truth(v) { // a rule that cannot be evaluated on these values does nothing, as on a server
			continue
		}
		for _, a := range r.actions {
			f.act(r, a, s, en, ev)
		}
	}
}

func (f *facts) act(r *programRule, a ruleAction, s *subject, en *enrollmentIn, ev *eventIn) {
	data := ""
	if a.expr != nil {
		v, err := a.expr.eval(f)
		if err != nil {
			return
		}
		data = plainText(v)
	}
	checked, complete := true, false
	if ev != nil {
		checked, complete = checksValues(ev.status, ev.stage), ev.status == "COMPLETED"
	} else {
		complete = en.status == "COMPLETED"
	}
	text := strings.TrimSpace(a.content + " " + data)
	switch a.kind {
	case "SHOWERROR":
		if checked {
			s.error("E1300", r.uid, text)
		}
	case "SHOWWARNING":
		if checked {
			s.warning("E1300", r.uid, text)
		}
	case "ERRORONCOMPLETE":
		if complete {
			s.error("E1300", r.uid, text)
		}
	case "WARNINGONCOMPLETE":
		if complete {
			s.warning("E1300", r.uid, text)
		}
	case "SETMANDATORYFIELD":
		f.mandatory(r, a, s, en, ev, checked)
	case "ASSIGN":
		f.assign(r, a, data, s, en, ev)
	}
}

func (f *facts) mandatory(r *programRule, a ruleAction, s *subject, en *enrollmentIn, ev *eventIn, checked bool) {
	switch {
	case ev != nil && a.dataElement != "" && checked && ev.stage.elements[a.dataElement]:
		switch {
		case f.im.srv.manners >= 41 && clears(ev.values, a.dataElement):
			s.error("E1314", r.uid, a.dataElement)
		case f.current.values[a.dataElement] == "":
			s.error("E1301", r.uid, a.dataElement)
		}
	case en != nil && a.attribute != "":
		switch {
		case f.im.srv.manners >= 41 && empties(en.attributes, a.attribute):
			s.error("E1317", r.uid, a.attribute)
		case f.attributes[a.attribute] == "":
			s.error("E1306", r.uid, a.attribute)
		}
	}
}

// clears tells whether an event takes a value away.
func clears(values []valueIn, uid string) bool {
	for _, v := range values {
		if v.uid == uid && v.value == nil {
			return true
		}
	}
	return false
}

// empties tells whether an enrollment takes an attribute away.
func empties(attributes []attributeIn, uid string) bool {
	for _, a := range attributes {
		if a.uid == uid && a.value == nil {
			return true
		}
	}
	return false
}

// assign sets a value: an empty one is filled, with a warning; another value than the one sent is an error.
func (f *facts) assign(r *programRule, a ruleAction, data string, s *subject, en *enrollmentIn, ev *eventIn) {
	if name, ok := strings.CutPrefix(a.content, "#{"); ok {
		f.calculated[strings.TrimSuffix(name, "}")] = data
	}
	switch {
	case ev != nil && a.dataElement != "" && ev.stage.elements[a.dataElement]:
		switch have := f.current.values[a.dataElement]; {
		case have == "":
			value := data
			ev.values = append(ev.values, valueIn{id: a.dataElement, uid: a.dataElement, value: &value})
			f.current.values[a.dataElement] = data
			s.warning("E1308", r.uid, a.dataElement)
		case order(have, data) != 0:
			s.error("E1307", r.uid, a.dataElement)
		}
	case en != nil && a.attribute != "":
		switch have := f.attributes[a.attribute]; {
		case have == "":
			value := data
			en.attributes = append(en.attributes, attributeIn{id: a.attribute, uid: a.attribute, value: &value})
			f.attributes[a.attribute] = data
			s.warning("E1310", r.uid, a.attribute)
		case order(have, data) != 0:
			s.error("E1309", r.uid, a.attribute)
		}
	}
}

func numericType(t string) bool {
	return t == "NUMBER" || strings.HasPrefix(t, "INTEGER") || t == "PERCENTAGE" || t == "UNIT_INTERVAL"
}
