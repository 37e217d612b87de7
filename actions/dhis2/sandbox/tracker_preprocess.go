package sandbox

import (
	"net/http"
	"slices"
)

// What a server does to a request before it validates it, in DHIS2's order (its BundlePreProcessors). What is to be deleted is left as it is.

func (im *importer) preprocess() {
	if im.params.strategy != "DELETE" {
		im.completeEvents()
		im.lendEnrollments()
		im.chooseCombos()
		im.visitedIsActive()
	}
	im.tellEventsApart()
	if im.params.strategy != "DELETE" {
		im.findAssignedUsers()
		im.dropRepeatedRelationships()
	}
}

// completeEvents fills in what an event may leave out: the program of its stage, the stage of an event program. A program that was filled in is
// known from then on, to the whole request, as the program of a stage only, which is less than the program.
func (im *importer) completeEvents() {
	partial := map[string]*program{}
	known := func(p *program) *program {
		if p != nil && partial[p.uid] != nil {
			return partial[p.uid]
		}
		return p
	}
	for _, e := range im.b.events {
		switch {
		case e.programID != "" && e.stageID != "":
		case e.stage != nil && im.c.programs[e.stage.program] != nil:
			full := im.c.programs[e.stage.program]
			if partial[full.uid] == nil {
				partial[full.uid] = ofStage(full)
			}
			e.programID, e.program = full.uid, full
		case e.stageID == "" && e.program != nil && !e.program.registration:
			if st := im.c.stages[known(e.program).stageByDefault()]; st != nil {
				e.stageID, e.stage = st.uid, st
			}
		}
	}
	if len(partial) == 0 {
		return
	}
	for _, e := range im.b.enrollments {
		e.program = known(e.program)
	}
	for _, e := range im.b.events {
		e.program = known(e.program)
	}
}

// ofStage is what a server knows of a program that it came to by one of its stages (DHIS2 ProgramStageMapper): neither its attributes nor its
// stages, and every setting as it is in a new program.
func ofStage(p *program) *program {
	return &program{uid: p.uid, name: p.name, registration: p.registration, entityType: p.entityType, combo: p.combo, sharing: p.sharing,
		accessLevel: p.accessLevel, incidentDate: true, attributeOf: map[string]programAttribute{}, orgUnits: p.orgUnits, orgUnitList: p.orgUnitList}
}

// lendEnrollments: up to 2.42 every event program has one enrollment of its own, which all events of its stages are in.
func (im *importer) lendEnrollments() {
	if im.m.splitEvents() {
		return
	}
	for _, e := range im.b.events {
		p := e.program
		if e.stageID != "" {
			if e.stage == nil {
				continue
			}
			if e.stage.program == "" {
				return
			}
			p = im.c.programs[e.stage.program]
		}
		if p != nil && !p.registration {
			e.lent = p.uid
		}
	}
}

// chooseCombos finds the attribute option combo of events that name its options instead.
func (im *importer) chooseCombos() {
	for _, e := range im.b.events {
		if e.comboID != "" || len(e.options) == 0 || e.program == nil || slices.Contains(e.options, "") {
			continue
		}
		if e.combo = im.c.comboOf(e.program.combo, e.options); e.combo != nil {
			e.comboID = e.combo.uid
		}
	}
}

// visitedIsActive: the status VISITED is an older name of ACTIVE. Up to 2.42 a status that was sent as null fails here, and with it everything.
func (im *importer) visitedIsActive() {
	for _, e := range im.b.events {
		if e.status == "" && im.m.statusRequired() {
			im.crash("Cannot invoke \"org.hisp.dhis.event.EventStatus.equals(Object)\" because the return value of " +
				"\"org.hisp.dhis.tracker.imports.domain.Event.getStatus()\" is null")
		}
		if e.status == "VISITED" {
			e.status = "ACTIVE"
		}
	}
}

// crash remembers that a real server would fail inside itself here, which ends the import.
func (im *importer) crash(text string) {
	if im.crashed == nil {
		im.crashed = refuse(http.StatusInternalServerError, "", "%s", text)
	}
}

// tellEventsApart decides which events are of tracker programs. From 2.43 on the others come first.
func (im *importer) tellEventsApart() {
	var single, tracker []*eventIn
	for _, e := range im.b.events {
		switch {
		case im.m.splitEvents() && (im.params.strategy == "UPDATE" || im.params.strategy == "DELETE"):
			p := im.programOf(e.old)
			e.tracker = p == nil || p.registration
		case e.program != nil:
			e.tracker = e.program.registration
		case e.stage != nil && im.c.programs[e.stage.program] != nil:
			e.tracker = im.c.programs[e.stage.program].registration
		default:
			e.tracker = im.m.splitEvents() || e.enrollment != ""
		}
		if p := im.programOf(e.old); im.m.splitEvents() && p != nil && p.registration != e.tracker {
			e.old, e.strategy = nil, create // events of either sort are kept apart
		}
		if e.tracker {
			tracker = append(tracker, e)
		} else {
			single = append(single, e)
		}
	}
	if im.m.splitEvents() {
		im.b.events = append(single, tracker...)
	}
}

func (im *importer) programOf(e *event) *program {
	if e == nil {
		return nil
	}
	return im.c.programs[e.Program]
}

// findAssignedUsers completes the users of events by their uid or their name, and stops at the first event without one, as DHIS2 does. Whoever
// has no name after that is not found.
func (im *importer) findAssignedUsers() {
	byUID := map[string]bool{}
	for _, e := range im.b.events {
		if u := e.assignedUser; u != nil && validUID(u.uid) {
			byUID[u.uid] = true
		}
	}
	for _, e := range im.b.events {
		u := e.assignedUser
		if u == nil {
			break
		}
		if u.username == "" && byUID[u.uid] {
			if found := im.c.usersByID[u.uid]; found != nil {
				u.username = found.username
			}
		}
		if found := im.c.users[u.username]; u.uid == "" && found != nil {
			u.uid = found.uid
		}
	}
	for _, e := range im.b.events {
		if u := e.assignedUser; u != nil && u.username != "" {
			e.assigned = im.c.users[u.username]
		}
	}
}

// dropRepeatedRelationships keeps the first of several that say the same, without a word about the others.
func (im *importer) dropRepeatedRelationships() {
	seen := map[[2]item]bool{}
	kept := im.b.relationships[:0:0]
	oneSided := false
	for _, r := range im.b.relationships {
		switch {
		case r.from == nil || r.to == nil:
			oneSided = true
			kept = append(kept, r)
			continue
		case r.relType == nil:
			seen[[2]item{*r.from, *r.to}] = true
			kept = append(kept, r)
			continue
		case oneSided && im.crashed == nil: // it is compared with all that were kept
			im.crashed = refuse(http.StatusConflict, "", "Unable to determine uid for relationship item")
		}
		key, inverse := [2]item{*r.from, *r.to}, [2]item{*r.to, *r.from}
		if seen[key] || r.relType.bidirectional && seen[inverse] {
			continue
		}
		seen[key] = true
		kept = append(kept, r)
	}
	im.b.relationships = kept
}
