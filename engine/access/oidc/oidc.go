// Package oidc lets people log in to the console by an OpenID Connect provider: the authorization
// code flow with PKCE, state and nonce (OpenID Connect Core 1.0, section 3.1; RFC 7636; RFC 9700).
// The provider is first asked when somebody logs in, so that nothing waits for it before.
package oidc

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/culvert/culvert/engine/access"
)

// CallbackPath is where the provider sends people back to; it is registered over there.
const CallbackPath = "/console/oidc/callback"

// Settings are what culvert.yaml says of the provider.
type Settings struct {
	Name     string // what people call it
	Issuer   string
	ClientID string
	Secret   func() (string, error)
	// RedirectURL is CallbackPath at the console's public address. Empty: people are at this machine.
	RedirectURL string
	Scopes      []string
	Claim       string // roles are given by it: its name, or a path into objects with dots between
	Roles       map[access.Role][]string
	CAFile      string // PEM certificates to trust beside the system's
}

// Error says why nobody was logged in, in words for whoever tried.
type Error struct {
	Say   string // a sentence without its full stop
	Cause error  // for the log; nil: there is no more to say
	// Away tells that nobody could log in now, whoever it is.
	Away bool
}

// Error gives both.
func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Say
	}
	return e.Say + ": " + e.Cause.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// exchanges bounds how many answers of a provider are looked at at once.
const exchanges = 8

// Client speaks with the provider. Make it with New.
type Client struct {
	settings func() (*Settings, error)
	now      func() time.Time
	sealed   cipher.AEAD
	busy     chan struct{}

	finding chan struct{} // who asks for what the provider says of itself has the place in it
	mu      sync.Mutex
	found   *provider
	used    map[string]time.Time // states that came back, and until when one is valid
}

// New makes a client of the provider that settings name at the time; nil: there is none.
func New(settings func() (*Settings, error), now func() time.Time) (*Client, error) {
	if now == nil {
		now = time.Now
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make a key for log-ins: %w", err)
	}
	sealed, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("make a key for log-ins: %w", err)
	}
	return &Client{settings: settings, now: now, sealed: sealed, busy: make(chan struct{}, exchanges),
		finding: make(chan struct{}, 1), used: map[string]time.Time{}}, nil
}

// Offered gives what people call the provider, "" when there is none.
func (c *Client) Offered() string {
	set, err := c.settings()
	if set == nil || err != nil && set.Name == "" {
		return ""
	}
	return set.Name
}

// Role gives the role that culvert.yaml grants to an identity now; 0: none. It forgets identities of
// another provider, another client or another claim than it names by now.
func (c *Client) Role(id *access.Identity) access.Role {
	set, err := c.settings()
	if err != nil || set == nil || set.Issuer != id.Issuer || set.ClientID != id.Client || set.Claim != id.Claim {
		return 0
	}
	return set.role(id.Values)
}

// role is the highest that one of the values stands for.
func (s *Settings) role(values []string) (best access.Role) {
	for role, names := range s.Roles {
		for _, name := range names {
			for _, v := range values {
				if v == name || s.Claim == emailClaim && strings.EqualFold(v, name) {
					best = max(best, role)
				}
			}
		}
	}
	return best
}

// current gives the settings, or the error for whoever wants to log in.
func (c *Client) current() (*Settings, error) {
	set, err := c.settings()
	switch {
	case err != nil:
		return nil, &Error{Say: "What culvert.yaml says of the identity provider cannot be used now; the log says why",
			Cause: err, Away: true}
	case set == nil:
		return nil, &Error{Say: "culvert.yaml names no identity provider any more"}
	}
	return set, nil
}

// begun is how long somebody may take to log in at the provider.
const begun = 10 * time.Minute

// timeout bounds what is asked of a provider for one step of a log-in.
const timeout = 15 * time.Second

// Begin gives the address at the provider to send somebody to who wants to log in and then go on to
// next, a page of ours. It sets a cookie without which Return takes nobody back.
func (c *Client) Begin(w http.ResponseWriter, r *http.Request, next string) (string, error) {
	set, err := c.current()
	if err != nil {
		return "", err
	}
	back, err := set.redirectURL(r)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	p, err := c.find(ctx, set)
	if err != nil {
		return "", err
	}
	f := flow{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Next: next, Back: back,
		Issuer: set.Issuer, Until: c.now().Add(begun)}
	if err := c.keep(w, f); err != nil {
		return "", err
	}
	return p.oauth(set, "", back).AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)), nil
}

// Redeem asks the provider who it is that came back.
func (c *Client) Redeem(ctx context.Context, back *Returned) (*access.Identity, error) {
	set, err := c.current()
	if err != nil {
		return nil, err
	}
	if set.Issuer != back.flow.Issuer {
		return nil, &Error{Say: "culvert.yaml names another identity provider by now. Log in again"}
	}
	secret, err := set.Secret()
	if err != nil {
		return nil, &Error{Say: "What culvert.yaml says of the identity provider cannot be used now; the log says why",
			Cause: err, Away: true}
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	select {
	case c.busy <- struct{}{}:
		defer func() { <-c.busy }()
	case <-ctx.Done():
		return nil, away(set, ctx.Err())
	}
	p, err := c.find(ctx, set)
	if err != nil {
		return nil, err
	}
	ctx = oidc.ClientContext(ctx, p.http)
	tokens, err := p.oauth(set, secret, back.flow.Back).Exchange(ctx, back.code, oauth2.VerifierOption(back.flow.Verifier))
	if err != nil {
		return nil, exchangeFailed(set, err)
	}
	token, err := c.verify(ctx, p, set, tokens, back.flow.Nonce)
	if err != nil {
		return nil, err
	}
	return p.identity(ctx, set, tokens, token)
}

// exchangeFailed says why no token was given for a code. The answer's text is not repeated: it may
// say anything.
func exchangeFailed(set *Settings, err error) error {
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) {
		return away(set, causef("the token endpoint gave no answer that can be understood"))
	}
	code, status := plainCode(answer.ErrorCode), 0
	if answer.Response != nil {
		status = answer.Response.StatusCode
	}
	said := causef("the token endpoint answered %d %s", status, code)
	switch {
	case code == "invalid_client" || code == "unauthorized_client" || status == http.StatusUnauthorized:
		return &Error{Say: set.Name + " does not know this console: client_id or client_secret in culvert.yaml do not fit",
			Cause: said, Away: true}
	case status >= 500 || status == http.StatusTooManyRequests:
		return away(set, said)
	}
	return &Error{Say: set.Name + " did not accept the log-in. Log in again", Cause: said}
}

// verify checks the ID token as OpenID Connect Core 1.0, section 3.1.3.7 has it.
func (c *Client) verify(ctx context.Context, p *provider, set *Settings, tokens *oauth2.Token,
	nonce string) (*oidc.IDToken, error) {
	raw, _ := tokens.Extra("id_token").(string)
	if raw == "" {
		return nil, &Error{Say: set.Name +
			" did not say who you are: it is no OpenID Connect provider, or its client lacks the scope openid"}
	}
	refuse := func(cause error) error {
		return &Error{Say: "What " + set.Name + " answered is not meant for this log-in. Log in again", Cause: cause}
	}
	token, err := p.oidc.VerifierContext(ctx, &oidc.Config{ClientID: set.ClientID, Now: c.now}).Verify(ctx, raw)
	var expired *oidc.TokenExpiredError
	switch {
	case errors.As(err, &expired):
		return nil, &Error{Say: "What " + set.Name + " answered has expired already: the clock of the machine that runs " +
			"Culvert may be wrong", Cause: err}
	case err != nil:
		return nil, refuse(brief(err))
	case token.Subject == "":
		return nil, refuse(causef("the ID token names nobody"))
	case !same(token.Nonce, nonce):
		return nil, refuse(causef("the ID token has another nonce"))
	}
	var party struct {
		Authorized string `json:"azp"`
	}
	if err := token.Claims(&party); err != nil {
		return nil, refuse(causef("the ID token cannot be read"))
	}
	if party.Authorized != set.ClientID && (party.Authorized != "" || len(token.Audience) > 1) {
		return nil, refuse(causef("the ID token was given to another client"))
	}
	return token, nil
}

// EndAddress is where people log out at the provider itself; "" when it is not known.
func (c *Client) EndAddress() string {
	set, err := c.settings()
	if err != nil || set == nil {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.found == nil || c.found.issuer != set.Issuer || c.found.end == "" {
		return ""
	}
	u, err := url.Parse(c.found.end)
	if err != nil {
		return ""
	}
	q := u.Query()
	q.Set("client_id", set.ClientID)
	u.RawQuery = q.Encode()
	return u.String()
}

// Secure tells whether people reach the console by TLS, as far as the settings say.
func (c *Client) Secure() bool {
	set, err := c.settings()
	return err == nil && set != nil && strings.HasPrefix(set.RedirectURL, "https://")
}

// redirectURL is where the provider sends people back to. What the request says of our address is
// believed of this machine's own names alone: anything else may be made up.
func (s *Settings) redirectURL(r *http.Request) (string, error) {
	if s.RedirectURL != "" {
		return s.RedirectURL, nil
	}
	for _, header := range []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if r.Header.Get(header) != "" {
			return "", errNoAddress
		}
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	if !Loopback(host) {
		return "", errNoAddress
	}
	return (&url.URL{Scheme: "http", Host: r.Host, Path: CallbackPath}).String(), nil
}

var errNoAddress = &Error{Say: "culvert.yaml does not say under which address people reach this console: set " +
	"redirect_url in console_oidc", Away: true}

// Loopback tells whether a host is this machine under a name that no other machine has.
func Loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.Unmap().IsLoopback()
}
