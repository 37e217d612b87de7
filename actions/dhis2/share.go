package dhis2

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/value"
	"github.com/culvert/culvert/rules"
)

// Functions of aggregates.
const (
	aggregateCount   = "count"
	aggregateSum     = "sum"
	aggregateAverage = "average"
	aggregateLast    = "last"
)

// share is what a record gives to an aggregate value.
type share struct {
	function    string
	contributor string
	value       string // empty: it gives nothing, and what it gave before is withdrawn
	at          string
}

// slot names the aggregate value: the function and the cell, so that it can be sent anew when only its name is left.
func (o *dataValueWrite) slot() string {
	if o.share.value == "" {
		return ""
	}
	c := o.cell
	return strings.Join([]string{o.share.function, c.dataSet, c.dataElement, c.period, c.orgUnit, c.categoryOptionCombo, c.attributeOptionCombo}, ".")
}

// cellOf reads a slot's name.
func cellOf(slot string) (function string, c cell, ok bool) {
	p := strings.Split(slot, ".")
	if len(p) != 7 {
		return "", c, false
	}
	return p[0], cell{dataSet: p[1], dataElement: p[2], period: p[3], orgUnit: p[4], categoryOptionCombo: p[5], attributeOptionCombo: p[6]}, true
}

func (s *share) describe(m map[string]any) {
	m["aggregate"] = s.function
	if s.value != "" {
		m["value"] = s.value
	}
}

// shareKind is what the values of a data element must be for an aggregate.
func shareKind(function string, element value.Kind) value.Kind {
	switch function {
	case aggregateCount:
		return value.Kind{Type: "TEXT"}
	case aggregateSum, aggregateAverage:
		return value.Kind{Type: "NUMBER"}
	}
	return element
}

// checkAggregate reports aggregates that the data element cannot hold.
func (c *compiler) checkAggregate(function string, e *metadata.DataElement) {
	if function == "" || function == aggregateLast || isNumeric(e.ValueType) {
		return
	}
	c.errorAt(c.spec.Body.Key("aggregate").Place(), "aggregate-of-text", "choose aggregate: last, or a data element that holds numbers", "%s makes a number, and %q holds %s", function, e.Name, e.ValueType)
}

func isNumeric(typ string) bool {
	return strings.HasPrefix(typ, "INTEGER") || typ == "NUMBER" || typ == "PERCENTAGE" || typ == "UNIT_INTERVAL"
}

// counts tells whether a record counts: no, false, 0 and blank do not.
func counts(text string) bool {
	switch strings.ToLower(text) {
	case "", "no", "false", "0", "n", "f":
		return false
	}
	return true
}

// newShare makes what a record gives. text is its converted value, empty when it is blank.
func newShare(function, text string, s *rules.Scope, spec *rules.ActionSpec, part string, on time.Time) *share {
	name := spec.ID
	if name == "" {
		name = strconv.Itoa(spec.Number)
	}
	if function == aggregateCount && text != "" {
		if counts(text) {
			text = "1"
		} else {
			text = ""
		}
	}
	return &share{
		function: function, value: text, at: on.UTC().Format(time.RFC3339),
		contributor: actions.ContributorOf(contributors(spec.Rule()), s.RecordID(), strings.Join([]string{name, s.Position(), part}, "/")),
	}
}

// contributors is the namespace of the records that give to aggregates.
func contributors(r *rules.Rule) string {
	if r.Records() == rules.ProjectNamespace {
		return r.Name
	}
	return r.Records()
}

// total is what a tally comes to as DHIS2 takes it; empty when nobody gives anything.
func total(function string, t actions.Tally, e *metadata.DataElement) string {
	if t.Count == 0 {
		return ""
	}
	n := 0.0
	switch function {
	case aggregateLast:
		return t.Last
	case aggregateCount:
		n = float64(t.Count)
	case aggregateSum:
		n = t.Sum
	case aggregateAverage:
		n = t.Sum / float64(t.Count)
	}
	if e == nil || strings.HasPrefix(e.ValueType, "INTEGER") {
		return strconv.FormatFloat(math.Round(n), 'f', 0, 64)
	}
	// Sums of decimals are rounded to where binary fractions do not show.
	return strconv.FormatFloat(math.Round(n*1e6)/1e6, 'f', -1, 64)
}

// noContributions is the outcome where the journal cannot keep contributions.
func noContributions(label string) actions.Outcome {
	return actions.Outcome{
		Status: actions.Failed, Class: actions.ClassMetadata, Code: "no-aggregates",
		Cause: fmt.Sprintf("%s: what records give to aggregates cannot be kept in this journal", label), Hint: "leave aggregate out, or use a store that keeps contributions",
	}
}
