package aggregate

import (
	"fmt"
	"net/http"
	"sort"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
	"github.com/culvert/culvert/actions/dhis2/sandbox/jsontree"
	"github.com/culvert/culvert/actions/dhis2/sandbox/period"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

// completions answers /api/completeDataSetRegistrations.
func (c *call) completions() {
	if !c.Method(http.MethodGet, http.MethodPost, http.MethodDelete) {
		return
	}
	switch c.R.Method {
	case http.MethodPost:
		c.writeCompletions()
	case http.MethodDelete:
		c.removeCompletion()
	default:
		c.readCompletions()
	}
}

func (c *call) writeCompletions() {
	if !c.Authorised("F_DATAVALUE_ADD") || !c.AcceptsJSON() {
		return
	}
	o, p := c.dataOptions()
	if p != nil {
		c.Refused(p)
		return
	}
	body, p := c.ReadBody()
	if p != nil {
		c.Refused(p)
		return
	}
	root, err := jsontree.Parse(body)
	d := rest.Decoder{Version: c.Version}
	if err == nil && (root == nil || root.Kind != jsontree.Object) {
		d.Fail("the registrations are no JSON object")
		err = d.Err
	}
	var items []*jsontree.Node
	if err == nil {
		items = d.List(root, "completeDataSetRegistrations")
		err = d.Err
	}
	if err != nil {
		s := newSummary(o.shown())
		s.Status, s.Description = "ERROR", "The import process failed: "+err.Error()
		c.summarised(s)
		return
	}
	st := c.Store
	st.Lock()
	defer st.Unlock()
	s := newSummary(o.shown())
	s.Description = "Import process complete."
	added := map[store.CompletionKey]bool{}
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
	if err := st.Flush(); err != nil {
		c.Fail(http.StatusInternalServerError, "", err.Error())
		return
	}
	c.summarised(s)
}

// register takes one registration or says why not
// (DefaultCompleteDataSetRegistrationExchangeService.batchImport). What is added shows to no other
// registration of the request. An error breaks off the import.
func (c *call) register(d *rest.Decoder, n *jsontree.Node, o *dataOptions, s *summary,
	added map[store.CompletionKey]bool) error {
	cat := c.Catalog
	refused := func(id, text string) error {
		s.add(conflict{Object: id, Value: text})
		return nil
	}
	find := func(kind, name string) string { return cat.Find(kind, o.scheme(kind), d.Text(n, name)) }
	ds, unit := cat.DataSets[find(catalog.KindDataSet, "dataSet")],
		cat.OrgUnits[find(catalog.KindOrgUnit, "organisationUnit")]
	period, ok := period.Parse(d.Text(n, "period"))
	combo := d.Text(n, "attributeOptionCombo")
	if combo == "" {
		combo = d.Text(n, "cc")
	}
	if combo == "" {
		combo = catalog.DefaultOptionCombo
	} else {
		combo = cat.Find(catalog.KindOptionCombo, o.scheme("attributeOptionCombos"), combo)
	}
	switch {
	case ds == nil:
		return refused(d.Text(n, "dataSet"), "Data set not found or not accessible")
	case !ok:
		return refused(d.Text(n, "period"), "Invalid period")
	case unit == nil:
		return refused(d.Text(n, "organisationUnit"), "Organisation unit not found or not accessible")
	case combo == "":
		return refused(d.Text(n, "attributeOptionCombo"), "Attribute option combo not found or not accessible")
	case !c.User.Captures(unit):
		return refused(unit.UID, "Organisation unit not in hierarchy of current user: "+c.User.Username)
	case !ds.Sharing.DataWrite(c.User):
		return refused(ds.UID, "User does not have write access for DataSet: "+ds.UID)
	case o.strictPeriods && period.Kind != ds.PeriodType:
		return refused(period.ISO, "Period type of the period is not that of the data set")
	}
	now := c.Now().UTC()
	r := &store.Completion{DataSet: ds.UID, Period: period.ISO, OrgUnit: unit.UID, AttributeCombo: combo,
		StoredBy: d.Text(n, "storedBy"), Completed: true,
		Date: now.Format("2006-01-02"), Made: store.Made{Created: now, Updated: now, CreatedBy: c.User.Username,
			UpdatedBy: c.User.Username, Seq: c.Store.Next()}}
	if r.StoredBy == "" {
		r.StoredBy = c.User.Username
	}
	if text := d.Text(n, "date"); text != "" {
		t, ok := dates.Parse(text)
		if !ok {
			return rest.Verbatim(fmt.Sprintf("Invalid format: \"%s\"", text))
		}
		r.Date = t.Format(time.DateOnly)
	}
	if n.Get("completed") != nil {
		r.Completed = d.Flag(n, "completed")
	}
	return c.count(r, o, s, added)
}

func (c *call) count(r *store.Completion, o *dataOptions, s *summary, added map[store.CompletionKey]bool) error {
	old := c.Store.Completions[r.Key()]
	exists := old != nil && !old.Deleted && !added[r.Key()] && !o.skipExisting
	updates := o.strategy == "CREATE_AND_UPDATE" || o.strategy == "UPDATE"
	switch {
	case exists && updates:
		s.Count.Updated++
	case exists && o.strategy == "DELETE":
		s.Count.Deleted++
		r.Deleted = true
	case exists, o.strategy != "CREATE_AND_UPDATE" && o.strategy != "CREATE", added[r.Key()] && !o.dryRun:
		return nil
	default:
		if !o.dryRun && (c.Version.BornPeriods() && !c.Store.Periods[r.Period] || old != nil && !old.Deleted) {
			return rest.Verbatim("Failed to flush BatchHandler")
		}
		s.Count.Imported++
		added[r.Key()] = true
	}
	if !o.dryRun {
		c.Store.PutCompletion(r)
	}
	return nil
}

func (c *call) removeCompletion() {
	if !c.Authorised("F_DATAVALUE_ADD") {
		return
	}
	cat := c.Catalog
	var p *rest.Problem
	bad := func(what, id string) {
		if p == nil {
			p = rest.Refuse(http.StatusConflict, "", "Illegal %s identifier: %s", what, id)
		}
	}
	sets := strings.FieldsFunc(c.Query.Get("ds"), func(r rune) bool { return r == ',' })
	for _, id := range sets {
		if cat.DataSets[id] == nil {
			bad("data set", id)
		}
	}
	if len(sets) == 0 {
		bad("data set", "")
	}
	period, ok := period.Parse(c.Query.Get("pe"))
	if !ok {
		bad("period", c.Query.Get("pe"))
	}
	unit := cat.OrgUnits[c.Query.Get("ou")]
	if unit == nil {
		bad("organisation unit", c.Query.Get("ou"))
	}
	combo, wrong := c.AttributeCombo(c.Query.Get("cc"),
		strings.FieldsFunc(c.Query.Get("cp"), func(r rune) bool { return r == ';' }))
	if combo == "" {
		combo = catalog.DefaultOptionCombo
	}
	if p == nil {
		p = wrong
	}
	if p != nil {
		c.Refused(p)
		return
	}
	st := c.Store
	st.Lock()
	defer st.Unlock()
	units := []*catalog.OrgUnit{unit}
	if c.Query.Get("multiOu") == "true" {
		units = append(units, unit.Children...)
	}
	for _, id := range sets {
		for _, u := range units {
			old := st.Completions[store.CompletionKey{DataSet: id, Period: period.ISO, OrgUnit: u.UID, AttributeCombo: combo}]
			if old == nil || old.Deleted {
				continue
			}
			r := *old
			r.Gone(c.Now().UTC(), c.User.Username)
			st.PutCompletion(&r)
		}
	}
	if err := st.Flush(); err != nil {
		c.Fail(http.StatusInternalServerError, "", err.Error())
		return
	}
	c.W.WriteHeader(http.StatusNoContent)
}

func (c *call) readCompletions() {
	cat := c.Catalog
	sets, units, periods := catalog.SetOf(c.ListOf("dataSet")), map[string]bool{}, map[string]bool{}
	for _, text := range c.ListOf("period") {
		if p, ok := period.Parse(text); ok {
			periods[p.ISO] = true
		}
	}
	for _, id := range c.ListOf("orgUnit") {
		u := cat.OrgUnits[id]
		if u == nil {
			continue
		}
		units[id] = true
		if c.Query.Get("children") == "true" {
			for _, o := range cat.OrgUnits {
				if strings.HasPrefix(o.Path, u.Path+"/") {
					units[o.UID] = true
				}
			}
		}
	}
	from, to := dates.Day(c.Query.Get("startDate")), dates.Day(c.Query.Get("endDate"))
	var since time.Time
	if t, ok := dates.Parse(c.Query.Get("created")); ok {
		since = t
	}
	switch {
	case len(sets) == 0:
		c.Fail(http.StatusConflict, "E2013", "At least one data set must be specified")
		return
	case len(units) == 0:
		c.Fail(http.StatusConflict, "E2006", "At least one organisation unit or organisation unit group must be specified")
		return
	case len(periods) == 0 && (from.IsZero() || to.IsZero()) && since.IsZero():
		c.Fail(http.StatusConflict, "E2002",
			"At least one period, start/end dates, last updated or last updated duration must be specified")
		return
	}
	st := c.Store
	st.RLock()
	defer st.RUnlock()
	var found []*store.Completion
	for _, r := range st.Completions {
		p, _ := period.Parse(r.Period)
		inTime := len(periods) == 0 || periods[r.Period]
		if len(periods) == 0 && !from.IsZero() {
			inTime = !p.Start.Before(from) && !p.End.After(to)
		}
		if !r.Deleted && sets[r.DataSet] && units[r.OrgUnit] && inTime && !r.Created.Before(since) {
			found = append(found, r)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Seq < found[j].Seq })
	items := []any{}
	for _, r := range found {
		items = append(items, object{"period": r.Period, "dataSet": r.DataSet, "organisationUnit": r.OrgUnit,
			"attributeOptionCombo": r.AttributeCombo,
			"date":                 r.Date, "storedBy": r.StoredBy, "completed": r.Completed})
	}
	answer := object{}
	if len(items) > 0 { // without any, the object is empty
		answer["completeDataSetRegistrations"] = items
	}
	c.JSON(http.StatusOK, answer)
}
