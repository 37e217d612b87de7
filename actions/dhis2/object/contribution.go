package object

import (
	"math"
	"strconv"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/metadata"
)

// Functions of aggregates.
const (
	AggregateCount   = "count"
	AggregateSum     = "sum"
	AggregateAverage = "average"
	AggregateLast    = "last"
)

// Contribution is what a record gives to an aggregate value.
type Contribution struct {
	Function    string
	Contributor string
	Value       string // empty: it gives nothing, and what it gave before is withdrawn
	At          string
}

// AggregateCell names the aggregate value: the function and the cell, so that it can be sent anew
// when only its name is left. Empty: it gives nothing.
func (o *DataValue) AggregateCell() string {
	if o.Contribution.Value == "" {
		return ""
	}
	c := o.Cell
	return strings.Join([]string{o.Contribution.Function, c.DataSet, c.DataElement, c.Period, c.OrgUnit,
		c.CategoryOptionCombo, c.AttributeOptionCombo}, ".")
}

// CellOf reads the name of an aggregate value.
func CellOf(name string) (function string, c Cell, ok bool) {
	p := strings.Split(name, ".")
	if len(p) != 7 {
		return "", c, false
	}
	return p[0], Cell{DataSet: p[1], DataElement: p[2], Period: p[3], OrgUnit: p[4], CategoryOptionCombo: p[5],
		AttributeOptionCombo: p[6]}, true
}

func (s *Contribution) describe(m map[string]any) {
	m["aggregate"] = s.Function
	if s.Value != "" {
		m["value"] = s.Value
	}
}

// Total is what a total comes to as DHIS2 takes it; empty when nobody gives anything.
func Total(function string, t actions.CellTotal, e *metadata.DataElement) string {
	if t.Count == 0 {
		return ""
	}
	n := 0.0
	switch function {
	case AggregateLast:
		return t.Last
	case AggregateCount:
		n = float64(t.Count)
	case AggregateSum:
		n = t.Sum
	case AggregateAverage:
		n = t.Sum / float64(t.Count)
	}
	if e == nil || strings.HasPrefix(e.ValueType, "INTEGER") {
		return strconv.FormatFloat(math.Round(n), 'f', 0, 64)
	}
	// Sums of decimals are rounded to where binary fractions do not show.
	return strconv.FormatFloat(math.Round(n*1e6)/1e6, 'f', -1, 64)
}
