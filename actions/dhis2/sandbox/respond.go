package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strings"
)

// message is DHIS2's WebMessage, the envelope of most answers that are not data.
type message struct {
	HTTPStatus     string `json:"httpStatus"`
	HTTPStatusCode int    `json:"httpStatusCode"`
	Status         string `json:"status"`
	ErrorCode      string `json:"errorCode,omitempty"`
	Message        string `json:"message,omitempty"`
	Response       any    `json:"response,omitempty"`
}

// problem is a request that is refused: the status and the sentence with which, and a code where DHIS2 has one. A page is what the servlet
// container says itself, in HTML and without a WebMessage.
type problem struct {
	status int
	code   string
	text   string
	page   bool
}

func (p *problem) Error() string { return p.text }

// dhis2Words is an error in DHIS2's own words, which begin with a capital.
type dhis2Words string

func (s dhis2Words) Error() string { return string(s) }

func refuse(status int, code, format string, args ...any) *problem {
	return &problem{status: status, code: code, text: fmt.Sprintf(format, args...)}
}

// missingParameter is a request without a parameter that its address requires (Spring's MissingServletRequestParameterException, which DHIS2
// from 2.41 on leaves to the servlet container).
func missingParameter(name string) *problem {
	return &problem{status: http.StatusBadRequest, text: fmt.Sprintf("Required parameter '%s' is not present.", name), page: true}
}

// statusText names a status as DHIS2 does.
func statusText(status int) string { return http.StatusText(status) }

func (c *call) fail(status int, code, text string) {
	c.w.Header().Set("Content-Type", "application/json")
	c.write(status, message{HTTPStatus: statusText(status), HTTPStatusCode: status, Status: "ERROR", ErrorCode: code, Message: text})
}

func (c *call) refused(p *problem) {
	if p.page {
		c.containerPage(p.status, p.text)
		return
	}
	c.fail(p.status, p.code, p.text)
}

// containerPage is what Tomcat says where DHIS2 does not speak.
func (c *call) containerPage(status int, text string) {
	title := fmt.Sprintf("HTTP Status %d – %s", status, statusText(status))
	detail := ""
	if text != "" {
		detail = "<hr class=\"line\" /><p><b>Type</b> Status Report</p><p><b>Message</b> " + html.EscapeString(text) + "</p>"
	}
	c.w.Header().Set("Content-Type", "text/html;charset=utf-8")
	c.w.Header().Set("Content-Language", "en")
	c.w.WriteHeader(status)
	_, _ = c.w.Write([]byte("<!doctype html><html lang=\"en\"><head><title>" + title + "</title></head><body><h1>" + title + "</h1>" + detail + "</body></html>"))
}

// say answers with a WebMessage.
func (c *call) say(status int, result, text string, response any) {
	c.json(status, message{HTTPStatus: statusText(status), HTTPStatusCode: status, Status: result, Message: text, Response: response})
}

func (c *call) json(status int, v any) {
	c.w.Header().Set("Content-Type", c.manners.jsonType())
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

func (c *call) write(status int, v any) {
	b, err := encode(v)
	if err != nil {
		c.log.Error("sandbox could not encode an answer", "error", err)
		c.w.WriteHeader(http.StatusInternalServerError)
		return
	}
	c.w.WriteHeader(status)
	_, _ = c.w.Write(b) // a client that has gone is no fault of the sandbox
}

// tooLong is the answer to an address that the servlet container does not take.
func (c *call) tooLong() {
	if c.manners.htmlNotFound() {
		c.containerPage(http.StatusBadRequest, "Request header is too large")
		return
	}
	c.containerPage(http.StatusRequestURITooLong, "URI Too Long")
}

// cached answers with JSON that a client may keep as long as its entity tag is still right.
func (c *call) cached(v any) {
	c.w.Header().Set("Cache-Control", "no-cache, private")
	c.json(http.StatusOK, v)
}

// notFound is the answer to an address that does not exist.
func (c *call) notFound() {
	if c.manners.htmlNotFound() {
		c.containerPage(http.StatusNotFound, "")
		return
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.Header().Set("Cache-Control", "must-revalidate,no-cache,no-store")
	c.write(http.StatusNotFound, map[string]string{"servlet": "dispatcher", "message": "Not Found", "url": c.r.URL.Path, "status": "404"})
}

func (c *call) methodNotAllowed(allow ...string) {
	c.w.Header().Set("Allow", strings.Join(allow, ", "))
	is := "is not supported"
	if c.manners <= 40 {
		is = "not supported"
	}
	c.fail(http.StatusMethodNotAllowed, "", fmt.Sprintf("Request method '%s' %s", c.r.Method, is))
}

// base is the address of the server as the client sees it.
func base(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// base is the address of the server as the client of this request sees it.
func (c *call) base() string { return base(c.r) }

// notAcceptable is the answer to who wants a form that there is not.
func (c *call) notAcceptable() {
	c.fail(http.StatusNotAcceptable, "", "No acceptable representation")
}

func (c *call) unauthorized(status int, text string) {
	c.w.Header().Set("Content-Type", c.manners.jsonType())
	c.write(status, message{HTTPStatus: statusText(status), HTTPStatusCode: status, Status: "ERROR", Message: text})
}

// unknown is the answer to a uid that nothing has.
func (c *call) unknown(name, uid string) *problem {
	if name == "TrackedEntity" && c.manners <= 40 {
		name = "TrackedEntityInstance"
	}
	return refuse(http.StatusNotFound, "E1005", "%s with id %s could not be found.", name, uid)
}

// invalid is a query that makes no sense.
func (c *call) invalid(format string, args ...any) *problem {
	return refuse(http.StatusBadRequest, "E1003", format, args...)
}

// nonsense is a query that DHIS2 answered with a conflict up to 2.40.
func (c *call) nonsense(format string, args ...any) *problem {
	if c.manners.badRequest() {
		return c.invalid(format, args...)
	}
	return refuse(http.StatusConflict, "", format, args...)
}

// notUID is the refusal of an identifier that is none.
func (c *call) notUID(text, parameter string) *problem {
	return refuse(http.StatusBadRequest, "", "Value '%s' is not valid for parameter %s. UID must be an alphanumeric string of 11 characters starting with a letter, but was: %s", text, parameter, text)
}
