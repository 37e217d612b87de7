package dhis2

import (
	"context"
	"errors"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/metadata"
)

// maxValues bounds one request of data values.
const maxValues = 5000

// importValues sends the values of one data set, of many records, org units and periods. One bad value never takes good ones with it: DHIS2 2.43
// refuses a group as a whole, so values that it names are set aside and the rest is sent again, and what it does not name is found by halving.
func (d *delivery) importValues(ctx context.Context, set string, items []*item) {
	for len(items) > maxValues {
		d.importSome(ctx, set, items[:maxValues])
		items = items[maxValues:]
	}
	d.importSome(ctx, set, items)
}

func (d *delivery) importSome(ctx context.Context, set string, items []*item) {
	if len(items) == 0 {
		return
	}
	report, err := d.server.ImportDataValues(ctx, d.valueSet(set, items), client.DataValueOptions{Rehearse: d.rehearse})
	var e *client.Error
	switch {
	case errors.As(err, &e) && e.Kind == client.Refused && len(items) > 1:
		d.split(ctx, set, items)
	case err != nil:
		o := wholeFailure(err)
		for _, i := range items {
			i.finish(o)
		}
	default:
		d.readValues(ctx, set, items, report)
	}
}

func (d *delivery) valueSet(set string, items []*item) *client.DataValueSet {
	s := &client.DataValueSet{DataSet: set, Values: make([]client.DataValue, len(items))}
	for n, i := range items {
		o := i.write.Object.(*dataValueWrite)
		v := client.DataValue{
			DataElement: o.cell.dataElement, Period: o.cell.period, OrgUnit: o.cell.orgUnit,
			CategoryOptionCombo: o.cell.categoryOptionCombo, AttributeOptionCombo: o.cell.attributeOptionCombo,
			Value: o.value, Comment: o.comment, Deleted: o.remove,
		}
		if zeroRemoves(d.x.DataElementByID(o.cell.dataElement), o.value) {
			v.Value, v.Deleted = "", true
		}
		s.Values[n] = v
	}
	return s
}

// zeroRemoves tells whether a value is a zero that DHIS2 does not store (dataValueIsZeroAndInsignificant): up to 2.41 it removes what was there, from
// 2.42 on it is passed over and what was there stays, though the source says that it is nothing. So such a zero is sent as what it means.
func zeroRemoves(e *metadata.DataElement, value string) bool {
	if e == nil || e.ZeroIsSignificant || value == "" || strings.Trim(value, "-0.") != "" {
		return false
	}
	switch e.AggregationType {
	case "AVERAGE", "AVERAGE_SUM_ORG_UNIT":
		return false // zeros count in an average
	}
	switch e.ValueType {
	case "NUMBER", "INTEGER", "INTEGER_POSITIVE", "INTEGER_NEGATIVE", "INTEGER_ZERO_OR_POSITIVE", "UNIT_INTERVAL", "PERCENTAGE":
		return true
	}
	return false
}

func (d *delivery) split(ctx context.Context, set string, items []*item) {
	middle := len(items) / 2
	d.importSome(ctx, set, items[:middle])
	d.importSome(ctx, set, items[middle:])
}

// readValues settles each value by the reply.
func (d *delivery) readValues(ctx context.Context, set string, items []*item, report *client.DataValueReport) {
	if len(items) == 1 && (report.Refused || len(report.General) > 0) && len(report.Issues[0]) == 0 {
		issue := client.Issue{Message: report.Message}
		if len(report.General) > 0 {
			issue = report.General[0]
		}
		items[0].finish(d.explain(items[0], issue))
		return
	}
	named := len(report.Issues)
	if len(items) > 1 && (report.Refused && (named == 0 || named == len(items)) || !report.Refused && named == 0 && len(report.General) > 0) {
		d.split(ctx, set, items)
		return
	}
	var rest []*item
	for n, i := range items {
		switch issues := report.Issues[n]; {
		case len(issues) > 0:
			i.finish(d.explain(i, issues[0]))
		case report.Refused:
			rest = append(rest, i)
		default:
			i.finish(actions.Outcome{Status: actions.Delivered})
		}
	}
	d.importSome(ctx, set, rest)
}

// complete marks a data set as complete or takes that back, once its values are in.
func (d *delivery) complete(ctx context.Context, i *item) {
	o := i.write.Object.(*completionWrite)
	if d.rehearse {
		i.finish(actions.Outcome{Status: actions.Delivered, Warnings: []string{"completions cannot be rehearsed"}})
		return
	}
	if err := d.server.Complete(ctx, o.completion); err != nil {
		outcome := wholeFailure(err)
		outcome.Cause = o.label + ": " + outcome.Cause
		i.finish(outcome)
		return
	}
	i.finish(actions.Outcome{Status: actions.Delivered})
}
