package service_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/access"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/service"
)

// TestRunNow has a schedule that is due once a year read at once, and says so while it reads.
func TestRunNow(t *testing.T) {
	var asked atomic.Int32
	begun, goOn := make(chan struct{}, 1), make(chan struct{})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		select {
		case begun <- struct{}{}:
		default:
		}
		select {
		case <-goOn:
		case <-r.Context().Done():
		}
		_, _ = w.Write([]byte(`[{"id": "1", "site": "TM-010202", "day": "2026-03-01", "age": 4, "sex": "FEMALE"}]`))
	}))
	defer api.Close()
	dir := nullProject(t, `schedule: {cron: "0 3 1 1 *", missed: skip, http: {url: "`+api.URL+`"}}`, "cases.json",
		`[{"id": "1", "site": "TM-010202", "day": "2026-03-01", "age": 4, "sex": "FEMALE"}]`)
	password, err := access.Set(filepath.Join(dir, "state", project.UsersFile), "otto", access.Operator, "")
	if err != nil {
		t.Fatal(err)
	}
	_, address, stop := startWith(t, service.Options{Dir: dir})
	defer stop()
	ask := func(method, path, body string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("otto", password)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	run := func() (int, string) { return ask(http.MethodPost, "/api/v1/run", `{"rule": "cases"}`) }
	until(t, func() bool { // the source begins once this runner leads
		status, _ := run()
		return status == http.StatusOK
	})
	select {
	case <-begun:
	case <-time.After(time.Minute):
		t.Fatal("nothing was asked for")
	}
	if status, text := run(); status != http.StatusUnprocessableEntity ||
		!strings.Contains(text, "it is running already") {
		t.Errorf("while it runs: %d %s", status, text)
	}
	close(goOn)
	until(t, func() bool {
		_, text := ask(http.MethodGet, "/api/v1/overview", "")
		var o struct {
			Rules []struct {
				Delivered int `json:"delivered"`
			} `json:"rules"`
		}
		return json.Unmarshal([]byte(text), &o) == nil && len(o.Rules) == 1 && o.Rules[0].Delivered == 1
	})
	if n := asked.Load(); n != 1 {
		t.Errorf("it was asked %d times", n)
	}
}
