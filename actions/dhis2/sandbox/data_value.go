package sandbox

import (
	"net/http"
	"strings"
	"time"
)

// dataValue answers /api/dataValues, the resource of one value.
func (c *valueCall) dataValue() {
	if c.at(1) == "followup" || c.at(1) == "followups" {
		c.followUps()
		return
	}
	if !c.method(http.MethodGet, http.MethodPost, http.MethodDelete) {
		return
	}
	if c.r.Method != http.MethodGet && !c.authorised("F_DATAVALUE_ADD") {
		return
	}
	in, p := c.oneValue()
	if p != nil {
		c.refused(p)
		return
	}
	st := c.store
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
		c.refused(p)
		return
	}
	if c.r.Method == http.MethodPost {
		c.w.WriteHeader(http.StatusCreated)
	} else {
		c.w.WriteHeader(http.StatusNoContent)
	}
}

// followUps answers PUT /api/dataValues/followup, which marks one value, and /api/dataValues/followups, which marks several.
func (c *valueCall) followUps() {
	if !c.method(http.MethodPut) || !c.authorised("F_DATAVALUE_ADD") {
		return
	}
	root, p := c.jsonBody()
	if p != nil {
		c.refused(p)
		return
	}
	d := decoder{m: c.manners}
	items := []*node{root}
	if c.at(1) == "followups" {
		items = d.list(root, "values")
	}
	st := c.store
	st.mu.Lock()
	defer st.mu.Unlock()
	var marked []*dataValue
	for _, it := range items {
		in := datumIn{element: d.text(it, "dataElement"), period: d.text(it, "period"), orgUnit: d.text(it, "orgUnit"), combo: d.text(it, "categoryOptionCombo"),
			attributeCombo: d.text(it, "attributeOptionCombo")}
		old := st.values[in.key()]
		switch {
		case it.get("followup") == nil:
			p = conflicting("E2033", "Follow-up must be specified")
		case old == nil || old.Deleted:
			p = conflicting("E2032", "Data value does not exist")
		default:
			n, mark := *old, d.flag(it, "followup")
			n.FollowUp, n.Updated = &mark, c.now().UTC()
			marked = append(marked, &n)
			continue
		}
		c.refused(p)
		return
	}
	if d.err != nil {
		c.fail(http.StatusBadRequest, "", "JSON parse error: "+d.err.Error())
		return
	}
	for _, n := range marked {
		st.putValue(n)
	}
	if err := st.state.flush(); err != nil {
		c.fail(http.StatusInternalServerError, "", err.Error())
		return
	}
	c.w.WriteHeader(http.StatusOK)
}

// dimension checks what a value is about, up to 2.42 with codes of its own.
func (c *valueCall) dimension(in datumIn) *problem {
	cat := c.catalog
	_, ok := parsePeriod(in.period)
	unit := cat.orgUnits[in.orgUnit]
	switch {
	case cat.dataElements[in.element] == nil:
		return conflicting("E1100", "Data element not found or not accessible: `%s`", orNull(in.element))
	case in.combo != "" && cat.optionCombos[in.combo] == nil:
		return conflicting("E1103", "Category option combo not found or not accessible: `%s`", in.combo)
	case in.attributeProblem != nil:
		return in.attributeProblem
	case !ok:
		return conflicting("E1101", "Period is invalid: `%s`", orNull(in.period))
	case unit == nil:
		return conflicting("E1102", "Organisation unit not found or not accessible: `%s`", orNull(in.orgUnit))
	case !c.user.captures(unit):
		return conflicting("E2020", "Organisation unit is not in the hierarchy of the current user: `%s`", unit.uid)
	}
	return nil
}

func orNull(s string) string {
	if s == "" {
		return "null"
	}
	return s
}

func (c *valueCall) writeValue(in datumIn) *problem {
	if c.manners.dataEntry() {
		return c.enterValue(in, "CREATE_AND_UPDATE")
	}
	if p := c.dimension(in); p != nil {
		return p
	}
	de := c.catalog.dataElements[in.element]
	period, _ := parsePeriod(in.period)
	if p := c.valueTime(in, de, period); p != nil {
		return p
	}
	if in.value != nil {
		v := normalBoolean(*in.value, de.valueType)
		in.value = &v
	}
	if p := c.valueFits(in, de); p != nil {
		return p
	}
	if p := c.notLocked(in, de, period); p != nil {
		return p
	}
	c.keepValue(in, de)
	return nil
}

// valueTime checks that the period suits the org unit, the data set and the attribute options.
func (c *valueCall) valueTime(in datumIn, de *dataElement, p period) *problem {
	cat := c.catalog
	unit := cat.orgUnits[in.orgUnit]
	if !unit.opening.IsZero() && unit.opening.After(p.end) || !unit.closed.IsZero() && unit.closed.Before(p.start) {
		return conflicting("E2019", "Organisation unit is closed for the selected period: `%s`", unit.uid)
	}
	if in.dataSet != "" {
		ds := cat.dataSets[in.dataSet]
		if ds == nil {
			return conflicting("E1105", "Data set not found or not accessible: `%s`", in.dataSet)
		}
		if _, has := ds.elements[de.uid]; !has {
			return conflicting("E2021", "Data set: `%s` does not contain data element: `%s`", ds.uid, de.uid)
		}
	}
	if sets := cat.dataSetsOf[de.uid]; len(sets) > 0 {
		open := 0
		for _, s := range sets {
			open = max(open, s.openFuture)
		}
		if latest, ok := latestOpen(sets[0].periodType, open, c.now()); ok && p.start.After(latest.end) {
			return conflicting("E2022", "Period: `%s` is after latest open future period: `%s` for data element: `%s`", p.iso, latest.iso, de.uid)
		}
	}
	if oc := cat.optionCombos[in.attributeCombo]; oc != nil {
		for _, id := range oc.options {
			o := cat.catOptions[id]
			switch {
			case o == nil:
			case !o.start.IsZero() && p.end.Before(o.start):
				return conflicting("E2023", "Period: `%s` is before start date: %s for attribute option: `%s`", p.iso, o.start.Format("2006-01-02"), o.uid)
			case !o.end.IsZero() && p.start.After(o.end):
				return conflicting("E2024", "Period: `%s` is after start date: %s for attribute option: `%s`", p.iso, o.end.Format("2006-01-02"), o.uid)
			}
		}
	}
	return nil
}

// valueFits checks a value against the type and the options of its data element.
func (c *valueCall) valueFits(in datumIn, de *dataElement) *problem {
	value := ""
	if in.value != nil {
		value = *in.value
	}
	if reason := misfit(value, de.valueType); reason != "" {
		return conflicting("E2030", "Data value must match data element value type: `%s`", de.valueType)
	}
	if in.comment != nil && len(*in.comment) > maxComment {
		return conflicting("E2028", "Comment is invalid: `comment_length_greater_than_max_length`")
	}
	if set := c.catalog.optionSets[de.optionSet]; set != nil && value != "" && !fitsOptions(set, value, de.valueType) {
		return conflicting("E2029", "Data value is not a valid option of the data element option set: `%s`", de.uid)
	}
	return nil
}

// notLocked checks that the time for entry is not over.
func (c *valueCall) notLocked(in datumIn, de *dataElement, p period) *problem {
	if c.query.Get("force") == "true" && c.user.super || c.user.may("F_EDIT_EXPIRED") {
		return nil
	}
	sets := c.catalog.dataSetsOf[de.uid]
	if ds := c.catalog.dataSets[in.dataSet]; ds != nil {
		sets = []*dataSet{ds}
	}
	for _, s := range sets {
		if s.expiryDays > 0 && c.now().After(p.end.Add(time.Duration((s.expiryDays+1)*24)*time.Hour)) {
			return conflicting("E2017", "Data set is locked")
		}
	}
	return nil
}

// keepValue writes a value: what is not given stays as it was, what is given empty is cleared, and a value that says nothing is removed.
func (c *valueCall) keepValue(in datumIn, de *dataElement) {
	k, now := in.key(), c.now().UTC()
	n := &dataValue{Element: k.element, Period: k.period, OrgUnit: k.orgUnit, Combo: k.combo, AttributeCombo: k.attributeCombo, FollowUp: in.followUp,
		made: made{Created: now, Updated: now, CreatedBy: c.user.username, UpdatedBy: c.user.username, Seq: c.store.next()}}
	old := c.store.values[k]
	if old != nil && old.Deleted {
		n.Created, n.CreatedBy = old.Created, old.CreatedBy
	} else if old != nil {
		n.Created, n.CreatedBy, n.Value, n.Comment = old.Created, old.CreatedBy, old.Value, old.Comment
		if in.followUp == nil {
			n.FollowUp = old.FollowUp
		}
	}
	if in.value != nil {
		n.Value = strings.TrimSpace(*in.value)
	}
	if in.comment != nil {
		n.Comment = strings.TrimSpace(*in.comment)
	}
	if n.Value == "" && n.Comment == "" || passesOver(de, n.Value) {
		if old == nil {
			return
		}
		n.Deleted = true
	}
	c.store.putValue(n)
}

// enterValue writes or removes one value as 2.43 and later do it.
func (c *valueCall) enterValue(in datumIn, strategy string) *problem {
	if in.attributeProblem != nil {
		return in.attributeProblem
	}
	o := &dataOptions{strategy: strategy, schemes: map[string]string{}, force: c.query.Get("force") == "true"}
	e := &dataEntry{srv: c.srv, c: c.catalog, st: c.store, user: c.user, o: o, now: c.now().UTC()}
	if strategy != "DELETE" {
		if in.value != nil && *in.value == "" && in.comment == nil && in.followUp == nil {
			return c.removeValue(in)
		}
		in = c.keepUnspecified(in)
	}
	entries, _, ge, err := e.decode(&valueSet{values: []datumIn{in}})
	switch {
	case err != nil:
		return badPeriod(in.period)
	case ge != nil:
		return refuse(http.StatusBadRequest, ge.code, "%s", ge.text())
	}
	ds, ge := e.check(in.dataSet, entries)
	if ge != nil {
		return refuse(http.StatusConflict, ge.code, "%s", ge.text())
	}
	sum := newSummary(nil)
	valid, ge := e.checkValues(ds, entries, sum)
	if ge != nil {
		return refuse(http.StatusConflict, ge.code, "%s", ge.text())
	}
	if len(valid) == 0 {
		return refuse(http.StatusConflict, "E1004", "Failed to upsert data value: %s", sum.Conflicts[0].Value)
	}
	e.write(valid, sum)
	return nil
}

// badPeriod is what 2.43 and later say of a period of one value.
func badPeriod(text string) *problem {
	return refuse(http.StatusBadRequest, "", "Invalid Period `%s`, failed to create date interval", text)
}

// keepUnspecified takes what is not given from the stored value.
func (c *valueCall) keepUnspecified(in datumIn) datumIn {
	old := c.store.values[in.key()]
	if old == nil || old.Deleted {
		return in
	}
	if in.value == nil && old.Value != "" {
		v := old.Value
		in.value = &v
	}
	if in.comment == nil && old.Comment != "" {
		v := old.Comment
		in.comment = &v
	}
	if in.followUp == nil {
		in.followUp = old.FollowUp
	}
	return in
}

func (c *valueCall) removeValue(in datumIn) *problem {
	missing := conflicting("", "Data value cannot be deleted because it does not exist")
	old := c.store.values[in.key()]
	gone := old == nil || old.Deleted
	if c.manners.dataEntry() {
		if gone {
			return missing
		}
		return c.enterValue(in, "DELETE")
	}
	if p := c.dimension(in); p != nil {
		return p
	}
	de := c.catalog.dataElements[in.element]
	period, _ := parsePeriod(in.period)
	if p := c.valueTime(in, de, period); p != nil {
		return p
	}
	if p := c.notLocked(in, de, period); p != nil {
		return p
	}
	if gone {
		return missing
	}
	n := *old
	n.Deleted, n.Updated, n.UpdatedBy = true, c.now().UTC(), c.user.username
	c.store.putValue(&n)
	return nil
}

// decodable checks what a value is about as 2.43 and later do it before they read one.
func (c *valueCall) decodable(in datumIn) *problem {
	if in.attributeProblem != nil {
		return in.attributeProblem
	}
	e := &dataEntry{srv: c.srv, c: c.catalog, st: c.store, user: c.user, o: &dataOptions{schemes: map[string]string{}}, now: c.now().UTC()}
	_, _, ge, err := e.decode(&valueSet{values: []datumIn{in}})
	switch {
	case err != nil:
		return badPeriod(in.period)
	case ge != nil:
		return refuse(http.StatusBadRequest, ge.code, "%s", ge.text())
	}
	return nil
}

func (c *valueCall) readValue(in datumIn) {
	var p *problem
	if c.manners.dataEntry() {
		p = c.decodable(in)
	} else {
		p = c.dimension(in)
	}
	v := c.store.values[in.key()]
	if p == nil && (v == nil || v.Deleted) {
		p = conflicting("", "Data value does not exist")
	}
	if p != nil {
		c.refused(p)
		return
	}
	c.w.Header().Set("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate")
	c.json(http.StatusOK, []string{v.Value})
}
