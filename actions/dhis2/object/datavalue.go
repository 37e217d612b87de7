package object

import (
	"fmt"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/value"
	"github.com/culvert/culvert/rules/diag"
)

// Cell names one aggregate value.
type Cell struct {
	DataSet, DataElement, OrgUnit, Period, CategoryOptionCombo, AttributeOptionCombo string
}

// String is the cell's name in the journal. It must never change.
func (c Cell) String() string {
	return c.DataElement + "." + c.Period + "." + c.OrgUnit + "." + c.CategoryOptionCombo + "." + c.AttributeOptionCombo
}

// ParseCell reads what String wrote; the data set is not in it.
func ParseCell(text string) (c Cell, ok bool) {
	p := strings.Split(text, ".")
	if len(p) != 5 {
		return c, false
	}
	return Cell{DataElement: p[0], Period: p[1], OrgUnit: p[2], CategoryOptionCombo: p[3], AttributeOptionCombo: p[4]}, true
}

// DataValue writes or removes one aggregate value.
type DataValue struct {
	*Template
	Cell         Cell
	OrgUnit      *metadata.OrgUnit
	Set          string // name of the data set
	Combo        string // name of the category option combination; empty for the default one
	AttCombo     string
	Value        string
	File         *value.File // that the value is; nil: it is none
	Comment      string
	Remove       bool
	FollowUp     *bool // mark it for follow-up, or take the mark away; nil: leave it
	Place        diag.Place
	Contribution *Contribution // to an aggregate, or nil
}

// Label names the value in words.
func (o *DataValue) Label() string {
	if o.Combo != "" {
		return fmt.Sprintf("data value %s, %s, of %s", o.Called, o.Combo, o.Set)
	}
	return fmt.Sprintf("data value %s of %s", o.Called, o.Set)
}

// Describe gives the object by the names that the rule uses.
func (o *DataValue) Describe() map[string]any {
	m := map[string]any{"data_value": o.Called, "data_set": o.Set, "period": o.Cell.Period,
		"org_unit": orgUnitName(o.OrgUnit)}
	put(m, "category_option_combo", o.Combo)
	put(m, "attribute_option_combo", o.AttCombo)
	put(m, "comment", o.Comment)
	if o.FollowUp != nil {
		m["follow_up"] = *o.FollowUp
	}
	switch {
	case o.Contribution != nil:
		o.Contribution.describe(m)
	case o.Remove:
		m["remove"] = true
	case o.File != nil:
		m["value"] = o.File.String()
	default:
		m["value"] = o.Value
	}
	return m
}

// Phase implements Write.
func (*DataValue) Phase() Phase { return PhaseValues }

// Name is that of the value, or of what one record gives to it.
func (o *DataValue) Name(client.ObjectKey) string {
	if o.Contribution != nil {
		return "SHARE:" + o.Contribution.Contributor
	}
	return ValueName(o.Cell)
}

// ValueName is the name of the digest of an aggregate value.
func ValueName(c Cell) string { return "DATA_VALUE:" + c.String() }

// Digest implements Write.
func (o *DataValue) Digest(parents []string) uint64 {
	h := newDigest(parents)
	h.texts(o.Value, o.Comment)
	h.flag(o.Remove)
	if o.FollowUp != nil {
		h.flag(*o.FollowUp)
	}
	return h.sum()
}

// Claims implements Write.
func (o *DataValue) Claims(client.ObjectKey, *metadata.Index) []string {
	if o.Contribution != nil {
		return []string{"share:" + o.Contribution.Contributor}
	}
	return []string{ValueName(o.Cell)}
}

// FieldAt is the value itself.
func (o *DataValue) FieldAt(client.Issue) (f Field, ok bool) {
	return Field{Name: o.Called, Place: o.Place}, true
}

// Body is the value as DHIS2 takes it.
func (o *DataValue) Body(x *metadata.Index) client.DataValue {
	v := client.DataValue{
		DataElement: o.Cell.DataElement, Period: o.Cell.Period, OrgUnit: o.Cell.OrgUnit,
		CategoryOptionCombo: o.Cell.CategoryOptionCombo, AttributeOptionCombo: o.Cell.AttributeOptionCombo,
		Value: o.Value, Comment: o.Comment, Deleted: o.Remove,
	}
	if zeroRemoves(x.DataElementByID(o.Cell.DataElement), o.Value) {
		v.Value, v.Deleted = "", true
	}
	return v
}

// Mark is the follow-up mark of a value that is written; false when the rule says nothing of it,
// and of one that is removed.
func (o *DataValue) Mark(x *metadata.Index) (client.FollowUp, bool) {
	v := o.Body(x)
	if o.FollowUp == nil || v.Deleted {
		return client.FollowUp{}, false
	}
	return client.FollowUp{
		DataElement: v.DataElement, Period: v.Period, OrgUnit: v.OrgUnit,
		CategoryOptionCombo: v.CategoryOptionCombo, AttributeOptionCombo: v.AttributeOptionCombo, On: *o.FollowUp,
	}, true
}

// zeroRemoves tells whether a value is a zero that DHIS2 does not store
// (dataValueIsZeroAndInsignificant): up to 2.41 it removes what was there, from 2.42 on it is
// passed over and what was there stays, though the source says that it is nothing. So such a zero
// is sent as what it means.
func zeroRemoves(e *metadata.DataElement, value string) bool {
	if e == nil || e.ZeroIsSignificant || value == "" || strings.Trim(value, "-0.") != "" {
		return false
	}
	switch e.AggregationType {
	case "AVERAGE", "AVERAGE_SUM_ORG_UNIT":
		return false // zeros count in an average
	}
	switch e.ValueType {
	case "NUMBER", "INTEGER", "INTEGER_POSITIVE", "INTEGER_NEGATIVE", "INTEGER_ZERO_OR_POSITIVE", "UNIT_INTERVAL",
		"PERCENTAGE":
		return true
	}
	return false
}

// Effect implements Write.
func (o *DataValue) Effect() string {
	switch {
	case o.Contribution != nil:
		return "the " + o.Contribution.Function + " of all records so far; shown is what this record alone gives"
	case o.Remove:
		return "removed"
	}
	return "created or overwritten"
}
