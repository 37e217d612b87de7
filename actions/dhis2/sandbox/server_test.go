package sandbox

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/sandbox/faults"
)

func TestNewSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		o    Options
		want []string
	}{
		"nothing there": {Options{Metadata: filepath.Join(dir, "none.json")},
			[]string{"none.json", "give a DHIS2 metadata export"}},
		"no JSON": {Options{Metadata: write("bad.json", "{\n  \"programs\": [,]\n}")},
			[]string{"bad.json:2:", "export it anew"}},
		"other JSON": {Options{Metadata: write("other.json", `{"a":1}`)}, []string{"other.json", "holds no metadata"}},
		"no id": {Options{Metadata: write("noid.json", `{"organisationUnits":[{"name":"x"}]}`)},
			[]string{"noid.json", "holds no metadata"}},
		"none of more": {Options{Metadata: "testdata/tamala.json", More: []string{filepath.Join(dir, "more.json")}},
			[]string{"more.json", "give a DHIS2 metadata export"}},
		"no objects": {Options{Metadata: write("list.json", `{"organisationUnits":[1]}`)},
			[]string{"list.json", "not a list of objects"}},
		"empty folder": {Options{Metadata: filepath.Join(dir, "empty")}, []string{"empty", "run a sync first"}},
		"version":      {Options{Metadata: "testdata/tamala.json", Version: "3.0"}, []string{"3.0", "2.38"}},
		"foreign state": {Options{Metadata: "testdata/tamala.json", State: write("state", "hello\n")},
			[]string{"state", "not a state file"}},
		"bad state": {Options{Metadata: "testdata/tamala.json",
			State: write("state2", `{"culvert-sandbox":1}`+"\n{\"k\":1}\n")}, []string{"state2:2"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := New(c.o)
			if err == nil {
				s.Close()
				t.Fatal("no error")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not tell %q", err, w)
				}
			}
		})
	}
}

func TestStateSurvives(t *testing.T) {
	t.Parallel()
	for _, version := range testedVersions {
		path := filepath.Join(t.TempDir(), "state")
		s := newSite(t, Options{Version: version, State: path})
		s.load(full(1))
		s.load(full(2))
		s.do("POST", "/api/tracker?async=false&importStrategy=DELETE", m{"events": l(m{"event": testUID("tVis", 2)})})
		s.do("POST", "/api/dataValueSets", m{"dataSet": "FSh2AafV4XC", "period": "202605", "orgUnit": hospital,
			"completeDate": "2026-06-01", "dataValues": l(
				m{"dataElement": "hDcgGqsTAYb", "period": "202605", "orgUnit": hospital, "value": "3"})})
		_, made := s.do("POST", "/api/apiToken", m{})
		token, _ := dig(made, "response", "key").(string)
		want, counts := string(s.server.Dump()), s.server.Counts()
		counts.Requests = 0
		if counts.DataValues != 1 || counts.Completions != 1 || counts.Events != 1 {
			t.Fatalf("%s: %+v", version, counts)
		}
		data, err := os.ReadFile(path) // as after a kill: nothing was closed, and the last line was cut off
		if err != nil {
			t.Fatal(err)
		}
		killed := filepath.Join(t.TempDir(), "state")
		if err := os.WriteFile(killed, append(data, `{"k":"te","o":{"uid":"cutOff`...), 0o600); err != nil {
			t.Fatal(err)
		}
		again := newSite(t, Options{Version: version, State: killed})
		if got := string(again.server.Dump()); got != want {
			t.Errorf("%s: after a restart\n%s\nbefore\n%s", version, got, want)
		}
		if got := again.server.Counts(); got != counts {
			t.Errorf("%s: counts %+v, before %+v", version, got, counts)
		}
		if status, _ := again.as("").do("GET", "/api/me", nil, "Authorization", "ApiToken "+token); status != http.StatusOK {
			t.Errorf("%s: the token was forgotten", version)
		}
		_, answer := again.do("POST", "/api/tracker?async=false", m{"events": l(visited(2))})
		if got := strings.Join(reported(answer), ","); got != "error E1082 EVENT "+testUID("tVis", 2) {
			t.Errorf("%s: a deleted uid: %s", version, got)
		}
	}
}

func TestParseFaults(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Faults{
		"":   {},
		"5%": {Rate: 0.05},
		"1":  {Rate: 1},
		"rate=0.5,latency=200ms,kinds=502+drop,seed=7": {Rate: 0.5, Latency: 200 * time.Millisecond, Seed: 7,
			Kinds: []string{FaultBadGateway, FaultDropAfter, FaultDropBefore}},
	} {
		got, err := ParseFaults(text)
		slices.Sort(want.Kinds)
		if err != nil || got.Rate != want.Rate || got.Latency != want.Latency || got.Seed != want.Seed ||
			!slices.Equal(got.Kinds, want.Kinds) {
			t.Errorf("%q: %+v %v", text, got, err)
		}
	}
	for _, text := range []string{"x", "200%", "-1", "kinds=none", "latency=soon", "what=1", "rate="} {
		if _, err := ParseFaults(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	for i, kind := range faults.Kinds {
		s.server.SetFaults(Faults{Rate: 1, Kinds: []string{kind}})
		resp, body, err := s.send("POST", "/api/tracker?async=false", m{"trackedEntities": l(aPerson(i))})
		written := strings.Contains(string(s.server.Dump()), testUID("tPer", i))
		late := slices.Contains([]string{FaultDropAfter, FaultSlow, FaultTruncated, FaultEmpty}, kind)
		if written != late {
			t.Errorf("%s: written is %v", kind, written)
		}
		want := map[string]int{Fault500: 500, FaultDisk: 500, FaultBadGateway: 502, Fault503: 503, Fault504: 504,
			Fault429: 429, FaultSlow: 200, FaultEmpty: 200}[kind]
		switch {
		case want == 0 && err == nil:
			t.Errorf("%s: answered %d %q", kind, resp.StatusCode, body)
		case want != 0 && (err != nil || resp.StatusCode != want):
			t.Errorf("%s: %v", kind, err)
		}
		if kind == FaultEmpty && len(body) > 0 || kind == FaultSlow && !json.Valid(body) {
			t.Errorf("%s: body %q", kind, body)
		}
		if page, _, err := s.send("GET", "/", nil); err != nil || page.StatusCode != http.StatusOK {
			t.Errorf("%s: the page should stay up: %v", kind, err)
		}
	}
	s.server.SetFaults(Faults{Rate: 1, Kinds: []string{FaultRestart}})
	for range 2 {
		if _, _, err := s.send("GET", "/api/me", nil); err == nil {
			t.Error("it answered while it restarted")
		}
	}
	s.server.SetFaults(Faults{})
	s.load(m{"trackedEntities": l(aPerson(99))})
	if a, b := draws(1), draws(1); !slices.Equal(a, b) {
		t.Errorf("a seed should draw the same: %v %v", a, b)
	}
	if a, b := draws(1), draws(2); slices.Equal(a, b) {
		t.Errorf("two seeds draw the same: %v", a)
	}
}

func draws(seed int64) []string {
	f := faults.New(Faults{Rate: 0.5, Seed: seed})
	out := make([]string, 50)
	for i := range out {
		out[i] = f.Next()
	}
	return out
}

func TestPage(t *testing.T) {
	t.Parallel()
	for _, version := range testedVersions {
		s := newSite(t, Options{Version: version}).as("")
		admin := *s
		admin.user = "admin:district"
		admin.load(full(1))
		admin.load(m{"trackedEntities": l(aPerson(2, m{"attributes": l(given(firstName, "<script>alert(1)</script>"))})),
			"events": l(malariaCase(1))})
		admin.do("POST", "/api/dataValues?de=hDcgGqsTAYb&pe=202605&ou="+hospital+"&value=3", nil)
		for path, want := range map[string][]string{
			"/": {"Ama", "Antenatal care", "First visit", "Malaria deaths",
				"Baobab Bay District Hospital", "&lt;script&gt;", `http-equiv="refresh"`},
			"/person/" + testUID("tPer", 1): {"Ama", "2000-02-29", "Gestational age", "12"},
		} {
			resp, body, err := s.send("GET", path, nil)
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatalf("%s %s: %v", version, path, err)
			}
			if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
				t.Errorf("%s %s: no content security policy", version, path)
			}
			if strings.Contains(string(body), "<script") {
				t.Errorf("%s %s: markup of data was taken as markup", version, path)
			}
			for _, w := range want {
				if !strings.Contains(string(body), w) {
					t.Errorf("%s %s does not show %q", version, path, w)
				}
			}
		}
		for path, want := range map[string]int{"/person/none": 404, "/none": 404, "/style.css": 200} {
			if resp, _, err := s.send("GET", path, nil); err != nil || resp.StatusCode != want {
				t.Errorf("%s %s: %v", version, path, err)
			}
		}
	}
}

// waitFor asks until an answer has what is looked for; async work has no other sign.
func (s *site) waitFor(path string, ready func(map[string]any) bool) map[string]any {
	s.t.Helper()
	for range 100000 {
		if _, answer := s.get(path); ready(answer) {
			return answer
		}
	}
	s.t.Fatalf("%s did not get ready", path)
	return nil
}

func TestAsync(t *testing.T) {
	t.Parallel()
	for _, version := range testedVersions {
		s := newSite(t, Options{Version: version})
		status, answer := s.do("POST", "/api/tracker",
			m{"trackedEntities": l(aPerson(1), aPerson(2, m{"trackedEntityType": "aaaaaaaaaaa"}))})
		id, _ := dig(answer, "response", "id").(string)
		if status != http.StatusOK || id == "" {
			t.Fatalf("%s: %d %s", version, status, flat(answer))
		}
		s.waitFor("/api/tracker/jobs/"+id, func(a map[string]any) bool {
			items, _ := a[""].([]any)
			return len(items) > 0 && dig(items[0], "completed") == true
		})
		if _, report := s.get("/api/tracker/jobs/" + id + "/report"); len(reported(report)) != 1 {
			t.Errorf("%s: report %s", version, flat(report))
		}
		if status, _ := s.get("/api/tracker/jobs/aaaaaaaaaaa/report"); status != http.StatusNotFound &&
			status != http.StatusOK {
			t.Errorf("%s: an unknown job answers %d", version, status)
		}
		_, answer = s.do("POST", "/api/dataValueSets?async=true", m{"dataSet": "FSh2AafV4XC", "dataValues": l(
			m{"dataElement": "hDcgGqsTAYb", "period": "202605", "orgUnit": hospital, "value": "3"})})
		id, _ = dig(answer, "response", "id").(string)
		s.waitFor("/api/system/tasks/DATAVALUE_IMPORT/"+id, func(a map[string]any) bool {
			items, _ := a[""].([]any)
			return len(items) > 0 && dig(items[0], "completed") == true
		})
		if _, sum := s.get("/api/system/taskSummaries/DATAVALUE_IMPORT/" + id); sum["status"] != "SUCCESS" {
			t.Errorf("%s: summary %s", version, flat(sum))
		}
	}
}

// snapshotOf syncs from a sandbox and gives the folder of the snapshot.
func snapshotOf(t *testing.T, from *site) string {
	t.Helper()
	c, err := client.New(client.Options{URL: from.web.URL,
		Credentials: client.Credentials{Username: "admin", Password: "district"}, Transport: &http.Transport{}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	snapshot, err := metadata.Sync(context.Background(), c, nil, metadata.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "snapshot")
	if err := metadata.Write(dir, snapshot); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestSnapshotFolder serves what a sync wrote, which is shortened metadata.
func TestSnapshotFolder(t *testing.T) {
	t.Parallel()
	from := newSite(t, Options{})
	s := newSite(t, Options{Metadata: snapshotOf(t, from)})
	body := full(1)
	body["events"] = l(visited(1), malariaCase(1))
	s.load(body)
	from.load(body)
	if a, b := string(s.server.Dump()), string(from.server.Dump()); a != b {
		t.Errorf("from a snapshot\n%s\nfrom an export\n%s", a, b)
	}
	_, p := s.get("/api/programs/" + anc +
		"?fields=organisationUnits[id,name],programStages[id,programStageDataElements[dataElement[name]]]")
	if dig(p, "organisationUnits", 0, "name") == nil ||
		dig(p, "programStages", 0, "programStageDataElements", 0, "dataElement", "name") == nil {
		t.Errorf("program of a snapshot: %.300s", flat(p))
	}
	if _, answer := s.do("POST", "/api/tracker?async=false",
		m{"events": l(malariaCase(2, m{"dataValues": l(cell("Gy8dw06me68", "7"),
			cell("AnKshR9vP4W", "X"))}))}); len(reported(answer)) != 1 {
		t.Errorf("options of a snapshot: %v", reported(answer))
	}
}

func TestGeneratedValues(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/tamala.json")
	if err != nil {
		t.Fatal(err)
	}
	var export map[string]any
	if err := json.Unmarshal(data, &export); err != nil {
		t.Fatal(err)
	}
	for _, a := range export["trackedEntityAttributes"].([]any) {
		if a := a.(map[string]any); a["id"] == national {
			a["generated"], a["pattern"] = true, `"NID-" + CURRENT_DATE(yyyy) + "-" + SEQUENTIAL(###)`
		}
	}
	path := filepath.Join(t.TempDir(), "metadata.json")
	data, _ = json.Marshal(export)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, Options{Metadata: path})
	_, answer := s.get("/api/trackedEntityAttributes/" + national + "/generateAndReserve?numberToReserve=2")
	if dig(answer, "", 0, "value") != "NID-2026-001" || dig(answer, "", 1, "value") != "NID-2026-002" {
		t.Errorf("reserved %s", flat(answer))
	}
	if _, answer := s.get("/api/trackedEntityAttributes/" + national + "/generate"); answer["value"] != "NID-2026-003" {
		t.Errorf("generated %s", flat(answer))
	}
	if status, _ := s.get("/api/trackedEntityAttributes/" + firstName + "/generate"); status != http.StatusConflict {
		t.Errorf("an attribute without a pattern answers %d", status)
	}
}

func TestNothingElseAnswers(t *testing.T) {
	t.Parallel()
	for _, version := range testedVersions {
		s := newSite(t, Options{Version: version})
		for _, path := range []string{"/api/none", "/api/tracker/none", "/api/organisationUnits/none", "/api/42/none"} {
			if resp, _, err := s.send("GET", path, nil); err != nil || resp.StatusCode != http.StatusNotFound {
				t.Errorf("%s %s: %v %v", version, path, resp, err)
			}
		}
		if status, _ := s.do("DELETE", "/api/system/info", nil); status != http.StatusMethodNotAllowed {
			t.Errorf("%s: DELETE /api/system/info answers %d", version, status)
		}
		if status, _ := s.get("/api/" + strings.TrimPrefix(version, "2.") + "/me"); status != http.StatusOK {
			t.Errorf("%s: a versioned path answers %d", version, status)
		}
	}
}

// TestDeepBodies: nesting without end must not take the server down.
func TestDeepBodies(t *testing.T) {
	t.Parallel()
	s, err := New(Options{Metadata: "testdata/tamala.json"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, body := range []string{strings.Repeat("[", 1<<20), strings.Repeat(`{"a":`, 1<<20),
		`{"events":` + strings.Repeat("[", 1<<20)} {
		for _, path := range []string{"/api/tracker?async=false", "/api/dataValueSets", "/api/completeDataSetRegistrations"} {
			r := httptest.NewRequest("POST", path, strings.NewReader(body))
			r.SetBasicAuth("admin", "district")
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code < 400 {
				t.Errorf("%s took %.10s…: %d", path, body, w.Code)
			}
		}
	}
}
