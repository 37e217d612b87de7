package oidc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	believed     = time.Hour       // how long what a provider says of itself is used without asking again
	pause        = 5 * time.Second // between two tries to ask a provider that is away
	largestReply = 1 << 20
)

// provider is what one has said of itself.
type provider struct {
	issuer, ca string
	http       *http.Client
	oidc       *oidc.Provider
	end        string // end_session_endpoint
	style      oauth2.AuthStyle
	until      time.Time // when it is asked again
	failed     error     // why it could not be asked; then there is nothing else
}

// find gives the provider that the settings name, asked anew when that is due. While it is away,
// what it said before is used, and it is not asked for every click.
func (c *Client) find(ctx context.Context, set *Settings) (*provider, error) {
	var ca string
	if set.CAFile != "" {
		text, err := os.ReadFile(set.CAFile)
		if err != nil {
			return nil, &Error{Say: "The file ca_file of console_oidc cannot be read", Cause: err, Away: true}
		}
		ca = string(text)
	}
	select {
	case c.finding <- struct{}{}:
		defer func() { <-c.finding }()
	case <-ctx.Done():
		return nil, away(set, ctx.Err())
	}
	c.mu.Lock()
	known := c.found
	c.mu.Unlock()
	if known != nil && (known.issuer != set.Issuer || known.ca != ca) {
		known = nil
	}
	if known == nil || !c.now().Before(known.until) {
		known = c.ask(ctx, set, ca, known)
		c.mu.Lock()
		c.found = known
		c.mu.Unlock()
	}
	if known.failed != nil {
		return nil, known.failed
	}
	return known, nil
}

// ask asks the provider what it is; before is what it said last, or nil.
func (c *Client) ask(ctx context.Context, set *Settings, ca string, before *provider) *provider {
	// Others wait for this answer, also when who asked first has gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	fresh, err := discover(ctx, set, ca)
	switch {
	case err == nil:
		fresh.until = c.now().Add(believed)
		return fresh
	case before != nil && before.failed == nil:
		later := *before
		later.until = c.now().Add(pause)
		return &later
	}
	return &provider{issuer: set.Issuer, ca: ca, failed: err, until: c.now().Add(pause)}
}

func discover(ctx context.Context, set *Settings, ca string) (*provider, error) {
	client, err := clientOf(ca)
	if err != nil {
		return nil, &Error{Say: "The file ca_file of console_oidc holds no certificate", Cause: err, Away: true}
	}
	if !safe(set.Issuer) { // one that a variable holds is not looked at before
		return nil, &Error{Say: "issuer in console_oidc is not an https address", Away: true}
	}
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, client), set.Issuer)
	var other *oidc.IssuerMismatchError
	if errors.As(err, &other) {
		return nil, &Error{Say: "issuer in console_oidc is not what the identity provider calls itself; write it letter " +
			"by letter as it does", Cause: brief(other), Away: true}
	}
	if err != nil {
		return nil, away(set, brief(err))
	}
	var more struct {
		Keys    string   `json:"jwks_uri"`
		End     string   `json:"end_session_endpoint"`
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := found.Claims(&more); err != nil {
		return nil, away(set, causef("what it says of itself cannot be read"))
	}
	p := &provider{issuer: set.Issuer, ca: ca, http: client, oidc: found, style: oauth2.AuthStyleInHeader}
	for _, address := range []string{found.Endpoint().AuthURL, found.Endpoint().TokenURL, more.Keys} {
		if !safe(address) {
			return nil, away(set, causef("an address that it names is missing, or not by https"))
		}
	}
	if address := found.UserInfoEndpoint(); address != "" && !safe(address) {
		return nil, away(set, causef("its userinfo_endpoint is not by https"))
	}
	if safe(more.End) {
		p.end = more.End
	}
	if !slices.Contains(more.Methods, "client_secret_basic") && slices.Contains(more.Methods, "client_secret_post") {
		p.style = oauth2.AuthStyleInParams
	}
	return p, nil
}

// safe tells whether tokens may travel to an address.
func safe(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && Loopback(u.Hostname()))
}

func away(set *Settings, cause error) error {
	return &Error{Say: set.Name + " cannot be reached now. Users with a password can log in meanwhile", Cause: cause,
		Away: true}
}

func (p *provider) oauth(set *Settings, secret, back string) *oauth2.Config {
	endpoint := p.oidc.Endpoint()
	endpoint.AuthStyle = p.style
	return &oauth2.Config{ClientID: set.ClientID, ClientSecret: secret, Endpoint: endpoint, RedirectURL: back,
		Scopes: set.scopes()}
}

// scopes asks for openid in any case: without it, it is not OpenID Connect.
func (s *Settings) scopes() []string {
	if slices.Contains(s.Scopes, oidc.ScopeOpenID) {
		return s.Scopes
	}
	return append([]string{oidc.ScopeOpenID}, s.Scopes...)
}

// clientOf makes the client that providers are asked with: it follows no redirects, for secrets
// would travel along, and reads no more than a provider has to say.
func clientOf(ca string) (*http.Client, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM([]byte(ca)) {
			return nil, causef("it has no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
		}
		config.RootCAs = pool
	}
	dialer := &net.Dialer{Timeout: timeout}
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: bounded{&http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSClientConfig: config,
			TLSHandshakeTimeout: timeout, ForceAttemptHTTP2: true, MaxIdleConns: exchanges, IdleConnTimeout: time.Minute,
			MaxResponseHeaderBytes: 64 << 10,
		}},
	}, nil
}

// bounded cuts off replies that are too long.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = &boundedBody{resp.Body, largestReply}
	return resp, nil
}

type boundedBody struct {
	io.ReadCloser
	left int
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, causef("the reply is larger than %d KiB", largestReply>>10)
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// NameOf is what an issuer is called when nobody gave it a name: its host.
func NameOf(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil || u.Hostname() == "" {
		return "the identity provider"
	}
	return strings.ToLower(u.Hostname())
}
