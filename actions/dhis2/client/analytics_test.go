package client_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/actions/dhis2/client"
)

// TestAnalytics makes the analytics tables of a sandbox anew.
func TestAnalytics(t *testing.T) {
	c := serve(t, "2.43")
	before, err := c.AnalyticsTables(t.Context())
	if err != nil || before.Ever {
		t.Fatalf("before any run: %+v, %v", before, err)
	}
	task, err := c.StartAnalytics(t.Context(), 2)
	if err != nil || task == "" {
		t.Fatalf("%q, %v", task, err)
	}
	if got, err := c.AnalyticsTask(t.Context(), task); err != nil || !got.Known || !got.Ended || got.Problem != "" {
		t.Errorf("the task: %+v, %v", got, err)
	}
	if other, err := c.AnalyticsRunning(t.Context()); err != nil || other != "" {
		t.Errorf("under way: %q, %v", other, err)
	}
	if after, err := c.AnalyticsTables(t.Context()); err != nil || !after.Ever || after.Age > time.Minute {
		t.Errorf("after the run: %+v, %v", after, err)
	}
	if got, err := c.AnalyticsTask(t.Context(), "abcdefghijk"); err != nil || got.Known {
		t.Errorf("a task that is not known: %+v, %v", got, err)
	}
}

// TestAnalyticsNotes reads what servers note of runs.
func TestAnalyticsNotes(t *testing.T) {
	var notes, tasks, success string
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/system/tasks/ANALYTICS_TABLE"):
			_, _ = w.Write([]byte(tasks))
		case strings.Contains(r.URL.Path, "/system/tasks/"):
			_, _ = w.Write([]byte(notes))
		case r.Method == http.MethodPost:
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"httpStatus":"Forbidden","httpStatusCode":403,"status":"ERROR","message":` +
				`"Access is denied, requires one Authority from [F_PERFORM_MAINTENANCE]"}`))
		default:
			_, _ = w.Write([]byte(`{"version":"2.42.4","serverDate":"2026-11-30T09:25:08.903","lastAnalyticsTableSuccess":"` +
				success + `"}`))
		}
	}))
	defer server.Close()
	c, err := client.New(client.Options{URL: server.URL, Credentials: client.Credentials{Token: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	begun := `{"level":"INFO","message":"Analytics table update process","completed":false,"time":"2026-11-30T09:15:20.095"}`
	for _, x := range []struct {
		name, notes string
		want        client.AnalyticsTask
	}{
		{"not begun", `[]`, client.AnalyticsTask{}},
		{"under way", `[` + begun + `]`, client.AnalyticsTask{Known: true}},
		{"a step failed", `[{"level":"ERROR","message":"view x failed","completed":false},` + begun + `]`,
			client.AnalyticsTask{Known: true}},
		{"done", `[{"level":"INFO","message":"Analytics tables updated: 00:00:15","completed":true},` + begun + `]`,
			client.AnalyticsTask{Known: true, Ended: true}},
		{"failed", `[{"level":"ERROR","message":"disk full","completed":true},` + begun + `]`,
			client.AnalyticsTask{Known: true, Ended: true, Problem: "disk full"}},
	} {
		notes = x.notes
		if got, err := c.AnalyticsTask(t.Context(), "tGAj73JVks3"); err != nil || got != x.want {
			t.Errorf("%s: %+v, %v", x.name, got, err)
		}
	}
	success = "1970-01-01T00:00:00.000"
	if got, err := c.AnalyticsTables(t.Context()); err != nil || got.Ever {
		t.Errorf("never: %+v, %v", got, err)
	}
	success = "2026-11-30T09:15:08.903"
	if got, err := c.AnalyticsTables(t.Context()); err != nil || !got.Ever || got.Age != 10*time.Minute {
		t.Errorf("ten minutes ago: %+v, %v", got, err)
	}
	for _, x := range []struct{ name, tasks, want string }{
		{"none", `{}`, ""},
		{"one", `{"tGAj73JVks3":[` + begun + `]}`, "tGAj73JVks3"},
		{"ended", `{"tGAj73JVks3":[{"level":"INFO","completed":true,"time":"2026-11-30T09:15:35.390"},` + begun + `]}`, ""},
		{"died", `{"tGAj73JVks3":[{"level":"INFO","completed":false,"time":"2026-11-29T09:15:20.095"}]}`, ""},
	} {
		tasks = x.tasks
		if got, err := c.AnalyticsRunning(t.Context()); err != nil || got != x.want {
			t.Errorf("under way, %s: %q, %v", x.name, got, err)
		}
	}
	status = http.StatusForbidden
	_, err = c.StartAnalytics(t.Context(), 0)
	if e, ok := errors.AsType[*client.Error](err); !ok || !strings.Contains(e.Hint, "F_PERFORM_MAINTENANCE") {
		t.Errorf("refused: %v", err)
	}
	status = http.StatusOK
	if _, err = c.StartAnalytics(t.Context(), 0); err == nil {
		t.Error("an answer without a task passes")
	}
}
