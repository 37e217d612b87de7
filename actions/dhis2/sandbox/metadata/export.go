package metadata

import (
	"net/http"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
	"github.com/culvert/culvert/actions/dhis2/sandbox/fields"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
)

// exportWish is what GET /api/metadata is asked for of one collection.
type exportWish struct{ fields, filters, orders []string }

// exported reads which collections are asked for: programs=true, programs:fields=...,
// programs:filter=..., programs:order=...; none means all.
func (c *call) exported() map[string]*exportWish {
	out := map[string]*exportWish{}
	for name, values := range c.Query {
		kind, what, special := strings.Cut(name, ":")
		if _, ok := c.Catalog.Objects[kind]; !ok && !otherCollections[kind] {
			continue
		}
		what = strings.ToLower(what)
		if special = special && (what == "fields" || what == "filter" || what == "order"); !special && !selected(values) {
			continue
		}
		w := out[kind]
		if w == nil {
			w = &exportWish{}
			out[kind] = w
		}
		switch {
		case !special:
		case what == "fields":
			w.fields = append(w.fields, values...)
		case what == "filter":
			w.filters = append(w.filters, values...)
		default:
			w.orders = append(w.orders, values...)
		}
	}
	return out
}

// selected: true in any case, and false nowhere.
func selected(values []string) bool {
	yes := false
	for _, v := range values {
		if strings.EqualFold(v, "false") {
			return false
		}
		yes = yes || strings.EqualFold(v, "true")
	}
	return yes
}

// exportOf gives the objects of a collection for an export; w is nil where nothing was said of it.
func (c *call) exportOf(kind string, w *exportWish, set *fields.Set, src exportSource) ([]any, *rest.Problem) {
	filters, orders := c.Query["filter"], c.Query["order"]
	if w != nil && len(w.fields) > 0 {
		own, err := fields.Parse(w.fields)
		if err != nil {
			return nil, rest.Refuse(http.StatusBadRequest, "E1003", "%s", err.Error())
		}
		set = own
	}
	if w != nil && len(w.filters)+len(w.orders) > 0 {
		filters, orders = w.filters, w.orders
	}
	conditions, p := c.conditions(filters)
	if p != nil {
		return nil, p
	}
	var found []object
	for _, o := range c.Catalog.Objects[kind] {
		if catalog.ParseSharing(o).Read(c.User) && !src.hides(o) && c.passesAll(conditions, false, o, src.metadataView) {
			found = append(found, o)
		}
	}
	if len(orders) > 0 {
		c.sort(found, orders, src.metadataView)
	}
	items := make([]any, 0, len(found))
	for _, o := range found {
		items = append(items, src.shown(fields.Project(o, set, src)))
	}
	return items, nil
}

// exportSource shows metadata with or without what every server has: the default category with its
// option, combo and option combo.
type exportSource struct {
	metadataView
	without     bool
	skipSharing bool
}

// withoutDefaults reads what is to be left out.
func (c *call) withoutDefaults(v metadataView) (exportSource, *rest.Problem) {
	src := exportSource{metadataView: v,
		skipSharing: c.At(0) == "metadata" && strings.EqualFold(c.Query.Get("skipSharing"), "true")}
	switch text := c.Query.Get("defaults"); {
	case text == "EXCLUDE":
		src.without = true
	case text == "" || text == "INCLUDE":
	case c.Version >= 42 && c.At(0) != "metadata":
		return src, rest.Refuse(http.StatusBadRequest, "",
			"Value '%s' is not valid for parameter defaults. Valid values are: [INCLUDE, EXCLUDE]", text)
	default:
		return src, rest.Refuse(http.StatusBadRequest, "", "No enum constant org.hisp.dhis.fieldfilter.Defaults.%s", text)
	}
	return src, nil
}

var withDefault = catalog.SetOf([]string{catalog.KindCategory, catalog.KindCategoryOption, catalog.KindCombo,
	catalog.KindOptionCombo})

// hides tells whether an object is one of those that are left out.
func (s exportSource) hides(o object) bool {
	if !s.without {
		return false
	}
	o = s.whole(o)
	return withDefault[s.kindOf(o)] && catalog.Str(o, "name") == "default"
}

func (s exportSource) Names(o object, preset string) []string {
	if s.hides(o) {
		return nil
	}
	return s.metadataView.Names(o, preset)
}

func (s exportSource) Property(o object, name string) (any, bool) {
	if s.hides(o) || s.skipSharing && name == "sharing" {
		return nil, false
	}
	return s.metadataView.Property(o, name)
}

func (s exportSource) Short(name string, v any) any {
	switch x := v.(type) {
	case object:
		if s.hides(x) {
			return object{}
		}
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = s.Short(name, x[i])
		}
		return out
	}
	return s.metadataView.Short(name, v)
}

// shown drops the properties of which nothing is left.
func (s exportSource) shown(o object) object {
	if s.without {
		for name, v := range o {
			if inner, ok := v.(object); ok && len(inner) == 0 {
				delete(o, name)
			}
		}
	}
	return o
}

// metadata answers /api/metadata: an export of all that the sandbox holds, or of the collections
// asked for with <collection>=true.
func (c *call) metadata() {
	if !c.Method(http.MethodGet, http.MethodPost) {
		return
	}
	if c.R.Method == http.MethodPost {
		c.importMetadata()
		return
	}
	set, ok := c.Fields(":owner")
	if !ok {
		return
	}
	src, p := c.withoutDefaults(c.view())
	if p != nil {
		c.Refused(p)
		return
	}
	wanted := c.exported()
	answer := object{"system": object{"id": "culvert-sandbox", "rev": "sandbox", "version": c.Version.Release(),
		"date": dates.Stamp(c.Now())}}
	for _, kind := range c.Catalog.Kinds {
		w := wanted[kind]
		if len(wanted) > 0 && w == nil {
			continue
		}
		items, p := c.exportOf(kind, w, set, src)
		if p != nil {
			c.Refused(p)
			return
		}
		if len(items) > 0 {
			answer[kind] = items
		}
	}
	c.JSON(http.StatusOK, answer)
}
