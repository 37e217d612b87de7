package object

import (
	"testing"

	"github.com/culvert/culvert/actions/dhis2/metadata"
)

func TestZeroRemoves(t *testing.T) {
	for _, test := range []struct {
		e     metadata.DataElement
		value string
		want  bool
	}{
		{metadata.DataElement{ValueType: "INTEGER", AggregationType: "SUM"}, "0", true},
		{metadata.DataElement{ValueType: "NUMBER", AggregationType: "SUM"}, "-0.00", true},
		{metadata.DataElement{ValueType: "INTEGER"}, "0", true},
		{metadata.DataElement{ValueType: "INTEGER", AggregationType: "SUM", ZeroIsSignificant: true}, "0", false},
		{metadata.DataElement{ValueType: "INTEGER", AggregationType: "AVERAGE_SUM_ORG_UNIT"}, "0", false},
		{metadata.DataElement{ValueType: "TEXT", AggregationType: "NONE"}, "0", false},
		{metadata.DataElement{ValueType: "INTEGER", AggregationType: "SUM"}, "10", false},
		{metadata.DataElement{ValueType: "INTEGER", AggregationType: "SUM"}, "", false},
	} {
		if got := zeroRemoves(&test.e, test.value); got != test.want {
			t.Errorf("%+v %q: %v", test.e, test.value, got)
		}
	}
}
