package console

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/sources"
)

// TestPagesOfTheProject looks at what the project itself shows.
func TestPagesOfTheProject(t *testing.T) {
	srv, _ := fixture(t, Config{})
	for path, want := range map[string][]string{
		"/console/rules": {"the rule has no id", "anc-monthly-report", "next 2026-08-01", "Pause"},
		"/console/rules/anc": {"trigger.form.gender", "&#34;FEMALE&#34;", "always", "Only when",
			"the value is not in the map"},
		"/console/rules/nothing":  {"there is no such rule"},
		"/console/servers":        {"2.42.1", "warehouse", "Test now"},
		"/console/servers/gone":   {"there is no such server"},
		"/console/servers/a/none": {"has no such object"},
		"/console/servers/national": {
			"option Female of Sex: code F became FEMALE", "Antenatal care", "Sync now", "1300 org units",
		},
		"/console/servers/national?q=hb":        {"Haemoglobin", "data element"},
		"/console/servers/national?q=nothing":   {"Nothing is called so"},
		"/console/servers/national/WSGAb5XwJ3Y": {`Stage <span translate="no">First visit</span>`, "ANC_RISK", "2 options", "rules/anc.yaml:2"},
	} {
		_, text, _ := get(t, srv.URL+path, nil)
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s lacks %q:\n%s", path, w, text)
			}
		}
	}
	vera := func(r *http.Request) { r.SetBasicAuth("vera", "of-the-viewer") }
	for tag, want := range map[string]string{"fr": `<span translate="no">Soins prénatals <small>Antenatal care</small></span>`,
		"pt": `<span translate="no">Antenatal care</span>`} {
		_, page, _ := get(
			t,
			srv.URL+"/console/servers/national",
			func(r *http.Request) { r.Header.Set("Accept-Language", tag) },
		)
		if !strings.Contains(page, want) {
			t.Errorf("in %s the program is not called %s", tag, want)
		}
	}
	for _, path := range []string{"/console/rules", "/console/rules/anc", "/console/servers", "/console/servers/national",
		"/console/files", "/", "/console/failures", "/console/records/1"} {
		// to log out, and to choose a language
		if _, text, _ := get(t, srv.URL+path, vera); strings.Count(text, `method="post"`) != 2 ||
			strings.Contains(text, "/correct") {
			t.Errorf("%s offers a viewer what a viewer may not do", path)
		}
	}
}

// TestSetGoing tests a connection, syncs, and sends a file.
func TestSetGoing(t *testing.T) {
	p := newProject()
	srv, j := fixture(t, Config{Running: p})
	if status, text := post(t, srv.URL+"/console/test", url.Values{"name": {"national"}},
		"same-origin"); status != http.StatusOK || !strings.Contains(text, "national answers") {
		t.Errorf("test: %d %s", status, text)
	}
	if status, text := post(t, srv.URL+"/console/sync", url.Values{"server": {"national"}},
		"same-origin"); status != http.StatusOK || !strings.Contains(text, "Synced. Changes: 1") {
		t.Errorf("sync: %d %s", status, text)
	}
	if status, _ := upload(t, srv.URL, "anc", "visits.csv", "id\n1\n"); status != http.StatusSeeOther {
		t.Errorf("upload: %d", status)
	}
	if got, want := strings.Join(p.asked, "|"), "test national|sync national|upload anc visits.csv id\n1\n"; got != want {
		t.Errorf("asked %q, want %q", got, want)
	}
	audit, err := j.Audit(t.Context(), 10)
	if err != nil || len(audit) != 2 || audit[0].Did != "upload" || audit[1].Did != "sync" ||
		audit[1].Subject != "server national" || audit[1].Who != "otto (console)" {
		t.Errorf("audit = %+v, %v", audit, err)
	}
	p.fails = errors.New("connection refused")
	if status, text := post(t, srv.URL+"/console/test", url.Values{"name": {"national"}},
		"same-origin"); status != http.StatusOK || !strings.Contains(text, "national: connection refused.") {
		t.Errorf("a test that fails: %d %s", status, text)
	}
	if status, text := post(t, srv.URL+"/console/sync", url.Values{"server": {"national"}},
		"same-origin"); status != http.StatusOK || !strings.Contains(text, "the last snapshot stays") {
		t.Errorf("a sync that fails: %d %s", status, text)
	}
	if status, text := upload(t, srv.URL, "anc", "visits.csv", "id\n1\n"); status != http.StatusServiceUnavailable ||
		strings.Contains(text, "connection refused") {
		t.Errorf("an upload that cannot be taken now: %d %s", status, text)
	}
	p.fails = Refuse(errors.New("it was taken before"))
	if status, text := upload(t, srv.URL, "anc", "visits.csv", "id\n1\n"); status != http.StatusUnprocessableEntity ||
		!strings.Contains(text, "it was taken before") {
		t.Errorf("an upload that is refused: %d %s", status, text)
	}
	if status, _ := upload(t, srv.URL, "", "visits.csv", "id\n1\n"); status != http.StatusUnprocessableEntity {
		t.Errorf("an upload without a rule: %d", status)
	}
}

// TestUploadsThatAreCutOff are told from a console that cannot take them: nothing of them is kept.
func TestUploadsThatAreCutOff(t *testing.T) {
	p := newProject()
	srv, _ := fixture(t, Config{Running: p})
	const head = "--b\r\nContent-Disposition: form-data; name=\"rule\"\r\n\r\nanc\r\n--b\r\nContent-Disposition: " +
		"form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\nid\r\n1"
	for name, body := range map[string]string{"in the file": head, "in the rule": head[:60], "in a header": head[:90],
		"at once": ""} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/console/upload",
			strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		req.SetBasicAuth("otto", "of-the-operator")
		if status, text, _ := do(t, req); status != http.StatusBadRequest || !strings.Contains(text, "not all of it") {
			t.Errorf("cut off %s: %d %s", name, status, text)
		}
	}
	if slices.ContainsFunc(p.asked, func(what string) bool { return !strings.HasPrefix(what, "upload anc a.csv") }) {
		t.Errorf("asked %q", p.asked)
	}
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := fmt.Fprintf(c, "POST /console/upload HTTP/1.1\r\nHost: %s\r\nAuthorization: Basic %s\r\nContent-Type: "+
		"multipart/form-data; boundary=b\r\nContent-Length: 999\r\n\r\n%s", srv.Listener.Addr(),
		base64.StdEncoding.EncodeToString([]byte("otto:of-the-operator")), head); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a line that broke: %s", resp.Status)
	}
}

func upload(t *testing.T, address, rule, name, content string) (int, string) {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	if rule != "" {
		if err := w.WriteField("rule", rule); err != nil {
			t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("file", name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+"/console/upload", &body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", w.FormDataContentType())
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	req.SetBasicAuth("otto", "of-the-operator")
	status, text, _ := do(t, req)
	return status, text
}

// TestDownloads gives results and failed rows to operators, and nothing that is not there.
func TestDownloads(t *testing.T) {
	p := newProject()
	p.results = filepath.Join(t.TempDir(), "visits.results.csv")
	if err := os.WriteFile(p.results, []byte("row,outcome\n2,failed\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	srv, j := fixture(t, Config{Running: p})
	f := &journal.File{File: sources.File{ID: "f1", Rule: "anc", Name: "visits.csv", SHA256: "x", Received: time.Now()},
		State: journal.FileOpen, Next: 1, Places: 5}
	if _, err := j.AddFile(context.Background(), f); err != nil {
		t.Fatal(err)
	}
	if _, text, _ := get(t, srv.URL+"/console/files", nil); !strings.Contains(text, "/console/files/f1/results") ||
		strings.Contains(text, "/console/files/f1/failed") {
		t.Errorf("the page of files offers other downloads:\n%s", text)
	}
	status, text, header := get(t, srv.URL+"/console/files/f1/results", nil)
	if audit, err := j.Audit(t.Context(), 1); err != nil || len(audit) != 1 || audit[0].Did != "download" ||
		!strings.Contains(audit[0].Subject, "f1") {
		t.Errorf("audit = %+v, %v", audit, err)
	}
	if status != http.StatusOK || !strings.Contains(text, "2,failed") ||
		header.Get("Content-Disposition") != "attachment; filename=visits.results.csv" {
		t.Errorf("results: %d %q %v", status, text, header)
	}
	for path, change := range map[string]func(*http.Request){
		"/console/files/f1/failed":  nil,
		"/console/files/f2/results": nil,
		"/console/files/f1/results": func(r *http.Request) { r.SetBasicAuth("vera", "of-the-viewer") },
	} {
		want := http.StatusNotFound
		if change != nil {
			want = http.StatusForbidden
		}
		if status, _, _ := get(t, srv.URL+path, change); status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
}
