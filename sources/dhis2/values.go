package dhis2

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/httpget"
)

// firstPeriod is the first day of data values that are read where the rule names none, and yearsAhead
// how far plans lie in the future.
const (
	firstPeriod = "2000-01-01"
	yearsAhead  = 5
)

// valueStamp is how times of data values are kept, in UTC.
const valueStamp = "2006-01-02T15:04:05.000Z"

type valueSet struct {
	OrgUnit, Period, AttributeOptionCombo string // up to 2.42, and where all values have the same
	DataValues                            []dataValue
}

type dataValue struct {
	DataElement, Period, OrgUnit, CategoryOptionCombo, AttributeOptionCombo string

	Value, Comment, Created, LastUpdated, StoredBy string

	Followup bool
	Deleted  bool
}

// dataValues reads the values of a data set that were entered or changed, one org unit with all below
// it at a time.
func (p *pull) dataValues(ctx context.Context, m *maker, n *named, about info, s state) error {
	q := url.Values{"dataSet": {n.dataSet}, "startDate": {firstPeriod},
		"endDate": {p.source.c.Now().AddDate(yearsAhead, 0, 0).Format(time.DateOnly)}}
	if !p.rule.From.IsZero() {
		q.Set("startDate", p.rule.From.Format(time.DateOnly))
	}
	// A value that says that it was changed in the future must not hide those that are changed until then. The
	// server's zone is not known; the overlap is longer than any two are apart.
	now := p.source.c.Now().UTC().Format(valueStamp)
	if about.now != "" {
		now = min(now, about.now+"Z")
	}
	last := min(s.At, now)
	since := p.rule.Since
	if at, err := time.Parse(time.RFC3339Nano, last); err == nil && at.Add(-dayOverlap).After(since) {
		since = at.Add(-dayOverlap)
	}
	if !since.IsZero() {
		q.Set("lastUpdated", since.UTC().Format(stamp))
	}
	if p.rule.Deletions {
		q.Set("includeDeleted", "true")
	}
	for _, part := range p.units(m.catalog, n.orgUnit) {
		q.Set("orgUnit", part.id)
		q.Set("children", strconv.FormatBool(part.below))
		items, err := p.values(ctx, m, "dataValueSets", q)
		if err != nil {
			return err
		}
		slices.SortStableFunc(items, func(a, b item) int { return cmp.Compare(a.changed, b.changed) })
		if len(items) > 0 {
			last = max(last, min(items[len(items)-1].changed, now))
		}
		if err := p.handOver(ctx, items, s, nil); err != nil {
			return err
		}
	}
	return p.place(ctx, s, last)
}

// part is an org unit that is asked for at once, with what lies below it or not.
type part struct {
	id    string
	below bool
}

// units parts an org unit into what lies in each of those below it, so that one answer holds no more
// than a region of a country.
func (p *pull) units(c sources.Catalog, id string) []part {
	children := c.Children(id)
	if p.rule.Here || len(children) == 0 {
		return []part{{id, !p.rule.Here}}
	}
	list := []part{{id, false}}
	for _, child := range children {
		list = append(list, part{child, true})
	}
	return list
}

// place keeps where to go on, when all before it was handed over.
func (p *pull) place(ctx context.Context, s state, at string) error {
	if at == s.At {
		return nil
	}
	s.At = at
	text, err := json.Marshal(s)
	if err == nil {
		_, err = p.sink.Accept(ctx, sources.Batch{Cursor: &sources.Cursor{Name: p.cursor(), Value: string(text)}})
	}
	if err != nil {
		return fmt.Errorf("save the cursor: %w", err)
	}
	return nil
}

// values reads a data value set, one record a value.
func (p *pull) values(ctx context.Context, m *maker, path string, q url.Values) ([]item, error) {
	text, err := p.source.c.Lists.Get(ctx, p.rule.Server, path, q)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", p.rule.Read, err)
	}
	var set valueSet
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, strange("data value set")
	}
	items := make([]item, 0, len(set.DataValues))
	for i := range set.DataValues {
		v := &set.DataValues[i]
		v.OrgUnit, v.Period = cmp.Or(v.OrgUnit, set.OrgUnit), cmp.Or(v.Period, set.Period)
		v.AttributeOptionCombo = cmp.Or(v.AttributeOptionCombo, set.AttributeOptionCombo)
		if v.DataElement == "" || v.DataElement == "null" || v.OrgUnit == "" || v.Period == "" {
			return nil, &httpget.Error{Problem: diag.Problem{
				Message: "a data value of the answer names no data element, period or org unit",
				Hint:    "report this to the server's administrators"}}
		}
		items = append(items, m.value(v, p.rule.Read == readValues))
	}
	return items, nil
}

func (m *maker) value(v *dataValue, entered bool) item {
	id := strings.Join([]string{v.DataElement, v.Period, v.OrgUnit, v.CategoryOptionCombo, v.AttributeOptionCombo}, ".")
	body := map[string]any{"dhis2": m.server, "id": strings.TrimRight(id, "."), "data_element_id": v.DataElement,
		"data_element": m.name(sources.DataElements, v.DataElement), "data_element_code": "", "period": v.Period,
		"value": v.Value}
	if t := m.catalog.ByID(sources.DataElements, v.DataElement); t != nil {
		body["data_element_code"] = t.Code
	}
	m.place(body, v.OrgUnit)
	m.combo(body, "category_option_combo", v.CategoryOptionCombo)
	m.combo(body, "attribute_option_combo", v.AttributeOptionCombo)
	changed := utc(v.LastUpdated)
	if entered { // analytics say of each value that it was made just now
		body["comment"], body["follow_up"], body["created_at"] = v.Comment, v.Followup, utc(v.Created)
		body["updated_at"], body["stored_by"] = changed, v.StoredBy
	}
	return item{id, changed, v.Deleted, body}
}

// utc writes a time with a zone, as data values have it, in UTC; one without a zone stays as it is.
func utc(text string) string {
	for _, layout := range []string{"2006-01-02T15:04:05.999Z0700", time.RFC3339Nano} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC().Format(valueStamp)
		}
	}
	if t, err := time.Parse("2006-01-02T15:04:05", text); err == nil {
		return t.Format(valueStamp)
	}
	return text
}
