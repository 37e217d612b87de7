package aggregate

import (
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/period"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

// adxSpace is the namespace of ADX (IHE Aggregate Data Exchange).
const adxSpace = "urn:ihe:qrph:adx:2015"

// adxDocument is a body in ADX: groups of values of one data set, period and org unit, whose
// breakdown stands in attributes named after categories.
type adxDocument struct {
	XMLName xml.Name   `xml:"adx"`
	Space   string     `xml:"xmlns,attr,omitempty"`
	Groups  []adxGroup `xml:"group"`
}

type adxGroup struct {
	Attrs  []xml.Attr `xml:",any,attr"`
	Values []adxValue `xml:"dataValue"`
}

type adxValue struct {
	Attrs      []xml.Attr `xml:",any,attr"`
	Annotation *string    `xml:"annotation,omitempty"`
}

// attributes gives attributes by name.
func attributes(attrs []xml.Attr) map[string]string {
	out := make(map[string]string, len(attrs))
	for _, a := range attrs {
		out[a.Name.Local] = a.Value
	}
	return out
}

// adxPeriod reads a period as ADX writes it: the first day and a duration (DHIS2 AdxPeriod).
func adxPeriod(text string) (period.Period, error) {
	day, span, ok := strings.Cut(text, "/")
	if !ok {
		return period.Period{}, rest.Verbatim(text + " not in valid <date>/<duration> format")
	}
	unsupported := rest.Verbatim(span + " is not a supported duration type")
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return period.Period{}, unsupported
	}
	p, ok := period.At(adxKind(span, t), t)
	if !ok {
		return period.Period{}, unsupported
	}
	return p, nil
}

// adxKinds are the durations that stand for one type of period each.
var adxKinds = map[string]string{"P1D": "Daily", "P14D": "BiWeekly", "P1M": "Monthly", "P2M": "BiMonthly",
	"P3M": "Quarterly"}

// adxKind names the type of period of a duration that begins on a day.
func adxKind(span string, t time.Time) string {
	switch span {
	case "P7D":
		return map[time.Weekday]string{time.Monday: "Weekly", time.Wednesday: "WeeklyWednesday",
			time.Thursday: "WeeklyThursday", time.Friday: "WeeklyFriday",
			time.Saturday: "WeeklySaturday", time.Sunday: "WeeklySunday"}[t.Weekday()]
	case "P6M":
		return map[time.Month]string{time.January: "SixMonthly", time.July: "SixMonthly", time.April: "SixMonthlyApril",
			time.October:  "SixMonthlyApril",
			time.November: "SixMonthlyNov", time.May: "SixMonthlyNov"}[t.Month()]
	case "P1Y":
		if t.Month() == time.January {
			return "Yearly"
		}
		return map[time.Month]string{time.February: "FinancialFeb", time.April: "FinancialApril", time.July: "FinancialJuly",
			time.August:    "FinancialAug",
			time.September: "FinancialSep", time.October: "FinancialOct", time.November: "FinancialNov"}[t.Month()]
	}
	return adxKinds[span]
}

// adxText writes a period as ADX does.
func adxText(p period.Period) string {
	span := map[string]string{"Daily": "P1D", "BiWeekly": "P14D", "Monthly": "P1M", "BiMonthly": "P2M",
		"Quarterly": "P3M", "QuarterlyNov": "P3M", "Yearly": "P1Y"}[p.Kind]
	switch {
	case span != "":
	case strings.HasPrefix(p.Kind, "Weekly"):
		span = "P7D"
	case strings.HasPrefix(p.Kind, "SixMonthly"):
		span = "P6M"
	default:
		span = "P1Y"
	}
	return p.Start.Format(time.DateOnly) + "/" + span
}

// adxSchemes are the identifiers of ADX up to 2.42: codes, unless it is said.
type adxSchemes func(name string) string

func (c *call) adxSchemes() adxSchemes {
	return func(name string) string {
		for _, parameter := range []string{name, "idScheme"} {
			if s := c.Query.Get(parameter); s != "" {
				return foldScheme(s)
			}
		}
		return "CODE"
	}
}

// readADX reads a body in ADX. Up to 2.42 all of it is told by uids afterwards; from 2.43 on each
// group stands for itself and is told as it came.
func (c *call) readADX(body []byte, o *dataOptions) ([]*valueSet, error) {
	var doc adxDocument
	if err := xml.Unmarshal(body, &doc); err != nil {
		return nil, rest.Verbatim("Failed to move to start element: " + err.Error())
	}
	if c.Version.DataEntry() {
		return entryGroups(&doc)
	}
	schemes := c.adxSchemes()
	set := &valueSet{}
	for _, g := range doc.Groups {
		if err := c.flatten(&g, set, schemes); err != nil {
			return nil, err
		}
	}
	o.schemes = map[string]string{"": "UID"}
	return []*valueSet{set}, nil
}

// flatten adds the values of a group to a set, with all that they name found (DHIS2 DefaultAdxDataService).
func (c *call) flatten(g *adxGroup, set *valueSet, schemes adxSchemes) error {
	cat, of := c.Catalog, attributes(g.Attrs)
	p, err := adxPeriod(of["period"])
	if err != nil {
		return err
	}
	var ds *catalog.DataSet
	if id := of["dataSet"]; id != "" {
		scheme := schemes("dataSetIdScheme")
		if ds = cat.DataSets[cat.Find(catalog.KindDataSet, scheme, id)]; ds == nil {
			return rest.Verbatim(fmt.Sprintf("No data set matching %s '%s'", strings.ToLower(scheme), id))
		}
	}
	unit := of["orgUnit"]
	if found := cat.Find(catalog.KindOrgUnit, schemes("orgUnitIdScheme"), unit); found != "" {
		unit = found
	}
	attributeCombo := of["attributeOptionCombo"]
	if attributeCombo == "" && ds != nil {
		if attributeCombo, err = c.adxCombo(ds.Combo, of, schemes); err != nil {
			return err
		}
	}
	for _, v := range g.Values {
		in := attributes(v.Attrs)
		scheme := schemes("dataElementIdScheme")
		de := cat.DataElements[cat.Find(catalog.KindDataElement, scheme, in["dataElement"])]
		if de == nil {
			return rest.Verbatim(fmt.Sprintf("No data element matching %s '%s'", strings.ToLower(scheme), in["dataElement"]))
		}
		combo := de.Combo
		if ds != nil && ds.Elements[de.UID] != "" {
			combo = ds.Elements[de.UID]
		}
		d := datumIn{element: de.UID, period: p.ISO, orgUnit: unit, attributeCombo: attributeCombo}
		if d.combo, err = c.adxCombo(combo, without(in, "dataElement", "value", "comment"), schemes); err != nil {
			return err
		}
		value := in["value"]
		if v.Annotation != nil {
			value = *v.Annotation
		}
		d.value = &value
		if comment, ok := in["comment"]; ok {
			d.comment = &comment
		}
		set.values = append(set.values, d)
	}
	return nil
}

// adxCombo finds the option combo that attributes named after categories stand for.
func (c *call) adxCombo(combo string, attrs map[string]string, schemes adxSchemes) (string, error) {
	if combo == catalog.DefaultCombo {
		return catalog.DefaultOptionCombo, nil
	}
	cat := c.Catalog
	e := cat.ByID[combo]
	var options []string
	for _, category := range catalog.Refs(e.Obj, "categories") {
		name := cat.Identifier(category, schemes("categoryIdScheme"))
		given, ok := attrs[name]
		if !ok {
			return "", rest.Verbatim(fmt.Sprintf("Category combo %s must have %s", catalog.Str(e.Obj, "name"),
				catalog.Str(cat.ByID[category].Obj, "name")))
		}
		for _, option := range catalog.Refs(cat.ByID[category].Obj, "categoryOptions") {
			if cat.Identifier(option, schemes("categoryOptionIdScheme")) == given {
				options = append(options, option)
			}
		}
	}
	if oc := cat.ComboOf(combo, options); oc != nil {
		return oc.UID, nil
	}
	return "", rest.Verbatim("Invalid attributes: " + attributesText(attrs))
}

// entryGroups takes the groups for what 2.43 and later enter one after the other; neighbours of one
// data set are one (DHIS2 DataEntryInput).
func entryGroups(doc *adxDocument) ([]*valueSet, error) {
	var sets []*valueSet
	for _, g := range doc.Groups {
		of := attributes(g.Attrs)
		p, err := adxPeriod(of["period"])
		if err != nil {
			return nil, rest.Refuse(http.StatusBadRequest, "", "%s", err.Error())
		}
		set := &valueSet{dataSet: of["dataSet"], completeDate: of["completeDate"], period: p.ISO, orgUnit: of["orgUnit"],
			combo: of["attributeOptionCombo"]}
		if set.combo == "" {
			set.attributeOptions = without(of, "orgUnit", "period", "dataSet")
		}
		for _, v := range g.Values {
			set.values = append(set.values, entryValue(&v, set))
		}
		if last := len(sets) - 1; last >= 0 && sets[last].joins(set) {
			sets[last].period, sets[last].orgUnit = "", ""
			sets[last].values = append(sets[last].values, set.values...)
			continue
		}
		sets = append(sets, set)
	}
	return sets, nil
}

func entryValue(v *adxValue, set *valueSet) datumIn {
	in := attributes(v.Attrs)
	value := in["value"]
	d := datumIn{element: in["dataElement"], period: set.period, orgUnit: set.orgUnit, combo: in["categoryOptionCombo"],
		deleted: strings.EqualFold(in["deleted"], "true")}
	if v.Annotation != nil {
		value = *v.Annotation
	}
	d.value = &value
	if comment, ok := in["comment"]; ok {
		d.comment = &comment
	}
	if text, ok := in["followup"]; ok {
		flag := strings.EqualFold(text, "true")
		d.followUp = &flag
	}
	if d.combo == "" {
		d.options = without(in, "dataElement", "value", "comment", "followup")
	}
	return d
}

// joins tells whether the values of two neighbouring groups are entered as one.
func (s *valueSet) joins(o *valueSet) bool {
	return s.dataSet == o.dataSet && s.completeDate == "" && o.completeDate == "" && s.combo == o.combo &&
		maps.Equal(s.attributeOptions, o.attributeOptions)
}

// attributesText writes attributes as DHIS2 writes a map.
func attributesText(attrs map[string]string) string {
	parts := make([]string, 0, len(attrs))
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		parts = append(parts, name+"="+attrs[name])
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func without(attrs map[string]string, names ...string) map[string]string {
	out := map[string]string{}
	for name, value := range attrs {
		out[name] = value
	}
	for _, name := range names {
		delete(out, name)
	}
	return out
}

// answerADX writes data values as ADX: a group for each data set, period, org unit and attribute option combo.
func (c *call) answerADX(q *valueQuery, found []*store.DataValue) {
	schemes := c.adxSchemes()
	type place struct{ set, period, unit, combo string }
	groups := map[place][]*store.DataValue{}
	var places []place
	for _, ds := range q.sets {
		for _, v := range found {
			if _, holds := ds.Elements[v.Element]; !holds || v.Deleted {
				continue
			}
			at := place{ds.UID, v.Period, v.OrgUnit, v.AttributeCombo}
			if groups[at] == nil {
				places = append(places, at)
			}
			groups[at] = append(groups[at], v)
		}
	}
	doc := adxDocument{Space: adxSpace}
	for _, at := range places {
		p, _ := period.Parse(at.period)
		g := adxGroup{Attrs: []xml.Attr{attr("dataSet", c.Catalog.Identifier(at.set, schemes("dataSetIdScheme"))),
			attr("period", adxText(p)),
			attr("orgUnit", c.Catalog.Identifier(at.unit, schemes("orgUnitIdScheme")))}}
		g.Attrs = append(g.Attrs, c.adxOptions(at.combo, schemes)...)
		for _, v := range groups[at] {
			g.Values = append(g.Values, c.adxValue(v, schemes))
		}
		doc.Groups = append(doc.Groups, g)
	}
	out, err := xml.Marshal(doc)
	if err != nil {
		c.Fail(http.StatusInternalServerError, "", err.Error())
		return
	}
	c.W.Header().Set("Content-Type", "application/adx+xml")
	_, _ = c.W.Write(out) // a client that has gone is no fault of the sandbox
}

func attr(name, value string) xml.Attr { return xml.Attr{Name: xml.Name{Local: name}, Value: value} }

// adxOptions gives the attributes that an option combo is written as: up to 2.42 none for the default one.
func (c *call) adxOptions(combo string, schemes adxSchemes) []xml.Attr {
	oc := c.Catalog.OptionCombos[combo]
	if oc == nil || combo == catalog.DefaultOptionCombo && !c.Version.DataEntry() {
		return nil
	}
	var out []xml.Attr
	for _, category := range catalog.Refs(c.Catalog.ByID[oc.Combo].Obj, "categories") {
		options := catalog.SetOf(catalog.Refs(c.Catalog.ByID[category].Obj, "categoryOptions"))
		for _, option := range oc.Options {
			if options[option] {
				out = append(out, attr(c.Catalog.Identifier(category, schemes("categoryIdScheme")),
					c.Catalog.Identifier(option, schemes("categoryOptionIdScheme"))))
			}
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name.Local < out[j].Name.Local })
	return out
}

// adxValue writes one value; one that is no number stands in an annotation.
func (c *call) adxValue(v *store.DataValue, schemes adxSchemes) adxValue {
	out := adxValue{Attrs: []xml.Attr{attr("dataElement",
		c.Catalog.Identifier(v.Element, schemes("dataElementIdScheme")))}}
	out.Attrs = append(out.Attrs, c.adxOptions(v.Combo, schemes)...)
	value := v.Value
	if de := c.Catalog.DataElements[v.Element]; de != nil && isText(de.ValueType) {
		out.Annotation, value = &v.Value, "0"
	}
	out.Attrs = append(out.Attrs, attr("value", value))
	return out
}

func isText(valueType string) bool {
	switch valueType {
	case "TEXT", "LONG_TEXT", "LETTER", "COORDINATE", "TIME", "IMAGE", "MULTI_TEXT":
		return true
	}
	return false
}
