package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/actions/dhis2/sandbox"
	"github.com/culvert/culvert/rules/examples"
)

// otherServer is a DHIS2 of its own version that can be away, and counts what is written to it.
type otherServer struct {
	*httptest.Server
	box http.Handler

	mu     sync.Mutex
	away   bool
	writes int
}

func newServer(t *testing.T, dir, metadata, version string) *otherServer {
	t.Helper()
	box, err := sandbox.New(sandbox.Options{Metadata: filepath.Join(dir, "input", metadata), Version: version})
	if err != nil {
		t.Fatal(err)
	}
	o := &otherServer{box: box}
	o.Server = httptest.NewServer(o)
	t.Cleanup(func() {
		o.Close()
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	return o
}

func (o *otherServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	away := o.away
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/tracker") && !away {
		o.writes++
	}
	o.mu.Unlock()
	if away {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	o.box.ServeHTTP(w, r)
}

func (o *otherServer) set(away bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.away = away
}

// read reads a resource as admin.
func (o *otherServer) read(t *testing.T, path string, query url.Values, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, o.URL+"/api/"+path+"?"+query.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("admin", "district")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if err := json.NewDecoder(res.Body).Decode(into); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", path, res.Status, err)
	}
}

// Uids of the region, where they are not those of the national server.
const (
	regionalUnit    = "reGioNal001"
	regionalElement = "reGioNal002"
	regionalCombo   = "reGioNal003"
)

// ofRegion writes the metadata of a server that has the same codes and names, but an org unit, a data element and a
// category option combo with uids of its own.
func ofRegion(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "input", "tamala.json"))
	if err != nil {
		t.Fatal(err)
	}
	other := strings.NewReplacer("ygq0iefHYLW", regionalUnit, "ht5dzHrMOFb", regionalElement, "XUn7rstPlzL", regionalCombo).
		Replace(string(text))
	if err := os.WriteFile(filepath.Join(dir, "input", "region.json"), []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	return "region.json"
}

// exchange is the project of that name between two servers of different versions.
func exchange(t *testing.T, versions ...string) (dir string, national, regional *otherServer, env []string) {
	t.Helper()
	dir = exampleProject(t, "exchange")
	if err := examples.Write("anc", dir, func(p string) bool { return p == "input/tamala.json" }); err != nil {
		t.Fatal(err)
	}
	national, regional = newServer(t, dir, "tamala.json", versions[0]), newServer(t, dir, ofRegion(t, dir), versions[1])
	env = append(environ(national.URL), "REGIONAL_URL="+regional.URL, "REGIONAL_USERNAME=admin",
		"REGIONAL_PASSWORD=district")
	culvert(t, env, dir, "sync")
	culvert(t, env, dir, "validate")
	return dir, national, regional, env
}

// TestBothServers has a rule write to two servers, one of which is away at first: the other goes on,
// what is not done yet is seen, and after a kill between the two each has the woman once.
func TestBothServers(t *testing.T) {
	t.Parallel()
	dir, national, regional, env := exchange(t, "2.43", "2.40")
	regional.set(true)
	listen := freePort(t)
	env = append(env, "CULVERT_LISTEN="+listen)
	c := start(t, env, dir)
	form := sampleOf(t, dir, "registration.json")
	sign := func(r *http.Request) { r.SetBasicAuth("field", "secret") }
	post(t, "http://"+listen+"/registrations", "application/json", form, sign)
	waiting := map[string]counts{"both-servers": {Taken: 1, Delivered: 1}, "both-servers@regional": {Taken: 1}}
	eventually(t, func() string { return cmp.Diff(waiting, countOf(t, env, dir, "both-servers")) })
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	before := national.writes
	c = start(t, env, dir)
	regional.set(false)
	done := map[string]counts{"both-servers": {Taken: 1, Delivered: 1}, "both-servers@regional": {Taken: 1, Delivered: 1}}
	eventually(t, func() string { return cmp.Diff(done, countOf(t, env, dir, "both-servers")) })
	stopChild(t, c)
	if national.writes != before || regional.writes != 1 {
		t.Errorf("%d writes to the national server after the kill, %d to the regional one", national.writes-before,
			regional.writes)
	}
	number := ""
	for _, at := range []struct {
		o          *otherServer
		mode, list string
	}{{national, "orgUnitMode", "trackedEntities"}, {regional, "ouMode", "instances"}} {
		var got map[string]json.RawMessage
		at.o.read(t, "tracker/trackedEntities", url.Values{"program": {"HKEoH96oH4U"}, at.mode: {"ACCESSIBLE"},
			"fields": {"trackedEntity,enrollments[notes[value]]"}}, &got)
		var people []struct {
			TrackedEntity string `json:"trackedEntity"`
			Enrollments   []struct{ Notes []struct{ Value string } }
		}
		if err := json.Unmarshal(got[at.list], &people); err != nil || len(people) != 1 {
			t.Errorf("%d people, %v: %s", len(people), err, got[at.list])
		} else if at.o == national {
			number = people[0].TrackedEntity
		} else if n := people[0].Enrollments[0].Notes; len(n) != 1 || n[0].Value != "National number "+number {
			t.Errorf("the region is told %v, not %s", n, number)
		}
	}
	// A person who is forgotten is forgotten at both.
	if out := culvert(t, env, dir, "forget", "--external-id", "8f8f5c3e-5c0e-4d43-9a55-6a1f3f0c1001", "--why",
		"asked"); !strings.HasPrefix(out, "2 records") {
		t.Errorf("forgotten was: %s", out)
	}
}

func countOf(t *testing.T, env []string, dir, rule string) map[string]counts {
	t.Helper()
	all := countRecords(t, env, dir)
	for name := range all {
		if name != rule && !strings.HasPrefix(name, rule+"@") {
			delete(all, name)
		}
	}
	return all
}

func stopChild(t *testing.T, c *exec.Cmd) {
	t.Helper()
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	_ = c.Wait() // its exit code is of no interest here
}

// send posts to the server as admin; the answer must be no refusal.
func (o *otherServer) send(t *testing.T, path string, body any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, o.URL+"/api/"+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("admin", "district")
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if reply, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s", path, res.Status, reply)
	}
}

// malariaCase is an event of the national server.
func malariaCase(uid string, age int) map[string]any {
	return map[string]any{"event": uid, "program": "WIryy1wQ0aZ", "programStage": "sIJOpbzw0kN", "orgUnit": "ygq0iefHYLW",
		"occurredAt": "2026-03-05", "status": "COMPLETED", "dataValues": []any{
			map[string]any{"dataElement": "Gy8dw06me68", "value": strconv.Itoa(age)},
			map[string]any{"dataElement": "AnKshR9vP4W", "value": "FEMALE"}}}
}

// ages lists the ages of the malaria cases of a server.
func (o *otherServer) ages(t *testing.T, mode, list string) string {
	t.Helper()
	var reply map[string]json.RawMessage
	o.read(t, "tracker/events", url.Values{"program": {"WIryy1wQ0aZ"}, mode: {"ACCESSIBLE"}, "pageSize": {"1000"},
		"fields": {"event,dataValues[dataElement,value]"}}, &reply)
	var events []struct {
		DataValues []struct{ DataElement, Value string }
	}
	if err := json.Unmarshal(reply[list], &events); err != nil {
		t.Fatalf("%v: %s", err, reply[list])
	}
	var ages []string
	for _, e := range events {
		for _, v := range e.DataValues {
			if v.DataElement == "Gy8dw06me68" {
				ages = append(ages, v.Value)
			}
		}
	}
	slices.Sort(ages)
	return strings.Join(ages, " ")
}

// TestExchange reads events and data values of one server as they are entered, corrected and deleted,
// and writes them to another one of another version.
func TestExchange(t *testing.T) {
	for _, versions := range [][]string{{"2.38", "2.44"}, {"2.41", "2.40"}, {"2.44", "2.42"}} {
		t.Run(strings.Join(versions, " to "), func(t *testing.T) {
			t.Parallel()
			dir, national, regional, env := exchange(t, versions...)
			rule := filepath.Join(dir, "rules", "cases-to-region.yaml")
			for _, file := range []string{rule, filepath.Join(dir, "rules", "report-to-region.yaml")} {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				fast := strings.Replace(string(text), "server: national, read", "every: 10s, batch: 3, server: national, read", 1)
				if err := os.WriteFile(file, []byte(fast), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var cases []any
			for i := range 7 {
				cases = append(cases, malariaCase("caseNumber"+strconv.Itoa(i), 10+i))
			}
			national.send(t, "tracker?async=false", map[string]any{"events": cases})
			value := func(v string) map[string]any {
				return map[string]any{"dataValues": []any{map[string]any{"dataElement": "hDcgGqsTAYb", "period": "202603",
					"orgUnit": "ygq0iefHYLW", "value": v}, map[string]any{"dataElement": "ht5dzHrMOFb", "period": "202603",
					"orgUnit": "ygq0iefHYLW", "categoryOptionCombo": "XUn7rstPlzL", "value": v}}}
			}
			national.send(t, "dataValueSets", value("4"))
			mode, list := "orgUnitMode", "events"
			if versions[1] == "2.40" {
				mode, list = "ouMode", "instances"
			}
			values := func() string {
				var set struct {
					DataValues []struct{ DataElement, Value string }
				}
				regional.read(t, "dataValueSets", url.Values{"dataSet": {"FSh2AafV4XC"}, "orgUnit": {regionalUnit},
					"startDate": {"2026-01-01"}, "endDate": {"2026-12-31"}}, &set)
				var out []string
				for _, v := range set.DataValues {
					out = append(out, v.DataElement+"="+v.Value)
				}
				slices.Sort(out)
				return strings.Join(out, " ")
			}
			c := start(t, env, dir)
			defer stopChild(t, c)
			eventually(t, func() string {
				return cmp.Diff([]string{"10 11 12 13 14 15 16", "hDcgGqsTAYb=4 " + regionalElement + "=4"},
					[]string{regional.ages(t, mode, list), values()})
			})
			// A correction, a deletion, a case more.
			national.send(t, "tracker?async=false", map[string]any{"events": []any{malariaCase("caseNumber3", 70),
				malariaCase("caseNumber9", 80)}})
			national.send(t, "tracker?async=false&importStrategy=DELETE", map[string]any{"events": []any{
				map[string]any{"event": "caseNumber5"}}})
			national.send(t, "dataValueSets", value("5"))
			eventually(t, func() string {
				return cmp.Diff([]string{"10 11 12 14 16 70 80", "hDcgGqsTAYb=5 " + regionalElement + "=5"},
					[]string{regional.ages(t, mode, list), values()})
			})
			sampleOfAServer(t, env, dir)
		})
	}
}

// TestAnalyticsExchange reads what one server works out of its data values and writes it to a data set of another, as
// tables are made and made anew.
func TestAnalyticsExchange(t *testing.T) {
	t.Parallel()
	dir, national, regional, env := exchange(t, "2.43", "2.42")
	rule := filepath.Join(dir, "rules", "hiv-quarter-to-region.yaml")
	text, err := os.ReadFile(rule)
	if err != nil {
		t.Fatal(err)
	}
	fast := strings.NewReplacer("every: 1h", "every: 10s", "LAST_4_QUARTERS", "2026Q1").Replace(string(text))
	if err := os.WriteFile(rule, []byte(fast), 0o600); err != nil {
		t.Fatal(err)
	}
	const governmental, globalFund = "xqO8Wj36hca", "a2sIfwAcvSt"
	enter := func(partner, value string) {
		national.send(t, "dataValueSets", map[string]any{"dataSet": "YUR5tQWtGwI", "dataValues": []any{map[string]any{
			"dataElement": "NjfbxvgMsii", "period": "2026Q1", "orgUnit": "ygq0iefHYLW", "attributeOptionCombo": partner,
			"value": value}}})
	}
	values := func() string {
		var set struct {
			DataValues []struct{ DataElement, Period, AttributeOptionCombo, Value string }
		}
		regional.read(t, "dataValueSets", url.Values{"dataSet": {"YUR5tQWtGwI"}, "orgUnit": {regionalUnit},
			"startDate": {"2026-01-01"}, "endDate": {"2026-12-31"}}, &set)
		var out []string
		for _, v := range set.DataValues {
			out = append(out, v.Period+" "+v.AttributeOptionCombo+"="+v.Value)
		}
		slices.Sort(out)
		return strings.Join(out, ", ")
	}
	enter(governmental, "40")
	enter(globalFund, "25")
	c := start(t, env, dir)
	defer stopChild(t, c)
	national.send(t, "resourceTables/analytics", nil)
	eventually(t, func() string { return cmp.Diff("2026Q1 a2sIfwAcvSt=25, 2026Q1 xqO8Wj36hca=40", values()) })
	enter(globalFund, "26")
	national.send(t, "resourceTables/analytics", nil)
	eventually(t, func() string { return cmp.Diff("2026Q1 a2sIfwAcvSt=26, 2026Q1 xqO8Wj36hca=40", values()) })
}

// sampleOfAServer makes samples of what another server has, and begins a rule with one: names of its metadata stay, and
// so do statuses; ids of people and dates do not.
func sampleOfAServer(t *testing.T, env []string, dir string) {
	t.Helper()
	culvert(t, env, dir, "sample", "cases-to-region", "--to", "samples/real-case.json")
	text := string(sampleOf(t, dir, "real-case.json"))
	for _, want := range []string{`"dhis2": "national"`, `"stage_name": "Malaria case"`, `"Case age (years)": 10`,
		`"org_unit_name": "Coral Health Centre"`, `"status": "COMPLETED"`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing: %s", want, text)
		}
	}
	if strings.Contains(text, "caseNumber") {
		t.Errorf("the event can be told: %s", text)
	}
	culvert(t, env, dir, "new", "report-again", "--server", "regional", "--data-set", "Malaria monthly report", "--trigger",
		"dhis2: {server: national, read: data_values, data_set: Malaria monthly report, org_unit: Coast}")
	rule, err := os.ReadFile(filepath.Join(dir, "rules", "report-again.yaml"))
	if err != nil || !strings.Contains(string(rule), "server: regional") || !strings.Contains(string(rule), "read: data_values") {
		t.Errorf("%s %v", rule, err)
	}
	if text := string(sampleOf(t, dir, "report-again.json")); !strings.Contains(text, `"period": "202603"`) {
		t.Errorf("a period tells nobody: %s", text)
	}
}
