package analytics

import (
	"slices"
	"strconv"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
)

// readUnits finds the org units of a dimension: by id, those of the user, and those at levels below them.
func (q *query) readUnits(u *catalog.User, parts []string) *rest.Problem {
	var named []*catalog.OrgUnit
	var depths []int
	for _, part := range parts {
		switch {
		case strings.HasPrefix(part, "LEVEL-"):
			if n, ok := q.level(strings.TrimPrefix(part, "LEVEL-")); ok {
				depths = append(depths, n)
			}
		case strings.HasPrefix(part, "USER_ORGUNIT"):
			named = append(named, q.ofUser(u, part)...)
		case strings.HasPrefix(part, "OU_GROUP-"):
			return notComputed("org unit groups (" + part + ")")
		default:
			if o := q.catalog.OrgUnits[q.catalog.Find(catalog.KindOrgUnit, q.schemes.in, part)]; o != nil {
				named = append(named, o)
			}
		}
	}
	q.units = named
	if len(depths) > 0 {
		q.units, q.bounds = q.below(named, depths), named
	}
	if len(q.units) == 0 {
		return rest.Conflicting("E7143", "Organisation unit or organisation unit level is not valid")
	}
	return nil
}

// level reads a level by its number or uid.
func (q *query) level(text string) (int, bool) {
	for _, o := range q.catalog.Objects["organisationUnitLevels"] {
		number := catalog.TextOf(o["level"])
		if number != text && catalog.Str(o, "id") != text {
			continue
		}
		n, err := strconv.Atoi(number)
		if err == nil {
			q.levels = append(q.levels, &level{catalog.Str(o, "id"), catalog.Str(o, "name")})
		}
		return n, err == nil
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}

// below gives the org units at levels that are, or lie below, those named; without any all.
func (q *query) below(named []*catalog.OrgUnit, depths []int) []*catalog.OrgUnit {
	var roots []string
	for _, o := range named {
		roots = append(roots, o.UID)
	}
	var list []*catalog.OrgUnit
	for _, o := range q.catalog.OrgUnits {
		if slices.Contains(depths, o.Level) && (len(roots) == 0 || o.Descends(roots)) {
			list = append(list, o)
		}
	}
	slices.SortFunc(list, func(a, b *catalog.OrgUnit) int { return strings.Compare(a.Path, b.Path) })
	return list
}

func (q *query) ofUser(u *catalog.User, what string) []*catalog.OrgUnit {
	depth := strings.Count(what, "CHILDREN") // a grandchild is one more
	if strings.Contains(what, "GRAND") {
		depth++
	}
	var list []*catalog.OrgUnit
	for _, id := range u.Capture {
		if o := q.catalog.OrgUnits[id]; o != nil {
			list = append(list, o)
		}
	}
	for range depth {
		var next []*catalog.OrgUnit
		for _, o := range list {
			next = append(next, o.Children...)
		}
		list = next
	}
	return list
}
