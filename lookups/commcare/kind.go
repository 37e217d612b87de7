// Package commcare answers lookups from a project space of CommCare HQ: cases and forms, asked for in bulk
// where its API can, and lookup tables and locations, which are read whole.
package commcare

import (
	"slices"
	"strings"
	"time"

	"github.com/culvert/culvert/lookups"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/sources/commcare"
)

// Kind is the lookups in: commcare.cases and so on.
type Kind struct{}

// Collections that may be looked into.
const (
	cases     = "commcare.cases"
	forms     = "commcare.forms"
	tables    = "commcare.lookup_tables"
	locations = "commcare.locations"
)

// Collections implements rules.AskedKind.
func (Kind) Collections() []string { return []string{cases, forms, tables, locations} }

// Keys implements rules.AskedKind.
func (Kind) Keys(collection string) []settings.Field {
	list := []settings.Field{lookups.ConnectionField("name one of connections: in culvert.yaml, of kind commcare")}
	switch collection {
	case cases:
		list = append(list,
			settings.Field{Name: "case_type", LeftOut: "all types", Doc: "cases of this type"},
			settings.Field{Name: "closed", Type: settings.Switch, LeftOut: "both", Doc: "only closed cases, or only open ones"})
	case forms:
		list = append(list,
			settings.Field{Name: "xmlns", LeftOut: "all forms", Doc: "forms of this namespace"},
			settings.Field{Name: "app_id", LeftOut: "all applications", Doc: "forms of one application"})
	case tables:
		list = append(list, settings.Field{Name: "lookup_table", Required: true,
			Hint: "write the Table ID that stands under Data, Manage Tables",
			Doc:  "the table's Table ID in CommCare; `where` compares its fields"})
	}
	list = append(list, settings.Field{Name: "timeout", Type: settings.Duration, Default: "60s", Least: time.Second,
		Most: 5 * time.Minute, Doc: "how long one request may take"})
	common := lookups.CommonFields()
	if i := slices.IndexFunc(common, func(f settings.Field) bool { return f.Name == "take" }); collection == forms {
		common[i] = settings.Field{Name: "take", Type: settings.Word, Words: []string{"last", "first", "all"},
			LeftOut: "the only one", Doc: "the last form by the time when CommCare received it, the first, or the list of all"}
	}
	return append(list, common...)
}

// Asked is what one lookup asks for.
type Asked struct {
	lookups.Common
	Collection string
	Type       string // of cases
	Closed     string // of cases: "", true or false
	XMLNS, App string // of forms
	Take       string // of forms: "", last or first
	Table      string
	Timeout    time.Duration
}

// Fields implements rules.Asked: nil where any may be named.
func (a *Asked) Fields() []string {
	if a.Collection == forms {
		return []string{"id", "case_id"}
	}
	return nil
}

// Shape implements rules.Asked.
func (a *Asked) Shape() *expression.Shape { return a.Common.Shape() }

// isList tells that it is read whole, and looked into here.
func (a *Asked) isList() bool { return a.Collection == tables || a.Collection == locations }

// Cache implements lookups.Asked: a list is kept as a whole.
func (a *Asked) Cache() (long time.Duration, each bool) { return a.Common.Long, !a.isList() }

// Compile implements rules.AskedKind.
func (Kind) Compile(collection string, r settings.Reader, _ func(string) (rules.Asked, bool)) rules.Asked {
	a := &Asked{Common: lookups.ReadCommon(r, commcare.Kind{}.Connection().Name), Collection: collection,
		Timeout: r.Duration("timeout")}
	switch collection {
	case cases:
		a.Type = r.Text("case_type")
		if r.Has("closed") {
			a.Closed = "false"
			if r.Is("closed") {
				a.Closed = "true"
			}
		}
	case forms:
		a.XMLNS, a.App = r.Text("xmlns"), r.Text("app_id")
		if word := r.Word("take"); word != "all" && r.Has("take") {
			a.Take = word
		}
	case tables:
		a.Table = r.Text("lookup_table")
	}
	if a.isList() {
		a.KeepList(r)
	}
	groups := lookups.Where(r.Config)
	a.Whole = len(groups) == 0 && a.isList() && a.All
	for _, g := range groups {
		for _, p := range g.Pairs() {
			if name := p.Key.Value; collection == cases && strings.HasPrefix(name, "properties.") {
				r.Wrong(p.Key, "bad-property", "a case property is named without properties. before it",
					"write "+strings.TrimPrefix(name, "properties."))
			}
		}
	}
	a.Identify(collection, a.Type, a.Closed, a.XMLNS, a.App, a.Take, a.Table)
	return a
}
