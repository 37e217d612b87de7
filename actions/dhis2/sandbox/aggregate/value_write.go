package aggregate

import (
	"net/http"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/period"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
	"github.com/culvert/culvert/actions/dhis2/sandbox/valuetype"
)

func (c *call) writeValue(in datumIn) *rest.Problem {
	if c.Version.DataEntry() {
		return c.enterValue(in, "CREATE_AND_UPDATE")
	}
	if p := c.dimension(in); p != nil {
		return p
	}
	de := c.Catalog.DataElements[in.element]
	period, _ := period.Parse(in.period)
	if p := c.valueTime(in, de, period); p != nil {
		return p
	}
	if in.value != nil {
		v := normalBoolean(*in.value, de.ValueType)
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
func (c *call) valueTime(in datumIn, de *catalog.DataElement, p period.Period) *rest.Problem {
	cat := c.Catalog
	unit := cat.OrgUnits[in.orgUnit]
	if !unit.Opening.IsZero() && unit.Opening.After(p.End) || !unit.Closed.IsZero() && unit.Closed.Before(p.Start) {
		return rest.Conflicting("E2019", "Organisation unit is closed for the selected period: `%s`", unit.UID)
	}
	if in.dataSet != "" {
		ds := cat.DataSets[in.dataSet]
		if ds == nil {
			return rest.Conflicting("E1105", "Data set not found or not accessible: `%s`", in.dataSet)
		}
		if _, has := ds.Elements[de.UID]; !has {
			return rest.Conflicting("E2021", "Data set: `%s` does not contain data element: `%s`", ds.UID, de.UID)
		}
	}
	if sets := cat.DataSetsOf[de.UID]; len(sets) > 0 {
		open := 0
		for _, s := range sets {
			open = max(open, s.OpenFuture)
		}
		if latest, ok := period.LatestOpen(sets[0].PeriodType, open, c.Now()); ok && p.Start.After(latest.End) {
			return rest.Conflicting("E2022", "Period: `%s` is after latest open future period: `%s` for data element: `%s`",
				p.ISO, latest.ISO, de.UID)
		}
	}
	if oc := cat.OptionCombos[in.attributeCombo]; oc != nil {
		for _, id := range oc.Options {
			o := cat.CatOptions[id]
			switch {
			case o == nil:
			case !o.Start.IsZero() && p.End.Before(o.Start):
				return rest.Conflicting("E2023", "Period: `%s` is before start date: %s for attribute option: `%s`", p.ISO,
					o.Start.Format("2006-01-02"), o.UID)
			case !o.End.IsZero() && p.Start.After(o.End):
				return rest.Conflicting("E2024", "Period: `%s` is after start date: %s for attribute option: `%s`", p.ISO,
					o.End.Format("2006-01-02"), o.UID)
			}
		}
	}
	return nil
}

// valueFits checks a value against the type and the options of its data element.
func (c *call) valueFits(in datumIn, de *catalog.DataElement) *rest.Problem {
	value := ""
	if in.value != nil {
		value = *in.value
	}
	if reason := valuetype.Misfit(value, de.ValueType); reason != "" {
		return rest.Conflicting("E2030", "Data value must match data element value type: `%s`", de.ValueType)
	}
	if in.comment != nil && len(*in.comment) > valuetype.MaxComment {
		return rest.Conflicting("E2028", "Comment is invalid: `comment_length_greater_than_max_length`")
	}
	if set := c.Catalog.OptionSets[de.OptionSet]; set != nil && value != "" && !fitsOptions(set, value, de.ValueType) {
		return rest.Conflicting("E2029", "Data value is not a valid option of the data element option set: `%s`", de.UID)
	}
	return nil
}

// notLocked checks that the time for entry is not over.
func (c *call) notLocked(in datumIn, de *catalog.DataElement, p period.Period) *rest.Problem {
	if c.Query.Get("force") == "true" && c.User.Super || c.User.May("F_EDIT_EXPIRED") {
		return nil
	}
	sets := c.Catalog.DataSetsOf[de.UID]
	if ds := c.Catalog.DataSets[in.dataSet]; ds != nil {
		sets = []*catalog.DataSet{ds}
	}
	for _, s := range sets {
		if s.ExpiryDays > 0 && c.Now().After(p.End.Add(time.Duration((s.ExpiryDays+1)*24)*time.Hour)) {
			return rest.Conflicting("E2017", "Data set is locked")
		}
	}
	return nil
}

// keepValue writes a value: what is not given stays as it was, what is given empty is cleared, and
// a value that says nothing is removed.
func (c *call) keepValue(in datumIn, de *catalog.DataElement) {
	k, now := in.key(), c.Now().UTC()
	n := &store.DataValue{Element: k.Element, Period: k.Period, OrgUnit: k.OrgUnit, Combo: k.Combo,
		AttributeCombo: k.AttributeCombo, FollowUp: in.followUp,
		Made: store.Made{Created: now, Updated: now, CreatedBy: c.User.Username, UpdatedBy: c.User.Username,
			Seq: c.Store.Next()}}
	old := c.Store.Values[k]
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
	c.Store.PutValue(n)
}

// enterValue writes or removes one value as 2.43 and later do it.
func (c *call) enterValue(in datumIn, strategy string) *rest.Problem {
	if in.attributeProblem != nil {
		return in.attributeProblem
	}
	o := &dataOptions{strategy: strategy, schemes: map[string]string{}, force: c.Query.Get("force") == "true"}
	e := &dataEntry{srv: c.srv, c: c.Catalog, st: c.Store, user: c.User, o: o, now: c.Now().UTC()}
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
		return rest.Refuse(http.StatusBadRequest, ge.code, "%s", ge.text())
	}
	ds, ge := e.check(in.dataSet, entries)
	if ge != nil {
		return rest.Refuse(http.StatusConflict, ge.code, "%s", ge.text())
	}
	sum := newSummary(nil)
	valid, ge := e.checkValues(ds, entries, sum)
	if ge != nil {
		return rest.Refuse(http.StatusConflict, ge.code, "%s", ge.text())
	}
	if len(valid) == 0 {
		return rest.Refuse(http.StatusConflict, "E1004", "Failed to upsert data value: %s", sum.Conflicts[0].Value)
	}
	e.write(valid, sum)
	return nil
}

// keepUnspecified takes what is not given from the stored value.
func (c *call) keepUnspecified(in datumIn) datumIn {
	old := c.Store.Values[in.key()]
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

func (c *call) removeValue(in datumIn) *rest.Problem {
	missing := rest.Conflicting("", "Data value cannot be deleted because it does not exist")
	old := c.Store.Values[in.key()]
	gone := old == nil || old.Deleted
	if c.Version.DataEntry() {
		if gone {
			return missing
		}
		return c.enterValue(in, "DELETE")
	}
	if p := c.dimension(in); p != nil {
		return p
	}
	de := c.Catalog.DataElements[in.element]
	period, _ := period.Parse(in.period)
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
	n.Deleted, n.Updated, n.UpdatedBy = true, c.Now().UTC(), c.User.Username
	c.Store.PutValue(&n)
	return nil
}
