package importer

import (
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
	"github.com/culvert/culvert/actions/dhis2/sandbox/period"
)

// withoutValues are the states of an event that has not taken place.
var withoutValues = catalog.SetOf([]string{"SCHEDULE", "OVERDUE", "SKIPPED"})

func (im *importer) validateEvent(e *eventIn) {
	s := im.r.about(eventKind, e.uid)
	exists := func() { s.exists(e.old != nil, e.old != nil && e.old.Deleted, e.strategy, "E1082", "E1030", "E1032") }
	if e.strategy == remove {
		im.inOrder(func() { s.uidForm(im.version, e.uid) }, exists, func() { im.eventAccess(s, e) },
			func() { im.eventDeletable(s, e) })
		return
	}
	im.inOrder(
		func() {
			s.uidForm(im.version, e.uid)
			for _, n := range e.notes {
				s.uidForm(im.version, n.uid)
			}
		},
		exists,
		func() { im.eventMandatory(s, e) },
		func() { im.eventMeta(s, e) },
		func() { im.eventFixed(s, e) },
		func() {
			im.eventRelations(s, e)
			if !im.version.SplitEvents() {
				im.eventCombo(s, e)
			}
		},
		func() {
			if im.version >= 43 && e.strategy == update && e.stage.BlockEntry && e.status == "COMPLETED" &&
				e.old.Status == "COMPLETED" {
				s.error("E1326", e.uid)
			}
		},
		func() {
			if im.version.SplitEvents() {
				im.eventCombo(s, e)
			}
		},
		func() {
			im.singleStatus(s, e)
		},
		func() { im.eventAccess(s, e) },
		func() {
			if e.status == "" {
				im.crash("")
			}
			im.eventOptions(s, e)
			im.eventDates(s, e)
			im.geometry(s, e.geometry, e.stage.FeatureType)
			im.notes(s, e.notes)
			im.eventValues(s, e)
			im.eventTransition(s, e)
			im.eventUser(s, e)
		},
	)
}

// singleStatus: from 2.43 on an event of an event program cannot be one that has not taken place,
// and a server fails where it has no status.
func (im *importer) singleStatus(s *subject, e *eventIn) {
	switch {
	case !im.version.SplitEvents() || e.tracker:
	case e.status == "":
		im.crash("Cannot invoke \"org.hisp.dhis.event.EventStatus.ordinal()\" because \"status\" is null")
	case withoutValues[e.status]:
		s.error("E1318", e.status)
	}
}

func (im *importer) eventMandatory(s *subject, e *eventIn) {
	if im.version.SplitEvents() && e.tracker && e.enrollment == "" {
		s.error("E1123", "enrollment")
	}
	if e.orgUnitID == "" {
		s.error("E1123", "orgUnit")
	}
	if e.stageID == "" {
		s.error("E1123", "programStage")
	}
	if e.stage != nil {
		if e.stage.Program == "" {
			s.error("E1008", e.stageID)
		}
		return
	}
	if e.programID == "" {
		s.error("E1123", "program")
	}
}

func (im *importer) eventMeta(s *subject, e *eventIn) {
	if e.orgUnit == nil {
		s.error("E1011", e.orgUnitID)
	}
	if e.program == nil {
		s.error("E1010", e.programID)
	}
	if e.stage == nil {
		s.error("E1013", e.stageID)
	}
}

func (im *importer) eventFixed(s *subject, e *eventIn) {
	if e.strategy != update {
		return
	}
	if e.old.Stage != e.stage.UID {
		s.error("E1128", "programStage")
	}
	moved := e.enrollment != "" && e.old.Enrollment != e.enrollment
	if e.lent != "" {
		moved = e.old.Program != e.lent
	}
	if e.program.Registration && moved {
		s.error("E1128", "enrollment")
	}
}

// enrollmentOf finds what an event's enrollment leads to, in the store or in the request: its
// program, and whether it has a tracked entity.
func (im *importer) enrollmentOf(e *eventIn) (program string, hasEntity bool) {
	if e.lent != "" {
		return e.lent, false
	}
	if en := im.st.Enrollments[e.enrollment]; en != nil {
		return en.Program, en.Entity != ""
	}
	if en := im.b.enrollmentBy[e.enrollment]; en != nil {
		if en.program != nil {
			program = en.program.UID
		}
		return program, en.entity != ""
	}
	return "", false
}

func (im *importer) eventRelations(s *subject, e *eventIn) {
	if e.program.Registration || im.version.SplitEvents() && e.tracker {
		program, hasEntity := im.enrollmentOf(e)
		if e.enrollment == "" && e.lent == "" {
			s.error("E1033", e.uid)
			if im.version <= 41 {
				s.error("E1313", e.uid)
			}
		} else {
			if !hasEntity {
				s.error("E1313", e.uid)
			}
			if program != e.program.UID {
				s.error("E1079", e.uid, e.program.UID, e.enrollment)
			}
		}
	}
	if e.stage.Program != e.program.UID {
		s.error("E1089", e.uid, e.stage.UID, e.program.UID)
	}
	if !e.program.OrgUnits[e.orgUnit.UID] {
		s.error("E1029", e.orgUnit.UID, e.program.UID)
	}
}

// eventCombo checks the attribute option combo and the category options against each other and against the program.
func (im *importer) eventCombo(s *subject, e *eventIn) {
	ok := true
	bad := func(code string, args ...string) {
		s.error(code, args...)
		ok = false
	}
	if e.comboID != "" && e.combo == nil {
		bad("E1115", e.comboID)
	}
	for i, uid := range e.options {
		if uid == "" {
			bad("E1116", e.optionIDs[i])
		}
	}
	usual := e.program.Combo == catalog.DefaultCombo
	if !usual && (e.comboID == "" && len(e.options) == 0 || e.combo != nil && e.combo.Combo == catalog.DefaultCombo) {
		bad("E1055")
	}
	if !ok {
		return
	}
	combo := e.combo
	if combo == nil && usual {
		combo = im.c.OptionCombos[catalog.DefaultOptionCombo]
	}
	if combo == nil {
		s.error("E1117", e.program.Combo, strings.Join(e.optionIDs, ", "))
		return
	}
	if e.combo != nil && e.combo.Combo != e.program.Combo {
		s.error("E1054", e.combo.UID, e.program.UID)
		return
	}
	if len(e.options) > 0 && !sameSet(combo.Options, e.options) {
		s.error("E1117", combo.UID, strings.Join(e.optionIDs, ", "))
	}
}

func sameSet(a, b []string) bool {
	x, y := catalog.SetOf(a), catalog.SetOf(b)
	if len(x) != len(y) {
		return false
	}
	for k := range x {
		if !y[k] {
			return false
		}
	}
	return true
}

func (im *importer) eventAccess(s *subject, e *eventIn) {
	if im.user.Super {
		return
	}
	p, st, unit, combo := e.program, e.stage, e.orgUnit, e.combo
	if e.strategy != create {
		st, unit, combo = im.c.Stages[e.old.Stage], im.c.OrgUnits[e.old.OrgUnit], im.c.OptionCombos[e.old.OptionCombo]
		p = im.c.Programs[e.old.Program]
	}
	if p == nil || st == nil {
		return
	}
	if e.strategy != update || !p.Registration {
		im.capture(s, unit)
	}
	if e.strategy == update && e.orgUnit.UID != e.old.OrgUnit && (im.version.MovesInCapture() || !p.Registration) {
		im.capture(s, e.orgUnit)
	}
	if p.Registration {
		if !st.Sharing.DataWrite(im.user) {
			s.error("E1095", im.user.UID, st.UID)
		}
		if !p.Sharing.DataRead(im.user) {
			s.error("E1096", im.user.UID, p.UID)
		}
		im.entityTypeAccess(s, p)
		if t := im.st.Entities[im.entityOf(e)]; t != nil && !im.access().Reaches(im.c.OrgUnits[t.Owner(p.UID)], p, t) {
			s.error("E1102", im.user.UID, t.UID, p.UID)
		}
	} else if !p.Sharing.DataWrite(im.user) {
		s.error("E1091", im.user.UID, p.UID)
	}
	im.comboAccess(s, combo)
	if e.strategy == update && e.old.Status == "COMPLETED" && e.status != "COMPLETED" &&
		!im.user.May("F_UNCOMPLETE_EVENT") {
		s.error("E1083", im.user.UID)
	}
}

func (im *importer) entityOf(e *eventIn) string {
	id := e.enrollment
	if e.old != nil {
		id = e.old.Enrollment
	}
	if en := im.st.Enrollments[id]; en != nil {
		return en.Entity
	}
	if en := im.b.enrollmentBy[id]; en != nil {
		return en.entity
	}
	return ""
}

// eventDeletable: from 2.43 on what has expired cannot be deleted either.
func (im *importer) eventDeletable(s *subject, e *eventIn) {
	if im.version < 43 {
		return
	}
	if p := im.c.Programs[e.old.Program]; p != nil {
		im.expired(s, e.uid, p, e.old.Occurred, e.old.Scheduled)
	}
}

// eventOptions: the date of an event must be within the life of its category options.
func (im *importer) eventOptions(s *subject, e *eventIn) {
	date := e.occurred
	if date == nil {
		date = e.scheduled
	}
	if e.combo == nil || date == nil {
		return
	}
	for _, id := range e.combo.Options {
		o := im.c.CatOptions[id]
		if o == nil {
			continue
		}
		if !o.Start.IsZero() && date.Before(o.Start) {
			s.error("E1056", dates.Stamp(*date), dates.Stamp(o.Start), o.UID)
		}
		if !o.End.IsZero() && date.After(o.End.AddDate(0, 0, 1)) {
			s.error("E1057", dates.Stamp(*date), dates.Stamp(o.End), o.UID)
		}
	}
}

func (im *importer) eventDates(s *subject, e *eventIn) {
	if e.occurred == nil && (!e.program.Registration || e.status == "ACTIVE" || e.status == "COMPLETED") {
		s.error("E1031", e.uid)
		return
	}
	if e.scheduled == nil && e.status == "SCHEDULE" {
		s.error("E1050", e.uid)
		return
	}
	if im.version.CompletedOnly() && e.completed != nil && e.status != "COMPLETED" {
		s.error("E1051", e.uid, e.status)
	}
	im.completionExpired(s, e)
	im.expired(s, e.uid, e.program, e.occurred, e.scheduled)
}

// completionExpired reports a completed event that may not be changed any more.
func (im *importer) completionExpired(s *subject, e *eventIn) {
	days := e.program.CompleteExpiry
	if days <= 0 || im.user.May("F_EDIT_EXPIRED") {
		return
	}
	completed := e.completed
	if e.status != "COMPLETED" {
		completed = nil
	}
	if im.version >= 43 && e.old != nil && e.old.Status == "COMPLETED" {
		completed = e.old.Completed
	}
	switch {
	case completed != nil && im.srv.Now().After(completed.AddDate(0, 0, days)):
		s.error("E1043", e.uid)
	case completed == nil && e.status == "COMPLETED" && im.version <= 41:
		s.error("E1042", e.uid)
	}
}

// expired reports an event in a period that its program has closed.
func (im *importer) expired(s *subject, uid string, p *catalog.Program, occurred, scheduled *time.Time) {
	if p.ExpiryPeriodType == "" || p.ExpiryDays == 0 || im.version.EditExpired() && im.user.May("F_EDIT_EXPIRED") {
		return
	}
	date := occurred
	if date == nil {
		date = scheduled
	}
	if date == nil {
		s.error("E1046", uid)
		return
	}
	period, ok := period.At(p.ExpiryPeriodType, *date)
	if ok && period.End.AddDate(0, 0, p.ExpiryDays+1).Before(im.srv.Now()) {
		s.error("E1047", uid)
	}
}

// eventTransition: an event that has taken place cannot become one that has not.
func (im *importer) eventTransition(s *subject, e *eventIn) {
	if e.strategy != update || im.version.SplitEvents() && !e.tracker {
		return
	}
	if !withoutValues[e.old.Status] && withoutValues[e.status] {
		s.error("E1316", e.old.Status, e.status)
	}
}

func (im *importer) eventUser(s *subject, e *eventIn) {
	u := e.assignedUser
	if u == nil || u.uid == "" && u.username == "" {
		return
	}
	if e.assigned == nil {
		s.error("E1118", u.uid+u.username)
	}
	if !e.stage.UserAssignment {
		s.warning("E1120", e.stage.UID)
	}
}
