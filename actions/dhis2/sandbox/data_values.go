package sandbox

import (
	"mime"
	"net/http"
	"sort"
	"strings"
	"time"
)

// dataValue answers /api/dataValues, the resource of one value.
func (c *call) dataValue() {
	if !c.method(http.MethodGet, http.MethodPost, http.MethodDelete) {
		return
	}
	if c.r.Method != http.MethodGet && !c.authorised("F_DATAVALUE_ADD") {
		return
	}
	in, p := c.oneValue()
	if p != nil {
		c.srv.refused(c.w, p)
		return
	}
	st := c.srv.store
	st.mu.Lock()
	defer st.mu.Unlock()
	switch c.r.Method {
	case http.MethodPost:
		p = c.writeValue(in)
	case http.MethodDelete:
		p = c.removeValue(in)
	default:
		c.readValue(in)
		return
	}
	if p == nil {
		if err := st.state.flush(); err != nil {
			p = refuse(http.StatusInternalServerError, "", "%s", err.Error())
		}
	}
	if p != nil {
		c.w.Header().Set("Cache-Control", "no-cache, private")
		c.srv.refused(c.w, p)
		return
	}
	if c.r.Method == http.MethodPost {
		c.w.WriteHeader(http.StatusCreated)
	} else {
		c.w.WriteHeader(http.StatusNoContent)
	}
}

// oneValue reads a value from the query, a form or a JSON body.
func (c *call) oneValue() (datumIn, *problem) {
	var in datumIn
	kind, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if c.r.Method == http.MethodPost && kind == "application/json" && c.query.Get("de") == "" {
		body, p := c.srv.readBody(c.w, c.r)
		if p != nil {
			return in, p
		}
		root, err := parseJSON(body)
		if err != nil || root == nil || root.kind != jsonObject {
			return in, refuse(http.StatusBadRequest, "", "JSON parse error")
		}
		d := decoder{m: c.srv.manners}
		in = datumIn{element: d.text(root, "dataElement"), period: d.text(root, "period"), orgUnit: d.text(root, "orgUnit"), combo: d.text(root, "categoryOptionCombo"),
			value: d.optional(root, "value"), comment: d.optional(root, "comment"), followUp: d.flag(root, "followUp")}
		if a := root.get("attribute"); a != nil {
			options := []string{}
			if o := a.get("options"); o != nil {
				for _, it := range o.items {
					options = append(options, it.text)
				}
			}
			in.attributeCombo = c.attributeCombo(d.text(a, "combo"), options)
		}
		if d.err != nil {
			return in, refuse(http.StatusBadRequest, "", "JSON parse error: %s", d.err)
		}
		return in, nil
	}
	get := c.query.Get
	if c.r.Method == http.MethodPost && kind == "application/x-www-form-urlencoded" {
		c.r.Body = http.MaxBytesReader(c.w, c.r.Body, maxBody)
		if err := c.r.ParseForm(); err != nil {
			return in, refuse(http.StatusBadRequest, "", "The form could not be read")
		}
		get = c.r.Form.Get
	}
	in = datumIn{element: get("de"), period: get("pe"), orgUnit: get("ou"), combo: get("co"), followUp: get("followUp") == "true"}
	if v := get("value"); v != "" {
		in.value = &v
	}
	if v := get("comment"); v != "" {
		in.comment = &v
	}
	in.attributeCombo = c.attributeCombo(get("cc"), strings.FieldsFunc(get("cp"), func(r rune) bool { return r == ';' }))
	return in, nil
}

// attributeCombo gives the option combo of a category combo and options; what is not found stays a name that is not found.
func (c *call) attributeCombo(combo string, options []string) string {
	if combo == "" || len(options) == 0 {
		return ""
	}
	if oc := c.srv.catalog.comboOf(combo, options); oc != nil {
		return oc.uid
	}
	return combo
}

func (in datumIn) key() valueKey {
	k := valueKey{in.element, in.period, in.orgUnit, in.combo, in.attributeCombo}
	if p, ok := parsePeriod(in.period); ok {
		k.period = p.iso
	}
	if k.combo == "" {
		k.combo = defaultOptionCombo
	}
	if k.attributeCombo == "" {
		k.attributeCombo = defaultOptionCombo
	}
	return k
}

// dimension checks what a value is about, up to 2.42 with codes of its own.
func (c *call) dimension(in datumIn) *problem {
	cat := c.srv.catalog
	conflict := func(code, format string, args ...any) *problem {
		return refuse(http.StatusConflict, code, format, args...)
	}
	_, ok := parsePeriod(in.period)
	unit := cat.orgUnits[in.orgUnit]
	switch {
	case cat.dataElements[in.element] == nil:
		return conflict("E1100", "Data element not found or not accessible: `%s`", in.element)
	case in.combo != "" && cat.optionCombos[in.combo] == nil:
		return conflict("E1103", "Category option combo not found or not accessible: `%s`", in.combo)
	case in.attributeCombo != "" && cat.optionCombos[in.attributeCombo] == nil:
		return conflict("E1104", "Attribute option combo not found or not accessible: `%s`", in.attributeCombo)
	case !ok:
		return conflict("E1101", "Period is invalid: `%s`", in.period)
	case unit == nil:
		return conflict("E1102", "Organisation unit not found or not accessible: `%s`", in.orgUnit)
	case !c.user.captures(unit):
		return conflict("E2020", "Organisation unit: `%s` is not in the hierarchy of the current user: `%s`", unit.uid, c.user.username)
	}
	return nil
}

func (c *call) writeValue(in datumIn) *problem {
	if c.srv.manners.dataEntry() {
		return c.enterValue(in, "CREATE_AND_UPDATE")
	}
	if p := c.dimension(in); p != nil {
		return p
	}
	cat, now := c.srv.catalog, c.srv.now().UTC()
	de, unit := cat.dataElements[in.element], cat.orgUnits[in.orgUnit]
	period, _ := parsePeriod(in.period)
	conflict := func(code, format string, args ...any) *problem {
		return refuse(http.StatusConflict, code, format, args...)
	}
	if !unit.opening.IsZero() && period.end.Before(unit.opening) || !unit.closed.IsZero() && period.start.After(unit.closed) {
		return conflict("E2019", "Organisation unit: `%s` is closed for the selected period: `%s`", unit.uid, period.iso)
	}
	if p := c.valueTime(de, period); p != nil {
		return p
	}
	value := ""
	if in.value != nil {
		value = normalBoolean(*in.value, de.valueType)
	}
	if reason := misfit(value, de.valueType); reason != "" {
		return conflict("E2030", "Data value must match data element value type: `%s`", de.valueType)
	}
	if set := cat.optionSets[de.optionSet]; set != nil && value != "" && !fitsOptions(set, value, de.valueType) {
		return conflict("E2029", "Data value is not a valid option of the data element option set: `%s`", set.uid)
	}
	k := in.key()
	n := &dataValue{Element: k.element, Period: k.period, OrgUnit: k.orgUnit, Combo: k.combo, AttributeCombo: k.attributeCombo, Value: value, FollowUp: in.followUp,
		made: made{Created: now, Updated: now, CreatedBy: c.user.username, UpdatedBy: c.user.username, Seq: c.srv.store.next()}}
	if in.comment != nil {
		n.Comment = *in.comment
	}
	if old := c.srv.store.values[k]; old != nil {
		n.Created, n.CreatedBy = old.Created, old.CreatedBy
		if in.value == nil && in.comment != nil {
			n.Value = old.Value
		}
	}
	zero := !de.zeroIsSignificant && numericType(de.valueType) && de.aggregation != "AVERAGE" && value != "" && strings.Trim(value, "-0.") == ""
	if n.Value == "" && n.Comment == "" || zero {
		if c.srv.store.values[k] == nil {
			return nil
		}
		n.Deleted = true
	}
	c.srv.store.putValue(n)
	return nil
}

// valueTime checks whether a period may still, and already, be written to.
func (c *call) valueTime(de *dataElement, p period) *problem {
	sets := c.srv.catalog.dataSetsOf[de.uid]
	if len(sets) == 0 || c.query.Get("force") == "true" && c.user.super {
		return nil
	}
	open := 0
	for _, s := range sets {
		open = max(open, s.openFuture)
		if s.expiryDays > 0 && !c.user.may("F_EDIT_EXPIRED") && c.srv.now().After(p.end.Add(time.Duration((s.expiryDays+1)*24)*time.Hour)) {
			return refuse(http.StatusConflict, "E2017", "Data set: `%s` is locked", s.uid)
		}
	}
	if latest, ok := latestOpen(sets[0].periodType, open, c.srv.now()); ok && p.start.After(latest.end) {
		return refuse(http.StatusConflict, "E2022", "Period: `%s` is after latest open future period: `%s` for data element: `%s`", p.iso, latest.iso, de.uid)
	}
	return nil
}

// enterValue writes or removes one value as 2.43 and later do it.
func (c *call) enterValue(in datumIn, strategy string) *problem {
	o := &dataOptions{strategy: strategy, schemes: map[string]string{}, force: c.query.Get("force") == "true"}
	e := &dataEntry{srv: c.srv, c: c.srv.catalog, st: c.srv.store, user: c.user, o: o, now: c.srv.now().UTC()}
	if in.value == nil && in.comment == nil && strategy != "DELETE" {
		in.deleted = true
	}
	entries, _, ge, err := e.decode(&valueSet{values: []datumIn{in}})
	switch {
	case err != nil:
		return refuse(http.StatusConflict, "E1101", "Period is invalid: `%s`", in.period)
	case ge != nil:
		return refuse(http.StatusBadRequest, ge.code, "%s", ge.text())
	}
	ds, ge := e.check(c.query.Get("ds"), entries)
	if ge != nil {
		return refuse(http.StatusConflict, ge.code, "%s", ge.text())
	}
	sum := newSummary(nil)
	valid := e.checkValues(ds, entries, sum)
	if len(valid) == 0 {
		return refuse(http.StatusConflict, "E1004", "Failed to upsert data value: %s", sum.Conflicts[0].Value)
	}
	e.write(valid, sum)
	return nil
}

func (c *call) removeValue(in datumIn) *problem {
	if !c.srv.manners.dataEntry() {
		if p := c.dimension(in); p != nil {
			return p
		}
	}
	old := c.srv.store.values[in.key()]
	if old == nil || old.Deleted {
		return refuse(http.StatusConflict, "", "Data value does not exist and cannot be deleted")
	}
	if c.srv.manners.dataEntry() {
		return c.enterValue(in, "DELETE")
	}
	n := *old
	n.Deleted, n.Updated, n.UpdatedBy = true, c.srv.now().UTC(), c.user.username
	c.srv.store.putValue(&n)
	return nil
}

func (c *call) readValue(in datumIn) {
	c.w.Header().Set("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate")
	var p *problem
	if c.srv.catalog.dataElements[in.element] == nil {
		p = refuse(http.StatusConflict, "E1100", "Data element not found or not accessible: `%s`", in.element)
	}
	v := c.srv.store.values[in.key()]
	if p == nil && (v == nil || v.Deleted) {
		p = refuse(http.StatusConflict, "E2032", "Data value does not exist")
	}
	if p != nil {
		c.srv.refused(c.w, p)
		return
	}
	c.srv.json(c.w, http.StatusOK, []string{v.Value})
}

// valueQuery is which data values are to be read.
type valueQuery struct {
	elements  map[string]bool
	sets      []*dataSet
	units     map[string]bool
	periods   map[string]bool
	from, to  time.Time
	combos    map[string]bool
	since     time.Time
	deleted   bool
	onlyOne   bool // one data set, period and org unit: the answer names them once
	set, unit string
	period    string
}

func (c *call) listOf(name string) []string {
	var out []string
	for _, v := range c.query[name] {
		out = append(out, strings.FieldsFunc(v, func(r rune) bool { return r == ',' })...)
	}
	return out
}

func (c *call) valueQuery() (*valueQuery, *problem) {
	q := &valueQuery{elements: map[string]bool{}, units: map[string]bool{}, periods: map[string]bool{}, combos: setOf(c.listOf("attributeOptionCombo")),
		deleted: c.query.Get("includeDeleted") == "true"}
	cat := c.srv.catalog
	conflict := func(code, format string, args ...any) *problem {
		return refuse(http.StatusConflict, code, format, args...)
	}
	for _, id := range c.listOf("dataSet") {
		ds := cat.dataSets[id]
		if ds == nil {
			continue
		}
		q.sets = append(q.sets, ds)
		for de := range ds.elements {
			q.elements[de] = true
		}
	}
	for _, id := range c.listOf("dataElement") {
		q.elements[id] = true
	}
	for _, text := range c.listOf("period") {
		if p, ok := parsePeriod(text); ok {
			q.periods[p.iso] = true
		}
	}
	q.from, q.to = day(c.query.Get("startDate")), day(c.query.Get("endDate"))
	if t, ok := parseDate(c.query.Get("lastUpdated")); ok {
		q.since = t
	}
	if text := c.query.Get("lastUpdatedDuration"); text != "" {
		if d, err := duration(text); err == nil {
			q.since = c.srv.now().Add(-d)
		}
	}
	for _, id := range c.listOf("orgUnit") {
		u := cat.orgUnits[id]
		if u == nil {
			continue
		}
		if !c.user.super && !u.descends(append(append([]string{}, c.user.view...), c.user.capture...)) {
			return nil, conflict("E2012", "User is not allowed to view org unit: `%s`", id)
		}
		q.units[id] = true
		if c.query.Get("children") == "true" {
			for _, o := range cat.orgUnits {
				if strings.HasPrefix(o.path, u.path+"/") {
					q.units[o.uid] = true
				}
			}
		}
	}
	switch {
	case len(q.elements) == 0:
		return nil, conflict("E2001", "At least one data element, data set or data element group must be specified")
	case len(q.periods) == 0 && (q.from.IsZero() || q.to.IsZero()) && q.since.IsZero():
		return nil, conflict("E2002", "At least one period, start/end dates, last updated or last updated duration must be specified")
	case !q.from.IsZero() && !q.to.IsZero() && q.to.Before(q.from):
		return nil, conflict("E2004", "Start date must be before end date")
	case len(q.units) == 0:
		return nil, conflict("E2006", "At least one organisation unit or organisation unit group must be specified")
	}
	if len(q.sets) == 1 && len(q.periods) == 1 && len(q.units) == 1 && len(c.listOf("dataElement")) == 0 {
		q.onlyOne, q.set = true, q.sets[0].uid
		for p := range q.periods {
			q.period = p
		}
		for u := range q.units {
			q.unit = u
		}
	}
	return q, nil
}

func (q *valueQuery) holds(v *dataValue) bool {
	if v.Deleted && !q.deleted || !q.elements[v.Element] || !q.units[v.OrgUnit] || len(q.combos) > 0 && !q.combos[v.AttributeCombo] || v.Updated.Before(q.since) {
		return false
	}
	if len(q.periods) > 0 {
		return q.periods[v.Period]
	}
	p, ok := parsePeriod(v.Period)
	return q.from.IsZero() || ok && !p.start.Before(q.from) && !p.end.After(q.to)
}

// readValues answers GET /api/dataValueSets.
func (c *call) readValues() {
	c.w.Header().Set("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate")
	q, p := c.valueQuery()
	if p != nil {
		c.srv.refused(c.w, p)
		return
	}
	st := c.srv.store
	st.mu.RLock()
	defer st.mu.RUnlock()
	var found []*dataValue
	if q.onlyOne {
		found = append(found, st.valuesAt[[2]string{q.unit, q.period}]...)
	} else {
		for _, v := range st.values {
			found = append(found, v)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Seq < found[j].Seq })
	items := []any{}
	for _, v := range found {
		if q.holds(v) {
			items = append(items, c.shownValue(v, q))
		}
	}
	answer := object{"dataValues": items}
	if q.onlyOne {
		answer["dataSet"], answer["period"], answer["orgUnit"] = q.set, q.period, q.unit
		done := st.completions[completionKey{q.set, q.period, q.unit, defaultOptionCombo}]
		if !c.srv.manners.dataEntry() && done != nil && !done.Deleted {
			answer["completeDate"] = day(done.Date).Format(zonedFormat)
		}
	}
	c.srv.json(c.w, http.StatusOK, answer)
}

func (c *call) shownValue(v *dataValue, q *valueQuery) object {
	o := object{"dataElement": v.Element, "period": v.Period, "orgUnit": v.OrgUnit, "categoryOptionCombo": v.Combo, "attributeOptionCombo": v.AttributeCombo,
		"value": v.Value, "storedBy": v.UpdatedBy, "created": v.Created.Format(zonedFormat), "lastUpdated": v.Updated.Format(zonedFormat)}
	if v.Deleted {
		o["deleted"] = true
	}
	if !c.srv.manners.dataEntry() {
		o["comment"], o["followup"] = nil, v.FollowUp
	} else {
		if q.onlyOne {
			delete(o, "period")
			delete(o, "orgUnit")
		}
		if v.FollowUp {
			o["followUp"] = true
		}
	}
	if v.Comment != "" {
		o["comment"] = v.Comment
	}
	return o
}
