package project

import (
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/sandbox"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/diag/explain"
)

const pageConfig = `project: pages
servers: {national: {url: "https://dhis2.example.org", token: "${DHIS2_TOKEN}"}}
connections:
  warehouse: {database: "${WAREHOUSE_URL}"}
  sms: {http: "https://sms.example.org", api_key: "${SMS_KEY}"}
  registry: {http: "https://registry.example.org", api_key: "${REGISTRY_KEY}"}
  kobo: {kobo: "https://kf.example.org", api_key: "${KOBO_KEY}"}
  hq: {commcare: "https://hq.example.org", domain: tamala, username: reader, api_key: "${HQ_KEY}"}
`

// wholeRule makes a rule that could run of the part that a page shows.
func wholeRule(snippet string) string {
	if !strings.Contains(snippet, ":") {
		return snippet // nothing but comments
	}
	has := func(key string) bool { return strings.Contains("\n"+snippet, "\n"+key+":") }
	text := ""
	switch {
	case !has("trigger"):
		text += "trigger: {webhook: {path: /forms}, sample: samples/form.json}\n"
		if !has("id") {
			text += "id: trigger.form.meta.instanceID\n"
		}
	case !has("id"):
		text += "id: trigger.id\n"
	}
	if text += snippet; !has("actions") {
		text += "actions:\n  - dhis2.event: {program: Malaria case notification, org_unit: {value: Coral North Clinic}, " +
			"occurred_at: {value: 2026-03-01}, data_values: {Case age (years): {value: 4}, Case sex: {value: Male}}}\n"
	}
	return text
}

// syncTamala writes the metadata of the invented country as that of a project's server, with what
// files of more metadata tell on top of it.
func syncTamala(t *testing.T, dir string, more ...string) {
	t.Helper()
	box, err := sandbox.New(sandbox.Options{Metadata: "../../actions/dhis2/sandbox/testdata/tamala.json", More: more})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(box)
	c, err := client.New(client.Options{URL: server.URL,
		Credentials: client.Credentials{Username: "admin", Password: "district"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		c.Close()
		server.Close()
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := Sync(t.Context(), c, dir, "national", true, nil); err != nil {
		t.Fatal(err)
	}
}

// ownServer is a project of its own for a page that says what its DHIS2 has, or has not; "" for one
// that does not.
func ownServer(t *testing.T, e explain.Entry) string {
	t.Helper()
	for _, b := range e.Blocks {
		if !b.Is("metadata") {
			continue
		}
		dir := t.TempDir()
		write(t, dir, map[string]string{"more.json": b.Text})
		syncTamala(t, dir, filepath.Join(dir, "more.json"))
		return dir
	}
	return ""
}

// pageProject lays out the project of a page's example: the part of a rule, and the files that the page names.
func pageProject(t *testing.T, dir string, e explain.Entry, wrong bool) {
	t.Helper()
	for _, folder := range []string{RulesDir, "samples", "maps", FormsDir} {
		if err := os.RemoveAll(filepath.Join(dir, folder)); err != nil {
			t.Fatal(err)
		}
	}
	form, err := os.ReadFile("../../rules/examples/anc/samples/anc-registration.json")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{ConfigFile: pageConfig, "samples/form.json": string(form)}
	for _, b := range e.Blocks {
		switch {
		case b.Language == "json" && (b.Is("bad") && wrong || b.Is("good") && !wrong):
			files[pageRecord] = b.Text
			if !wrong {
				files["samples/case.json"] = b.Text
			}
		case b.Is("bad") && wrong, b.Is("good") && !wrong:
			files["rules/page.yaml"] = wholeRule(b.Text)
		case b.Language == "json" && b.Is("good"): // what the rule was written by
			files["samples/case.json"] = b.Text
		case b.Is("bad"), b.Is("good"), b.Is("metadata"), len(b.Marks) == 0:
		case strings.HasPrefix(b.Marks[0], RulesDir+"/"):
			files[b.Marks[0]] = wholeRule(b.Text)
		default:
			files[b.Marks[0]] = b.Text
		}
	}
	write(t, dir, files)
}

// pageRecord is the record that a page's example gives to its rule.
const pageRecord = "samples/record.json"

// recordCodes gives the code of what keeps a page's record from being sent, if it has one.
func recordCodes(t *testing.T, l *Loader, p *Project) []string {
	t.Helper()
	r := p.RuleNamed("page")
	if _, err := os.Stat(filepath.Join(p.Dir, pageRecord)); err != nil || r == nil || r.Rule == nil {
		return nil
	}
	records, err := l.Sample(p.Dir, &r.Trigger, pageRecord)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	keep := func(err error) {
		if f, ok := errors.AsType[*rules.Failure](err); ok {
			codes = append(codes, f.Code)
		} else if err != nil {
			t.Error(err)
		}
	}
	for _, record := range records {
		scope := r.Begin(rules.Input{Body: record})
		_, _, err := r.Identify(scope)
		keep(err)
		_, err = r.RecordVersion(scope)
		keep(err)
		for _, a := range r.Actions {
			if a != nil {
				_, err := a.Plan(scope)
				keep(err)
			}
		}
	}
	return codes
}

// TestWholePagesSayTheTruth loads whole projects with the examples of pages: the wrong one has the
// code, the right one has nothing that keeps it from running.
func TestWholePagesSayTheTruth(t *testing.T) {
	dir := t.TempDir()
	syncTamala(t, dir)
	l := &Loader{Sources: SourceKinds()}
	checked := 0
	for _, code := range explain.Codes() {
		e, _ := explain.Find(code)
		if e.Checked != "whole" {
			continue
		}
		checked++
		dir := dir
		if own := ownServer(t, e); own != "" {
			dir = own
		}
		for _, wrong := range []bool{true, false} {
			pageProject(t, dir, e, wrong)
			p, err := l.Load(t.Context(), dir)
			if err != nil {
				t.Errorf("%s: %v", code, err)
				continue
			}
			found := slices.Clone(p.Findings)
			for _, r := range p.Rules {
				found = append(found, r.Findings...)
			}
			checkFindingsSaid(t, found)
			has := slices.ContainsFunc(found, func(d diag.Diagnostic) bool { return d.Code == code })
			failed := recordCodes(t, l, p)
			has = has || slices.Contains(failed, code)
			if has != wrong || !wrong && (found.HasErrors() || len(failed) > 0) {
				t.Errorf("%s: the example that is wrong (%v) has %v %q", code, wrong, found, failed)
			}
		}
	}
	if checked < 80 {
		t.Errorf("only %d pages were checked", checked)
	}
}
