package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/culvert/culvert/sources"
)

const declare = "send it in UTF-8, or name its encoding: Content-Type: ...; charset=windows-1252, or encoding: in " +
	"the webhook of the rule"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestAttachments holds that files are kept where the rule asks for them, under the names in the answers.
func TestAttachments(t *testing.T) {
	type object = map[string]any
	multi := "--b\r\nContent-Disposition: form-data; name=\"xml_submission_file\"; filename=\"s.xml\"\r\nContent-Type: " +
		"text/xml\r\n\r\n" +
		"<data id=\"anc\"><photo>p.jpg</photo><meta><instanceID>uuid:1</instanceID></meta></data>\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"p.jpg\"; filename=\"p.jpg\"\r\nContent-Type: " +
		"image/jpeg\r\n\r\n\xff\xd8\r\n--b--\r\n"
	plain := "--b\r\nContent-Disposition: form-data; name=\"case\"\r\n\r\nc1\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"p.jpg\"\r\nContent-Type: " +
		"image/jpeg\r\n\r\n\xff\xd8\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"other\"; filename=\"\"\r\n\r\n\r\n--b--\r\n"
	attachments := object{"p.jpg": object{"name": "p.jpg", "type": "image/jpeg", "base64": "/9g="}}
	form := object{"#type": "data", "@id": "anc", "photo": "p.jpg", "meta": object{"instanceID": "uuid:1"}}
	for _, test := range []struct {
		name, body string
		want       object
	}{
		{"submission", multi, object{"id": "uuid:1", "form": form, "metadata": object{"instanceID": "uuid:1"},
			"attachments": attachments}},
		{"form", plain, object{"case": "c1", "photo": "p.jpg", "other": "", "attachments": attachments}},
	} {
		t.Run(test.name, func(t *testing.T) {
			route := open
			route.Attachments = true
			h, s := serve(t, route)
			if w := send(h, post("/forms", "multipart/form-data; boundary=b", test.body)); w.Code >= 300 {
				t.Fatalf("answered %d %s", w.Code, w.Body)
			}
			if diff := cmp.Diff([]any{test.want}, s.bodies()); diff != "" {
				t.Error(diff)
			}
		})
	}
	many := ""
	for n := range 101 {
		many += fmt.Sprintf("--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"%d.jpg\"\r\n\r\nx\r\n", n)
	}
	route := open
	route.Attachments = true
	h, _ := serve(t, route)
	if w := send(h, post("/forms", "multipart/form-data; boundary=b",
		many+"--b--\r\n")); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("101 files are answered %d", w.Code)
	}
}

func TestBodies(t *testing.T) {
	type object = map[string]any
	multi := "--b\r\nContent-Disposition: form-data; name=\"xml_submission_file\"; filename=\"s.xml\"\r\nContent-Type: " +
		"text/xml\r\n\r\n" +
		"<data id=\"anc\"><name>Ada</name><meta><instanceID>uuid:1</instanceID></meta></data>\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"photo.jpg\"; filename=\"photo.jpg\"\r\n\r\n\xff\xd8\r\n--b--\r\n"
	form := object{"id": "uuid:1", "form": object{"#type": "data", "@id": "anc", "name": "Ada",
		"meta": object{"instanceID": "uuid:1"}}, "metadata": object{"instanceID": "uuid:1"}}
	gz := func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }
	for _, test := range []struct {
		name, contentType, body string
		change                  func(*http.Request)
		want                    []any
	}{
		{"json", "application/json; charset=utf-8", `{"a": 1, "id": 12345678901234567890}`, nil,
			[]any{object{"a": 1.0, "id": "12345678901234567890"}}},
		{"json by look", "", ` {"a": true}`, nil, []any{object{"a": true}}},
		{"list", "application/json", `[{"a": 1}, {"a": 2}]`, nil, []any{object{"a": 1.0}, object{"a": 2.0}}},
		{"form", "application/x-www-form-urlencoded", "name=Ada+B&tag=x&tag=y", nil,
			[]any{object{"name": "Ada B", "tag": []any{"x", "y"}}}},
		{"xml", "text/xml", "<v><a>1</a></v>", nil, []any{object{"v": object{"a": "1"}}}},
		{"openrosa", "multipart/form-data; boundary=b", multi, nil, []any{form}},
		{"gzip", "application/json", packed(t, `{"a": "x"}`), gz, []any{object{"a": "x"}}},
		{"commcare form with its time", "text/xml",
			`<data xmlns="http://openrosa.org/formdesigner/1"><meta><instanceID>f1</instanceID></meta></data>`,
			func(r *http.Request) { r.Header.Set("received-on", "2026-03-01T08:00:00Z") },
			[]any{object{"id": "f1", "received_on": "2026-03-01T08:00:00Z", "metadata": object{"instanceID": "f1"},
				"form": object{"#type": "data", "@xmlns": "http://openrosa.org/formdesigner/1",
					"meta": object{"instanceID": "f1"}}}}},
		{"empty list", "application/json", `[]`, nil, nil},
		{"declared encoding", "application/json; charset=windows-1256", "{\"a\": \"\xe3\xcd\"}", nil,
			[]any{object{"a": "مح"}}},
		{"declared encoding of a form", "application/x-www-form-urlencoded; charset=ISO-8859-1", "a=Zo%E9", nil,
			[]any{object{"a": "Zoé"}}},
		{"form that names its encoding", "application/x-www-form-urlencoded", "a=Zo%E9&_charset_=windows-1252", nil,
			[]any{object{"a": "Zoé", "_charset_": "windows-1252"}}},
		{"declared encoding of a document", "text/xml; charset=ISO-8859-1", "<v><a>Zo\xe9</a></v>", nil,
			[]any{object{"v": object{"a": "Zoé"}}}},
		{"encoding in the document", "text/xml", "<?xml version='1.0' encoding='ISO-8859-1'?><v><a>Zo\xe9</a></v>", nil,
			[]any{object{"v": object{"a": "Zoé"}}}},
		{"UTF-8 declared as another encoding", "application/json; charset=ISO-8859-1", `{"a": "Zoé"}`, nil,
			[]any{object{"a": "Zoé"}}},
		{"utf-16 without a mark", "application/json", "{\x00\"\x00a\x00\"\x00:\x00\"\x00\xe9\x00\"\x00}\x00", nil, []any{object{"a": "é"}}},
		{"multipart form that names its encoding", "multipart/form-data; boundary=b",
			"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nZo\xe9\r\n--b\r\nContent-Disposition: form-data; " +
				"name=\"_charset_\"\r\n\r\niso-8859-1\r\n--b--\r\n", nil,
			[]any{object{"a": "Zoé", "_charset_": "iso-8859-1"}}},
		{"encoding of a part", "multipart/form-data; boundary=b",
			"--b\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Type: text/plain; " +
				"charset=windows-1252\r\n\r\nZo\xe9\r\n--b--\r\n", nil, []any{object{"a": "Zoé"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, s := serve(t, open)
			r := post("/forms/?app_id=1", test.contentType, test.body)
			if test.change != nil {
				test.change(r)
			}
			w := send(h, r)
			if w.Code != http.StatusAccepted && w.Code != http.StatusCreated && (test.want != nil || w.Code != http.StatusOK) {
				t.Fatalf("answered %d %s", w.Code, w.Body)
			}
			if diff := cmp.Diff(test.want, s.bodies()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	small := open
	small.Limits = Limits{MaxBody: 100, MaxDepth: 4, MaxItems: 2}
	for _, test := range []struct {
		name    string
		request *http.Request
		status  int
		want    string
	}{
		{"unknown path", post("/other", "", "{}"), 404,
			"no rule takes records at this path; check the path against webhook: path in the rule"},
		{"method", httptest.NewRequest(http.MethodDelete, "/forms", nil), 405,
			"records are sent with POST; send a POST request"},
		{"empty", post("/forms", "application/json", " "), 422, "the body is empty; send a record in JSON, XML or as a form"},
		{"only a mark", post("/forms", "", "\xef\xbb\xbf"), 422,
			"the body is empty; send a record in JSON, XML or as a form"},
		{"not json", post("/forms", "application/json", "{\n'secret'}"), 422,
			"line 2: this is not JSON at character 3; check quotes, commas and brackets there"},
		{"a name twice", post("/forms", "application/json", "{\"form\": {\n\"age\": 4, \"age\": 40}}"), 422,
			"line 2: form.age is given twice, at line 2 character 1 and line 2 character 11; have the sender give every name " +
				"once: it cannot be told which of the two values is meant"},
		{"an attribute twice", post("/forms", "text/xml", `<form age="4" age="40"/>`), 422,
			"line 1: the attribute age is given twice in form; have the sender give every attribute once: it cannot be told " +
				"which of the two values is meant"},
		{"a number", post("/forms", "application/json", "5"), 422,
			"item 1 is no object; each record is an object with its fields"},
		{"not xml", post("/forms", "text/xml", "<a>"), 422, "line 1: the XML ends too early; check that all of it was sent"},
		{"content type", post("/forms", "image/png", "xx"), 415,
			`the content type "image/png" is not understood; send application/json, application/xml or ` +
				`application/x-www-form-urlencoded`},
		{"charset", post("/forms", "application/json; charset=ebcdic", "{}"), 415,
			`the character set "ebcdic" is not understood; send UTF-8`},
		{"too large", post("/forms", "application/json", `{"a": "`+strings.Repeat("x", 100)+`"}`), 413,
			"the body is larger than 100 bytes; send fewer records at once"},
		{"too large unpacked", post("/forms", "application/json", packed(t, `{"a": "`+strings.Repeat("x", 1000)+`"}`),
			func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }), 413,
			"the body is larger than 100 bytes; send fewer records at once"},
		{"not UTF-8", post("/forms", "application/json", "{\n\"a\": \"Zo\xe9\"}"), 422,
			"the body is not UTF-8: line 2 holds the byte 0xE9; " + declare},
		{"either of two encodings", post("/forms", "application/json; charset=windows-1252", "{\n\"a\": \"ANDR\xc9\x92\"}"), 422,
			"the body is in doubt: line 2 reads as windows-1252, which was declared, and as UTF-8; send it in UTF-8, and " +
				"declare that: Content-Type: ...; charset=utf-8"},
		{"form not UTF-8", post("/forms", "application/x-www-form-urlencoded", "a=Zo%E9"), 422,
			`the value of "a" is not UTF-8: line 1 holds the byte 0xE9; ` + declare},
		{"part not UTF-8", post("/forms", "multipart/form-data; boundary=b",
			"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nZo\xe9\r\n--b--\r\n"), 422,
			`the value of "a" is not UTF-8: line 1 holds the byte 0xE9; ` + declare},
		{"document not UTF-8", post("/forms", "text/xml", "<a>\xe9</a>"), 422,
			"the XML is not UTF-8: line 1 holds the byte 0xE9; send it in UTF-8, or name the encoding that it is in"},
		{"not what was declared", post("/forms", "application/json; charset=windows-1253", "{\"a\": \"\xaa\"}"), 422,
			"the body is not windows-1253 at line 1; send it in the encoding that was declared, or declare the one that it " +
				"is in"},
		{"no gzip", post("/forms", "application/json", "{}",
			func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }), 400,
			"the body is no gzip though its headers say so; send it again, or without Content-Encoding"},
		{"other encoding", post("/forms", "application/json", "{}",
			func(r *http.Request) { r.Header.Set("Content-Encoding", "br") }), 415,
			`the content encoding "br" is not understood; send the body as it is, or with gzip`},
		{"too deep", post("/forms", "application/json", `[[[[[1]]]]]`), 422,
			"line 1: objects and lists are nested deeper than 4; send flatter data"},
		{"too many", post("/forms", "application/json", `[{}, {}, {}]`), 413,
			"the body holds more than 2 records; send fewer at once"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, s := serve(t, small)
			w := send(h, test.request)
			var got struct{ Error string }
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if w.Code != test.status || got.Error != test.want {
				t.Errorf("answered %d %q\nwant %d %q", w.Code, got.Error, test.status, test.want)
			}
			if len(s.records) > 0 {
				t.Error("a refused request left records")
			}
		})
	}
}

func TestSeveralRulesOnAPath(t *testing.T) {
	visits := Route{Rule: "visits", Path: "/forms/", Auth: Auth{Bearer: "tok"}}
	h, s := serve(t, open, visits)
	send(h, post("/forms", "", `{"a": 1}`))
	send(h, post("/forms", "", `{"a": 2}`, func(r *http.Request) { r.Header.Set("Authorization", "Bearer tok") }))
	var got []string
	for _, r := range s.records {
		got = append(got, fmt.Sprint(r.Rule, r.Body))
	}
	if diff := cmp.Diff([]string{"ancmap[a:1]", "ancmap[a:2]", "visitsmap[a:2]"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatCannotBeKept(t *testing.T) {
	for _, test := range []struct {
		refuse error
		status int
		after  string
	}{
		{&sources.ErrBusy{RetryAfter: 1500 * time.Millisecond, Reason: "the disk is full"}, 503, "2"},
		{errors.New("journal: I/O error"), 503, "60"},
		{fmt.Errorf("no such rule: %w", sources.ErrFinal), 422, ""},
	} {
		h, s := serve(t, open)
		s.refuse = test.refuse
		w := send(h, post("/forms", "", `{"a": 1}`))
		if w.Code != test.status || w.Header().Get("Retry-After") != test.after {
			t.Errorf("%v: answered %d, retry after %q", test.refuse, w.Code, w.Header().Get("Retry-After"))
		}
		if strings.Contains(w.Body.String(), "journal") {
			t.Errorf("the answer tells of our insides: %s", w.Body)
		}
	}
	h, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	h.Replace([]Route{open})
	if w := send(h, post("/forms", "", `{"a": 1}`)); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("without a sink: answered %d", w.Code)
	}
}

// Bodies under way take no more memory than they may.
func TestHeldBodies(t *testing.T) {
	h, s := serve(t, open)
	if !h.held.TryAcquire(DefaultMaxHeld) {
		t.Fatal("nothing can be held")
	}
	if w := send(h, post("/forms", "", `{"a": 1}`)); w.Code != 503 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("answered %d", w.Code)
	}
	h.held.Release(DefaultMaxHeld)
	if w := send(h, post("/forms", "", `{"a": 1}`)); w.Code != 202 || len(s.records) != 1 {
		t.Errorf("answered %d", w.Code)
	}
	if !h.held.TryAcquire(DefaultMaxHeld) {
		t.Error("a finished request still holds memory")
	}
}

func TestDescription(t *testing.T) {
	h, s := serve(t, Route{Rule: "anc", Path: "/forms", Auth: Auth{Username: "commcare", Password: "hush"}})
	w := send(h, httptest.NewRequest(http.MethodGet, "/forms", nil))
	want := `{"path":"/forms","send":"POST one record, or a list of records","accepts":["application/json",` +
		`"application/xml",` +
		`"application/x-www-form-urlencoded","multipart/form-data","Content-Encoding: gzip"],"auth":"basic or digest ` +
		`authentication","max_bytes":10485760,"max_items":10000,` +
		`"answers":"200 or 202 when the records are kept; 429 or 503 with Retry-After: send again; any other: they will ` +
		`never be taken as they are"}` + "\n"
	if diff := cmp.Diff(want, w.Body.String()); diff != "" || w.Code != 200 {
		t.Error(w.Code, diff)
	}
	if len(s.records) > 0 {
		t.Error("a description left a record")
	}
}

func FuzzServe(f *testing.F) {
	f.Add("application/json", "", []byte(`[{"a": 1}]`))
	f.Add("multipart/form-data; boundary=b", "",
		[]byte("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--"))
	f.Add("application/x-www-form-urlencoded", "gzip", []byte("a=1"))
	h, err := New(Config{})
	if err != nil {
		f.Fatal(err)
	}
	h.Replace([]Route{open})
	s := &sink{}
	h.sink.Store(&sinkRef{s, context.Background()})
	f.Fuzz(func(t *testing.T, contentType, encoding string, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/forms", bytes.NewReader(body))
		r.Header["Content-Type"], r.Header["Content-Encoding"] = []string{contentType}, []string{encoding}
		w := send(h, r)
		if w.Code == http.StatusNoContent || w.Code >= 500 || !json.Valid(w.Body.Bytes()) {
			t.Errorf("answered %d %s", w.Code, w.Body)
		}
		s.records = nil
	})
}

func BenchmarkJSON(b *testing.B) {
	h, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	h.Replace([]Route{open})
	h.sink.Store(&sinkRef{discard{}, context.Background()})
	body := `{"id": "f1", "form": {"@name": "ANC", "visit_date": "2026-03-01", "case": {"@case_id": "c1"}, "group": ` +
		`{"bp": "120", "weight": "61.5"}}}`
	for b.Loop() {
		if w := send(h, post("/forms", "application/json", body)); w.Code != 202 && w.Code != 200 {
			b.Fatal(w.Code, w.Body)
		}
	}
}
