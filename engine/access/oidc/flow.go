package oidc

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// flow is a log-in that was begun. The browser keeps it, sealed: so nobody can fill our memory with
// log-ins, and one that was begun in one browser cannot end in another.
type flow struct {
	State, Nonce, Verifier string
	Next                   string // the page to go on to
	Back                   string // the address that the provider sends people back to
	Issuer                 string
	Until                  time.Time
}

const (
	cookieName  = "culvert_oidc"
	cookiePath  = "/console/oidc/"
	longestNext = 1 << 10
	longestCode = 8 << 10
	statesKept  = 10_000
)

// keep has the browser hold a flow. Its cookie comes back with the provider's redirect, which is
// another site's: SameSite=Lax allows that for a page that is gone to, and for nothing else.
func (c *Client) keep(w http.ResponseWriter, f flow) error {
	if len(f.Next) > longestNext {
		f.Next = "/"
	}
	text, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("keep a log-in: %w", err)
	}
	nonce := make([]byte, c.sealed.NonceSize())
	_, _ = rand.Read(nonce) // it never fails
	value := base64.RawURLEncoding.EncodeToString(c.sealed.Seal(nonce, nonce, text, []byte(cookieName)))
	http.SetCookie(w, cookieOf(value, int(begun.Seconds()), strings.HasPrefix(f.Back, "https://")))
	return nil
}

func cookieOf(value string, age int, secure bool) *http.Cookie {
	return &http.Cookie{Name: cookieName, Value: value, Path: cookiePath, HttpOnly: true, Secure: secure,
		SameSite: http.SameSiteLaxMode, MaxAge: age}
}

func (c *Client) kept(r *http.Request) (*flow, error) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return nil, causef("the browser has no log-in that was begun")
	}
	sealed, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil || len(sealed) < c.sealed.NonceSize() {
		return nil, causef("the cookie of the log-in is none of ours")
	}
	n := c.sealed.NonceSize()
	text, err := c.sealed.Open(nil, sealed[:n], sealed[n:], []byte(cookieName))
	if err != nil {
		return nil, causef("the cookie of the log-in is none of this run")
	}
	var f flow
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, causef("the cookie of the log-in cannot be read")
	}
	return &f, nil
}

// Returned is somebody whom the provider has sent back.
type Returned struct {
	Next string // the page that they wanted to go to
	flow flow
	code string
}

// Return takes somebody back whom Begin sent to the provider from the same browser, once.
func (c *Client) Return(w http.ResponseWriter, r *http.Request) (*Returned, error) {
	http.SetCookie(w, cookieOf("", -1, false))
	again := func(cause error) error {
		return &Error{Say: "This log-in was begun too long ago, in another browser or window, or under another address of " +
			"the console. Log in again", Cause: cause}
	}
	f, err := c.kept(r)
	if err != nil {
		return nil, again(err)
	}
	q := r.URL.Query()
	switch {
	case !c.now().Before(f.Until):
		return nil, again(causef("it was begun too long ago"))
	case !same(q.Get("state"), f.State):
		return nil, again(causef("the state is another one"))
	case !c.use(f):
		return nil, again(causef("the state was used before"))
	case q.Has("iss") && q.Get("iss") != f.Issuer: // RFC 9207
		return nil, again(causef("the answer is another provider's"))
	}
	if q.Has("error") {
		code := plainCode(q.Get("error"))
		if code == "access_denied" {
			return nil, &Error{Say: "The identity provider did not let you in, or you stopped the log-in there",
				Cause: errors.New(code)}
		}
		return nil, &Error{Say: "The identity provider refused the log-in", Cause: errors.New(code)}
	}
	code := q.Get("code")
	if code == "" || len(code) > longestCode {
		return nil, again(causef("there is no code"))
	}
	return &Returned{Next: f.Next, flow: *f, code: code}, nil
}

// use tells whether a flow comes back for the first time.
func (c *Client) use(f *flow) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	for state, until := range c.used {
		if !now.Before(until) {
			delete(c.used, state)
		}
	}
	if _, used := c.used[f.State]; used || len(c.used) >= statesKept {
		return false
	}
	c.used[f.State] = f.Until
	return true
}

func same(a, b string) bool { return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

var errorCode = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,64}$`)

// plainCode gives the code of an error as it may stand in a log.
func plainCode(code string) string {
	if errorCode.MatchString(code) {
		return code
	}
	return "unnamed"
}

// causef makes an error for the log, which speaks English.
func causef(format string, values ...any) error { return fmt.Errorf(format, values...) }

// brief makes an error of others fit for a log: one line, not too long.
func brief(err error) error {
	const most = 300
	var away *url.Error
	if errors.As(err, &away) {
		err = away.Err
	}
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, err.Error())
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return errors.New(text)
}
