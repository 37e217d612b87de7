package sandbox

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// dataValueSets answers /api/dataValueSets.
func (c *call) dataValueSets() {
	if !c.method(http.MethodGet, http.MethodPost) {
		return
	}
	if c.r.Method != http.MethodPost {
		c.readValues()
		return
	}
	if !c.authorised("F_DATAVALUE_ADD") || !c.acceptsJSON() {
		return
	}
	o, p := c.dataOptions()
	if p != nil {
		c.srv.refused(c.w, p)
		return
	}
	body, p := c.srv.readBody(c.w, c.r)
	if p != nil {
		c.srv.refused(c.w, p)
		return
	}
	c.w.Header().Set("Cache-Control", "no-cache, private")
	if body, p = unpack(body); p != nil {
		c.srv.refused(c.w, p)
		return
	}
	set, err := c.readValueSet(body, o)
	if err != nil {
		c.unreadableValues(o, err)
		return
	}
	if o.async {
		c.valuesLater(o, set)
		return
	}
	s, p := c.srv.importValues(c.user, o, set)
	if p != nil {
		c.srv.refused(c.w, p)
		return
	}
	c.summarised(s)
}

// unpack takes the gzip wrapping off a body; DHIS2 knows it by its first bytes.
func unpack(body []byte) ([]byte, *problem) {
	if !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		return body, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, refuse(http.StatusConflict, "", "The import process failed: %v", err)
	}
	out, err := io.ReadAll(io.LimitReader(z, maxBody+1))
	if err != nil || len(out) > maxBody {
		return nil, refuse(http.StatusConflict, "", "The import process failed: the compressed body cannot be read or is too large")
	}
	return out, nil
}

// unreadableValues answers a body that is no set of data values.
func (c *call) unreadableValues(o *dataOptions, err error) {
	if c.srv.manners.dataEntry() {
		c.srv.fail(c.w, http.StatusInternalServerError, "", err.Error())
		return
	}
	s := newSummary(o.shown())
	s.Status, s.Description = "ERROR", "The import process failed: "+err.Error()
	c.summarised(s)
}

// errNothing is the failure of 2.43 and later at a period that cannot be read: it breaks off inside the server.
var errNothing = errors.New(`Cannot invoke "org.hisp.dhis.datavalue.DataEntryGroup.deletion()" because "group" is null`)

// importValues takes a set of data values in the way of the version.
func (s *Server) importValues(u *user, o *dataOptions, set *valueSet) (*summary, *problem) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	var sum *summary
	if s.manners.dataEntry() {
		e := &dataEntry{srv: s, c: s.catalog, st: s.store, user: u, o: o, now: s.now().UTC()}
		var err error
		if sum, err = e.run(set); err != nil {
			return nil, refuse(http.StatusInternalServerError, "", "%s", err.Error())
		}
	} else {
		v := &valueImport{srv: s, c: s.catalog, st: s.store, user: u, o: o, now: s.now().UTC(), sum: newSummary(o.shown())}
		v.run(set)
		sum = v.sum
	}
	if err := s.store.state.flush(); err != nil {
		s.log.Error("sandbox could not keep its state", "error", err)
		return nil, refuse(http.StatusInternalServerError, "", "%s", err.Error())
	}
	return sum, nil
}

// valueImport is an import of data values as DHIS2 did it up to 2.42: value by value, the good ones are taken.
type valueImport struct {
	srv  *Server
	c    *catalog
	st   *store
	user *user
	o    *dataOptions
	now  time.Time
	sum  *summary

	dataSet *dataSet
	outer   *optionCombo
}

func (v *valueImport) find(kind, id string) string { return v.c.find(kind, v.o.scheme(kind), id) }

func (v *valueImport) findAttributeCombo(id string) string {
	return v.c.find(kindOptionCombo, v.o.scheme("attributeOptionCombos"), id)
}

func (v *valueImport) run(set *valueSet) {
	v.sum.Description = "Import process completed successfully"
	if !v.dataSetIsFine(set) {
		v.sum.Status, v.sum.Description = "ERROR", "Import process was aborted"
		return
	}
	v.sum.Complete = "false"
	if set.completeDate != "" && v.dataSet != nil {
		v.complete(set)
	}
	for i, in := range set.values {
		if in.period == "" {
			in.period = set.period
		}
		if in.orgUnit == "" {
			in.orgUnit = set.orgUnit
		}
		v.one(i, in)
	}
	if len(v.sum.Conflicts) > 0 {
		v.sum.Status = "WARNING"
	}
}

// dataSetIsFine checks what stands around the values.
func (v *valueImport) dataSetIsFine(set *valueSet) bool {
	bad := func(code, property, kind, id, text string) {
		v.sum.add(conflict{Object: id, Objects: map[string]string{kind: id}, Value: text, Code: code, Property: property})
	}
	if set.dataSet != "" {
		if v.dataSet = v.c.dataSets[v.find(kindDataSet, set.dataSet)]; v.dataSet == nil {
			bad("E7600", "dataSet", "dataSet", set.dataSet, fmt.Sprintf("Data set not found or not accessible: `%s`", set.dataSet))
		} else if !v.dataSet.sharing.dataWrite(v.user) {
			bad("E7601", "dataSet", "dataSet", set.dataSet, fmt.Sprintf("User does not have write access for data set: `%s`", set.dataSet))
		}
	} else if v.o.strictElements {
		bad("E7602", "dataSet", "dataSet", "", "A valid dataset is required")
	}
	if set.orgUnit != "" && v.find(kindOrgUnit, set.orgUnit) == "" {
		bad("E7603", "orgUnit", "organisationUnit", set.orgUnit, fmt.Sprintf("Org unit not found or not accessible: `%s`", set.orgUnit))
	}
	if set.combo != "" {
		if v.outer = v.c.optionCombos[v.findAttributeCombo(set.combo)]; v.outer == nil {
			bad("E7604", "attributeOptionCombo", "attributeOptionCombo", set.combo, fmt.Sprintf("Attribute option combo not found or not accessible: `%s`", set.combo))
		}
	}
	return len(v.sum.Conflicts) == 0
}

// complete registers that a data set is complete, before and whatever becomes of its values.
func (v *valueImport) complete(set *valueSet) {
	p, ok := parsePeriod(set.period)
	unit := v.find(kindOrgUnit, set.orgUnit)
	date, okDate := parseDate(set.completeDate)
	if !ok || unit == "" || !okDate {
		return
	}
	combo := defaultOptionCombo
	if v.outer != nil {
		combo = v.outer.uid
	}
	if !v.o.dryRun {
		v.st.putCompletion(&completion{DataSet: v.dataSet.uid, Period: p.iso, OrgUnit: unit, AttributeCombo: combo, Date: date.Format("2006-01-02"),
			StoredBy: v.user.username, Completed: true, made: v.born()})
	}
	v.sum.Complete = date.Format("2006-01-02")
}

func (v *valueImport) born() made {
	return made{Created: v.now, Updated: v.now, CreatedBy: v.user.username, UpdatedBy: v.user.username, Seq: v.st.next()}
}

// datum is one value with what it names resolved.
type datum struct {
	index          int
	in             datumIn
	element        *dataElement
	period         period
	unit           *orgUnit
	combo          *optionCombo
	attributeCombo *optionCombo
	value          string
}

func (v *valueImport) one(i int, in datumIn) {
	d := &datum{index: i, in: in, element: v.c.dataElements[v.find(kindDataElement, in.element)], unit: v.c.orgUnits[v.find(kindOrgUnit, in.orgUnit)],
		combo: v.c.optionCombos[v.find(kindOptionCombo, in.combo)], attributeCombo: v.c.optionCombos[v.findAttributeCombo(in.attributeCombo)]}
	if in.attributeCombo == "" {
		d.attributeCombo = v.outer
	}
	if in.value != nil {
		d.value = *in.value
	}
	if c := v.check(d); c != nil {
		c.Indexes = []int{i}
		v.sum.add(*c)
		v.sum.reject(i)
		v.sum.Count.Ignored++
		return
	}
	v.write(d)
}

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
		return why("E7610", "dataElement", in.element, fmt.Sprintf("Data element not found or not accessible: `%s`", in.element), about("dataElement", in.element))
	case !ok:
		return why("E7611", "period", in.period, fmt.Sprintf("Period not valid: `%s`", in.period), about("period", in.period))
	case d.unit == nil:
		return why("E7612", "orgUnit", in.orgUnit, fmt.Sprintf("Organisation unit not found or not accessible: `%s`", in.orgUnit), about("organisationUnit", in.orgUnit))
	case d.combo == nil && in.combo != "":
		return why("E7613", "categoryOptionCombo", in.combo, fmt.Sprintf("Category option combo not found or not accessible for writing data: `%s`", in.combo), about("categoryOptionCombo", in.combo))
	case d.combo != nil && !v.comboWritable(d.combo):
		return why("E7614", "categoryOptionCombo", in.combo, fmt.Sprintf("No access to category option combo: `%s`", in.combo), about("categoryOptionCombo", in.combo))
	case d.attributeCombo == nil && in.attributeCombo != "":
		return why("E7615", "attributeOptionCombo", in.attributeCombo, fmt.Sprintf("Attribute option combo not found or not accessible for writing data: `%s`", in.attributeCombo), about("attributeOptionCombo", in.attributeCombo))
	case d.attributeCombo != nil && !v.comboWritable(d.attributeCombo):
		return why("E7616", "attributeOptionCombo", in.attributeCombo, fmt.Sprintf("No access to attribute option combo: `%s`", d.attributeCombo.uid), about("attributeOptionCombo", d.attributeCombo.uid))
	case !v.user.captures(d.unit):
		return why("E7617", "orgUnit", d.unit.uid, fmt.Sprintf("Organisation unit: `%s` not in hierarchy of current user: `%s`", d.unit.uid, v.user.uid), about("organisationUnit", d.unit.uid))
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
		return why("E7618", "value", de.uid, fmt.Sprintf("Data value or comment not specified for data element: `%s`", de.uid), about("dataElement", de.uid))
	}
	d.value = normalBoolean(d.value, de.valueType)
	if reason := misfit(d.value, de.valueType); reason != "" && !remove {
		return why("E7619", "value", de.uid, fmt.Sprintf("Value must match value type of data element `%s`: `%s`", de.uid, reason), map[string]string{"dataElement": de.uid, "value": reason})
	}
	if d.in.comment != nil && len(*d.in.comment) > maxComment {
		return why("E7620", "comment", de.uid, fmt.Sprintf("Invalid comment: `%s`", "comment_length_greater_than_max_length"), about("dataElement", de.uid))
	}
	if set := v.c.optionSets[de.optionSet]; set != nil && d.value != "" && !remove && !fitsOptions(set, d.value, de.valueType) {
		return why("E7621", "value", de.uid, fmt.Sprintf("Data value is not a valid option of the data element option set: `%s`", de.uid), about("dataElement", de.uid))
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
		return why("E7632", "period", d.period.iso, fmt.Sprintf("Period type of period: `%s` not valid for data element: `%s`", d.period.iso, de.uid), about("period", d.period.iso))
	case v.o.strictElements && v.dataSet != nil && !has(v.dataSet.elements, de.uid):
		return why("E7633", "dataElement", de.uid, fmt.Sprintf("Data element: `%s` is not part of dataset: `%s`", de.uid, v.dataSet.uid), about("dataElement", de.uid))
	case v.o.strictCombos && d.combo.combo != de.combo:
		return why("E7634", "categoryOptionCombo", d.combo.uid, fmt.Sprintf("Category option combo: `%s` must be part of category combo of data element: `%s`", d.combo.uid, de.uid), about("categoryOptionCombo", d.combo.uid))
	case v.o.strictAttributeCombos && !combos:
		return why("E7635", "attributeOptionCombo", d.attributeCombo.uid, fmt.Sprintf("Attribute option combo: `%s` must be part of category combo of data sets of data element: `%s`", d.attributeCombo.uid, de.uid), about("attributeOptionCombo", d.attributeCombo.uid))
	case v.o.strictUnits && !units:
		return why("E7636", "orgUnit", d.unit.uid, fmt.Sprintf("Data element: `%s` must be assigned through data sets to organisation unit: `%s`", de.uid, d.unit.uid), about("organisationUnit", d.unit.uid))
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
			return why("E7638", "period", d.period.iso, fmt.Sprintf("Period: `%s` is not within date range of attribute option combo: `%s`", d.period.iso, d.attributeCombo.uid), map[string]string{"period": d.period.iso})
		}
		if len(o.orgUnits) > 0 && !d.unit.descends(o.orgUnits) {
			return why("E7639", "orgUnit", d.unit.uid, fmt.Sprintf("Organisation unit: `%s` is not valid for attribute option combo: `%s`", d.unit.uid, d.attributeCombo.uid), map[string]string{"organisationUnit": d.unit.uid})
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
		return why("E7640", "period", d.period.iso, fmt.Sprintf("Current date is past expiry days for period: `%s` and data set: `%s`", d.period.iso, ds.uid), map[string]string{"period": d.period.iso, "dataSet": ds.uid})
	}
	open, kind := 0, ds.periodType
	for _, s := range sets {
		if s.openFuture >= open {
			open, kind = s.openFuture, s.periodType
		}
	}
	if latest, ok := latestOpen(kind, open, v.now); ok && d.period.start.After(latest.end) {
		return why("E7641", "period", d.period.iso, fmt.Sprintf("Period: `%s` is after latest open future period: `%s` for data element: `%s` and data set: `%s`", d.period.iso, latest.iso, d.element.uid, ds.uid),
			map[string]string{"period": d.period.iso, "dataElement": d.element.uid, "dataSet": ds.uid})
	}
	return nil
}

// write counts a value and, unless it is a dry run, keeps it.
func (v *valueImport) write(d *datum) {
	comment := ""
	if d.in.comment != nil {
		comment = *d.in.comment
	}
	n := &dataValue{Element: d.element.uid, Period: d.period.iso, OrgUnit: d.unit.uid, Combo: d.combo.uid, AttributeCombo: d.attributeCombo.uid,
		Value: d.value, Comment: comment, FollowUp: d.in.followUp}
	old := v.st.values[n.key()]
	exists := old != nil && !old.Deleted
	count := &v.sum.Count
	zero := v.insignificant(d)
	remove := v.o.strategy == "DELETE" || d.in.deleted || zero
	updates := v.o.strategy == "CREATE_AND_UPDATE" || v.o.strategy == "UPDATE"
	switch {
	case zero && (!exists || !v.srv.manners.zeroRemoves()):
		return // passed over without a word
	case remove && exists && (updates || v.o.strategy == "DELETE"):
		count.Deleted++
	case remove:
		count.Ignored++
		return
	case exists && !updates, !exists && v.o.strategy == "UPDATE":
		count.Ignored++
		return
	case exists && old.Value == n.Value && old.Comment == n.Comment && old.FollowUp == n.FollowUp:
		count.Ignored++
		return
	case exists:
		count.Updated++
	default:
		count.Imported++
	}
	if v.o.dryRun {
		return
	}
	n.made = v.born()
	if remove {
		n.Value, n.Comment, n.FollowUp = old.Value, old.Comment, old.FollowUp
		n.Deleted = true
	}
	if exists {
		n.Created, n.CreatedBy = old.Created, old.CreatedBy
	}
	v.st.putValue(n)
}
