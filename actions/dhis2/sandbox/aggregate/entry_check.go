package aggregate

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/period"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
	"github.com/culvert/culvert/actions/dhis2/sandbox/valuetype"
)

// check looks at the dimensions of all values of a data set (validateUserAccess,
// validateKeyConsistency, validateEntryTimeliness).
func (e *dataEntry) check(uid string, entries []*datumEntry) (string, *groupError) {
	if uid == "" {
		sets, names := map[string]bool{}, []string{}
		for _, x := range entries {
			for _, d := range e.c.DataSetsOf[x.element] {
				if !sets[d.UID] {
					names = append(names, d.UID)
				}
				sets[d.UID] = true
			}
		}
		switch len(names) {
		case 0:
			return "", &groupError{code: "E8003", args: []string{bracket(distinct(entries,
				func(x *datumEntry) string { return x.element }))}}
		case 1:
			uid = names[0]
		default:
			sort.Strings(names)
			return "", &groupError{code: "E8002", args: []string{bracket(names)}}
		}
	}
	if ge := e.checkAccess(uid, entries); ge != nil {
		return uid, ge
	}
	if ge := e.checkKeys(uid, entries); ge != nil {
		return uid, ge
	}
	if e.o.force && e.user.Super {
		return uid, nil
	}
	return uid, e.checkTimes(uid, entries)
}

func bracket(items []string) string { return "[" + strings.Join(items, ", ") + "]" }

// distinct gives the different texts of entries, in order; empty ones are passed over.
func distinct(entries []*datumEntry, f func(*datumEntry) string) []string {
	seen := map[string]bool{"": true}
	out := []string{}
	for _, x := range entries {
		if t := f(x); !seen[t] {
			seen[t] = true
			out = append(out, t)
		}
	}
	return out
}

func (e *dataEntry) checkAccess(uid string, entries []*datumEntry) *groupError {
	if e.user.Super {
		return nil
	}
	if ds := e.c.DataSets[uid]; ds != nil && !ds.Sharing.DataWrite(e.user) {
		return &groupError{code: "E8010", args: []string{uid}}
	}
	units := distinct(entries, func(x *datumEntry) string {
		if u := e.c.OrgUnits[x.unit]; u != nil && !e.user.Captures(u) {
			return x.unit
		}
		return "" // one that is not there is no org unit of others; the data set does not have it
	})
	if len(units) > 0 {
		return &groupError{code: "E8011", args: []string{bracket(units)}}
	}
	var options []string
	for _, x := range entries {
		for _, combo := range []string{x.combo, x.attributeCombo} {
			if oc := e.c.OptionCombos[combo]; oc != nil {
				for _, id := range oc.Options {
					if o := e.c.CatOptions[id]; o != nil && !o.Sharing.DataWrite(e.user) {
						options = append(options, id)
					}
				}
			}
		}
	}
	if len(options) > 0 {
		return &groupError{code: "E8012", args: []string{bracket(options)}}
	}
	return nil
}

func (e *dataEntry) checkKeys(uid string, entries []*datumEntry) *groupError {
	ds := e.c.DataSets[uid]
	if ds == nil {
		ds = &catalog.DataSet{}
	}
	pick := func(f func(*datumEntry) (string, bool)) []string {
		return distinct(entries, func(x *datumEntry) string {
			if t, bad := f(x); bad {
				return t
			}
			return ""
		})
	}
	if l := pick(func(x *datumEntry) (string, bool) { return x.element, !has(ds.Elements, x.element) }); len(l) > 0 {
		return &groupError{code: "E8020", args: []string{uid, bracket(l)}}
	}
	if l := pick(func(x *datumEntry) (string, bool) { return x.unit, !ds.OrgUnits[x.unit] }); len(l) > 0 {
		return &groupError{code: "E8022", args: []string{uid, bracket(l)}}
	}
	if l := pick(func(x *datumEntry) (string, bool) { return x.period.ISO, x.period.Kind != ds.PeriodType }); len(l) > 0 {
		return &groupError{code: "E8021", args: []string{uid, bracket(l)}}
	}
	if l := pick(func(x *datumEntry) (string, bool) {
		uid := x.attributeCombo
		if uid == "" {
			uid = catalog.DefaultOptionCombo
		}
		return uid, !e.comboIn(uid, ds.Combo)
	}); len(l) > 0 {
		return &groupError{code: "E8023", args: []string{uid, bracket(l)}}
	}
	for _, de := range distinct(entries, func(x *datumEntry) string { return x.element }) {
		if l := pick(func(x *datumEntry) (string, bool) {
			return x.combo, x.element == de && !e.comboIn(x.combo, ds.Elements[de])
		}); len(l) > 0 {
			return &groupError{code: "E8024", args: []string{uid, de, bracket(l)}}
		}
	}
	if ge := e.checkComboUnits(entries); ge != nil {
		return ge
	}
	return e.checkSpans(entries)
}

// comboIn tells whether an option combo belongs to a category combo; none given belongs to all.
func (e *dataEntry) comboIn(uid, combo string) bool {
	if uid == "" {
		return true
	}
	oc := e.c.OptionCombos[uid]
	return oc != nil && oc.Combo == combo
}

func (e *dataEntry) checkComboUnits(entries []*datumEntry) *groupError {
	for _, x := range entries {
		oc, unit := e.c.OptionCombos[x.attributeCombo], e.c.OrgUnits[x.unit]
		if oc == nil {
			continue
		}
		for _, id := range oc.Options {
			if o := e.c.CatOptions[id]; o != nil && len(o.OrgUnits) > 0 && !unit.Descends(o.OrgUnits) {
				return &groupError{code: "E8025", args: []string{oc.UID, bracket([]string{unit.UID})}}
			}
		}
	}
	return nil
}

// duplicates finds values with the same key.
func duplicates(entries []*datumEntry) *groupError {
	byKey := map[store.ValueKey][]string{}
	var first store.ValueKey
	for _, x := range entries {
		k := store.ValueKey{Element: x.element, Period: x.period.ISO, OrgUnit: x.unit, Combo: x.combo,
			AttributeCombo: x.attributeCombo}
		byKey[k] = append(byKey[k], strconv.Itoa(x.index))
		if len(byKey[k]) == 2 && first == (store.ValueKey{}) {
			first = k
		}
	}
	if first == (store.ValueKey{}) {
		return nil
	}
	return &groupError{code: "E8128", args: []string{bracket(byKey[first]),
		fmt.Sprintf("%s %s %s", first.Element, first.OrgUnit, first.Period)}}
}

// checkSpans: a period must begin while its org unit is open.
func (e *dataEntry) checkSpans(entries []*datumEntry) *groupError {
	unit, periods := "", []string{}
	for _, x := range entries {
		u := e.c.OrgUnits[x.unit]
		outside := !u.Opening.IsZero() && x.period.Start.Before(u.Opening) || !u.Closed.IsZero() &&
			x.period.Start.After(u.Closed)
		if !outside || unit != "" && unit != u.UID {
			continue
		}
		unit = u.UID
		if !slices.Contains(periods, x.period.ISO) {
			periods = append(periods, x.period.ISO)
		}
	}
	if unit == "" {
		return nil
	}
	return &groupError{code: "E8031", args: []string{unit, bracket(periods)}}
}

func (e *dataEntry) checkTimes(uid string, entries []*datumEntry) *groupError {
	ds := e.c.DataSets[uid]
	if ds == nil {
		return nil
	}
	if !e.user.May("F_EDIT_EXPIRED") {
		late := distinct(entries, func(x *datumEntry) string {
			if ds.ExpiryDays > 0 && e.now.After(x.period.End.Add(time.Duration((ds.ExpiryDays+1)*24)*time.Hour)) {
				return x.period.ISO
			}
			return ""
		})
		if len(late) > 0 {
			return &groupError{code: "E8030", args: []string{uid, bracket(late)}}
		}
		latest, ok := period.LatestOpen(ds.PeriodType, ds.OpenFuture, e.now)
		early := distinct(entries, func(x *datumEntry) string {
			if ok && x.period.Start.After(latest.End) {
				return x.period.ISO
			}
			return ""
		})
		if len(early) > 0 {
			return &groupError{code: "E8030", args: []string{uid, bracket(early)}}
		}
	}
	for _, x := range entries {
		oc := e.c.OptionCombos[x.attributeCombo]
		if oc == nil {
			continue
		}
		for _, id := range oc.Options {
			if o := e.c.CatOptions[id]; o != nil && (!o.Start.IsZero() && o.Start.After(x.period.Start) || !o.End.IsZero() &&
				o.End.Before(x.period.End)) {
				return &groupError{code: "E8032", args: []string{oc.UID, bracket([]string{x.period.ISO})}}
			}
		}
	}
	return nil
}

// checkValues leaves out values that do not fit their elements. The same value twice refuses them all.
func (e *dataEntry) checkValues(uid string, entries []*datumEntry, sum *summary) ([]*datumEntry, *groupError) {
	if ge := duplicates(entries); ge != nil {
		return nil, ge
	}
	ds := e.c.DataSets[uid]
	remove := e.o.strategy == "DELETE"
	var valid []*datumEntry
	for _, x := range entries {
		if remove {
			x.deleted = true
			valid = append(valid, x)
			continue
		}
		if ge := e.valueError(ds, x); ge != nil {
			ge.indexes = []int{x.index}
			sum.add(ge.conflict())
			sum.reject(x.index)
			continue
		}
		valid = append(valid, x)
	}
	return valid, nil
}

func (e *dataEntry) valueError(ds *catalog.DataSet, x *datumEntry) *groupError {
	de, n := e.c.DataElements[x.element], strconv.Itoa(x.index)
	value := ""
	if x.value != nil {
		value = normalEntry(*x.value, de.ValueType)
		x.value = &value
	}
	allowEmpty := x.deleted || ds.EmptyWithComment && (x.comment == nil || *x.comment == "") // as it stands in DHIS2
	if value == "" {
		switch {
		case allowEmpty:
			return nil
		case ds.EmptyWithComment:
			return &groupError{code: "E8121", args: []string{n}}
		}
		return &groupError{code: "E8120", args: []string{n}}
	}
	if reason := valuetype.Misfit(value, de.ValueType); reason != "" {
		return &groupError{code: "E8122", args: []string{n, value, de.ValueType, reason}}
	}
	if set := e.c.OptionSets[de.OptionSet]; set != nil && !fitsOptions(set, value, de.ValueType) {
		return &groupError{code: "E8123", args: []string{n, value, de.UID}}
	}
	if set := e.c.OptionSets[de.CommentSet]; set != nil && (x.comment == nil || !set.Codes[*x.comment]) {
		return &groupError{code: "E8124", args: []string{n, ""}}
	}
	if x.comment != nil && len(*x.comment) > valuetype.MaxCommentNew {
		return &groupError{code: "E8125", args: []string{n, strconv.Itoa(valuetype.MaxCommentNew)}}
	}
	return nil
}
