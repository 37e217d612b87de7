package openrosa

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules/diag"
)

func lay(t *testing.T, dir, name, text string, at time.Time) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, at, at); err != nil {
		t.Fatal(err)
	}
}

var day = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func titles(forms []*Form) (list []string) {
	for _, f := range forms {
		list = append(list, f.File+" "+f.ID+" "+f.Version)
	}
	return list
}

func TestShelf(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	s := NewShelf(dir, slog.New(slog.NewTextHandler(&log, nil)))
	entries := []string{"forms", "forms/more/b.xml", "forms/none.xml", "forms/nowhere"}
	check := func(when string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, titles(s.Forms(entries))); diff != "" {
			t.Errorf("%s:\n%s", when, diff)
		}
	}
	lay(t, dir, "forms/a.xml", aForm(`id="anc" version="9"`, ""), day)
	lay(t, dir, "forms/a10.xml", aForm(`id="anc" version="10"`, ""), day)
	lay(t, dir, "forms/notes.txt", "x", day)
	lay(t, dir, "forms/.hidden.xml", aForm(`id="hidden"`, ""), day)
	lay(t, dir, "forms/more/b.xml", aForm(`id="birth"`, ""), day)
	lay(t, dir, "forms/broken.xml", "<a>", day)
	check("at first", "forms/a.xml anc 9", "forms/a10.xml anc 10", "forms/more/b.xml birth ")
	if strings.Count(log.String(), "forms/broken.xml") != 1 {
		t.Errorf("logged %s", log.String())
	}
	check("again", "forms/a.xml anc 9", "forms/a10.xml anc 10", "forms/more/b.xml birth ")
	if strings.Count(log.String(), "forms/broken.xml") != 1 {
		t.Errorf("logged at every look: %s", log.String())
	}
	hash := s.Forms([]string{"forms/a.xml"})[0].Hash
	lay(t, dir, "forms/a.xml", aForm(`id="anc" version="9"`, "")[:300], day.Add(time.Minute))
	check("broken", "forms/a.xml anc 9", "forms/a10.xml anc 10", "forms/more/b.xml birth ")
	lay(t, dir, "forms/a.xml", aForm(`id="anc" version="9"`, "<!-- -->"), day.Add(2*time.Minute))
	if now := s.Forms([]string{"forms/a.xml"})[0].Hash; now == hash {
		t.Error("the hash stays though the file is another one")
	}
	lay(t, dir, "forms/broken.xml", aForm(`id="aaa"`, ""), day.Add(time.Minute))
	if err := os.Remove(filepath.Join(dir, "forms/more/b.xml")); err != nil {
		t.Fatal(err)
	}
	check("mended and taken away", "forms/broken.xml aaa ", "forms/a.xml anc 9", "forms/a10.xml anc 10")
	if diff := cmp.Diff([]string{"forms/broken.xml aaa ", "forms/a10.xml anc 10"}, titles(Newest(s.Forms(entries)))); diff != "" {
		t.Error(diff)
	}
	lay(t, dir, "forms/z.xml", aForm(`id="aaa"`, "<!-- twice -->"), day)
	var found diag.List
	var all []*Form
	for _, file := range Expand(entries, s.list) {
		if f := s.form(file); f != nil {
			all = append(all, f)
		}
	}
	Twice(all, func(d diag.Diagnostic) { found.Add(d) })
	if len(found) != 1 || found[0].Place.File != "forms/z.xml" || found[0].Related[0].Place.File != "forms/broken.xml" {
		t.Errorf("found %v", found)
	}
}

// answerOf asks the shelf as a phone does.
func answerOf(t *testing.T, s *Shelf, path string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://10.0.0.5:8080/anc"+path, nil)
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	a, ok := Below(strings.TrimPrefix(r.URL.Path, "/anc"))
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return w
	}
	ok, err := s.Serve(w, r, a, s.Forms([]string{"forms"}), Base(r, "", "/anc"))
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		w.WriteHeader(http.StatusNotFound)
	}
	return w
}

func TestServe(t *testing.T) {
	dir := t.TempDir()
	s := NewShelf(dir, slog.New(slog.DiscardHandler))
	old, form := aForm(`id="anc" version="1"`, ""), aForm(`id="anc" version="2"`, strings.Repeat("<!-- long -->\n", 100))
	lay(t, dir, "forms/anc visit é.xml", form, day)
	lay(t, dir, "forms/old.xml", old, day)
	lay(t, dir, "forms/anc visit é-media/a & b.jpg", "0123456789", day)
	lay(t, dir, "forms/anc visit é-media/.DS_Store", "x", day)
	const file = "/forms/anc%20visit%20%C3%A9"
	w := answerOf(t, s, "/formList?deviceID=x&verbose=true")
	want := `<?xml version="1.0" encoding="UTF-8"?>
<xforms xmlns="http://openrosa.org/xforms/xformsList">
  <xform>
    <formID>anc</formID>
    <name>ANC &amp; visit</name>
    <version>2</version>
    <hash>md5:` + sum([]byte(form)) + `</hash>
    <downloadUrl>http://10.0.0.5:8080/anc` + file + `.xml</downloadUrl>
    <manifestUrl>http://10.0.0.5:8080/anc` + file + `.manifest.xml</manifestUrl>
  </xform>
</xforms>
`
	if diff := cmp.Diff(want, w.Body.String()); diff != "" || w.Header().Get("X-OpenRosa-Version") != "1.0" ||
		w.Header().Get("Content-Type") != "text/xml; charset=utf-8" {
		t.Errorf("%v\n%s", w.Header(), diff)
	}
	if n := strings.Count(answerOf(t, s, "/formList?listAllVersions=true").Body.String(), "<xform>"); n != 2 {
		t.Errorf("%d versions", n)
	}
	if n := strings.Count(answerOf(t, s, "/formList?formID=birth").Body.String(), "<xform>"); n != 0 {
		t.Errorf("%d forms of another id", n)
	}
	want = `<?xml version="1.0" encoding="UTF-8"?>
<manifest xmlns="http://openrosa.org/xforms/xformsManifest">
  <mediaFile>
    <filename>a &amp; b.jpg</filename>
    <hash>md5:` + sum([]byte("0123456789")) + `</hash>
    <downloadUrl>http://10.0.0.5:8080/anc` + file + `-media/a%20&amp;%20b.jpg</downloadUrl>
  </mediaFile>
</manifest>
`
	if diff := cmp.Diff(want, answerOf(t, s, file+".manifest.xml").Body.String()); diff != "" {
		t.Error(diff)
	}
	if got := answerOf(t, s, file+".xml").Body.String(); got != form {
		t.Errorf("the form is another: %s", got)
	}
	w = answerOf(t, s, file+".xml", func(r *http.Request) { r.Header.Set("Accept-Encoding", "gzip") })
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(z); err != nil || string(text) != form {
		t.Errorf("unpacked %s: %v", text, err)
	}
	again := func(r *http.Request) {
		r.Header.Set("Accept-Encoding", "gzip")
		r.Header.Set("If-None-Match", w.Header().Get("Etag"))
	}
	if w := answerOf(t, s, file+".xml", again); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
		t.Errorf("what it has already: answered %d with %d bytes", w.Code, w.Body.Len())
	}
	if w := answerOf(t, s, file+".xml", func(r *http.Request) { r.Method = http.MethodHead }); w.Code != http.StatusOK || w.Body.Len() > 0 {
		t.Errorf("HEAD: answered %d with %d bytes", w.Code, w.Body.Len())
	}
	rest := func(r *http.Request) { r.Header.Set("Range", "bytes=7-") }
	if w := answerOf(t, s, file+"-media/a%20&%20b.jpg", rest); w.Code != http.StatusPartialContent || w.Body.String() != "789" {
		t.Errorf("the rest of a file: answered %d %s", w.Code, w.Body)
	}
	for _, path := range []string{"/forms/none.xml", "/forms/none.manifest.xml", file + "-media/none.jpg", file + "-media/.DS_Store",
		"/forms/old-media/a", "/forms/../culvert.yaml", file + "-media/..%2Fold.xml", "/forms", "/forms/", "/other"} {
		if w := answerOf(t, s, path); w.Code != http.StatusNotFound {
			t.Errorf("%s: answered %d", path, w.Code)
		}
	}
}

func TestBase(t *testing.T) {
	for name, c := range map[string]struct {
		headers []string
		public  string
		tls     bool
		want    string
		lost    bool // the address leads to this machine alone
	}{
		"asked directly":        {nil, "", false, "http://10.0.0.5:8080/a%20b", false},
		"over TLS":              {nil, "", true, "https://10.0.0.5:8080/a%20b", false},
		"by a proxy":            {[]string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "culvert.example.org"}, "", false, "https://culvert.example.org/a%20b", false},
		"by two":                {[]string{"X-Forwarded-Proto", "https, http", "X-Forwarded-Host", "c.example.org, inner"}, "", false, "https://c.example.org/a%20b", false},
		"below a path":          {[]string{"X-Forwarded-Host", "c.example.org", "X-Forwarded-Prefix", "/data/"}, "", false, "http://c.example.org/data/a%20b", false},
		"at a port":             {[]string{"X-Forwarded-Host", "c.example.org", "X-Forwarded-Port", "8443", "X-Forwarded-Proto", "https"}, "", false, "https://c.example.org:8443/a%20b", false},
		"at the usual port":     {[]string{"X-Forwarded-Host", "c.example.org", "X-Forwarded-Port", "443", "X-Forwarded-Proto", "https"}, "", false, "https://c.example.org/a%20b", false},
		"by the standard":       {[]string{"Forwarded", `for=192.0.2.1;proto=https;host="c.example.org:8443", for=10.0.0.1`}, "", false, "https://c.example.org:8443/a%20b", false},
		"nonsense":              {[]string{"X-Forwarded-Proto", "javascript", "X-Forwarded-Host", "a/b?c", "X-Forwarded-Prefix", "//evil"}, "", false, "http://10.0.0.5:8080/a%20b", false},
		"as the project says":   {[]string{"X-Forwarded-Host", "inner"}, "https://c.example.org/data/", false, "https://c.example.org/data/a%20b", false},
		"a proxy without names": {[]string{"Host", "127.0.0.1:8080", "X-Forwarded-For", "192.0.2.1"}, "", false, "http://127.0.0.1:8080/a%20b", true},
		"on this machine":       {[]string{"Host", "localhost:8080"}, "", false, "http://localhost:8080/a%20b", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "http://10.0.0.5:8080/a%20b/formList", nil)
			if c.tls {
				r.TLS = &tls.ConnectionState{}
			}
			for i := 0; i < len(c.headers); i += 2 {
				if r.Header.Set(c.headers[i], c.headers[i+1]); c.headers[i] == "Host" {
					r.Host = c.headers[i+1]
				}
			}
			if got := Base(r, c.public, "/a b"); got != c.want || Unreachable(r, got) != c.lost {
				t.Errorf("%s, lost %v", got, Unreachable(r, got))
			}
		})
	}
}
