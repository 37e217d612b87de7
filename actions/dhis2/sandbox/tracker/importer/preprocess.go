package importer

import (
	"net/http"
	"slices"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/ids"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

// What a server does to a request before it validates it, in DHIS2's order (its
// BundlePreProcessors). What is to be deleted is left as it is.

func (im *importer) preprocess() {
	if im.params.Strategy != "DELETE" {
		im.completeEvents()
		im.lendEnrollments()
		im.chooseCombos()
		im.visitedIsActive()
	}
	im.tellEventsApart()
	if im.params.Strategy != "DELETE" {
		im.findAssignedUsers()
		im.dropRepeatedRelationships()
	}
}

// completeEvents fills in what an event may leave out: the program of its stage, the stage of an
// event program. A program that was filled in is known from then on, to the whole request, as the
// program of a stage only, which is less than the program.
func (im *importer) completeEvents() {
	partial := map[string]*catalog.Program{}
	known := func(p *catalog.Program) *catalog.Program {
		if p != nil && partial[p.UID] != nil {
			return partial[p.UID]
		}
		return p
	}
	for _, e := range im.b.events {
		switch {
		case e.programID != "" && e.stageID != "":
		case e.stage != nil && im.c.Programs[e.stage.Program] != nil:
			full := im.c.Programs[e.stage.Program]
			if partial[full.UID] == nil {
				partial[full.UID] = ofStage(full)
			}
			e.programID, e.program = full.UID, full
		case e.stageID == "" && e.program != nil && !e.program.Registration:
			if st := im.c.Stages[known(e.program).StageByDefault()]; st != nil {
				e.stageID, e.stage = st.UID, st
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

// ofStage is what a server knows of a program that it came to by one of its stages (DHIS2
// ProgramStageMapper): neither its attributes nor its stages, and every setting as it is in a new
// program.
func ofStage(p *catalog.Program) *catalog.Program {
	return &catalog.Program{UID: p.UID, Name: p.Name, Registration: p.Registration, EntityType: p.EntityType,
		Combo: p.Combo, Sharing: p.Sharing,
		AccessLevel: p.AccessLevel, IncidentDate: true, AttributeOf: map[string]catalog.ProgramAttribute{},
		OrgUnits: p.OrgUnits, OrgUnitList: p.OrgUnitList}
}

// lendEnrollments: up to 2.42 every event program has one enrollment of its own, which all events of its stages are in.
func (im *importer) lendEnrollments() {
	if im.version.SplitEvents() {
		return
	}
	for _, e := range im.b.events {
		p := e.program
		if e.stageID != "" {
			if e.stage == nil {
				continue
			}
			if e.stage.Program == "" {
				return
			}
			p = im.c.Programs[e.stage.Program]
		}
		if p != nil && !p.Registration {
			e.lent = p.UID
		}
	}
}

// chooseCombos finds the attribute option combo of events that name its options instead.
func (im *importer) chooseCombos() {
	for _, e := range im.b.events {
		if e.comboID != "" || len(e.options) == 0 || e.program == nil || slices.Contains(e.options, "") {
			continue
		}
		if e.combo = im.c.ComboOf(e.program.Combo, e.options); e.combo != nil {
			e.comboID = e.combo.UID
		}
	}
}

// visitedIsActive: the status VISITED is an older name of ACTIVE. Up to 2.42 a status that was sent
// as null fails here, and with it everything.
func (im *importer) visitedIsActive() {
	for _, e := range im.b.events {
		if e.status == "" && im.version.StatusRequired() {
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
		im.crashed = rest.Refuse(http.StatusInternalServerError, "", "%s", text)
	}
}

func (im *importer) programOf(e *store.Event) *catalog.Program {
	if e == nil {
		return nil
	}
	return im.c.Programs[e.Program]
}

// findAssignedUsers completes the users of events by their uid or their name, and stops at the
// first event without one, as DHIS2 does. Whoever has no name after that is not found.
func (im *importer) findAssignedUsers() {
	byUID := map[string]bool{}
	for _, e := range im.b.events {
		if u := e.assignedUser; u != nil && ids.Valid(u.uid) {
			byUID[u.uid] = true
		}
	}
	for _, e := range im.b.events {
		u := e.assignedUser
		if u == nil {
			break
		}
		if u.username == "" && byUID[u.uid] {
			if found := im.c.UsersByID[u.uid]; found != nil {
				u.username = found.Username
			}
		}
		if found := im.c.Users[u.username]; u.uid == "" && found != nil {
			u.uid = found.UID
		}
	}
	for _, e := range im.b.events {
		if u := e.assignedUser; u != nil && u.username != "" {
			e.assigned = im.c.Users[u.username]
		}
	}
}

// dropRepeatedRelationships keeps the first of several that say the same, without a word about the others.
func (im *importer) dropRepeatedRelationships() {
	seen := map[[2]store.Item]bool{}
	kept := im.b.relationships[:0:0]
	oneSided := false
	for _, r := range im.b.relationships {
		switch {
		case r.from == nil || r.to == nil:
			oneSided = true
			kept = append(kept, r)
			continue
		case r.relType == nil:
			seen[[2]store.Item{*r.from, *r.to}] = true
			kept = append(kept, r)
			continue
		case oneSided && im.crashed == nil: // it is compared with all that were kept
			im.crashed = rest.Refuse(http.StatusConflict, "", "Unable to determine uid for relationship item")
		}
		key, inverse := [2]store.Item{*r.from, *r.to}, [2]store.Item{*r.to, *r.from}
		if seen[key] || r.relType.Bidirectional && seen[inverse] {
			continue
		}
		seen[key] = true
		kept = append(kept, r)
	}
	im.b.relationships = kept
}

// tellEventsApart decides which events are of tracker programs. From 2.43 on the others come first,
// and an event of an event program that names the stage of a tracker program is both (DHIS2
// ParamsConverter).
func (im *importer) tellEventsApart() {
	var single, tracker []*eventIn
	for _, e := range im.b.events {
		switch {
		case im.version.SplitEvents() && (im.params.Strategy == "UPDATE" || im.params.Strategy == "DELETE"):
			p := im.programOf(e.old)
			e.tracker = p == nil || p.Registration
		case e.program != nil:
			e.tracker = e.program.Registration
		case e.stage != nil && im.c.Programs[e.stage.Program] != nil:
			e.tracker = im.c.Programs[e.stage.Program].Registration
		default:
			e.tracker = im.version.SplitEvents() || e.enrollment != ""
		}
		if im.version.SplitEvents() && !e.tracker && im.params.Strategy != "UPDATE" && im.params.Strategy != "DELETE" &&
			e.stage != nil && im.ofTracker(e.stage) {
			both := *e
			both.tracker = true
			im.keepApart(&both)
			tracker = append(tracker, &both)
		}
		im.keepApart(e)
		if e.tracker {
			tracker = append(tracker, e)
		} else {
			single = append(single, e)
		}
	}
	if im.version.SplitEvents() {
		im.b.events = append(single, tracker...)
	}
}

// keepApart: from 2.43 on an event of one sort does not find what is stored of the other under its uid.
func (im *importer) keepApart(e *eventIn) {
	if p := im.programOf(e.old); im.version.SplitEvents() && p != nil && p.Registration != e.tracker {
		e.old, e.strategy = nil, create
	}
}
