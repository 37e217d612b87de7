package analytics

import (
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
)

var titles = map[string]string{"dx": "Data", "pe": "Period", "ou": "Organisation unit", "co": "Category option combo",
	"ao": "Attribute option combo"}

// grid is the cells as a table, with what stands in it.
func (s *Service) grid(q *query, cells []cell) object {
	headers := []any{}
	header := func(name, title, kind, class string, meta bool) {
		headers = append(headers, object{"name": name, "column": title, "valueType": kind, "type": class, "hidden": false,
			"meta": meta})
	}
	if !q.noData {
		for _, name := range q.order {
			header(name, titles[name], "TEXT", "java.lang.String", true)
		}
		header("value", "Value", "NUMBER", "java.lang.Double", false)
	}
	more := [][2]string{{"numerator", "Numerator"}, {"denominator", "Denominator"}, {"factor", "Factor"},
		{"multiplier", "Multiplier"}, {"divisor", "Divisor"}}
	if q.numbers && !q.noData {
		for _, m := range more {
			header(m[0], m[1], "NUMBER", "java.lang.Double", false)
		}
	}
	rows := []any{}
	for _, x := range cells {
		r := []string{}
		for _, name := range q.order {
			r = append(r, q.entry(name, x))
		}
		r = append(r, x.value)
		for range more {
			if q.numbers {
				r = append(r, "")
			}
		}
		rows = append(rows, r)
	}
	answer := object{"headers": headers, "metaData": object{}, "rowContext": object{}, "rows": rows,
		"headerWidth": len(headers), "height": len(rows), "width": 0}
	if len(rows) > 0 {
		answer["width"] = len(headers)
	}
	if !q.noMeta {
		answer["metaData"] = q.metaData()
	}
	return answer
}

func (q *query) entry(dimension string, x cell) string {
	switch dimension {
	case "dx":
		if it := q.items[x.element]; it.operand && !it.plain {
			id := q.nameOf(x.element, false) + "." + q.nameOf(x.combo, false)
			if x.partner != "" && !q.partners {
				id += "." + q.nameOf(x.partner, false)
			}
			return id
		}
		return q.nameOf(x.element, true)
	case "pe":
		return q.periodName(x.period)
	case "ou":
		return q.unitName(x.unit)
	case "co":
		return q.nameOf(x.combo, false)
	}
	return q.nameOf(x.partner, false)
}

// metaData says what stands in the table.
func (q *query) metaData() object {
	items, in := object{}, object{}
	put := func(id, name string) { items[id] = object{"name": name} }
	for _, name := range append(slices.Clone(q.order), keys(q.filters)...) {
		put(name, titles[name])
	}
	combos := []string{}
	for _, id := range q.data {
		put(id, q.title(id))
		it := q.items[id]
		if it == nil {
			continue // an operand, which has no combos but its own
		}
		for _, oc := range q.catalog.CombosOf[it.element.Combo] {
			if !slices.Contains(combos, oc.UID) {
				combos = append(combos, oc.UID)
				put(oc.UID, oc.Name)
			}
		}
	}
	periods, units := []string{}, []string{}
	for _, p := range q.periods {
		periods = append(periods, p.ISO)
		put(p.ISO, nameOfPeriod(p))
	}
	for _, o := range q.units {
		units = append(units, o.UID)
		put(o.UID, o.Name)
	}
	for _, l := range q.levels {
		items[l.uid] = object{"uid": l.uid, "name": l.name}
	}
	for _, o := range q.bounds {
		items[o.UID] = object{"uid": o.UID, "code": o.Code, "name": o.Name}
	}
	for _, name := range q.relative {
		put(name, name[:1]+strings.ReplaceAll(strings.ToLower(name[1:]), "_", " "))
	}
	if q.details {
		q.detail(items)
	}
	in["dx"], in["pe"], in["ou"], in["co"] = q.data, periods, units, combos
	return object{"items": items, "dimensions": in}
}

// detail adds what is known of each object.
func (q *query) detail(items object) {
	for id, it := range items {
		if e, ok := q.catalog.ByID[id]; ok {
			o, _ := it.(object)
			o["uid"] = id
			if code := catalog.Str(e.Obj, "code"); code != "" {
				o["code"] = code
			}
		}
	}
}

func keys(m map[string]bool) []string {
	var list []string
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}
