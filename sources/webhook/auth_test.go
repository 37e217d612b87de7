package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func sign(secret, text string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(text))
	return hex.EncodeToString(m.Sum(nil))
}

func TestAuth(t *testing.T) {
	header := func(pairs ...string) func(*http.Request) {
		return func(r *http.Request) {
			for i := 0; i < len(pairs); i += 2 {
				r.Header.Set(pairs[i], pairs[i+1])
			}
		}
	}
	basic := func(user, password string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(user, password) }
	}
	here := func(pairs ...string) func(*http.Request) {
		return func(r *http.Request) {
			r.RemoteAddr, r.Host = "127.0.0.1:99", "127.0.0.1:8080"
			header(pairs...)(r)
		}
	}
	named := func(host string) func(*http.Request) {
		return func(r *http.Request) { r.RemoteAddr, r.Host = "[::1]:99", host }
	}
	const body = `{"a": 1}`
	stamp := fmt.Sprint(now.Add(-time.Minute).Unix())
	late := fmt.Sprint(now.Add(-time.Hour).Unix())
	for _, test := range []struct {
		name   string
		auth   Auth
		change func(*http.Request)
		status int
	}{
		{"basic", Auth{Username: "cc", Password: "zq-pw"}, basic("cc", "zq-pw"), 202},
		{"basic, wrong password", Auth{Username: "cc", Password: "zq-pw"}, basic("cc", "no"), 401},
		{"basic, wrong user", Auth{Username: "cc", Password: "zq-pw"}, basic("xx", "zq-pw"), 401},
		{"basic, none sent", Auth{Username: "cc", Password: "zq-pw"}, header(), 401},
		{"bearer", Auth{Bearer: "zq-tok"}, header("Authorization", "bearer zq-tok"), 202},
		{"bearer, wrong", Auth{Bearer: "zq-tok"}, header("Authorization", "Bearer zq-tokk"), 401},
		{"bearer sent as basic", Auth{Bearer: "zq-tok"}, header("Authorization", "Basic zq-tok"), 401},
		{"api key", Auth{APIKey: "zq-k"}, header("X-API-Key", "zq-k"), 202},
		{"api key in another header", Auth{APIKey: "zq-k", APIKeyHeader: "X-Kobo"}, header("X-Kobo", "zq-k"), 202},
		{"api key, wrong", Auth{APIKey: "zq-k"}, header("X-API-Key", ""), 401},
		{"hmac", Auth{HMACSecret: "zq-s"}, header("X-Hub-Signature-256", "sha256="+sign("zq-s", body)), 202},
		{"hmac, other body", Auth{HMACSecret: "zq-s"}, header("X-Hub-Signature-256", "sha256="+sign("zq-s", body+" ")), 401},
		{"hmac, none sent", Auth{HMACSecret: "zq-s"}, header(), 401},
		{"hmac with time", Auth{HMACSecret: "zq-s", HMACHeader: "X-Sig", HMACTimestamp: "X-Time"},
			header("X-Sig", sign("zq-s", stamp+"."+body), "X-Time", stamp), 202},
		{"hmac with time, too old", Auth{HMACSecret: "zq-s", HMACHeader: "X-Sig", HMACTimestamp: "X-Time"},
			header("X-Sig", sign("zq-s", late+"."+body), "X-Time", late), 401},
		{"hmac with time, time changed", Auth{HMACSecret: "zq-s", HMACHeader: "X-Sig", HMACTimestamp: "X-Time"},
			header("X-Sig", sign("zq-s", late+"."+body), "X-Time", stamp), 401},
		{"nothing set, from here", Auth{}, here(), 202},
		{"nothing set, from here by name", Auth{}, named("localhost:8080"), 202},
		{"nothing set, from here by IPv6", Auth{}, named("[::1]:8080"), 202},
		{"nothing set, from a page of our own", Auth{},
			here("Origin", "http://127.0.0.1:8080", "Sec-Fetch-Site", "same-origin"), 202},
		{"nothing set, from elsewhere", Auth{}, header(), 403},
		{"nothing set, nginx as it is without settings", Auth{}, here("X-Forwarded-For", "192.0.2.7"), 403},
		{"nothing set, a proxy that tells nothing but itself", Auth{}, here("Via", "1.1 gate"), 403},
		{"nothing set, a proxy by the standard", Auth{}, here("Forwarded", "for=192.0.2.7"), 403},
		{"nothing set, a name from outside", Auth{}, named("hooks.example.org"), 403},
		{"nothing set, a name that leads here", Auth{}, named("127.0.0.1.example.org:8080"), 403},
		{"nothing set, from a page of some other site", Auth{}, here("Origin", "https://evil.example.org"), 403},
		{"nothing set, from a browser that says so", Auth{}, here("Sec-Fetch-Site", "cross-site"), 403},
		{"nothing set, from a sandboxed page", Auth{}, here("Origin", "null"), 403},
		{"nothing set, from behind a proxy", Auth{}, header("X-Forwarded-For", "127.0.0.1"), 403},
		{"open on purpose", Auth{None: true}, header(), 202},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, s := serve(t, Route{Rule: "anc", Path: "/forms", Auth: test.auth})
			w := send(h, post("/forms", "application/json", body, test.change))
			if w.Code != test.status {
				t.Errorf("answered %d %s", w.Code, w.Body)
			}
			if (w.Code == 202) != (len(s.records) == 1) {
				t.Errorf("%d records", len(s.records))
			}
			if strings.Contains(w.Body.String(), "zq-") {
				t.Errorf("the answer tells a secret: %s", w.Body)
			}
		})
	}
}

// unread fails the test when a body is read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

// TestSignatureIsLookedAtFirst has nothing read of whom no signature can be right.
func TestSignatureIsLookedAtFirst(t *testing.T) {
	h, _ := serve(t, Route{Rule: "anc", Path: "/forms",
		Auth: Auth{HMACSecret: "zq-s", HMACHeader: "X-Sig", HMACTimestamp: "X-Time"}})
	stamp := fmt.Sprint(now.Unix())
	for name, pairs := range map[string][2]string{"none": {"", ""}, "too short": {"abcd", stamp},
		"no time": {sign("zq-s", "x"), ""}, "old": {sign("zq-s", "x"), "1"}} {
		r := httptest.NewRequest(http.MethodPost, "/forms", unread{t})
		r.Header.Set("X-Sig", pairs[0])
		r.Header.Set("X-Time", pairs[1])
		if w := send(h, r); w.Code != 401 {
			t.Errorf("%s: answered %d", name, w.Code)
		}
	}
}

// TestSignedOnce repeats a signed request as somebody does who has listened.
func TestSignedOnce(t *testing.T) {
	h, s := serve(t, Route{Rule: "anc", Path: "/forms",
		Auth: Auth{HMACSecret: "zq-s", HMACHeader: "X-Sig", HMACTimestamp: "X-Time"}})
	stamp := fmt.Sprint(now.Unix())
	for n, want := range []int{202, 200, 200} {
		r := post("/forms", "application/json", `{"a": 1}`, func(r *http.Request) {
			r.Header.Set("X-Sig", "sha256="+sign("zq-s", stamp+`.{"a": 1}`))
			r.Header.Set("X-Time", stamp)
			r.Header.Set("Idempotency-Key", fmt.Sprint("another", n)) // which nobody signs
		})
		if w := send(h, r); w.Code != want {
			t.Errorf("time %d: answered %d %s", n, w.Code, w.Body)
		}
	}
	if len(s.records) != 1 {
		t.Errorf("%d records", len(s.records))
	}
}

func TestNetworks(t *testing.T) {
	route := open
	route.Networks = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	h, _ := serve(t, route)
	for _, test := range []struct {
		remote, forwarded string
		status            int
	}{
		{"198.51.100.7:1", "", 202},
		{"[::ffff:198.51.100.7]:1", "", 202},
		{"192.0.2.1:1", "", 403},
		{"192.0.2.1:1", "198.51.100.7", 403}, // not one of our proxies
		{"10.9.0.1:1", "198.51.100.7", 202},
		{"10.9.0.1:1", "198.51.100.7, 192.0.2.1", 403}, // what the sender wrote in front is not believed
		{"10.9.0.1:1", "nonsense", 403},
	} {
		r := post("/forms", "", `{"a": 1}`)
		r.RemoteAddr = test.remote
		if test.forwarded != "" {
			r.Header.Set("X-Forwarded-For", test.forwarded)
		}
		if w := send(h, r); w.Code != test.status {
			t.Errorf("%s for %q: answered %d", test.remote, test.forwarded, w.Code)
		}
	}
}
