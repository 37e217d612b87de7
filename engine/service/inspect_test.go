package service_test

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/sandbox"
	"github.com/culvert/culvert/engine/access"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/service"
	"github.com/culvert/culvert/internal/await/awaittest"
	"github.com/culvert/culvert/rules/examples"
)

// consoleOf runs the example project and gives a way to ask its console as an operator.
func consoleOf(t *testing.T) (dir string, ask func(method, path string, form url.Values) (int, string),
	upload func(rule, name, text string) int, j func() journal.Journal) {
	t.Helper()
	return consoleOfExample(t, "anc", nil)
}

// consoleOfExample is that of any example, with what its server holds besides the country of the first.
func consoleOfExample(t *testing.T, example string, more []string) (dir string,
	ask func(method, path string, form url.Values) (int, string), upload func(rule, name, text string) int,
	j func() journal.Journal) {
	t.Helper()
	dir = t.TempDir()
	if err := examples.Write(example, dir, func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	for n := range more {
		more[n] = filepath.Join(dir, filepath.FromSlash(more[n]))
	}
	box, err := sandbox.New(sandbox.Options{More: more,
		Metadata: filepath.Join("..", "..", "rules", "examples", "anc", "input", "tamala.json")})
	if err != nil {
		t.Fatal(err)
	}
	dhis2 := httptest.NewServer(box)
	t.Cleanup(func() {
		dhis2.Close()
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, value := range map[string]string{"DHIS2_URL": dhis2.URL, "DHIS2_USERNAME": "admin",
		"DHIS2_PASSWORD": "district", "COMMCARE_PASSWORD": "x", "COLLECT_PASSWORD": "x", "KOBO_TOKEN": "x", "CULVERT_LISTEN": "127.0.0.1:0"} {
		t.Setenv(name, value)
	}
	syncProject(t, dir)
	password, err := access.Set(filepath.Join(dir, "state", project.UsersFile), "otto", access.Operator, "")
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "state", "log"))
	if err != nil {
		t.Fatal(err)
	}
	s, address, stop := startWith(t, service.Options{Dir: dir, Log: slog.New(slog.NewTextHandler(log, nil))})
	t.Cleanup(func() {
		stop()
		_ = log.Close()
	})
	do := func(method, path, kind string, body io.Reader) (int, string) {
		t.Helper()
		tag, path, spoken := strings.Cut(path, " ") // "fr /console/files" asks in French
		if !spoken {
			tag, path = "en", tag
		}
		req, err := http.NewRequestWithContext(context.Background(), method, "http://"+address+path, body)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("otto", password)
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Accept-Language", tag)
		client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := client.Do(req)
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
	ask = func(method, path string, form url.Values) (int, string) {
		t.Helper()
		return do(method, path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
	}
	upload = func(rule, name, text string) int {
		t.Helper()
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		_ = w.WriteField("rule", rule)
		part, _ := w.CreateFormFile("file", name)
		_, _ = part.Write([]byte(text))
		_ = w.Close()
		status, answer := do(http.MethodPost, "/console/upload", w.FormDataContentType(), &b)
		if status != http.StatusSeeOther {
			t.Logf("upload: %s", answer)
		}
		return status
	}
	return dir, ask, upload, s.Journal
}

func wants(t *testing.T, what, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%s lacks %q:\n%s", what, w, text)
		}
	}
}

// TestConsoleOfAProject looks at the example project with its console: rules with the values of
// their samples, the metadata with what uses it, and tests of the server.
func TestConsoleOfAProject(t *testing.T) {
	_, ask, _, _ := consoleOf(t)
	get := func(path string) string {
		t.Helper()
		status, text := ask(http.MethodGet, path, nil)
		if status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
		return text
	}
	wants(t, "the list of rules", get("/console/rules"), "anc-registration-export", "/commcare/forms", "fine")
	wants(t, "a rule", get("/console/rules/anc-registration"), "trigger.form.gender", "&#34;FEMALE&#34;",
		"Coral Health Centre", "dhis2.create_and_enroll", "# yaml-language-server")
	wants(t, "the servers", get("/console/servers"), "national", "2.4", "by hand")
	server := get("/console/servers/national")
	wants(t, "a server", server, "Antenatal care", "First visit", "rules/anc-registration.yaml:")
	at := server[strings.Index(server, "/console/servers/national/"):]
	program := get(at[:strings.IndexByte(at, '"')])
	wants(t, "an object", program, "Used by")
	hits := get("/console/servers/national?q=antenatal+care")
	at = hits[strings.Index(hits, "/console/servers/national/"):]
	program = get(at[:strings.IndexByte(at, '"')])
	wants(t, "a program", program, "Attributes", "<span translate=\"no\">First visit</span>", "National ID", "options",
		"rules/anc-registration.yaml:")
	if status, text := ask(http.MethodPost, "/console/test", url.Values{"name": {"national"}}); status != http.StatusOK ||
		!strings.Contains(text, "national answers") {
		t.Errorf("test: %d\n%s", status, text)
	}
	if status, text := ask(http.MethodPost, "/console/sync",
		url.Values{"server": {"national"}}); status != http.StatusOK || !strings.Contains(text, "Nothing has changed") {
		t.Errorf("sync: %d\n%s", status, text)
	}
}

// TestCorrectInTheConsole sends a file with a row that fails, corrects the row in the console, and sees it delivered.
func TestCorrectInTheConsole(t *testing.T) {
	dir, ask, upload, j := consoleOf(t)
	text, err := os.ReadFile(filepath.Join(dir, "samples", "anc-registrations.csv"))
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.SplitN(string(text), "\n", 3)
	wrong := rows[0] + "\n" + strings.Replace(rows[1], "TM-", "XX-", 1) + "\n"
	if wrong == rows[0]+"\n"+rows[1]+"\n" {
		t.Fatalf("the sample has no facility to misspell: %s", rows[1])
	}
	if status := upload("anc-registration-export", "women.csv", wrong); status != http.StatusSeeOther {
		t.Fatalf("upload: %d", status)
	}
	if status := upload("anc-registration-export", "again.csv", wrong); status != http.StatusUnprocessableEntity {
		t.Errorf("the same content once more: %d", status)
	}
	long := strings.Repeat("w", 300) + ".csv"
	if status := upload("anc-registration-export", long, wrong); status != http.StatusUnprocessableEntity {
		t.Errorf("a name that no file can have: %d", status)
	}
	log, err := os.ReadFile(filepath.Join(dir, "state", "log"))
	if err != nil {
		t.Fatal(err)
	}
	wants(t, "the log of the intake, whose later records wait for the file", string(log), "file accepted", "women.csv")
	var rec *journal.Record
	until(t, func() bool {
		list, err := j().Select(context.Background(), journal.Filter{States: []journal.State{journal.Failed}, WithBody: true})
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 1 {
			rec = list[0]
		}
		return rec != nil
	})
	at := "/console/records/" + strconv.FormatInt(rec.Seq, 10)
	_, page := ask(http.MethodGet, at+"?content", nil)
	wants(t, "the failed record", page, "How the values come to be", "XX-", "lookup")
	right := strings.Replace(string(rec.Body), "XX-", "TM-", 1)
	status, page := ask(http.MethodPost, at+"/correct", url.Values{"do": {"preview"}, "content": {right}})
	if status != http.StatusOK {
		t.Errorf("preview: %d", status)
	}
	wants(t, "the preview", page, "What would be sent", "would be", "/api/tracker")
	if status, page := ask(http.MethodPost, at+"/correct",
		url.Values{"do": {"send"}, "content": {right}, "why": {"typing error"}}); status != http.StatusSeeOther {
		t.Fatalf("send: %d %s", status, page)
	}
	until(t, func() bool {
		list, err := j().Select(context.Background(), journal.Filter{ID: rec.ID, NewestOne: true, Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		return len(list) == 1 && list[0].State == journal.Delivered && list[0].Edited
	})
	clinic := regexp.MustCompile(`TM-\d+`).FindString(right)
	for search, want := range map[string]string{
		"org_unit=" + clinic: `<span class="state delivered">`, "org_unit=" + clinic + "&state=failed": "No such record",
	} {
		status, page := ask(http.MethodGet, "/console/records?"+search, nil)
		if status != http.StatusOK || !strings.Contains(page, want) {
			t.Errorf("records by %s: %d %s", search, status, page)
		}
	}
	// Its results lie where those of the rule's files do, and can be fetched.
	until(t, func() bool {
		_, page := ask(http.MethodGet, "/console/files", nil)
		return strings.Contains(page, "finished") && strings.Contains(page, "/results")
	})
}

// TestCorrectARowWithAPhoto corrects a failed row of a finished file whose photo lies with that file.
func TestCorrectARowWithAPhoto(t *testing.T) {
	dir, ask, upload, j := consoleOfExample(t, "photos", []string{"input/wounds.json"})
	photo, err := os.ReadFile(filepath.Join(dir, "samples", "collect.files", "1772345678901.png"))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range map[string][]byte{"media/1.png": photo,
		"wounds.csv": []byte("id,facility,date,place,photo\nw-9,XX-1,2026-03-05,left foot,1.png\n")} {
		w, _ := z.Create(name)
		_, _ = w.Write(text)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if status := upload("zip-photos", "wounds.zip", b.String()); status != http.StatusSeeOther {
		t.Fatalf("upload: %d", status)
	}
	until(t, func() bool {
		list, err := j().Files(context.Background(), journal.FileFinished)
		if err != nil {
			t.Fatal(err)
		}
		return len(list) == 1
	})
	list, err := j().Select(context.Background(), journal.Filter{States: []journal.State{journal.Failed}, WithBody: true})
	if err != nil || len(list) != 1 {
		t.Fatalf("%d failed records, %v", len(list), err)
	}
	at := "/console/records/" + strconv.FormatInt(list[0].Seq, 10) + "/correct"
	right := strings.Replace(string(list[0].Body), "XX-1", "TM-010201", 1)
	status, page := ask(http.MethodPost, at, url.Values{"do": {"preview"}, "content": {right}})
	if status != http.StatusOK {
		t.Errorf("preview: %d", status)
	}
	wants(t, "the preview", page, "fileResources")
	status, page = ask(http.MethodPost, at, url.Values{"do": {"send"}, "content": {right}, "why": {"typing error"}})
	if status != http.StatusSeeOther {
		t.Fatalf("send: %d %s", status, page)
	}
	until(t, func() bool {
		list, err := j().Versions(context.Background(), "zip-photos", list[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		last := list[len(list)-1]
		if last.State == journal.Failed {
			t.Fatalf("it failed again: %+v", last.Problem)
		}
		return last.State == journal.Delivered
	})
}

// until waits until something is so.
func until(t *testing.T, so func() bool) {
	t.Helper()
	awaittest.Until(t, "what is waited for", so)
}
