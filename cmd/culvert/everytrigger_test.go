package main

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules/examples"
	"github.com/culvert/culvert/sources/mail/mailtest"
	"github.com/culvert/culvert/sources/s3/s3test"
	"github.com/culvert/culvert/sources/sftp/sftptest"
)

// TestEveryTrigger runs the example with a rule for every way that records come in, each with its
// real input, and looks at what is in DHIS2 then.
func TestEveryTrigger(t *testing.T) {
	w := everyTrigger(t)
	dir, url, listen, env, partner, store, box := w.dir, w.url, w.listen, w.env, w.partner, w.store, w.box
	// What the clock would begin at night begins at once.
	edit(t, dir, "rules/schedule-query.yaml", `cron: "15 2 * * *"`, "every: 1h")
	edit(t, dir, "rules/schedule-folder.yaml", `cron: "30 3 * * *"`, "every: 1s")
	edit(t, dir, "rules/schedule-dhis2.yaml", `cron: "0 4 * * *"`, "every: 1s")
	edit(t, dir, "rules/sftp.yaml", "stable_for: 1m", "stable_for: 1s\n    every: 5s")
	edit(t, dir, "rules/s3.yaml", "after: tag", "after: tag\n    every: 5s")
	edit(t, dir, "rules/mail.yaml", "subject: malaria", "subject: malaria\n    every: 5s")
	registry := registryDatabase(t, dir)
	dropEverything(t, dir)
	culvert(t, env, dir, "validate")
	c := start(t, env, dir)
	defer func() {
		if err := c.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		_ = c.Wait() // its exit code is of no interest here
	}()
	postEverything(t, dir, "http://"+listen)
	// The registry's second case is of a facility that there is not.
	want := map[string]string{"1": "delivered", "2": "failed", "3": "delivered"}
	deadline := time.Now().Add(time.Minute)
	for {
		events, counted := inDHIS2(t, url)
		diff := cmp.Diff(wantedEvents, events) + cmp.Diff(want, told(t, registry))
		if counted != len(wantedEvents)+1 {
			diff += fmt.Sprintf("%d cases are counted in the month's reports\n", counted)
		}
		diff += cmp.Diff([]string{"malaria-1.csv", "malaria-1.results.csv"}, partner.Names(t, "outgoing/malaria/done")) +
			cmp.Diff([]string{"incoming/malaria/malaria-2.csv", "results/malaria/malaria-2.results.csv"}, store.Keys()) +
			cmp.Diff(map[string]int{"INBOX": 1, "INBOX/done": 1}, map[string]int{"INBOX": box.Count(t, "INBOX"),
				"INBOX/done": box.Count(t, "INBOX/done")})
		if diff == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(diff)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// everywhere is the example with a rule for every trigger, and what its rules ask.
type everywhere struct {
	dir, url, listen string
	env              []string
	partner          *sftptest.Server
	store            *s3test.Store
	box              *mailtest.Server
}

// everyTrigger lays down the example, with all that its rules ask.
func everyTrigger(t *testing.T) everywhere {
	t.Helper()
	dir := exampleProject(t, "triggers")
	if err := examples.Write("anc", dir, func(p string) bool { return p == "input/tamala.json" }); err != nil {
		t.Fatal(err)
	}
	_, url := startSandbox(t, dir)
	outside := httptest.NewServer(http.HandlerFunc(outsideWorld))
	t.Cleanup(outside.Close)
	partner, store, box := putEverything(t, dir)
	listen := freePort(t)
	env := append(environ(url), "CULVERT_LISTEN="+listen, "ODK_KEY=odk", "LAB_SECRET=lab-secret", "LAB_TOKEN=token",
		"LAB_URL="+outside.URL+"/lab", "SHEET_URL="+outside.URL+"/sheet?output=csv",
		"REDCAP_URL="+outside.URL+"/redcap", "REDCAP_TOKEN=token", "RAPIDPRO_URL="+outside.URL+"/rapidpro", "RAPIDPRO_TOKEN=token", "FHIR_URL="+outside.URL+"/fhir", "FHIR_TOKEN=token",
		"HQ_URL="+outside.URL, "HQ_KEY=key", "KOBO_URL="+outside.URL, "KOBO_KEY=key",
		"ODK_URL="+outside.URL, "ODK_PASSWORD=key", "SFTP_URL=sftp://"+partner.Address, "SFTP_PASSWORD="+sftptest.Password,
		"SFTP_HOST_KEY="+partner.HostKey, "S3_URL="+store.URL, "S3_ACCESS_KEY="+s3test.AccessKey,
		"S3_SECRET_KEY="+s3test.SecretKey, "MAIL_URL=imaps://"+box.Address, "MAIL_PASSWORD="+mailtest.Password)
	edit(t, dir, "culvert.yaml", "username: data@ministry.example.org", "username: data@ministry.example.org\n    ca_file: "+box.CAFile)
	culvert(t, env, dir, "sync")
	return everywhere{dir, url, listen, env, partner, store, box}
}

// wantedEvents counts the cases of the inputs by their age, which tells the inputs apart.
var wantedEvents = map[string]int{
	"11": 1, "12": 1, "13": 1, // posted: ODK Central, OpenRosa, laboratory
	"7": 2, "31": 1, "2": 1, "40": 1, "15": 1, "16": 1, // dropped: workbook, CommCare's export, lines
	"17": 1, "18": 1, "19": 1, // registry, archive
	"21": 1, "22": 1, "23": 1, "24": 1, // web API, share
	"25": 1, "26": 1, // CommCare's forms and cases
	"27": 1, "28": 1, "42": 1, // KoboToolbox, ODK Central with its entities
	"29": 1, "30": 1, // sheet
	"32": 1, "33": 1, "34": 1, "35": 1, // RapidPro, CHT, FHIR read and sent
	"36": 1,                            // REDCap
	"37": 1, "38": 1, "39": 1, "41": 1, // SFTP server, object store
	"43": 1, "44": 1, // mail
}

// putEverything starts an SFTP server, an object store and a mailbox with a file each where the rules look for them,
// and a mail of somebody whom the rule does not name.
func putEverything(t *testing.T, dir string) (*sftptest.Server, *s3test.Store, *mailtest.Server) {
	t.Helper()
	partner, store, box := sftptest.New(t), s3test.New(t), mailtest.New(t)
	text := sampleOf(t, dir, "notifications.csv")
	partner.Write(t, "outgoing/malaria/malaria-1.csv", string(replaced(t, text, ",7,", ",41,", ",31,", ",37,")))
	store.Put("incoming/malaria/malaria-2.csv", string(replaced(t, text, ",7,", ",38,", ",31,", ",39,")))
	for from, ages := range map[string][]string{"hmis@district.example.org": {",43,", ",44,"}, "a@else.example.org": {",98,", ",99,"}} {
		box.Deliver(t, "INBOX", mailtest.Mail{ID: from, From: from, Subject: "Malaria of the week", Files: []mailtest.Attachment{
			{Name: "cases.csv", Content: string(replaced(t, text, ",7,", ages[0], ",31,", ages[1]))}}}.String(), time.Now())
	}
	return partner, store, box
}

func lay(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func sampleOf(t *testing.T, dir, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "samples", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func freePort(t *testing.T) string {
	t.Helper()
	address, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// registryDatabase makes the database of the registry and gives its path.
func registryDatabase(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "registry.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	_, err = db.Exec(`CREATE TABLE cases (id INTEGER PRIMARY KEY, updated_at TEXT, facility TEXT, day TEXT, age INTEGER,
		sex TEXT, dhis2 TEXT, dhis2_why TEXT, dhis2_event TEXT);
		INSERT INTO cases (id, updated_at, facility, day, age, sex)
		VALUES (1, '2026-03-05T10:00:00', 'TM-010202', '2026-03-05', 17, 'female'),
		(2, '2026-03-05T10:00:00', 'NOWHERE', '2026-03-05', 99, 'female'),
		(3, '2026-03-05T11:00:00', 'TM-010202', '2026-03-05', 18, 'male');
		CREATE TABLE archive (id INTEGER PRIMARY KEY, facility TEXT, day TEXT, age INTEGER, sex TEXT);
		INSERT INTO archive VALUES (1, 'TM-010202', '2026-03-05', 19, 'female')`)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// told gives what the registry was told of its cases.
func told(t *testing.T, path string) map[string]string {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.Query("SELECT id, dhis2 FROM cases WHERE dhis2 = 'delivered' AND length(dhis2_event) = 11 OR dhis2 " +
		"= 'failed' AND dhis2_why <> ''")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	out := map[string]string{}
	for rows.Next() {
		var id, outcome string
		if err := rows.Scan(&id, &outcome); err != nil {
			t.Fatal(err)
		}
		out[id] = outcome
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// dropEverything lays files where the rules look for them.
func dropEverything(t *testing.T, dir string) {
	t.Helper()
	drop := func(name string, text []byte) { lay(t, filepath.Join(dir, "drop", filepath.FromSlash(name)), text) }
	drop("workbooks/malaria-march.xlsx", sampleOf(t, dir, "malaria.xlsx"))
	drop("exports/export.zip", sampleOf(t, dir, "export.zip"))
	drop("share/share-march.csv",
		[]byte("case;facility;day;age;sex\ns-1;TM-010202;2026-03-05;23;female\ns-2;TM-010203;2026-03-06;24;male\n"))
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(replaced(t, sampleOf(t, dir, "cases.ndjson"), `"age": 7`, `"age": 15`, `"age": 31`,
		`"age": 16`)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	drop("lines/cases-march.ndjson.gz", b.Bytes())
	drop("lines/cases-march.ndjson.gz.done", nil)
}

func replaced(t *testing.T, text []byte, oldNew ...string) []byte {
	t.Helper()
	out := string(text)
	for i := 0; i < len(oldNew); i += 2 {
		if !strings.Contains(out, oldNew[i]) {
			t.Fatalf("%s does not hold %s", text, oldNew[i])
		}
		out = strings.ReplaceAll(out, oldNew[i], oldNew[i+1])
	}
	return []byte(out)
}

// postEverything sends what ODK Central, an OpenRosa client and a laboratory send.
func postEverything(t *testing.T, dir, base string) {
	t.Helper()
	post(t, base+"/odk", "application/json", replaced(t, sampleOf(t, dir, "odk-central.json"), "<age>7", "<age>11"),
		func(r *http.Request) { r.Header.Set("X-API-Key", "odk") })
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	part, err := m.CreateFormFile("xml_submission_file", "submission.xml")
	if err == nil {
		_, err = part.Write(replaced(t, sampleOf(t, dir, "openrosa.xml"), "<age>7", "<age>12"))
	}
	if err == nil {
		err = m.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	post(t, base+"/openrosa/submission", m.FormDataContentType(), form.Bytes(),
		func(r *http.Request) { r.SetBasicAuth("field", "secret") })
	body := replaced(t, sampleOf(t, dir, "lab.json"), `"age": 7`, `"age": 13`)
	post(t, base+"/cht/malaria", "application/json",
		replaced(t, sampleOf(t, dir, "cht.json"), `"age": "7"`, `"age": "33"`),
		func(r *http.Request) { r.SetBasicAuth("field", "secret") })
	post(t, base+"/fhir/Encounter/78", "application/fhir+json",
		replaced(t, sampleOf(t, dir, "fhir-encounter.json"), "2018-11-20", "1990-11-20"),
		func(r *http.Request) { r.Method = http.MethodPut; r.SetBasicAuth("field", "secret") })
	post(t, base+"/lab", "application/json", body, func(r *http.Request) {
		now := strconv.FormatInt(time.Now().Unix(), 10)
		mac := hmac.New(sha256.New, []byte("lab-secret"))
		_, _ = fmt.Fprintf(mac, "%s.%s", now, body)
		r.Header.Set("X-Timestamp", now)
		r.Header.Set("X-Signature", hex.EncodeToString(mac.Sum(nil)))
	})
}

// examplesFolder holds the example, from the folder of this package.
const examplesFolder = "../../rules/examples/triggers"

// post sends until the service is up, and wants the record to be kept.
func post(t *testing.T, url, kind string, body []byte, sign func(*http.Request)) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", kind)
		sign(req)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			if time.Now().After(deadline) {
				t.Fatal(err)
			}
			continue
		}
		text, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode == http.StatusServiceUnavailable && time.Now().Before(deadline) {
			continue // it listens already, and still starts
		}
		if res.StatusCode != http.StatusAccepted && res.StatusCode != http.StatusCreated { // OpenRosa wants the latter
			t.Fatalf("%s answers %d: %s", url, res.StatusCode, text)
		}
		return
	}
}

// outsideWorld is a CommCare HQ with a form and a case, and a laboratory's web API of two pages.
func outsideWorld(w http.ResponseWriter, r *http.Request) {
	person := func(age string) map[string]any {
		return map[string]any{"facility": "TM-010202", "today": "2026-03-05", "day": "2026-03-05", "age": age,
			"sex": "female", "case_type": "malaria"}
	}
	const indexed = "2026-03-05T10:00:00.000000Z"
	first := r.URL.Query().Get("indexed_on_start") < indexed
	var out any
	switch {
	case strings.HasPrefix(r.URL.Path, "/lab") && r.Header.Get("Authorization") == "Bearer token":
		item, next := person("21"), any("http://"+r.Host+"/lab?page=2")
		item["uuid"] = "w-1"
		if r.URL.Query().Get("page") == "2" {
			item, next = person("22"), nil
			item["uuid"] = "w-2"
		}
		out = map[string]any{"data": []any{item}, "next": next}
	case r.URL.Path == "/rapidpro/api/v2/runs.json" && r.Header.Get("Authorization") == "Token token":
		text, _ := os.ReadFile(filepath.Join(examplesFolder, "samples", "rapidpro-runs.json"))
		_, _ = w.Write(bytes.Replace(text, []byte(`"value": "7"`), []byte(`"value": "32"`), 1))
		return
	case r.URL.Path == "/redcap/api/" && r.Method == http.MethodPost && r.FormValue("token") == "token":
		text, _ := os.ReadFile(filepath.Join(examplesFolder, "samples", "redcap.json"))
		_, _ = w.Write(bytes.Replace(text, []byte(`"age": "7"`), []byte(`"age": "36"`), 1))
		return
	case r.URL.Path == "/fhir/Encounter" && r.Header.Get("Authorization") == "Bearer token":
		text, _ := os.ReadFile(filepath.Join(examplesFolder, "samples", "fhir-bundle.json"))
		_, _ = w.Write(bytes.Replace(text, []byte("2018-11-20"), []byte("1991-11-20"), 1))
		return
	case r.URL.Path == "/sheet": // as published sheets do, it sends readers on to its storage
		http.Redirect(w, r, strings.Replace("http://"+r.Host, "127.0.0.1", "localhost", 1)+"/storage",
			http.StatusTemporaryRedirect)
		return
	case r.URL.Path == "/storage":
		w.Header().Set("Content-Type", "text/csv")
		_, _ = io.WriteString(w, "case,facility,day,age,sex\nd-1,TM-010202,2026-03-05,29,female\n"+
			"d-2,TM-010203,2026-03-06,30,male\n")
		return
	case strings.HasPrefix(r.URL.Path, "/api/v2/assets/") && r.Header.Get("Authorization") == "Token key":
		results := []any{}
		if strings.Contains(r.URL.Query().Get("query"), `{"$gt":0}`) || r.URL.Query().Get("sort") == `{"_id":-1}` {
			results = append(results, map[string]any{
				"_id": 7, "_uuid": "u-7", "meta/rootUuid": "uuid:u-7", "_submission_time": "2026-03-05T10:00:00",
				"today":         "2026-03-05",
				"case/facility": "TM-010202", "case/age": "27", "case/sex": "female",
			})
		}
		out = map[string]any{"count": len(results), "results": results}
	case strings.HasPrefix(r.URL.Path, "/v1/projects/3/forms/malaria.svc/Submissions"):
		if _, password, _ := r.BasicAuth(); password != "key" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		item := map[string]any{"__id": "uuid:o-1", "__system": map[string]any{"submissionDate": "2026-03-05T10:00:00.000Z"},
			"today": "2026-03-05", "case": person("28")}
		out = map[string]any{"value": []any{item}}
	case strings.HasPrefix(r.URL.Path, "/v1/projects/3/datasets/malaria_cases.svc/Entities"):
		item := map[string]any{"__id": "e-1", "label": "case", "facility": "TM-010202", "found_on": "2026-03-05", "age": "42",
			"sex": "female", "__system": map[string]any{"createdAt": "2026-03-05T10:00:00.000Z", "conflict": nil}}
		out = map[string]any{"value": []any{item}, "@odata.count": "1"}
	case r.Header.Get("Authorization") != "ApiKey reader:key":
		w.WriteHeader(http.StatusUnauthorized)
		return
	case strings.HasPrefix(r.URL.Path, "/a/tamala/api/case/v2/"):
		cases := []any{}
		if first || r.URL.Query().Get("indexed_on.gte") < indexed {
			cases = append(cases, map[string]any{"case_id": "k-1", "domain": "tamala", "indexed_on": indexed, "closed": false,
				"properties": person("26")})
		}
		out = map[string]any{"matching_records": len(cases), "cases": cases}
	default:
		objects := []any{}
		if first {
			objects = append(objects, map[string]any{"id": "h-1", "domain": "tamala", "indexed_on": indexed,
				"form": person("25")})
		}
		out = map[string]any{"meta": map[string]any{"total_count": len(objects), "next": nil}, "objects": objects}
	}
	_ = json.NewEncoder(w).Encode(out)
}

// inDHIS2 gives the malaria cases by age, and how many the month's reports count.
func inDHIS2(t *testing.T, url string) (ages map[string]int, counted int) {
	t.Helper()
	var events struct {
		Events []struct {
			DataValues []struct{ DataElement, Value string }
		}
	}
	ask(t, url+"/api/tracker/events?program=WIryy1wQ0aZ&orgUnitMode=ACCESSIBLE&pageSize=1000", &events)
	ages = map[string]int{}
	for _, e := range events.Events {
		for _, v := range e.DataValues {
			if v.DataElement == "Gy8dw06me68" {
				ages[v.Value]++
			}
		}
	}
	var values struct {
		DataValues []struct{ DataElement, Value string }
	}
	ask(t, url+"/api/dataValueSets?dataSet=FSh2AafV4XC&period=202603&orgUnit=Yq5tLlwvqpR&children=true", &values)
	for _, v := range values.DataValues {
		if v.DataElement == "rLSjTlmNVmt" {
			n, err := strconv.Atoi(v.Value)
			if err != nil {
				t.Fatal(err)
			}
			counted += n
		}
	}
	return ages, counted
}

func ask(t *testing.T, url string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("admin", "district")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}
