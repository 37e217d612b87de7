package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules/examples"
)

// TestOutward runs the example whose records go on from DHIS2 to other systems, one of which is away
// at first: what waits for it alone waits, and says so.
func TestOutward(t *testing.T) {
	dir := exampleProject(t, "outward")
	if err := examples.Write("anc", dir, func(p string) bool { return p == "input/tamala.json" }); err != nil {
		t.Fatal(err)
	}
	_, dhis2 := startSandbox(t, dir)
	others := &otherSystems{away: true, cases: map[string]map[string]string{}, status: map[string]string{}}
	outside := httptest.NewServer(others)
	defer outside.Close()
	listen := freePort(t)
	env := append(
		environ(dhis2),
		"CULVERT_LISTEN="+listen,
		"HQ_URL="+outside.URL,
		"HQ_KEY=hq-key",
		"KOBO_URL="+outside.URL,
		"KOBO_KEY=kobo-key",
		"EMR_URL="+outside.URL+"/fhir",
		"EMR_PASSWORD=emr",
		"SMS_URL="+outside.URL+"/sms",
		"SMS_KEY=sms-key",
	)
	culvert(t, env, dir, "sync")
	culvert(t, env, dir, "validate")
	c := start(t, env, dir)
	defer func() {
		if err := c.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		_ = c.Wait() // its exit code is of no interest here
	}()
	field := func(r *http.Request) { r.SetBasicAuth("field", "secret") }
	form := sampleOf(t, dir, "registration.json")
	post(t, "http://"+listen+"/commcare/forms", "application/json", form, field)
	post(t, "http://"+listen+"/commcare/forms", "application/json", replaced(t, form, "TM-010202", "NOWHERE",
		"8f8f5c3e-5c0e-4d43-9a55-6a1f3f0c1001", "case-2", "f0f0a1b2-0001", "f0f0a1b2-0002", "NID-1001", "NID-1002"), field)
	post(t, "http://"+listen+"/registrations", "application/json", sampleOf(t, dir, "patient.json"), field)

	// The ids and the outcome are in CommCare's cases, the submission is marked; the FHIR server is away.
	eventually(t, func() string {
		others.mu.Lock()
		defer others.mu.Unlock()
		good, bad := others.cases["8f8f5c3e-5c0e-4d43-9a55-6a1f3f0c1001"], others.cases["case-2"]
		switch {
		case good["dhis2_status"] != "delivered" || !uid.MatchString(good["dhis2_id"]) || !uid.MatchString(good["dhis2_enrollment"]):
			return fmt.Sprintf("the case of the woman has %v", good)
		case bad["dhis2_status"] != "failed" || bad["dhis2_error"] == "" || bad["dhis2_id"] != "":
			return fmt.Sprintf("the case of the woman who was refused has %v", bad)
		}
		return cmp.Diff(map[string]string{"40817733": "validation_status_approved"}, others.status)
	})
	eventually(t, func() string {
		return cmp.Diff(map[string]counts{"back-to-commcare": {Taken: 2, Delivered: 1},
			"back-to-commcare@hq": {Taken: 2, Delivered: 2}, "kobo-status": {Taken: 1, Delivered: 1},
			"kobo-status@kobo": {Taken: 1, Delivered: 1}, "patient-and-message": {Taken: 1, Delivered: 1},
			"patient-and-message@emr": {Taken: 1}}, countRecords(t, env, dir))
	})

	// A person who is forgotten is forgotten at every place.
	if out := culvert(t, env, dir, "forget", "--external-id", "case-2", "--why", "she asked"); !strings.HasPrefix(
		out,
		"2 records",
	) {
		t.Errorf("forgotten was: %s", out)
	}

	// It comes back: the patient goes there, then the message with her number there.
	others.mu.Lock()
	others.away = false
	others.mu.Unlock()
	eventually(t, func() string {
		others.mu.Lock()
		defer others.mu.Unlock()
		return cmp.Diff([]string{"+221771234567 Welcome to Coral Health Centre. Your number there is 41."}, others.messages)
	})
	others.mu.Lock()
	defer others.mu.Unlock()
	for what, keys := range others.keys {
		if len(keys) != 1 {
			t.Errorf("%s came with %d idempotency keys, not one: %v", what, len(keys), keys)
		}
	}
	if len(others.faults) > 0 {
		t.Errorf("the other systems say: %s", others.faults)
	}
}

var uid = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{10}$`)

// eventually waits until a check says nothing.
func eventually(t *testing.T, check func() string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		problem := check()
		if problem == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(problem)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// otherSystems are CommCare HQ, KoboToolbox, a FHIR server and a gateway for messages, as far as
// actions write to them.
type otherSystems struct {
	mu       sync.Mutex
	away     bool // the FHIR server
	busy     int  // answers of the gateway that ask to wait
	cases    map[string]map[string]string
	status   map[string]string
	messages []string
	keys     map[string]map[string]bool // idempotency keys by what they came with
	faults   []string
}

func (o *otherSystems) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		o.faults = append(o.faults, err.Error())
	}
	path := r.URL.Path
	user, password, _ := r.BasicAuth()
	switch {
	case path == "/a/tamala/api/case/v2/" && r.Header.Get("Authorization") == "ApiKey culvert@example.org:hq-key":
		o.caseAPI(w, text)
	case strings.HasSuffix(path, "/validation_status/") && r.Method == http.MethodPatch:
		var body map[string]string
		if json.Unmarshal(text, &body) != nil || r.Header.Get("Authorization") != "Token kobo-key" {
			o.faults = append(o.faults, "strange: "+string(text))
		}
		o.status[strings.Split(path, "/")[6]] = body["validation_status.uid"]
		fmt.Fprintln(w, `{}`)
	case strings.HasPrefix(path, "/api/v2/assets/"):
		sample, _ := os.ReadFile("../../rules/examples/outward/samples/kobo.json")
		if strings.Contains(r.URL.Query().Get("query"), "$gt") && !strings.Contains(r.URL.Query().Get("query"), `"$gt":0`) {
			fmt.Fprintln(w, `{"count": 0, "next": null, "results": []}`)
			return
		}
		fmt.Fprintf(w, `{"count": 1, "next": null, "results": [%s]}`, sample)
	case path == "/fhir/" && r.Method == http.MethodHead && o.away, path == "/fhir/Patient" && o.away:
		o.note("patient", r)
		w.WriteHeader(http.StatusServiceUnavailable)
	case path == "/fhir/":
	case path == "/fhir/Patient" && user == "culvert" && password == "emr" && r.Method == http.MethodPut:
		o.note("patient", r)
		w.Header().Set("Content-Type", "application/fhir+json")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintln(w, `{"resourceType": "Patient", "id": "41"}`)
	case path == "/sms/v1/messages" && r.Header.Get("X-API-Key") == "sms-key":
		o.note("message", r)
		if o.busy++; o.busy == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusLocked)
			return
		}
		form, _ := url.ParseQuery(string(text))
		o.messages = append(o.messages, form.Get("to")+" "+form.Get("message"))
		w.WriteHeader(http.StatusAccepted)
	default:
		o.faults = append(o.faults, r.Method+" "+path)
		http.NotFound(w, r)
	}
}

func (o *otherSystems) note(what string, r *http.Request) {
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		return // a probe
	}
	if o.keys == nil {
		o.keys = map[string]map[string]bool{}
	}
	if o.keys[what] == nil {
		o.keys[what] = map[string]bool{}
	}
	o.keys[what][key] = true
}

// caseAPI answers as the Case API v2 does to updates in bulk.
func (o *otherSystems) caseAPI(w http.ResponseWriter, text []byte) {
	var list []struct {
		Create     *bool             `json:"create"`
		CaseID     string            `json:"case_id"`
		Properties map[string]string `json:"properties"`
	}
	if err := json.Unmarshal(text, &list); err != nil || len(list) == 0 || list[0].Create == nil || *list[0].Create {
		o.faults = append(o.faults, "strange: "+string(text))
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	var cases []string
	for _, c := range list {
		if o.cases[c.CaseID] == nil {
			o.cases[c.CaseID] = map[string]string{}
		}
		for name, value := range c.Properties {
			o.cases[c.CaseID][name] = value
		}
		cases = append(cases, fmt.Sprintf(`{"case_id": %q}`, c.CaseID))
	}
	fmt.Fprintf(w, `{"form_id": "f-1", "cases": [%s]}`, strings.Join(cases, ","))
}
