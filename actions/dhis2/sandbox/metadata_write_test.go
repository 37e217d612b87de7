package sandbox

import (
	"net/http"
	"path/filepath"
	"testing"
)

func newUnit(id, code string, changes m) m {
	return having(m{"id": id, "name": "Coral New Post", "shortName": "New Post", "code": code,
		"openingDate": "2026-01-01", "parent": m{"id": coast}}, changes)
}

// TestOrgUnitsAreWritten: what is created, changed and patched is there at once, also for data, and after a restart.
func TestOrgUnitsAreWritten(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	s := newSite(t, Options{State: state})
	post := "newPost0001"
	for _, c := range []struct {
		method, path string
		body         any
		want         int
		code         string
	}{
		{http.MethodPost, "/api/organisationUnits", newUnit(post, "NEW-1", nil), http.StatusCreated, ""},
		{http.MethodPost, "/api/organisationUnits", newUnit(post, "NEW-1", nil), http.StatusConflict, "E5000"},
		{http.MethodPost, "/api/organisationUnits", newUnit("newPost0002", "NEW-1", nil), http.StatusConflict, "E5003"},
		{http.MethodPost, "/api/organisationUnits", newUnit("newPost0002", "NEW-2", m{"parent": m{"id": "aaaaaaaaaaa"}}),
			http.StatusConflict, "E5002"},
		{http.MethodPost, "/api/organisationUnits", newUnit("newPost0002", "NEW-2", m{"name": ""}), http.StatusConflict,
			"E4000"},
		{http.MethodPut, "/api/organisationUnits/" + post, newUnit(post, "NEW-1", m{"name": "Newer"}), http.StatusOK, ""},
		{http.MethodPut, "/api/organisationUnits/aaaaaaaaaaa", newUnit("aaaaaaaaaaa", "NEW-3", nil), http.StatusNotFound, ""},
		{http.MethodPatch, "/api/organisationUnits/" + post, l(m{"op": "add", "path": "/name", "value": "Newest"}),
			http.StatusOK, ""},
		{http.MethodPatch, "/api/organisationUnits/" + post, l(m{"op": "add", "path": "/nonsense", "value": "x"}),
			http.StatusBadRequest, ""},
		{http.MethodDelete, "/api/organisationUnits/" + coast, nil, http.StatusConflict, "E4030"},
		{http.MethodPost, "/api/metadata?importMode=VALIDATE",
			m{"organisationUnits": l(newUnit("newPost0004", "NEW-4", nil))}, http.StatusOK, ""},
		{http.MethodPost, "/api/metadata", m{"organisationUnits": l(newUnit("newPost0005", "NEW-5", nil),
			newUnit("newPost0006", "NEW-1", nil))}, http.StatusConflict, ""},
	} {
		status, answer := s.do(c.method, c.path, c.body)
		if status != c.want || c.code != "" && dig(answer, "response", "errorReports", 0, "errorCode") != c.code {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, status, flat(answer), c.want, c.code)
		}
	}
	if status, answer := s.as("clerk:Clerk#2026").do(http.MethodPost, "/api/organisationUnits",
		newUnit("newPost0007", "NEW-7", nil)); status != http.StatusForbidden {
		t.Errorf("a clerk made an org unit: %d %s", status, flat(answer))
	}
	for _, absent := range []string{"newPost0002", "newPost0004", "newPost0005"} {
		if status, _ := s.get("/api/organisationUnits/" + absent); status != http.StatusNotFound {
			t.Errorf("%s is there", absent)
		}
	}
	s.load(m{"trackedEntities": l(aPerson(1, m{"orgUnit": post}))})
	if status, answer := s.do(http.MethodDelete, "/api/organisationUnits/"+post, nil); status != http.StatusConflict {
		t.Errorf("an org unit with data was deleted: %d %s", status, flat(answer))
	}
	s.close()
	s = newSite(t, Options{State: state})
	_, unit := s.get("/api/organisationUnits/" + post + "?fields=name,path,level")
	if dig(unit, "name") != "Newest" || dig(unit, "level") != 3.0 {
		t.Errorf("after a restart: %s", flat(unit))
	}
}

// TestGroupsTakeMembers: an org unit is put into a group and taken out through the group.
func TestGroupsTakeMembers(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	if status, answer := s.do(http.MethodPost, "/api/organisationUnitGroups",
		m{"id": "newGroup001", "name": "Posts", "shortName": "Posts"}); status != http.StatusCreated {
		t.Fatalf("%d %s", status, flat(answer))
	}
	path := "/api/organisationUnitGroups/newGroup001"
	for i, method := range []string{http.MethodPost, http.MethodDelete} {
		if status, answer := s.do(method, path+"/organisationUnits/"+coast, nil); status != http.StatusOK {
			t.Errorf("%s: %d %s", method, status, flat(answer))
		}
		_, group := s.get(path + "?fields=organisationUnits[id]")
		if items, _ := dig(group, "organisationUnits").([]any); len(items) != 1-i {
			t.Errorf("after %s: %s", method, flat(group))
		}
	}
}
