package aggregate

import (
	"net/http"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
	"github.com/culvert/culvert/actions/dhis2/sandbox/ids"
	"github.com/culvert/culvert/actions/dhis2/sandbox/period"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

// valueQuery is which data values are to be read.
type valueQuery struct {
	elements  map[string]bool
	sets      []*catalog.DataSet
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

func (c *call) valueQuery() (*valueQuery, *rest.Problem) {
	q := &valueQuery{elements: map[string]bool{}, units: map[string]bool{}, periods: map[string]bool{},
		combos:  catalog.SetOf(c.ListOf("attributeOptionCombo")),
		deleted: c.Query.Get("includeDeleted") == "true"}
	cat := c.Catalog
	conflict := func(code, format string, args ...any) *rest.Problem {
		return rest.Refuse(http.StatusConflict, code, format, args...)
	}
	if p := c.malformed(); p != nil {
		return nil, p
	}
	for _, id := range c.ListOf("dataSet") {
		ds := cat.DataSets[id]
		if ds == nil {
			continue
		}
		q.sets = append(q.sets, ds)
		for de := range ds.Elements {
			q.elements[de] = true
		}
	}
	for _, id := range c.ListOf("dataElement") {
		q.elements[id] = true
	}
	for _, text := range c.ListOf("period") {
		if p, ok := period.Parse(text); ok {
			q.periods[p.ISO] = true
		}
	}
	q.from, q.to = dates.Day(c.Query.Get("startDate")), dates.Day(c.Query.Get("endDate"))
	if t, ok := dates.Parse(c.Query.Get("lastUpdated")); ok {
		q.since = t
	}
	if text := c.Query.Get("lastUpdatedDuration"); text != "" {
		if d, err := dates.ParseDuration(text); err == nil {
			q.since = c.Now().Add(-d)
		}
	}
	for _, id := range c.ListOf("orgUnit") {
		u := cat.OrgUnits[id]
		if u == nil {
			continue
		}
		if !c.User.Super && !u.Descends(append(append([]string{}, c.User.View...), c.User.Capture...)) {
			return nil, conflict("E2012", "User is not allowed to view org unit: `%s`", id)
		}
		q.units[id] = true
		if c.Query.Get("children") == "true" {
			for _, o := range cat.OrgUnits {
				if strings.HasPrefix(o.Path, u.Path+"/") {
					q.units[o.UID] = true
				}
			}
		}
	}
	switch {
	case len(q.elements) == 0:
		return nil, conflict("E2001", "At least one data element, data set or data element group must be specified")
	case len(q.periods) == 0 && (q.from.IsZero() || q.to.IsZero()) && (q.since.IsZero() || c.Version.DataEntry()):
		return nil, conflict("E2002",
			"At least one period, start/end dates, last updated or last updated duration must be specified")
	case !q.from.IsZero() && !q.to.IsZero() && q.to.Before(q.from):
		return nil, conflict("E2004", "Start date must be before end date")
	case len(q.units) == 0:
		return nil, conflict("E2006", "At least one organisation unit or organisation unit group must be specified")
	}
	if n, err := strconv.Atoi(c.Query.Get("limit")); err == nil {
		if q.limit = n; n < 0 {
			return nil, conflict("E2009", "Limit cannot be less than zero: `%d`", n)
		}
	}
	q.nameOnce(c)
	return q, nil
}

// malformed: from 2.43 on ids and periods that can be none refuse a read as such.
func (c *call) malformed() *rest.Problem {
	if !c.Version.DataEntry() {
		return nil
	}
	for _, name := range []string{"dataSet", "orgUnit", "dataElementGroup"} {
		for _, id := range c.ListOf(name) {
			if !ids.Valid(id) {
				return rest.Refuse(http.StatusBadRequest, "", "Value '%s' is not valid for parameter %s", id, name)
			}
		}
	}
	for _, text := range c.ListOf("period") {
		if _, ok := period.Parse(text); !ok {
			return rest.Refuse(http.StatusBadRequest, "", "Value '%s' is not valid for parameter period", text)
		}
	}
	return nil
}

// nameOnce finds what all values have in common by what was asked for.
func (q *valueQuery) nameOnce(c *call) {
	if len(q.sets) == 1 {
		q.set = q.sets[0].UID
	}
	q.period, q.combo = onlyKey(q.periods), onlyKey(q.combos)
	if c.Query.Get("children") != "true" {
		q.unit = onlyKey(q.units)
	}
	if c.Version.DataEntry() {
		return
	}
	q.onlyOne = q.set != "" && q.period != "" && len(q.units) == 1 && len(c.ListOf("dataElement")) == 0
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

func (q *valueQuery) holds(v *store.DataValue) bool {
	if v.Deleted && !q.deleted || !q.elements[v.Element] || !q.units[v.OrgUnit] || len(q.combos) > 0 &&
		!q.combos[v.AttributeCombo] || v.Updated.Before(q.since) {
		return false
	}
	if len(q.periods) > 0 {
		return q.periods[v.Period]
	}
	p, ok := period.Parse(v.Period)
	return q.from.IsZero() || ok && !p.Start.Before(q.from) && !p.End.After(q.to)
}

// readValues answers GET /api/dataValueSets.
func (c *call) readValues(form string) {
	if form == "" && c.Version.HTMLNotFound() {
		c.Refused(&rest.Problem{Status: http.StatusBadRequest, Text: "Invalid request parameters.", Page: true})
		return
	}
	if form == "" {
		c.NotAcceptable()
		return
	}
	c.W.Header().Set("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate")
	q, p := c.valueQuery()
	if p != nil {
		c.Refused(p)
		return
	}
	st := c.Store
	st.RLock()
	defer st.RUnlock()
	var found []*store.DataValue
	if q.onlyOne {
		found = append(found, st.ValuesAt[[2]string{q.unit, q.period}]...)
	} else {
		for _, v := range st.Values {
			found = append(found, v)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Seq < found[j].Seq })
	if c.Version.DataEntry() {
		sortForExport(found)
	}
	wanted := found[:0]
	for _, v := range found {
		if q.holds(v) && (q.limit == 0 || len(wanted) < q.limit) {
			wanted = append(wanted, v)
		}
	}
	if form != rest.FormJSON {
		c.valuesIn(form, wanted, q)
		return
	}
	items := make([]any, len(wanted))
	for i, v := range wanted {
		items[i] = c.shownValue(v, q)
	}
	answer := object{"dataValues": items}
	for name, uid := range map[string]string{"dataSet": q.set, "period": q.period, "orgUnit": q.unit,
		"attributeOptionCombo": q.combo} {
		if uid != "" {
			answer[name] = uid
		}
	}
	if q.onlyOne {
		done := st.Completions[store.CompletionKey{DataSet: q.set, Period: q.period, OrgUnit: q.unit,
			AttributeCombo: catalog.DefaultOptionCombo}]
		answer["completeDate"] = nil
		if done != nil && !done.Deleted {
			answer["completeDate"] = dates.Day(done.Date).Format(dates.Zoned)
		}
	}
	c.JSON(http.StatusOK, answer)
}

func isTrue(f *bool) bool { return f != nil && *f }

// sortForExport: from 2.43 on values come by period, time of their making and data element.
func sortForExport(values []*store.DataValue) {
	start := map[string]time.Time{}
	for _, v := range values {
		if p, ok := period.Parse(v.Period); ok {
			start[v.Period] = p.Start
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

func (c *call) shownValue(v *store.DataValue, q *valueQuery) object {
	o := object{"dataElement": v.Element, "period": v.Period, "orgUnit": v.OrgUnit, "categoryOptionCombo": v.Combo,
		"attributeOptionCombo": v.AttributeCombo,
		"value":                v.Value, "storedBy": v.UpdatedBy, "created": v.Created.Format(dates.Zoned),
		"lastUpdated": v.Updated.Format(dates.Zoned)}
	if v.Deleted {
		o["deleted"] = true
	}
	if !c.Version.DataEntry() {
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
