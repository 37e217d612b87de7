package sandbox

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
)

// ids gives the ids of a list, or "status N".
func ids(status int, answer map[string]any, name string) string {
	if status != http.StatusOK {
		return fmt.Sprint("status ", status)
	}
	items, _ := answer[name].([]any)
	var out []string
	for _, it := range items {
		out = append(out, fmt.Sprint(dig(it, "id")))
	}
	return strings.Join(out, " ")
}

func TestMetadataFilters(t *testing.T) {
	t.Parallel()
	for _, version := range testedVersions {
		s := newSite(t, Options{Version: version})
		bad := "status 409"
		if s.server.env.Version.BadRequest() {
			bad = "status 400"
		}
		for query, want := range map[string]string{
			"programs?fields=id&filter=code:eq:EPI":             epi,
			"programs?fields=id&filter=code:ieq:epi":            epi,
			"programs?fields=id&filter=name:like:Malaria":       malaria,
			"programs?fields=id&filter=name:ilike:MALARIA":      malaria,
			"programs?fields=id&filter=name:$like:Ante":         anc,
			"programs?fields=id&filter=name:like$:immunisation": epi,
			"programs?fields=id&filter=name:token:child immun":  epi,
			"programs?fields=id&filter=programType:eq:WITH_REGISTRATION&order=name:asc": anc +
				" " + epi,
			"programs?fields=id&filter=programType:eq:WITH_REGISTRATION&order=name:desc": epi +
				" " + anc,
			"programs?fields=id&filter=code:in:[EPI,ANC]&order=code:asc": anc +
				" " + epi,
			"programs?fields=id&filter=code:!in:[EPI,ANC,MAL_CASE]":           "Hrn8UG6NgrV",
			"programs?fields=id&filter=programStages.code:eq:EPI_VAC":         epi,
			"programs?fields=id&filter=programStages.id:eq:" + ancFirst:       anc,
			"programs?fields=id&filter=programStages:gt:2":                    anc,
			"programs?fields=id&filter=trackedEntityType:null&order=name:asc": "Hrn8UG6NgrV " + malaria,
			"programs?fields=id&filter=onlyEnrollOnce:eq:true":                epi,
			"programs?fields=id&filter=code:eq:EPI&filter=code:eq:ANC":        "",
			"programs?fields=id&filter=code:eq:EPI&filter=code:eq:ANC&rootJunction=OR": anc +
				" " + epi,
			"programs?fields=id&filter=none:eq:EPI":                bad,
			"programs?fields=id&filter=code:none:EPI":              bad,
			"programs?fields=id&filter=code":                       bad,
			"organisationUnits?fields=id&filter=level:eq:1":        "MZNBwjReCp4",
			"organisationUnits?fields=id&filter=level:lt:2":        "MZNBwjReCp4",
			"organisationUnits?fields=id&filter=code:eq:TM-010101": hospital,
			"organisationUnits?fields=id&filter=parent.parent.code:eq:TM-01" +
				"&filter=name:eq:Baobab Bay District Hospital": hospital,
			"organisationUnits?fields=id&filter=closedDate:!null":                       closedOne,
			"organisationUnits?fields=id&paging=true&pageSize=1&page=1&order=level:asc": "MZNBwjReCp4",
		} {
			status, answer := s.get("/api/" + strings.ReplaceAll(query, " ", "%20"))
			list, _, _ := strings.Cut(query, "?")
			got := ids(status, answer, list)
			if strings.Contains(query, "rootJunction") { // no order was asked for
				got, want = sortedWords(got), sortedWords(want)
			}
			if got != want {
				t.Errorf("%s %s: %q, want %q", version, query, got, want)
			}
		}
	}
}

func TestOrgUnitsAround(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	for query, want := range map[string]int{"": 0,
		"?includeChildren=true": len(s.server.env.Catalog.OrgUnits[coast].Children) + 1, "?includeAncestors=true": 2,
		"?level=0": 1} {
		_, answer := s.get("/api/organisationUnits/" + coast + query)
		items, _ := answer["organisationUnits"].([]any)
		if len(items) != want {
			t.Errorf("%s: %d org units, want %d", query, len(items), want)
		}
	}
	_, answer := s.get("/api/organisationUnits/MZNBwjReCp4?includeDescendants=true&fields=id&paging=false")
	if items, _ := answer["organisationUnits"].([]any); len(items) != len(s.server.env.Catalog.OrgUnits) {
		t.Errorf("%d org units below the root", len(items))
	}
}

// TestMetadataListParameters: flags as Spring reads them, pages of nothing, levels, what a user is
// given, what is left out, and exports by collection.
func TestMetadataListParameters(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{Version: "2.42"})
	all := len(s.server.env.Catalog.OrgUnits)
	for query, want := range map[string]int{
		"organisationUnits?paging=No": all, "organisationUnits?pageSize=0": 0, "organisationUnits?level=1": 1,
		"organisationUnits?maxLevel=1&paging=off": 1, "organisationUnits?userOnly=true": 1,
		"organisationUnits/" + coast + "/children?level=0": 1, "organisationUnits/" + coast + "/parents": 1,
		"categories?filter=name:eq:default": 1, "categories?filter=name:eq:default&defaults=EXCLUDE": 0,
		"metadata?programs:fields=id&programs:filter=code:eq:ANC": 1,
		"metadata?programs=TRUE":                                  len(s.server.env.Catalog.Objects[catalog.KindProgram]),
		"organisationUnits?paging=maybe":                          -1, "organisationUnits?level=x": -1,
		"organisationUnits?page=x": -1,
		"categories?defaults=no":   -1,
	} {
		status, answer := s.get("/api/" + query)
		got := -1
		if status == http.StatusOK {
			kind, _, _ := strings.Cut(query, "?")
			kind, _, _ = strings.Cut(kind, "/")
			if kind == "metadata" {
				kind = "programs"
				if len(answer) != 2 {
					t.Errorf("%s: %d collections", query, len(answer)-1)
				}
			}
			items, _ := answer[kind].([]any)
			got = len(items)
		}
		if got != want {
			t.Errorf("%s: %d %d, want %d", query, status, got, want)
		}
	}
	_, answer := s.get("/api/dataElements?defaults=EXCLUDE&fields=id,categoryCombo&paging=false")
	items, _ := answer["dataElements"].([]any)
	for _, it := range items {
		if c, ok := it.(map[string]any)["categoryCombo"]; ok && flat(c.(map[string]any)) == "{}" {
			t.Errorf("%v", it)
		}
	}
	old := newSite(t, Options{Version: "2.41"})
	if status, answer := old.get("/api/organisationUnits?paging=maybe&page=x"); status != http.StatusOK ||
		answer["pager"] != nil {
		t.Errorf("2.41: %d %s", status, flat(answer))
	}
}

func sortedWords(s string) string {
	w := strings.Fields(s)
	for i := range w {
		for j := i + 1; j < len(w); j++ {
			if w[j] < w[i] {
				w[i], w[j] = w[j], w[i]
			}
		}
	}
	return strings.Join(w, " ")
}

func TestMetadataFields(t *testing.T) {
	t.Parallel()
	for _, version := range testedVersions {
		s := newSite(t, Options{Version: version})
		for fields, want := range map[string]string{
			"id,code":                              `{"code":"ANC","id":"HKEoH96oH4U"}`,
			"id,none":                              `{"id":"HKEoH96oH4U"}`,
			"code~rename(short)":                   `{"short":"ANC"}`,
			"programStages~size":                   `{"programStages":3}`,
			"programStages::size":                  `{"programStages":3}`,
			"programStages~isEmpty":                `{"programStages":false}`,
			"programStages~isNotEmpty~rename(any)": `{"any":true}`,
			"programStages~pluck(code)":            `{"programStages":["ANC_1ST","ANC_FUP","ANC_DEL"]}`,
			"programStages~paging(1;2)":            `{"programStages":[{"id":"SO9SciPUi24"},{"id":"qgrv8l2KyHh"}]}`,
			"programStages[code]": `{"programStages":[{"code":"ANC_1ST"},{"code":"ANC_FUP"},` +
				`{"code":"ANC_DEL"}]}`,
			"trackedEntityType":                                  `{"trackedEntityType":{"id":"DEEHBfgFvHr"}}`,
			"trackedEntityType[id,name]":                         `{"trackedEntityType":{"id":"DEEHBfgFvHr","name":"Person"}}`,
			"trackedEntityType.name":                             `{"trackedEntityType":{"name":"Person"}}`,
			":identifiable,!created,!lastUpdated,!lastUpdatedBy": `{"code":"ANC","id":"HKEoH96oH4U","name":"Antenatal care"}`,
			"id],code":                `{"code":"ANC","id":"HKEoH96oH4U"}`,
			"id,trackedEntityType[id": `{"id":"HKEoH96oH4U","trackedEntityType":{"id":"DEEHBfgFvHr"}}`,
			"id,name,!name":           `{"id":"HKEoH96oH4U"}`,
		} {
			_, answer := s.get("/api/programs/" + anc + "?fields=" + fields)
			if got := flat(answer); got != want {
				t.Errorf("%s %s: %s, want %s", version, fields, got, want)
			}
		}
		if _, all := s.get("/api/programs/" + anc + "?fields=:all"); all["programStages"] == nil || all["name"] == nil ||
			all["access"] == nil {
			t.Errorf("%s: :all gives %.300s", version, flat(all))
		}
	}
}

func TestTrackerReads(t *testing.T) {
	t.Parallel()
	for _, version := range testedVersions {
		s := newSite(t, Options{Version: version})
		for i := range 5 {
			body := full(i)
			body["enrollments"] = l(enrolled(i, m{"attributes": nil}))
			body["trackedEntities"] = l(aPerson(i, m{"attributes": l(given(firstName, fmt.Sprint("Ama", i)),
				given(birth, fmt.Sprintf("200%d-01-01", i)))}))
			s.load(body)
		}
		s.load(m{"events": l(malariaCase(1), malariaCase(2, m{"orgUnit": centre, "status": "ACTIVE"}))})
		list := func(path string) []any {
			status, answer := s.get("/api/tracker/" + path)
			if status != http.StatusOK {
				return []any{fmt.Sprint("status ", status)}
			}
			for _, name := range []string{"instances", "trackedEntities", "enrollments", "events"} {
				if items, ok := answer[name].([]any); ok {
					return items
				}
			}
			return nil
		}
		units, mode := "orgUnits", "orgUnitMode"
		if s.server.env.Version < 41 {
			units, mode = "orgUnit", "ouMode"
		}
		people := "trackedEntities?" + mode + "=ALL&program=" + anc
		for query, want := range map[string]int{
			people: 5,
			people + "&filter=" + firstName + ":eq:Ama1":                                                     1,
			people + "&filter=" + firstName + ":EQ:ama1":                                                     1,
			people + "&filter=" + firstName + ":like:ama":                                                    5,
			people + "&filter=" + firstName + ":sw:Ama&filter=" + birth + ":ge:2003-01-01":                   2,
			people + "&filter=" + birth + ":gt:2001-01-01:lt:2004-01-01":                                     2,
			people + "&filter=" + firstName + ":in:Ama1;Ama2":                                                2,
			people + "&pageSize=2":                                                                           2,
			people + "&pageSize=2&page=3":                                                                    1,
			"trackedEntities?" + units + "=" + hospital + "&" + mode + "=SELECTED&program=" + anc:            5,
			"trackedEntities?" + units + "=" + centre + "&" + mode + "=SELECTED&program=" + anc:              0,
			"trackedEntities?" + units + "=" + coast + "&" + mode + "=DESCENDANTS&program=" + anc:            5,
			"enrollments?" + mode + "=ALL&program=" + anc:                                                    5,
			"events?" + mode + "=ALL&program=" + malaria:                                                     2,
			"events?program=" + malaria + "&status=ACTIVE&" + mode + "=ALL":                                  1,
			"events?program=" + malaria + "&orgUnit=" + centre:                                               1,
			"events?program=" + malaria + "&" + mode + "=ALL&filter=Gy8dw06me68:ge:7":                        2,
			"events?program=" + malaria + "&" + mode + "=ALL&filter=Gy8dw06me68:gt:7":                        0,
			"events?program=" + anc + "&" + mode + "=ALL&occurredAfter=2026-06-02&occurredBefore=2026-06-02": 5,
			"events?program=" + anc + "&" + mode + "=ALL&occurredAfter=2026-06-03":                           0,
		} {
			if got := list(query); len(got) != want {
				t.Errorf("%s %s: %d objects, want %d: %.300s", version, query, len(got), want, flat(got))
			}
		}
		_, te := s.get("/api/tracker/trackedEntities/" + testUID("tPer", 1) +
			"?fields=trackedEntity,enrollments[enrollment,events[event,dataValues[value]]]")
		want := `{"enrollments":[{"enrollment":"tEnr0000001","events":[{"dataValues":[{"value":"12"}],` +
			`"event":"tVis0000001"}]}],"trackedEntity":"tPer0000001"}`
		if flat(te) != want {
			t.Errorf("%s: %s, want %s", version, flat(te), want)
		}
		order := list(people + "&order=" + firstName + ":desc&fields=trackedEntity")
		if dig(order, 0, "trackedEntity") != testUID("tPer", 4) {
			t.Errorf("%s: order %s", version, flat(order))
		}
		_, page := s.get("/api/tracker/" + people + "&pageSize=2&totalPages=true")
		total := dig(page, "total")
		if p, ok := page["pager"]; ok {
			total = dig(p, "total")
		}
		if total != 5.0 {
			t.Errorf("%s: total of %.300s", version, flat(page))
		}
	}
}

func TestDataValues(t *testing.T) {
	t.Parallel()
	for _, version := range testedVersions {
		s := newSite(t, Options{Version: version})
		newer := s.server.env.Version.DataEntry()
		key := "?de=hDcgGqsTAYb&pe=202605&ou=" + hospital
		say := func(method, query string) string {
			resp, body, err := s.send(method, "/api/dataValues"+query, nil)
			if err != nil {
				t.Fatal(err)
			}
			code := ""
			if _, rest, ok := strings.Cut(string(body), `"errorCode":"`); ok {
				code = " " + rest[:5]
			}
			return fmt.Sprint(resp.StatusCode, code)
		}
		steps := []struct{ method, query, want, newer string }{
			{"GET", key, "409", ""},
			{"DELETE", key, "409", ""},
			{"POST", key + "&value=3", "201", ""},
			{"GET", key, "200", ""},
			{"POST", key + "&comment=seen", "201", ""},
			{"POST", key + "&value=x", "409 E2030", "409 E1004"},
			{"POST", "?de=aaaaaaaaaaa&pe=202605&ou=" + hospital + "&value=1", "409 E1100", "409 E8003"},
			{"POST", "?de=hDcgGqsTAYb&pe=soon&ou=" + hospital + "&value=1", "409 E1101", "-"},
			{"POST", "?de=hDcgGqsTAYb&pe=202605&ou=aaaaaaaaaaa&value=1", "409 E1102", "-"},
			{"POST", key + "&value=1&co=aaaaaaaaaaa", "409 E1103", "-"},
			{"POST", key + "&value=1&cc=PW4B8YOG0c5", "409 E2040", "409 E2040"},
			{"POST", key + "&value=1&ds=aaaaaaaaaaa", "409 E1105", "-"},
			{"POST", key + "&value=1&ds=jbNaHKnS8l2", "409 E2021", "-"},
			// later versions let a superuser
			{"POST", "?de=hDcgGqsTAYb&pe=202705&ou=" + hospital + "&value=1", "409 E2022", "201"},
			{"POST", "?de=hDcgGqsTAYb&pe=202605&ou=" + closedOne + "&value=1", "409 E2019", "-"},
			{"DELETE", "?de=hDcgGqsTAYb&pe=202705&ou=" + hospital, "409 E2022", "204"},
			{"POST", key + "&value=", "201", ""},
			{"GET", key, "200", "409"}, // the comment is still there, unless an empty value deletes
			{"DELETE", key, "204", "409"},
			{"GET", key, "409", ""},
		}
		for i, step := range steps {
			want := step.want
			if newer && step.newer != "" {
				want = step.newer
			}
			got := say(step.method, step.query)
			if want == "-" {
				if strings.HasPrefix(got, "2") {
					t.Errorf("%s step %d: %s %s answers %s", version, i, step.method, step.query, got)
				}
			} else if got != want {
				t.Errorf("%s step %d: %s %s answers %s, want %s", version, i, step.method, step.query, got, want)
			}
		}
		if c := s.server.Counts(); c.DataValues != 0 {
			t.Errorf("%s: %d values left", version, c.DataValues)
		}
		bad := m{"dataSet": "FSh2AafV4XC", "period": "202605", "orgUnit": hospital,
			"dataValues": l(m{"dataElement": "hDcgGqsTAYb", "value": "3"},
				m{"dataElement": "w7JyGor7jNA", "value": "perhaps"})}
		status, answer := s.do("POST", "/api/dataValueSets", bad)
		if dig(answer, "response", "importCount", "ignored") != 1.0 || s.server.Counts().DataValues != 1 ||
			status == http.StatusOK && !newer {
			t.Errorf("%s: %d %s", version, status, flat(answer))
		}
	}
}
