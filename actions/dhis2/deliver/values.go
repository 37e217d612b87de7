package deliver

import (
	"context"
	"errors"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/codes"
	"github.com/culvert/culvert/actions/dhis2/object"
)

// maxValues bounds one request of data values.
const maxValues = 5000

// importValues sends the values of one data set, of many records, org units and periods. One bad
// value never takes good ones with it: DHIS2 2.43 refuses a group as a whole, so values that it
// names are set aside and the rest is sent again, and what it does not name is found by halving.
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
		o := codes.OfRequest(err)
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
		s.Values[n] = i.object.(*object.DataValue).Body(d.x)
	}
	return s
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
	if len(items) > 1 && (report.Refused && (named == 0 || named == len(items)) || !report.Refused && named == 0 &&
		len(report.General) > 0) {
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

func byDataSet(items []*item) map[string][]*item {
	groups := map[string][]*item{}
	for _, i := range items {
		set := i.object.(*object.DataValue).Cell.DataSet
		groups[set] = append(groups[set], i)
	}
	return groups
}

// splitValues parts values from contributions to aggregates.
func splitValues(items []*item) (plain, contributions []*item) {
	for _, i := range items {
		if i.object.(*object.DataValue).Contribution != nil {
			contributions = append(contributions, i)
		} else {
			plain = append(plain, i)
		}
	}
	return plain, contributions
}
