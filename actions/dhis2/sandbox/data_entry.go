package sandbox

import (
	"fmt"
	"sort"
	"strings"
	"time"
)

// dataEntry is an import of data values as DHIS2 does it from 2.43 on: the values of a data set are looked at as a whole, and what is wrong
// with their dimensions refuses all of them; only a value that does not fit its element is left out alone.
type dataEntry struct {
	srv  *Server
	c    *catalog
	st   *store
	user *user
	o    *dataOptions
	now  time.Time
}

// groupError refuses values together.
type groupError struct {
	code    string
	args    []string
	indexes []int
}

func (g *groupError) Error() string { return g.text() }

var groupSentences = map[string]string{
	"E8002": "Data set detection failed, found several sets: `{0}`",
	"E8003": "Data set detection failed, found no set for data element(s): `{0}`",
	"E8004": "Data set is no valid uid: `{0}`",
	"E8005": "Data set not found: `{0}`",
	"E8010": "Current user cannot enter data for data set: `{0}`",
	"E8011": "Current user cannot enter data for org unit(s): `{0}`",
	"E8012": "Current user cannot enter data for category option(s): `{0}`",
	"E8020": "Data set {0} not usable with data element(s): `{1}`",
	"E8021": "Data set {0} not usable with period(s): `{1}`",
	"E8022": "Data set {0} not usable with org unit(s): `{1}`",
	"E8023": "Data set {0} not usable with attribute option combo(s): `{1}`",
	"E8024": "Data set {0} + data element {1} not usable with category option combo(s): `{2}`",
	"E8025": "Attribute option combo {0} not usable with org unit(s): `{1}`",
	"E8030": "Untimely data entry for data set {0} and period(s): `{1}`",
	"E8031": "Untimely data entry for org unit {0} and period(s): `{1}`",
	"E8032": "Untimely data entry for attribute option combo {0} and period(s): `{1}`",
	"E8000": "Only {0} of {1} values are valid: {2}",
	"E8100": "Value #{0} period not defined in group or value",
	"E8102": "Value #{0} data element not defined",
	"E8103": "Value #{0} data element not found: `{1}`",
	"E8104": "Value #{0} data element is no valid uid: `{1}`",
	"E8105": "Value #{0} org unit not defined",
	"E8106": "Value #{0} org unit is no valid uid: `{1}`",
	"E8107": "Value #{0} org unit not found: `{1}`",
	"E8108": "Value #{0} category option combo not found: `{1}`",
	"E8109": "Value #{0} category option combo is no valid uid: `{1}`",
	"E8110": "Value #{0} attribute option combo not found: `{1}`",
	"E8111": "Value #{0} attribute option combo is no valid uid: `{1}`",
	"E8120": "Value #{0} value is required",
	"E8121": "Value #{0} value or comment is required",
	"E8122": "Value #{0} value `{1}` is no valid {2}: {3}",
	"E8123": "Value #{0} value `{1}` is no option of data element {2}",
	"E8124": "Value #{0} comment `{1}` is no option",
	"E8125": "Value #{0} comment is longer than {1} characters",
	"E8128": "Value #{0} all affect the same data value: `{1}`",
}

func (g *groupError) text() string {
	out := groupSentences[g.code]
	for i, a := range g.args {
		out = strings.ReplaceAll(out, fmt.Sprintf("{%d}", i), a)
	}
	return out
}

func (g *groupError) conflict() conflict {
	return conflict{Objects: map[string]string{"args": strings.Join(g.args, "-")}, Value: g.text(), Code: g.code, Indexes: g.indexes}
}

// datumEntry is one decoded value. Combos are empty where none was given.
type datumEntry struct {
	index                                int
	element, unit, combo, attributeCombo string
	period                               period
	value, comment                       *string
	followUp, deleted                    bool
}

// run decodes, checks and writes; an error is one that breaks off inside the server.
func (e *dataEntry) run(set *valueSet) (*summary, error) {
	sum := newSummary(e.o.shown())
	entries, ds, ge, err := e.decode(set)
	if err != nil {
		return nil, err
	}
	if ge != nil { // the request cannot be read as data
		sum.Status = "ERROR"
		ge.indexes = []int{-1}
		sum.add(ge.conflict())
		return sum, nil
	}
	sum.Complete = "false"
	if len(entries) == 0 {
		e.complete(set, ds, sum)
		return sum, nil
	}
	ds, ge = e.check(ds, entries)
	if ge != nil {
		sum.Status = "ERROR"
		for _, x := range entries {
			ge.indexes = append(ge.indexes, x.index)
		}
		sum.add(ge.conflict())
		sum.reject(ge.indexes...)
		return sum, nil
	}
	valid := e.checkValues(ds, entries, sum)
	if e.o.atomic && len(valid) < len(entries) {
		sum.Status = "ERROR"
		return sum, nil
	}
	e.write(valid, sum)
	if sum.Count.Ignored = len(entries) - len(valid); sum.Count.Ignored > 0 {
		sum.Status = "WARNING"
		if len(valid) == 0 {
			sum.Status = "ERROR"
		}
		return sum, nil
	}
	e.complete(set, ds, sum)
	return sum, nil
}

// decode turns identifiers into uids (DefaultDataEntryService.decodeGroup).
func (e *dataEntry) decode(set *valueSet) (entries []*datumEntry, ds string, ge *groupError, err error) {
	bad := func(code string, args ...string) ([]*datumEntry, string, *groupError, error) {
		return nil, "", &groupError{code: code, args: args}, nil
	}
	if set.dataSet != "" {
		if ds = e.uid(kindDataSet, kindDataSet, set.dataSet); ds == "" {
			return bad("E8005", set.dataSet)
		}
		if !validUID(ds) {
			return bad("E8004", ds)
		}
	}
	outer, outerOK := period{}, false
	if set.period != "" {
		if outer, outerOK = parsePeriod(set.period); !outerOK {
			return nil, "", nil, errNothing
		}
	}
	for i, in := range set.values {
		n := itoa(i)
		x := &datumEntry{index: i, period: outer, value: in.value, comment: in.comment, followUp: in.followUp, deleted: in.deleted}
		if in.period != "" {
			var ok bool
			if x.period, ok = parsePeriod(in.period); !ok {
				return nil, "", nil, errNothing
			}
		} else if !outerOK {
			return bad("E8100", n)
		}
		unit := in.orgUnit
		if unit == "" {
			unit = set.orgUnit
		}
		combo := in.attributeCombo
		if combo == "" {
			combo = set.combo
		}
		for _, f := range []struct {
			text, kind, scheme          string
			into                        *string
			missing, unknown, malformed string
		}{
			{in.element, kindDataElement, kindDataElement, &x.element, "E8102", "E8103", "E8104"},
			{unit, kindOrgUnit, kindOrgUnit, &x.unit, "E8105", "E8107", "E8106"},
			{in.combo, kindOptionCombo, kindOptionCombo, &x.combo, "", "E8108", "E8109"},
			{combo, kindOptionCombo, "attributeOptionCombos", &x.attributeCombo, "", "E8110", "E8111"},
		} {
			if f.text == "" {
				if f.missing != "" {
					return bad(f.missing, n)
				}
				continue
			}
			if *f.into = e.uid(f.kind, f.scheme, f.text); *f.into == "" {
				return bad(f.unknown, n, f.text)
			}
			if !validUID(*f.into) {
				return bad(f.malformed, n, f.text)
			}
		}
		entries = append(entries, x)
	}
	return entries, ds, nil, nil
}

// uid decodes an identifier; one in the scheme UID stands for itself, known or not.
func (e *dataEntry) uid(kind, schemeKind, id string) string {
	if s := e.o.scheme(schemeKind); s != "" && s != "UID" {
		return e.c.find(kind, s, id)
	}
	return id
}

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
	if l := pick(func(x *datumEntry) (string, bool) { return x.attributeCombo, !e.comboIn(x.attributeCombo, ds.combo) }); len(l) > 0 {
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
	if ge := duplicates(entries); ge != nil {
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
		byKey[k] = append(byKey[k], itoa(x.index))
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
		if !contains(periods, x.period.iso) {
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
			if o := e.c.catOptions[id]; o != nil && (!o.start.IsZero() && o.start.After(x.period.end) || !o.end.IsZero() && o.end.Before(x.period.start)) {
				return &groupError{code: "E8032", args: []string{oc.uid, bracket([]string{x.period.iso})}}
			}
		}
	}
	return nil
}

// checkValues leaves out values that do not fit their elements.
func (e *dataEntry) checkValues(uid string, entries []*datumEntry, sum *summary) []*datumEntry {
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
	return valid
}

func (e *dataEntry) valueError(ds *dataSet, x *datumEntry) *groupError {
	de, n := e.c.dataElements[x.element], itoa(x.index)
	value := ""
	if x.value != nil {
		value = normalEntry(*x.value, de.valueType)
		x.value = &value
	}
	allowEmpty := x.deleted || ds.emptyWithComment && x.comment != nil
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
		return &groupError{code: "E8125", args: []string{n, itoa(maxCommentNew)}}
	}
	return nil
}

// normalEntry turns what people write for booleans and whole numbers into the canonical form.
func normalEntry(value, valueType string) string {
	switch {
	case valueType == "BOOLEAN" || valueType == "TRUE_ONLY":
		switch strings.ToLower(value) {
		case "f", "n", "0", "no", "false":
			return "false"
		case "t", "y", "1", "yes", "true":
			return "true"
		}
	case strings.HasPrefix(valueType, "INTEGER"):
		if whole, fraction, ok := strings.Cut(value, "."); ok && whole != "" && fraction != "" && strings.Trim(fraction, "0") == "" {
			return whole
		}
	}
	return value
}

func (e *dataEntry) write(valid []*datumEntry, sum *summary) {
	for _, x := range valid {
		n := &dataValue{Element: x.element, Period: x.period.iso, OrgUnit: x.unit, Combo: x.combo, AttributeCombo: x.attributeCombo, FollowUp: x.followUp,
			made: made{Created: e.now, Updated: e.now, CreatedBy: e.user.username, UpdatedBy: e.user.username, Deleted: x.deleted}}
		if n.Combo == "" {
			n.Combo = defaultOptionCombo
		}
		if n.AttributeCombo == "" {
			n.AttributeCombo = defaultOptionCombo
		}
		if x.value != nil {
			n.Value = *x.value
		}
		if x.comment != nil {
			n.Comment = *x.comment
		}
		if e.o.strategy == "DELETE" {
			sum.Count.Deleted++
		} else {
			sum.Count.Updated++
		}
		if e.o.dryRun {
			continue
		}
		old := e.st.values[n.key()]
		if old != nil {
			n.Created, n.CreatedBy = old.Created, old.CreatedBy
		} else if n.Deleted {
			continue
		}
		n.Seq = e.st.next()
		e.st.putValue(n)
	}
}

// complete registers a data set as complete once all its values were taken.
func (e *dataEntry) complete(set *valueSet, ds string, sum *summary) {
	if set.completeDate == "" || e.c.dataSets[ds] == nil {
		return
	}
	p, ok := parsePeriod(set.period)
	unit := e.uid(kindOrgUnit, kindOrgUnit, set.orgUnit)
	date, okDate := parseDate(set.completeDate)
	if !ok || !okDate || e.c.orgUnits[unit] == nil {
		return
	}
	combo := e.uid(kindOptionCombo, "attributeOptionCombos", set.combo)
	if combo == "" {
		combo = defaultOptionCombo
	}
	if !e.o.dryRun {
		e.st.putCompletion(&completion{DataSet: ds, Period: p.iso, OrgUnit: unit, AttributeCombo: combo, Date: date.Format("2006-01-02"),
			StoredBy: e.user.username, Completed: true,
			made: made{Created: e.now, Updated: e.now, CreatedBy: e.user.username, UpdatedBy: e.user.username, Seq: e.st.next()}})
	}
	sum.Complete = date.Format("2006-01-02")
}
