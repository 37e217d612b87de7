package webhook

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// digester logs in as the authenticator of ODK Collect does: by the first Digest that it is asked for,
// with a count that goes up while the nonce stays.
type digester struct {
	username, password string
	challenge          map[string]string
	count              uint32
}

// asked takes the challenge of an answer; it tells whether there is one by digest.
func (d *digester) asked(header http.Header) bool {
	for _, way := range header.Values("WWW-Authenticate") {
		if rest, ok := strings.CutPrefix(way, "Digest"); ok {
			params, ok := parameters(rest)
			if ok && params["nonce"] != d.challenge["nonce"] {
				d.count = 0
			}
			d.challenge = params
			return ok
		}
	}
	return false
}

func hexOf(h func() hash.Hash, text string) string {
	x := h()
	x.Write([]byte(text))
	return hex.EncodeToString(x.Sum(nil))
}

// header is what goes with a request.
func (d *digester) header(method, uri string) string {
	h := sha256.New
	if d.challenge["algorithm"] == "MD5" {
		h = md5.New
	}
	d.count++
	nc, cnonce := fmt.Sprintf("%08x", d.count), "0a4f113b"
	response := hexOf(h, hexOf(h, d.username+":"+d.challenge["realm"]+":"+d.password)+":"+d.challenge["nonce"]+":"+nc+":"+
		cnonce+":auth:"+hexOf(h, method+":"+uri))
	return fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s", qop=auth, nc=%s, cnonce="%s", `+
		`algorithm=%s`, strings.ReplaceAll(d.username, `"`, `\"`), d.challenge["realm"], d.challenge["nonce"], uri, response, nc,
		cnonce, d.challenge["algorithm"])
}

func guarded(t *testing.T, c Config) (*Handler, *sink) {
	t.Helper()
	h, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	h.Replace([]Route{{Rule: "anc", Path: "/anc/submission", Auth: Auth{Username: "phone", Password: "hush"}}})
	s := &sink{}
	h.sink.Store(&sinkRef{s, t.Context()})
	return h, s
}

const submitted = "/anc/submission?deviceID=collect%3Aabc"

// ask sends a request with a header of credentials, if any.
func ask(h http.Handler, method, uri, authorization string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, uri, strings.NewReader(`{"a": 1}`))
	if method == http.MethodHead {
		r = httptest.NewRequest(method, uri, nil)
	}
	r.RemoteAddr = "192.0.2.1:1234"
	r.Header.Set("X-OpenRosa-Version", "1.0")
	r.Header.Set("Content-Type", "application/json")
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return send(h, r)
}

// login begins with a request that is refused.
func login(t *testing.T, h http.Handler, username, password string) *digester {
	t.Helper()
	d := &digester{username: username, password: password}
	w := ask(h, http.MethodHead, submitted, "")
	if w.Code != http.StatusUnauthorized || !d.asked(w.Header()) {
		t.Fatalf("answered %d %v", w.Code, w.Header())
	}
	return d
}

func isStale(w *httptest.ResponseRecorder) bool {
	return w.Code == http.StatusUnauthorized && strings.Contains(w.Header().Get("WWW-Authenticate"), "stale=true")
}

func TestDigest(t *testing.T) {
	h, s := guarded(t, Config{Now: func() time.Time { return now }})
	d := login(t, h, "phone", "hush")
	for n, method := range []string{http.MethodHead, http.MethodPost, http.MethodPost, http.MethodHead, http.MethodPost} {
		want := http.StatusCreated
		if method == http.MethodHead {
			want = http.StatusNoContent
		}
		if w := ask(h, method, submitted, d.header(method, submitted)); w.Code != want {
			t.Errorf("request %d: answered %d %s", n, w.Code, w.Body)
		}
	}
	if len(s.records) != 3 {
		t.Errorf("%d records", len(s.records))
	}
	old := login(t, h, "phone", "hush")
	old.challenge["algorithm"] = "MD5"
	if w := ask(h, http.MethodPost, submitted, old.header(http.MethodPost, submitted)); w.Code != http.StatusCreated {
		t.Errorf("by MD5: answered %d", w.Code)
	}
}

func TestDigestRefused(t *testing.T) {
	const post = http.MethodPost
	for name, change := range map[string]func(d *digester) string{
		"wrong password":  func(d *digester) string { d.password = "Hush"; return d.header(post, submitted) },
		"wrong user":      func(d *digester) string { d.username = "Phone"; return d.header(post, submitted) },
		"another method":  func(d *digester) string { return d.header(http.MethodHead, submitted) },
		"another path":    func(d *digester) string { return d.header(post, "/other?deviceID=collect%3Aabc") },
		"another query":   func(d *digester) string { return d.header(post, "/anc/submission") },
		"another realm":   func(d *digester) string { d.challenge["realm"] = "other"; return d.header(post, submitted) },
		"MD5-sess":        func(d *digester) string { d.challenge["algorithm"] = "MD5-sess"; return d.header(post, submitted) },
		"without a count": func(d *digester) string { return strings.Replace(d.header(post, submitted), "qop=auth, ", "", 1) },
		"count of nothing": func(d *digester) string {
			return strings.Replace(d.header(post, submitted), "nc=00000001", "nc=00000000", 1)
		},
		"a name twice": func(d *digester) string { return d.header(post, submitted) + `, realm="culvert"` },
		"no digest":    func(*digester) string { return "Digest" },
		"cut off":      func(d *digester) string { return strings.TrimSuffix(d.header(post, submitted), `", algorithm=SHA-256`) },
		"endless": func(d *digester) string {
			return d.header(post, submitted) + `, x="` + strings.Repeat("x", maxDigest) + `"`
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, s := guarded(t, Config{Now: func() time.Time { return now }})
			w := ask(h, post, submitted, change(login(t, h, "phone", "hush")))
			if w.Code != http.StatusUnauthorized || isStale(w) || len(s.records) > 0 || h.digest.order.Len() > 0 {
				t.Errorf("answered %d %v", w.Code, w.Header())
			}
		})
	}
}

// TestDigestOfTheStandard holds what is compared against the example of RFC 7616, section 3.9.1.
func TestDigestOfTheStandard(t *testing.T) {
	for algorithm, response := range map[string]string{
		"MD5":     "8ca523f5e9506fed4657c9700eebdbec",
		"SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
	} {
		p := presented{method: "GET", username: "Mufasa", realm: "http-auth@example.org", uri: "/dir/index.html",
			nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
			nc: "00000001", response: response, hash: sha256.New}
		if algorithm == "MD5" {
			p.hash = md5.New
		}
		if !p.fits("Mufasa", "Circle of Life") || p.fits("Mufasa", "Circle of life") {
			t.Errorf("%s does not fit", algorithm)
		}
	}
}

// TestDigestReplayed sends what somebody has listened to once more.
func TestDigestReplayed(t *testing.T) {
	h, s := guarded(t, Config{Now: func() time.Time { return now }})
	d := login(t, h, "phone", "hush")
	const post = http.MethodPost
	first, second := d.header(post, submitted), d.header(post, submitted)
	for n, c := range []struct {
		header string
		stale  bool
	}{{second, false}, {first, false}, {first, true}, {second, true}} { // two connections may swap them once
		if w := ask(h, post, submitted, c.header); isStale(w) != c.stale || c.stale != (w.Code != http.StatusCreated) {
			t.Errorf("request %d: answered %d %v", n, w.Code, w.Header())
		}
	}
	d.count = 2 + countWindow
	last := d.header(post, submitted)
	d.count = 2
	late := d.header(post, submitted)
	if w := ask(h, post, submitted, last); w.Code != http.StatusCreated {
		t.Errorf("a count that was left out: answered %d", w.Code)
	}
	if w := ask(h, post, submitted, late); !isStale(w) {
		t.Errorf("a count of long ago: answered %d", w.Code)
	}
	if len(s.records) != 3 {
		t.Errorf("%d records", len(s.records))
	}
	// Whoever is told that the nonce is stale goes on with the fresh one.
	w := ask(h, post, submitted, first)
	if !d.asked(w.Header()) {
		t.Fatal("no challenge")
	}
	if w := ask(h, post, submitted, d.header(post, submitted)); w.Code != http.StatusCreated {
		t.Errorf("with the fresh nonce: answered %d", w.Code)
	}
}

func TestDigestGrowsOld(t *testing.T) {
	at := now
	h, _ := guarded(t, Config{Now: func() time.Time { return at }})
	d := login(t, h, "phone", "hush")
	at = at.Add(nonceRenew + time.Second)
	// The announcement of a form is asked for a fresh nonce, so that the form itself is not sent twice.
	if w := ask(h, http.MethodHead, submitted, d.header(http.MethodHead, submitted)); !isStale(w) {
		t.Errorf("HEAD: answered %d", w.Code)
	}
	if w := ask(h, http.MethodPost, submitted, d.header(http.MethodPost, submitted)); w.Code != http.StatusCreated {
		t.Errorf("POST: answered %d", w.Code)
	}
	at = at.Add(nonceLife)
	if w := ask(h, http.MethodPost, submitted, d.header(http.MethodPost, submitted)); !isStale(w) {
		t.Errorf("after an hour: answered %d", w.Code)
	}
	if d := login(t, h, "phone", "hush"); true {
		if w := ask(h, http.MethodPost, submitted, d.header(http.MethodPost, submitted)); w.Code != http.StatusCreated ||
			h.digest.order.Len() != 1 {
			t.Errorf("answered %d, %d nonces are remembered", w.Code, h.digest.order.Len())
		}
	}
}

// TestDigestOfSeveralRunners has one runner take what another one asked for, also when both made the
// key at the same time and one of them lost.
func TestDigestOfSeveralRunners(t *testing.T) {
	at := now
	clock := func() time.Time { return at }
	kept := bytes.Repeat([]byte{2}, 32)
	early := true
	first, _ := guarded(t, Config{Now: clock, NonceKey: func(context.Context) ([]byte, error) {
		if early {
			early = false
			return bytes.Repeat([]byte{1}, 32), nil
		}
		return kept, nil
	}})
	second, _ := guarded(t, Config{Now: clock, NonceKey: func(context.Context) ([]byte, error) { return kept, nil }})
	d := login(t, first, "phone", "hush")
	if w := ask(second, http.MethodHead, submitted, d.header(http.MethodHead, submitted)); !isStale(w) {
		t.Errorf("another key: answered %d", w.Code)
	}
	at = at.Add(keyRetry)
	for n := range 4 {
		d := login(t, []*Handler{second, first}[n%2], "phone", "hush")
		for range 2 {
			for _, h := range []*Handler{first, second} {
				if w := ask(h, http.MethodPost, submitted, d.header(http.MethodPost, submitted)); w.Code != http.StatusCreated {
					t.Errorf("answered %d %v", w.Code, w.Header())
				}
			}
		}
	}
	first.digest.shared = func(context.Context) ([]byte, error) { return nil, context.DeadlineExceeded }
	at = at.Add(keyRetry)
	if d := login(t, first, "phone", "hush"); ask(second, http.MethodPost, submitted,
		d.header(http.MethodPost, submitted)).Code != http.StatusCreated {
		t.Error("a key that was known is forgotten when it cannot be asked for again")
	}
}

func sharedKey(context.Context) ([]byte, error) { return bytes.Repeat([]byte{7}, 32), nil }

// TestDigestKeyOfOneWhoGoesAway has the first caller go away while the key is asked for, and bounds the wait for it.
func TestDigestKeyOfOneWhoGoesAway(t *testing.T) {
	gone, leave := context.WithCancel(t.Context())
	leave()
	bounded := false
	d := newDigests(func() time.Time { return now }, func(ctx context.Context) ([]byte, error) {
		_, bounded = ctx.Deadline()
		return bytes.Repeat([]byte{7}, 32), ctx.Err()
	})
	if key := d.currentKey(gone, false); !bytes.Equal(key, bytes.Repeat([]byte{7}, 32)) || !bounded {
		t.Errorf("the key that runners share is not used, or waited for without an end (%v)", bounded)
	}
}

// TestDigestIsBounded uses more nonces than are remembered: what was forgotten is not taken again.
func TestDigestIsBounded(t *testing.T) {
	at := now
	d := newDigests(func() time.Time { return at }, nil)
	var first string
	for n := range noncesKept + 10 {
		at = now.Add(time.Duration(n) * time.Millisecond)
		p := &presented{nonce: d.nonce(t.Context()), count: 1}
		if n == 0 {
			first = p.nonce
		}
		if !d.use(t.Context(), p, nonceLife) {
			t.Fatalf("nonce %d is not taken", n)
		}
	}
	if d.order.Len() != noncesKept || len(d.known) != noncesKept {
		t.Errorf("%d nonces are remembered", d.order.Len())
	}
	if d.use(t.Context(), &presented{nonce: first, count: 1}, nonceLife) {
		t.Error("a forgotten nonce was taken again")
	}
	restarted := newDigests(func() time.Time { return at.Add(2 * nonceSkew) }, func(context.Context) ([]byte, error) { return d.key, nil })
	if restarted.use(t.Context(), &presented{nonce: first, count: 1}, nonceLife) {
		t.Error("a nonce of before the start was taken again")
	}
}

// TestDigestBehindProxy takes what was hashed with another beginning of the path.
func TestDigestBehindProxy(t *testing.T) {
	h, _ := guarded(t, Config{Now: func() time.Time { return now }})
	for _, uri := range []string{"/culvert" + submitted, "/submission?deviceID=collect%3Aabc"} {
		d := login(t, h, "phone", "hush")
		if w := ask(h, http.MethodPost, submitted, d.header(http.MethodPost, uri)); w.Code != http.StatusCreated {
			t.Errorf("%s: answered %d", uri, w.Code)
		}
	}
}

func TestDigestNames(t *testing.T) {
	for _, username := range []string{`o"Brien \ co`, "phone of the ward"} {
		h, _ := guarded(t, Config{Now: func() time.Time { return now }})
		h.Replace([]Route{{Rule: "anc", Path: "/anc/submission", Auth: Auth{Username: username, Password: "hüsh"}}})
		d := login(t, h, username, "hüsh")
		header := d.header(http.MethodPost, submitted)
		header = strings.Replace(header, strings.ReplaceAll(username, `"`, `\"`),
			strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(username), 1)
		if w := ask(h, http.MethodPost, submitted, header); w.Code != http.StatusCreated {
			t.Errorf("%s: answered %d", username, w.Code)
		}
	}
	h, _ := guarded(t, Config{Now: func() time.Time { return now }})
	h.Replace([]Route{{Rule: "anc", Path: "/anc/submission", Auth: Auth{Username: "téléphone", Password: "hush"}}})
	d := login(t, h, "téléphone", "hush")
	header := strings.Replace(d.header(http.MethodPost, submitted), `username="téléphone"`, `username*=UTF-8''t%C3%A9l%C3%A9phone`, 1)
	if w := ask(h, http.MethodPost, submitted, header); w.Code != http.StatusCreated {
		t.Errorf("answered %d", w.Code)
	}
}

// TestDigestKeepsSecrets looks for the password in what is logged and answered.
func TestDigestKeepsSecrets(t *testing.T) {
	var log bytes.Buffer
	h, _ := guarded(t, Config{Now: func() time.Time { return now },
		Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	d := login(t, h, "phone", "hush")
	header := d.header(http.MethodPost, submitted)
	for range 2 {
		w := ask(h, http.MethodPost, submitted, header)
		log.Write(w.Body.Bytes())
	}
	response, _, _ := strings.Cut(header[strings.Index(header, `response="`)+len(`response="`):], `"`)
	if text := log.String(); strings.Contains(text, "hush") || strings.Contains(text, response) || !strings.Contains(text, "401") {
		t.Errorf("logged: %s", text)
	}
}

// TestDigestBegunQuietly wants no line in the log for what each phone begins with: it waits to be asked for its password.
func TestDigestBegunQuietly(t *testing.T) {
	for _, c := range []struct {
		header, value string
		logged        bool
	}{
		{"X-OpenRosa-Version", "1.0", false},
		{"X-Other", "1.0", true},
	} {
		var log bytes.Buffer
		h, _ := guarded(t, Config{Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(&log, nil))})
		r := httptest.NewRequest(http.MethodPost, submitted, nil)
		r.Header.Set(c.header, c.value)
		if w := send(h, r); w.Code != http.StatusUnauthorized {
			t.Errorf("%s: answered %d", c.header, w.Code)
		}
		if logged := strings.Contains(log.String(), "refused"); logged != c.logged {
			t.Errorf("%s: logged: %s", c.header, log.String())
		}
	}
}

func FuzzDigest(f *testing.F) {
	f.Add(`username="phone", realm="culvert", nonce="AAAA", uri="/anc/submission?deviceID=collect%3Aabc", response="00", qop=auth, nc=00000001, cnonce="x", algorithm=MD5`)
	f.Add(`username*=UTF-8''%zz, a="\`)
	f.Add(`a=b,,c = "d\"e" , f=`)
	h, err := New(Config{Now: func() time.Time { return now }})
	if err != nil {
		f.Fatal(err)
	}
	h.Replace([]Route{{Rule: "anc", Path: "/anc/submission", Auth: Auth{Username: "phone", Password: "hush"}}})
	f.Fuzz(func(t *testing.T, text string) {
		params, ok := parameters(text)
		if ok && len(params) > maxParameters {
			t.Errorf("%d parameters", len(params))
		}
		r := httptest.NewRequest(http.MethodHead, submitted, nil)
		r.Header.Set("X-OpenRosa-Version", "1.0")
		r.Header.Set("Authorization", "Digest "+text)
		if w := send(h, r); w.Code != http.StatusUnauthorized {
			t.Errorf("answered %d", w.Code)
		}
	})
}
