package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
)

// otherCollections are collections of DHIS2 that a metadata export may lack: they are empty then, not unknown.
var otherCollections = setOf(strings.Fields(`indicators indicatorTypes indicatorGroups indicatorGroupSets validationRules validationRuleGroups dashboards
visualizations eventVisualizations eventCharts eventReports maps sections legendSets programIndicators programIndicatorGroups programSections
programStageSections organisationUnitGroups organisationUnitGroupSets organisationUnitLevels dataElementGroups dataElementGroupSets categoryOptionGroups
categoryOptionGroupSets optionGroups optionGroupSets programNotificationTemplates constants predictors predictorGroups documents reports userGroups userRoles
users attributes trackedEntityTypes trackedEntityAttributes relationshipTypes programRules programRuleActions programRuleVariables options optionSets
dataEntryForms dataApprovalLevels dataApprovalWorkflows externalMapLayers sqlViews jobConfigurations programs programStages dataSets dataElements
categories categoryCombos categoryOptionCombos categoryOptions organisationUnits interpretations eventFilters trackedEntityInstanceFilters
programStageWorkingLists dataSetNotificationTemplates validationNotificationTemplates eventHooks expressionDimensionItems`))

// singular names a collection's objects as DHIS2 does in its sentences.
func singular(kind string) string {
	name := strings.TrimSuffix(kind, "s")
	if kind == kindCategory {
		name = "category"
	}
	if rest, ok := strings.CutSuffix(kind, "ies"); ok && kind != kindCategory {
		name = rest + "y"
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// collection answers what is below /api/<collection>.
func (c *metadataCall) collection() {
	kind := c.at(0)
	if _, ok := c.catalog.objects[kind]; !ok && !otherCollections[kind] {
		c.notFound()
		return
	}
	if c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
		c.writeCollection(kind)
		return
	}
	if kind == "users" && !c.user.may("F_USER_VIEW") {
		c.fail(http.StatusForbidden, "E1006", "You don't have the proper permissions to read objects of this type.")
		return
	}
	switch {
	case len(c.path) == 1:
		c.list(kind)
	case kind == kindProgram && c.at(1) == "orgUnits" && len(c.path) == 2:
		c.programOrgUnits()
	case kind == kindAttribute && len(c.path) == 3 && c.reserved():
	default:
		c.single(kind)
	}
}

func (c *metadataCall) view() metadataView {
	return metadataView{c: c.catalog, m: c.manners, user: c.user, base: c.base()}
}

func (c *metadataCall) list(kind string) {
	objs := c.catalog.objects[kind]
	if kind == kindOrgUnit {
		limits, p := c.unitLimits()
		if p != nil {
			c.refused(p)
			return
		}
		objs = c.unitsOf(nil, limits)
	}
	c.answerList(kind, objs)
}

// answerList answers with those of some objects that pass the filters, in order and by pages.
func (c *metadataCall) answerList(kind string, among []object) {
	set, ok := c.fields("id,displayName")
	if !ok {
		return
	}
	view := c.view()
	src, p := c.withoutDefaults(view)
	if p != nil {
		c.refused(p)
		return
	}
	paging, p := c.listFlag("paging", true)
	if p != nil {
		c.refused(p)
		return
	}
	objs, p := c.filtered(kind, among, view)
	if p != nil {
		c.refused(p)
		return
	}
	c.sort(objs, c.query["order"], view)
	answer := object{}
	if paging {
		var pager object
		if objs, pager, p = c.paged(kind, objs); p != nil {
			c.refused(p)
			return
		}
		answer["pager"] = pager
	}
	items := make([]any, 0, len(objs))
	for _, o := range objs {
		if set.clashes {
			break // DHIS2 breaks off while it writes the list, which stays empty
		}
		if src.hides(o) {
			continue
		}
		items = append(items, src.shown(project(o, set, src)))
	}
	answer[kind] = items
	c.cached(answer)
}

// filtered gives the objects of a collection that the user may see and that pass the filters of the request.
func (c *metadataCall) filtered(kind string, among []object, view metadataView) ([]object, *problem) {
	conditions, p := c.conditions(c.query["filter"])
	if p != nil {
		return nil, p
	}
	anyOf := strings.EqualFold(c.query.Get("rootJunction"), "OR")
	search := strings.ToLower(c.query.Get("query"))
	if c.query.Has("query") && c.manners <= 41 && kind != kindOrgUnit {
		conditions = nil // a search took the place of filters
	}
	var out []object
	for _, o := range among {
		if !parseSharing(o).read(c.user) {
			continue
		}
		if search != "" && !strings.Contains(strings.ToLower(str(o, "name")), search) && strings.ToLower(str(o, "code")) != search && str(o, "id") != c.query.Get("query") {
			continue
		}
		if c.passesAll(conditions, anyOf, o, view) {
			out = append(out, o)
		}
	}
	return out, nil
}

// conditions reads filters.
func (c *metadataCall) conditions(filters []string) ([]condition, *problem) {
	var out []condition
	for _, f := range filters {
		cond, p := parseFilter(c.manners, f)
		if p != nil {
			return nil, p
		}
		if !knows(c.catalog, cond.path) {
			return nil, badFilter(c.manners, "Unknown path property: %s", strings.Join(cond.path, "."))
		}
		out = append(out, cond)
	}
	return out, nil
}

// passesAll tells whether an object passes all conditions, or one at least.
func (c *metadataCall) passesAll(conditions []condition, anyOf bool, o object, view metadataView) bool {
	passed := 0
	for _, cond := range conditions {
		if c.passes(cond, o, view) {
			passed++
		}
	}
	return len(conditions) == 0 || anyOf && passed > 0 || !anyOf && passed == len(conditions)
}

// passes is one condition, where "identifiable" and "query" stand for id, code and name together.
func (c *metadataCall) passes(cond condition, o object, view metadataView) bool {
	if cond.path[0] != "identifiable" && cond.path[0] != "query" {
		return cond.matches(o, view)
	}
	for _, name := range []string{"id", "code", "name", "shortName"} {
		one := cond
		one.path = []string{name}
		if one.matches(o, view) {
			return true
		}
	}
	return false
}

// sort puts objects in the order asked for; without one, by name.
func (c *metadataCall) sort(objs []object, orders []string, view metadataView) {
	type key struct {
		path       []string
		down, fold bool
	}
	var keys []key
	for _, param := range orders {
		for _, part := range strings.Split(param, ",") {
			name, direction, _ := strings.Cut(part, ":")
			if name == "" {
				continue
			}
			k := key{path: strings.Split(name, ".")}
			switch strings.ToLower(direction) {
			case "", "asc":
			case "iasc":
				k.fold = true
			case "desc":
				k.down = true
			case "idesc":
				k.down, k.fold = true, true
			default:
				continue
			}
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		keys = []key{{path: []string{"name"}, fold: true}, {path: []string{"id"}}}
	}
	text := func(o object, k key) string {
		values := reach(o, k.path, view)
		if len(values) == 0 {
			return ""
		}
		if k.fold {
			return strings.ToLower(textOf(values[0]))
		}
		return textOf(values[0])
	}
	sort.SliceStable(objs, func(i, j int) bool {
		for _, k := range keys {
			if d := compare(text(objs[i], k), text(objs[j], k)); d != 0 {
				return (d < 0) != k.down
			}
		}
		return false
	})
}

// paged cuts a page out of a list. A page beyond the last is empty and says that it is the last.
func (c *metadataCall) paged(kind string, objs []object) ([]object, object, *problem) {
	page, p := c.listNumber("page", 1)
	if p != nil {
		return nil, nil, p
	}
	size, p := c.listNumber("pageSize", defaultPageSize)
	if p != nil {
		return nil, nil, p
	}
	page, total, none := max(page, 1), len(objs), size == 0
	size = max(size, 1)
	pages := (total + size - 1) / size
	if kind == "users" && c.manners.lastPage() {
		page = max(min(page, pages), 1)
	}
	from := min((page-1)*size, total)
	out := objs[from:min(from+size, total)]
	if none {
		out = nil // pages of nothing, counted as pages of one
	}
	page = max(min(page, pages), 1)
	pager := object{"page": page, "total": total, "pageSize": size, "pageCount": pages}
	if page < pages {
		pager["nextPage"] = c.pageLink(page+1, size)
	}
	if page > 1 {
		pager["prevPage"] = c.pageLink(page-1, size)
	}
	return out, pager, nil
}

func (c *metadataCall) pageLink(page, size int) string {
	var parts []string
	if page > 1 {
		parts = append(parts, "page="+strconv.Itoa(page))
	}
	if size != defaultPageSize {
		parts = append(parts, "pageSize="+strconv.Itoa(size))
	}
	for _, p := range queryInOrder(c.r.URL.RawQuery) {
		if p[0] != "page" && p[0] != "pageSize" {
			parts = append(parts, url.QueryEscape(p[0])+"="+url.QueryEscape(p[1]))
		}
	}
	link := c.base() + c.r.URL.Path
	if len(parts) > 0 {
		link += "?" + strings.Join(parts, "&")
	}
	return link
}

// single answers /api/<collection>/<uid>, and one property of it at /api/<collection>/<uid>/<property>.
func (c *metadataCall) single(kind string) {
	uid := c.at(1)
	e, ok := c.catalog.byID[uid]
	if !ok || e.kind != kind {
		c.w.Header().Set("Cache-Control", "no-cache, private")
		c.fail(http.StatusNotFound, "E1005", fmt.Sprintf("%s with id %s could not be found.", singular(kind), uid))
		return
	}
	if !parseSharing(e.obj).read(c.user) {
		c.fail(http.StatusForbidden, "", fmt.Sprintf("You don't have the proper permissions to read objects of type %s.", singular(kind)))
		return
	}
	set, ok := c.fields("*")
	if !ok {
		return
	}
	if u := c.catalog.orgUnits[uid]; kind == kindOrgUnit && u != nil && c.manners >= 41 && c.relatives(u) {
		return
	}
	switch len(c.path) {
	case 2:
		if units := c.around(kind, uid); units != nil {
			items := make([]any, 0, len(units))
			for _, u := range units {
				items = append(items, project(c.catalog.byID[u.uid].obj, set, c.view()))
			}
			c.cached(object{kind: items})
			return
		}
	case 3:
		inner := set
		if len(c.query["fields"]) == 0 {
			inner = nil
		}
		set = &fieldSet{fields: []*fieldSpec{{name: c.at(2), sub: inner}}, exclude: map[string]bool{}}
		if _, ok := c.view().property(e.obj, c.at(2)); !ok {
			c.fail(http.StatusNotFound, "E1005", fmt.Sprintf("Property %s does not exist on %s", c.at(2), singular(kind)))
			return
		}
	default:
		c.notFound()
		return
	}
	c.cached(project(e.obj, set, c.view()))
}

// around gives the org units that a request for one wants together with it; nil where it wants that one alone.
func (c *metadataCall) around(kind, uid string) []*orgUnit {
	u := c.catalog.orgUnits[uid]
	if kind != kindOrgUnit || u == nil {
		return nil
	}
	wants := func(name string) bool { return c.query.Get(name) == "true" }
	below := func(level int) []*orgUnit {
		var out []*orgUnit
		var walk func(*orgUnit)
		walk = func(o *orgUnit) {
			if level < 0 || o.level == u.level+level {
				out = append(out, o)
			}
			for _, child := range o.children {
				walk(child)
			}
		}
		walk(u)
		return out
	}
	level, err := strconv.Atoi(c.query.Get("level"))
	switch {
	case wants("includeChildren"):
		return append([]*orgUnit{u}, u.children...)
	case wants("includeDescendants"):
		return below(-1)
	case wants("includeAncestors"):
		var out []*orgUnit
		for _, id := range strings.Split(strings.Trim(u.path, "/"), "/") {
			out = append(out, c.catalog.orgUnits[id])
		}
		return out
	case err == nil && level >= 0:
		return below(level)
	}
	return nil
}

// programOrgUnits answers /api/programs/orgUnits: the org units of some programs that the user may see.
func (c *metadataCall) programOrgUnits() {
	out := map[string][]string{}
	for _, param := range c.query["programs"] {
		for _, id := range strings.FieldsFunc(param, func(r rune) bool { return r == ',' || r == ';' }) {
			p := c.catalog.programs[id]
			if p == nil {
				continue
			}
			for _, ou := range p.orgUnitList {
				if u := c.catalog.orgUnits[ou]; u != nil && c.user.searches(u) {
					out[id] = append(out[id], ou)
				}
			}
		}
	}
	c.json(http.StatusOK, out)
}
