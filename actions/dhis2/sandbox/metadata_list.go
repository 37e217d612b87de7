package sandbox

import (
	"net/http"
	"sort"
	"strconv"
	"strings"
)

// listFlag reads a parameter of a metadata list that is true or false. From 2.42 on it is what Spring takes for one, before that all but true is false.
func (c *metadataCall) listFlag(name string, usual bool) (bool, *problem) {
	text := c.query.Get(name)
	if !c.query.Has(name) || text == "" && c.manners >= 42 {
		return usual, nil
	}
	if c.manners < 42 {
		return strings.EqualFold(text, "true"), nil
	}
	value, ok := springBool(text)
	if !ok {
		return false, c.badListParam(name, text, "boolean")
	}
	return value, nil
}

// listNumber reads a whole number; up to 2.41 one that is none is as if it were not there, but for levels on 2.41.
func (c *metadataCall) listNumber(name string, usual int) (int, *problem) {
	text := c.query.Get(name)
	n, err := strconv.Atoi(strings.TrimSpace(text))
	switch {
	case err == nil:
		return n, nil
	case text == "" || c.manners < 42 && !(c.manners == 41 && strings.HasSuffix(strings.ToLower(name), "level")):
		return usual, nil
	case strings.HasSuffix(strings.ToLower(name), "level"):
		return 0, c.badListParam(name, text, "Integer")
	}
	return 0, c.badListParam(name, text, "int")
}

func (c *metadataCall) badListParam(name, text, kind string) *problem {
	return refuse(http.StatusBadRequest, "", "Value '%s' is not valid for parameter %s. It should be of type %s", text, name, kind)
}

// unitLimits are the parameters of lists of org units beside filters.
type unitLimits struct {
	level, below, max int // -1 when not given; level counts from below
	flags             map[string]bool
}

func (c *metadataCall) unitLimits() (*unitLimits, *problem) {
	l := &unitLimits{flags: map[string]bool{}, below: 0}
	var p *problem
	for _, name := range strings.Fields(`withinUserHierarchy withinDataViewUserHierarchy withinUserSearchHierarchy userOnly userDataViewOnly userDataViewFallback
		levelSorted`) {
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
func (c *metadataCall) unitsOf(among []*orgUnit, l *unitLimits) []object {
	in, view := c.allowedUnits(l)
	var out []object
	for _, o := range c.unitsAmong(among) {
		if l.level >= 0 && o.level != l.below+l.level || l.max >= 0 && o.level > l.max || in != nil && !in(o) || view != nil && !view(o) {
			continue
		}
		out = append(out, c.catalog.byID[o.uid].obj)
	}
	if l.flags["levelSorted"] {
		sort.SliceStable(out, func(i, j int) bool {
			return c.catalog.orgUnits[str(out[i], "id")].level < c.catalog.orgUnits[str(out[j], "id")].level
		})
	}
	return out
}

func (c *metadataCall) unitsAmong(among []*orgUnit) []*orgUnit {
	if among != nil {
		return among
	}
	var out []*orgUnit
	for _, o := range c.catalog.objects[kindOrgUnit] {
		if u := c.catalog.orgUnits[str(o, "id")]; u != nil {
			out = append(out, u)
		}
	}
	return out
}

// allowedUnits gives the two limits by what a user is given: below some org units, and some org units themselves. There are no org units of their
// own for looking at data in the sandbox.
func (c *metadataCall) allowedUnits(l *unitLimits) (in, these func(*orgUnit) bool) {
	roots := map[string]bool{}
	if l.flags["withinUserHierarchy"] {
		roots = setOf(c.user.capture)
	}
	if l.flags["withinUserSearchHierarchy"] && (len(roots) == 0 || c.manners >= 42) {
		for _, id := range c.user.searchRoots() {
			roots[id] = true
		}
	}
	if len(roots) > 0 {
		in = func(o *orgUnit) bool {
			for _, id := range strings.Split(o.path, "/") {
				if roots[id] {
					return true
				}
			}
			return false
		}
	}
	switch own := setOf(c.user.capture); {
	case l.flags["userOnly"]:
		these = func(o *orgUnit) bool { return own[o.uid] }
	case l.flags["userDataViewFallback"]:
		these = func(o *orgUnit) bool { return o.level == 1 }
	case l.flags["userDataViewOnly"]:
		these = func(*orgUnit) bool { return false }
	}
	return in, these
}

// relatives answers what is around an org unit: {uid}/children, ancestors, descendants, parents, or the parameters that say the same. It tells
// whether it was asked for.
func (c *metadataCall) relatives(u *orgUnit) bool {
	what := c.at(2)
	for _, name := range []string{"children", "descendants", "ancestors"} {
		if c.at(2) == "" && c.query.Get("include"+strings.ToUpper(name[:1])+name[1:]) == "true" {
			what = name
		}
	}
	l, p := c.unitLimits()
	if p != nil {
		c.refused(p)
		return true
	}
	among := []*orgUnit{}
	switch leveled := c.query.Has("level"); {
	case leveled && (what == "" || what == "children"):
		l.below, l.level = u.level, max(l.level, 0)
		among = c.subtree(u)
	case what == "children":
		among = append(append(among, u), u.children...)
	case what == "descendants":
		among = c.subtree(u)
	case what == "ancestors" || what == "parents":
		for _, id := range strings.Split(strings.Trim(u.path, "/"), "/") {
			if o := c.catalog.orgUnits[id]; o != nil && (o != u || what == "ancestors") {
				among = append(among, o)
			}
		}
		if c.manners >= 42 {
			c.query.Add("order", "level:asc")
		}
	default:
		return false
	}
	c.answerList(kindOrgUnit, c.unitsOf(among, l))
	return true
}

// subtree gives an org unit and all below it.
func (c *metadataCall) subtree(u *orgUnit) []*orgUnit {
	out := []*orgUnit{u}
	for _, child := range u.children {
		out = append(out, c.subtree(child)...)
	}
	return out
}
