package client

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/diag"
)

// request is one call of the API.
type request struct {
	method string
	path   string // relative to /api
	query  url.Values
	body   []byte // JSON unless form is set, or nil
	form   string // the Content-Type of a body that is no JSON
}

// answer is what came back, read whole. Its body is never empty for a status that promises one, nor HTML.
type answer struct {
	status  int
	header  http.Header
	body    []byte
	session int // that the request went with, 0 for none
}

// do sends a request and judges what can be judged without knowing what was asked for: transport,
// redirects, credentials, overload, pages that are no API. The error is an *Error.
func (c *Client) do(ctx context.Context, r request) (*answer, error) {
	a, failed := c.once(ctx, r)
	if failed != nil && mayBeTheSession(a) {
		forbidden := a.status == http.StatusForbidden
		c.session.end(a.session)
		if a, failed = c.once(ctx, r); failed == nil && forbidden {
			c.session.refuse()
		}
	}
	if failed == nil {
		return a, nil
	}
	if failed.page != nil && c.answersOthers(ctx) {
		return nil, c.requestRefused(r, failed.page)
	}
	return nil, failed
}

// once sends a request one time. The answer is there beside the error when there was one.
func (c *Client) once(ctx context.Context, r request) (*answer, *Error) {
	if err := c.gate.enter(ctx); err != nil {
		return nil, c.unreachable(err)
	}
	started := c.now()
	a, err := c.send(ctx, r)
	var failed *Error
	if err == nil {
		failed = c.judge(r, a)
	} else {
		failed = c.unreachable(err)
	}
	c.gate.leave(failed != nil && (failed.Kind == Overloaded || errors.Is(err, errTooSlow)))
	status, size := 0, 0
	if a != nil {
		status, size = a.status, len(a.body)
	}
	c.log.DebugContext(ctx, "request", "server", c.name, "method", r.method, "path", r.path, "status", status,
		"sent", len(r.body), "received", size, "took", c.now().Sub(started))
	return a, failed
}

// Causes that context and limits give.
var (
	errTooSlow  = errors.New("the server took too long")
	errTooLarge = errors.New("the answer is too large")
)

func (c *Client) send(ctx context.Context, r request) (*answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.whole, errTooSlow)
	defer cancel()
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	address := c.name + "/api/" + strings.TrimPrefix(r.path, "/")
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address, body)
	if err != nil {
		return nil, err
	}
	c.credentials.apply(req)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.agent)
	// Without it DHIS2 answers missing credentials with a redirect to its login page.
	req.Header.Set("X-Requested-With", "XMLHttpRequest")
	if r.body != nil {
		req.Header.Set("Content-Type", cmp.Or(r.form, "application/json"))
	}
	// Everything sent may be sent again (ids are ours): an idle connection that the server has closed
	// is not an error. The empty value tells net/http so and is not sent.
	req.Header["Idempotency-Key"] = nil
	used := c.session.apply(req)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, cause(ctx, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, c.maxResponse+1))
	if err != nil {
		return nil, cause(ctx, fmt.Errorf("the answer broke off: %w", err))
	}
	a := &answer{status: resp.StatusCode, header: resp.Header, body: text, session: used}
	if a.status < 300 {
		c.session.keep(req.URL, resp.Cookies(), used)
	}
	if int64(len(text)) > c.maxResponse {
		return a, errTooLarge
	}
	return a, nil
}

// cause prefers our own reason for a cancelled context, and leaves out the address, whose query may hold data.
func cause(ctx context.Context, err error) error {
	if reason := context.Cause(ctx); errors.Is(reason, errTooSlow) {
		return reason
	}
	var u *url.Error
	if errors.As(err, &u) {
		if u.Timeout() && ctx.Err() == nil {
			return errors.Join(errTooSlow, u.Err)
		}
		return u.Err
	}
	return err
}

// judge finds answers that mean the same whatever was asked for; nil when the body has to be read.
func (c *Client) judge(r request, a *answer) *Error {
	html := looksHTML(a)
	switch {
	case a.status >= 300 && a.status < 400:
		return c.redirected(a)
	case a.status == http.StatusUnauthorized,
		a.status == http.StatusBadRequest && strings.HasPrefix(a.header.Get("WWW-Authenticate"), "ApiToken"):
		return c.unauthorized(a)
	case a.status == http.StatusTooManyRequests, a.status >= 502 && a.status <= 504:
		return c.overloaded(a)
	case a.status == http.StatusRequestEntityTooLarge:
		return &Error{Kind: Refused, Status: a.status,
			Problem: diag.Problem{Message: c.name + " or a proxy before it finds the request too large",
				Hint: "it is sent again in smaller parts; raise client_max_body_size (nginx) or LimitRequestBody (Apache)"}}
	case html && a.status >= 500:
		return c.overloaded(a).instead(a)
	case a.status == http.StatusNotFound && webMessageOf(a) == nil:
		return c.notDHIS2(a.status, "there is no "+"/api/"+strings.TrimPrefix(r.path, "/"),
			"check `url`: DHIS2 may lie under a path such as /dhis").instead(a)
	case html && a.status >= 400:
		return c.notDHIS2(a.status, insteadOfDHIS2, "").instead(a)
	case html:
		return c.notDHIS2(a.status, insteadOfDHIS2, "")
	case a.status == http.StatusForbidden:
		return c.forbidden(a)
	}
	return nil
}

// looksHTML tells whether a page was sent, whatever the server calls it.
func looksHTML(a *answer) bool {
	start := bytes.TrimLeft(a.body[:min(len(a.body), 512)], " \t\r\n\ufeff")
	return bytes.HasPrefix(start, []byte("<")) || len(start) > 0 && start[0] != '{' && start[0] != '[' &&
		strings.HasPrefix(a.header.Get("Content-Type"), "text/html")
}

// retryAfter reads the header of that name, seconds or a date; 0 when there is none. More than an
// hour is taken for a mistake.
func (c *Client) retryAfter(a *answer) time.Duration {
	text := strings.TrimSpace(a.header.Get("Retry-After"))
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text + "s")
	if err != nil {
		when, err := http.ParseTime(text)
		if err != nil {
			return 0
		}
		d = when.Sub(c.now())
	}
	return min(max(d, 0), time.Hour)
}
