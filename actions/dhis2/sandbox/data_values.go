package sandbox

import (
	"net/http"
	"sort"
	"strconv"
	"strings"
	"time"
)

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
	limit     int
	onlyOne   bool   // up to 2.42: one data set, period and org unit, which the answer names once
	set, unit string // what the answer names once; from 2.43 on each alone
	period    string
	combo     string
}

func (c *valueCall) valueQuery() (*valueQuery, *problem) {
	q := &valueQuery{elements: map[string]bool{}, units: map[string]bool{}, periods: map[string]bool{}, combos: setOf(c.listOf("attributeOptionCombo")),
		deleted: c.query.Get("includeDeleted") == "true"}
	cat := c.catalog
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
			q.since = c.now().Add(-d)
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
	if n, err := strconv.Atoi(c.query.Get("limit")); err == nil {
		if q.limit = n; n < 0 {
			return nil, conflict("E2009", "Limit cannot be less than zero: `%d`", n)
		}
	}
	q.nameOnce(c)
	return q, nil
}

// nameOnce finds what all values have in common by what was asked for.
func (q *valueQuery) nameOnce(c *valueCall) {
	if len(q.sets) == 1 {
		q.set = q.sets[0].uid
	}
	q.period, q.combo = onlyKey(q.periods), onlyKey(q.combos)
	if c.query.Get("children") != "true" {
		q.unit = onlyKey(q.units)
	}
	if c.manners.dataEntry() {
		return
	}
	q.onlyOne = q.set != "" && q.period != "" && len(q.units) == 1 && len(c.listOf("dataElement")) == 0
	if q.combo = ""; !q.onlyOne {
		q.set, q.period, q.unit = "", "", ""
		return
	}
	q.unit = onlyKey(q.units)
}

// onlyKey gives the key of a set that has one alone, else nothing.
func onlyKey(set map[string]bool) string {
	for k := range set {
		if len(set) == 1 {
			return k
		}
	}
	return ""
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
func (c *valueCall) readValues(form string) {
	if form == "" {
		c.notAcceptable()
		return
	}
	c.w.Header().Set("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate")
	q, p := c.valueQuery()
	if p != nil {
		c.refused(p)
		return
	}
	st := c.store
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
	if c.manners.dataEntry() {
		sortForExport(found)
	}
	wanted := found[:0]
	for _, v := range found {
		if q.holds(v) && (q.limit == 0 || len(wanted) < q.limit) {
			wanted = append(wanted, v)
		}
	}
	if form != formJSON {
		c.valuesIn(form, wanted)
		return
	}
	items := make([]any, len(wanted))
	for i, v := range wanted {
		items[i] = c.shownValue(v, q)
	}
	answer := object{"dataValues": items}
	for name, uid := range map[string]string{"dataSet": q.set, "period": q.period, "orgUnit": q.unit, "attributeOptionCombo": q.combo} {
		if uid != "" {
			answer[name] = uid
		}
	}
	if q.onlyOne {
		done := st.completions[completionKey{q.set, q.period, q.unit, defaultOptionCombo}]
		answer["completeDate"] = nil
		if done != nil && !done.Deleted {
			answer["completeDate"] = day(done.Date).Format(zonedFormat)
		}
	}
	c.json(http.StatusOK, answer)
}

func isTrue(f *bool) bool { return f != nil && *f }

// sortForExport: from 2.43 on values come by period, time of their making and data element.
func sortForExport(values []*dataValue) {
	start := map[string]time.Time{}
	for _, v := range values {
		if p, ok := parsePeriod(v.Period); ok {
			start[v.Period] = p.start
		}
	}
	sort.SliceStable(values, func(i, j int) bool {
		a, b := values[i], values[j]
		if c := start[a.Period].Compare(start[b.Period]); c != 0 {
			return c < 0
		}
		if c := a.Created.Compare(b.Created); c != 0 {
			return c < 0
		}
		return a.Element < b.Element
	})
}

func (c *valueCall) shownValue(v *dataValue, q *valueQuery) object {
	o := object{"dataElement": v.Element, "period": v.Period, "orgUnit": v.OrgUnit, "categoryOptionCombo": v.Combo, "attributeOptionCombo": v.AttributeCombo,
		"value": v.Value, "storedBy": v.UpdatedBy, "created": v.Created.Format(zonedFormat), "lastUpdated": v.Updated.Format(zonedFormat)}
	if v.Deleted {
		o["deleted"] = true
	}
	if !c.manners.dataEntry() {
		o["comment"], o["followup"] = nil, isTrue(v.FollowUp)
	} else {
		for name, uid := range map[string]string{"period": q.period, "orgUnit": q.unit, "attributeOptionCombo": q.combo} {
			if uid != "" {
				delete(o, name)
			}
		}
		if v.FollowUp != nil {
			o["followup"] = *v.FollowUp
		}
		if v.Value == "" {
			delete(o, "value")
		}
	}
	if v.Comment != "" {
		o["comment"] = v.Comment
	}
	return o
}
