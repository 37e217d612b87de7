package importer

import (
	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
	"github.com/culvert/culvert/actions/dhis2/sandbox/valuetype"
)

// checksValues tells whether the stage wants the values of an event in its state to be complete.
func checksValues(status string, st *catalog.Stage) bool {
	if withoutValues[status] {
		return false
	}
	return st.OnUpdate || status == "COMPLETED"
}

func (im *importer) eventValues(s *subject, e *eventIn) {
	for _, v := range e.values {
		if v.uid == "" {
			s.error("E1304", v.id)
		} else if v.value != nil {
			im.eventValue(s, e.strategy, im.c.DataElements[v.uid], *v.value)
		}
	}
	if withoutValues[e.status] && len(e.values) > 0 {
		s.error("E1315", e.status)
	}
	if checksValues(e.status, e.stage) {
		given, cleared := map[string]bool{}, map[string]bool{}
		for _, v := range e.values {
			given[v.uid] = true
			cleared[v.uid] = cleared[v.uid] || v.value == nil
		}
		for _, id := range e.stage.Compulsory {
			stored := false
			if e.old != nil {
				_, stored = e.old.Value(id)
			}
			if !given[id] && !stored {
				s.error("E1303", id)
			}
			if cleared[id] {
				s.error("E1076", "DataElement", id)
			}
		}
	}
	for _, v := range e.values {
		if !e.stage.Elements[v.uid] {
			s.error("E1305", v.id, e.stage.UID)
		}
	}
}

// eventValue checks one value: up to 2.42 an element with options is checked against these alone,
// and references have codes of their own.
func (im *importer) eventValue(s *subject, what strategy, de *catalog.DataElement, value string) {
	set := im.c.OptionSets[de.OptionSet]
	if set != nil && !set.Allows(im.version, value, de.ValueType) {
		s.error("E1125", value, set.UID)
	}
	if im.version.OneValueTypeCheck() {
		if valuetype.Misfit(value, de.ValueType) != "" || im.missingReference(de.ValueType, value) ||
			de.ValueType == "USERNAME" && !im.meets(value) {
			s.error("E1302", de.UID, "value type "+de.ValueType+" does not fit")
		}
		im.fileTaken(s, what, de.ValueType, value)
		return
	}
	switch {
	case set != nil:
	case isFile(de.ValueType):
		im.fileMissing(s, de.ValueType, value)
		im.fileTaken(s, what, de.ValueType, value)
	case de.ValueType == "ORGANISATION_UNIT":
		if im.c.OrgUnits[value] == nil {
			s.error("E1007", de.ValueType, value)
		}
	default:
		if reason := valuetype.Misfit(value, de.ValueType); reason != "" {
			s.error("E1302", de.UID, reason)
		}
	}
}

// meets tells whether a server finds a user whom a data value names: it looks only among those whom
// the request names as assigned, or in attributes, and from 2.43 on it knows who asks.
func (im *importer) meets(username string) bool {
	if im.version >= 43 && username == im.user.Username {
		return true
	}
	inAttributes := func(attributes []attributeIn) bool {
		for _, a := range attributes {
			if a.uid != "" && im.c.Attributes[a.uid].ValueType == "USERNAME" && a.value != nil && *a.value == username {
				return true
			}
		}
		return false
	}
	for _, e := range im.b.events {
		if e.assigned != nil && e.assigned.Username == username {
			return true
		}
	}
	for _, t := range im.b.entities {
		if inAttributes(t.attributes) {
			return true
		}
	}
	for _, e := range im.b.enrollments {
		if inAttributes(e.attributes) {
			return true
		}
	}
	return false
}

// validateRepeats: a stage that does not repeat takes one event an enrollment, within the request
// and with what is stored.
func (im *importer) validateRepeats() {
	if im.r.stopped {
		return
	}
	type spot struct{ stage, enrollment string }
	groups := map[spot][]*eventIn{}
	var candidates []*eventIn
	for _, e := range im.b.events {
		if e.stage == nil || e.stage.Repeatable || e.strategy == remove {
			continue
		}
		valid := !im.r.isInvalid(eventKind, e.uid)
		if valid && im.ofTracker(e.stage) {
			k := spot{e.stage.UID, e.enrollment}
			groups[k] = append(groups[k], e)
		}
		if valid && im.ofTracker(e.stage) || im.version.RepeatsInvalid() {
			candidates = append(candidates, e)
		}
	}
	for _, events := range groups {
		if len(events) < 2 {
			continue
		}
		for _, e := range events {
			im.r.about(eventKind, e.uid).error("E1039", e.stage.UID)
		}
	}
	for _, e := range candidates {
		if e.strategy == create && e.enrollment != "" && holds(im.st, e.enrollment, e.stage.UID) {
			im.r.about(eventKind, e.uid).error("E1039", e.stage.UID)
		}
	}
}

func (im *importer) ofTracker(st *catalog.Stage) bool {
	p := im.c.Programs[st.Program]
	return p != nil && p.Registration
}

// holds tells whether an enrollment has an event of a stage that was not skipped.
func holds(st *store.Store, enrollment, stage string) bool {
	for _, e := range st.EventsOf[enrollment] {
		if !e.Deleted && e.Status != "SKIPPED" && e.Stage == stage {
			return true
		}
	}
	return false
}
