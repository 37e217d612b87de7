package webhook

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// phone does what ODK Collect does (open-rosa, collect_app: OpenRosaClient, OpenRosaXmlFetcher, Kxml2OpenRosaResponseParser,
// OkHttpConnection, OpenRosaServerInstanceUploader): over http it logs in by digest alone and only when it is asked to, it takes
// nothing for a list but text/xml with a header and its namespaces, and no status but 204 of HEAD and 201 or 202 of POST.
type phone struct {
	server string // as it is typed into the settings
	digester
	requests []string
}

// do sends a request, and once more with credentials when it is asked for them; a stale nonce is renewed once.
func (p *phone) do(method, url string, kind string, body []byte) (*http.Response, []byte, error) {
	for tries := 0; ; tries++ {
		r, err := http.NewRequest(method, url, bytes.NewReader(body))
		if err != nil {
			return nil, nil, err
		}
		r.Header.Set("X-OpenRosa-Version", "1.0")
		r.Header.Set("Date", "Sun, 01 Mar 2026 08:00:00 GMT")
		if kind != "" {
			r.Header.Set("Content-Type", kind)
		}
		if p.challenge != nil {
			r.Header.Set("Authorization", p.header(method, r.URL.RequestURI()))
		}
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			return nil, nil, err
		}
		text, err := io.ReadAll(w.Body)
		_ = w.Body.Close()
		p.requests = append(p.requests, fmt.Sprintf("%s %d", method, w.StatusCode))
		before := p.challenge
		if err != nil || w.StatusCode != http.StatusUnauthorized || !p.asked(w.Header) || tries == 2 ||
			before != nil && p.challenge["stale"] != "true" {
			return w, text, err
		}
	}
}

// xml gets a list; the error is what the phone would say.
func (p *phone) xml(url string, into any) error {
	w, text, err := p.do(http.MethodGet, url, "", nil)
	switch {
	case err != nil:
		return err
	case w.StatusCode != http.StatusOK:
		return fmt.Errorf("status %d", w.StatusCode)
	case !strings.Contains(w.Header.Get("Content-Type"), "text/xml"):
		return fmt.Errorf("is this a network that one has to log in to? %s", w.Header.Get("Content-Type"))
	case w.Header.Get("X-OpenRosa-Version") == "":
		return fmt.Errorf("no OpenRosa server")
	}
	return xml.Unmarshal(text, into)
}

type listOfForms struct {
	XMLName xml.Name `xml:"http://openrosa.org/xforms/xformsList xforms"`
	Forms   []struct {
		ID       string `xml:"http://openrosa.org/xforms/xformsList formID"`
		Name     string `xml:"http://openrosa.org/xforms/xformsList name"`
		Version  string `xml:"http://openrosa.org/xforms/xformsList version"`
		Hash     string `xml:"http://openrosa.org/xforms/xformsList hash"`
		Download string `xml:"http://openrosa.org/xforms/xformsList downloadUrl"`
		Manifest string `xml:"http://openrosa.org/xforms/xformsList manifestUrl"`
	} `xml:"http://openrosa.org/xforms/xformsList xform"`
}

type listOfFiles struct {
	XMLName xml.Name `xml:"http://openrosa.org/xforms/xformsManifest manifest"`
	Files   []struct {
		Name     string `xml:"http://openrosa.org/xforms/xformsManifest filename"`
		Hash     string `xml:"http://openrosa.org/xforms/xformsManifest hash"`
		Download string `xml:"http://openrosa.org/xforms/xformsManifest downloadUrl"`
	} `xml:"http://openrosa.org/xforms/xformsManifest mediaFile"`
}

// forms gets all forms with their files, by their names on the phone.
func (p *phone) forms() (map[string]string, error) {
	var list listOfForms
	if err := p.xml(strings.TrimRight(p.server, "/")+"/formList?deviceID=collect%3Aabc", &list); err != nil {
		return nil, err
	}
	got := map[string]string{}
	get := func(name, hash, url string) error {
		w, text, err := p.do(http.MethodGet, url+"?deviceID=collect%3Aabc", "", nil)
		if err != nil || w.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %d, %v", url, w.StatusCode, err)
		}
		sum := md5.Sum(text)
		if hash != "md5:"+hex.EncodeToString(sum[:]) {
			return fmt.Errorf("%s has another hash than %s", name, hash)
		}
		got[name] = string(text)
		return nil
	}
	for _, f := range list.Forms {
		if f.ID == "" || f.Name == "" || f.Download == "" {
			return nil, fmt.Errorf("the list cannot be read: %+v", f)
		}
		if err := get(f.ID+" "+f.Version, f.Hash, f.Download); err != nil {
			return nil, err
		}
		if f.Manifest == "" {
			continue
		}
		var files listOfFiles
		if err := p.xml(f.Manifest+"?deviceID=collect%3Aabc", &files); err != nil {
			return nil, err
		}
		for _, m := range files.Files {
			if err := get(m.Name, m.Hash, m.Download); err != nil {
				return nil, err
			}
		}
	}
	return got, nil
}

// submit sends a filled-in form in as many requests as it has photos; the error is what the phone would say.
func (p *phone) submit(form string, photos ...[]byte) (string, error) {
	url := strings.TrimSuffix(p.server, "/") + "/submission?deviceID=collect%3Aabc"
	w, _, err := p.do(http.MethodHead, url, "", nil)
	switch {
	case err != nil:
		return "", err
	case w.StatusCode == http.StatusUnauthorized:
		return "", fmt.Errorf("asks for credentials")
	case w.StatusCode != http.StatusNoContent && w.StatusCode < 300:
		return "", fmt.Errorf("is this an OpenRosa submission endpoint? %d", w.StatusCode)
	}
	said := ""
	for n := range max(1, len(photos)) {
		var body bytes.Buffer
		m := multipart.NewWriter(&body)
		part, _ := m.CreateFormFile("xml_submission_file", "anc.xml")
		_, _ = io.WriteString(part, form)
		if n < len(photos) {
			part, _ = m.CreateFormFile(fmt.Sprintf("p%d.jpg", n), fmt.Sprintf("p%d.jpg", n))
			_, _ = part.Write(photos[n])
		}
		if n+1 < len(photos) {
			_ = m.WriteField("*isIncomplete*", "yes")
		}
		_ = m.Close()
		w, text, err := p.do(http.MethodPost, url, m.FormDataContentType(), body.Bytes())
		if err != nil {
			return "", err
		}
		var response openRosaResponse
		err = xml.Unmarshal(text, &response)
		if w.StatusCode != http.StatusCreated && w.StatusCode != http.StatusAccepted || err != nil {
			return "", fmt.Errorf("%d %s", w.StatusCode, response.Message.Text)
		}
		said = response.Message.Text
	}
	return said, nil
}

const ancForm = `<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"><h:head><h:title>ANC</h:title><model>
<instance><data id="anc" version="%s"><name/><meta><instanceID/></meta></data></instance>
<instance id="places" src="jr://file-csv/places.csv"/></model></h:head><h:body/></h:html>`

const ancAnswer = `<data id="anc" version="1"><name>%s</name><meta><instanceID>uuid:%s</instanceID></meta></data>`

// hospital starts a project that hands out a form, and gives its folder and address.
func hospital(t *testing.T, change ...func(*Config, *Route)) (dir, url string, h *Handler, s *sink) {
	t.Helper()
	dir = t.TempDir()
	put(t, dir, "forms/anc.xml", fmt.Sprintf(ancForm, "1"))
	put(t, dir, "forms/anc-media/places.csv", "name,label\n1,Coral\n")
	put(t, dir, "culvert.yaml", "secret")
	c := Config{Dir: dir}
	route := Route{Rule: "anc", Path: "/anc/submission", Auth: Auth{Username: "phone", Password: "hush"}, Forms: []string{"forms/anc.xml"}}
	for _, f := range change {
		f(&c, &route)
	}
	h, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	s = &sink{}
	h.sink.Store(&sinkRef{s, t.Context()})
	h.Replace([]Route{route})
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return dir, server.URL, h, s
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestPhone gets forms, fills one in and submits it with photos, as people do who have nothing but an address, a name and a password.
func TestPhone(t *testing.T) {
	dir, url, _, s := hospital(t)
	p := &phone{server: url + "/anc/", digester: digester{username: "phone", password: "hush"}}
	got, err := p.forms()
	if diff := cmp.Diff(map[string]string{"anc 1": fmt.Sprintf(ancForm, "1"), "places.csv": "name,label\n1,Coral\n"}, got); err != nil || diff != "" {
		t.Fatalf("%v\n%s", err, diff)
	}
	if said, err := p.submit(fmt.Sprintf(ancAnswer, "Ada", "1"), []byte("photo 1"), []byte("photo 2")); err != nil || said == "" {
		t.Errorf("said %q: %v", said, err)
	}
	// Credentials are asked for once, and held from then on.
	want := []string{"GET 401", "GET 200", "GET 200", "GET 200", "GET 200", "HEAD 204", "POST 201", "POST 201"}
	if diff := cmp.Diff(want, p.requests); diff != "" || len(s.bodies()) != 2 {
		t.Errorf("%d records\n%s", len(s.bodies()), diff)
	}
	// A form that is corrected is another one at once.
	put(t, dir, "forms/anc.xml", fmt.Sprintf(ancForm, "2 of March"))
	put(t, dir, "forms/anc-media/more.jpg", "picture")
	got, err = p.forms()
	if diff := cmp.Diff(map[string]string{"anc 2 of March": fmt.Sprintf(ancForm, "2 of March"), "places.csv": "name,label\n1,Coral\n",
		"more.jpg": "picture"}, got); err != nil || diff != "" {
		t.Fatalf("%v\n%s", err, diff)
	}
	// A broken one leaves what was there.
	put(t, dir, "forms/anc.xml", "<h:html>")
	if got, err = p.forms(); err != nil || got["anc 2 of March"] == "" {
		t.Errorf("got %v: %v", got, err)
	}
}

func TestPhoneRefused(t *testing.T) {
	_, url, _, s := hospital(t)
	for name, c := range map[string]struct {
		p    phone
		want string
	}{
		"wrong password": {phone{server: url + "/anc", digester: digester{username: "phone", password: "no"}}, "status 401"},
		"wrong address":  {phone{server: url + "/malaria", digester: digester{username: "phone", password: "hush"}}, "status 404"},
	} {
		if _, err := c.p.forms(); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := c.p.submit(fmt.Sprintf(ancAnswer, "Ada", "1")); err == nil {
			t.Errorf("%s: submitted", name)
		}
	}
	p := &phone{server: url + "/anc", digester: digester{username: "phone", password: "hush"}}
	if _, err := p.submit(`<data id="anc" encrypted="yes"><base64EncryptedKey>AA</base64EncryptedKey><meta><instanceID>uuid:1</instanceID></meta></data>`); err == nil ||
		!strings.Contains(err.Error(), "sealed with a key") {
		t.Errorf("sealed: %v", err)
	}
	if len(s.bodies()) > 0 {
		t.Errorf("%d records", len(s.bodies()))
	}
}

// TestPhoneOnPoorLine has a nonce grow old while a form of several megabytes is on its way: the phone, which
// sends all of it before it reads, gets its answer and sends it again.
func TestPhoneOnPoorLine(t *testing.T) {
	at := now
	_, url, h, s := hospital(t, func(c *Config, _ *Route) { c.Now = func() time.Time { return at } })
	p := &phone{server: url + "/anc", digester: digester{username: "phone", password: "hush"}}
	if _, err := p.submit(fmt.Sprintf(ancAnswer, "Ada", "1")); err != nil {
		t.Fatal(err)
	}
	at = at.Add(2 * nonceLife)
	old := p.challenge
	h.digest.mu.Lock()
	h.digest.floor = at.Add(-time.Second)
	h.digest.mu.Unlock()
	w, text, err := p.do(http.MethodPost, p.server+"/submission", "application/json", []byte(`{"photo": "`+strings.Repeat("x", 5<<20)+`"}`))
	if err != nil || w.StatusCode != http.StatusCreated || old["nonce"] == p.challenge["nonce"] {
		t.Errorf("answered %s: %v", text, err)
	}
	if diff := cmp.Diff([]string{"HEAD 401", "HEAD 204", "POST 201", "POST 401", "POST 201"}, p.requests); diff != "" || len(s.bodies()) != 2 {
		t.Error(diff)
	}
}

// TestPhoneByRunners goes from one runner to the other with each request, as behind a balancer.
func TestPhoneByRunners(t *testing.T) {
	key := func(c *Config, _ *Route) { c.NonceKey = sharedKey }
	_, _, first, _ := hospital(t, key)
	_, _, second, _ := hospital(t, key)
	n := 0
	balancer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		[]*Handler{first, second}[n%2].ServeHTTP(w, r)
	}))
	t.Cleanup(balancer.Close)
	p := &phone{server: balancer.URL + "/anc", digester: digester{username: "phone", password: "hush"}}
	if _, err := p.forms(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.submit(fmt.Sprintf(ancAnswer, "Ada", "1"), nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	if asked := strings.Count(strings.Join(p.requests, " "), "401"); asked != 1 {
		t.Errorf("asked for credentials %d times: %v", asked, p.requests)
	}
}

// TestHandOut is who gets forms, and where.
func TestHandOut(t *testing.T) {
	basic := func(r *http.Request) { r.SetBasicAuth("phone", "hush") }
	ask := func(method, path string, change ...func(*http.Request)) *http.Request {
		r := httptest.NewRequest(method, path, nil)
		r.RemoteAddr = "192.0.2.1:1234"
		for _, c := range change {
			c(r)
		}
		return r
	}
	for name, c := range map[string]struct {
		route  func(*Route)
		ask    *http.Request
		status int
	}{
		"list":                     {nil, ask("GET", "/anc/formList", basic), 200},
		"form":                     {nil, ask("GET", "/anc/forms/anc.xml", basic), 200},
		"file":                     {nil, ask("GET", "/anc/forms/anc-media/places.csv", basic), 200},
		"announced":                {nil, ask("HEAD", "/anc/formList", basic), 200},
		"no credentials":           {nil, ask("GET", "/anc/formList"), 401},
		"form without credentials": {nil, ask("GET", "/anc/forms/anc.xml"), 401},
		"file without credentials": {nil, ask("GET", "/anc/forms/anc-media/places.csv"), 401},
		"head without credentials": {nil, ask("HEAD", "/anc/forms/anc.xml"), 401},
		"posted":                   {nil, ask("POST", "/anc/formList", basic), 405},
		"a form of nobody":         {nil, ask("GET", "/anc/forms/other.xml", basic), 404},
		"out of the project":       {nil, ask("GET", "/anc/forms/anc-media/..%2f..%2fculvert.yaml", basic), 404},
		"not of forms":             {nil, ask("GET", "/anc/culvert.yaml", basic), 404},
		"open to all":              {func(r *Route) { r.Auth = Auth{None: true} }, ask("GET", "/anc/formList"), 200},
		"this machine only":        {func(r *Route) { r.Auth = Auth{} }, ask("GET", "/anc/formList"), 403},
		"signed senders":           {func(r *Route) { r.Auth = Auth{HMACSecret: "s"} }, ask("GET", "/anc/formList"), 401},
		"another network":          {func(r *Route) { r.Networks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} }, ask("GET", "/anc/formList", basic), 403},
		"switched off":             {func(r *Route) { r.Off = true }, ask("GET", "/anc/formList", basic), 503},
		"a secret is missing":      {func(r *Route) { r.Closed = true }, ask("GET", "/anc/formList", basic), 503},
		"no forms":                 {func(r *Route) { r.Forms = nil }, ask("GET", "/anc/formList", basic), 404},
		"at the top":               {func(r *Route) { r.Path = "/submission" }, ask("GET", "/formList", basic), 200},
		"below the top only":       {func(r *Route) { r.Path = "/submission" }, ask("GET", "/anc/formList", basic), 404},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, h, _ := hospital(t, func(_ *Config, r *Route) {
				if c.route != nil {
					c.route(r)
				}
			})
			served := c.status != 404 || strings.Contains(name, "form of")
			if w := send(h, c.ask); w.Code != c.status || h.Serves(c.ask.URL.Path) != served {
				t.Errorf("answered %d %s, serves %v", w.Code, w.Body, h.Serves(c.ask.URL.Path))
			}
		})
	}
}

// TestHandOutOfSeveral has rules that share an address, one below another, and a path that is in the way.
func TestHandOutOfSeveral(t *testing.T) {
	dir, _, h, _ := hospital(t)
	put(t, dir, "forms/birth.xml", strings.Replace(fmt.Sprintf(ancForm, "1"), `id="anc"`, `id="birth"`, 1))
	open := Auth{None: true}
	h.Replace([]Route{
		{Rule: "anc", Path: "/anc/submission", Auth: open, Forms: []string{"forms/anc.xml"}},
		{Rule: "birth", Path: "/anc/submission", Auth: open, Forms: []string{"forms/birth.xml", "forms/anc.xml"}},
		{Rule: "none", Path: "/anc/submission", Auth: open},
		{Rule: "below", Path: "/anc/forms/submission", Auth: open, Forms: []string{"forms/birth.xml"}},
		{Rule: "own", Path: "/anc/forms/x.xml", Auth: open},
		{Rule: "all", Path: "/anc/*", Auth: open},
	})
	for path, want := range map[string]string{"/anc/formList": "anc birth", "/anc/forms/formList": "birth"} {
		w := send(h, httptest.NewRequest(http.MethodGet, path, nil))
		var list listOfForms
		if err := xml.Unmarshal(w.Body.Bytes(), &list); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, f := range list.Forms {
			ids = append(ids, f.ID)
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
	if w := send(h, httptest.NewRequest(http.MethodGet, "/anc/forms/x.xml", nil)); !strings.Contains(w.Body.String(), `"path":"/anc/forms/x.xml"`) {
		t.Errorf("a rule's own path: %s", w.Body)
	}
	if w := send(h, httptest.NewRequest(http.MethodGet, "/anc/other", nil)); !strings.Contains(w.Body.String(), `"path":"/anc/*"`) {
		t.Errorf("what lies below: %s", w.Body)
	}
}
