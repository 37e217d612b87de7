package page

import (
	"embed"
	"html/template"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/programrules"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

//go:embed *.html style.css
var pageFiles embed.FS

func parseTemplates() (*template.Template, error) {
	return template.New("").Funcs(template.FuncMap{"date": func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.Format("2006-01-02")
	}, "clock": func(t time.Time) string { return t.Format("2006-01-02 15:04:05") }}).ParseFS(pageFiles, "*.html")
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
	Counts      store.Counts
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

// Pages shows people what the sandbox holds.
type Pages struct {
	*rest.Env
	templates *template.Template
	skipped   func() []programrules.Skipped // the program rules that are not evaluated
	counts    func() store.Counts
}

func New(e *rest.Env, skipped func() []programrules.Skipped, counts func() store.Counts) (*Pages, error) {
	t, err := parseTemplates()
	if err != nil {
		return nil, err
	}
	return &Pages{Env: e, templates: t, skipped: skipped, counts: counts}, nil
}

// ServeHTTP answers what is outside of the API.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		rest.NewCall(p.Env, w, r).MethodNotAllowed(http.MethodGet)
		return
	}
	uid, isPerson := strings.CutPrefix(r.URL.Path, "/person/")
	switch {
	case r.URL.Path == "/style.css":
		w.Header().Set("Cache-Control", "max-age=300")
		http.ServeFileFS(w, r, pageFiles, "style.css")
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

func (p *Pages) render(w http.ResponseWriter, name string, data any) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy",
		"default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	if err := p.templates.ExecuteTemplate(w, name, data); err != nil {
		p.Log.Error("sandbox could not show its page", "page", name, "error", err)
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

func (p *Pages) overview() *overview {
	counts, st := p.counts(), p.Store
	st.RLock()
	defer st.RUnlock()
	o := &overview{Version: p.Version.Release(), Counts: counts, Skipped: p.skipped(), Now: p.Now().UTC()}
	for _, t := range last(st.EntityOrder, func(t *store.TrackedEntity) bool { return t.Deleted }) {
		o.People = append(o.People, p.personRow(t))
	}
	for _, e := range last(st.EnrollOrder, func(e *store.Enrollment) bool { return e.Deleted }) {
		o.Enrollments = append(o.Enrollments, p.enrollmentRow(e))
	}
	for _, e := range last(st.EventOrder, func(e *store.Event) bool { return e.Deleted }) {
		o.Events = append(o.Events, p.eventRow(e))
	}
	values := make([]*store.DataValue, 0, len(st.Values))
	for _, v := range st.Values {
		if !v.Deleted {
			values = append(values, v)
		}
	}
	sort.Slice(values, func(i, j int) bool {
		return values[i].Updated.After(values[j].Updated) || values[i].Updated.Equal(values[j].Updated) &&
			values[i].Seq > values[j].Seq
	})
	for _, v := range values[:min(len(values), shownRows)] {
		o.Values = append(o.Values, p.valueRow(v))
	}
	return o
}

func (p *Pages) unitName(uid string) string {
	if u := p.Catalog.OrgUnits[uid]; u != nil {
		return u.Name
	}
	return uid
}

// personName puts together what a person would be known by: the first two values of its type's attributes.
func (p *Pages) personName(uid string) string {
	t := p.Store.Entities[uid]
	if t == nil {
		return ""
	}
	var parts []string
	if kind := p.Catalog.Types[t.Type]; kind != nil {
		for _, a := range kind.Attributes {
			if v, ok := t.Attribute(a.Attribute); ok && len(parts) < 2 {
				parts = append(parts, v)
			}
		}
	}
	if len(parts) == 0 {
		return uid
	}
	return strings.Join(parts, " ")
}

func (p *Pages) personRow(t *store.TrackedEntity) personRow {
	var programs []string
	for _, e := range p.Store.EnrollmentsOf[t.UID] {
		if of := p.Catalog.Programs[e.Program]; of != nil && !e.Deleted && !slices.Contains(programs, of.Name) {
			programs = append(programs, of.Name)
		}
	}
	row := personRow{UID: t.UID, Name: p.personName(t.UID), Unit: p.unitName(t.OrgUnit),
		Programs: strings.Join(programs, ", "), At: t.Updated}
	if kind := p.Catalog.Types[t.Type]; kind != nil {
		row.Type = kind.Name
	}
	return row
}

func (p *Pages) enrollmentRow(e *store.Enrollment) enrollmentRow {
	row := enrollmentRow{UID: e.UID, Entity: e.Entity, Person: p.personName(e.Entity), Unit: p.unitName(e.OrgUnit),
		Status: e.Status, Enrolled: &e.Enrolled, At: e.Updated}
	if of := p.Catalog.Programs[e.Program]; of != nil {
		row.Program = of.Name
	}
	return row
}

func (p *Pages) eventRow(e *store.Event) eventRow {
	row := eventRow{UID: e.UID, Unit: p.unitName(e.OrgUnit), Status: e.Status, Occurred: e.Occurred, At: e.Updated}
	if en := p.Store.Enrollments[e.Enrollment]; en != nil {
		row.Entity, row.Person = en.Entity, p.personName(en.Entity)
	}
	if of := p.Catalog.Programs[e.Program]; of != nil {
		row.Program = of.Name
	}
	if st := p.Catalog.Stages[e.Stage]; st != nil {
		row.Stage = st.Name
	}
	for _, v := range e.Values {
		label, value := v.Element, v.Value
		if de := p.Catalog.DataElements[v.Element]; de != nil {
			label, value = de.Name, p.optionName(de.OptionSet, value)
		}
		row.Values = append(row.Values, labelled{label, value})
	}
	return row
}

func (p *Pages) optionName(set, code string) string {
	if o := p.Catalog.OptionSets[set]; o != nil && o.NameOf[code] != "" {
		return o.NameOf[code]
	}
	return code
}

func (p *Pages) valueRow(v *store.DataValue) valueRow {
	row := valueRow{Element: v.Element, Unit: p.unitName(v.OrgUnit), Period: v.Period, Value: v.Value, At: v.Updated}
	if de := p.Catalog.DataElements[v.Element]; de != nil {
		row.Element, row.Value = de.Name, p.optionName(de.OptionSet, v.Value)
	}
	if oc := p.Catalog.OptionCombos[v.Combo]; oc != nil && oc.UID != catalog.DefaultOptionCombo {
		row.Combo = oc.Name
	}
	if oc := p.Catalog.OptionCombos[v.AttributeCombo]; oc != nil && oc.UID != catalog.DefaultOptionCombo {
		row.AttributeCombo = oc.Name
	}
	return row
}

func (p *Pages) personPage(uid string) *personPage {
	st := p.Store
	st.RLock()
	defer st.RUnlock()
	t := st.Entities[uid]
	if t == nil || t.Deleted {
		return nil
	}
	page := &personPage{Person: p.personRow(t), Now: p.Now().UTC()}
	for _, a := range t.Attributes {
		label, value := a.Attribute, a.Value
		if def := p.Catalog.Attributes[a.Attribute]; def != nil {
			label, value = def.Name, p.optionName(def.OptionSet, value)
		}
		page.Attributes = append(page.Attributes, labelled{label, value})
	}
	for _, e := range st.EnrollmentsOf[uid] {
		if e.Deleted {
			continue
		}
		row := personEnrollment{enrollmentRow: p.enrollmentRow(e)}
		for _, ev := range st.EventsOf[e.UID] {
			if !ev.Deleted {
				row.Events = append(row.Events, p.eventRow(ev))
			}
		}
		page.Enrollments = append(page.Enrollments, row)
	}
	for _, r := range st.RelationsOf[uid] {
		if kind := p.Catalog.RelTypes[r.Type]; !r.Deleted && kind != nil {
			page.Relationships = append(page.Relationships,
				labelled{kind.Name, p.personName(r.From.Entity) + " → " + p.personName(r.To.Entity)})
		}
	}
	return page
}
