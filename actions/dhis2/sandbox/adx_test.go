package sandbox

import (
	"net/http"
	"strings"
	"testing"
)

// TestADX: values come and go in ADX, by codes up to 2.42, by what the parameters say from 2.43 on,
// as real servers of 2.42 and 2.43 answered.
func TestADX(t *testing.T) {
	t.Parallel()
	const basic, kind = "Basic YWRtaW46ZGlzdHJpY3Q=", "application/adx+xml"
	group := func(set, unit, values string) string {
		return `<adx xmlns="urn:ihe:qrph:adx:2015"><group dataSet="` + set + `" period="2026-01-01/P1M" orgUnit="` + unit +
			`">` + values + `</group></adx>`
	}
	byCode := group("DS_MAL_M", "TM-010101",
		`<dataValue dataElement="MAL_TEST" AGE_GROUP="U5" CASE_SEX="CF" value="3"/><dataValue dataElement="MAL_NOTE" `+
			`value="0"><annotation>word</annotation></dataValue>`)
	byUID := group("FSh2AafV4XC", hospital,
		`<dataValue dataElement="ht5dzHrMOFb" l5D9Tu3KknX="ErDsDYv8EYf" uPWASYNNgI2="Qp25LIQgnZA" value="3"/><dataValue `+
			`dataElement="kUncXZ9ti6k" value="0"><annotation>word</annotation></dataValue>`)
	const codes = "?idScheme=CODE&dataSetIdScheme=CODE&dataElementIdScheme=CODE&orgUnitIdScheme=CODE" +
		"&categoryIdScheme=CODE&categoryOptionIdScheme=CODE"
	const uids = "?idScheme=UID"
	named := func(body, combo string) string {
		return strings.Replace(body, ` value="0"`, ` value="0" categoryOptionCombo="`+combo+`"`, 1)
	}
	for _, tc := range []struct {
		version, query, body string
		status               int
	}{
		{"2.42", "", byCode, http.StatusOK},
		{"2.42", uids, byUID, http.StatusOK},
		{"2.42", "", byUID, http.StatusConflict},
		{"2.42", "", strings.Replace(byCode, ` CASE_SEX="CF"`, "", 1), http.StatusConflict},
		{"2.42", "", strings.Replace(byCode, "/P1M", "/P5M", 1), http.StatusConflict},
		{"2.43", codes, named(byCode, "default"), http.StatusOK},
		{"2.43", "", named(byUID, "HllvX50cXC0"), http.StatusOK},
		{"2.43", "", byUID, http.StatusConflict}, // the default combo is not found by no options
		{"2.43", "", strings.Replace(named(byUID, "HllvX50cXC0"), "/P1M", "/P5M", 1), http.StatusBadRequest},
	} {
		s := newSite(t, Options{Version: tc.version})
		r := bare(t, s, http.MethodPost, "/api/dataValueSets"+tc.query, tc.body, "Authorization", basic, "Content-Type", kind)
		if r.StatusCode != tc.status {
			t.Errorf("%s %s %s: %d", tc.version, tc.query, tc.body, r.StatusCode)
			continue
		}
		if tc.status != http.StatusOK {
			continue
		}
		for query, want := range map[string]string{codes: `<dataValue dataElement="MAL_TEST" AGE_GROUP="U5" ` +
			`CASE_SEX="CF" value="3">`, uids: `<dataValue dataElement="ht5dzHrMOFb" l5D9Tu3KknX="ErDsDYv8EYf" ` +
			`uPWASYNNgI2="Qp25LIQgnZA" value="3">`} {
			res, body, err := s.send(http.MethodGet,
				"/api/dataValueSets"+query+"&format=adx%2Bxml&dataSet=FSh2AafV4XC&period=202601&orgUnit="+hospital, nil)
			if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), want) ||
				!strings.Contains(string(body), "<annotation>word</annotation>") {
				t.Errorf("%s %s: %v %s", tc.version, query, err, body)
			}
		}
	}
}

// TestFormsOfValues: text/csv is refused, columns are found by name from 2.43 on and by place
// before, and 2.43 passes over the Accept header.
func TestFormsOfValues(t *testing.T) {
	t.Parallel()
	const basic = "Basic YWRtaW46ZGlzdHJpY3Q="
	swapped := "period,dataelement,orgunit,value\n202601,hDcgGqsTAYb," + hospital + ",7\n"
	for version, want := range map[string]struct {
		swapped int
		kind    string
	}{"2.42": {http.StatusConflict, "application/csv"}, "2.43": {http.StatusOK, "application/json"}} {
		s := newSite(t, Options{Version: version})
		if r := bare(t, s, http.MethodPost, "/api/dataValueSets", swapped, "Authorization", basic, "Content-Type",
			"text/csv"); r.StatusCode != http.StatusUnsupportedMediaType {
			t.Errorf("%s: text/csv: %d", version, r.StatusCode)
		}
		if r := bare(t, s, http.MethodPost, "/api/dataValueSets", swapped, "Authorization", basic, "Content-Type",
			"application/csv"); r.StatusCode != want.swapped {
			t.Errorf("%s: columns in another order: %d", version, r.StatusCode)
		}
		r := bare(t, s, http.MethodGet, "/api/dataValueSets?dataSet=FSh2AafV4XC&period=202601&orgUnit="+hospital, "",
			"Authorization", basic, "Accept", "application/csv")
		if got := r.Header.Get("Content-Type"); r.StatusCode != http.StatusOK || !strings.HasPrefix(got, want.kind) {
			t.Errorf("%s: asked for CSV by the header: %d %s", version, r.StatusCode, got)
		}
	}
}
