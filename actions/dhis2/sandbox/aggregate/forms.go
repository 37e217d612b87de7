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
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

// wantedForm gives the form that a request wants its answer in: by the end of its address, else by its Accept header. Empty: one that there is not.
func (c *call) wantedForm(ending string) string {
	switch ending {
	case ".csv":
		return rest.FormCSV
	case ".xml":
		return rest.FormXML
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
	case kind == "text/csv" || kind == "application/csv":
		return rest.FormCSV
	case kind == "application/xml" || kind == "text/xml":
		return rest.FormXML
	}
	return ""
}

// columns are those of a CSV file of data values, in their order (DHIS2 CsvDataValueSetReader and Writer).
var columns = []string{"dataelement", "period", "orgunit", "categoryoptioncombo", "attributeoptioncombo", "value", "storedby", "lastupdated", "comment", "followup", "deleted"}

// readCSVValues reads data values from CSV; the first row names the columns unless firstRowIsHeader=false.
func (c *call) readCSVValues(body []byte) (*valueSet, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(body, []byte("\ufeff"))))
	r.FieldsPerRecord = -1
	s := &valueSet{dataSet: c.Query.Get("dataSet")}
	skip := c.Query.Get("firstRowIsHeader") == "" || rest.IsTrue(c.Query.Get("firstRowIsHeader"))
	for row := 0; ; row++ {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		if err != nil {
			return nil, rest.Verbatim(err.Error())
		}
		if row == 0 && skip {
			continue
		}
		at := func(i int) string {
			if i < len(fields) {
				return strings.TrimSpace(fields[i])
			}
			return ""
		}
		text := func(i int) *string {
			if v := at(i); v != "" {
				return &v
			}
			return nil
		}
		in := datumIn{element: at(0), period: at(1), orgUnit: at(2), combo: at(3), attributeCombo: at(4), value: text(5), storedBy: at(6), comment: text(8)}
		if f, ok := rest.ParseFlag(at(9)); ok {
			in.followUp = &f
		}
		in.deleted = rest.IsTrue(at(10))
		s.values = append(s.values, in)
	}
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
		in := datumIn{element: v.Element, period: v.Period, orgUnit: v.OrgUnit, combo: v.Combo, attributeCombo: v.AttributeCombo, storedBy: v.StoredBy,
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
func (c *call) valuesIn(form string, found []*store.DataValue) {
	if form == rest.FormCSV {
		c.W.Header().Set("Content-Type", "application/csv;charset=UTF-8")
		var b strings.Builder
		quoted := func(row []string) {
			for i, f := range row {
				if i > 0 {
					b.WriteByte(',')
				}
				b.WriteString(`"` + strings.ReplaceAll(f, `"`, `""`) + `"`)
			}
			b.WriteByte('\n')
		}
		quoted(columns)
		for _, v := range found {
			deleted := ""
			if v.Deleted {
				deleted = "true"
			}
			quoted([]string{v.Element, v.Period, v.OrgUnit, v.Combo, v.AttributeCombo, v.Value, v.UpdatedBy, v.Updated.Format(dates.Zoned), v.Comment,
				strconv.FormatBool(isTrue(v.FollowUp)), deleted})
		}
		_, _ = io.WriteString(c.W, b.String())
		return
	}
	x := xmlValues{Space: "http://dhis2.org/schema/dxf/2.0"}
	for _, v := range found {
		x.Values = append(x.Values, xmlValue{Element: v.Element, Period: v.Period, OrgUnit: v.OrgUnit, Combo: v.Combo, AttributeCombo: v.AttributeCombo, Value: v.Value,
			StoredBy: v.UpdatedBy, Created: v.Created.Format(dates.Zoned), LastUpdated: v.Updated.Format(dates.Zoned), Comment: v.Comment,
			FollowUp: strconv.FormatBool(isTrue(v.FollowUp))})
	}
	out, err := xml.Marshal(x)
	if err != nil {
		c.Fail(http.StatusInternalServerError, "", err.Error())
		return
	}
	c.W.Header().Set("Content-Type", "application/xml;charset=UTF-8")
	_, _ = fmt.Fprintf(c.W, "<?xml version='1.0' encoding='UTF-8'?>%s", out)
}
