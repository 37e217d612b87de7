package sandbox

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// TestDataStore: entries are made once, changed, read in part, and are still there after a restart.
func TestDataStore(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	s := newSite(t, Options{State: state})
	for _, c := range []struct {
		method, path string
		body         any
		want         int
	}{
		{http.MethodGet, "/api/dataStore/app", nil, http.StatusNotFound},
		{http.MethodPost, "/api/dataStore/app/one", m{"name": "a", "size": 1}, http.StatusCreated},
		{http.MethodPost, "/api/dataStore/app/one", m{"name": "b"}, http.StatusConflict},
		{http.MethodPut, "/api/dataStore/app/two", m{"name": "c"}, http.StatusCreated},
		{http.MethodPut, "/api/dataStore/app/two", m{"name": "d"}, http.StatusOK},
		{http.MethodGet, "/api/dataStore/app/three", nil, http.StatusNotFound},
		{http.MethodPost, "/api/userDataStore/app/mine", m{"x": 1}, http.StatusCreated},
		{http.MethodPost, "/api/systemSettings/applicationTitle?value=Health", nil, http.StatusOK},
	} {
		if status, answer := s.do(c.method, c.path, c.body); status != c.want {
			t.Errorf("%s %s: %d %s, want %d", c.method, c.path, status, flat(answer), c.want)
		}
	}
	s.close()
	s = newSite(t, Options{State: state})
	_, two := s.get("/api/dataStore/app/two")
	_, some := s.get("/api/dataStore/app?fields=name")
	_, title := s.get("/api/systemSettings/applicationTitle")
	if dig(two, "name") != "d" || dig(some, "entries", 0, "name") != "a" || title["applicationTitle"] != "Health" {
		t.Errorf("after a restart: %s %s %s", flat(two), flat(some), flat(title))
	}
	if status, _ := s.as("clerk:Clerk#2026").get("/api/userDataStore/app/mine"); status != http.StatusNotFound {
		t.Errorf("one user sees another's store: %d", status)
	}
	if status, _ := s.as("clerk:Clerk#2026").do(http.MethodPost, "/api/systemSettings/applicationTitle?value=Mine",
		nil); status != http.StatusForbidden {
		t.Errorf("a clerk set a system setting: %d", status)
	}
	if status, _ := s.do(http.MethodDelete, "/api/dataStore/app", nil); status != http.StatusOK {
		t.Errorf("deleting a namespace: %d", status)
	}
	if status, _ := s.get("/api/dataStore/app"); status != http.StatusNotFound {
		t.Errorf("the namespace is still there: %d", status)
	}
}

// TestValuesInOtherForms: sets of data values come and go in CSV and XML too; what there is not is refused.
func TestValuesInOtherForms(t *testing.T) {
	t.Parallel()
	for _, version := range testedVersions {
		s := newSite(t, Options{Version: version})
		basic := "Basic YWRtaW46ZGlzdHJpY3Q="
		read := "?dataSet=FSh2AafV4XC&period=202601&orgUnit=" + hospital
		csv := "dataelement,period,orgunit,categoryoptioncombo,attributeoptioncombo,value\nhDcgGqsTAYb,202601," + hospital +
			",,,7\n"
		if r := bare(t, s, http.MethodPost, "/api/dataValueSets", csv, "Authorization", basic, "Content-Type",
			"application/csv"); r.StatusCode != http.StatusOK {
			t.Errorf("%s: CSV: %d", version, r.StatusCode)
		}
		xml := `<dataValueSet xmlns="http://dhis2.org/schema/dxf/2.0" dataSet="FSh2AafV4XC" period="202602" orgUnit="` +
			hospital + `"><dataValue dataElement="hDcgGqsTAYb" value="8"/></dataValueSet>`
		if r := bare(t, s, http.MethodPost, "/api/dataValueSets", xml, "Authorization", basic, "Content-Type",
			"application/xml"); r.StatusCode != http.StatusOK {
			t.Errorf("%s: XML: %d", version, r.StatusCode)
		}
		for path, want := range map[string]string{"/api/dataValueSets.csv" + read: "hDcgGqsTAYb,202601," + hospital,
			"/api/dataValueSets.xml" + strings.Replace(read, "202601", "202602", 1): `value="8"`} {
			_, body, err := s.send(http.MethodGet, path, nil)
			if err != nil || !strings.Contains(string(body), want) {
				t.Errorf("%s %s: %v %s", version, path, err, body)
			}
		}
		if r := bare(t, s, http.MethodGet, "/api/programs", "", "Authorization", basic, "Accept",
			"application/xml"); r.StatusCode != http.StatusNotAcceptable {
			t.Errorf("%s: metadata in XML: %d", version, r.StatusCode)
		}
	}
}
