package sandbox

import (
	"fmt"
	"log/slog"
	"sort"
	"strings"
	"time"
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

// eventFacts is what rules see of an event: what is stored with what is sent on top.
type eventFacts struct {
	uid, stage, status string
	date, due          *time.Time
	values             map[string]string
}

// facts is the ground on which rules are evaluated for one event or enrollment. It is a ruleScope.
type facts struct {
	im         *importer
	program    *program
	variables  map[string]ruleVariable
	attributes map[string]string
	enrollment *enrollmentFacts
	current    *eventFacts // nil while an enrollment is evaluated
	events     []*eventFacts
	calculated map[string]string
}

type enrollmentFacts struct {
	uid, status, orgUnit string
	enrolled, occurred   *time.Time
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

func (im *importer) eventFacts(e *eventIn) *eventFacts {
	f := &eventFacts{uid: e.uid, stage: e.stage.uid, status: e.status, date: e.occurred, due: e.scheduled, values: map[string]string{}}
	if e.old != nil {
		for _, v := range e.old.Values {
			f.values[v.Element] = v.Value
		}
	}
	for _, v := range e.values {
		if v.value == nil {
			delete(f.values, v.uid)
		} else {
			f.values[v.uid] = *v.value
		}
	}
	return f
}

func (im *importer) factsOf(p *program, enrollment string) *facts {
	f := &facts{im: im, program: p, variables: im.srv.rules.variables[p.uid], attributes: map[string]string{}, calculated: map[string]string{}}
	entity := ""
	if old := im.st.enrollments[enrollment]; old != nil {
		entity = old.Entity
		enrolled := old.Enrolled
		f.enrollment = &enrollmentFacts{old.UID, old.Status, old.OrgUnit, &enrolled, old.Occurred}
	}
	if in := im.b.enrollmentBy[enrollment]; in != nil {
		entity = in.entity
		f.enrollment = &enrollmentFacts{in.uid, in.status, in.orgUnitID, in.enrolled, in.occurred}
	}
	im.attributeFacts(f, entity, enrollment)
	sent := map[string]bool{}
	for _, e := range im.eventsIn(enrollment) {
		if e.stage != nil && !im.r.isInvalid(eventKind, e.uid) {
			sent[e.uid] = true
			f.events = append(f.events, im.eventFacts(e))
		}
	}
	for _, e := range im.st.eventsOf[enrollment] {
		if e.Deleted || sent[e.UID] {
			continue
		}
		o := &eventFacts{uid: e.UID, stage: e.Stage, status: e.Status, date: e.Occurred, due: e.Scheduled, values: map[string]string{}}
		for _, v := range e.Values {
			o.values[v.Element] = v.Value
		}
		f.events = append(f.events, o)
	}
	sort.SliceStable(f.events, func(i, j int) bool { return before(f.events[i].date, f.events[j].date) })
	return f
}

func before(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == nil && b != nil
	}
	return a.Before(*b)
}

func (im *importer) attributeFacts(f *facts, entity, enrollment string) {
	if t := im.st.entities[entity]; t != nil {
		for _, a := range t.Attributes {
			f.attributes[a.Attribute] = a.Value
		}
	}
	put := func(attrs []attributeIn) {
		for _, a := range attrs {
			if a.value == nil {
				delete(f.attributes, a.uid)
			} else {
				f.attributes[a.uid] = *a.value
			}
		}
	}
	if t := im.b.entityBy[entity]; t != nil {
		put(t.attributes)
	}
	if e := im.b.enrollmentBy[enrollment]; e != nil {
		put(e.attributes)
	}
}

// eventsIn gives the events of an enrollment within the request.
func (im *importer) eventsIn(enrollment string) []*eventIn {
	if im.eventsBy == nil {
		im.eventsBy = make(map[string][]*eventIn, len(im.b.events))
		for _, e := range im.b.events {
			im.eventsBy[e.enrollment] = append(im.eventsBy[e.enrollment], e)
		}
	}
	return im.eventsBy[enrollment]
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
		if f.current.values[a.dataElement] == "" {
			s.error("E1301", r.uid, a.dataElement)
		}
	case en != nil && a.attribute != "":
		if f.attributes[a.attribute] == "" {
			s.error("E1306", r.uid, a.attribute)
		}
	}
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

// variable is part of ruleScope.
func (f *facts) variable(kind byte, name string) (ruleValue, bool, error) {
	switch kind {
	case 'V':
		return f.system(name)
	case 'C':
		return nil, false, fmt.Errorf("the constant %s is not known", name)
	}
	if v, ok := f.calculated[name]; ok {
		return v, v != "", nil
	}
	v, ok := f.variables[name]
	if !ok {
		return nil, false, fmt.Errorf("the variable %s is not known", name)
	}
	text := f.lookUp(v)
	if text == "" {
		return emptyOf(v.valueType), false, nil
	}
	return typed(text, v.valueType), true, nil
}

func (f *facts) lookUp(v ruleVariable) string {
	var text, set string
	switch v.source {
	case "TEI_ATTRIBUTE":
		text = f.attributes[v.attribute]
		if a := f.im.c.attributes[v.attribute]; a != nil {
			set = a.optionSet
		}
	case "DATAELEMENT_CURRENT_EVENT":
		if f.current != nil {
			text = f.current.values[v.dataElement]
		}
	case "DATAELEMENT_PREVIOUS_EVENT":
		for _, e := range f.events {
			if e == f.current {
				break
			}
			if x := e.values[v.dataElement]; x != "" {
				text = x
			}
		}
	default: // newest event of the program, or of a stage of it
		for _, e := range f.events {
			if x := e.values[v.dataElement]; x != "" && (v.stage == "" || e.stage == v.stage) {
				text = x
			}
		}
	}
	if de := f.im.c.dataElements[v.dataElement]; de != nil {
		set = de.optionSet
	}
	if s := f.im.c.optionSets[set]; s != nil && !v.useCode && s.nameOf[text] != "" {
		return s.nameOf[text]
	}
	return text
}

// all is part of ruleScope.
func (f *facts) all(name string) []string {
	v := f.variables[name]
	var out []string
	for _, e := range f.events {
		if x := e.values[v.dataElement]; x != "" {
			out = append(out, x)
		}
	}
	return out
}

func numericType(t string) bool {
	return t == "NUMBER" || strings.HasPrefix(t, "INTEGER") || t == "PERCENTAGE" || t == "UNIT_INTERVAL"
}

func emptyOf(valueType string) ruleValue {
	switch {
	case numericType(valueType):
		return 0.0
	case valueType == "BOOLEAN" || valueType == "TRUE_ONLY":
		return false
	}
	return ""
}

func typed(text, valueType string) ruleValue {
	switch {
	case numericType(valueType):
		return float(text)
	case valueType == "BOOLEAN" || valueType == "TRUE_ONLY":
		return strings.EqualFold(text, "true")
	}
	return text
}

func dateText(t *time.Time) (ruleValue, bool, error) {
	if t == nil {
		return "", false, nil
	}
	return t.Format("2006-01-02"), true, nil
}

// system gives V{name}.
func (f *facts) system(name string) (ruleValue, bool, error) {
	en := f.enrollment
	if en == nil {
		en = &enrollmentFacts{}
	}
	ev := f.current
	if ev == nil {
		ev = &eventFacts{}
	}
	switch name {
	case "current_date":
		now := f.im.srv.now()
		return dateText(&now)
	case "event_date":
		return dateText(ev.date)
	case "due_date":
		return dateText(ev.due)
	case "enrollment_date":
		return dateText(en.enrolled)
	case "incident_date":
		return dateText(en.occurred)
	case "event_status":
		return ev.status, ev.status != "", nil
	case "enrollment_status":
		return en.status, en.status != "", nil
	case "event_id":
		return ev.uid, ev.uid != "", nil
	case "enrollment_id":
		return en.uid, en.uid != "", nil
	case "program_stage_id":
		return ev.stage, ev.stage != "", nil
	case "program_stage_name":
		if st := f.im.c.stages[ev.stage]; st != nil {
			return st.name, true, nil
		}
		return "", false, nil
	case "program_name":
		return f.program.name, true, nil
	case "event_count":
		return float64(len(f.events)), true, nil
	case "enrollment_count":
		return 1.0, true, nil
	case "environment":
		return "Server", true, nil
	case "org_unit":
		return en.orgUnit, en.orgUnit != "", nil
	}
	return nil, false, fmt.Errorf("V{%s} is not known", name)
}
