package client

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNormalizeURL(t *testing.T) {
	for given, want := range map[string]string{
		"https://dhis2.example.org":                                                      "https://dhis2.example.org",
		"https://dhis2.example.org/":                                                     "https://dhis2.example.org",
		" https://DHIS2.example.org/hmis/ \n":                                            "https://dhis2.example.org/hmis",
		"https://dhis2.example.org/hmis/api":                                             "https://dhis2.example.org/hmis",
		"https://dhis2.example.org/hmis/api/42/":                                         "https://dhis2.example.org/hmis",
		"https://dhis2.example.org/hmis/api/me?fields=id":                                "https://dhis2.example.org/hmis",
		"https://dhis2.example.org/dhis-web-login/#/":                                    "https://dhis2.example.org",
		"https://dhis2.example.org/hmis/login/":                                          "https://dhis2.example.org/hmis",
		"https://dhis2.example.org/hmis/dhis-web-commons/security/login.action?failed=1": "https://dhis2.example.org/hmis",
		"https://dhis2.example.org/hmis/dhis-web-dashboard/index.html#/start":            "https://dhis2.example.org/hmis",
		"https://dhis2.example.org/apps/dashboard":                                       "https://dhis2.example.org",
		"https://dhis2.example.org/a/b/index.html":                                       "https://dhis2.example.org/a/b",
		"dhis2.example.org/hmis":                                                         "https://dhis2.example.org/hmis",
		"dhis2.example.org:8443":                                                         "https://dhis2.example.org:8443",
		"localhost:8085":                                                                 "http://localhost:8085",
		"127.0.0.1:8085/api":                                                             "http://127.0.0.1:8085",
		"http://10.0.0.5:8080/dhis":                                                      "http://10.0.0.5:8080/dhis",
		"https://[2001:db8::1]:8443/api":                                                 "https://[2001:db8::1]:8443",
		"":                                                                               "!has no `url`",
		"ftp://dhis2.example.org":                                                        "!it must be https:// or http://",
		"https://":                                                                       "!is not an address",
		"https://a b":                                                                    "!is not an address",
		"https://admin:district@dhis2.example.org":                                       "!contains a user name",
	} {
		u, err := NormalizeURL(given)
		message, wrong := strings.CutPrefix(want, "!")
		switch {
		case wrong && (err == nil || !strings.Contains(err.Error(), message)):
			t.Errorf("%q: %v, error %v, want %q", given, u, err, message)
		case wrong && strings.Contains(err.Error(), "district"):
			t.Errorf("%q: the error tells the password: %v", given, err)
		case !wrong && (err != nil || u.String() != want):
			t.Errorf("%q: %v, error %v, want %s", given, u, err, want)
		}
	}
}

func FuzzNormalizeURL(f *testing.F) {
	f.Add("https://dhis2.example.org/hmis/api/42")
	f.Add("dhis2.example.org:8443/x")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := NormalizeURL(text)
		if err != nil {
			return
		}
		again, err := NormalizeURL(u.String())
		if err != nil || again.String() != u.String() {
			t.Errorf("%q gives %q, which gives %v, %v", text, u, again, err)
		}
	})
}

func TestCredentials(t *testing.T) {
	for name, c := range map[string]struct {
		given  Credentials
		header string
		wrong  string
	}{
		"basic":         {Credentials{Username: "admin", Password: "district"}, "Basic YWRtaW46ZGlzdHJpY3Q=", ""},
		"token":         {Credentials{Token: "d2pat_abc"}, "ApiToken d2pat_abc", ""},
		"token, copied": {Credentials{Token: " ApiToken d2pat_abc\n"}, "ApiToken d2pat_abc", ""},
		"bearer":        {Credentials{Bearer: "ey.x.y"}, "Bearer ey.x.y", ""},
		"none":          {Credentials{}, "", "no credentials"},
		"no password":   {Credentials{Username: "admin"}, "", "must both be given"},
		"no name":       {Credentials{Password: "district"}, "", "must both be given"},
		"two kinds":     {Credentials{Username: "a", Password: "b", Token: "c"}, "", "more than one kind"},
		"line break":    {Credentials{Username: "a", Password: "district\n"}, "", "line break"},
	} {
		t.Run(name, func(t *testing.T) {
			var got http.Header
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r.Header
				http.SetCookie(w, &http.Cookie{Name: "JSESSIONID", Value: "x"})
				fmt.Fprint(w, `{"id":"M5zQapPyTZI"}`)
			}))
			defer server.Close()
			c2, err := New(Options{URL: server.URL, Credentials: c.given, UserAgent: "culvert/1.0"})
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) || strings.Contains(err.Error(), "district") {
					t.Errorf("error %v, want %q", err, c.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer c2.Close()
			for range 2 {
				if err := c2.Ping(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			for header, want := range map[string]string{
				"Authorization": c.header, "X-Requested-With": "XMLHttpRequest", "Accept": "application/json",
				"Cookie":     "JSESSIONID=x",
				"User-Agent": "culvert/1.0", "Accept-Encoding": "gzip", "Idempotency-Key": "",
			} {
				if got.Get(header) != want {
					t.Errorf("%s: %q, want %q", header, got.Get(header), want)
				}
			}
		})
	}
}

func TestSecretsStayOut(t *testing.T) {
	var log bytes.Buffer
	c := Credentials{Username: "admin", Password: "s3cret"}
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "credentials", c)
	text := log.String() + fmt.Sprint(c) + fmt.Sprintf("%v %+v %#v %s", c, c, c, c) +
		fmt.Sprint(Credentials{Token: "s3cret"}, Credentials{Bearer: "s3cret"})
	if strings.Contains(text, "s3cret") {
		t.Error(text)
	}
}

func TestOwnAuthority(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		fmt.Fprint(w, `{"id":"M5zQapPyTZI"}`)
	}))
	defer server.Close()
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
		0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	credentials := Credentials{Token: "x"}
	trusting, err := New(Options{URL: server.URL, Credentials: credentials, CAFile: ca})
	if err != nil {
		t.Fatal(err)
	}
	defer trusting.Close()
	if err := trusting.Ping(context.Background()); err != nil {
		t.Error(err)
	}
	doubting, err := New(Options{URL: server.URL, Credentials: credentials})
	if err != nil {
		t.Fatal(err)
	}
	defer doubting.Close()
	err = doubting.Ping(context.Background())
	var failed *Error
	if !errors.As(err, &failed) || failed.Kind != Unreachable || !strings.Contains(failed.Hint, "ca_file") {
		t.Errorf("error %v, want one that names ca_file", err)
	}
	for file, want := range map[string]string{empty: "holds no certificate", ca + "x": "reading `ca_file`"} {
		if _, err := New(Options{URL: server.URL, Credentials: credentials, CAFile: file}); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestProxy(t *testing.T) {
	var asked string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		fmt.Fprint(w, `{"id":"M5zQapPyTZI"}`)
	}))
	defer proxy.Close()
	c, err := New(Options{URL: "http://dhis2.invalid/hmis", Credentials: Credentials{Token: "x"}, Proxy: proxy.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Ping(context.Background()); err != nil || asked != "http://dhis2.invalid/hmis/api/me?fields=id" {
		t.Errorf("asked the proxy for %q, error %v", asked, err)
	}
	if _, err := New(Options{URL: "http://dhis2.invalid", Credentials: Credentials{Token: "x"},
		Proxy: "nonsense"}); err == nil {
		t.Error("a proxy that is no address is taken")
	}
}
