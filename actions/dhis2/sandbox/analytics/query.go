package analytics

import (
	"net/http"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/period"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
)

const anyCombo = "*"

// query is what is asked for.
type query struct {
	order    []string // dimensions as they were named, those that are rows and columns
	data     []string // data items as they were asked for
	items    map[string]*item
	combos   []string // of category option combos: these alone; nil: all
	partners bool     // a value for each attribute option combo
	byCombo  bool     // a value for each category option combo
	periods  []period.Period
	relative []string
	units    []*catalog.OrgUnit
	filters  map[string]bool // dimensions that are added up
	nothing  bool            // DHIS2 gives no data, without saying why
	noMeta   bool
	noData   bool
	details  bool
	numbers  bool // numerators and the like, which only indicators have
	levels   []*level
	bounds   []*catalog.OrgUnit // whose parts at some levels are asked for
	schemes  schemes
	catalog  *catalog.Catalog
}

// item is a data element of the request, with the option combos that are wanted of it.
type item struct {
	element *catalog.DataElement
	plain   bool     // its total
	operand bool     // some of its combos
	pairs   []pairOf // category option combo and attribute option combo; empty or *: all
}

type pairOf struct{ combo, partner string }

type level struct{ uid, name string }

type schemes struct{ in, all, elements, items, units string }

var schemeNames = []string{"ID", "UID", "UUID", "NAME", "CODE"}

func scheme(c *rest.Call, name string) (string, *rest.Problem) {
	text := c.Query.Get(name)
	upper := strings.ToUpper(text)
	switch {
	case text == "" || upper == "ID":
		return "", nil
	case slices.Contains(schemeNames, upper):
		return upper, nil
	case strings.HasPrefix(upper, "ATTRIBUTE:"):
		return "ATTRIBUTE:" + text[len("ATTRIBUTE:"):], nil
	}
	return "", rest.Refuse(http.StatusBadRequest, "", "Value '%s' is not valid for parameter %s. No enum constant "+
		"org.hisp.dhis.common.IdentifiableProperty.%s", text, name, upper)
}

// aggregations are what aggregationType may say.
const aggregations = "SUM, AVERAGE, AVERAGE_SUM_ORG_UNIT, LAST, LAST_AVERAGE_ORG_UNIT, LAST_LAST_ORG_UNIT, " +
	"LAST_IN_PERIOD, LAST_IN_PERIOD_AVERAGE_ORG_UNIT, FIRST, FIRST_AVERAGE_ORG_UNIT, FIRST_FIRST_ORG_UNIT, COUNT, " +
	"STDDEV, VARIANCE, MIN, MAX, MIN_SUM_ORG_UNIT, MAX_SUM_ORG_UNIT, NONE, CUSTOM, DEFAULT"

func (s *Service) query(c *rest.Call, asSet bool) (*query, *rest.Problem) {
	q := &query{items: map[string]*item{}, filters: map[string]bool{}, catalog: c.Catalog}
	for _, x := range []struct {
		name string
		to   *string
	}{{"inputIdScheme", &q.schemes.in}, {"outputIdScheme", &q.schemes.all}, {"outputDataElementIdScheme",
		&q.schemes.elements}, {"outputDataItemIdScheme", &q.schemes.items}, {"outputOrgUnitIdScheme", &q.schemes.units}} {
		var p *rest.Problem
		if *x.to, p = scheme(c, x.name); p != nil {
			return nil, p
		}
	}
	if text := c.Query.Get("aggregationType"); text != "" && text != "DEFAULT" {
		if !slices.Contains(strings.Split(aggregations, ", "), text) {
			return nil, rest.Refuse(http.StatusBadRequest, "", "Value '%s' is not valid for parameter aggregationType. Valid "+
				"values are: [%s]", text, aggregations)
		}
		return nil, notComputed("another aggregation than a data element's own (aggregationType)")
	}
	for _, name := range []string{"startDate", "endDate", "relativePeriodDate", "measureCriteria", "columns", "rows"} {
		if c.Query.Has(name) {
			return nil, notComputed("what " + name + " asks for")
		}
	}
	for _, x := range []struct {
		name string
		to   *bool
	}{{"skipMeta", &q.noMeta}, {"skipData", &q.noData}, {"includeMetadataDetails", &q.details},
		{"includeNumDen", &q.numbers}} {
		*x.to = rest.IsTrue(c.Query.Get(x.name))
	}
	for _, name := range []string{"dimension", "filter"} {
		for _, text := range c.Query[name] {
			if p := q.dimension(c, text, name == "filter", s); p != nil {
				return nil, p
			}
		}
	}
	return q, q.complete(c.User, asSet)
}

func notComputed(what string) *rest.Problem {
	return rest.Conflicting("", "The sandbox does not compute %s: a real DHIS2 does", what)
}

// dimension reads one dimension or filter, such as dx:a;b.
func (q *query) dimension(c *rest.Call, text string, filter bool, s *Service) *rest.Problem {
	name, list, _ := strings.Cut(text, ":")
	var parts []string
	for _, part := range strings.Split(list, ";") {
		if part != "" && !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	if slices.Contains(q.order, name) || q.filters[name] || name == "" {
		q.nothing = true // DHIS2 finds nothing then
		return nil
	}
	var p *rest.Problem
	switch name {
	case "dx":
		p = q.readData(parts)
	case "pe":
		p = q.readPeriods(parts, s)
	case "ou":
		p = q.readUnits(c.User, parts)
	case "co":
		q.byCombo = true
		for _, part := range parts {
			q.combos = append(q.combos, q.catalog.Find(catalog.KindOptionCombo, q.schemes.in, part))
		}
	case "ao":
		q.partners = true
		if len(parts) > 0 {
			p = notComputed("attribute option combos by name")
		}
	default:
		switch q.catalog.ByID[name].Kind {
		case "":
			return rest.Conflicting("E7125", "Dimension identifier does not reference any dimension: `%s`", name)
		default:
			return notComputed("the dimension " + name)
		}
	}
	if filter {
		q.filters[name] = true
	} else {
		q.order = append(q.order, name)
	}
	return p
}

// readData finds the data items. DHIS2 passes over those that it does not know, as long as one is left.
func (q *query) readData(parts []string) *rest.Problem {
	for _, part := range parts {
		names := strings.Split(part, ".")
		id := q.catalog.Find(catalog.KindDataElement, q.schemes.in, names[0])
		de := q.catalog.DataElements[id]
		if de == nil {
			if p := q.foreign(names); p != nil {
				return p
			}
			continue
		}
		if p := additive(de); p != nil {
			return p
		}
		pair, ok := q.operand(names[1:])
		if !ok {
			continue
		}
		it := q.items[id]
		if it == nil {
			it = &item{element: de}
			q.items[id] = it
		}
		if len(names) == 1 {
			it.plain = true
		} else {
			it.operand = true
			it.pairs = append(it.pairs, pair)
		}
		q.data = append(q.data, strings.TrimRight(id+"."+pair.combo+"."+pair.partner, "."))
	}
	if len(q.items) == 0 {
		return rest.Conflicting("E7124", "Dimension is present in query without any valid dimension options: `dx`")
	}
	return nil
}

// operand reads the option combos of a data element that an item names.
func (q *query) operand(names []string) (pairOf, bool) {
	var pair pairOf
	for i, to := range []*string{&pair.combo, &pair.partner} {
		if i >= len(names) {
			break
		}
		if names[i] == anyCombo {
			*to = anyCombo
			continue
		}
		if *to = q.catalog.Find(catalog.KindOptionCombo, q.schemes.in, names[i]); *to == "" {
			return pair, false
		}
	}
	return pair, true
}

// foreign refuses items that a real server computes.
func (q *query) foreign(names []string) *rest.Problem {
	switch kind := q.catalog.ByID[names[0]].Kind; {
	case kind == "indicators" || kind == "programIndicators":
		return notComputed("indicators, such as " + names[0])
	case kind == catalog.KindProgram && len(names) == 2 && q.catalog.ByID[names[1]].Kind != "":
		return notComputed("data elements and attributes of programs, such as " + strings.Join(names, "."))
	case kind == catalog.KindDataSet && len(names) == 2:
		return notComputed("reports of data sets, such as " + strings.Join(names, "."))
	}
	return nil
}

// additive refuses data elements whose values add up in ways that the sandbox does not know.
func additive(de *catalog.DataElement) *rest.Problem {
	switch de.Aggregation {
	case "SUM", "COUNT", "MIN", "MAX", "NONE", "":
		return nil
	}
	return notComputed("the aggregation type " + de.Aggregation + " of the data element " + de.UID)
}

// complete checks what DHIS2 checks of all dimensions together.
func (q *query) complete(u *catalog.User, asSet bool) *rest.Problem {
	has := func(name string) bool { return slices.Contains(q.order, name) || q.filters[name] }
	for _, o := range q.units {
		if !mayView(u, o) {
			return rest.Conflicting("E7120", "User: `%s` is not allowed to view org unit: `%s`", u.Username, o.UID)
		}
	}
	switch {
	case q.nothing:
		return nil
	case !has("pe"):
		return rest.Conflicting("E7146", "A end date was not specified in periods, dimensions, filters")
	case !has("dx") && !asSet:
		return rest.Conflicting("E7102", "At least one data dimension item or data element group set dimension item must be "+
			"specified")
	case asSet && !slices.Contains(q.order, "dx"):
		return rest.Refuse(http.StatusBadRequest, "", "Data dimension index must be greater than or equal to zero")
	case asSet && !slices.Contains(q.order, "pe"):
		return rest.Refuse(http.StatusBadRequest, "", "Period index must be greater than or equal to zero")
	case asSet && !slices.Contains(q.order, "ou"):
		return rest.Refuse(http.StatusBadRequest, "", "Org unit header does not exist")
	}
	return nil
}
