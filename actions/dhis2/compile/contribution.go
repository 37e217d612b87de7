package compile

import (
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/actions/dhis2/value"
	"github.com/culvert/culvert/rules"
)

// contributionKind is what the values of a data element must be for an aggregate.
func contributionKind(function string, element value.Kind) value.Kind {
	switch function {
	case object.AggregateCount:
		return value.Kind{Type: "TEXT"}
	case object.AggregateSum, object.AggregateAverage:
		return value.Kind{Type: "NUMBER"}
	}
	return element
}

// checkAggregate reports aggregates that the data element cannot hold.
func (c *compiler) checkAggregate(function string, e *metadata.DataElement) {
	if function == "" || function == object.AggregateLast || isNumeric(e.ValueType) {
		return
	}
	c.errorAt(c.spec.Body.Key("aggregate").Place(), "aggregate-of-text",
		"choose aggregate: last, or a data element that holds numbers", "%s makes a number, and %q holds %s", function,
		e.Name, e.ValueType)
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

// newContribution makes what a record gives. text is its converted value, empty when it is blank.
func newContribution(function, text string, s *rules.Scope, spec *rules.ActionSpec, part string,
	on time.Time) *object.Contribution {
	name := spec.ID
	if name == "" {
		name = strconv.Itoa(spec.Number)
	}
	if function == object.AggregateCount && text != "" {
		if counts(text) {
			text = "1"
		} else {
			text = ""
		}
	}
	return &object.Contribution{
		Function: function, Value: text, At: on.UTC().Format(time.RFC3339),
		Contributor: actions.ContributorOf(contributors(spec.Rule()), s.RecordID(),
			strings.Join([]string{name, s.Position(), part}, "/")),
	}
}

// contributors is the namespace of the records that give to aggregates.
func contributors(r *rules.Rule) string {
	if r.Records() == rules.ProjectNamespace {
		return r.Name
	}
	return r.Records()
}

// declareIDs says by which ids the action knows what records give to aggregates.
func (v *valuesPlan) declareIDs(c *compiler) {
	if v.aggregate == "" {
		return
	}
	if v.set == nil {
		c.spec.DeclareIDs(rules.DeclaredIDs{Object: "aggregate", Label: "aggregates", Creates: true, Place: c.spec.Place})
		return
	}
	c.spec.DeclareIDs(rules.DeclaredIDs{
		Object: "aggregate " + v.set.ID, Label: "aggregates in the data set \"" + v.set.Name + "\"", Creates: true,
		Place: c.spec.Place,
	})
}
