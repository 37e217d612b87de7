package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"
)

// Message is DHIS2's WebMessage, the envelope of most answers that are not data.
type Message struct {
	HTTPStatus     string `json:"httpStatus"`
	HTTPStatusCode int    `json:"httpStatusCode"`
	Status         string `json:"status"`
	ErrorCode      string `json:"errorCode,omitempty"`
	Message        string `json:"message,omitempty"`
	Response       any    `json:"response,omitempty"`
}

// Problem is a request that is refused: the status and the sentence with which, and a code where
// DHIS2 has one. A page is what the servlet container says itself, in HTML and without a
// WebMessage.
type Problem struct {
	Status int
	Code   string
	Text   string
	Page   bool
}

func (p *Problem) Error() string { return p.Text }

// Verbatim is an error in DHIS2's own words, which begin with a capital.
type Verbatim string

func (s Verbatim) Error() string { return string(s) }

func Refuse(status int, code, format string, args ...any) *Problem {
	return &Problem{Status: status, Code: code, Text: fmt.Sprintf(format, args...)}
}

// MissingParameter is a request without a parameter that its address requires (Spring's
// MissingServletRequestParameterException, which DHIS2 from 2.41 on leaves to the servlet
// container).
func MissingParameter(name string) *Problem {
	return &Problem{Status: http.StatusBadRequest, Text: fmt.Sprintf("Required parameter '%s' is not present.", name),
		Page: true}
}

func (c *Call) Fail(status int, code, text string) {
	c.W.Header().Set("Content-Type", "application/json")
	c.write(status, Message{HTTPStatus: http.StatusText(status), HTTPStatusCode: status, Status: "ERROR", ErrorCode: code,
		Message: text})
}

func (c *Call) Refused(p *Problem) {
	if p.Page {
		if c.Version.HTMLNotFound() {
			c.containerPage(p.Status, p.Text)
		} else {
			c.jettyError(p.Status, p.Text)
		}
		return
	}
	c.Fail(p.Status, p.Code, p.Text)
}

// containerPage is what Tomcat says where DHIS2 does not speak.
func (c *Call) containerPage(status int, text string) {
	title := fmt.Sprintf("HTTP Status %d – %s", status, http.StatusText(status))
	detail := ""
	if text != "" {
		detail = "<hr class=\"line\" /><p><b>Type</b> Status Report</p><p><b>Message</b> " + html.EscapeString(text) + "</p>"
	}
	c.W.Header().Set("Content-Type", "text/html;charset=utf-8")
	c.W.Header().Set("Content-Language", "en")
	c.W.WriteHeader(status)
	_, _ = c.W.Write([]byte("<!doctype html><html lang=\"en\"><head><title>" + title + "</title></head><body><h1>" +
		title + "</h1>" + detail + "</body></html>"))
}

// Say answers with a WebMessage.
func (c *Call) Say(status int, result, text string, response any) {
	c.JSON(status, Message{HTTPStatus: http.StatusText(status), HTTPStatusCode: status, Status: result, Message: text,
		Response: response})
}

func (c *Call) JSON(status int, v any) {
	c.W.Header().Set("Content-Type", c.Version.JSONType())
	c.write(status, v)
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

func (c *Call) write(status int, v any) {
	b, err := encode(v)
	if err != nil {
		c.Log.Error("sandbox could not encode an answer", "error", err)
		c.W.WriteHeader(http.StatusInternalServerError)
		return
	}
	c.W.WriteHeader(status)
	_, _ = c.W.Write(b) // a client that has gone is no fault of the sandbox
}

// TooLong is the answer to an address that the servlet container does not take.
func (c *Call) TooLong() {
	if c.Version.HTMLNotFound() {
		c.containerPage(http.StatusBadRequest, "Request header is too large")
		return
	}
	c.containerPage(http.StatusRequestURITooLong, "URI Too Long")
}

// Cached answers with JSON that a client may keep as long as its entity tag is still right.
func (c *Call) Cached(v any) {
	c.W.Header().Set("Cache-Control", "no-cache, private")
	c.JSON(http.StatusOK, v)
}

// NotFound is the answer to an address that does not exist.
func (c *Call) NotFound() {
	if c.Version.HTMLNotFound() {
		c.containerPage(http.StatusNotFound, "")
		return
	}
	c.jettyError(http.StatusNotFound, "Not Found")
}

// jettyError is what Jetty says where DHIS2 does not speak.
func (c *Call) jettyError(status int, text string) {
	c.W.Header().Set("Content-Type", "application/json")
	c.W.Header().Set("Cache-Control", "must-revalidate,no-cache,no-store")
	c.write(status, map[string]string{"servlet": "dispatcher",
		"message": strings.ReplaceAll(html.EscapeString(text), "&#39;", "&apos;"),
		"url":     c.R.URL.Path, "status": strconv.Itoa(status)})
}

func (c *Call) MethodNotAllowed(allow ...string) {
	c.W.Header().Set("Allow", strings.Join(allow, ", "))
	is := "is not supported"
	if c.Version <= 40 {
		is = "not supported"
	}
	c.Fail(http.StatusMethodNotAllowed, "", fmt.Sprintf("Request method '%s' %s", c.R.Method, is))
}

// Base is the address of the server as the client sees it.
func Base(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// Base is the address of the server as the client of this request sees it.
func (c *Call) Base() string { return Base(c.R) }

// NotAcceptable is the answer to who wants a form that there is not.
func (c *Call) NotAcceptable() {
	c.Fail(http.StatusNotAcceptable, "", "No acceptable representation")
}

func (c *Call) Unauthorized(status int, text string) {
	c.W.Header().Set("Content-Type", c.Version.JSONType())
	c.write(status, Message{HTTPStatus: http.StatusText(status), HTTPStatusCode: status, Status: "ERROR", Message: text})
}

// Unknown is the answer to a uid that nothing has.
func (c *Call) Unknown(name, uid string) *Problem {
	if name == "TrackedEntity" && c.Version <= 40 {
		name = "TrackedEntityInstance"
	}
	return Refuse(http.StatusNotFound, "E1005", "%s with id %s could not be found.", name, uid)
}

// Invalid is a query that makes no sense.
func (c *Call) Invalid(format string, args ...any) *Problem {
	return Refuse(http.StatusBadRequest, "E1003", format, args...)
}

// Nonsense is a query that DHIS2 answered with a conflict up to 2.40.
func (c *Call) Nonsense(format string, args ...any) *Problem {
	if c.Version.BadRequest() {
		return c.Invalid(format, args...)
	}
	return Refuse(http.StatusConflict, "", format, args...)
}

// notUID is the refusal of an identifier that is none.
func (c *Call) notUID(text, parameter string) *Problem {
	return Refuse(http.StatusBadRequest, "",
		"Value '%s' is not valid for parameter %s. UID must be an alphanumeric string of 11 characters starting with a "+
			"letter, but was: %s", text, parameter, text)
}
