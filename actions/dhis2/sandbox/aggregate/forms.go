package aggregate

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
	"github.com/culvert/culvert/actions/dhis2/sandbox/period"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

// wantedForm gives the form that a request wants its answer in: by the parameter format, the end of
// its address, and up to 2.42 its Accept header. Empty: one that there is not.
func (c *call) wantedForm(ending string) string {
	if c.Query.Has("format") {
		switch format := c.Query.Get("format"); format {
		case rest.FormCSV, rest.FormXML, rest.FormADX:
			return format
		}
		return rest.FormJSON
	}
	switch ending {
	case ".csv":
		return rest.FormCSV
	case ".xml":
		return rest.FormXML
	case ".adx+xml":
		if c.Version.DataEntry() {
			return rest.FormADX
		}
		return rest.FormJSON
	case ".json", ".adx":
		return rest.FormJSON
	}
	switch {
	case c.Version.DataEntry():
		return rest.FormJSON // whatever it accepts
	case ending != "":
		return ""
	}
	return rest.FormOf(c.R.Header.Get("Accept"))
}

// sentForm gives the form of a body of data values; empty when it is one that is not taken.
func (c *call) sentForm() string {
	kind, _, err := mime.ParseMediaType(c.R.Header.Get("Content-Type"))
	switch {
	case err != nil:
		return ""
	case kind == "application/json" || strings.HasSuffix(kind, "+json"):
		return rest.FormJSON
	case kind == "application/csv":
		return rest.FormCSV
	case kind == "application/xml":
		return rest.FormXML
	case kind == "application/adx+xml":
		return rest.FormADX
	}
	return ""
}

// columns are those of a CSV file of data values, in their order (DHIS2 CsvDataValueSetReader and Writer).
var columns = []string{"dataelement", "period", "orgunit", "categoryoptioncombo", "attributeoptioncombo", "value",
	"storedby", "lastupdated", "comment", "followup", "deleted"}

// readCSVValues reads data values from CSV. Up to 2.42 columns count by their place, and the first
// row names them unless firstRowIsHeader=false; from 2.43 on they count by their names, and what is
// no column of values is a category.
func (c *call) readCSVValues(body []byte) (*valueSet, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(body, []byte("\ufeff"))))
	r.FieldsPerRecord = -1
	s := &valueSet{dataSet: c.Query.Get("dataSet")}
	skip := c.Query.Get("firstRowIsHeader") == "" || rest.IsTrue(c.Query.Get("firstRowIsHeader"))
	names := columns
	if c.Version.DataEntry() && !skip {
		return nil, rest.Verbatim("CSV without header row is no longer supported.")
	}
	for row := 0; ; row++ {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			if row == 0 && c.Version.DataEntry() {
				return nil, rest.Refuse(http.StatusBadRequest, "", "No header line provided.")
			}
			return s, nil
		}
		if err != nil {
			return nil, rest.Verbatim(err.Error())
		}
		if row > 0 || !skip {
			s.values = append(s.values, csvValue(names, fields))
			continue
		}
		if c.Version.DataEntry() {
			names = fields
		}
	}
}

// csvValue reads a row.
func csvValue(names, fields []string) datumIn {
	var in datumIn
	for i, field := range fields {
		if i >= len(names) {
			break
		}
		text := strings.TrimSpace(field)
		var given *string
		if text != "" {
			given = &text
		}
		switch strings.ToLower(strings.TrimSpace(names[i])) {
		case "dataelement":
			in.element = text
		case "period":
			in.period = text
		case "orgunit":
			in.orgUnit = text
		case "categoryoptioncombo":
			in.combo = text
		case "attributeoptioncombo":
			in.attributeCombo = text
		case "value":
			in.value = given
		case "storedby":
			in.storedBy = text
		case "lastupdated":
		case "comment":
			in.comment = given
		case "followup":
			if f, ok := rest.ParseFlag(text); ok {
				in.followUp = &f
			}
		case "deleted":
			in.deleted = rest.IsTrue(text)
		default:
			if in.options == nil {
				in.options = map[string]string{}
			}
			in.options[names[i]] = text
		}
	}
	return in
}

// xmlValues is a set of data values in DHIS2's XML (dxf 2.0).
type xmlValues struct {
	XMLName      xml.Name   `xml:"dataValueSet"`
	Space        string     `xml:"xmlns,attr,omitempty"`
	DataSet      string     `xml:"dataSet,attr,omitempty"`
	CompleteDate string     `xml:"completeDate,attr,omitempty"`
	Period       string     `xml:"period,attr,omitempty"`
	OrgUnit      string     `xml:"orgUnit,attr,omitempty"`
	Combo        string     `xml:"attributeOptionCombo,attr,omitempty"`
	Values       []xmlValue `xml:"dataValue"`
}

type xmlValue struct {
	Element        string `xml:"dataElement,attr"`
	Period         string `xml:"period,attr,omitempty"`
	OrgUnit        string `xml:"orgUnit,attr,omitempty"`
	Combo          string `xml:"categoryOptionCombo,attr,omitempty"`
	AttributeCombo string `xml:"attributeOptionCombo,attr,omitempty"`
	Value          string `xml:"value,attr"`
	StoredBy       string `xml:"storedBy,attr,omitempty"`
	Created        string `xml:"created,attr,omitempty"`
	LastUpdated    string `xml:"lastUpdated,attr,omitempty"`
	Comment        string `xml:"comment,attr,omitempty"`
	FollowUp       string `xml:"followUp,attr,omitempty"`
	Deleted        string `xml:"deleted,attr,omitempty"`
}

func readXMLValues(body []byte) (*valueSet, error) {
	var x xmlValues
	if err := xml.Unmarshal(body, &x); err != nil {
		return nil, rest.Verbatim(err.Error())
	}
	s := &valueSet{dataSet: x.DataSet, completeDate: x.CompleteDate, period: x.Period, orgUnit: x.OrgUnit, combo: x.Combo}
	for _, v := range x.Values {
		in := datumIn{element: v.Element, period: v.Period, orgUnit: v.OrgUnit, combo: v.Combo,
			attributeCombo: v.AttributeCombo, storedBy: v.StoredBy,
			deleted: rest.IsTrue(v.Deleted)}
		in.value, in.comment = rest.EmptyIsNil(&v.Value), rest.EmptyIsNil(&v.Comment)
		if f, ok := rest.ParseFlag(v.FollowUp); ok {
			in.followUp = &f
		}
		s.values = append(s.values, in)
	}
	return s, nil
}

// valuesIn writes data values in another form than JSON.
func (c *call) valuesIn(form string, found []*store.DataValue, q *valueQuery) {
	switch form {
	case rest.FormCSV:
		c.answerCSV(found)
	case rest.FormADX:
		c.answerADX(q, found)
	default:
		c.answerXML(found, q)
	}
}

func (c *call) answerCSV(found []*store.DataValue) {
	c.W.Header().Set("Content-Type", "application/csv;charset=UTF-8")
	w := csv.NewWriter(c.W)
	rows := [][]string{columns}
	for _, v := range found {
		followUp, deleted := strconv.FormatBool(isTrue(v.FollowUp)), "null"
		if c.Version.DataEntry() {
			deleted = "false"
			if v.FollowUp == nil {
				followUp = ""
			}
		}
		if v.Deleted {
			deleted = "true"
		}
		rows = append(rows, []string{v.Element, v.Period, v.OrgUnit, v.Combo, v.AttributeCombo, v.Value, v.UpdatedBy,
			v.Updated.Format(dates.Zoned), v.Comment, followUp, deleted})
	}
	_ = w.WriteAll(rows) // a client that has gone is no fault of the sandbox
}

// answerXML writes dxf 2.0. What all values have in common stands at the set: up to 2.42 also
// there, from 2.43 on only there.
func (c *call) answerXML(found []*store.DataValue, q *valueQuery) {
	once := c.Version.DataEntry()
	x := xmlValues{Space: "http://dhis2.org/schema/dxf/2.0", DataSet: q.set, Period: q.period, OrgUnit: q.unit,
		Combo: q.combo}
	if p, ok := period.Parse(q.period); ok && once {
		x.Period = adxText(p)
	}
	for _, v := range found {
		one := xmlValue{Element: v.Element, Period: v.Period, OrgUnit: v.OrgUnit, Combo: v.Combo,
			AttributeCombo: v.AttributeCombo, Value: v.Value,
			StoredBy: v.UpdatedBy, Created: v.Created.Format(dates.Zoned), LastUpdated: v.Updated.Format(dates.Zoned),
			Comment: v.Comment}
		if !once || v.FollowUp != nil {
			one.FollowUp = strconv.FormatBool(isTrue(v.FollowUp))
		}
		if once {
			for shared, name := range map[*string]string{&one.Period: q.period, &one.OrgUnit: q.unit,
				&one.AttributeCombo: q.combo} {
				if name != "" {
					*shared = ""
				}
			}
		}
		x.Values = append(x.Values, one)
	}
	out, err := xml.Marshal(x)
	if err != nil {
		c.Fail(http.StatusInternalServerError, "", err.Error())
		return
	}
	c.W.Header().Set("Content-Type", "application/xml;charset=UTF-8")
	_, _ = fmt.Fprintf(c.W, "<?xml version='1.0' encoding='UTF-8'?>%s", out)
}
