package programrules

import (
	"sort"
	"strconv"
	"time"
)

// scope gives expressions their variables.
type scope struct {
	set        *Set
	enrollment *Enrollment
	event      *Event // nil while the enrollment is evaluated
	history    *history
	user       User
	today      string
	assigned   map[string]*held // by rules that were evaluated before
}

// history is the values of data elements over all events, the newest first.
type history struct {
	events []*Event // the newest first
	byDay  bool     // the time of the day does not count
	byDate bool     // when they were created does not count either
	values map[string][]past
}

type past struct {
	value string
	event *Event
}

func newHistory(events []*Event, version int) *history {
	h := &history{events: append([]*Event(nil), events...), byDay: version == 41 || version >= 43, byDate: version <= 40,
		values: map[string][]past{}}
	sort.SliceStable(h.events, func(i, j int) bool { return h.after(h.events[i], h.events[j]) })
	return h
}

// after orders events by their date, then by when they were created; one without a date is newer than all.
func (h *history) after(a, b *Event) bool {
	if a.Date.IsZero() != b.Date.IsZero() {
		return a.Date.IsZero()
	}
	x, y := a.Date, b.Date
	if h.byDay {
		x, y = dateOf(x).time(), dateOf(y).time()
	}
	if !x.Equal(y) {
		return x.After(y)
	}
	return !h.byDate && a.Created.After(b.Created)
}

// of gives the values of a data element, the newest first.
func (h *history) of(element string) []past {
	found, ok := h.values[element]
	if !ok {
		for _, e := range h.events {
			if v, has := e.Values[element]; has {
				found = append(found, past{v, e})
			}
		}
		h.values[element] = found
	}
	return found
}

// lookup gives a variable; nil when there is none of the name.
func (s *scope) lookup(name string) *held {
	if h, ok := s.assigned[name]; ok {
		return h
	}
	if f, ok := s.set.constants[name]; ok {
		return &held{kind: numberType, text: strconv.FormatFloat(f, 'f', -1, 64), has: true}
	}
	if v, ok := s.set.variables[name]; ok {
		return s.valueOf(v)
	}
	return s.system(name)
}

func (s *scope) valueOf(v *Variable) *held {
	h := &held{kind: s.set.types[v.Name]}
	if s.old() {
		h.noDate = oldDate
	}
	take := func(value string, candidates []string, on string) *held {
		h.text, h.has, h.candidates, h.eventDate = value, true, candidates, on
		if name, ok := v.Names[value]; ok {
			h.text = name
		}
		if candidates == nil {
			h.candidates = []string{h.text}
		}
		return h
	}
	switch v.Source {
	case OfAttribute:
		if s.enrollment != nil {
			if value, ok := s.enrollment.Attributes[v.Field]; ok {
				return take(value, nil, s.today)
			}
		}
	case CurrentEvent:
		if s.event != nil {
			if value, ok := s.event.Values[v.Field]; ok {
				return take(value, nil, dayText(s.event.Date))
			}
		}
	case PreviousEvent:
		all := s.history.of(v.Field)
		for _, p := range all {
			if s.event != nil && s.history.after(s.event, p.event) {
				return take(p.value, texts(all), dayText(p.event.Date))
			}
		}
	case NewestInProgram, NewestInStage:
		var all []past
		for _, p := range s.history.of(v.Field) {
			if v.Source == NewestInProgram || p.event.Stage == v.Stage {
				all = append(all, p)
			}
		}
		if len(all) > 0 {
			return take(all[0].value, texts(all), dayText(all[0].event.Date))
		}
	}
	return h
}

func texts(all []past) []string {
	out := make([]string, len(all))
	for i, p := range all {
		out[i] = p.value
	}
	return out
}

func dayText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return dateOf(t).String()
}

// system gives a variable V{name}; which there are depends on what is evaluated.
func (s *scope) system(name string) *held {
	switch name {
	case "current_date":
		return s.dated(s.today)
	case "event_count":
		return s.counted(len(s.history.events))
	case "environment":
		return s.worded("Server")
	}
	if s.event != nil {
		if h := s.ofEvent(name); h != nil {
			return h
		}
	}
	if s.enrollment != nil {
		return s.ofEnrollment(name)
	}
	return nil
}

func (s *scope) ofEvent(name string) *held {
	e := s.event
	switch name {
	case "event_date":
		return s.dated(dayText(e.Date))
	case "due_date":
		return s.maybeDated(e.Due)
	case "completed_date":
		return s.maybeDated(e.Completed)
	case "event_id":
		return s.worded(e.UID)
	case "event_status":
		return s.worded(e.Status)
	case "org_unit":
		return s.worded(e.OrgUnit)
	case "orgunit_code":
		return s.maybe(e.OrgUnitCode)
	case "program_stage_id":
		return s.worded(e.Stage)
	case "program_stage_name":
		return s.worded(e.StageName)
	}
	return nil
}

func (s *scope) ofEnrollment(name string) *held {
	e := s.enrollment
	switch name {
	case "enrollment_id":
		return s.worded(e.UID)
	case "enrollment_count", "tei_count":
		return s.counted(1)
	case "enrollment_date":
		return s.dated(dayText(e.Enrolled))
	case "incident_date":
		return s.dated(dayText(e.Incident))
	case "enrollment_status":
		return s.worded(e.Status)
	case "org_unit":
		return s.worded(e.OrgUnit)
	case "orgunit_code":
		return s.maybe(e.OrgUnitCode)
	case "program_name":
		return s.worded(e.Program)
	}
	return nil
}

func dayOf(t *time.Time) string {
	if t == nil {
		return ""
	}
	return dayText(*t)
}

// old tells whether the engine is that of 2.38 to 2.40.
func (s *scope) old() bool { return s.set.version <= 40 }

// maybeDated: up to 2.40 there is no variable for a date that is not there.
func (s *scope) maybeDated(t *time.Time) *held {
	if t == nil && s.old() {
		return nil
	}
	return s.dated(dayOf(t))
}

// dated: up to 2.40 the days of enrollments and events are texts.
func (s *scope) dated(day string) *held {
	h := &held{kind: dateType, eventDate: s.today}
	if s.old() {
		h.kind = textType
	}
	if day != "" {
		h.text, h.has, h.candidates = day, true, []string{day}
	}
	return h
}

func (s *scope) counted(n int) *held {
	text := strconv.Itoa(n)
	return &held{kind: numberType, text: text, has: true, candidates: []string{text}, eventDate: s.today}
}

func (s *scope) worded(text string) *held {
	return &held{text: text, has: true, candidates: []string{text}, eventDate: s.today}
}

func (s *scope) maybe(text string) *held { return &held{text: text, has: text != ""} }
