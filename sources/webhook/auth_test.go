package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
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
	from := func(addr string) func(*http.Request) { return func(r *http.Request) { r.RemoteAddr = addr + ":99" } }
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
		{"hmac with time", Auth{HMACSecret: "zq-s", HMACHeader: "X-Sig", HMACTimestamp: "X-Time"}, header("X-Sig", sign("zq-s", stamp+"."+body), "X-Time", stamp), 202},
		{"hmac with time, too old", Auth{HMACSecret: "zq-s", HMACHeader: "X-Sig", HMACTimestamp: "X-Time"}, header("X-Sig", sign("zq-s", late+"."+body), "X-Time", late), 401},
		{"hmac with time, time changed", Auth{HMACSecret: "zq-s", HMACHeader: "X-Sig", HMACTimestamp: "X-Time"}, header("X-Sig", sign("zq-s", late+"."+body), "X-Time", stamp), 401},
		{"nothing set, from here", Auth{}, from("127.0.0.1"), 202},
		{"nothing set, from elsewhere", Auth{}, header(), 403},
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
