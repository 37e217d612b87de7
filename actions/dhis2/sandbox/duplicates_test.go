package sandbox

import (
	"net/http"
	"testing"
)

// TestPotentialDuplicates: a pair is flagged once, and merging moves what the duplicate has.
func TestPotentialDuplicates(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	s.load(m{"trackedEntities": l(aPerson(1, m{"attributes": l(given(firstName, "Ama"))}),
		aPerson(2, m{"attributes": l(given(firstName, "Ama"))}))})
	s.load(m{"enrollments": l(enrolled(2, m{"attributes": l(given(firstName, "Ama"), given(birth, "2001-01-01"))}))})
	pair := m{"original": testUID("tPer", 1), "duplicate": testUID("tPer", 2)}
	status, flagged := s.do(http.MethodPost, "/api/potentialDuplicates", pair)
	if status != http.StatusOK || flagged["status"] != "OPEN" {
		t.Fatalf("flag: %d %s", status, flat(flagged))
	}
	if status, again := s.do(http.MethodPost, "/api/potentialDuplicates",
		m{"original": pair["duplicate"], "duplicate": pair["original"]}); status != http.StatusConflict {
		t.Errorf("flagged again: %d %s", status, flat(again))
	}
	path := "/api/potentialDuplicates/" + flagged["id"].(string)
	if status, _ := s.do(http.MethodPut, path+"?status=MERGED", nil); status != http.StatusBadRequest {
		t.Errorf("a pair was set to merged: %d", status)
	}
	if status, answer := s.do(http.MethodPost, path+"/merge", nil); status != http.StatusOK {
		t.Fatalf("merge: %d %s", status, flat(answer))
	}
	_, kept := s.get("/api/tracker/trackedEntities/" + testUID("tPer", 1) + "?program=" + anc +
		"&fields=enrollments[enrollment]")
	if flat(kept) != `{"enrollments":[{"enrollment":"`+testUID("tEnr", 2)+`"}]}` {
		t.Errorf("the original has %s", flat(kept))
	}
	if status, _ := s.get("/api/tracker/trackedEntities/" + testUID("tPer", 2)); status != http.StatusNotFound {
		t.Errorf("the duplicate is still there: %d", status)
	}
	_, list := s.get("/api/potentialDuplicates?status=MERGED")
	if len(list["potentialDuplicates"].([]any)) != 1 {
		t.Errorf("merged pairs: %s", flat(list))
	}
}

// TestFollowUp: one value is marked without its value being sent.
func TestFollowUp(t *testing.T) {
	t.Parallel()
	for _, version := range testedVersions {
		s := newSite(t, Options{Version: version})
		key := m{"dataElement": "hDcgGqsTAYb", "period": "202601", "orgUnit": hospital}
		s.do(http.MethodPost, "/api/dataValueSets", m{"dataValues": l(having(key, m{"value": "3"}))})
		if status, answer := s.do(http.MethodPut, "/api/dataValues/followup",
			having(key, m{"followup": true})); status != http.StatusOK {
			t.Errorf("%s: %d %s", version, status, flat(answer))
		}
		_, set := s.get("/api/dataValueSets?dataSet=FSh2AafV4XC&period=202601&orgUnit=" + hospital)
		if dig(set, "dataValues", 0, "followup") != true || dig(set, "dataValues", 0, "value") != "3" {
			t.Errorf("%s: %s", version, flat(set))
		}
		if status, _ := s.do(http.MethodPut, "/api/dataValues/followup",
			having(key, m{"period": "202502", "followup": true})); status != http.StatusConflict {
			t.Errorf("%s: a value that is not there was marked: %d", version, status)
		}
	}
}
