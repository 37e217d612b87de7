package sandbox

import (
	"net/http"
	"strings"
)

// exportWish is what GET /api/metadata is asked for of one collection.
type exportWish struct{ fields, filters, orders []string }

// exported reads which collections are asked for: programs=true, programs:fields=..., programs:filter=..., programs:order=...; none means all.
func (c *metadataCall) exported() map[string]*exportWish {
	out := map[string]*exportWish{}
	for name, values := range c.query {
		kind, what, special := strings.Cut(name, ":")
		if _, ok := c.catalog.objects[kind]; !ok && !otherCollections[kind] {
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
func (c *metadataCall) exportOf(kind string, w *exportWish, set *fieldSet, src exportSource) ([]any, *problem) {
	filters, orders := c.query["filter"], c.query["order"]
	if w != nil && len(w.fields) > 0 {
		own, err := parseFields(w.fields)
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "E1003", "%s", err.Error())
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
	for _, o := range c.catalog.objects[kind] {
		if parseSharing(o).read(c.user) && !src.hides(o) && c.passesAll(conditions, false, o, src.metadataView) {
			found = append(found, o)
		}
	}
	if len(orders) > 0 {
		c.sort(found, orders, src.metadataView)
	}
	items := make([]any, 0, len(found))
	for _, o := range found {
		items = append(items, src.shown(project(o, set, src)))
	}
	return items, nil
}

// exportSource shows metadata with or without what every server has: the default category with its option, combo and option combo.
type exportSource struct {
	metadataView
	without     bool
	skipSharing bool
}

// withoutDefaults reads what is to be left out.
func (c *metadataCall) withoutDefaults(v metadataView) (exportSource, *problem) {
	src := exportSource{metadataView: v, skipSharing: c.at(0) == "metadata" && strings.EqualFold(c.query.Get("skipSharing"), "true")}
	switch text := c.query.Get("defaults"); {
	case text == "EXCLUDE":
		src.without = true
	case text == "" || text == "INCLUDE":
	case c.manners >= 42 && c.at(0) != "metadata":
		return src, refuse(http.StatusBadRequest, "", "Value '%s' is not valid for parameter defaults. Valid values are: [INCLUDE, EXCLUDE]", text)
	default:
		return src, refuse(http.StatusBadRequest, "", "No enum constant org.hisp.dhis.fieldfilter.Defaults.%s", text)
	}
	return src, nil
}

var withDefault = setOf([]string{kindCategory, kindCategoryOption, kindCombo, kindOptionCombo})

// hides tells whether an object is one of those that are left out.
func (s exportSource) hides(o object) bool {
	if !s.without {
		return false
	}
	o = s.whole(o)
	return withDefault[s.kindOf(o)] && str(o, "name") == "default"
}

func (s exportSource) names(o object, preset string) []string {
	if s.hides(o) {
		return nil
	}
	return s.metadataView.names(o, preset)
}

func (s exportSource) property(o object, name string) (any, bool) {
	if s.hides(o) || s.skipSharing && name == "sharing" {
		return nil, false
	}
	return s.metadataView.property(o, name)
}

func (s exportSource) short(name string, v any) any {
	switch x := v.(type) {
	case object:
		if s.hides(x) {
			return object{}
		}
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = s.short(name, x[i])
		}
		return out
	}
	return s.metadataView.short(name, v)
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

// metadata answers /api/metadata: an export of all that the sandbox holds, or of the collections asked for with <collection>=true.
func (c *metadataCall) metadata() {
	if !c.method(http.MethodGet, http.MethodPost) {
		return
	}
	if c.r.Method == http.MethodPost {
		c.importMetadata()
		return
	}
	set, ok := c.fields(":owner")
	if !ok {
		return
	}
	src, p := c.withoutDefaults(c.view())
	if p != nil {
		c.refused(p)
		return
	}
	wanted := c.exported()
	answer := object{"system": object{"id": "culvert-sandbox", "rev": "sandbox", "version": c.manners.release(), "date": stamp(c.now())}}
	for _, kind := range c.catalog.kinds {
		w := wanted[kind]
		if len(wanted) > 0 && w == nil {
			continue
		}
		items, p := c.exportOf(kind, w, set, src)
		if p != nil {
			c.refused(p)
			return
		}
		if len(items) > 0 {
			answer[kind] = items
		}
	}
	c.json(http.StatusOK, answer)
}
