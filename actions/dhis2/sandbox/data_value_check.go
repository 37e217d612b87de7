package sandbox

import (
	"fmt"
	"strings"
	"time"
)

// check gives the first reason not to take a value, in DHIS2's order (DataValueSetImportValidator).
func (v *valueImport) check(d *datum) *conflict {
	why := func(code, property, object, text string, objects map[string]string) *conflict {
		return &conflict{Object: object, Objects: objects, Value: text, Code: code, Property: property}
	}
	about := func(k, id string) map[string]string { return map[string]string{k: id} }
	in := d.in
	var ok bool
	switch d.period, ok = parsePeriod(in.period); {
	case d.element == nil:
		return why("E7610", "dataElement", in.element,
			fmt.Sprintf("Data element not found or not accessible: `%s`", in.element), about("dataElement", in.element))
	case !ok:
		return why("E7611", "period", in.period, fmt.Sprintf("Period not valid: `%s`", in.period), about("period", in.period))
	case d.unit == nil:
		return why("E7612", "orgUnit", in.orgUnit,
			fmt.Sprintf("Organisation unit not found or not accessible: `%s`", in.orgUnit), about("organisationUnit", in.orgUnit))
	case d.combo == nil && in.combo != "":
		return why("E7613", "categoryOptionCombo", in.combo,
			fmt.Sprintf("Category option combo not found or not accessible for writing data: `%s`", in.combo), about("categoryOptionCombo", in.combo))
	case d.combo != nil && !v.comboWritable(d.combo):
		return why("E7614", "categoryOptionCombo", in.combo,
			fmt.Sprintf("No access to category option combo: `%s`", in.combo), about("categoryOptionCombo", in.combo))
	case d.attributeCombo == nil && in.attributeCombo != "":
		return why("E7615", "attributeOptionCombo", in.attributeCombo,
			fmt.Sprintf("Attribute option combo not found or not accessible for writing data: `%s`", in.attributeCombo), about("attributeOptionCombo", in.attributeCombo))
	case d.attributeCombo != nil && !v.comboWritable(d.attributeCombo):
		return why("E7616", "attributeOptionCombo", in.attributeCombo,
			fmt.Sprintf("No access to attribute option combo: `%s`", d.attributeCombo.uid), about("attributeOptionCombo", d.attributeCombo.uid))
	case !v.user.captures(d.unit):
		return why("E7617", "orgUnit", d.unit.uid,
			fmt.Sprintf("Organisation unit: `%s` not in hierarchy of current user: `%s`", d.unit.uid, v.user.uid), about("organisationUnit", d.unit.uid))
	}
	if c := v.checkValue(d, why, about); c != nil {
		return c
	}
	return v.checkStrict(d, why, about)
}

type conflictMaker func(code, property, object, text string, objects map[string]string) *conflict

func (v *valueImport) checkValue(d *datum, why conflictMaker, about func(k, id string) map[string]string) *conflict {
	de, remove := d.element, d.in.deleted || v.o.strategy == "DELETE"
	if d.in.value == nil && d.in.comment == nil && !remove {
		return why("E7618", "value", de.uid,
			fmt.Sprintf("Data value or comment not specified for data element: `%s`", de.uid), about("dataElement", de.uid))
	}
	d.value = normalBoolean(d.value, de.valueType)
	if reason := misfit(d.value, de.valueType); reason != "" && !remove {
		return why("E7619", "value", de.uid,
			fmt.Sprintf("Value must match value type of data element `%s`: `%s`", de.uid, reason), map[string]string{"dataElement": de.uid, "value": reason})
	}
	if d.in.comment != nil && len(*d.in.comment) > maxComment {
		return why("E7620", "comment", de.uid, fmt.Sprintf("Invalid comment: `%s`", "comment_length_greater_than_max_length"), about("dataElement", de.uid))
	}
	if set := v.c.optionSets[de.optionSet]; set != nil && d.value != "" && !remove && !fitsOptions(set, d.value, de.valueType) {
		return why("E7621", "value", de.uid,
			fmt.Sprintf("Data value is not a valid option of the data element option set: `%s`", de.uid), about("dataElement", de.uid))
	}
	return nil
}

func fitsOptions(set *optionSet, value, valueType string) bool {
	if set.codes[value] {
		return true
	}
	if valueType != "MULTI_TEXT" {
		return false
	}
	for _, x := range multi(value) {
		if !set.codes[x] {
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

func (v *valueImport) comboWritable(oc *optionCombo) bool {
	for _, id := range oc.options {
		if o := v.c.catOptions[id]; o != nil && !o.sharing.dataWrite(v.user) {
			return false
		}
	}
	return true
}

// checkStrict holds the checks that are asked for, and those of time.
func (v *valueImport) checkStrict(d *datum, why conflictMaker, about func(k, id string) map[string]string) *conflict {
	de, sets := d.element, v.c.dataSetsOf[d.element.uid]
	if d.combo == nil && v.o.needCombo {
		return why("E7630", "categoryOptionCombo", d.value, "Category option combo is required but is not specified", nil)
	}
	if d.attributeCombo == nil && v.o.needAttribute {
		return why("E7631", "attributeOptionCombo", d.value, "Attribute option combo is required but is not specified", nil)
	}
	if d.combo == nil {
		d.combo = v.c.optionCombos[defaultOptionCombo]
	}
	if d.attributeCombo == nil {
		d.attributeCombo = v.c.optionCombos[defaultOptionCombo]
	}
	periods, combos, units := false, false, false
	for _, s := range sets {
		periods = periods || s.periodType == d.period.kind
		combos = combos || s.combo == d.attributeCombo.combo
		units = units || s.orgUnits[d.unit.uid]
	}
	switch {
	case v.o.strictPeriods && !periods:
		return why("E7632", "period", d.period.iso,
			fmt.Sprintf("Period type of period: `%s` not valid for data element: `%s`", d.period.iso, de.uid), about("period", d.period.iso))
	case v.o.strictElements && v.dataSet != nil && !has(v.dataSet.elements, de.uid):
		return why("E7633", "dataElement", de.uid,
			fmt.Sprintf("Data element: `%s` is not part of dataset: `%s`", de.uid, v.dataSet.uid), about("dataElement", de.uid))
	case v.o.strictCombos && d.combo.combo != de.combo:
		return why("E7634", "categoryOptionCombo", d.combo.uid,
			fmt.Sprintf("Category option combo: `%s` must be part of category combo of data element: `%s`", d.combo.uid, de.uid), about("categoryOptionCombo", d.combo.uid))
	case v.o.strictAttributeCombos && !combos:
		return why("E7635", "attributeOptionCombo", d.attributeCombo.uid,
			fmt.Sprintf("Attribute option combo: `%s` must be part of category combo of data sets of data element: `%s`", d.attributeCombo.uid, de.uid), about("attributeOptionCombo", d.attributeCombo.uid))
	case v.o.strictUnits && !units:
		return why("E7636", "orgUnit", d.unit.uid,
			fmt.Sprintf("Data element: `%s` must be assigned through data sets to organisation unit: `%s`", de.uid, d.unit.uid), about("organisationUnit", d.unit.uid))
	}
	if v.insignificant(d) {
		return nil
	}
	return v.checkTime(d, why)
}

func has(m map[string]string, k string) bool {
	_, ok := m[k]
	return ok
}

// insignificant: a zero of an element that does not keep zeroes.
func (v *valueImport) insignificant(d *datum) bool {
	de := d.element
	return !de.zeroIsSignificant && numericType(de.valueType) && de.aggregation != "AVERAGE" && de.aggregation != "AVERAGE_SUM_ORG_UNIT" &&
		d.value != "" && strings.Trim(d.value, "-0.") == "" && v.o.strategy != "DELETE"
}

func (v *valueImport) checkTime(d *datum, why conflictMaker) *conflict {
	for _, id := range d.attributeCombo.options {
		o := v.c.catOptions[id]
		if o == nil {
			continue
		}
		if !o.start.IsZero() && o.start.After(d.period.end) || !o.end.IsZero() && o.end.Before(d.period.start) {
			return why("E7638", "period", d.period.iso,
				fmt.Sprintf("Period: `%s` is not within date range of attribute option combo: `%s`", d.period.iso, d.attributeCombo.uid), map[string]string{"period": d.period.iso})
		}
		if len(o.orgUnits) > 0 && !d.unit.descends(o.orgUnits) {
			return why("E7639", "orgUnit", d.unit.uid,
				fmt.Sprintf("Organisation unit: `%s` is not valid for attribute option combo: `%s`", d.unit.uid, d.attributeCombo.uid), map[string]string{"organisationUnit": d.unit.uid})
		}
	}
	ds := v.dataSet
	sets := v.c.dataSetsOf[d.element.uid]
	if ds == nil && len(sets) > 0 {
		ds = sets[0]
	}
	if ds == nil || v.o.force && v.user.super {
		return nil
	}
	if ds.expiryDays > 0 && !v.user.may("F_EDIT_EXPIRED") && v.now.After(d.period.end.Add(time.Duration((ds.expiryDays+1)*24)*time.Hour)) {
		return why("E7640", "period", d.period.iso,
			fmt.Sprintf("Current date is past expiry days for period: `%s` and data set: `%s`", d.period.iso, ds.uid), map[string]string{"period": d.period.iso, "dataSet": ds.uid})
	}
	open, kind := 0, ds.periodType
	for _, s := range sets {
		if s.openFuture >= open {
			open, kind = s.openFuture, s.periodType
		}
	}
	if latest, ok := latestOpen(kind, open, v.now); ok && d.period.start.After(latest.end) {
		return why("E7641", "period", d.period.iso,
			fmt.Sprintf("Period: `%s` is after latest open future period: `%s` for data element: `%s` and data set: `%s`", d.period.iso, latest.iso, d.element.uid, ds.uid),
			map[string]string{"period": d.period.iso, "dataElement": d.element.uid, "dataSet": ds.uid})
	}
	return nil
}
