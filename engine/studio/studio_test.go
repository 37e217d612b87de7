package studio

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// ask sends a question and decodes what is answered.
func (f *served) ask(path string, q question, out any) int {
	f.t.Helper()
	text, err := json.Marshal(q)
	if err != nil {
		f.t.Fatal(err)
	}
	res, err := f.client.Post(f.srv.URL+path, "application/json", bytes.NewReader(text))
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		f.t.Fatal(err)
	}
	return res.StatusCode
}

// TestWhoIsLetIn asks as other programs and pages of other sites would.
func TestWhoIsLetIn(t *testing.T) {
	f := serve(t, "anc")
	session := &http.Cookie{Name: f.studio.guard.cookie, Value: f.studio.guard.session}
	for _, c := range []struct {
		name, method, path string
		with               func(*http.Request)
		status             int
	}{
		{"with the cookie", "GET", "/", func(r *http.Request) { r.AddCookie(session) }, 200},
		{"by the name of this machine", "GET", "/", func(r *http.Request) {
			r.AddCookie(session)
			r.Host = "localhost:" + strings.Split(f.host(), ":")[1]
		}, 200},
		{"without the cookie", "GET", "/", func(*http.Request) {}, 403},
		{"with another cookie", "GET", "/", func(r *http.Request) {
			r.AddCookie(&http.Cookie{Name: session.Name, Value: "guessed"})
		}, 403},
		{"with another token", "GET", "/?token=guessed", func(*http.Request) {}, 403},
		{"the token elsewhere", "GET", "/rule/" + registration + "?token=" + f.studio.guard.token, func(*http.Request) {}, 403},
		{"by another name", "GET", "/", func(r *http.Request) {
			r.AddCookie(session)
			r.Host = "attacker.example:" + strings.Split(f.host(), ":")[1]
		}, 421},
		{"by another name with the token", "GET", f.studio.Path(), func(r *http.Request) { r.Host = "attacker.example" }, 421},
		{"from another site", "POST", "/save", func(r *http.Request) {
			r.AddCookie(session)
			r.Header.Set("Origin", "https://attacker.example")
			r.Header.Set("Content-Type", "application/json")
		}, 403},
		{"from another site without origin", "POST", "/save", func(r *http.Request) {
			r.AddCookie(session)
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Content-Type", "application/json")
		}, 403},
		{"as a form", "POST", "/save", func(r *http.Request) {
			r.AddCookie(session)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}, 415},
		{"a part of the script, by a stranger", "GET", "/static/table.js", func(*http.Request) {}, 403},
		{"the look, by a stranger", "GET", "/static/studio.js", func(*http.Request) {}, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), c.method, f.srv.URL+c.path, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			c.with(r)
			res, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if res.StatusCode != c.status {
				body, _ := io.ReadAll(res.Body)
				t.Errorf("answered %d: %s", res.StatusCode, body)
			}
			if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
				t.Errorf("the policy is %q", csp)
			}
		})
	}
}

func TestTheCookieStaysHere(t *testing.T) {
	f := serve(t, "anc")
	r, err := http.NewRequestWithContext(t.Context(), "GET", f.srv.URL+f.studio.Path(), nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	set := res.Header.Get("Set-Cookie")
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/" ||
		!strings.Contains(set, "SameSite=Strict") || !strings.Contains(set, "HttpOnly") ||
		strings.Contains(set, f.studio.guard.token) {
		t.Errorf("%d to %q with %q", res.StatusCode, res.Header.Get("Location"), set)
	}
}

// TestNothingOutsideIsTouched asks for files that are no rules of the project.
func TestNothingOutsideIsTouched(t *testing.T) {
	f := serve(t, "anc")
	outside := filepath.Join(t.TempDir(), "secret.yaml")
	if err := os.WriteFile(outside, []byte("rule: theirs\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := []string{"../secret.yaml", outside, "culvert.yaml", "metadata/national/server.json", ".git/config.yaml",
		"rules/../../secret.yaml", "rules/none.yaml", "state/x.json", "rules/x.sh", ""}
	if runtime.GOOS != "windows" {
		if err := os.Symlink(outside, filepath.Join(f.dir, "rules", "linked.yaml")); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Dir(outside), filepath.Join(f.dir, "rules", "folder")); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("anc-registration.yaml", filepath.Join(f.dir, "rules", "inner.yaml")); err != nil {
			t.Fatal(err)
		}
		files = append(files, "rules/linked.yaml", "rules/folder/secret.yaml", "rules/inner.yaml")
	}
	for _, name := range files {
		var out map[string]any
		q := question{File: registration, Drafts: map[string]string{name: "rule: ours\n"},
			Save: map[string]string{name: version([]byte("rule: theirs\n"))}}
		if name == "rules/inner.yaml" {
			q.Save[name] = version([]byte(f.text(registration)))
		}
		if status := f.ask("/save", q, &out); status < 400 || out["error"] == "" {
			t.Errorf("%q was written: %d %v", name, status, out)
		}
	}
	if text, err := os.ReadFile(outside); err != nil || string(text) != "rule: theirs\n" {
		t.Errorf("what lies outside became %q, %v", text, err)
	}
	for _, sample := range []string{"../x.json", "/etc/passwd", "culvert.yaml", "metadata/national/server.json"} {
		var out map[string]any
		if status := f.ask("/check", question{File: registration, Sample: sample}, &out); status != http.StatusNotFound {
			t.Errorf("the sample %q is answered with %d", sample, status)
		}
	}
}

func TestSaving(t *testing.T) {
	f := serve(t, "anc")
	before := f.text(registration)
	after := strings.Replace(before, "title(trigger.form.village)", "upper(trigger.form.village)", 1)
	q := question{File: registration, Drafts: map[string]string{registration: after},
		Save: map[string]string{registration: version([]byte("what it was long ago"))}}
	var out struct {
		Error string
		Saved map[string]string
	}
	if status := f.ask("/save", q, &out); status != http.StatusConflict || f.text(registration) != before {
		t.Errorf("%d %s", status, out.Error)
	}
	q.Save[registration] = version([]byte(before))
	if err := os.Chmod(filepath.Join(f.dir, filepath.FromSlash(registration)), 0o640); err != nil {
		t.Fatal(err)
	}
	if status := f.ask("/save", q, &out); status != http.StatusOK || f.text(registration) != after ||
		out.Saved[registration] != version([]byte(after)) {
		t.Errorf("%d %+v", status, out)
	}
	info, err := os.Stat(filepath.Join(f.dir, filepath.FromSlash(registration)))
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Errorf("the mode is %v, %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(f.dir, "rules", ".culvert-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
	q = question{File: registration, Drafts: map[string]string{"maps/new.csv": "from,to\na,b\n"},
		Save: map[string]string{"maps/new.csv": ""}}
	if status := f.ask("/save", q, &out); status != http.StatusOK || f.text("maps/new.csv") != "from,to\na,b\n" {
		t.Errorf("a new file: %d %s", status, out.Error)
	}
}

// TestEdits makes each change of the table and looks at the lines of the file that it changes.
func TestEdits(t *testing.T) {
	f := serve(t, "anc")
	attributes := []string{"actions", "0", "dhis2.create_and_enroll", "attributes"}
	before := f.text(registration)
	for _, c := range []struct {
		name     string
		edits    []edit
		out, in  string
		problem  string
		saysFind string // in the table
	}{
		{name: "a field of DHIS2", edits: []edit{{Do: "text", Path: below(attributes, "Number of children"), Text: "2 + 1"}},
			in: "        Number of children: 2 + 1", saysFind: "<code>&#34;3&#34;</code>"},
		{name: "nothing for a field that is not there", edits: []edit{{Do: "text", Path: below(attributes, "Email address")}}},
		{name: "a map", edits: []edit{{Do: "part", Path: below(attributes, "Village"), Key: "map", Text: "sex"}},
			out: "        Village: title(trigger.form.village)",
			in:  "        Village: {from: title(trigger.form.village), map: sex}", saysFind: "not in the value map"},
		{name: "no map", edits: []edit{{Do: "part", Path: below(attributes, "Sex"), Key: "map"}},
			out: "        Sex: {from: trigger.form.gender, map: sex}", in: "        Sex: trigger.form.gender"},
		{name: "another blank", edits: []edit{{Do: "part", Path: below(attributes, "Phone number"), Key: "blank", Text: "fail"}},
			out: "        Phone number: {from: trigger.form.phone, blank: omit}",
			in:  "        Phone number: {from: trigger.form.phone, blank: fail}"},
		{name: "a fixed value", edits: []edit{{Do: "text", Path: below(attributes, "Village"), Text: "Kaolo"},
			{Do: "literal", Path: below(attributes, "Village")}},
			out: "        Village: title(trigger.form.village)", in: "        Village: {value: Kaolo}", saysFind: "always"},
		{name: "a value of a map", edits: []edit{{Do: "text", Path: []string{"maps", "sex", "u"}, Text: "Female"}},
			out: "  sex: {f: Female, m: Male}", in: "  sex: {f: Female, m: Male, u: Female}"},
		{name: "a map of its own name", edits: []edit{{Do: "map", Path: []string{"maps", "village"}, Text: "a\tB\nc, d\tE"}},
			in: "  village: {a: B, 'c, d': E}"},
		{name: "a lookup", edits: []edit{{Do: "lookup", Path: []string{"lookups", "home"}, Key: "code",
			Text: "organisationUnits\ntrigger.form.facility_code"}},
			in: "  home: {in: organisationUnits, code: trigger.form.facility_code}"},
		{name: "a field gone", edits: []edit{{Do: "remove", Path: below(attributes, "Village")}},
			out: "        Village: title(trigger.form.village)"},
		{name: "what is not there", edits: []edit{{Do: "remove", Path: []string{"none"}}}, problem: "cannot be changed by itself"},
		{name: "no such change", edits: []edit{{Do: "burn", Path: []string{"rule"}}}, problem: "there is no change"},
		{name: "of nothing", edits: []edit{{Do: "text", Text: "x"}}, problem: "does not say"},
		{name: "a row of no map", edits: []edit{{Do: "row", File: "culvert.yaml", Key: "a"}}, problem: "not the CSV file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out checked
			status := f.ask("/check", question{File: registration, Edits: c.edits}, &out)
			after := before
			if text, ok := out.Drafts[registration]; ok {
				after = text
			}
			gone, come := difference(before, after)
			if status != http.StatusOK || strings.Join(gone, "\n") != c.out || strings.Join(come, "\n") != c.in ||
				!strings.Contains(out.Problem, c.problem) || (c.problem == "") != (out.Problem == "") {
				t.Errorf("%d %q: went %q, came %q", status, out.Problem, gone, come)
			}
			if !strings.Contains(out.Sheet, c.saysFind) {
				t.Errorf("the table does not say %q:\n%s", c.saysFind, out.Sheet)
			}
		})
	}
}

func TestALookupWhereThereIsNone(t *testing.T) {
	text := "rule: x\n# what is done\nactions:\n  - dhis2.event: {}\n"
	got, err := apply("r.yaml", []byte(text), edit{Do: "lookup", Path: []string{"lookups", "home"}, Key: "code",
		Text: "organisationUnits\ntrigger.x"})
	want := strings.Replace(text, "actions:", "lookups:\n  home: {in: organisationUnits, code: trigger.x}\nactions:", 1)
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestARowOfACSVFile(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"from,to\na,b\n", "from,to\na,b\nx,\"y, z\"\n"}, {"from;to\r\na;b", "from;to\r\na;b\r\nx;y, z\r\n"}, {"", "x,\"y, z\"\n"},
	} {
		if got, err := appendRow([]byte(c.text), "x", "y, z"); err != nil || string(got) != c.want {
			t.Errorf("%q became %q, %v", c.text, got, err)
		}
	}
}

func TestProposals(t *testing.T) {
	f := serve(t, "anc")
	weight := []string{"actions", "1", "dhis2.event", "data_values", "Weight (kg)"}
	for _, c := range []struct {
		name, typed, label, text string
		path                     []string
		from                     int
	}{
		{"a field of the record", "trigger.form.wei", "weight", ".weight", weight, 12},
		{"a function", "upp", "upper", "upper(", weight, 0},
		{"of a field that is not mapped yet", "trigger.form.ge", "gender", ".gender",
			[]string{"actions", "0", "dhis2.create_and_enroll", "attributes", "Email address"}, 12},
		{"the name of a stage", "", "First visit", "First visit", []string{"actions", "1", "dhis2.event", "stage"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out struct {
				Items []struct {
					Label    string
					TextEdit struct {
						NewText string
						Range   struct{ Start struct{ Line, Character int } }
					}
				}
			}
			status := f.ask("/complete", question{File: registration, Path: c.path, Typed: c.typed, Caret: len(c.typed)}, &out)
			for _, i := range out.Items {
				if e := i.TextEdit; i.Label == c.label {
					if strings.TrimSpace(e.NewText) != c.text || e.Range.Start.Character != c.from {
						t.Errorf("%+v", i)
					}
					return
				}
			}
			t.Errorf("%d: %q is not among %d proposals", status, c.label, len(out.Items))
		})
	}
}

func TestBadQuestions(t *testing.T) {
	f := serve(t, "anc")
	for name, body := range map[string]string{"no JSON": "x", "a list": "[]", "too long": `{"file": "` + strings.Repeat("x",
		maxQuestion) + `"}`, "too many drafts": `{"drafts": {` + strings.TrimSuffix(strings.Repeat(`"rules/x.yaml":"",`, 1), ",") +
		`}}`} {
		res, err := f.client.Post(f.srv.URL+"/check", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode < 400 || res.StatusCode >= 500 {
			t.Errorf("%s is answered with %d", name, res.StatusCode)
		}
	}
	var out checked
	if status := f.ask("/check", question{File: registration, Drafts: map[string]string{registration: "rule: [\n"}},
		&out); status != http.StatusOK || len(out.Findings) == 0 {
		t.Errorf("a text that is no YAML: %d %+v", status, out)
	}
}

func TestInFrench(t *testing.T) {
	f := serve(t, "anc")
	r, err := http.NewRequestWithContext(t.Context(), "GET", f.srv.URL+"/rule/"+registration, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Language", "fr")
	res, err := f.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(text), "Tables de valeurs") ||
		!strings.Contains(string(text), "obligatoire") {
		t.Errorf("%v\n%s", err, text)
	}
}

// TestTheEditorIsSmall keeps the editor within what a poor line and a small disk bear, and its licences beside it.
func TestTheEditorIsSmall(t *testing.T) {
	text, err := assets.ReadFile("static/editor.js")
	if err != nil || len(text) > 500_000 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	licences, err := assets.ReadFile("static/editor.licences.txt")
	if err != nil || !strings.Contains(string(licences), "@codemirror/view") {
		t.Errorf("the licences: %v", err)
	}
}

// TestATestIsRecorded writes a test of the record into the text; then it passes.
func TestATestIsRecorded(t *testing.T) {
	f := serve(t, "anc")
	before := f.text(registration)
	q := question{File: registration, Drafts: map[string]string{registration: before}, Typed: "as it came",
		Sample: "samples/anc-registration.json"}
	var out checked
	if status := f.ask("/record", q, &out); status != http.StatusOK ||
		!strings.Contains(out.Sheet, "expects what it gets now") {
		t.Fatalf("%d %s", status, out.Sheet)
	}
	after := out.Drafts[registration]
	gone, come := difference(before, after)
	if strings.Join(gone, "") != "" ||
		!strings.Contains(strings.Join(come, "\n"), "  - name: as it came\n    given: samples/"+
			"anc-registration.json\n    expect:\n      - tracked_entity: Person") {
		t.Errorf("went %q, came\n%s", gone, strings.Join(come, "\n"))
	}
	q.Drafts[registration] = after
	if status := f.ask("/tests", q, &out); status != http.StatusOK || strings.Count(out.Sheet, "passed") != 2 {
		t.Errorf("%d %s", status, out.Sheet)
	}
	q.Drafts[registration] = strings.Replace(
		after,
		"Last name: trigger.form.last_name",
		"Last name: trigger.form.village",
		1,
	)
	if status := f.ask("/tests", q, &out); status != http.StatusOK || !strings.Contains(out.Sheet, "Sarr") {
		t.Errorf("a test that fails: %d %s", status, out.Sheet)
	}
	for name, bad := range map[string]question{"no name": {File: registration, Drafts: q.Drafts, Sample: q.Sample},
		"no sample": {File: registration, Drafts: q.Drafts, Typed: "x"}, "no text": {File: registration, Typed: "x",
			Sample: q.Sample}} {
		if status := f.ask("/record", bad, &out); status != http.StatusBadRequest {
			t.Errorf("%s is answered with %d", name, status)
		}
	}
}

func TestWhatWouldBeSent(t *testing.T) {
	f := serve(t, "anc")
	var out checked
	if status := f.ask("/sent", question{File: registration}, &out); status != http.StatusOK ||
		!strings.Contains(out.Sheet, "tracked entity Person") || !strings.Contains(out.Sheet, "/api/tracker") {
		t.Errorf("%d %s", status, out.Sheet)
	}
	text := strings.Replace(f.text(registration), "m: Male", "m: Mael", 1)
	if status := f.ask("/sent", question{File: registration, Drafts: map[string]string{registration: text}}, &out); status != 200 ||
		!strings.Contains(out.Sheet, "has mistakes") {
		t.Errorf("a rule with a mistake: %d %s", status, out.Sheet)
	}
}
