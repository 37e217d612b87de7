package sandbox

import (
	"embed"
	"html/template"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/programrules"
)

//go:embed page/*.html page/style.css
var pageFiles embed.FS

func parseTemplates() (*template.Template, error) {
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

// pages shows people what the sandbox holds.
type pages struct {
	*env
	templates *template.Template
	skipped   func() []programrules.Skipped // the program rules that are not evaluated
	counts    func() Counts
}

func newPages(e *env, skipped func() []programrules.Skipped, counts func() Counts) (*pages, error) {
	t, err := parseTemplates()
	if err != nil {
		return nil, err
	}
	return &pages{env: e, templates: t, skipped: skipped, counts: counts}, nil
}

// ServeHTTP answers what is outside of the API.
func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		newCall(p.env, w, r).methodNotAllowed(http.MethodGet)
		return
	}
	uid, isPerson := strings.CutPrefix(r.URL.Path, "/person/")
	switch {
	case r.URL.Path == "/style.css":
		w.Header().Set("Cache-Control", "max-age=300")
		http.ServeFileFS(w, r, pageFiles, "page/style.css")
	case r.URL.Path == "/":
		p.render(w, "overview.html", p.overview())
	case isPerson:
		found := p.personPage(uid)
		if found == nil {
			http.NotFound(w, r)
			return
		}
		p.render(w, "person.html", found)
	default:
		http.NotFound(w, r)
	}
}

func (p *pages) render(w http.ResponseWriter, name string, data any) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	if err := p.templates.ExecuteTemplate(w, name, data); err != nil {
		p.log.Error("sandbox could not show its page", "page", name, "error", err)
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

func (p *pages) overview() *overview {
	counts, st := p.counts(), p.store
	st.mu.RLock()
	defer st.mu.RUnlock()
	o := &overview{Version: p.manners.release(), Counts: counts, Skipped: p.skipped(), Now: p.now().UTC()}
	for _, t := range last(st.entityOrder, func(t *trackedEntity) bool { return t.Deleted }) {
		o.People = append(o.People, p.personRow(t))
	}
	for _, e := range last(st.enrollOrder, func(e *enrollment) bool { return e.Deleted }) {
		o.Enrollments = append(o.Enrollments, p.enrollmentRow(e))
	}
	for _, e := range last(st.eventOrder, func(e *event) bool { return e.Deleted }) {
		o.Events = append(o.Events, p.eventRow(e))
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
		o.Values = append(o.Values, p.valueRow(v))
	}
	return o
}

func (p *pages) unitName(uid string) string {
	if u := p.catalog.orgUnits[uid]; u != nil {
		return u.name
	}
	return uid
}

// personName puts together what a person would be known by: the first two values of its type's attributes.
func (p *pages) personName(uid string) string {
	t := p.store.entities[uid]
	if t == nil {
		return ""
	}
	var parts []string
	if kind := p.catalog.types[t.Type]; kind != nil {
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

func (p *pages) personRow(t *trackedEntity) personRow {
	var programs []string
	for _, e := range p.store.enrollmentsOf[t.UID] {
		if of := p.catalog.programs[e.Program]; of != nil && !e.Deleted && !slices.Contains(programs, of.name) {
			programs = append(programs, of.name)
		}
	}
	row := personRow{UID: t.UID, Name: p.personName(t.UID), Unit: p.unitName(t.OrgUnit), Programs: strings.Join(programs, ", "), At: t.Updated}
	if kind := p.catalog.types[t.Type]; kind != nil {
		row.Type = kind.name
	}
	return row
}

func (p *pages) enrollmentRow(e *enrollment) enrollmentRow {
	row := enrollmentRow{UID: e.UID, Entity: e.Entity, Person: p.personName(e.Entity), Unit: p.unitName(e.OrgUnit), Status: e.Status, Enrolled: &e.Enrolled, At: e.Updated}
	if of := p.catalog.programs[e.Program]; of != nil {
		row.Program = of.name
	}
	return row
}

func (p *pages) eventRow(e *event) eventRow {
	row := eventRow{UID: e.UID, Unit: p.unitName(e.OrgUnit), Status: e.Status, Occurred: e.Occurred, At: e.Updated}
	if en := p.store.enrollments[e.Enrollment]; en != nil {
		row.Entity, row.Person = en.Entity, p.personName(en.Entity)
	}
	if of := p.catalog.programs[e.Program]; of != nil {
		row.Program = of.name
	}
	if st := p.catalog.stages[e.Stage]; st != nil {
		row.Stage = st.name
	}
	for _, v := range e.Values {
		label, value := v.Element, v.Value
		if de := p.catalog.dataElements[v.Element]; de != nil {
			label, value = de.name, p.optionName(de.optionSet, value)
		}
		row.Values = append(row.Values, labelled{label, value})
	}
	return row
}

func (p *pages) optionName(set, code string) string {
	if o := p.catalog.optionSets[set]; o != nil && o.nameOf[code] != "" {
		return o.nameOf[code]
	}
	return code
}

func (p *pages) valueRow(v *dataValue) valueRow {
	row := valueRow{Element: v.Element, Unit: p.unitName(v.OrgUnit), Period: v.Period, Value: v.Value, At: v.Updated}
	if de := p.catalog.dataElements[v.Element]; de != nil {
		row.Element, row.Value = de.name, p.optionName(de.optionSet, v.Value)
	}
	if oc := p.catalog.optionCombos[v.Combo]; oc != nil && oc.uid != defaultOptionCombo {
		row.Combo = oc.name
	}
	if oc := p.catalog.optionCombos[v.AttributeCombo]; oc != nil && oc.uid != defaultOptionCombo {
		row.AttributeCombo = oc.name
	}
	return row
}

func (p *pages) personPage(uid string) *personPage {
	st := p.store
	st.mu.RLock()
	defer st.mu.RUnlock()
	t := st.entities[uid]
	if t == nil || t.Deleted {
		return nil
	}
	page := &personPage{Person: p.personRow(t), Now: p.now().UTC()}
	for _, a := range t.Attributes {
		label, value := a.Attribute, a.Value
		if def := p.catalog.attributes[a.Attribute]; def != nil {
			label, value = def.name, p.optionName(def.optionSet, value)
		}
		page.Attributes = append(page.Attributes, labelled{label, value})
	}
	for _, e := range st.enrollmentsOf[uid] {
		if e.Deleted {
			continue
		}
		row := personEnrollment{enrollmentRow: p.enrollmentRow(e)}
		for _, ev := range st.eventsOf[e.UID] {
			if !ev.Deleted {
				row.Events = append(row.Events, p.eventRow(ev))
			}
		}
		page.Enrollments = append(page.Enrollments, row)
	}
	for _, r := range st.relationsOf[uid] {
		if kind := p.catalog.relTypes[r.Type]; !r.Deleted && kind != nil {
			page.Relationships = append(page.Relationships, labelled{kind.name, p.personName(r.From.Entity) + " → " + p.personName(r.To.Entity)})
		}
	}
	return page
}
