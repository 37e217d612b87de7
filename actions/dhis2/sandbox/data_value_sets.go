package sandbox

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"time"
)

// dataValueSets answers /api/dataValueSets.
func (c *call) dataValueSets() {
	if !c.method(http.MethodGet, http.MethodPost) {
		return
	}
	if c.r.Method != http.MethodPost {
		c.readValues()
		return
	}
	if !c.authorised("F_DATAVALUE_ADD") || !c.acceptsJSON() {
		return
	}
	o, p := c.dataOptions()
	if p != nil {
		c.srv.refused(c.w, p)
		return
	}
	body, p := c.srv.readBody(c.w, c.r)
	if p != nil {
		c.srv.refused(c.w, p)
		return
	}
	c.w.Header().Set("Cache-Control", "no-cache, private")
	if body, p = unpack(body); p != nil {
		c.srv.refused(c.w, p)
		return
	}
	set, err := c.readValueSet(body, o)
	if err != nil {
		c.unreadableValues(o, err)
		return
	}
	if o.async {
		c.valuesLater(o, set)
		return
	}
	s, p := c.srv.importValues(c.user, o, set)
	if p != nil {
		c.srv.refused(c.w, p)
		return
	}
	c.summarised(s)
}

// unpack takes the gzip wrapping off a body; DHIS2 knows it by its first bytes.
func unpack(body []byte) ([]byte, *problem) {
	if !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		return body, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, refuse(http.StatusConflict, "", "The import process failed: %v", err)
	}
	out, err := io.ReadAll(io.LimitReader(z, maxBody+1))
	if err != nil || len(out) > maxBody {
		return nil, refuse(http.StatusConflict, "", "The import process failed: the compressed body cannot be read or is too large")
	}
	return out, nil
}

// unreadableValues answers a body that is no set of data values.
func (c *call) unreadableValues(o *dataOptions, err error) {
	if c.srv.manners.dataEntry() {
		c.srv.fail(c.w, http.StatusInternalServerError, "", err.Error())
		return
	}
	s := newSummary(o.shown())
	s.Status, s.Description = "ERROR", "The import process failed: "+err.Error()
	c.summarised(s)
}

// errNothing is the failure of 2.43 and later at a period that cannot be read: it breaks off inside the server.
var errNothing error = dhis2Words(`Cannot invoke "org.hisp.dhis.datavalue.DataEntryGroup.deletion()" because "group" is null`)

// importValues takes a set of data values in the way of the version.
func (s *Server) importValues(u *user, o *dataOptions, set *valueSet) (*summary, *problem) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	var sum *summary
	if s.manners.dataEntry() {
		e := &dataEntry{srv: s, c: s.catalog, st: s.store, user: u, o: o, now: s.now().UTC()}
		var err error
		if sum, err = e.run(set); err != nil {
			return nil, refuse(http.StatusInternalServerError, "", "%s", err.Error())
		}
	} else {
		v := &valueImport{srv: s, c: s.catalog, st: s.store, user: u, o: o, now: s.now().UTC(), sum: newSummary(o.shown())}
		v.run(set)
		sum = v.sum
	}
	if err := s.store.state.flush(); err != nil {
		s.log.Error("sandbox could not keep its state", "error", err)
		return nil, refuse(http.StatusInternalServerError, "", "%s", err.Error())
	}
	return sum, nil
}

// valueImport is an import of data values as DHIS2 did it up to 2.42: value by value, the good ones are taken.
type valueImport struct {
	srv  *Server
	c    *catalog
	st   *store
	user *user
	o    *dataOptions
	now  time.Time
	sum  *summary

	dataSet *dataSet
	outer   *optionCombo
}

func (v *valueImport) find(kind, id string) string { return v.c.find(kind, v.o.scheme(kind), id) }

func (v *valueImport) findAttributeCombo(id string) string {
	return v.c.find(kindOptionCombo, v.o.scheme("attributeOptionCombos"), id)
}

func (v *valueImport) run(set *valueSet) {
	v.sum.Description = "Import process completed successfully"
	if !v.dataSetIsFine(set) {
		v.sum.Status, v.sum.Description = "ERROR", "Import process was aborted"
		return
	}
	v.sum.Complete = "false"
	if set.completeDate != "" && v.dataSet != nil {
		v.complete(set)
	}
	for i, in := range set.values {
		if in.period == "" {
			in.period = set.period
		}
		if in.orgUnit == "" {
			in.orgUnit = set.orgUnit
		}
		v.one(i, in)
	}
	if len(v.sum.Conflicts) > 0 {
		v.sum.Status = "WARNING"
	}
}

// dataSetIsFine checks what stands around the values.
func (v *valueImport) dataSetIsFine(set *valueSet) bool {
	bad := func(code, property, kind, id, text string) {
		v.sum.add(conflict{Object: id, Objects: map[string]string{kind: id}, Value: text, Code: code, Property: property})
	}
	if set.dataSet != "" {
		if v.dataSet = v.c.dataSets[v.find(kindDataSet, set.dataSet)]; v.dataSet == nil {
			bad("E7600", "dataSet", "dataSet", set.dataSet, fmt.Sprintf("Data set not found or not accessible: `%s`", set.dataSet))
		} else if !v.dataSet.sharing.dataWrite(v.user) {
			bad("E7601", "dataSet", "dataSet", set.dataSet, fmt.Sprintf("User does not have write access for data set: `%s`", set.dataSet))
		}
	} else if v.o.strictElements {
		bad("E7602", "dataSet", "dataSet", "", "A valid dataset is required")
	}
	if set.orgUnit != "" && v.find(kindOrgUnit, set.orgUnit) == "" {
		bad("E7603", "orgUnit", "organisationUnit", set.orgUnit, fmt.Sprintf("Org unit not found or not accessible: `%s`", set.orgUnit))
	}
	if set.combo != "" {
		if v.outer = v.c.optionCombos[v.findAttributeCombo(set.combo)]; v.outer == nil {
			bad("E7604", "attributeOptionCombo", "attributeOptionCombo", set.combo, fmt.Sprintf("Attribute option combo not found or not accessible: `%s`", set.combo))
		}
	}
	return len(v.sum.Conflicts) == 0
}

// complete registers that a data set is complete, before and whatever becomes of its values.
func (v *valueImport) complete(set *valueSet) {
	p, ok := parsePeriod(set.period)
	unit := v.find(kindOrgUnit, set.orgUnit)
	date, okDate := parseDate(set.completeDate)
	if !ok || unit == "" || !okDate {
		return
	}
	combo := defaultOptionCombo
	if v.outer != nil {
		combo = v.outer.uid
	}
	if !v.o.dryRun {
		v.st.putCompletion(&completion{DataSet: v.dataSet.uid, Period: p.iso, OrgUnit: unit, AttributeCombo: combo, Date: date.Format("2006-01-02"),
			StoredBy: v.user.username, Completed: true, made: v.born()})
	}
	v.sum.Complete = date.Format("2006-01-02")
}

func (v *valueImport) born() made {
	return made{Created: v.now, Updated: v.now, CreatedBy: v.user.username, UpdatedBy: v.user.username, Seq: v.st.next()}
}

// datum is one value with what it names resolved.
type datum struct {
	index          int
	in             datumIn
	element        *dataElement
	period         period
	unit           *orgUnit
	combo          *optionCombo
	attributeCombo *optionCombo
	value          string
}

func (v *valueImport) one(i int, in datumIn) {
	d := &datum{index: i, in: in, element: v.c.dataElements[v.find(kindDataElement, in.element)], unit: v.c.orgUnits[v.find(kindOrgUnit, in.orgUnit)],
		combo: v.c.optionCombos[v.find(kindOptionCombo, in.combo)], attributeCombo: v.c.optionCombos[v.findAttributeCombo(in.attributeCombo)]}
	if in.attributeCombo == "" {
		d.attributeCombo = v.outer
	}
	if in.value != nil {
		d.value = *in.value
	}
	if c := v.check(d); c != nil {
		c.Indexes = []int{i}
		v.sum.add(*c)
		v.sum.reject(i)
		v.sum.Count.Ignored++
		return
	}
	v.write(d)
}

// write counts a value and, unless it is a dry run, keeps it.
func (v *valueImport) write(d *datum) {
	comment := ""
	if d.in.comment != nil {
		comment = *d.in.comment
	}
	n := &dataValue{Element: d.element.uid, Period: d.period.iso, OrgUnit: d.unit.uid, Combo: d.combo.uid, AttributeCombo: d.attributeCombo.uid,
		Value: d.value, Comment: comment, FollowUp: d.in.followUp}
	old := v.st.values[n.key()]
	exists := old != nil && !old.Deleted
	count := &v.sum.Count
	zero := v.insignificant(d)
	remove := v.o.strategy == "DELETE" || d.in.deleted || zero
	updates := v.o.strategy == "CREATE_AND_UPDATE" || v.o.strategy == "UPDATE"
	switch {
	case zero && (!exists || !v.srv.manners.zeroRemoves()):
		return // passed over without a word
	case remove && exists && (updates || v.o.strategy == "DELETE"):
		count.Deleted++
	case remove:
		count.Ignored++
		return
	case exists && !updates, !exists && v.o.strategy == "UPDATE":
		count.Ignored++
		return
	case exists && old.Value == n.Value && old.Comment == n.Comment && old.FollowUp == n.FollowUp:
		count.Ignored++
		return
	case exists:
		count.Updated++
	default:
		count.Imported++
	}
	if v.o.dryRun {
		return
	}
	n.made = v.born()
	if remove {
		n.Value, n.Comment, n.FollowUp = old.Value, old.Comment, old.FollowUp
		n.Deleted = true
	}
	if exists {
		n.Created, n.CreatedBy = old.Created, old.CreatedBy
	}
	v.st.putValue(n)
}
