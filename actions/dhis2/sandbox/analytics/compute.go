package analytics

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/period"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
)

// cell is one aggregated value.
type cell struct {
	element, combo, partner string // combo and partner only where values are told apart by them
	period                  period.Period
	unit                    *catalog.OrgUnit
	value                   string
}

// key is what a cell is about.
type key struct{ element, combo, partner, period, unit string }

// sum is what the rows of a cell come to.
type sum struct {
	cell
	total float64
	count int
	text  string
}

// compute aggregates the tables.
func (s *Service) compute(q *query) ([]cell, *rest.Problem) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch {
	case q.nothing:
		return nil, nil
	case !s.made:
		return nil, noTables()
	case q.noData:
		return nil, nil
	}
	q.periods = slices.DeleteFunc(q.periods, func(p period.Period) bool { return !s.holds(p.Kind) })
	sums := map[key]*sum{}
	for i := range s.table {
		q.add(sums, &s.table[i])
	}
	var cells []cell
	for _, x := range sums {
		x.value = x.result(q.items[x.element].element)
		cells = append(cells, x.cell)
	}
	slices.SortFunc(cells, func(a, b cell) int {
		return strings.Compare(a.element+a.combo+a.partner+a.period.ISO+pathOf(a.unit),
			b.element+b.combo+b.partner+b.period.ISO+pathOf(b.unit))
	})
	return cells, nil
}

func pathOf(o *catalog.OrgUnit) string {
	if o == nil {
		return ""
	}
	return o.Path
}

// add counts a row for each cell that it belongs to.
func (q *query) add(sums map[key]*sum, r *row) {
	it, home := q.items[r.element], q.catalog.OrgUnits[r.unit]
	if it == nil || home == nil || q.combos != nil && !slices.Contains(q.combos, r.combo) {
		return
	}
	number, text, ok := read(it.element, r.value)
	if !ok {
		return
	}
	for _, pair := range q.pairs(it, r) {
		for _, p := range q.periods {
			if !within(r.period, p) {
				continue
			}
			for _, o := range q.units {
				if !home.Descends([]string{o.UID}) {
					continue
				}
				x := cell{element: r.element, combo: pair.combo, partner: pair.partner, period: p, unit: o}
				if q.filters["pe"] {
					x.period = period.Period{}
				}
				if q.filters["ou"] {
					x.unit = nil
				}
				q.count(sums, x, it.element, number, text)
			}
		}
	}
}

func (q *query) count(sums map[key]*sum, x cell, de *catalog.DataElement, number float64, text string) {
	k := key{x.element, x.combo, x.partner, x.period.ISO, pathOf(x.unit)}
	c := sums[k]
	if c == nil {
		c = &sum{cell: x, total: number}
		sums[k] = c
	} else {
		switch de.Aggregation {
		case "MIN":
			c.total = math.Min(c.total, number)
		case "MAX":
			c.total = math.Max(c.total, number)
		case "NONE":
			c.total = number
		default:
			c.total += number
		}
	}
	c.count, c.text = c.count+1, text
}

// pairs are the option combos under which a row counts: as they are told apart, and for each operand. DHIS2 crosses
// the data elements and the combos of all operands.
func (q *query) pairs(it *item, r *row) []pairOf {
	var list []pairOf
	partner := ""
	if q.partners {
		partner = r.partner
	}
	if it.plain {
		combo := ""
		if q.byCombo {
			combo = r.combo
		}
		list = append(list, pairOf{combo, partner})
	}
	if !it.operand {
		return list
	}
	for _, other := range q.items {
		for _, o := range other.pairs {
			fits := (o.combo == anyCombo || o.combo == r.combo) &&
				(o.partner == "" || o.partner == anyCombo || o.partner == r.partner)
			pair := pairOf{o.combo, partner}
			if o.partner != "" && partner == "" {
				pair.partner = o.partner
			}
			if fits && !slices.Contains(list, pair) {
				list = append(list, pair)
			}
		}
	}
	return list
}

// asked tells whether a cell is one of those that were asked for, not one that came of crossing operands.
func (q *query) asked(x cell) bool {
	it := q.items[x.element]
	return it.plain || slices.ContainsFunc(it.pairs, func(o pairOf) bool { return o.combo == x.combo })
}

// read gives what a value counts; text is for those that are no numbers.
func read(de *catalog.DataElement, value string) (number float64, text string, ok bool) {
	switch de.ValueType {
	case "BOOLEAN", "TRUE_ONLY":
		if value == "true" {
			return 1, "", true
		}
		return 0, "", true
	case "INTEGER", "INTEGER_POSITIVE", "INTEGER_NEGATIVE", "INTEGER_ZERO_OR_POSITIVE", "NUMBER", "PERCENTAGE",
		"UNIT_INTERVAL":
		f, err := strconv.ParseFloat(value, 64)
		return f, "", err == nil
	}
	return 0, value, de.Aggregation == "NONE" || de.Aggregation == "COUNT"
}

func (x *sum) result(de *catalog.DataElement) string {
	switch {
	case de.Aggregation == "COUNT":
		return strconv.Itoa(x.count)
	case x.text != "":
		return x.text
	}
	return strconv.FormatFloat(math.Round(x.total*100)/100, 'f', -1, 64)
}
