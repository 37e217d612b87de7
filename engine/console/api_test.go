package console

import (
	"bytes"
	"context"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/culvert/culvert/engine/journal"
)

// call is one request of the API with the answer that is expected.
type call struct {
	operation, path, body string
	status                int
	want                  string // a part of the answer
}

// calls are of every operation: what goes well, and what does not.
var calls = []call{
	{"overview", "/overview", "", 200, `"failed":2`},
	{"figures", "/figures", "", 200, `"period":"hour"`},
	{"figures", "/figures?period=week&rule=anc", "", 200, `"seconds":21600`},
	{"figures", "/figures?period=century", "", 400, "none of hour"},
	{"records", "/records?rule=anc&limit=1", "", 200, `"next":6`},
	{"records", "/records?q=form-1&state=failed&since=2020-01-01T00:00:00Z", "", 200, `"code":"unmapped-value"`},
	{"records", "/records?staet=failed", "", 400, "no parameter"},
	{"records", "/records?=x", "", 400, "no parameter"},
	{"records", "/records?state=lost", "", 400, "does not exist"},
	{"records", "/records?before=0", "", 400, "whole number"},
	{"records", "/records?since=yesterday", "", 400, "write a time"},
	{"record", "/records/1", "", 200, `"id":"form-1"`},
	{"record", "/records/99", "", 404, "no such record"},
	{"record", "/records/0", "", 404, "no such record"},
	{"content", "/records/1/content", "", 200, "Fatou"},
	{"content", "/records/99/content", "", 404, "no such record"},
	{"trace", "/records/1/trace", `{"content":{"name":"Awa"}}`, 200, `"status":"failed"`},
	{"trace", "/records/1/trace", `{}`, 400, "no content"},
	{"trace", "/records/99/trace", `{"content":{}}`, 404, "no such record"},
	{"correct", "/records/1/correct", `{"content":{"name":"Awa"},"why":"x"}`, 422, "it would fail again"},
	{"correct", "/records/1/correct", `{"content":{"name":"Corrected"}}`, 422, "say why"},
	{"correct", "/records/1/correct", `{"contents":{}}`, 400, "openapi.yaml"},
	{"person", "/persons?who=case-1", "", 200, `"number":1`},
	{"person", "/persons?who=nobody", "", 404, "knows nobody"},
	{"person", "/persons", "", 400, "who"},
	{"versions", "/records/1/versions", "", 200, `"records":[{"number":1`},
	{"versions", "/records/99/versions", "", 404, "no such record"},
	{"record", "/records/6", "", 200, `"state":"failed"`},
	{"person", "/persons?who=case-4", "", 200, `"rows":[{"file":"f1"`},
	{"rows", "/rows?q=visit-7", "", 200, `"outcome":"delivered"`},
	{"rows", "/rows?q=visits.csv:8&state=delivered&limit=5", "", 200, `"number":7`},
	{"rows", "/rows?q=nobody", "", 200, `"rows":[]`},
	{"rows", "/rows", "", 400, "q: "},
	{"rows", "/rows?q=x&after=y", "", 400, "after: "},
	{"file", "/files/f1", "", 200, `"name":"visits.csv"`},
	{"file", "/files/f2", "", 404, "no such file"},
	{"file_rows", "/files/f1/rows?limit=2", "", 200, `"next":"f1:`},
	{"file_rows", "/files/f1/rows?outcome=failed", "", 200, `"number":4`},
	{"file_rows", "/files/f1/rows?after=f2:1", "", 400, "after: "},
	{"file_rows", "/files/f2/rows", "", 404, "no such file"},
	{"row", "/files/f1/rows/7", "", 200, `"kind":"event"`},
	{"row", "/files/f1/rows/4", "", 200, `"record":`},
	{"row", "/files/f1/rows/999", "", 404, "no such row"},
	{"row_content", "/files/f1/rows/7/content", "", 200, "Corrected Awa"},
	{"row_content", "/files/f1/rows/3/content", "", 404, "the file is gone"},
	{"row_content", "/files/f1/rows/4/content", "", 422, "record of its own"},
	{"row_trace", "/files/f1/rows/7/trace", "", 200, `"status":"fine"`},
	{"file_results", "/files/f1/results", "", 200, "row,sheet,record"},
	{"file_results", "/files/f2/results", "", 404, "no such file"},
	{"file_failed", "/files/f1/failed", "", 200, "the failed rows"},
	{"file_failed", "/files/f1/failed?x=1", "", 400, "no parameter"},
	{"values", "/failures/values?rule=anc&code=unmapped-value&cause=the+value+is+not+in+the+map+%3Csex%3E", "", 200, "secret"},
	{"values", "/failures/values?rule=anc", "", 400, "name rule"},
	{"contents", "/failures/contents?rule=anc&code=unmapped-value", "", 200, "Fatou"},
	{"contents", "/failures/contents", "", 404, "names no rule"},
	{"rule", "/rules/anc", "", 200, `"expression":"trigger.form.gender"`},
	{"rule", "/rules/gone", "", 404, "no such rule"},
	{"connections", "/connections", "", 200, `"name":"warehouse"`},
	{"object", "/servers/national/metadata/WSGAb5XwJ3Y", "", 200, "Antenatal care"},
	{"object", "/servers/national/metadata/none", "", 404, "no such object"},
	{"test", "/test", `{"name":"national"}`, 200, `"answers":true`},
	{"test", "/test", `{}`, 422, "name a server"},
	{"sync", "/sync", `{"server":"national"}`, 200, "Malaria"},
	{"sync", "/sync", `{"server":"gone"}`, 404, "no such server"},
	{"failures", "/failures?rule=anc", "", 200, `"count":1`},
	{"files", "/files", "", 200, `"id":"f1"`},
	{"rules", "/rules", "", 200, `"code":"no-id"`},
	{"servers", "/servers", "", 200, `"version":"2.42.1"`},
	{"metadata", "/servers/national/metadata", "", 200, "Antenatal care"},
	{"metadata", "/servers/national/metadata?q=hb", "", 200, "Haemoglobin"},
	{"metadata", "/servers/gone/metadata", "", 404, "no such server"},
	{"audit", "/audit?limit=5", "", 200, `"entries":[`},
	{"audit", "/audit?limit=0", "", 400, "whole number"},
	{"pause", "/pause", `{"rule":"anc","why":"a test"}`, 200, `"anc":{"since"`},
	{"pause", "/pause", `{"rule":"gone"}`, 422, "no such rule"},
	{"pause", "/pause", `{"rules":"anc"}`, 400, "openapi.yaml"},
	{"resume", "/resume", `{"rule":"anc"}`, 200, `{`},
	{"pause", "/pause", `{"rule":null}`, 400, "is null"},
	{"pause", "/pause", `null`, 422, "no such rule"},
	{"resume", "/resume", `{}`, 422, "name a rule"},
	{"run", "/run", `{"rule":"anc-monthly-report-of-the-district"}`, 200, `{"rule":"anc-monthly`},
	{"run", "/run", `{"rule":"anc"}`, 422, "takes what is sent"},
	{"run", "/run", `{"rule":"gone"}`, 404, "no such rule"},
	{"run", "/run", `{"rules":"anc"}`, 400, "openapi.yaml"},
	{"dismiss", "/dismiss", `{"numbers":[1]}`, 422, "say why"},
	{"dismiss", "/dismiss", `{"why":"x"}`, 422, "names no records"},
	{"replay", "/replay", `{}`, 422, "names no records"},
	{"replay", "/replay", `{"numbers":[null]}`, 400, "whole numbers"},
	{"replay", "/replay", `{"numbers":[0],"rule":"anc"}`, 400, "whole numbers"},
	{"replay", "/replay", `{"numbers":[1]} {}`, 400, "openapi.yaml"},
	{"replay", "/replay", `{"numbers":[1],"why":"a test"}`, 200, `"records":1`},
	{"dismiss", "/dismiss", `{"rule":"anc","why":"a test"}`, 200, `"records":1`},
	{"correct", "/records/1/correct", `{"content":{"name":"Corrected"},"why":"typing error"}`, 422, ""},
}

// TestAPI calls every operation of openapi.yaml, and holds every answer against it.
func TestAPI(t *testing.T) {
	doc := document(t)
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	address, _, p := rowsFixture(t, 250)
	p.failed = filepath.Join(t.TempDir(), "visits.failed.csv")
	if err := os.WriteFile(p.failed, []byte("the failed rows"), 0o600); err != nil {
		t.Fatal(err)
	}
	called := map[string]bool{"upload": true} // by TestAPIUpload
	for _, c := range calls {
		t.Run(c.operation+" "+c.path+" "+c.body, func(t *testing.T) {
			answerOf(t, router, address, c)
			called[c.operation] = called[c.operation] || c.status == http.StatusOK
		})
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if !called[op.OperationID] && op.OperationID != "correct" {
				t.Errorf("%s %s is not called", method, path)
			}
		}
	}
}

func document(t *testing.T) *openapi3.T {
	t.Helper()
	text, err := assets.ReadFile("static/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	return doc
}

func answerOf(t *testing.T, router routers.Router, address string, c call) {
	t.Helper()
	method := http.MethodGet
	if c.body != "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(t.Context(), method, address+"/api/v1"+c.path, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth("ada", "of-the-admin")
	status, text, header := do(t, req)
	if status != c.status || !strings.Contains(text, c.want) {
		t.Errorf("%d, want %d with %q: %s", status, c.status, c.want, text)
	}
	documented, err := http.NewRequestWithContext(t.Context(), method, "/api/v1"+c.path, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	route, params, err := router.FindRoute(documented)
	if err != nil {
		t.Fatal(err)
	}
	if route.Operation.OperationID != c.operation {
		t.Errorf("this is the operation %s", route.Operation.OperationID)
	}
	in := &openapi3filter.RequestValidationInput{Request: documented, PathParams: params, Route: route}
	err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: status, Header: header, Body: io.NopCloser(bytes.NewReader([]byte(text))),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		t.Errorf("the answer is not as openapi.yaml says: %v", err)
	}
}

// TestAPIRoles lets each role do what it may, and answers the others in JSON.
func TestAPIRoles(t *testing.T) {
	srv, _ := fixture(t, Config{})
	for path, least := range map[string]string{"/overview": "vera", "/records/1": "vera", "/records/1/content": "otto",
		"/audit": "ada", "/openapi.yaml": "vera"} {
		for i, user := range []string{"vera", "otto", "ada"} {
			password := []string{"of-the-viewer", "of-the-operator", "of-the-admin"}[i]
			status, text, _ := get(t, srv.URL+"/api/v1"+path, func(r *http.Request) { r.SetBasicAuth(user, password) })
			may := user == least || least == "vera" || user == "ada"
			if may != (status == http.StatusOK) || !may && !strings.Contains(text, `{"error":"your role`) {
				t.Errorf("%s for %s: %d %s", path, user, status, text)
			}
		}
	}
	nobody := func(r *http.Request) { r.Header.Del("Authorization") }
	if status, text, _ := get(t, srv.URL+"/api/v1/overview", nobody); status != http.StatusUnauthorized ||
		!strings.Contains(text, `{"error":`) {
		t.Errorf("nobody: %d %s", status, text)
	}
	if status, text, _ := get(t, srv.URL+"/api/v1/nothing", nil); status != http.StatusNotFound ||
		!strings.Contains(text, "openapi.yaml") {
		t.Errorf("no such address: %d %s", status, text)
	}
	if status, _, header := get(t, srv.URL+"/api/v1/replay", nil); status != http.StatusMethodNotAllowed ||
		header.Get("Allow") != "POST" {
		t.Errorf("reading a change: %d", status)
	}
}

// TestAPICorrect corrects a record as a program would.
func TestAPICorrect(t *testing.T) {
	srv, j := fixture(t, Config{})
	router, err := legacy.NewRouter(document(t))
	if err != nil {
		t.Fatal(err)
	}
	answerOf(t, router, srv.URL, call{"correct", "/records/1/correct",
		`{"content":{"name":"Corrected"},"why":"typing error"}`, 200, `"number":3`})
	list, err := j.Versions(t.Context(), "anc", "form-1")
	if err != nil || len(list) != 2 || !list[1].Edited || list[1].State != journal.Pending {
		t.Errorf("versions = %+v, %v", list, err)
	}
}

// TestAPISelection replays records by their numbers, and by their rule.
func TestAPISelection(t *testing.T) {
	srv, j := fixture(t, Config{})
	withFailures(t, j)
	router, err := legacy.NewRouter(document(t))
	if err != nil {
		t.Fatal(err)
	}
	answerOf(t, router, srv.URL, call{"replay", "/replay", `{"numbers":[3,4]}`, 200, `"records":2`})
	answerOf(t, router, srv.URL, call{"dismiss", "/dismiss",
		`{"rule":"anc","code":"unmapped-value","cause":"not in the map","why":"x"}`, 200, `"records":3`})
	answerOf(t, router, srv.URL, call{"replay", "/replay", `{"rule":"anc"}`, 200, `"records":1`})
}

// TestAPIUnderSchemathesis has schemathesis make requests of its own, where CULVERT_TEST_SCHEMATHESIS names it.
func TestAPIUnderSchemathesis(t *testing.T) {
	program := os.Getenv("CULVERT_TEST_SCHEMATHESIS")
	if program == "" {
		t.Skip("CULVERT_TEST_SCHEMATHESIS names no schemathesis")
	}
	address, _, _ := rowsFixture(t, 250)
	for phases, unchecked := range map[string]string{
		// What a body means, such as a record that would fail again, no schema can say: such requests are
		// refused though they are well-formed.
		"examples,coverage,stateful": "positive_data_acceptance",
		// In this phase schemathesis makes up parameters that it then sends nothing of, and holds it against the answer.
		"fuzzing": "positive_data_acceptance,negative_data_rejection",
	} {
		out, err := exec.CommandContext(t.Context(), program, "run", address+"/api/v1/openapi.yaml", "--auth",
			"ada:of-the-admin", "--max-examples", "25", "--generation-deterministic", "--no-color",
			"--phases", phases, "--exclude-checks", unchecked).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", phases, err, out)
		}
	}
}

// TestAPIUpload sends a file for a rule as a program would.
func TestAPIUpload(t *testing.T) {
	p := newProject()
	srv, _ := fixture(t, Config{Running: p})
	send := func(name, password string, fields ...string) (int, string) {
		t.Helper()
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		for _, field := range fields {
			key, value, _ := strings.Cut(field, "=")
			if key == "file" {
				part, _ := w.CreateFormFile("file", value)
				_, _ = part.Write([]byte("a,b\n"))
				continue
			}
			_ = w.WriteField(key, value)
		}
		_ = w.Close()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/api/v1/files", &b)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", w.FormDataContentType())
		req.SetBasicAuth(name, password)
		status, text, _ := do(t, req)
		return status, text
	}
	if status, text := send("otto", "of-the-operator", "rule=anc", "file=x.csv"); status != http.StatusOK ||
		!strings.Contains(text, `{"file":"f1"}`) {
		t.Errorf("an operator: %d %s", status, text)
	}
	if status, text := send("vera", "of-the-viewer", "rule=anc", "file=x.csv"); status != http.StatusForbidden ||
		!strings.Contains(text, `{"error":`) {
		t.Errorf("a viewer: %d %s", status, text)
	}
	if status, text := send("otto", "of-the-operator", "file=x.csv"); status != http.StatusUnprocessableEntity ||
		!strings.Contains(text, `{"error":`) {
		t.Errorf("without a rule: %d %s", status, text)
	}
	if status, text := send("otto", "of-the-operator", "rule=anc"); status != http.StatusBadRequest ||
		!strings.Contains(text, `{"error":`) {
		t.Errorf("without a file: %d %s", status, text)
	}
}
