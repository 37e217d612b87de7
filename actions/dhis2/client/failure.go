package client

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/culvert/culvert/rules/diag"
)

// refusedByWindows is how Windows says that nothing listens; its number means nothing elsewhere.
const refusedByWindows = syscall.Errno(10061)

// maxDetail bounds what is kept of a server's own words.
const maxDetail = 500

// webMessage is DHIS2's usual envelope.
type webMessage struct {
	HTTPStatusCode int             `json:"httpStatusCode"`
	Status         string          `json:"status"` // OK, WARNING, ERROR
	Message        string          `json:"message"`
	ErrorCode      string          `json:"errorCode"`
	Response       json.RawMessage `json:"response"`
}

// webMessageOf reads a body as a WebMessage; nil when it is something else.
func webMessageOf(a *answer) *webMessage {
	var m webMessage
	if json.Unmarshal(a.body, &m) != nil || m.HTTPStatusCode == 0 {
		return nil
	}
	return &m
}

// refusal gives the error that an answer means when success is a 2xx with a JSON body; nil for that.
func (c *Client) refusal(a *answer) error {
	if a.status >= 200 && a.status < 300 {
		if len(a.body) == 0 {
			return c.brokenReply(a, errors.New("it is empty"))
		}
		if a.body[0] == '{' {
			if m := webMessageOf(a); m != nil && m.Status == "ERROR" {
				return c.refused(a, m)
			}
		}
		return nil
	}
	return c.refused(a, webMessageOf(a))
}

// refused is an answer by which DHIS2 turns a request down as a whole.
func (c *Client) refused(a *answer, m *webMessage) *Error {
	if m == nil {
		switch {
		case len(a.body) == 0 && a.status >= 500:
			return c.overloaded(a)
		case !json.Valid(a.body):
			// DHIS2 gives a reason for every refusal; one that is cut off says nothing.
			return c.brokenReply(a, errors.New("it is cut off or no JSON"))
		}
		m = &webMessage{Message: string(a.body)}
	}
	if (a.status >= 500 || a.status == http.StatusConflict) && passing(m.Message) {
		e := c.overloaded(a)
		e.Detail = shorten(m.Message)
		return e
	}
	e := &Error{Kind: Refused, Status: a.status, Problem: diag.Problem{Code: m.ErrorCode}, Detail: shorten(m.Message)}
	switch {
	case a.status >= 400 && a.status < 500 && aboutParameter(m.Message):
		// The code is one of the API's, not of an import, where the same number means something else.
		return c.requestMistaken(a.status, m.Message)
	case a.status == http.StatusNotFound:
		e.Message = "DHIS2 at " + c.name + " does not have what was asked for"
		e.Hint = "it may have been deleted: run `culvert sync`"
	case a.status >= 500:
		e.Message = fmt.Sprintf("DHIS2 at %s failed while it worked on the request (HTTP %d)", c.name, a.status)
		e.Hint = "see the detail and the server's own log"
	default:
		e.Message = fmt.Sprintf("DHIS2 at %s refused the request as a whole (HTTP %d)", c.name, a.status)
		e.Hint = "see the detail for what it could not read or accept"
	}
	if e.Code != "" {
		e.Message += " [" + e.Code + "]"
	}
	return e
}

// passing recognises failures of the server's own making that heal by themselves: its database is
// away, full or busy, or two requests met. DHIS2 answers all of them with 500 and the words of the
// library that failed.
func passing(message string) bool {
	low := strings.ToLower(message)
	for _, sign := range []string{
		"connection is not available", "unable to acquire jdbc connection", "could not open jpa entitymanager",
		"could not open jdbc connection",
		"connection refused", "connection has been closed", "connection to", "terminating connection",
		"i/o error occurred while sending",
		"deadlock", "could not serialize access", "lock timeout", "canceling statement",
		"row was updated or deleted by another transaction",
		"no space left", "could not extend file", "outofmemory", "java heap space", "too many clients", "in recovery mode",
		"read-only transaction",
	} {
		if strings.Contains(low, sign) {
			return true
		}
	}
	return false
}

// Unreadable tells whether the server could not read what was sent, which it never will: 2.40 and
// before answer that with 500 too.
func (e *Error) Unreadable() bool {
	if e.Kind != Refused || e.Request {
		return false
	}
	for _, sign := range []string{
		"Cannot deserialize value", "JSON parse error", "Unexpected end-of-input", "Unexpected character",
		"Unrecognized token", "Invalid date format",
	} {
		if strings.Contains(e.Detail, sign) {
			return true
		}
	}
	return false
}

func (c *Client) overloaded(a *answer) *Error {
	e := &Error{Kind: Overloaded, Status: a.status, RetryAfter: c.retryAfter(a), Detail: plainDetail(a),
		Problem: diag.Problem{Message: fmt.Sprintf("%s is away or overloaded (HTTP %d)", c.name, a.status),
			Hint: "nothing is lost: it is tried again by itself"}}
	if a.status == http.StatusTooManyRequests {
		e.Message = c.name + " asks for fewer requests (HTTP 429)"
		e.Hint = "it is tried again by itself; set `limits: {requests_per_second: ...}` if this goes on"
	}
	return e
}

func (c *Client) unauthorized(a *answer) *Error {
	e := &Error{Kind: Unauthorized, Status: a.status,
		Problem: diag.Problem{Message: fmt.Sprintf("%s refuses the credentials (HTTP %d)", c.name, a.status),
			Hint: "check `username` and `password` in culvert.yaml; an account with two-factor login needs a `token`"}}
	if c.credentials.Token != "" || c.credentials.Bearer != "" {
		e.Hint = "check `token` in culvert.yaml: it may have expired, been deleted, or be limited to other addresses or " +
			"methods"
	}
	if m := webMessageOf(a); m != nil {
		e.Code, e.Detail = m.ErrorCode, shorten(m.Message)
	}
	return e
}

func (c *Client) forbidden(a *answer) *Error {
	e := &Error{Kind: Forbidden, Status: a.status,
		Problem: diag.Problem{Message: "the user of " + c.name + " lacks the right to do this (HTTP 403)",
			Hint: "have an administrator add the authority that the detail names to the user's role"}}
	if m := webMessageOf(a); m != nil {
		e.Code, e.Detail = m.ErrorCode, shorten(m.Message)
	}
	return e
}

func (c *Client) redirected(a *answer) *Error {
	e := c.notDHIS2(a.status, "it sends the request elsewhere (a redirect)", "")
	to, err := url.Parse(a.header.Get("Location"))
	if err != nil {
		return e
	}
	to = c.base.ResolveReference(to)
	e.Detail = "to " + (&url.URL{Scheme: to.Scheme, Host: to.Host, Path: to.Path}).String()
	switch {
	case to.Scheme == "https" && c.base.Scheme == "http" && to.Hostname() == c.base.Hostname():
		e.Hint = "write `url` with https://"
	case to.Host == c.base.Host && strings.Contains(to.Path, "login"):
		e.Hint = "it is a login page: check the credentials, and that no single sign-on stands before /api"
	case to.Host != c.base.Host:
		e.Hint = "if DHIS2 has moved to " + to.Host + ", write that address as `url`"
	}
	return e
}

// notDHIS2 is for answers that cannot come from DHIS2's API.
func (c *Client) notDHIS2(status int, what, hint string) *Error {
	if hint == "" {
		hint = "check `url`, and any proxy, firewall or single sign-on before the server"
	}
	return &Error{Kind: NotDHIS2, Status: status,
		Problem: diag.Problem{Message: fmt.Sprintf("%s: %s (HTTP %d)", c.name, what, status),
			Hint: hint}}
}

// brokenReply is an answer that ends early or is no JSON: what was asked for may have been done or not.
func (c *Client) brokenReply(a *answer, err error) *Error {
	return &Error{Kind: Unreachable, Status: a.status, Err: err, Detail: plainDetail(a),
		Problem: diag.Problem{Message: fmt.Sprintf("the answer of %s cannot be read (HTTP %d)", c.name, a.status),
			Hint: "it is tried again by itself; if this goes on, look for a proxy that cuts or changes answers"}}
}

// unreachable is a request that got no answer.
func (c *Client) unreachable(err error) *Error {
	e := &Error{Kind: Unreachable, Err: err, Problem: diag.Problem{Message: "no answer from " + c.name,
		Hint: "it is tried again by itself"}}
	var dns *net.DNSError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, errTooLarge):
		e.Kind = Refused
		e.Message = "the answer of " + c.name + " is larger than allowed"
		e.Hint = "it is asked for in smaller parts where possible; lower `limits: {batch_max: ...}`"
	case errors.Is(err, errTooSlow):
		e.Message = c.name + " did not answer in time"
		e.Hint = "it is tried again by itself; if this goes on, raise `limits: {timeout: ...}` or lower `batch_max`"
	case errors.As(err, &dns):
		e.Message = fmt.Sprintf("the name %s is not known to the network", dns.Name)
		e.Hint = "check `url` and the network's name service"
	case errors.As(err, &unknown):
		e.Message = "the certificate of " + c.name + " is signed by an authority that this machine does not trust"
		e.Hint = "give the authority's certificate as `ca_file`"
	case errors.As(err, &invalid), errors.As(err, &host):
		e.Message = "the certificate of " + c.name + " is not valid: " + err.Error()
		e.Hint = "have it renewed, and check this machine's clock and the host in `url`"
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		e.Message = c.name + " does not speak TLS"
		e.Hint = "write `url` with http:// if that is meant"
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, refusedByWindows):
		e.Message = "nothing listens at " + c.name
		e.Hint = "start the server or check host and port in `url`; it is tried again by itself"
	}
	return e
}

func plainDetail(a *answer) string {
	if m := webMessageOf(a); m != nil {
		return shorten(m.Message)
	}
	if looksHTML(a) {
		return "an HTML page"
	}
	return ""
}

// shorten keeps the start of a text, whole characters.
func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= maxDetail {
		return s
	}
	s = s[:maxDetail]
	for len(s) > 0 && !utf8.ValidString(s[max(0, len(s)-4):]) {
		s = s[:len(s)-1]
	}
	return s + "…"
}
