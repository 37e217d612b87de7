package aggregate

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/jsontree"
	"github.com/culvert/culvert/actions/dhis2/sandbox/period"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

// dataValueSets answers /api/dataValueSets.
func (c *call) dataValueSets(ending string) {
	if !c.Method(http.MethodGet, http.MethodPost) {
		return
	}
	if c.R.Method != http.MethodPost {
		c.readValues(c.wantedForm(ending))
		return
	}
	form := c.sentForm()
	if !c.Authorised("F_DATAVALUE_ADD") || form == "" && !c.AcceptsJSON() {
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
	c.W.Header().Set("Cache-Control", "no-cache, private")
	if body, p = unpack(body); p != nil {
		c.Refused(p)
		return
	}
	sets := make([]*valueSet, 1)
	var err error
	switch form {
	case rest.FormCSV:
		sets[0], err = c.readCSVValues(body)
	case rest.FormXML:
		sets[0], err = readXMLValues(body)
	case rest.FormADX:
		sets, err = c.readADX(body, o)
	default:
		sets[0], err = c.readValueSet(body, o)
	}
	if refused, ok := err.(*rest.Problem); ok && refused != nil {
		c.Refused(refused)
		return
	}
	if err != nil {
		c.unreadableValues(o, err)
		return
	}
	if o.async {
		c.valuesLater(o, sets)
		return
	}
	s, p := c.srv.importValues(c.User, o, sets)
	if p != nil {
		c.Refused(p)
		return
	}
	c.summarised(s)
}

// unpack takes the gzip wrapping off a body; DHIS2 knows it by its first bytes.
func unpack(body []byte) ([]byte, *rest.Problem) {
	if !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		return body, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, rest.Refuse(http.StatusConflict, "", "The import process failed: %v", err)
	}
	out, err := io.ReadAll(io.LimitReader(z, jsontree.MaxBody+1))
	if err != nil || len(out) > jsontree.MaxBody {
		return nil, rest.Refuse(http.StatusConflict, "",
			"The import process failed: the compressed body cannot be read or is too large")
	}
	return out, nil
}

// unreadableValues answers a body that is no set of data values.
func (c *call) unreadableValues(o *dataOptions, err error) {
	if c.Version.DataEntry() {
		c.Fail(http.StatusInternalServerError, "", err.Error())
		return
	}
	s := newSummary(o.shown())
	s.Status, s.Description = "ERROR", "The import process failed: "+err.Error()
	c.summarised(s)
}

// errNothing is the failure of 2.43 and later at a period that cannot be read: it breaks off inside the server.
var errNothing error = rest.Verbatim(`Cannot invoke "org.hisp.dhis.datavalue.DataEntryGroup.deletion()" because ` +
	`"group" is null`)

// importValues takes sets of data values in the way of the version.
func (s *Service) importValues(u *catalog.User, o *dataOptions, sets []*valueSet) (*summary, *rest.Problem) {
	s.Store.Lock()
	defer s.Store.Unlock()
	var sum *summary
	if s.Version.DataEntry() {
		e := &dataEntry{srv: s, c: s.Catalog, st: s.Store, user: u, o: o, now: s.Now().UTC()}
		var err error
		if sum, err = e.runAll(sets); err != nil {
			return nil, rest.Refuse(http.StatusInternalServerError, "", "%s", err.Error())
		}
	} else {
		v := &valueImport{srv: s, c: s.Catalog, st: s.Store, user: u, o: o, now: s.Now().UTC(), sum: newSummary(o.shown())}
		v.run(sets[0])
		sum = v.sum
	}
	if err := s.Store.Flush(); err != nil {
		s.Log.Error("sandbox could not keep its state", "error", err)
		return nil, rest.Refuse(http.StatusInternalServerError, "", "%s", err.Error())
	}
	return sum, nil
}

// valueImport is an import of data values as DHIS2 did it up to 2.42: value by value, the good ones are taken.
type valueImport struct {
	srv  *Service
	c    *catalog.Catalog
	st   *store.Store
	user *catalog.User
	o    *dataOptions
	now  time.Time
	sum  *summary

	dataSet *catalog.DataSet
	outer   *catalog.OptionCombo
	period  string           // the period and the org unit of the set, which go before those of its values
	unit    *catalog.OrgUnit //
	// what this import created: it goes to the database in one piece at the end, so that nothing finds it before
	added   map[store.ValueKey]bool
	pending []*store.DataValue // that are written last, all or none, where nobody looked what is there
	failed  error              // the import broke off
}

func (v *valueImport) find(kind, id string) string { return v.c.Find(kind, v.o.scheme(kind), id) }

func (v *valueImport) findAttributeCombo(id string) string {
	return v.c.Find(catalog.KindOptionCombo, v.o.scheme("attributeOptionCombos"), id)
}

func (v *valueImport) run(set *valueSet) {
	v.sum.Description = "Import process completed successfully"
	if !v.dataSetIsFine(set) {
		v.sum.Status, v.sum.Description = "ERROR", "Import process was aborted"
		return
	}
	date, err := v.completionDate(set.completeDate)
	if err != nil {
		v.fail(err)
		return
	}
	v.sum.Complete = "false"
	if date != "" && v.dataSet != nil {
		v.sum.Complete = ""
		v.complete(set, date)
	}
	v.period, v.unit, v.added = set.period, v.c.OrgUnits[v.find(catalog.KindOrgUnit, set.orgUnit)],
		map[store.ValueKey]bool{}
	if _, ok := period.Parse(set.period); !ok {
		v.period = "" // one that cannot be read leaves each value its own
	}
	for i, in := range set.values {
		if v.one(i, in); v.failed != nil {
			v.fail(v.failed)
			return
		}
	}
	for _, n := range v.pending {
		v.st.PutValue(n)
	}
	if len(v.sum.Conflicts) > 0 {
		v.sum.Status = "WARNING"
	}
}

// fail is an import that broke off: what was written before stays, but is not told. What is pending is not written.
func (v *valueImport) fail(err error) {
	*v.sum = *newSummary(v.o.shown())
	v.sum.Status, v.sum.Description = "ERROR", "The import process failed: "+err.Error()
}

// completionDate reads when a data set was completed: a day, or true for today. A day to come counts as today.
func (v *valueImport) completionDate(text string) (string, error) {
	today := v.now.Format(time.DateOnly)
	switch strings.ToLower(text) {
	case "", "false":
		return "", nil
	case "true":
		return today, nil
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return "", rest.Verbatim(fmt.Sprintf("Text '%s' could not be parsed at index 0", text))
	}
	return min(t.Format(time.DateOnly), today), nil
}

// dataSetIsFine checks what stands around the values.
func (v *valueImport) dataSetIsFine(set *valueSet) bool {
	bad := func(code, property, kind, id, text string) {
		v.sum.add(conflict{Object: id, Objects: map[string]string{kind: id}, Value: text, Code: code, Property: property})
	}
	if set.dataSet != "" {
		if v.dataSet = v.c.DataSets[v.find(catalog.KindDataSet, set.dataSet)]; v.dataSet == nil {
			bad("E7600", "dataSet", "dataSet", set.dataSet,
				fmt.Sprintf("Data set not found or not accessible: `%s`", set.dataSet))
		} else if !v.dataSet.Sharing.DataWrite(v.user) {
			bad("E7601", "dataSet", "dataSet", set.dataSet,
				fmt.Sprintf("User does not have write access for data set: `%s`", set.dataSet))
		}
	} else if v.o.strictElements {
		bad("E7602", "dataSet", "dataSet", "", "A valid dataset is required")
	}
	if set.orgUnit != "" && v.find(catalog.KindOrgUnit, set.orgUnit) == "" {
		bad("E7603", "orgUnit", "organisationUnit", set.orgUnit,
			fmt.Sprintf("Org unit not found or not accessible: `%s`", set.orgUnit))
	}
	if set.combo != "" {
		if v.outer = v.c.OptionCombos[v.findAttributeCombo(set.combo)]; v.outer == nil {
			bad("E7604", "attributeOptionCombo", "attributeOptionCombo", set.combo,
				fmt.Sprintf("Attribute option combo not found or not accessible: `%s`", set.combo))
		}
	}
	return len(v.sum.Conflicts) == 0
}

// complete registers that a data set is complete, before and whatever becomes of its values, also
// in a dry run, and always for the default attribute option combo
// (DefaultDataValueSetService.handleComplete).
func (v *valueImport) complete(set *valueSet, date string) {
	p, ok := period.Parse(set.period)
	unit := v.find(catalog.KindOrgUnit, set.orgUnit)
	switch {
	case unit == "":
		v.sum.add(conflict{Object: "OrganisationUnit", Value: "ERROR_OBJECT_NEEDED_TO_COMPLETE"})
		return
	case !ok:
		v.sum.add(conflict{Object: "Period", Value: "ERROR_OBJECT_NEEDED_TO_COMPLETE"})
		return
	}
	v.st.PutCompletion(&store.Completion{DataSet: v.dataSet.UID, Period: p.ISO, OrgUnit: unit,
		AttributeCombo: catalog.DefaultOptionCombo, Date: date,
		StoredBy: v.user.Username, Completed: true, Made: v.born()})
	v.sum.Complete = date
}

func (v *valueImport) born() store.Made {
	return store.Made{Created: v.now, Updated: v.now, CreatedBy: v.user.Username, UpdatedBy: v.user.Username,
		Seq: v.st.Next()}
}

// datum is one value with what it names resolved.
type datum struct {
	index          int
	in             datumIn
	element        *catalog.DataElement
	period         period.Period
	unit           *catalog.OrgUnit
	combo          *catalog.OptionCombo
	attributeCombo *catalog.OptionCombo
	value          string
}

func (v *valueImport) one(i int, in datumIn) {
	if v.period != "" {
		in.period = v.period
	}
	d := &datum{index: i, in: in, element: v.c.DataElements[v.find(catalog.KindDataElement, in.element)], unit: v.unit,
		combo: v.c.OptionCombos[v.find(catalog.KindOptionCombo, in.combo)], attributeCombo: v.outer}
	if d.unit == nil {
		d.unit = v.c.OrgUnits[v.find(catalog.KindOrgUnit, in.orgUnit)]
	}
	if d.attributeCombo == nil {
		d.attributeCombo = v.c.OptionCombos[v.findAttributeCombo(in.attributeCombo)]
	}
	if in.value != nil {
		d.value = *in.value
	}
	if found := v.check(d); len(found) > 0 {
		for _, c := range found {
			c.Indexes = []int{i}
			v.sum.add(*c)
		}
		v.refuse(i)
		return
	}
	v.write(d)
}

// refuse leaves a value out and names its position.
func (v *valueImport) refuse(i int) {
	v.sum.reject(i)
	v.sum.Count.Ignored++
}

// write counts a value and, unless it is a dry run, keeps it (DefaultDataValueSetService.importDataValue).
func (v *valueImport) write(d *datum) {
	n := &store.DataValue{Element: d.element.UID, Period: d.period.ISO, OrgUnit: d.unit.UID, Combo: d.combo.UID,
		AttributeCombo: d.attributeCombo.UID,
		Value:          strings.TrimSpace(d.value), FollowUp: d.in.followUp, Made: v.born()}
	n.Deleted = d.in.deleted
	if d.in.comment != nil {
		n.Comment = strings.TrimSpace(*d.in.comment)
	}
	old := v.st.Values[n.Key()]
	if v.added[n.Key()] || v.o.skipExisting {
		old = nil
	}
	if old != nil {
		n.Created, n.CreatedBy = old.Created, old.CreatedBy
	}
	zero := d.insignificant()
	creates, updates := v.o.strategy != "UPDATE" && v.o.strategy != "DELETE",
		v.o.strategy == "UPDATE" || v.o.strategy == "CREATE_AND_UPDATE"
	switch {
	case zero && (old == nil || v.o.strategy == "CREATE"): // passed over without a word
	case old == nil || old.Deleted:
		if !creates {
			v.refuse(d.index)
			return
		}
		v.create(n, old)
	case updates:
		v.update(n, old, zero)
	case v.o.strategy == "DELETE":
		n.Deleted = true
		v.sum.Count.Deleted++
		v.keep(n)
	default:
		v.refuse(d.index)
	}
}

func (v *valueImport) keep(n *store.DataValue) {
	switch {
	case v.o.dryRun:
	case v.o.skipExisting:
		v.pending = append(v.pending, n)
	default:
		v.st.PutValue(n)
	}
}

func (v *valueImport) create(n, old *store.DataValue) {
	switch {
	case n.Value == "" && n.Comment == "":
		v.sum.Count.Ignored++
	case v.added[n.Key()] && !v.o.dryRun: // the same value again: the first one counts
	case old == nil && v.st.Values[n.Key()] != nil && !v.o.dryRun && v.o.skipExisting:
		v.failed = rest.Verbatim("Failed to flush BatchHandler")
	default:
		v.sum.Count.Imported++
		if v.keep(n); old == nil && !v.o.dryRun {
			v.added[n.Key()] = true
		}
	}
}

func (v *valueImport) update(n, old *store.DataValue, zero bool) {
	switch {
	case n.Value == "" && n.Comment == "" || n.Deleted || zero:
		n.Deleted = true
		v.sum.Count.Deleted++
	case old.Value == n.Value && old.Comment == n.Comment && isTrue(old.FollowUp) == isTrue(n.FollowUp):
		v.sum.Count.Ignored++
		return
	default:
		v.sum.Count.Updated++
	}
	v.keep(n)
}
