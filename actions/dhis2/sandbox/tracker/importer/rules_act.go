package importer

import (
	"math"
	"strconv"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/programrules"
	"github.com/culvert/culvert/actions/dhis2/sandbox/valuetype"
)

// runRules evaluates the program rules on what is about to be written and acts on their effects:
// errors, warnings, values assigned, events scheduled. What is assigned is validated as what is
// sent (DHIS2 RuleEngineValidator).
func (im *importer) runRules(a *accepted) {
	enrollments, events := im.evaluateRules(a)
	sc := im.newScheduler()
	im.filtered = true
	if im.endedEarly() { // what was validated is not found anything new in
		for _, t := range a.entities {
			if t.entityType == nil {
				im.crash("Cannot invoke \"org.hisp.dhis.trackedentity.TrackedEntityType.getUid()\" because " +
					"\"trackedEntityType\" is null")
				return
			}
			im.entityAttributes(im.r.about(trackedEntityKind, t.uid), t)
		}
	}
	for _, e := range a.enrollments {
		s := im.r.about(enrollmentKind, e.uid)
		sent := im.attributesSent(e)
		assigned := false
		for _, effect := range enrollments[e.uid] {
			switch effect.Kind {
			case programrules.Assign:
				im.assignAttribute(s, e, effect, sent)
				assigned = true
			case programrules.SetMandatory:
				im.mandatoryAttribute(s, e, effect)
			case programrules.ScheduleEvent:
				sc.schedule(s, effect, ofEnrollment(e))
			default:
				show(s, effect, e.status == "COMPLETED")
			}
		}
		if assigned || im.endedEarly() || im.r.isInvalid(trackedEntityKind, e.entity) {
			im.holders, im.holdersRead = nil, false
			im.enrollmentAttributes(s, e)
		}
	}
	for _, e := range a.events {
		im.applyToEvent(e, events[e.uid], sc)
	}
	a.events = append(a.events, sc.events...)
}

// applyToEvent acts on effects where the stage wants values to be checked, and on its data elements alone.
func (im *importer) applyToEvent(e *eventIn, effects []programrules.Effect, sc *scheduler) {
	s := im.r.about(eventKind, e.uid)
	if e.stage == nil {
		im.crash("Cannot invoke \"org.hisp.dhis.program.ProgramStage.getProgramStageDataElements()\" because " +
			"\"programStage\" is null")
		return
	}
	if !checksValues(e.status, e.stage) {
		if im.endedEarly() {
			im.eventValues(s, e)
		}
		return
	}
	assigned := false
	for _, effect := range effects {
		if effect.Target != programrules.NoTarget && !e.stage.Elements[effect.Field] {
			continue
		}
		switch effect.Kind {
		case programrules.Assign:
			im.assignValue(s, e, effect)
			assigned = true
		case programrules.SetMandatory:
			mandatoryValue(s, e, effect)
		case programrules.ScheduleEvent:
			sc.schedule(s, effect, ofEvent(e))
		default:
			show(s, effect, e.status == "COMPLETED")
		}
	}
	if assigned || im.endedEarly() {
		im.eventValues(s, e)
	}
}

// show reports a message. It ends with the data, where there is any, and the uid of its field.
func show(s *subject, e programrules.Effect, complete bool) {
	if e.Kind == programrules.Failed {
		s.warning("E1300", e.Rule, e.Content)
		return
	}
	var parts []string
	if e.Content != "" {
		parts = append(parts, e.Content)
	}
	if e.Data != nil {
		parts = append(parts, *e.Data)
	}
	if e.Target != programrules.NoTarget {
		parts = append(parts, "("+e.Field+")")
	}
	text := strings.Join(parts, " ")
	switch {
	case e.Kind == programrules.ShowError, e.Kind == programrules.ErrorOnComplete && complete:
		s.error("E1300", e.Rule, text)
	case e.Kind == programrules.ShowWarning, e.Kind == programrules.WarningOnComplete && complete:
		s.warning("E1300", e.Rule, text)
	}
}

// mandatoryValue: a value that is sent or stored will do, but not one that is taken away.
func mandatoryValue(s *subject, e *eventIn, effect programrules.Effect) {
	given := false
	for _, v := range e.values {
		if v.uid != effect.Field {
			continue
		}
		if v.value == nil {
			s.error("E1314", effect.Rule, effect.Field)
			return
		}
		given = true
	}
	if e.old != nil && !given {
		_, given = e.old.Value(effect.Field)
	}
	if !given {
		s.error("E1301", effect.Rule, effect.Field)
	}
}

func (im *importer) mandatoryAttribute(s *subject, e *enrollmentIn, effect programrules.Effect) {
	for _, a := range e.attributes {
		if a.uid == effect.Field {
			if a.value == nil || *a.value == "" {
				s.error("E1317", effect.Rule, effect.Field)
			}
			return
		}
	}
	if !im.entityHas(e.entity, effect.Field) {
		s.error("E1306", effect.Rule, effect.Field)
	}
}

// assignValue sets a value that was not sent; another one than what was sent is an error. No value
// is one too: it takes away what is stored.
func (im *importer) assignValue(s *subject, e *eventIn, effect programrules.Effect) {
	de := im.c.DataElements[effect.Field]
	if de == nil {
		return
	}
	var sent *valueIn
	for i := range e.values {
		if e.values[i].uid == effect.Field {
			sent = &e.values[i]
		}
	}
	if set := im.c.OptionSets[de.OptionSet]; im.version <= 40 && set != nil &&
		(effect.Data == nil || !set.Codes[*effect.Data]) {
		// up to 2.40 what is no option is not assigned
		if sent != nil && sent.value != nil {
			s.error("E1307", effect.Rule, effect.Field, "")
			return
		}
		s.warning("E1308", effect.Rule, effect.Field, e.uid)
		return
	}
	switch {
	case sent == nil:
		e.values = append(e.values, valueIn{id: effect.Field, uid: effect.Field, value: effect.Data})
	case sameValue(effect.Data, sent.value, de.ValueType):
		sent.value = effect.Data
	default:
		s.error("E1307", effect.Rule, effect.Field, spell(effect.Data))
		return
	}
	s.warning("E1308", effect.Rule, effect.Field, e.uid)
}

// attributesSent gives the attributes that came with an enrollment or its tracked entity, before rules assign any.
func (im *importer) attributesSent(e *enrollmentIn) map[string]bool {
	sent := map[string]bool{}
	for _, a := range e.attributes {
		sent[a.uid] = true
	}
	if t := im.b.entityBy[e.entity]; t != nil {
		for _, a := range t.attributes {
			sent[a.uid] = true
		}
	}
	return sent
}

// assignAttribute sets an attribute where it was sent, with the tracked entity first, else with the enrollment.
func (im *importer) assignAttribute(s *subject, e *enrollmentIn, effect programrules.Effect, sent map[string]bool) {
	a := im.c.Attributes[effect.Field]
	if a == nil {
		return
	}
	ofEntity, ofEnrollment := (*attributeIn)(nil), findAttribute(e.attributes, effect.Field)
	if t := im.b.entityBy[e.entity]; t != nil {
		ofEntity = findAttribute(t.attributes, effect.Field)
	}
	if sent[effect.Field] {
		first := ofEnrollment
		if first == nil {
			first = ofEntity
		}
		if !sameValue(effect.Data, first.value, a.ValueType) {
			s.error("E1309", effect.Rule, effect.Field, spell(effect.Data))
			return
		}
	}
	switch {
	case ofEntity != nil:
		ofEntity.value = effect.Data
	case ofEnrollment != nil:
		ofEnrollment.value = effect.Data
	default:
		e.attributes = append(e.attributes, attributeIn{id: effect.Field, uid: effect.Field, value: effect.Data})
	}
	s.warning("E1310", effect.Rule, effect.Field, e.entity)
}

func findAttribute(attrs []attributeIn, uid string) *attributeIn {
	for i := range attrs {
		if attrs[i].uid == uid {
			return &attrs[i]
		}
	}
	return nil
}

func spell(value *string) string {
	if value == nil {
		return "NULL"
	}
	return *value
}

// sameValue compares as text, and as numbers where the type is one (DHIS2 MathUtils.isEqual).
func sameValue(a, b *string, valueType string) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	if *a == *b {
		return true
	}
	if !valuetype.Numeric(valueType) {
		return false
	}
	x, err1 := strconv.ParseFloat(*a, 64)
	y, err2 := strconv.ParseFloat(*b, 64)
	return err1 == nil && err2 == nil && math.Abs(x-y) < 1e-10
}
