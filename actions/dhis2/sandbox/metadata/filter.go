package metadata

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/fields"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/valuetype"
	"github.com/culvert/culvert/actions/dhis2/sandbox/version"
)

// condition is one filter of a list of metadata: property:operator:value.
type condition struct {
	path     []string
	operator string
	negated  bool
	value    string
	values   []string // of in
}

// operators of DHIS2's metadata filters, with whether each takes a value.
var operators = map[string]bool{
	"eq": true, "ne": true, "neq": true, "ieq": true, "gt": true, "ge": true, "gte": true, "lt": true, "le": true,
	"lte":  true,
	"null": false, "empty": false, "in": true, "like": true, "ilike": true, "$like": true, "like$": true, "$ilike": true,
	"ilike$": true,
	"token":  true, "startsWith": true, "endsWith": true,
}

// parseFilter reads one filter. The problem says what is wrong in DHIS2's words, with the status of the version.
func parseFilter(m version.Profile, text string) (condition, *rest.Problem) {
	bad := func(format string, args ...any) (condition, *rest.Problem) {
		return condition{}, badFilter(m, format, args...)
	}
	parts := strings.SplitN(text, ":", 3)
	if len(parts) < 2 || parts[0] == "" {
		return bad("Invalid filter => %s", text)
	}
	c := condition{path: strings.Split(parts[0], ".")}
	c.operator = parts[1]
	if rest, ok := strings.CutPrefix(c.operator, "!"); ok {
		c.negated, c.operator = true, rest
	} else if rest, ok := strings.CutPrefix(c.operator, "not"); ok && rest != "" {
		c.negated, c.operator = true, strings.ToLower(rest[:1])+rest[1:]
	}
	takes, known := operators[c.operator]
	if !known {
		return bad("`%s` is not a valid operator.", parts[1])
	}
	if takes && len(parts) < 3 {
		return bad("Invalid filter => %s", text)
	}
	if len(parts) == 3 {
		c.value = parts[2]
	}
	if c.operator == "in" {
		inner, ok := strings.CutPrefix(c.value, "[")
		inner, closed := strings.CutSuffix(inner, "]")
		if !ok || !closed {
			return bad("Invalid argument `%s` for in operator.", c.value)
		}
		for _, v := range strings.Split(inner, ",") {
			c.values = append(c.values, strings.TrimSpace(v))
		}
	}
	return c, nil
}

// badFilter is what is said about a filter that cannot be used.
func badFilter(m version.Profile, format string, args ...any) *rest.Problem {
	if m.BadFilters() {
		return rest.Refuse(http.StatusBadRequest, "E1003", format, args...)
	}
	return rest.Refuse(http.StatusConflict, "", format, args...)
}

// usualNames are properties that an object may be asked about although no object of the metadata tells them.
var usualNames = catalog.SetOf(strings.Fields(`id uid name displayName shortName displayShortName formName
displayFormName description displayDescription code created lastUpdated lastUpdatedBy createdBy user publicAccess
externalAccess favorites sharing access path level leaf parent children ancestors openingDate closedDate comment
contactPerson address email phoneNumber url featureType geometry programs dataSets users groups organisationUnitGroups
organisationUnits identifiable query valueType domainType aggregationType optionSet commentOptionSet categoryCombo
programType trackedEntityType programStages program programStage relatedProgram sortOrder style periodType sections
indicators legendSets categoryOptions categories options optionGroups startDate endDate username surname firstName
userRoles userGroups lastLogin disabled authorities condition priority programRule programRuleActions
programRuleActionType dataElement trackedEntityAttribute content data location dataElementGroups dataSetElements href
translations version expiryDays dimensionType`))

// knows tells whether a path begins with a property that DHIS2's objects have, or is the uid of an attribute.
func knows(c *catalog.Catalog, path []string) bool {
	name := path[0]
	switch {
	case name == "attributeValues":
		return len(path) == 1 // attributes are asked for by their uid
	case usualNames[name] || c.ByID[name].Kind == catalog.KindMetaAttribute:
		return true
	}
	for _, defaults := range absent {
		if _, ok := defaults[name]; ok {
			return true
		}
	}
	for _, objs := range c.Objects {
		for _, o := range objs {
			if _, ok := o[name]; ok {
				return true
			}
		}
	}
	return false
}

// Matches tells whether an object passes. A property that is a list passes when one of its items does.
func (c condition) Matches(o object, src fields.Source) bool {
	values := reach(o, c.path, src)
	switch c.operator {
	case "null":
		return (len(values) == 0) != c.negated
	case "empty":
		empty := true
		for _, v := range values {
			empty = empty && fields.SizeOf(v) == 0
		}
		return empty != c.negated
	}
	if len(values) == 0 {
		return false // as in SQL: nothing is neither equal nor unequal
	}
	for _, v := range values {
		if c.holds(v) != c.negated {
			return true
		}
	}
	return false
}

// reach follows a path through an object; lists on the way are spread out.
func reach(o object, path []string, src fields.Source) []any {
	v, ok := src.Property(o, path[0])
	if !ok {
		return nil
	}
	items, isList := v.([]any)
	if len(path) == 1 {
		return []any{v}
	}
	if !isList {
		items = []any{v}
	}
	var out []any
	for _, it := range items {
		if m, ok := it.(object); ok {
			out = append(out, reach(m, path[1:], src)...)
		}
	}
	return out
}

func (c condition) holds(v any) bool {
	if items, ok := v.([]any); ok { // a collection is compared by its size
		v = len(items)
	}
	text := catalog.TextOf(v)
	order := strings.Compare
	if isNumber(v) {
		order = valuetype.Compare
	}
	lower, value := strings.ToLower(text), strings.ToLower(c.value)
	switch c.operator {
	case "eq":
		return order(text, c.value) == 0
	case "ne", "neq":
		return text != c.value
	case "ieq":
		return lower == value
	case "gt":
		return order(text, c.value) > 0
	case "ge", "gte":
		return order(text, c.value) >= 0
	case "lt":
		return order(text, c.value) < 0
	case "le", "lte":
		return order(text, c.value) <= 0
	case "in":
		return slices.Contains(c.values, text)
	case "like":
		return strings.Contains(text, c.value)
	case "ilike":
		return strings.Contains(lower, value)
	case "$like":
		return strings.HasPrefix(text, c.value)
	case "$ilike", "startsWith":
		return strings.HasPrefix(lower, value)
	case "like$":
		return strings.HasSuffix(text, c.value)
	case "ilike$", "endsWith":
		return strings.HasSuffix(lower, value)
	case "token":
		for _, word := range strings.Fields(value) {
			if !strings.Contains(lower, word) {
				return false
			}
		}
		return true
	}
	return false
}

func isNumber(v any) bool {
	switch v.(type) {
	case json.Number, int, float64:
		return true
	}
	return false
}
