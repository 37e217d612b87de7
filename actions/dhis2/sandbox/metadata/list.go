package metadata

import (
	"net/http"
	"sort"
	"strconv"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
)

// listFlag reads a parameter of a metadata list that is true or false. From 2.42 on it is what
// Spring takes for one, before that all but true is false.
func (c *call) listFlag(name string, usual bool) (bool, *rest.Problem) {
	text := c.Query.Get(name)
	if !c.Query.Has(name) || text == "" && c.Version >= 42 {
		return usual, nil
	}
	if c.Version < 42 {
		return strings.EqualFold(text, "true"), nil
	}
	value, ok := rest.ParseFlag(text)
	if !ok {
		return false, c.badListParam(name, text, "boolean")
	}
	return value, nil
}

// listNumber reads a whole number; up to 2.41 one that is none is as if it were not there, but for levels on 2.41.
func (c *call) listNumber(name string, usual int) (int, *rest.Problem) {
	text := c.Query.Get(name)
	n, err := strconv.Atoi(strings.TrimSpace(text))
	switch {
	case err == nil:
		return n, nil
	case text == "" || c.Version < 42 && !(c.Version == 41 && strings.HasSuffix(strings.ToLower(name), "level")):
		return usual, nil
	case strings.HasSuffix(strings.ToLower(name), "level"):
		return 0, c.badListParam(name, text, "Integer")
	}
	return 0, c.badListParam(name, text, "int")
}

func (c *call) badListParam(name, text, kind string) *rest.Problem {
	return rest.Refuse(http.StatusBadRequest, "", "Value '%s' is not valid for parameter %s. It should be of type %s",
		text, name, kind)
}

// unitLimits are the parameters of lists of org units beside filters.
type unitLimits struct {
	level, below, max int // -1 when not given; level counts from below
	flags             map[string]bool
}

func (c *call) unitLimits() (*unitLimits, *rest.Problem) {
	l := &unitLimits{flags: map[string]bool{}, below: 0}
	var p *rest.Problem
	for _, name := range strings.Fields(`withinUserHierarchy withinDataViewUserHierarchy withinUserSearchHierarchy
		userOnly userDataViewOnly userDataViewFallback levelSorted`) {
		if l.flags[name], p = c.listFlag(name, false); p != nil {
			return nil, p
		}
	}
	if l.level, p = c.listNumber("level", -1); p != nil {
		return nil, p
	}
	if l.max, p = c.listNumber("maxLevel", -1); p != nil {
		return nil, p
	}
	return l, nil
}

// unitsOf gives the org units that a list is about, among some of them; nil stands for all.
func (c *call) unitsOf(among []*catalog.OrgUnit, l *unitLimits) []object {
	in, view := c.allowedUnits(l)
	var out []object
	for _, o := range c.unitsAmong(among) {
		if l.level >= 0 && o.Level != l.below+l.level || l.max >= 0 && o.Level > l.max || in != nil && !in(o) ||
			view != nil && !view(o) {
			continue
		}
		out = append(out, c.Catalog.ByID[o.UID].Obj)
	}
	if l.flags["levelSorted"] {
		sort.SliceStable(out, func(i, j int) bool {
			return c.Catalog.OrgUnits[catalog.Str(out[i], "id")].Level < c.Catalog.OrgUnits[catalog.Str(out[j], "id")].Level
		})
	}
	return out
}

func (c *call) unitsAmong(among []*catalog.OrgUnit) []*catalog.OrgUnit {
	if among != nil {
		return among
	}
	var out []*catalog.OrgUnit
	for _, o := range c.Catalog.Objects[catalog.KindOrgUnit] {
		if u := c.Catalog.OrgUnits[catalog.Str(o, "id")]; u != nil {
			out = append(out, u)
		}
	}
	return out
}

// allowedUnits gives the two limits by what a user is given: below some org units, and some org
// units themselves. There are no org units of their own for looking at data in the sandbox.
func (c *call) allowedUnits(l *unitLimits) (in, these func(*catalog.OrgUnit) bool) {
	roots := map[string]bool{}
	if l.flags["withinUserHierarchy"] {
		roots = catalog.SetOf(c.User.Capture)
	}
	if l.flags["withinUserSearchHierarchy"] && (len(roots) == 0 || c.Version >= 42) {
		for _, id := range c.User.SearchRoots() {
			roots[id] = true
		}
	}
	if len(roots) > 0 {
		in = func(o *catalog.OrgUnit) bool {
			for _, id := range strings.Split(o.Path, "/") {
				if roots[id] {
					return true
				}
			}
			return false
		}
	}
	switch own := catalog.SetOf(c.User.Capture); {
	case l.flags["userOnly"]:
		these = func(o *catalog.OrgUnit) bool { return own[o.UID] }
	case l.flags["userDataViewFallback"]:
		these = func(o *catalog.OrgUnit) bool { return o.Level == 1 }
	case l.flags["userDataViewOnly"]:
		these = func(*catalog.OrgUnit) bool { return false }
	}
	return in, these
}

// relatives answers what is around an org unit: {uid}/children, ancestors, descendants, parents, or
// the parameters that say the same. It tells whether it was asked for.
func (c *call) relatives(u *catalog.OrgUnit) bool {
	what := c.At(2)
	for _, name := range []string{"children", "descendants", "ancestors"} {
		if c.At(2) == "" && c.Query.Get("include"+strings.ToUpper(name[:1])+name[1:]) == "true" {
			what = name
		}
	}
	l, p := c.unitLimits()
	if p != nil {
		c.Refused(p)
		return true
	}
	among := []*catalog.OrgUnit{}
	switch leveled := c.Query.Has("level"); {
	case leveled && (what == "" || what == "children"):
		l.below, l.level = u.Level, max(l.level, 0)
		among = c.subtree(u)
	case what == "children":
		among = append(append(among, u), u.Children...)
	case what == "descendants":
		among = c.subtree(u)
	case what == "ancestors" || what == "parents":
		for _, id := range strings.Split(strings.Trim(u.Path, "/"), "/") {
			if o := c.Catalog.OrgUnits[id]; o != nil && (o != u || what == "ancestors") {
				among = append(among, o)
			}
		}
		if c.Version >= 42 {
			c.Query.Add("order", "level:asc")
		}
	default:
		return false
	}
	c.answerList(catalog.KindOrgUnit, c.unitsOf(among, l))
	return true
}

// subtree gives an org unit and all below it.
func (c *call) subtree(u *catalog.OrgUnit) []*catalog.OrgUnit {
	out := []*catalog.OrgUnit{u}
	for _, child := range u.Children {
		out = append(out, c.subtree(child)...)
	}
	return out
}
