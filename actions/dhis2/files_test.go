package dhis2

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/rules"
)

// withFiles is the country's metadata with a photo of people and a report of an event.
func withFiles(t testing.TB) string {
	t.Helper()
	return withTypes(t, "IMAGE", "FILE_RESOURCE")
}

// withTypes is the country's metadata with other types of an attribute of people and a data element of events.
func withTypes(t testing.TB, ofPeople, ofEvents string) string {
	t.Helper()
	text, err := os.ReadFile("sandbox/testdata/tamala.json")
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	change := func(collection, name, typ string) {
		for _, o := range m[collection].([]any) {
			if o := o.(map[string]any); o["name"] == name {
				o["valueType"] = typ
				return
			}
		}
		t.Fatalf("no %s", name)
	}
	change("trackedEntityAttributes", "Phone number", ofPeople)
	change("dataElements", "Value of type text", ofEvents)
	return keptMetadata(t, m)
}

// keptMetadata writes metadata into a file.
func keptMetadata(t testing.TB, m map[string]any) string {
	t.Helper()
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "metadata.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const fileRule = `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes:
        First name: trigger.first
        Date of birth: {value: "1996-01-09"}
        National ID: trigger.case
        Phone number: trigger.photo
  - dhis2.event:
      program: Every value type
      event_id: trigger.case
      org_unit: trigger.place
      occurred_at: trigger.date
      data_values: {Value of type text: trigger.report}
`

// png is a small image that differs by n.
func png(n byte) string {
	return base64.StdEncoding.EncodeToString(append([]byte("\x89PNG\r\n\x1a\n"), 'x', n))
}

func fileRecord(first, photo, report string) string {
	attachments := fmt.Sprintf(`{"photo.png": {"name": "photo.png", "type": "image/png", "base64": %q}}`, png(9))
	return fmt.Sprintf(`{"id": "f", "case": "case-1", "place": "TM-010202", "date": "2026-03-02", "first": %q, `+
		`"photo": %q, "report": %s, "attachments": %s}`,
		first, photo, report, attachments)
}

// held are the values that stand for files, of the person and of the event, and how many files the server has.
func (s *site) held() (photo, report string, files int) {
	s.t.Helper()
	people, err := s.client.TrackedEntities(s.t.Context(), []string{uidOf(1)}, antenatal)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, p := range people {
		for _, v := range p.Attributes {
			if a := s.index.AttributeByID(v.Attribute); a.ValueType == "IMAGE" {
				photo = v.Value
			}
		}
	}
	program, _, _ := s.index.Program("Every value type")
	r := httptest.NewRequest(http.MethodGet, "/api/tracker/events?fields=dataValues[value]&program="+program.ID, nil)
	r.SetBasicAuth("admin", "district")
	w := httptest.NewRecorder()
	s.sandbox.ServeHTTP(w, r)
	var list struct{ Instances, Events []client.Event }
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
		s.t.Fatal(err, w.Body)
	}
	for _, e := range append(list.Instances, list.Events...) {
		for _, v := range e.DataValues {
			report = v.Value
		}
	}
	return photo, report, int(s.uploads.Load())
}

// TestFiles sends photos and reports: each is uploaded once for its value, replaced when it is
// another one, taken away when the rule says so, and a file that is refused fails its record only.
func TestFiles(t *testing.T) {
	path := withFiles(t)
	for _, version := range []string{"2.41", "2.42", "2.43"} {
		t.Run(version, func(t *testing.T) {
			s := newSiteWith(t, version, path)
			s.countUploads()
			text := strings.Replace(ruleText(fileRule), "Phone number: trigger.photo",
				"Phone number: {from: trigger.photo, blank: clear}", 1)
			report := `{"name": "lab.pdf", "type": "application/pdf", "base64": "` +
				base64.StdEncoding.EncodeToString([]byte("%PDF-1.4 x")) + `"}`
			rule := s.loadRule(text, fileRecord("A", "data:image/png;base64,"+png(1), report))
			step := func(name, record, wanted string, files int) (photo, report string) {
				t.Helper()
				want(t, s.deliver(rule.plans(t, record)...), wanted)
				photo, report, n := s.held()
				if n != files {
					t.Errorf("%s: %d uploads, want %d", name, n, files)
				}
				return photo, report
			}
			first, lab := step("first", fileRecord("A", "data:image/png;base64,"+png(1), report), "DDD", 2)
			if !IsUID(first) || !IsUID(lab) || first == lab {
				t.Fatalf("%q %q", first, lab)
			}
			step("the same again", fileRecord("A", "data:image/png;base64,"+png(1), report), "UUU", 2)
			if photo, _ := step("another name", fileRecord("B", png(1), report), "DUU", 2); photo != first {
				t.Errorf("the photo became %q", photo)
			}
			if photo, _ := step("an attachment", fileRecord("B", "photo.png", report), "DUU", 3); photo == first ||
				!IsUID(photo) {
				t.Errorf("the photo is still %q", photo)
			}
			if photo, _ := step("no photo", fileRecord("B", "", report), "DUU", 3); photo != "" {
				t.Errorf("the photo is %q", photo)
			}
			// A journal that is lost: the report is not uploaded again.
			s.memory = newMemory()
			s.target = NewTarget(s.client, s.current, s.memory, testOptions())
			if _, again := step("a lost journal", fileRecord("B", "", report), "DDD", 3); again != lab {
				t.Errorf("the report is %q, was %q", again, lab)
			}
			// What the server refuses is the record's own.
			bad := strings.Replace(fileRecord("C", "", `{"name": "x.jar", "type": "application/x-thing", "base64": "AAAA"}`),
				`"id": "f", "case": "case-1"`, `"id": "g", "case": "case-2"`, 1)
			if f := rule.failure(t, bad); f == nil || f.Code != "file-wrong-type" {
				t.Errorf("%+v", f)
			}
			s.refuseUploads.Store(true)
			results := s.deliver(rule.plans(t, strings.ReplaceAll(fileRecord("C", png(2), report), "case-1", "case-3"),
				strings.ReplaceAll(fileRecord("D", "", `""`), "case-1", "case-4"))...)
			if o := results[0].Outcomes[0]; o.Code != "file-refused" || o.Status != actions.Failed ||
				!strings.Contains(o.Message, "Phone number") {
				t.Errorf("%+v", o)
			}
			want(t, results[1:], "DDD")
		})
	}
}

// countUploads puts something before the server that counts uploads and can refuse them.
func (s *site) countUploads() {
	server := s.sandbox
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/api/fileResources") {
			if s.refuseUploads.Load() {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusConflict)
				_, _ = w.Write([]byte(`{"httpStatus":"Conflict","httpStatusCode":409,"status":"ERROR","message":"File type not ` +
					`allowed","errorCode":"E6101"}`))
				return
			}
			recorded := httptest.NewRecorder()
			server.ServeHTTP(recorded, r)
			if recorded.Code < 300 {
				s.uploads.Add(1)
			}
			for name, values := range recorded.Header() {
				w.Header()[name] = values
			}
			w.WriteHeader(recorded.Code)
			_, _ = w.Write(recorded.Body.Bytes())
			return
		}
		server.ServeHTTP(w, r)
	}))
	c, err := client.New(client.Options{URL: web.URL,
		Credentials: client.Credentials{Username: "admin", Password: "district"}, Transport: &http.Transport{}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close(); web.Close() })
	s.client = c
	s.target = NewTarget(c, s.current, s.memory, testOptions())
}

// TestAFileOfAnotherPart holds that a record goes on without a photo that did not come with this
// part of it, and says so; where no file came at all it fails.
func TestAFileOfAnotherPart(t *testing.T) {
	s := newSiteWith(t, "2.42", withFiles(t))
	rule := s.loadRule(ruleText(fileRule), fileRecord("A", "photo.png", `""`))
	record := fileRecord("A", "second.png", `""`)
	scope := rule.rule.Begin(rules.Input{Body: decode(t, record)})
	if _, _, err := rule.rule.Identify(scope); err != nil {
		t.Fatal(err)
	}
	writes, err := rule.actions[0].Plan(scope)
	if err != nil {
		t.Fatal(err)
	}
	if left := scope.Left(); len(left) != 1 || left[0].Code != "file-not-attached" || left[0].Field != "Phone number" {
		t.Errorf("%+v", left)
	}
	if o := writes[0].Object.(*object.TrackedEntity); len(o.Files) != 0 || len(o.Values) != 3 {
		t.Errorf("%+v", o.Values)
	}
	none := record[:strings.Index(record, `, "attachments"`)] + "}"
	if f := rule.failure(t, none); f == nil || f.Code != "file-unreadable" ||
		!strings.Contains(f.Hint, "attachments: true") {
		t.Errorf("%+v", f)
	}
}

// TestDescribeAFile holds that tests and try tell of a file what it is, not what it holds.
func TestDescribeAFile(t *testing.T) {
	s := newSiteWith(t, "2.42", withFiles(t))
	rule := s.loadRule(ruleText(fileRule), fileRecord("A", "photo.png", `""`))
	writes, err := rule.plan(decode(t, fileRecord("A", "photo.png", `""`)))
	if err != nil {
		t.Fatal(err)
	}
	got := writes[0].Object.Describe()["attributes"].(map[string]any)["Phone number"]
	if got != "photo.png (image/png, 10 bytes)" {
		t.Errorf("%v", got)
	}
	preview, err := PreviewPlan(t.Context(), actions.Plan{Writes: writes}, s.index, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	first := preview.Requests[0]
	if first.Path != "/api/fileResources" || first.Query["domain"] != "DATA_VALUE" || !IsUID(first.Query["uid"]) ||
		len(first.Body) != 0 {
		t.Errorf("%+v", first)
	}
	if !strings.Contains(string(preview.Requests[1].Body), first.Query["uid"]) {
		t.Errorf("the person does not have the file: %s", preview.Requests[1].Body)
	}
}
