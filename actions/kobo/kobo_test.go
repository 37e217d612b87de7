package kobo

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/remote/remotetest"
)

const head = "rule: out\ntrigger: {kobo: {connection: k, asset: aQ2wE4rT6yU8iO0pA2sD4f}}\nid: trigger._id\nactions:\n" +
	"  - kobo.validation_status:\n"

// TestMarks sends what KoboToolbox takes, and says of what is gone that it is.
func TestMarks(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, fmt.Sprintf("%s %s %s %s", r.Method, r.URL.Path, r.Header.Get("Authorization"), body))
		switch {
		case r.Method == http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
		case r.URL.Path != "/api/v2/assets/aQ2wE4rT6yU8iO0pA2sD4f/data/7/validation_status/":
			w.WriteHeader(http.StatusNotFound)
			_, _ = fmt.Fprint(w, `{"detail": "Not found."}`)
		}
	}))
	defer server.Close()
	target, err := NewTarget(actions.Connection{Kind: "kobo", URL: server.URL + "/#/forms", APIKey: "k"},
		actions.TargetOptions{Memory: &remotetest.Memory{}})
	if err != nil {
		t.Fatal(err)
	}
	rule := head + "      status: trigger.s\n"
	var plans []actions.Plan
	for _, r := range []map[string]any{{"_id": 7.0, "s": "approved"}, {"_id": 7.0, "s": "none"}, {"_id": 8.0, "s": "on_hold"}} {
		plans = append(plans, remotetest.Plan(t, kind{"p"}, rule, r))
	}
	results := target.Deliver(t.Context(), plans)
	want := []string{
		`PATCH /api/v2/assets/aQ2wE4rT6yU8iO0pA2sD4f/data/7/validation_status/ Token k {"validation_status.uid":"validation_status_approved"}`,
		`DELETE /api/v2/assets/aQ2wE4rT6yU8iO0pA2sD4f/data/7/validation_status/ Token k `,
		`PATCH /api/v2/assets/aQ2wE4rT6yU8iO0pA2sD4f/data/8/validation_status/ Token k {"validation_status.uid":"validation_status_on_hold"}`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for i, status := range []actions.Status{actions.Delivered, actions.Delivered, actions.Failed} {
		if o := results[i].Outcomes[0]; o.Status != status {
			t.Errorf("mark %d: %+v", i, o)
		}
	}
	if f := remotetest.Failure(t, kind{"p"}, rule, map[string]any{"_id": 7.0, "s": "fine"}); f == nil ||
		f.Code != "bad-status" {
		t.Errorf("a wrong status is %v", f)
	}
	if f := remotetest.Failure(t, kind{"p"}, rule, map[string]any{"_id": "uuid:1", "s": "approved"}); f == nil ||
		f.Code != "bad-submission" {
		t.Errorf("a wrong id is %v", f)
	}
}

// TestMistakes have their codes.
func TestMistakes(t *testing.T) {
	remotetest.Mistakes(t, kind{"p"}, head, map[string]string{
		"      submission: trigger._id\n":                         "missing-key",
		"      status: {value: good}\n":                           "wrong-choice",
		"      status: {value: approved}\n      asset: nothing\n": "asset",
	})
}
