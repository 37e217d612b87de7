package metadata

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/fields"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
)

// otherCollections are collections of DHIS2 that a metadata export may lack: they are empty then, not unknown.
var otherCollections = catalog.SetOf(strings.Fields(`indicators indicatorTypes indicatorGroups indicatorGroupSets
validationRules validationRuleGroups dashboards visualizations eventVisualizations eventCharts eventReports maps
sections legendSets programIndicators programIndicatorGroups programSections programStageSections
organisationUnitGroups organisationUnitGroupSets organisationUnitLevels dataElementGroups dataElementGroupSets
categoryOptionGroups categoryOptionGroupSets optionGroups optionGroupSets programNotificationTemplates constants
predictors predictorGroups documents reports userGroups userRoles users attributes trackedEntityTypes
trackedEntityAttributes relationshipTypes programRules programRuleActions programRuleVariables options optionSets
dataEntryForms dataApprovalLevels dataApprovalWorkflows externalMapLayers sqlViews jobConfigurations programs
programStages dataSets dataElements categories categoryCombos categoryOptionCombos categoryOptions organisationUnits
interpretations eventFilters trackedEntityInstanceFilters programStageWorkingLists dataSetNotificationTemplates
validationNotificationTemplates eventHooks expressionDimensionItems`))

// singular names a collection's objects as DHIS2 does in its sentences.
func singular(kind string) string {
	name := strings.TrimSuffix(kind, "s")
	if kind == catalog.KindCategory {
		name = "category"
	}
	if rest, ok := strings.CutSuffix(kind, "ies"); ok && kind != catalog.KindCategory {
		name = rest + "y"
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// collection answers what is below /api/<collection>.
func (c *call) collection() {
	kind := c.At(0)
	if _, ok := c.Catalog.Objects[kind]; !ok && !otherCollections[kind] {
		c.NotFound()
		return
	}
	if c.R.Method != http.MethodGet && c.R.Method != http.MethodHead {
		c.writeCollection(kind)
		return
	}
	if kind == "users" && !c.User.May("F_USER_VIEW") {
		c.Fail(http.StatusForbidden, "E1006", "You don't have the proper permissions to read objects of this type.")
		return
	}
	switch {
	case len(c.Path) == 1:
		c.list(kind)
	case kind == catalog.KindProgram && c.At(1) == "orgUnits" && len(c.Path) == 2:
		c.programOrgUnits()
	case kind == catalog.KindAttribute && len(c.Path) == 3 && c.reserved():
	default:
		c.single(kind)
	}
}

func (c *call) view() metadataView {
	return metadataView{c: c.Catalog, version: c.Version, user: c.User, base: c.Base()}
}

func (c *call) list(kind string) {
	objs := c.Catalog.Objects[kind]
	if kind == catalog.KindOrgUnit {
		limits, p := c.unitLimits()
		if p != nil {
			c.Refused(p)
			return
		}
		objs = c.unitsOf(nil, limits)
	}
	c.answerList(kind, objs)
}

// answerList answers with those of some objects that pass the filters, in order and by pages.
func (c *call) answerList(kind string, among []object) {
	set, ok := c.Fields("id,displayName")
	if !ok {
		return
	}
	view := c.view()
	src, p := c.withoutDefaults(view)
	if p != nil {
		c.Refused(p)
		return
	}
	paging, p := c.listFlag("paging", true)
	if p != nil {
		c.Refused(p)
		return
	}
	objs, p := c.filtered(kind, among, view)
	if p != nil {
		c.Refused(p)
		return
	}
	c.sort(objs, c.Query["order"], view)
	answer := object{}
	if paging {
		var pager object
		if objs, pager, p = c.paged(kind, objs); p != nil {
			c.Refused(p)
			return
		}
		answer["pager"] = pager
	}
	items := make([]any, 0, len(objs))
	for _, o := range objs {
		if set.Clashes {
			break // DHIS2 breaks off while it writes the list, which stays empty
		}
		if src.hides(o) {
			continue
		}
		items = append(items, src.shown(fields.Project(o, set, src)))
	}
	answer[kind] = items
	c.Cached(answer)
}

// single answers /api/<collection>/<uid>, and one property of it at /api/<collection>/<uid>/<property>.
func (c *call) single(kind string) {
	uid := c.At(1)
	e, ok := c.Catalog.ByID[uid]
	if !ok || e.Kind != kind {
		c.W.Header().Set("Cache-Control", "no-cache, private")
		c.Fail(http.StatusNotFound, "E1005", fmt.Sprintf("%s with id %s could not be found.", singular(kind), uid))
		return
	}
	if !catalog.ParseSharing(e.Obj).Read(c.User) {
		c.Fail(http.StatusForbidden, "", fmt.Sprintf("You don't have the proper permissions to read objects of type %s.",
			singular(kind)))
		return
	}
	set, ok := c.Fields("*")
	if !ok {
		return
	}
	if u := c.Catalog.OrgUnits[uid]; kind == catalog.KindOrgUnit && u != nil && c.Version >= 41 && c.relatives(u) {
		return
	}
	switch len(c.Path) {
	case 2:
		if units := c.around(kind, uid); units != nil {
			items := make([]any, 0, len(units))
			for _, u := range units {
				items = append(items, fields.Project(c.Catalog.ByID[u.UID].Obj, set, c.view()))
			}
			c.Cached(object{kind: items})
			return
		}
	case 3:
		inner := set
		if len(c.Query["fields"]) == 0 {
			inner = nil
		}
		set = &fields.Set{Fields: []*fields.Spec{{Name: c.At(2), Sub: inner}}, Exclude: map[string]bool{}}
		if _, ok := c.view().Property(e.Obj, c.At(2)); !ok {
			c.Fail(http.StatusNotFound, "E1005", fmt.Sprintf("Property %s does not exist on %s", c.At(2), singular(kind)))
			return
		}
	default:
		c.NotFound()
		return
	}
	c.Cached(fields.Project(e.Obj, set, c.view()))
}

// around gives the org units that a request for one wants together with it; nil where it wants that one alone.
func (c *call) around(kind, uid string) []*catalog.OrgUnit {
	u := c.Catalog.OrgUnits[uid]
	if kind != catalog.KindOrgUnit || u == nil {
		return nil
	}
	wants := func(name string) bool { return c.Query.Get(name) == "true" }
	below := func(level int) []*catalog.OrgUnit {
		var out []*catalog.OrgUnit
		var walk func(*catalog.OrgUnit)
		walk = func(o *catalog.OrgUnit) {
			if level < 0 || o.Level == u.Level+level {
				out = append(out, o)
			}
			for _, child := range o.Children {
				walk(child)
			}
		}
		walk(u)
		return out
	}
	level, err := strconv.Atoi(c.Query.Get("level"))
	switch {
	case wants("includeChildren"):
		return append([]*catalog.OrgUnit{u}, u.Children...)
	case wants("includeDescendants"):
		return below(-1)
	case wants("includeAncestors"):
		var out []*catalog.OrgUnit
		for _, id := range strings.Split(strings.Trim(u.Path, "/"), "/") {
			out = append(out, c.Catalog.OrgUnits[id])
		}
		return out
	case err == nil && level >= 0:
		return below(level)
	}
	return nil
}

// programOrgUnits answers /api/programs/orgUnits: the org units of some programs that the user may see.
func (c *call) programOrgUnits() {
	out := map[string][]string{}
	if !c.Query.Has("programs") {
		c.Refused(rest.MissingParameter("programs"))
		return
	}
	var unknown []string
	for _, id := range c.ListOf("programs") {
		p := c.Catalog.Programs[id]
		if p == nil {
			unknown = append(unknown, id)
			continue
		}
		for _, ou := range p.OrgUnitList {
			if u := c.Catalog.OrgUnits[ou]; u != nil && c.User.Searches(u) {
				out[id] = append(out[id], ou)
			}
		}
	}
	if len(unknown) > 0 {
		c.Fail(http.StatusConflict, "E1112",
			"Objects of type `Program` not found or not accessible: `["+strings.Join(unknown, ", ")+"]`")
		return
	}
	c.JSON(http.StatusOK, out)
}
