package webhook

import (
	"context"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/culvert/culvert/sources"
)

// knowing is a sink that has every record already.
type knowing struct{ *sink }

func (knowing) Accept(_ context.Context, b sources.Batch) ([]sources.Receipt, error) {
	receipts := make([]sources.Receipt, len(b.Records))
	for i := range receipts {
		receipts[i] = sources.Receipt{RecordID: "uuid:1", Duplicate: true}
	}
	return receipts, nil
}

func submission(more string) string {
	return "--b\r\nContent-Disposition: form-data; name=\"xml_submission_file\"; filename=\"s.xml\"\r\nContent-Type: " +
		"text/xml\r\n\r\n" +
		"<data id=\"anc\"><name>Ada</name><meta><instanceID>uuid:1</instanceID></meta></data>\r\n" + more + "--b--\r\n"
}

func collect(r *http.Request) { r.Header.Set("X-OpenRosa-Version", "1.0") }

func TestOpenRosaSubmissions(t *testing.T) {
	const multipart = "multipart/form-data; boundary=b"
	incomplete := "--b\r\nContent-Disposition: form-data; name=\"p.jpg\"; filename=\"p.jpg\"\r\nContent-Type: " +
		"image/jpeg\r\n\r\n\xff\xd8\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"*isIncomplete*\"\r\n\r\nyes\r\n"
	for _, c := range []struct {
		name, kind, body string
		change           func(*http.Request)
		known            bool
		status           int
		nature           string // empty: JSON
	}{
		{"new", multipart, submission(""), collect, false, 201, "submit_success"},
		{"again", multipart, submission(""), collect, true, 201, "submit_success"},
		{"part with photos", multipart, submission(incomplete), collect, true, 201, "submit_success"},
		{"without the header", multipart, submission(incomplete), func(*http.Request) {}, true, 201, "submit_success"},
		{"cannot be read", multipart,
			"--b\r\nContent-Disposition: form-data; name=\"xml_submission_file\"\r\n\r\n<data>\r\n--b--\r\n", collect, false,
			422, "submit_error"},
		{"cut off", multipart, strings.TrimSuffix(submission(""), "--b--\r\n") + "--b\r\nContent-Disp", collect, false, 422,
			"submit_error"},
		{"two forms", multipart, submission(strings.TrimSuffix(submission(""), "--b--\r\n")), collect, false, 422,
			"submit_error"},
		{"CommCare", "text/xml", "<data><meta><instanceID>f1</instanceID></meta></data>", func(*http.Request) {}, true, 200,
			""},
		{"JSON", "application/json", `{"a": 1}`, func(*http.Request) {}, false, 202, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, s := serve(t, open)
			if c.known {
				h.sink.Store(&sinkRef{knowing{s}, t.Context()})
			}
			w := send(h, post("/forms?deviceID=x", c.kind, c.body, c.change))
			if w.Code != c.status {
				t.Errorf("answered %d %s", w.Code, w.Body)
			}
			var response openRosaResponse
			err := xml.Unmarshal(w.Body.Bytes(), &response)
			if c.nature == "" {
				if w.Header().Get("Content-Type") != "application/json" || err == nil {
					t.Errorf("answered %s", w.Body)
				}
				return
			}
			if err != nil || response.Message.Nature != c.nature || response.Message.Text == "" ||
				w.Header().Get("X-OpenRosa-Version") != "1.0" {
				t.Errorf("answered %s: %v", w.Body, err)
			}
		})
	}
}

func TestOpenRosaHead(t *testing.T) {
	guarded := open
	guarded.Auth = Auth{Username: "phone", Password: "hush"}
	login := func(r *http.Request) { collect(r); r.SetBasicAuth("phone", "hush") }
	for _, c := range []struct {
		name   string
		route  Route
		change func(*http.Request)
		status int
	}{
		{"open", open, collect, 204},
		{"another program", guarded, func(*http.Request) {}, 204},
		{"without credentials", guarded, collect, 401},
		{"with credentials", guarded, login, 204},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, _ := serve(t, c.route)
			r := httptest.NewRequest(http.MethodHead, "/forms", nil)
			r.RemoteAddr = "192.0.2.1:1234"
			c.change(r)
			w := send(h, r)
			header := w.Header()
			switch {
			case w.Code != c.status, header.Get("X-OpenRosa-Version") != "1.0":
				t.Errorf("answered %d %v", w.Code, header)
			case c.status == 204 && header.Get("X-OpenRosa-Accept-Content-Length") != "10485760":
				t.Errorf("the size is not told: %v", header)
			case c.status == 401 && !offersDigestAndBasic(header.Values("WWW-Authenticate")):
				t.Errorf("no way to log in is told: %v", header)
			}
		})
	}
}

// offersDigestAndBasic tells whether digest comes first: old clients take the first way that they know.
func offersDigestAndBasic(ways []string) bool {
	return len(ways) == 3 && strings.HasPrefix(ways[0], "Digest ") && strings.HasSuffix(ways[0], "algorithm=SHA-256") &&
		strings.HasPrefix(ways[1], "Digest ") && strings.HasSuffix(ways[1], "algorithm=MD5") && strings.HasPrefix(ways[2], "Basic ")
}
