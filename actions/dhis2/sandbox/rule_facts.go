package sandbox

import (
	"fmt"
	"sort"
	"strings"
	"time"
)

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
	return nil, false, fmt.Errorf("the variable V{%s} is not known", name)
}
