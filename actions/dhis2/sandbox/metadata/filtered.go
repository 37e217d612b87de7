package metadata

import (
	"sort"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/valuetype"
)

// filtered gives the objects of a collection that the user may see and that pass the filters of the request.
func (c *call) filtered(kind string, among []object, view metadataView) ([]object, *rest.Problem) {
	conditions, p := c.conditions(c.Query["filter"])
	if p != nil {
		return nil, p
	}
	anyOf := strings.EqualFold(c.Query.Get("rootJunction"), "OR")
	search := strings.ToLower(c.Query.Get("query"))
	if c.Query.Has("query") && c.Version <= 41 && kind != catalog.KindOrgUnit {
		conditions = nil // a search took the place of filters
	}
	var out []object
	for _, o := range among {
		if !catalog.ParseSharing(o).Read(c.User) {
			continue
		}
		if search != "" && !strings.Contains(strings.ToLower(catalog.Str(o, "name")), search) &&
			strings.ToLower(catalog.Str(o, "code")) != search && catalog.Str(o, "id") != c.Query.Get("query") {
			continue
		}
		if c.passesAll(conditions, anyOf, o, view) {
			out = append(out, o)
		}
	}
	return out, nil
}

// conditions reads filters.
func (c *call) conditions(filters []string) ([]condition, *rest.Problem) {
	var out []condition
	for _, f := range filters {
		cond, p := parseFilter(c.Version, f)
		if p != nil {
			return nil, p
		}
		if !knows(c.Catalog, cond.path) {
			return nil, badFilter(c.Version, "Unknown path property: %s", strings.Join(cond.path, "."))
		}
		out = append(out, cond)
	}
	return out, nil
}

// passesAll tells whether an object passes all conditions, or one at least. From 2.43 on an object without what a
// condition reaches through, as the parent of parent.name, passes none: DHIS2 joins the two.
func (c *call) passesAll(conditions []condition, anyOf bool, o object, view metadataView) bool {
	passed := 0
	for _, cond := range conditions {
		if c.Version >= 43 && len(cond.path) > 1 && len(reach(o, cond.path[:1], view)) == 0 {
			return false
		}
		if c.passes(cond, o, view) {
			passed++
		}
	}
	return len(conditions) == 0 || anyOf && passed > 0 || !anyOf && passed == len(conditions)
}

// passes is one condition, where "identifiable" and "query" stand for id, code and name together.
func (c *call) passes(cond condition, o object, view metadataView) bool {
	if cond.path[0] != "identifiable" && cond.path[0] != "query" {
		return cond.Matches(o, view)
	}
	for _, name := range []string{"id", "code", "name", "shortName"} {
		one := cond
		one.path = []string{name}
		if one.Matches(o, view) {
			return true
		}
	}
	return false
}

// sort puts objects in the order asked for; without one, by name.
func (c *call) sort(objs []object, orders []string, view metadataView) {
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
			return strings.ToLower(catalog.TextOf(values[0]))
		}
		return catalog.TextOf(values[0])
	}
	sort.SliceStable(objs, func(i, j int) bool {
		for _, k := range keys {
			if d := valuetype.Compare(text(objs[i], k), text(objs[j], k)); d != 0 {
				return (d < 0) != k.down
			}
		}
		return false
	})
}
