package sandbox

import (
	"fmt"
	"strings"
	"time"
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
	switch d.period, ok = parsePeriod(in.period); {
	case d.element == nil:
		return one("E7610", "dataElement", in.element,
			fmt.Sprintf("Data element not found or not accessible: `%s`", in.element), about("dataElement", in.element))
	case !ok:
		return one("E7611", "period", in.period, fmt.Sprintf("Period not valid: `%s`", in.period), about("period", in.period))
	case d.unit == nil:
		return one("E7612", "orgUnit", in.orgUnit,
			fmt.Sprintf("Organisation unit not found or not accessible: `%s`", in.orgUnit), about("organisationUnit", in.orgUnit))
	case d.combo == nil && in.combo != "":
		return one("E7613", "categoryOptionCombo", in.combo,
			fmt.Sprintf("Category option combo not found or not accessible for writing data: `%s`", in.combo), about("categoryOptionCombo", in.combo))
	case d.combo != nil && !v.comboWritable(d.combo):
		return one("E7614", "categoryOptionCombo", in.combo,
			fmt.Sprintf("No access to category option combo: `%s`", in.combo), about("categoryOptionCombo", in.combo))
	case d.attributeCombo == nil && in.attributeCombo != "":
		return one("E7615", "attributeOptionCombo", in.attributeCombo,
			fmt.Sprintf("Attribute option combo not found or not accessible for writing data: `%s`", in.attributeCombo), about("attributeOptionCombo", in.attributeCombo))
	case d.attributeCombo != nil && !v.comboWritable(d.attributeCombo):
		return one("E7616", "attributeOptionCombo", in.attributeCombo,
			fmt.Sprintf("No access to attribute option combo: `%s`", d.attributeCombo.uid), about("attributeOptionCombo", d.attributeCombo.uid))
	case !v.user.captures(d.unit):
		return one("E7617", "orgUnit", d.unit.uid,
			fmt.Sprintf("Organisation unit: `%s` not in hierarchy of current user: `%s`", d.unit.uid, v.user.uid), about("organisationUnit", d.unit.uid))
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
		return why("E7618", "value", de.uid,
			fmt.Sprintf("Data value or comment not specified for data element: `%s`", de.uid), about("dataElement", de.uid))
	}
	d.value = normalBoolean(d.value, de.valueType)
	if reason := misfit(d.value, de.valueType); reason != "" {
		return why("E7619", "value", de.uid,
			fmt.Sprintf("Value must match value type of data element `%s`: `%s`", de.uid, reason), map[string]string{"dataElement": de.uid, "value": reason})
	}
	if d.in.comment != nil && len(*d.in.comment) > maxComment {
		return why("E7620", "comment", de.uid, fmt.Sprintf("Invalid comment: `%s`", "comment_length_greater_than_max_length"), about("dataElement", de.uid))
	}
	set := v.c.optionSets[de.optionSet]
	if set != nil && d.in.value == nil && v.srv.manners >= 41 {
		v.failed = dhis2Words("null") // nothing among options breaks it off
		return nil
	}
	if set != nil && !fitsOptions(set, d.value, de.valueType) {
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

// passesOver tells whether an element does not keep this value, a zero. Only 0 and 0.0 are zeroes: +0, -0 and 00 are none.
func passesOver(de *dataElement, value string) bool {
	whole, fraction, _ := strings.Cut(value, ".")
	return !de.zeroIsSignificant && numericType(de.valueType) && de.aggregation != "AVERAGE" && de.aggregation != "AVERAGE_SUM_ORG_UNIT" &&
		whole == "0" && strings.Trim(fraction, "0") == ""
}

func (v *valueImport) checkTime(d *datum, why conflictMaker) []*conflict {
	for _, id := range d.attributeCombo.options {
		o := v.c.catOptions[id]
		if o == nil {
			continue
		}
		if !o.start.IsZero() && o.start.After(d.period.end) || !o.end.IsZero() && o.end.Before(d.period.start) {
			return []*conflict{why("E7638", "period", d.period.iso,
				fmt.Sprintf("Period: `%s` is not within date range of attribute option combo: `%s`", d.period.iso, d.attributeCombo.uid), map[string]string{"period": d.period.iso})}
		}
		if len(o.orgUnits) > 0 && !d.unit.descends(o.orgUnits) {
			return []*conflict{why("E7639", "orgUnit", d.unit.uid,
				fmt.Sprintf("Organisation unit: `%s` is not valid for attribute option combo: `%s`", d.unit.uid, d.attributeCombo.uid), map[string]string{"organisationUnit": d.unit.uid})}
		}
	}
	if v.o.force && v.user.super {
		return nil
	}
	sets := v.c.dataSetsOf[d.element.uid]
	if v.dataSet != nil {
		sets = []*dataSet{v.dataSet}
	}
	var late, early []*conflict
	for _, ds := range sets {
		if ds.expiryDays > 0 && !v.user.may("F_EDIT_EXPIRED") && v.now.After(d.period.end.Add(time.Duration((ds.expiryDays+1)*24)*time.Hour)) {
			late = append(late, why("E7640", "period", d.period.iso,
				fmt.Sprintf("Current date is past expiry days for period: `%s` and data set: `%s`", d.period.iso, ds.uid), map[string]string{"period": d.period.iso, "dataSet": ds.uid}))
		}
		if latest, ok := latestOpen(ds.periodType, ds.openFuture, v.now); ok && d.period.start.After(latest.end) {
			early = append(early, why("E7641", "period", d.period.iso,
				fmt.Sprintf("Period: `%s` is after latest open future period: `%s` for data element: `%s` and data set: `%s`", d.period.iso, latest.iso, d.element.uid, ds.uid),
				map[string]string{"period": d.period.iso, "dataElement": d.element.uid, "dataSet": ds.uid}))
		}
	}
	if len(late) > 0 {
		return late
	}
	return early
}
