// Package httpget reads from other systems' web APIs: with patience for those that are busy, within
// limits, and without ever printing a secret.
package httpget

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources/charset"
	"github.com/culvert/culvert/sources/poll"
)

// Client asks one system. The zero value of everything but Log works.
type Client struct {
	Username, Password string
	Header             http.Header   // sent with every request, such as an API key
	Timeout            time.Duration // of one request; 0: two minutes
	MaxBytes           int64         // of one reply; 0: 64 MiB
	Tries              int           // of one request; 0: 5
	// Secret says that the address itself lets readers in: of one that is refused, its host alone is told.
	Secret bool
	// HTTP keeps connections from one call to the next; nil: every call opens its own.
	HTTP *http.Client
	Log  *slog.Logger
	// Wait is called instead of waiting, in tests; nil: waits.
	Wait func(ctx context.Context, d time.Duration) bool
}

const (
	defaultTimeout = 2 * time.Minute
	defaultBytes   = 64 << 20
	defaultTries   = 5
	longestWait    = 15 * time.Minute
	// longestAsked bounds what a system may ask to be waited for: some ask for weeks, or for a day that
	// no machine lives to see, and would be left alone long after they are well again.
	longestAsked = time.Hour
)

// Reply is a good answer.
type Reply struct {
	Body   []byte
	Header http.Header
}

// Text gives the body as UTF-8, from the encoding that the answer names.
func (r *Reply) Text() ([]byte, error) {
	_, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // one that cannot be read names no encoding
	text, err := charset.UTF8(r.Body, params["charset"])
	if err != nil {
		return nil, &Error{Problem: diag.Problem{Message: "the answer is " + err.Error(),
			Hint: "have the other system answer in UTF-8, or name its encoding in Content-Type"}}
	}
	return text, nil
}

// Error says why a system cannot be read. It holds no data, no secret and nothing of a query.
type Error struct {
	diag.Problem
	Status     int // 0: no answer
	RetryAfter time.Duration
	retry      bool
}

// After says when it is worth trying again.
func (e *Error) After() time.Duration { return e.RetryAfter }

// Protected refuses an address to which the credentials of a connection would go unencrypted:
// http to another machine.
func Protected(u *url.URL, connection string) error {
	if u.Scheme != "http" || u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback() {
		return nil
	}
	return &Error{Problem: diag.Problem{Message: fmt.Sprintf("connection %q would send its credentials without "+
		"protection", connection),
		Hint: "write the address with https://"}}
}

// Passing tells that the same may be answered another time.
func (e *Error) Passing() bool { return e.retry }

// Get reads one address. What may heal is tried again: an answer of 429 or 503 after the time that it names.
func (c *Client) Get(ctx context.Context, u *url.URL) (*Reply, error) {
	return c.ask(ctx, question{method: http.MethodGet, u: u})
}

// Post sends JSON that asks for something, and changes nothing over there.
func (c *Client) Post(ctx context.Context, u *url.URL, body []byte) (*Reply, error) {
	return c.ask(ctx, question{method: http.MethodPost, u: u, body: body, media: "application/json"})
}

// PostForm sends a form that asks for something, and changes nothing over there.
func (c *Client) PostForm(ctx context.Context, u *url.URL, form url.Values) (*Reply, error) {
	return c.ask(ctx, question{method: http.MethodPost, u: u, body: []byte(form.Encode()),
		media: "application/x-www-form-urlencoded"})
}

// NewHTTP makes what Client.HTTP takes. Its idle connections are the caller's to close.
func NewHTTP() *http.Client {
	return &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone(), CheckRedirect: sameHost}
}

// question is one request.
type question struct {
	method string
	u      *url.URL
	body   []byte
	media  string // of the body
}

func (c *Client) ask(ctx context.Context, q question) (*Reply, error) {
	tries := c.Tries
	if tries == 0 {
		tries = defaultTries
	}
	client := c.HTTP
	if client == nil {
		client = NewHTTP()
		defer client.CloseIdleConnections()
	}
	for n := 1; ; n++ {
		reply, failure := c.once(ctx, client, q)
		if failure == nil {
			return reply, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if !failure.retry || n >= tries || failure.RetryAfter > longestWait {
			return nil, failure
		}
		wait := max(poll.Backoff(n), failure.RetryAfter)
		c.Log.Warn("the other system does not answer well; it is asked again", "host", q.u.Host, "tries", n, "wait",
			wait.Round(time.Millisecond), "reason", failure.Message)
		pause := c.Wait
		if pause == nil {
			pause = poll.Sleep
		}
		if !pause(ctx, wait) {
			return nil, ctx.Err()
		}
	}
}

// sameHost follows redirects on one host only: credentials must not go elsewhere.
func sameHost(r *http.Request, via []*http.Request) error {
	if len(via) >= 5 || r.URL.Host != via[0].URL.Host || via[0].URL.Scheme == "https" && r.URL.Scheme != "https" {
		return http.ErrUseLastResponse
	}
	return nil
}

func (c *Client) once(ctx context.Context, client *http.Client, q question) (*Reply, *Error) {
	u := q.u
	limit := c.Timeout
	if limit == 0 {
		limit = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, q.method, u.String(), bytes.NewReader(q.body))
	if err != nil {
		return nil, &Error{Problem: diag.Problem{Message: "the address cannot be asked", Hint: "check it"}}
	}
	if q.media != "" {
		r.Header.Set("Content-Type", q.media)
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "culvert")
	for name, values := range c.Header {
		r.Header[name] = values
	}
	if c.Username != "" {
		r.SetBasicAuth(c.Username, c.Password)
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, unreachable(u, err)
	}
	defer func() { _ = answer.Body.Close() }()
	most := c.MaxBytes
	if most == 0 {
		most = defaultBytes
	}
	if answer.StatusCode/100 != 2 {
		_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection can be used again
		return nil, refused(u, answer, c.Secret)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, most+1))
	if err != nil {
		return nil, unreachable(u, err)
	}
	if int64(len(body)) > most {
		return nil, &Error{Status: answer.StatusCode,
			Problem: diag.Problem{Message: fmt.Sprintf("%s answers with more than %d MiB", u.Host,
				most>>20), Hint: "ask for smaller pages"}}
	}
	return &Reply{Body: body, Header: answer.Header}, nil
}

func unreachable(u *url.URL, err error) *Error {
	e := &Error{Problem: diag.Problem{Message: u.Host + " cannot be reached",
		Hint: "check the address and the network"}, retry: true}
	var network *net.OpError
	var dns *net.DNSError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		e.Message, e.Hint = u.Host+" did not answer in time", "ask for smaller pages, or set timeout: higher"
	case errors.As(err, &dns):
		e.Message = "the host " + u.Host + " is not known"
	case errors.As(err, &network):
		e.Message += ": " + network.Err.Error()
	case strings.Contains(err.Error(), "certificate"):
		e.Message, e.retry = u.Host+" shows a certificate that is not trusted", false
	}
	return e
}

// refused says why an answer is not what was asked for; of a secret address it tells the host alone.
func refused(u *url.URL, r *http.Response, secret bool) *Error {
	e := &Error{Status: r.StatusCode, RetryAfter: retryAfter(r.Header)}
	if e.Message = fmt.Sprintf("%s answers %d", u.Host, r.StatusCode); !secret {
		e.Message = fmt.Sprintf("%s answers %d to %s", u.Host, r.StatusCode, u.Path)
	}
	switch code := r.StatusCode; {
	case code == http.StatusUnauthorized:
		e.Message, e.Hint = u.Host+" refuses the credentials", "check user, password or key"
	case code == http.StatusForbidden:
		e.Hint = "give the user the right to read this"
	case code == http.StatusNotFound:
		e.Hint = "check the address"
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code >= 500:
		e.retry, e.Hint = true, "it may be busy"
	case code/100 == 3:
		e.Message, e.Hint = u.Host+" sends readers on to another address",
			"use that address, or check that a login is not asked for"
	default:
		e.Hint = "check the parameters"
	}
	return e
}

// retryAfter reads when a busy system wants to be asked again: seconds, or a date; an hour at the most.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if s, err := strconv.ParseFloat(text, 64); err == nil && s >= 0 {
		return time.Duration(min(s, longestAsked.Seconds()) * float64(time.Second))
	}
	if t, err := http.ParseTime(text); err == nil {
		return min(max(time.Until(t), 0), longestAsked)
	}
	return 0
}

// Follow gives the address of a next page, which must be on the same host: credentials go with it.
func Follow(from *url.URL, next string) (*url.URL, error) {
	u, err := from.Parse(next)
	if err != nil {
		return nil, &Error{Problem: diag.Problem{Message: from.Host + " names a next page that is no address",
			Hint: "check next:"}}
	}
	if u.Host == from.Host && u.Scheme == "http" && from.Scheme == "https" {
		u.Scheme = "https" // proxies that end TLS let systems believe that they are asked over http
	}
	if u.Host != from.Host || u.Scheme != from.Scheme {
		return nil, &Error{Problem: diag.Problem{Message: from.Host + " names a next page on another host",
			Hint: "ask that host directly"}}
	}
	return u, nil
}

// LinkNext gives the address with rel="next" of Link headers (RFC 8288), "" when there is none.
func LinkNext(h http.Header) string {
	for _, line := range h.Values("Link") {
		for line != "" {
			_, rest, ok := strings.Cut(line, "<")
			if !ok {
				break
			}
			target, rest, ok := strings.Cut(rest, ">")
			if !ok {
				break
			}
			params, following, _ := strings.Cut(rest, ",")
			line = following
			for _, p := range strings.Split(params, ";") {
				name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
				if strings.EqualFold(name, "rel") && strings.EqualFold(strings.Trim(value, `"`), "next") {
					return target
				}
			}
		}
	}
	return ""
}
