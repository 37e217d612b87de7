package studio

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// malaria is an asset of KoboToolbox.
const malaria = `{"name": "Malaria", "asset_type": "survey", "content": {"survey": [
 {"type": "select_one", "select_from_list_name": "sites", "name": "site", "label": ["Health facility"]},
 {"type": "date", "name": "onset", "label": ["Date of onset"]},
 {"type": "integer", "name": "q1", "label": ["Case age (years)"]},
 {"type": "select_one", "select_from_list_name": "sx", "name": "q2", "label": ["Sex"]}],
 "choices": [{"list_name": "sites", "name": "TM-010202", "label": ["Coral"]},
 {"list_name": "sx", "name": "1", "label": ["Female"]}, {"list_name": "sx", "name": "2", "label": ["Male"]},
 {"list_name": "sx", "name": "9", "label": ["Refused to say"]}]}}`

// begin posts the form of a new rule: fields, and files by the field that they are chosen in.
func (f *served) begin(fields map[string]string, files map[string][2]string) (int, string) {
	f.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, value := range fields {
		_ = w.WriteField(name, value)
	}
	for name, file := range files {
		part, _ := w.CreateFormFile(name, file[0])
		_, _ = part.Write([]byte(file[1]))
	}
	_ = w.Close()
	req, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, f.srv.URL+"/new", &b)
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Content-Type", w.FormDataContentType())
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	res, err := f.client.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// TestARuleIsBegun begins a rule from a form, from which a sample is made, and shows the form's
// choices in the maps: those that a map lacks, too.
func TestARuleIsBegun(t *testing.T) {
	f := serve(t, "anc")
	page := f.get("/new")
	at := strings.Index(page, ">Malaria case notification</option>")
	if at < 0 {
		t.Fatalf("the page offers no program: %s", page)
	}
	from := strings.LastIndex(page[:at], `value="`) + len(`value="`)
	program := page[from : from+strings.IndexByte(page[from:], '"')]
	status, page := f.begin(map[string]string{"name": "malaria-kobo", "target": program},
		map[string][2]string{"form_file": {"malaria.json", malaria}})
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, page)
	}
	text := f.text("rules/malaria-kobo.yaml")
	for _, want := range []string{"rule: malaria-kobo", "webhook: {path: /malaria-kobo}", "sample: samples/malaria-kobo.json",
		"Malaria case notification", "trigger.q1"} {
		if !strings.Contains(text, want) {
			t.Errorf("the rule lacks %q:\n%s", want, text)
		}
	}
	if f.text("forms/malaria.json") != malaria || !strings.Contains(page, "malaria-kobo") {
		t.Error("the form is not kept")
	}
	text = strings.Replace(text, "actions:\n", "maps:\n  sex: {1: Female}\nactions:\n", 1)
	f.write("rules/malaria-kobo.yaml", strings.Replace(text, "      data_values:\n",
		"      data_values:\n        Case sex: {from: trigger.q2, map: sex}\n", 1))
	page = f.get("/rule/rules/malaria-kobo.yaml")
	for _, want := range []string{`<code>1</code> <span translate="no">Female</span>`, "not in the map", "in the form",
		`<code>9</code> <span translate="no">Refused to say</span>`} {
		if !strings.Contains(page, want) {
			t.Errorf("the maps lack %q", want)
		}
	}
	// What cannot be begun is said, and nothing of it stays.
	for what, c := range map[string]struct {
		fields map[string]string
		files  map[string][2]string
		want   string
	}{
		"a name that is none":  {map[string]string{"name": "Malaria Kobo", "target": program}, nil, "cannot be a rule"},
		"a name that is taken": {map[string]string{"name": "malaria-kobo", "target": program}, nil, "there already"},
		"no target":            {map[string]string{"name": "a", "sample": "samples/malaria-kobo.json"}, nil, "choose the program"},
		"no sample and form":   {map[string]string{"name": "a", "target": program}, nil, "give a sample"},
		"a file outside":       {map[string]string{"name": "a", "target": program, "sample": "../culvert.yaml"}, nil, "no file of samples"},
		"a file of another kind": {map[string]string{"name": "a", "target": program},
			map[string][2]string{"sample_file": {"x.exe", "MZ"}}, "not taken here"},
		"a file that is there": {map[string]string{"name": "a", "target": program},
			map[string][2]string{"form_file": {"malaria.json", "{}"}}, "says something else"},
		"a form that is none": {map[string]string{"name": "a", "target": program},
			map[string][2]string{"form_file": {"other.json", "{}"}}, "neither content with a survey"},
	} {
		status, page := f.begin(c.fields, c.files)
		if status != http.StatusUnprocessableEntity || !strings.Contains(page, c.want) {
			t.Errorf("%s: %d, lacks %q", what, status, c.want)
		}
		for _, name := range []string{"rules/a.yaml", "forms/other.json", "samples/a.json"} {
			if _, err := os.Stat(filepath.Join(f.dir, filepath.FromSlash(name))); err == nil {
				t.Errorf("%s: %s was written", what, name)
			}
		}
	}
}

// TestEveryWayIsOffered begins a rule with each way in which records may come: its trigger is there, with what it needs.
func TestEveryWayIsOffered(t *testing.T) {
	f := serve(t, "anc")
	page := f.get("/new")
	at := strings.Index(page, ">Malaria case notification</option>")
	value := page[:at]
	value = value[strings.LastIndex(value, `value="`)+len(`value="`):]
	value = value[:strings.IndexByte(value, '"')]
	for i, name := range []string{"webhook", "openrosa", "files", "database", "schedule", "http", "commcare", "kobo", "odk",
		"sftp", "s3", "mail", "dhis2"} {
		if !strings.Contains(page, `<option value="`+name) {
			t.Errorf("%s is not offered", name)
		}
		rule := "way-" + string(rune('a'+i))
		status, body := f.begin(map[string]string{"name": rule, "target": value, "way": name},
			map[string][2]string{"form_file": {"malaria.json", malaria}})
		if status != http.StatusOK {
			t.Errorf("%s: %d %s", name, status, body)
			continue
		}
		text, err := os.ReadFile(filepath.Join(f.dir, "rules", rule+".yaml"))
		kind := map[string]string{"openrosa": "webhook", "http": "schedule"}[name]
		if kind == "" {
			kind = name
		}
		if err != nil || !strings.Contains(string(text), "trigger:\n  "+kind+":") {
			t.Errorf("%s: %v %s", name, err, text)
		}
	}
}
