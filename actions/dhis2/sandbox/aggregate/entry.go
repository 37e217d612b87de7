package aggregate

import (
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
	"github.com/culvert/culvert/actions/dhis2/sandbox/ids"
	"github.com/culvert/culvert/actions/dhis2/sandbox/period"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

// dataEntry is an import of data values as DHIS2 does it from 2.43 on: the values of a data set are
// looked at as a whole, and what is wrong with their dimensions refuses all of them; only a value
// that does not fit its element is left out alone.
type dataEntry struct {
	srv  *Service
	c    *catalog.Catalog
	st   *store.Store
	user *catalog.User
	o    *dataOptions
	now  time.Time
}

// datumEntry is one decoded value. Combos are empty where none was given.
type datumEntry struct {
	index                                int
	element, unit, combo, attributeCombo string
	period                               period.Period
	value, comment                       *string
	followUp                             *bool
	deleted                              bool
}

// runAll enters groups of values one after the other, and sums up. All must be readable before the first is entered.
func (e *dataEntry) runAll(sets []*valueSet) (*summary, error) {
	if len(sets) == 1 {
		return e.run(sets[0])
	}
	total := newSummary(e.o.shown())
	total.Complete = "false"
	for _, set := range sets {
		_, _, ge, err := e.decode(set)
		if err != nil {
			return nil, err
		}
		if ge != nil {
			return e.run(set)
		}
	}
	at := 0
	for _, set := range sets {
		sum, err := e.run(set)
		if err != nil {
			return nil, err
		}
		total.join(sum, at)
		at += len(set.values)
	}
	return total, nil
}

// join adds the outcome of a group whose values begin at a position of all.
func (s *summary) join(o *summary, at int) {
	s.Count.Imported += o.Count.Imported
	s.Count.Updated += o.Count.Updated
	s.Count.Ignored += o.Count.Ignored
	s.Count.Deleted += o.Count.Deleted
	for _, c := range o.Conflicts {
		for i := range c.Indexes {
			c.Indexes[i] += at
		}
		s.add(*c)
	}
	for _, i := range o.Rejected {
		s.reject(i + at)
	}
	if o.Status != "SUCCESS" && s.Status != "ERROR" {
		s.Status = o.Status
	}
	if o.Complete != "" && o.Complete != "false" {
		s.Complete = o.Complete
	}
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
	var valid []*datumEntry
	if ds, ge = e.check(ds, entries); ge == nil {
		valid, ge = e.checkValues(ds, entries, sum)
	}
	if ge != nil {
		sum.Status = "ERROR"
		for _, x := range entries {
			ge.indexes = append(ge.indexes, x.index)
		}
		sum.add(ge.conflict())
		sum.reject(ge.indexes...)
		return sum, nil
	}
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
		if ds = e.uid(catalog.KindDataSet, catalog.KindDataSet, set.dataSet); ds == "" {
			return bad("E8005", set.dataSet)
		}
		if !ids.Valid(ds) {
			return bad("E8004", ds)
		}
	}
	if set.completeDate != "" {
		if _, ok := dates.Parse(set.completeDate); !ok {
			return bad("E8008", set.completeDate)
		}
		if set.dataSet == "" || set.orgUnit == "" || set.period == "" {
			return bad("E8009")
		}
	}
	outer := period.Period{}
	if set.period != "" {
		var ok bool
		if outer, ok = period.Parse(set.period); !ok {
			return nil, "", nil, errNothing
		}
	}
	attributeCombo := ""
	if set.combo == "" && len(set.attributeOptions) > 0 && e.c.DataSets[ds] != nil {
		attributeCombo = e.comboBy(e.c.DataSets[ds].Combo, set.attributeOptions)
	}
	for i, in := range set.values {
		x := &datumEntry{index: i, period: outer, attributeCombo: attributeCombo, value: in.value, comment: in.comment,
			followUp: in.followUp, deleted: in.deleted}
		if ge, err := e.decodeValue(set, ds, in, x); ge != nil || err != nil {
			return nil, "", ge, err
		}
		entries = append(entries, x)
	}
	return entries, ds, nil, nil
}

// decodeValue decodes what one value is about; what the set says of all its values is in x already.
func (e *dataEntry) decodeValue(set *valueSet, ds string, in datumIn, x *datumEntry) (*groupError, error) {
	refuse := func(code string, args ...string) (*groupError, error) {
		return &groupError{code: code, args: args}, nil
	}
	n := strconv.Itoa(x.index)
	if in.period != "" {
		var ok bool
		if x.period, ok = period.Parse(in.period); !ok {
			return nil, errNothing
		}
	} else if set.period == "" {
		return refuse("E8100", n)
	}
	unit := in.orgUnit
	if unit == "" {
		unit = set.orgUnit
	}
	combo := in.attributeCombo
	if combo == "" {
		combo = set.combo
	}
	if in.options != nil {
		if ds == "" {
			return refuse("E8101", n, attributesText(in.options))
		}
		known, element := e.c.DataSets[ds], e.uid(catalog.KindDataElement, catalog.KindDataElement, in.element)
		if known == nil || known.Elements[element] == "" {
			return nil, errNothing
		}
		if x.combo = e.comboBy(known.Elements[element], in.options); x.combo == "" {
			return refuse("E8108", n, attributesText(in.options))
		}
	}
	for _, f := range []struct {
		text, kind, scheme          string
		into                        *string
		missing, unknown, malformed string
	}{
		{in.element, catalog.KindDataElement, catalog.KindDataElement, &x.element, "E8102", "E8103", "E8104"},
		{unit, catalog.KindOrgUnit, catalog.KindOrgUnit, &x.unit, "E8105", "E8107", "E8106"},
		{in.combo, catalog.KindOptionCombo, catalog.KindOptionCombo, &x.combo, "", "E8108", "E8109"},
		{combo, catalog.KindOptionCombo, "attributeOptionCombos", &x.attributeCombo, "", "E8110", "E8111"},
	} {
		if f.text == "" {
			if f.missing != "" {
				return refuse(f.missing, n)
			}
			continue
		}
		if *f.into = e.uid(f.kind, f.scheme, f.text); *f.into == "" {
			return refuse(f.unknown, n, f.text)
		}
		if !ids.Valid(*f.into) {
			return refuse(f.malformed, n, f.text)
		}
	}
	return nil, nil
}

// uid decodes an identifier; one in the scheme UID stands for itself, known or not.
func (e *dataEntry) uid(kind, schemeKind, id string) string {
	if s := e.o.scheme(schemeKind); s != "" && s != "UID" {
		return e.c.Find(kind, s, id)
	}
	return id
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
		return strings.TrimSuffix(value, ".0")
	}
	return value
}

func (e *dataEntry) write(valid []*datumEntry, sum *summary) {
	for _, x := range valid {
		n := &store.DataValue{Element: x.element, Period: x.period.ISO, OrgUnit: x.unit, Combo: x.combo,
			AttributeCombo: x.attributeCombo, FollowUp: x.followUp,
			Made: store.Made{Created: e.now, Updated: e.now, CreatedBy: e.user.Username, UpdatedBy: e.user.Username,
				Deleted: x.deleted}}
		if n.Combo == "" {
			n.Combo = catalog.DefaultOptionCombo
		}
		if n.AttributeCombo == "" {
			n.AttributeCombo = catalog.DefaultOptionCombo
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
		old := e.st.Values[n.Key()]
		if old != nil {
			n.Created, n.CreatedBy = old.Created, old.CreatedBy
		} else if n.Deleted {
			continue
		}
		n.Seq = e.st.Next()
		e.st.PutValue(n)
	}
}

// complete registers a data set as complete once all its values were taken.
func (e *dataEntry) complete(set *valueSet, ds string, sum *summary) {
	if set.completeDate == "" || e.c.DataSets[ds] == nil {
		return
	}
	p, ok := period.Parse(set.period)
	unit := e.uid(catalog.KindOrgUnit, catalog.KindOrgUnit, set.orgUnit)
	date, okDate := dates.Parse(set.completeDate)
	if !ok || !okDate || e.c.OrgUnits[unit] == nil {
		return
	}
	combo := e.uid(catalog.KindOptionCombo, "attributeOptionCombos", set.combo)
	if combo == "" {
		combo = catalog.DefaultOptionCombo
	}
	if !e.o.dryRun {
		e.st.PutCompletion(&store.Completion{DataSet: ds, Period: p.ISO, OrgUnit: unit, AttributeCombo: combo,
			Date:     date.Format("2006-01-02"),
			StoredBy: e.user.Username, Completed: true,
			Made: store.Made{Created: e.now, Updated: e.now, CreatedBy: e.user.Username, UpdatedBy: e.user.Username,
				Seq: e.st.Next()}})
	}
	sum.Complete = date.Format("2006-01-02")
}

// comboBy finds an option combo by options named by their categories; the default one is not found in this way.
func (e *dataEntry) comboBy(combo string, options map[string]string) string {
	if combo == catalog.DefaultCombo {
		return ""
	}
	var chosen []string
	for _, category := range catalog.Refs(e.c.ByID[combo].Obj, "categories") {
		name := e.c.Identifier(category, e.o.scheme("categories"))
		given := e.c.Find(catalog.KindCategoryOption, e.o.scheme("categoryOptions"), options[name])
		if given == "" {
			return ""
		}
		chosen = append(chosen, given)
	}
	if oc := e.c.ComboOf(combo, chosen); oc != nil {
		return oc.UID
	}
	return ""
}
