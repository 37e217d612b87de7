package importer

import (
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/ids"
	"github.com/culvert/culvert/actions/dhis2/sandbox/programrules"
)

// scheduler makes the events that rules schedule, from 2.43 on: one a stage in a request (DHIS2 ScheduleEventHelper).
type scheduler struct {
	im     *importer
	events []*eventIn
	stages map[string]bool
	// enrollments that the request brings events for; of these alone is known what they hold already
	withOwn map[string]bool
}

func (im *importer) newScheduler() *scheduler {
	s := &scheduler{im: im, stages: map[string]bool{}, withOwn: map[string]bool{}}
	for _, e := range im.b.events {
		s.withOwn[e.enrollment] = true
	}
	return s
}

// schedule acts on an effect; from is the event or the enrollment that it is of, as an event without a stage.
func (sc *scheduler) schedule(s *subject, effect programrules.Effect, from eventIn) {
	im, st := sc.im, sc.im.c.Stages[effect.Field]
	if st == nil || from.program == nil || !from.program.Registration || sc.stages[effect.Field] {
		return
	}
	date, fits := time.Time{}, false
	if effect.Data != nil {
		day, err := time.Parse(time.DateOnly, *effect.Data)
		date, fits = day, err == nil
	}
	switch {
	case sc.withOwn[from.enrollment] && holds(im.st, from.enrollment, effect.Field):
		s.warning("E1322", effect.Rule, effect.Field, from.enrollment)
	case !st.Sharing.Update(im.user):
		s.warning("E1321", effect.Rule, im.user.Username, effect.Field)
	case !fits:
		s.warning("E1319", effect.Rule, spell(effect.Data))
	default:
		sc.stages[effect.Field] = true
		e := from
		e.uid, e.stage, e.status, e.scheduled, e.strategy = ids.New(), st, "SCHEDULE", &date, create
		e.tracker = true
		sc.events = append(sc.events, &e)
		s.warning("E1320", effect.Rule, e.uid, *effect.Data)
	}
}

// ofEnrollment and ofEvent are what a scheduled event takes over.
func ofEnrollment(e *enrollmentIn) eventIn {
	return eventIn{enrollment: e.uid, program: e.program, orgUnit: e.orgUnit}
}

func ofEvent(e *eventIn) eventIn {
	return eventIn{enrollment: e.enrollment, program: e.program, orgUnit: e.orgUnit, combo: e.combo, comboID: e.comboID}
}
