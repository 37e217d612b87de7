package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/diag"
)

// withFailures adds records that failed on values of a map.
func withFailures(t *testing.T, j journal.Journal) {
	t.Helper()
	var list []*journal.Record
	for n := range 5 {
		list = append(list, &journal.Record{
			Rule: "anc", ID: fmt.Sprint("m-", n), Key: fmt.Sprint("k-", n), Body: []byte(`{"sex":"w"}`), State: journal.Failed,
			Received: time.Now(),
			Problem: &journal.Problem{Class: "data", Problem: diag.Problem{Code: "unmapped-value",
				Message: "not in the map", Hint: "add it to `maps:`",
				Column: "sex", Value: []string{"w", "yes"}[n/3]}},
		})
	}
	if _, err := j.Append(t.Context(), list, nil); err != nil {
		t.Fatal(err)
	}
}

func TestFailuresOfACause(t *testing.T) {
	srv, j := fixture(t, Config{})
	withFailures(t, j)
	_, text, _ := get(t, srv.URL+"/console/failures", nil)
	for _, want := range []string{"Not in the map", "the last ", "add it to <code>maps:</code>", "Dismiss all 5"} {
		if !strings.Contains(text, want) {
			t.Errorf("failures lack %q:\n%s", want, text)
		}
	}
	at := srv.URL + "/console/failures/cause?rule=anc&code=unmapped-value&cause=not+in+the+map"
	if _, text, _ := get(t, at, nil); !strings.Contains(text, "m-4") || strings.Contains(text, "<code>w</code>") ||
		strings.Contains(text, "form-1") || !strings.Contains(text, "5 failed") {
		t.Errorf("the cause's page:\n%s", text)
	}
	_, text, _ = get(t, at+"&values", nil)
	for _, want := range []string{`<code>w</code></td><td class="n">3`, "w: \n&#39;yes&#39;: \n"} {
		if !strings.Contains(text, want) {
			t.Errorf("the values lack %q:\n%s", want, text)
		}
	}
	vera := func(r *http.Request) { r.SetBasicAuth("vera", "of-the-viewer") }
	if status, _, _ := get(t, at+"&values", vera); status != http.StatusForbidden {
		t.Errorf("a viewer sees values: %d", status)
	}
	if _, text, _ := get(t, at, vera); strings.Contains(text, "checkbox") || strings.Contains(text, "download") {
		t.Errorf("a viewer is offered what a viewer may not do:\n%s", text)
	}
	download := srv.URL + "/console/failures/download?rule=anc&code=unmapped-value&cause=not+in+the+map"
	var bodies []map[string]string
	if _, text, _ := get(t, download, nil); json.Unmarshal([]byte(text), &bodies) != nil || len(bodies) != 5 ||
		bodies[0]["sex"] != "w" {
		t.Errorf("the download is %s", text)
	}
	if status, _, _ := get(t, download, vera); status != http.StatusForbidden {
		t.Errorf("a viewer downloads: %d", status)
	}
	audit, err := j.Audit(t.Context(), 10)
	if err != nil || len(audit) != 2 || audit[0].Did != "download" || audit[1].Did != "look" {
		t.Errorf("audit = %+v, %v", audit, err)
	}
}

func TestChosenFailures(t *testing.T) {
	srv, j := fixture(t, Config{})
	withFailures(t, j)
	count := func(state journal.State) int {
		list, err := j.Select(t.Context(), journal.Filter{Rule: "anc", Code: "unmapped-value",
			States: []journal.State{state}})
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	failed := count(journal.Failed)
	if status, text := post(t, srv.URL+"/console/replay", url.Values{"choose": {"1"}},
		"same-origin"); status != http.StatusUnprocessableEntity || !strings.Contains(text, "choose records first") {
		t.Errorf("none chosen: %d", status)
	}
	if status, _ := post(t, srv.URL+"/console/replay", url.Values{"choose": {"1"}, "chosen": {"3", "4"}},
		"same-origin"); status != http.StatusSeeOther {
		t.Errorf("replay: %d", status)
	}
	if got := count(journal.Failed); got != failed-2 {
		t.Errorf("%d records are failed, want %d", got, failed-2)
	}
	if status, _ := post(t, srv.URL+"/console/dismiss", url.Values{"choose": {"1"}, "chosen": {"5"}, "why": {"a test"}},
		"same-origin"); status != http.StatusSeeOther {
		t.Errorf("dismiss: %d", status)
	}
	if got := count(journal.Failed); got != failed-3 {
		t.Errorf("%d records are failed, want %d", got, failed-3)
	}
}

// TestCodes leads from a failure to what its code means, in the visitor's language.
func TestCodes(t *testing.T) {
	srv, _ := fixture(t, Config{})
	if _, text, _ := get(t, srv.URL+"/console/failures", nil); !strings.Contains(text, `href="/console/codes/unmapped-value"`) {
		t.Errorf("a failure does not lead to its code:\n%s", text)
	}
	_, text, _ := get(t, srv.URL+"/console/codes/unmapped-value", func(r *http.Request) { r.Header.Set("Accept-Language", "fr") })
	for _, want := range []string{"La valeur de la fiche", "<code>other:</code>", "<pre tabindex=\"0\">maps:\n  sex: {f: Female"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	if _, text, _ := get(t, srv.URL+"/console/codes/edited-submission", nil); !strings.Contains(text, "KoboToolbox · ") {
		t.Errorf("a table:\n%s", text)
	}
	if status, _, _ := get(t, srv.URL+"/console/codes/%3Cno-such", nil); status != http.StatusNotFound {
		t.Errorf("an unknown code: %d", status)
	}
}
