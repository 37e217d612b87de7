package sandbox

import (
	"fmt"
	"net/http"
	"sort"
	"strings"
	"time"
)

// completions answers /api/completeDataSetRegistrations.
func (c *valueCall) completions() {
	if !c.method(http.MethodGet, http.MethodPost, http.MethodDelete) {
		return
	}
	switch c.r.Method {
	case http.MethodPost:
		c.writeCompletions()
	case http.MethodDelete:
		c.removeCompletion()
	default:
		c.readCompletions()
	}
}

func (c *valueCall) writeCompletions() {
	if !c.authorised("F_DATAVALUE_ADD") || !c.acceptsJSON() {
		return
	}
	o, p := c.dataOptions()
	if p != nil {
		c.refused(p)
		return
	}
	body, p := c.readBody()
	if p != nil {
		c.refused(p)
		return
	}
	root, err := parseJSON(body)
	d := decoder{m: c.manners}
	if err == nil && (root == nil || root.kind != jsonObject) {
		d.fail("the registrations are no JSON object")
		err = d.err
	}
	var items []*node
	if err == nil {
		items = d.list(root, "completeDataSetRegistrations")
		err = d.err
	}
	if err != nil {
		s := newSummary(o.shown())
		s.Status, s.Description = "ERROR", "The import process failed: "+err.Error()
		c.summarised(s)
		return
	}
	st := c.store
	st.mu.Lock()
	defer st.mu.Unlock()
	s := newSummary(o.shown())
	s.Description = "Import process complete."
	added := map[completionKey]bool{}
	for _, it := range items {
		if err := c.register(&d, it, o, s, added); err != nil {
			s = newSummary(o.shown())
			s.Status, s.Description = "ERROR", "The import process failed: "+err.Error()
			c.summarised(s)
			return
		}
	}
	if s.Count.Ignored = len(items) - s.Count.Imported - s.Count.Updated - s.Count.Deleted; s.Count.Ignored == len(items) {
		s.Status = "ERROR"
	}
	if err := st.state.flush(); err != nil {
		c.fail(http.StatusInternalServerError, "", err.Error())
		return
	}
	c.summarised(s)
}

// register takes one registration or says why not (DefaultCompleteDataSetRegistrationExchangeService.batchImport). What is added shows to no
// other registration of the request. An error breaks off the import.
func (c *valueCall) register(d *decoder, n *node, o *dataOptions, s *summary, added map[completionKey]bool) error {
	cat := c.catalog
	refused := func(id, text string) error {
		s.add(conflict{Object: id, Value: text})
		return nil
	}
	find := func(kind, name string) string { return cat.find(kind, o.scheme(kind), d.text(n, name)) }
	ds, unit := cat.dataSets[find(kindDataSet, "dataSet")], cat.orgUnits[find(kindOrgUnit, "organisationUnit")]
	period, ok := parsePeriod(d.text(n, "period"))
	combo := d.text(n, "attributeOptionCombo")
	if combo == "" {
		combo = d.text(n, "cc")
	}
	if combo == "" {
		combo = defaultOptionCombo
	} else {
		combo = cat.find(kindOptionCombo, o.scheme("attributeOptionCombos"), combo)
	}
	switch {
	case ds == nil:
		return refused(d.text(n, "dataSet"), "Data set not found or not accessible")
	case !ok:
		return refused(d.text(n, "period"), "Invalid period")
	case unit == nil:
		return refused(d.text(n, "organisationUnit"), "Organisation unit not found or not accessible")
	case combo == "":
		return refused(d.text(n, "attributeOptionCombo"), "Attribute option combo not found or not accessible")
	case !c.user.captures(unit):
		return refused(unit.uid, "Organisation unit not in hierarchy of current user: "+c.user.username)
	case !ds.sharing.dataWrite(c.user):
		return refused(ds.uid, "User does not have write access for DataSet: "+ds.uid)
	case o.strictPeriods && period.kind != ds.periodType:
		return refused(period.iso, "Period type of the period is not that of the data set")
	}
	now := c.now().UTC()
	r := &completion{DataSet: ds.uid, Period: period.iso, OrgUnit: unit.uid, AttributeCombo: combo, StoredBy: d.text(n, "storedBy"), Completed: true,
		Date: now.Format("2006-01-02"), made: made{Created: now, Updated: now, CreatedBy: c.user.username, UpdatedBy: c.user.username, Seq: c.store.next()}}
	if r.StoredBy == "" {
		r.StoredBy = c.user.username
	}
	if text := d.text(n, "date"); text != "" {
		t, ok := parseDate(text)
		if !ok {
			return dhis2Words(fmt.Sprintf("Invalid format: \"%s\"", text))
		}
		r.Date = t.Format(time.DateOnly)
	}
	if n.get("completed") != nil {
		r.Completed = d.flag(n, "completed")
	}
	return c.count(r, o, s, added)
}

func (c *valueCall) count(r *completion, o *dataOptions, s *summary, added map[completionKey]bool) error {
	old := c.store.completions[r.key()]
	exists := old != nil && !old.Deleted && !added[r.key()] && !o.skipExisting
	updates := o.strategy == "CREATE_AND_UPDATE" || o.strategy == "UPDATE"
	switch {
	case exists && updates:
		s.Count.Updated++
	case exists && o.strategy == "DELETE":
		s.Count.Deleted++
		r.Deleted = true
	case exists, o.strategy != "CREATE_AND_UPDATE" && o.strategy != "CREATE", added[r.key()] && !o.dryRun:
		return nil
	default:
		if !o.dryRun && (c.manners.bornPeriods() && !c.store.periods[r.Period] || old != nil && !old.Deleted) {
			return dhis2Words("Failed to flush BatchHandler")
		}
		s.Count.Imported++
		added[r.key()] = true
	}
	if !o.dryRun {
		c.store.putCompletion(r)
	}
	return nil
}

func (c *valueCall) removeCompletion() {
	if !c.authorised("F_DATAVALUE_ADD") {
		return
	}
	cat := c.catalog
	var p *problem
	bad := func(what, id string) {
		if p == nil {
			p = refuse(http.StatusConflict, "", "Illegal %s identifier: %s", what, id)
		}
	}
	sets := strings.FieldsFunc(c.query.Get("ds"), func(r rune) bool { return r == ',' })
	for _, id := range sets {
		if cat.dataSets[id] == nil {
			bad("data set", id)
		}
	}
	if len(sets) == 0 {
		bad("data set", "")
	}
	period, ok := parsePeriod(c.query.Get("pe"))
	if !ok {
		bad("period", c.query.Get("pe"))
	}
	unit := cat.orgUnits[c.query.Get("ou")]
	if unit == nil {
		bad("organisation unit", c.query.Get("ou"))
	}
	combo, wrong := c.attributeCombo(c.query.Get("cc"), strings.FieldsFunc(c.query.Get("cp"), func(r rune) bool { return r == ';' }))
	if combo == "" {
		combo = defaultOptionCombo
	}
	if p == nil {
		p = wrong
	}
	if p != nil {
		c.refused(p)
		return
	}
	st := c.store
	st.mu.Lock()
	defer st.mu.Unlock()
	units := []*orgUnit{unit}
	if c.query.Get("multiOu") == "true" {
		units = append(units, unit.children...)
	}
	for _, id := range sets {
		for _, u := range units {
			old := st.completions[completionKey{id, period.iso, u.uid, combo}]
			if old == nil || old.Deleted {
				continue
			}
			r := *old
			r.gone(c.now().UTC(), c.user.username)
			st.putCompletion(&r)
		}
	}
	if err := st.state.flush(); err != nil {
		c.fail(http.StatusInternalServerError, "", err.Error())
		return
	}
	c.w.WriteHeader(http.StatusNoContent)
}

func (c *valueCall) readCompletions() {
	cat := c.catalog
	sets, units, periods := setOf(c.listOf("dataSet")), map[string]bool{}, map[string]bool{}
	for _, text := range c.listOf("period") {
		if p, ok := parsePeriod(text); ok {
			periods[p.iso] = true
		}
	}
	for _, id := range c.listOf("orgUnit") {
		u := cat.orgUnits[id]
		if u == nil {
			continue
		}
		units[id] = true
		if c.query.Get("children") == "true" {
			for _, o := range cat.orgUnits {
				if strings.HasPrefix(o.path, u.path+"/") {
					units[o.uid] = true
				}
			}
		}
	}
	from, to := day(c.query.Get("startDate")), day(c.query.Get("endDate"))
	var since time.Time
	if t, ok := parseDate(c.query.Get("created")); ok {
		since = t
	}
	switch {
	case len(sets) == 0:
		c.fail(http.StatusConflict, "E2013", "At least one data set must be specified")
		return
	case len(units) == 0:
		c.fail(http.StatusConflict, "E2006", "At least one organisation unit or organisation unit group must be specified")
		return
	case len(periods) == 0 && (from.IsZero() || to.IsZero()) && since.IsZero():
		c.fail(http.StatusConflict, "E2002", "At least one period, start/end dates, last updated or last updated duration must be specified")
		return
	}
	st := c.store
	st.mu.RLock()
	defer st.mu.RUnlock()
	var found []*completion
	for _, r := range st.completions {
		p, _ := parsePeriod(r.Period)
		inTime := len(periods) == 0 || periods[r.Period]
		if len(periods) == 0 && !from.IsZero() {
			inTime = !p.start.Before(from) && !p.end.After(to)
		}
		if !r.Deleted && sets[r.DataSet] && units[r.OrgUnit] && inTime && !r.Created.Before(since) {
			found = append(found, r)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Seq < found[j].Seq })
	items := []any{}
	for _, r := range found {
		items = append(items, object{"period": r.Period, "dataSet": r.DataSet, "organisationUnit": r.OrgUnit, "attributeOptionCombo": r.AttributeCombo,
			"date": r.Date, "storedBy": r.StoredBy, "completed": r.Completed})
	}
	answer := object{}
	if len(items) > 0 { // without any, the object is empty
		answer["completeDataSetRegistrations"] = items
	}
	c.json(http.StatusOK, answer)
}
