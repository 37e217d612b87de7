// Package oidctest is an OpenID Connect provider for tests: a real one over HTTP, which signs what it
// says, checks what a provider has to check, and says wrong things when it is told to.
package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// ClientID and ClientSecret are those of the one client that a provider knows.
const (
	ClientID     = "culvert"
	ClientSecret = "of-the-client"
)

// Provider is a running provider. Its fields are set by Set.
type Provider struct {
	URL string // the issuer

	mu sync.Mutex
	Knobs
	key   *key
	keys  []*key
	codes map[string]request
	asked map[string]int
	t     *testing.T
}

// Knobs are what a provider is told to do.
type Knobs struct {
	Claims   map[string]any       // of whoever logs in, beside those of the protocol
	UserInfo map[string]any       // what the userinfo endpoint says; nil: there is no such endpoint
	Change   func(map[string]any) // changes the claims of an ID token at last
	Sign     string               // RS256 or ES256
	Away     bool                 // nothing is answered but 503
	Ask      bool                 // people log in by a form; else they are sent back at once
	Refuse   string               // the error that they are sent back with
	Post     bool                 // the client's secret comes in the body of a form, not in a header
	Discover func(map[string]any) // changes what the provider says of itself
	Now      func() time.Time
}

// request is what an authorization code was given for.
type request struct{ nonce, challenge, redirect string }

type key struct {
	id  string
	rsa *rsa.PrivateKey
	ec  *ecdsa.PrivateKey
}

// New starts a provider that ends with the test. Its address is another site than 127.0.0.1 is.
func New(t *testing.T) *Provider {
	t.Helper()
	p := &Provider{t: t, codes: map[string]request{}, asked: map[string]int{},
		Knobs: Knobs{Claims: map[string]any{"sub": "subject-1"}, Sign: "RS256", Now: time.Now}}
	first, err := firstKey()
	if err != nil {
		t.Fatal(err)
	}
	p.key, p.keys = first, []*key{first}
	srv := httptest.NewServer(p)
	t.Cleanup(srv.Close)
	p.URL = strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
	return p
}

// Set tells the provider what to do from now on.
func (p *Provider) Set(change func(*Knobs)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.Knobs)
}

// Asked is how often a path was asked for.
func (p *Provider) Asked(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[path]
}

// firstKey is what all providers sign with until it is rotated: making one takes long.
var firstKey = sync.OnceValues(newKey)

func newKey() (*key, error) {
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make an RSA key: %w", err)
	}
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make an EC key: %w", err)
	}
	return &key{rand.Text(), r, e}, nil
}

// Rotate has the provider sign with new keys and forget the old ones.
func (p *Provider) Rotate() {
	p.t.Helper()
	fresh, err := newKey()
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.key, p.keys = fresh, []*key{fresh}
}

// Forge has the provider sign with keys that it does not publish.
func (p *Provider) Forge() {
	p.mu.Lock()
	published := p.keys
	p.mu.Unlock()
	p.Rotate()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.key.id, p.keys = published[0].id, published
}

// ServeHTTP is the provider.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked[r.URL.Path]++
	if p.Away {
		http.Error(w, "away", http.StatusServiceUnavailable)
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		p.discovery(w)
	case "/authorize":
		p.authorize(w, r)
	case "/token":
		p.token(w, r)
	case "/keys":
		p.publish(w)
	case "/userinfo":
		if r.Header.Get("Authorization") != "Bearer access" || p.UserInfo == nil {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		answer(w, http.StatusOK, p.UserInfo)
	case "/end":
		_, _ = fmt.Fprint(w, "<!doctype html><title>out</title><p id=out>logged out")
	default:
		http.NotFound(w, r)
	}
}

func (p *Provider) discovery(w http.ResponseWriter) {
	methods := []string{"client_secret_basic"}
	if p.Post {
		methods = []string{"client_secret_post"}
	}
	said := map[string]any{
		"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
		"jwks_uri": p.URL + "/keys", "end_session_endpoint": p.URL + "/end", "response_types_supported": []string{"code"},
		"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256", "ES256"},
		"token_endpoint_auth_methods_supported": methods,
	}
	if p.UserInfo != nil {
		said["userinfo_endpoint"] = p.URL + "/userinfo"
	}
	if p.Discover != nil {
		p.Discover(said)
	}
	answer(w, http.StatusOK, said)
}

// authorize sends people back with a code, or shows them a form first.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	for name, want := range map[string]string{"client_id": ClientID, "response_type": "code",
		"code_challenge_method": "S256"} {
		if q.Get(name) != want {
			http.Error(w, name+" is not "+want, http.StatusBadRequest)
			return
		}
	}
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || q.Get("state") == "" || q.Get("nonce") == "" || q.Get("code_challenge") == "" ||
		!strings.Contains(" "+q.Get("scope")+" ", " openid ") {
		http.Error(w, "redirect_uri, state, nonce, code_challenge or the scope openid is missing", http.StatusBadRequest)
		return
	}
	if p.Ask && r.Method == http.MethodGet {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(
			w,
			`<!doctype html><title>provider</title><form method="post" action="%s"><button id="in">Log in</button></form>`,
			html.EscapeString(r.URL.RequestURI()),
		)
		return
	}
	sent := url.Values{"state": {q.Get("state")}, "iss": {p.URL}}
	if p.Refuse != "" {
		sent.Set("error", p.Refuse)
	} else {
		code := rand.Text()
		p.codes[code] = request{q.Get("nonce"), q.Get("code_challenge"), q.Get("redirect_uri")}
		sent.Set("code", code)
	}
	back.RawQuery = sent.Encode()
	http.Redirect(w, r, back.String(), http.StatusSeeOther)
}

// token gives an ID token for a code, once, to the client that shows the verifier.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	id, secret, basic := r.BasicAuth()
	if p.Post {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	if basic == p.Post || id != ClientID || secret != ClientSecret {
		answer(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	given, ok := p.codes[r.PostFormValue("code")]
	delete(p.codes, r.PostFormValue("code"))
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !ok || given.challenge != base64.RawURLEncoding.EncodeToString(sum[:]) ||
		given.redirect != r.PostFormValue("redirect_uri") {
		answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
		return
	}
	now := p.Now()
	claims := map[string]any{"iss": p.URL, "aud": ClientID, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		"nonce": given.nonce}
	maps.Copy(claims, p.Claims)
	if p.Change != nil {
		p.Change(claims)
	}
	answer(w, http.StatusOK, map[string]any{"access_token": "access", "token_type": "Bearer", "expires_in": 300,
		"id_token": p.signed(claims)})
}

// signed writes a JSON Web Token (RFC 7515, RFC 7518).
func (p *Provider) signed(claims map[string]any) string {
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			p.t.Error(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	text := part(map[string]any{"alg": p.Sign, "typ": "JWT", "kid": p.key.id}) + "." + part(claims)
	sum := sha256.Sum256([]byte(text))
	var signature []byte
	var err error
	switch p.Sign {
	case "RS256":
		signature, err = rsa.SignPKCS1v15(rand.Reader, p.key.rsa, crypto.SHA256, sum[:])
	case "ES256":
		var r, s *big.Int
		if r, s, err = ecdsa.Sign(rand.Reader, p.key.ec, sum[:]); err == nil {
			signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
		}
	}
	if err != nil {
		p.t.Error(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// publish lists the keys (RFC 7517).
func (p *Provider) publish(w http.ResponseWriter) {
	var list []any
	encode := base64.RawURLEncoding.EncodeToString
	for _, k := range p.keys {
		point, err := k.ec.PublicKey.Bytes()
		if err != nil {
			p.t.Error(err)
		}
		list = append(list,
			map[string]any{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": k.id, "n": encode(k.rsa.N.Bytes()),
				"e": encode(big.NewInt(int64(k.rsa.E)).Bytes())},
			map[string]any{"kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256", "kid": k.id, "x": encode(point[1:33]),
				"y": encode(point[33:])})
	}
	answer(w, http.StatusOK, map[string]any{"keys": list})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller is gone when this fails
}
