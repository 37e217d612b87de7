package aggregate

import (
	"fmt"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/period"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/valuetype"
)

// check gives the first reason not to take a value, in DHIS2's order (DataValueSetImportValidator).
func (v *valueImport) check(d *datum) []*conflict {
	why := func(code, property, object, text string, objects map[string]string) *conflict {
		return &conflict{Object: object, Objects: objects, Value: text, Code: code, Property: property}
	}
	one := func(code, property, object, text string, objects map[string]string) []*conflict {
		return []*conflict{why(code, property, object, text, objects)}
	}
	about := func(k, id string) map[string]string { return map[string]string{k: id} }
	in := d.in
	var ok bool
	switch d.period, ok = period.Parse(in.period); {
	case d.element == nil:
		return one("E7610", "dataElement", in.element,
			fmt.Sprintf("Data element not found or not accessible: `%s`", in.element), about("dataElement", in.element))
	case !ok:
		return one("E7611", "period", in.period, fmt.Sprintf("Period not valid: `%s`", in.period), about("period", in.period))
	case d.unit == nil:
		return one("E7612", "orgUnit", in.orgUnit,
			fmt.Sprintf("Organisation unit not found or not accessible: `%s`", in.orgUnit),
			about("organisationUnit", in.orgUnit))
	case d.combo == nil && in.combo != "":
		return one("E7613", "categoryOptionCombo", in.combo,
			fmt.Sprintf("Category option combo not found or not accessible for writing data: `%s`", in.combo),
			about("categoryOptionCombo", in.combo))
	case d.combo != nil && !v.comboWritable(d.combo):
		return one("E7614", "categoryOptionCombo", in.combo,
			fmt.Sprintf("No access to category option combo: `%s`", in.combo), about("categoryOptionCombo", in.combo))
	case d.attributeCombo == nil && in.attributeCombo != "":
		return one("E7615", "attributeOptionCombo", in.attributeCombo,
			fmt.Sprintf("Attribute option combo not found or not accessible for writing data: `%s`", in.attributeCombo),
			about("attributeOptionCombo", in.attributeCombo))
	case d.attributeCombo != nil && !v.comboWritable(d.attributeCombo):
		return one("E7616", "attributeOptionCombo", in.attributeCombo,
			fmt.Sprintf("No access to attribute option combo: `%s`", d.attributeCombo.UID),
			about("attributeOptionCombo", d.attributeCombo.UID))
	case !v.user.Captures(d.unit):
		return one("E7617", "orgUnit", d.unit.UID,
			fmt.Sprintf("Organisation unit: `%s` not in hierarchy of current user: `%s`", d.unit.UID, v.user.UID),
			about("organisationUnit", d.unit.UID))
	}
	if c := v.checkValue(d, why, about); c != nil {
		return []*conflict{c}
	}
	if c := v.checkStrict(d, why, about); c != nil {
		return []*conflict{c}
	}
	return v.checkTime(d, why)
}

type conflictMaker func(code, property, object, text string, objects map[string]string) *conflict

func (v *valueImport) checkValue(d *datum, why conflictMaker, about func(k, id string) map[string]string) *conflict {
	de, remove := d.element, d.in.deleted || v.o.strategy == "DELETE"
	if d.in.value == nil && d.in.comment == nil && !remove {
		return why("E7618", "value", de.UID,
			fmt.Sprintf("Data value or comment not specified for data element: `%s`", de.UID), about("dataElement", de.UID))
	}
	d.value = normalBoolean(d.value, de.ValueType)
	if reason := valuetype.Misfit(d.value, de.ValueType); reason != "" {
		return why("E7619", "value", de.UID,
			fmt.Sprintf("Value must match value type of data element `%s`: `%s`", de.UID, reason),
			map[string]string{"dataElement": de.UID, "value": reason})
	}
	if d.in.comment != nil && len(*d.in.comment) > valuetype.MaxComment {
		return why("E7620", "comment", de.UID, fmt.Sprintf("Invalid comment: `%s`",
			"comment_length_greater_than_max_length"), about("dataElement", de.UID))
	}
	set := v.c.OptionSets[de.OptionSet]
	if set != nil && d.in.value == nil && v.srv.Version >= 41 {
		v.failed = rest.Verbatim("null") // nothing among options breaks it off
		return nil
	}
	if set != nil && !fitsOptions(set, d.value, de.ValueType) {
		return why("E7621", "value", de.UID,
			fmt.Sprintf("Data value is not a valid option of the data element option set: `%s`", de.UID),
			about("dataElement", de.UID))
	}
	return nil
}

func fitsOptions(set *catalog.OptionSet, value, valueType string) bool {
	if set.Codes[value] {
		return true
	}
	if valueType != "MULTI_TEXT" {
		return false
	}
	for _, x := range valuetype.SplitMulti(value) {
		if !set.Codes[x] {
			return false
		}
	}
	return true
}

// normalBoolean turns the short forms of a boolean into the long ones (DHIS2 ValidationUtils.normalizeBoolean).
func normalBoolean(value, valueType string) string {
	if valueType != "BOOLEAN" && valueType != "TRUE_ONLY" {
		return value
	}
	switch value {
	case "0", "f", "F":
		return "false"
	case "1", "t", "T":
		return "true"
	}
	return value
}

func (v *valueImport) comboWritable(oc *catalog.OptionCombo) bool {
	for _, id := range oc.Options {
		if o := v.c.CatOptions[id]; o != nil && !o.Sharing.DataWrite(v.user) {
			return false
		}
	}
	return true
}

// checkStrict holds the checks that are asked for, and those of time.
func (v *valueImport) checkStrict(d *datum, why conflictMaker, about func(k, id string) map[string]string) *conflict {
	de, sets := d.element, v.c.DataSetsOf[d.element.UID]
	if d.combo == nil && v.o.needCombo {
		return why("E7630", "categoryOptionCombo", d.value, "Category option combo is required but is not specified", nil)
	}
	if d.attributeCombo == nil && v.o.needAttribute {
		return why("E7631", "attributeOptionCombo", d.value, "Attribute option combo is required but is not specified", nil)
	}
	if d.combo == nil {
		d.combo = v.c.OptionCombos[catalog.DefaultOptionCombo]
	}
	if d.attributeCombo == nil {
		d.attributeCombo = v.c.OptionCombos[catalog.DefaultOptionCombo]
	}
	periods, combos, units := false, false, false
	for _, s := range sets {
		periods = periods || s.PeriodType == d.period.Kind
		combos = combos || s.Combo == d.attributeCombo.Combo
		units = units || s.OrgUnits[d.unit.UID]
	}
	switch {
	case v.o.strictPeriods && !periods:
		return why("E7632", "period", d.period.ISO,
			fmt.Sprintf("Period type of period: `%s` not valid for data element: `%s`", d.period.ISO, de.UID),
			about("period", d.period.ISO))
	case v.o.strictElements && v.dataSet != nil && !has(v.dataSet.Elements, de.UID):
		return why("E7633", "dataElement", de.UID,
			fmt.Sprintf("Data element: `%s` is not part of dataset: `%s`", de.UID, v.dataSet.UID), about("dataElement", de.UID))
	case v.o.strictCombos && d.combo.Combo != de.Combo:
		return why("E7634", "categoryOptionCombo", d.combo.UID,
			fmt.Sprintf("Category option combo: `%s` must be part of category combo of data element: `%s`", d.combo.UID,
				de.UID), about("categoryOptionCombo", d.combo.UID))
	case v.o.strictAttributeCombos && !combos:
		return why("E7635", "attributeOptionCombo", d.attributeCombo.UID,
			fmt.Sprintf("Attribute option combo: `%s` must be part of category combo of data sets of data element: `%s`",
				d.attributeCombo.UID, de.UID), about("attributeOptionCombo", d.attributeCombo.UID))
	case v.o.strictUnits && !units:
		return why("E7636", "orgUnit", d.unit.UID,
			fmt.Sprintf("Data element: `%s` must be assigned through data sets to organisation unit: `%s`", de.UID, d.unit.UID),
			about("organisationUnit", d.unit.UID))
	}
	if len(d.in.storedBy) > 255 {
		return why("E7637", "storedBy", "", "Invalid storedBy: `stored_by_length_greater_than_max_length`", nil)
	}
	return nil
}

func has(m map[string]string, k string) bool {
	_, ok := m[k]
	return ok
}

// insignificant: a zero of an element that does not keep zeroes (ValidationUtils.dataValueIsZeroAndInsignificant).
func (d *datum) insignificant() bool { return passesOver(d.element, d.value) }

// passesOver tells whether an element does not keep this value, a zero. Only 0 and 0.0 are zeroes:
// +0, -0 and 00 are none.
func passesOver(de *catalog.DataElement, value string) bool {
	whole, fraction, _ := strings.Cut(value, ".")
	return !de.ZeroIsSignificant && valuetype.Numeric(de.ValueType) && de.Aggregation != "AVERAGE" &&
		de.Aggregation != "AVERAGE_SUM_ORG_UNIT" &&
		whole == "0" && strings.Trim(fraction, "0") == ""
}

func (v *valueImport) checkTime(d *datum, why conflictMaker) []*conflict {
	for _, id := range d.attributeCombo.Options {
		o := v.c.CatOptions[id]
		if o == nil {
			continue
		}
		if !o.Start.IsZero() && o.Start.After(d.period.End) || !o.End.IsZero() && o.End.Before(d.period.Start) {
			return []*conflict{why("E7638", "period", d.period.ISO,
				fmt.Sprintf("Period: `%s` is not within date range of attribute option combo: `%s`", d.period.ISO,
					d.attributeCombo.UID), map[string]string{"period": d.period.ISO})}
		}
		if len(o.OrgUnits) > 0 && !d.unit.Descends(o.OrgUnits) {
			return []*conflict{why("E7639", "orgUnit", d.unit.UID,
				fmt.Sprintf("Organisation unit: `%s` is not valid for attribute option combo: `%s`", d.unit.UID,
					d.attributeCombo.UID), map[string]string{"organisationUnit": d.unit.UID})}
		}
	}
	if v.o.force && v.user.Super {
		return nil
	}
	sets := v.c.DataSetsOf[d.element.UID]
	if v.dataSet != nil {
		sets = []*catalog.DataSet{v.dataSet}
	}
	var late, early []*conflict
	for _, ds := range sets {
		if ds.ExpiryDays > 0 && !v.user.May("F_EDIT_EXPIRED") &&
			v.now.After(d.period.End.Add(time.Duration((ds.ExpiryDays+1)*24)*time.Hour)) {
			late = append(late, why("E7640", "period", d.period.ISO,
				fmt.Sprintf("Current date is past expiry days for period: `%s` and data set: `%s`", d.period.ISO, ds.UID),
				map[string]string{"period": d.period.ISO, "dataSet": ds.UID}))
		}
		// by their last days (DHIS2 Period.isAfter)
		if latest, ok := period.LatestOpen(ds.PeriodType, ds.OpenFuture, v.now); ok && d.period.End.After(latest.End) {
			early = append(early, why("E7641", "period", d.period.ISO,
				fmt.Sprintf("Period: `%s` is after latest open future period: `%s` for data element: `%s` and data set: `%s`",
					d.period.ISO, latest.ISO, d.element.UID, ds.UID),
				map[string]string{"period": d.period.ISO, "dataElement": d.element.UID, "dataSet": ds.UID}))
		}
	}
	if len(late) > 0 {
		return late
	}
	return early
}
