package sandbox

import (
	"net/http"
	"strings"
	"testing"
)

// TestListsByIDs: which lists need their program, and what separates ids, is each version's own affair.
func TestListsByIDs(t *testing.T) {
	t.Parallel()
	ids := func(prefix, separator string) string {
		return testUID(prefix, 1) + separator + testUID(prefix, 2)
	}
	for _, c := range []struct {
		path string
		want map[string]string // by version: how many objects, or the status with the kind of the answer
	}{
		{"events?events=" + ids("tVis", ","), map[string]string{"2.41": "2", "2.42": "2", "2.43": "400 text/html"}},
		{"events?events=" + ids("tVis", ",") + "&program=" + anc, map[string]string{"2.41": "2", "2.42": "2", "2.43": "2"}},
		{"events?events=" + ids("tVis", ";") + "&program=" + anc,
			map[string]string{"2.41": "400 json", "2.42": "400 json", "2.43": "400 json"}},
		{"events?event=" + ids("tVis", ";"), map[string]string{"2.41": "2", "2.42": "3", "2.43": "400 text/html"}},
		{"events?event=" + ids("tVis", ","), map[string]string{"2.41": "400 json", "2.42": "3"}},
		{"enrollments?enrollments=" + ids("tEnr", ","), map[string]string{"2.41": "2", "2.42": "2", "2.43": "400 json"}},
		{"enrollments?enrollments=" + ids("tEnr", ",") + "&program=" + anc,
			map[string]string{"2.41": "2", "2.42": "2", "2.43": "2"}},
		{"enrollments?enrollment=" + ids("tEnr", ";"), map[string]string{"2.41": "2", "2.42": "3", "2.43": "400 json"}},
		{"trackedEntities?trackedEntities=" + ids("tPer", ","), map[string]string{"2.41": "2", "2.42": "2", "2.43": "2"}},
		{"trackedEntities?trackedEntity=" + ids("tPer", ";"),
			map[string]string{"2.41": "2", "2.42": "400 json", "2.43": "400 json"}},
		{"events?program=" + anc + "&orgUnit=" + centre, map[string]string{"2.41": "0", "2.42": "0", "2.43": "0"}},
		{"events?program=" + anc + "&orgUnits=" + centre, map[string]string{"2.41": "3", "2.42": "3", "2.43": "3"}},
		{"enrollments?program=" + anc + "&orgUnits=" + centre, map[string]string{"2.41": "0", "2.42": "0", "2.43": "0"}},
		{"enrollments?program=" + anc + "&orgUnit=" + centre, map[string]string{"2.41": "0", "2.42": "3", "2.43": "3"}},
	} {
		for version, want := range c.want {
			s := newSite(t, Options{Version: version})
			for i := range 3 {
				s.load(full(i))
			}
			if got := listed(s, c.path); got != want {
				t.Errorf("%s %s: %s, want %s", version, c.path, got, want)
			}
		}
	}
}

// listed gives the number of objects in a list, or the status and the kind of what was answered instead.
func listed(s *site, path string) string {
	r, body, err := s.send(http.MethodGet, "/api/tracker/"+path, nil)
	if err != nil {
		return err.Error()
	}
	if r.StatusCode != http.StatusOK {
		kind := "json"
		if strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
			kind = "text/html"
		}
		return flat(r.StatusCode) + " " + kind
	}
	name, _, _ := strings.Cut(path, "?")
	return flat(strings.Count(string(body), `"`+map[string]string{"events": "event", "enrollments": "enrolledAt",
		"trackedEntities": "trackedEntityType"}[name]+`":`))
}
