package studio

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/project/projecttest"
	"github.com/culvert/culvert/rules/examples"
)

const registration = "rules/anc-registration.yaml"

func TestMain(m *testing.M) {
	code := m.Run()
	projecttest.Remove()
	os.Exit(code)
}

// served is a studio that is asked over HTTP.
type served struct {
	t      *testing.T
	studio *Studio
	srv    *httptest.Server
	dir    string
	client *http.Client // that was let in
}

// serve lays an example down and serves it.
func serve(t *testing.T, name string) *served {
	t.Helper()
	from, err := projecttest.Tamala()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := examples.Write(name, dir, func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "metadata"), os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(nil)
	addresses, err := Addresses(srv.Listener.Addr())
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Dir: dir, Loader: &project.Loader{Sources: project.SourceKinds()}, Version: "test",
		Addresses: addresses})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	srv.Config.Handler = s
	srv.Start()
	t.Cleanup(srv.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	f := &served{t: t, studio: s, srv: srv, dir: dir, client: &http.Client{Jar: jar}}
	if got := f.get(s.Path()); !strings.Contains(got, "Rules") {
		t.Fatalf("not let in: %s", got)
	}
	return f
}

// text gives a file of the project as it is on the disk.
func (f *served) text(name string) string {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join(f.dir, filepath.FromSlash(name)))
	if err != nil {
		f.t.Fatal(err)
	}
	return string(text)
}

func (f *served) write(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, filepath.FromSlash(name)), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f *served) get(path string) string {
	f.t.Helper()
	res, err := f.client.Get(f.srv.URL + path)
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(body)
}

// host is the address that a browser names.
func (f *served) host() string {
	u, _ := url.Parse(f.srv.URL)
	return u.Host
}

// difference gives the lines that went and those that came.
func difference(before, after string) (gone, come []string) {
	a, b := strings.Split(before, "\n"), strings.Split(after, "\n")
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return a, b
}
