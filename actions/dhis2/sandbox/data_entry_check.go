package sandbox

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// check looks at the dimensions of all values of a data set (validateUserAccess, validateKeyConsistency, validateEntryTimeliness).
func (e *dataEntry) check(uid string, entries []*datumEntry) (string, *groupError) {
	if uid == "" {
		sets, names := map[string]bool{}, []string{}
		for _, x := range entries {
			for _, d := range e.c.dataSetsOf[x.element] {
				if !sets[d.uid] {
					names = append(names, d.uid)
				}
				sets[d.uid] = true
			}
		}
		switch len(names) {
		case 0:
			return "", &groupError{code: "E8003", args: []string{bracket(distinct(entries, func(x *datumEntry) string { return x.element }))}}
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
	if e.o.force && e.user.super {
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
	if e.user.super {
		return nil
	}
	if ds := e.c.dataSets[uid]; ds != nil && !ds.sharing.dataWrite(e.user) {
		return &groupError{code: "E8010", args: []string{uid}}
	}
	units := distinct(entries, func(x *datumEntry) string {
		if u := e.c.orgUnits[x.unit]; u == nil || !e.user.captures(u) {
			return x.unit
		}
		return ""
	})
	if len(units) > 0 {
		return &groupError{code: "E8011", args: []string{bracket(units)}}
	}
	var options []string
	for _, x := range entries {
		for _, combo := range []string{x.combo, x.attributeCombo} {
			if oc := e.c.optionCombos[combo]; oc != nil {
				for _, id := range oc.options {
					if o := e.c.catOptions[id]; o != nil && !o.sharing.dataWrite(e.user) {
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
	ds := e.c.dataSets[uid]
	if ds == nil {
		ds = &dataSet{}
	}
	pick := func(f func(*datumEntry) (string, bool)) []string {
		return distinct(entries, func(x *datumEntry) string {
			if t, bad := f(x); bad {
				return t
			}
			return ""
		})
	}
	if l := pick(func(x *datumEntry) (string, bool) { return x.element, !has(ds.elements, x.element) }); len(l) > 0 {
		return &groupError{code: "E8020", args: []string{uid, bracket(l)}}
	}
	if l := pick(func(x *datumEntry) (string, bool) { return x.unit, !ds.orgUnits[x.unit] }); len(l) > 0 {
		return &groupError{code: "E8022", args: []string{uid, bracket(l)}}
	}
	if l := pick(func(x *datumEntry) (string, bool) { return x.period.iso, x.period.kind != ds.periodType }); len(l) > 0 {
		return &groupError{code: "E8021", args: []string{uid, bracket(l)}}
	}
	if l := pick(func(x *datumEntry) (string, bool) {
		uid := x.attributeCombo
		if uid == "" {
			uid = defaultOptionCombo
		}
		return uid, !e.comboIn(uid, ds.combo)
	}); len(l) > 0 {
		return &groupError{code: "E8023", args: []string{uid, bracket(l)}}
	}
	for _, de := range distinct(entries, func(x *datumEntry) string { return x.element }) {
		if l := pick(func(x *datumEntry) (string, bool) {
			return x.combo, x.element == de && !e.comboIn(x.combo, ds.elements[de])
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
	oc := e.c.optionCombos[uid]
	return oc != nil && oc.combo == combo
}

func (e *dataEntry) checkComboUnits(entries []*datumEntry) *groupError {
	for _, x := range entries {
		oc, unit := e.c.optionCombos[x.attributeCombo], e.c.orgUnits[x.unit]
		if oc == nil {
			continue
		}
		for _, id := range oc.options {
			if o := e.c.catOptions[id]; o != nil && len(o.orgUnits) > 0 && !unit.descends(o.orgUnits) {
				return &groupError{code: "E8025", args: []string{oc.uid, bracket([]string{unit.uid})}}
			}
		}
	}
	return nil
}

// duplicates finds values with the same key.
func duplicates(entries []*datumEntry) *groupError {
	byKey := map[valueKey][]string{}
	var first valueKey
	for _, x := range entries {
		k := valueKey{x.element, x.period.iso, x.unit, x.combo, x.attributeCombo}
		byKey[k] = append(byKey[k], strconv.Itoa(x.index))
		if len(byKey[k]) == 2 && first == (valueKey{}) {
			first = k
		}
	}
	if first == (valueKey{}) {
		return nil
	}
	return &groupError{code: "E8128", args: []string{bracket(byKey[first]), fmt.Sprintf("%s %s %s", first.element, first.orgUnit, first.period)}}
}

// checkSpans: a period must begin while its org unit is open.
func (e *dataEntry) checkSpans(entries []*datumEntry) *groupError {
	unit, periods := "", []string{}
	for _, x := range entries {
		u := e.c.orgUnits[x.unit]
		outside := !u.opening.IsZero() && x.period.start.Before(u.opening) || !u.closed.IsZero() && x.period.start.After(u.closed)
		if !outside || unit != "" && unit != u.uid {
			continue
		}
		unit = u.uid
		if !slices.Contains(periods, x.period.iso) {
			periods = append(periods, x.period.iso)
		}
	}
	if unit == "" {
		return nil
	}
	return &groupError{code: "E8031", args: []string{unit, bracket(periods)}}
}

func (e *dataEntry) checkTimes(uid string, entries []*datumEntry) *groupError {
	ds := e.c.dataSets[uid]
	if ds == nil {
		return nil
	}
	if !e.user.may("F_EDIT_EXPIRED") {
		late := distinct(entries, func(x *datumEntry) string {
			if ds.expiryDays > 0 && e.now.After(x.period.end.Add(time.Duration((ds.expiryDays+1)*24)*time.Hour)) {
				return x.period.iso
			}
			return ""
		})
		if len(late) > 0 {
			return &groupError{code: "E8030", args: []string{uid, bracket(late)}}
		}
		latest, ok := latestOpen(ds.periodType, ds.openFuture, e.now)
		early := distinct(entries, func(x *datumEntry) string {
			if ok && x.period.start.After(latest.end) {
				return x.period.iso
			}
			return ""
		})
		if len(early) > 0 {
			return &groupError{code: "E8030", args: []string{uid, bracket(early)}}
		}
	}
	for _, x := range entries {
		oc := e.c.optionCombos[x.attributeCombo]
		if oc == nil {
			continue
		}
		for _, id := range oc.options {
			if o := e.c.catOptions[id]; o != nil && (!o.start.IsZero() && o.start.After(x.period.start) || !o.end.IsZero() && o.end.Before(x.period.end)) {
				return &groupError{code: "E8032", args: []string{oc.uid, bracket([]string{x.period.iso})}}
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
	ds := e.c.dataSets[uid]
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

func (e *dataEntry) valueError(ds *dataSet, x *datumEntry) *groupError {
	de, n := e.c.dataElements[x.element], strconv.Itoa(x.index)
	value := ""
	if x.value != nil {
		value = normalEntry(*x.value, de.valueType)
		x.value = &value
	}
	allowEmpty := x.deleted || ds.emptyWithComment && (x.comment == nil || *x.comment == "") // as it stands in DHIS2
	if value == "" {
		switch {
		case allowEmpty:
			return nil
		case ds.emptyWithComment:
			return &groupError{code: "E8121", args: []string{n}}
		}
		return &groupError{code: "E8120", args: []string{n}}
	}
	if reason := misfit(value, de.valueType); reason != "" {
		return &groupError{code: "E8122", args: []string{n, value, de.valueType, reason}}
	}
	if set := e.c.optionSets[de.optionSet]; set != nil && !fitsOptions(set, value, de.valueType) {
		return &groupError{code: "E8123", args: []string{n, value, de.uid}}
	}
	if set := e.c.optionSets[de.commentSet]; set != nil && (x.comment == nil || !set.codes[*x.comment]) {
		return &groupError{code: "E8124", args: []string{n, ""}}
	}
	if x.comment != nil && len(*x.comment) > maxCommentNew {
		return &groupError{code: "E8125", args: []string{n, strconv.Itoa(maxCommentNew)}}
	}
	return nil
}
