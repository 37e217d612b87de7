package sandbox

import (
	"embed"
	"html/template"
	"net/http"
	"sort"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/programrules"
)

//go:embed page/*.html page/style.css
var pageFiles embed.FS

func parsePages() (*template.Template, error) {
	return template.New("").Funcs(template.FuncMap{"date": func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.Format("2006-01-02")
	}, "clock": func(t time.Time) string { return t.Format("2006-01-02 15:04:05") }}).ParseFS(pageFiles, "page/*.html")
}

// shownRows is how many of each kind the page lists.
const shownRows = 30

type personRow struct {
	UID, Type, Name, Unit, Programs string
	At                              time.Time
}

type enrollmentRow struct {
	UID, Entity, Person, Program, Unit, Status string
	Enrolled                                   *time.Time
	At                                         time.Time
}

type eventRow struct {
	UID, Entity, Person, Program, Stage, Unit, Status string
	Occurred                                          *time.Time
	Values                                            []labelled
	At                                                time.Time
}

type valueRow struct {
	Element, Combo, AttributeCombo, Unit, Period, Value string
	At                                                  time.Time
}

type labelled struct{ Label, Value string }

type overview struct {
	Version     string
	Counts      Counts
	People      []personRow
	Enrollments []enrollmentRow
	Events      []eventRow
	Values      []valueRow
	Skipped     []programrules.Skipped
	Now         time.Time
}

type personPage struct {
	Person        personRow
	Attributes    []labelled
	Enrollments   []personEnrollment
	Relationships []labelled
	Now           time.Time
}

type personEnrollment struct {
	enrollmentRow
	Events []eventRow
}

// page answers what is outside of the API.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		s.methodNotAllowed(w, r, http.MethodGet)
		return
	}
	uid, isPerson := strings.CutPrefix(r.URL.Path, "/person/")
	switch {
	case r.URL.Path == "/style.css":
		w.Header().Set("Cache-Control", "max-age=300")
		http.ServeFileFS(w, r, pageFiles, "page/style.css")
	case r.URL.Path == "/":
		s.render(w, "overview.html", s.overview())
	case isPerson:
		p := s.personPage(uid)
		if p == nil {
			http.NotFound(w, r)
			return
		}
		s.render(w, "person.html", p)
	default:
		http.NotFound(w, r)
	}
}

func (s *Server) render(w http.ResponseWriter, name string, data any) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	if err := s.pages.ExecuteTemplate(w, name, data); err != nil {
		s.log.Error("sandbox could not show its page", "page", name, "error", err)
	}
}

// last gives the newest objects that are not deleted, newest first.
func last[T any](items []T, deleted func(T) bool) []T {
	out := make([]T, 0, shownRows)
	for i := len(items) - 1; i >= 0 && len(out) < shownRows; i-- {
		if !deleted(items[i]) {
			out = append(out, items[i])
		}
	}
	return out
}

func (s *Server) overview() *overview {
	st := s.store
	st.mu.RLock()
	defer st.mu.RUnlock()
	o := &overview{Version: s.manners.release(), Counts: st.live, Skipped: s.rules.skipped, Now: s.now().UTC()}
	o.Counts.Requests = int(s.count.Load())
	for _, t := range last(st.entityOrder, func(t *trackedEntity) bool { return t.Deleted }) {
		o.People = append(o.People, s.personRow(t))
	}
	for _, e := range last(st.enrollOrder, func(e *enrollment) bool { return e.Deleted }) {
		o.Enrollments = append(o.Enrollments, s.enrollmentRow(e))
	}
	for _, e := range last(st.eventOrder, func(e *event) bool { return e.Deleted }) {
		o.Events = append(o.Events, s.eventRow(e))
	}
	values := make([]*dataValue, 0, len(st.values))
	for _, v := range st.values {
		if !v.Deleted {
			values = append(values, v)
		}
	}
	sort.Slice(values, func(i, j int) bool {
		return values[i].Updated.After(values[j].Updated) || values[i].Updated.Equal(values[j].Updated) && values[i].Seq > values[j].Seq
	})
	for _, v := range values[:min(len(values), shownRows)] {
		o.Values = append(o.Values, s.valueRow(v))
	}
	return o
}

func (s *Server) unitName(uid string) string {
	if u := s.catalog.orgUnits[uid]; u != nil {
		return u.name
	}
	return uid
}

// personName puts together what a person would be known by: the first two values of its type's attributes.
func (s *Server) personName(uid string) string {
	t := s.store.entities[uid]
	if t == nil {
		return ""
	}
	var parts []string
	if kind := s.catalog.types[t.Type]; kind != nil {
		for _, a := range kind.attributes {
			if v, ok := t.attribute(a.attribute); ok && len(parts) < 2 {
				parts = append(parts, v)
			}
		}
	}
	if len(parts) == 0 {
		return uid
	}
	return strings.Join(parts, " ")
}

func (s *Server) personRow(t *trackedEntity) personRow {
	var programs []string
	for _, e := range s.store.enrollmentsOf[t.UID] {
		if p := s.catalog.programs[e.Program]; p != nil && !e.Deleted && !contains(programs, p.name) {
			programs = append(programs, p.name)
		}
	}
	row := personRow{UID: t.UID, Name: s.personName(t.UID), Unit: s.unitName(t.OrgUnit), Programs: strings.Join(programs, ", "), At: t.Updated}
	if kind := s.catalog.types[t.Type]; kind != nil {
		row.Type = kind.name
	}
	return row
}

func (s *Server) enrollmentRow(e *enrollment) enrollmentRow {
	row := enrollmentRow{UID: e.UID, Entity: e.Entity, Person: s.personName(e.Entity), Unit: s.unitName(e.OrgUnit), Status: e.Status, Enrolled: &e.Enrolled, At: e.Updated}
	if p := s.catalog.programs[e.Program]; p != nil {
		row.Program = p.name
	}
	return row
}

func (s *Server) eventRow(e *event) eventRow {
	row := eventRow{UID: e.UID, Unit: s.unitName(e.OrgUnit), Status: e.Status, Occurred: e.Occurred, At: e.Updated}
	if en := s.store.enrollments[e.Enrollment]; en != nil {
		row.Entity, row.Person = en.Entity, s.personName(en.Entity)
	}
	if p := s.catalog.programs[e.Program]; p != nil {
		row.Program = p.name
	}
	if st := s.catalog.stages[e.Stage]; st != nil {
		row.Stage = st.name
	}
	for _, v := range e.Values {
		label, value := v.Element, v.Value
		if de := s.catalog.dataElements[v.Element]; de != nil {
			label, value = de.name, s.optionName(de.optionSet, value)
		}
		row.Values = append(row.Values, labelled{label, value})
	}
	return row
}

func (s *Server) optionName(set, code string) string {
	if o := s.catalog.optionSets[set]; o != nil && o.nameOf[code] != "" {
		return o.nameOf[code]
	}
	return code
}

func (s *Server) valueRow(v *dataValue) valueRow {
	row := valueRow{Element: v.Element, Unit: s.unitName(v.OrgUnit), Period: v.Period, Value: v.Value, At: v.Updated}
	if de := s.catalog.dataElements[v.Element]; de != nil {
		row.Element, row.Value = de.name, s.optionName(de.optionSet, v.Value)
	}
	if oc := s.catalog.optionCombos[v.Combo]; oc != nil && oc.uid != defaultOptionCombo {
		row.Combo = oc.name
	}
	if oc := s.catalog.optionCombos[v.AttributeCombo]; oc != nil && oc.uid != defaultOptionCombo {
		row.AttributeCombo = oc.name
	}
	return row
}

func (s *Server) personPage(uid string) *personPage {
	st := s.store
	st.mu.RLock()
	defer st.mu.RUnlock()
	t := st.entities[uid]
	if t == nil || t.Deleted {
		return nil
	}
	p := &personPage{Person: s.personRow(t), Now: s.now().UTC()}
	for _, a := range t.Attributes {
		label, value := a.Attribute, a.Value
		if def := s.catalog.attributes[a.Attribute]; def != nil {
			label, value = def.name, s.optionName(def.optionSet, value)
		}
		p.Attributes = append(p.Attributes, labelled{label, value})
	}
	for _, e := range st.enrollmentsOf[uid] {
		if e.Deleted {
			continue
		}
		row := personEnrollment{enrollmentRow: s.enrollmentRow(e)}
		for _, ev := range st.eventsOf[e.UID] {
			if !ev.Deleted {
				row.Events = append(row.Events, s.eventRow(ev))
			}
		}
		p.Enrollments = append(p.Enrollments, row)
	}
	for _, r := range st.relationsOf[uid] {
		if kind := s.catalog.relTypes[r.Type]; !r.Deleted && kind != nil {
			p.Relationships = append(p.Relationships, labelled{kind.name, s.personName(r.From.Entity) + " → " + s.personName(r.To.Entity)})
		}
	}
	return p
}
