package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strings"
	"time"
)

// Forms in which DHIS2 writes times: without a zone in most places, with one in data values.
const (
	stampFormat = "2006-01-02T15:04:05.000"
	zonedFormat = "2006-01-02T15:04:05.000-0700"
)

func stamp(t time.Time) string { return t.UTC().Format(stampFormat) }

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

func (s *Server) fail(w http.ResponseWriter, status int, code, text string) {
	w.Header().Set("Content-Type", "application/json")
	s.write(w, status, message{HTTPStatus: statusText(status), HTTPStatusCode: status, Status: "ERROR", ErrorCode: code, Message: text})
}

func (s *Server) refused(w http.ResponseWriter, p *problem) {
	if p.page {
		s.containerPage(w, p.status, p.text)
		return
	}
	s.fail(w, p.status, p.code, p.text)
}

// containerPage is what Tomcat says where DHIS2 does not speak.
func (s *Server) containerPage(w http.ResponseWriter, status int, text string) {
	title := fmt.Sprintf("HTTP Status %d – %s", status, statusText(status))
	detail := ""
	if text != "" {
		detail = "<hr class=\"line\" /><p><b>Type</b> Status Report</p><p><b>Message</b> " + html.EscapeString(text) + "</p>"
	}
	w.Header().Set("Content-Type", "text/html;charset=utf-8")
	w.Header().Set("Content-Language", "en")
	w.WriteHeader(status)
	_, _ = w.Write([]byte("<!doctype html><html lang=\"en\"><head><title>" + title + "</title></head><body><h1>" + title + "</h1>" + detail + "</body></html>"))
}

// say answers with a WebMessage.
func (s *Server) say(w http.ResponseWriter, status int, result, text string, response any) {
	s.json(w, status, message{HTTPStatus: statusText(status), HTTPStatusCode: status, Status: result, Message: text, Response: response})
}

func (s *Server) json(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", s.manners.jsonType())
	s.write(w, status, v)
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

func (s *Server) write(w http.ResponseWriter, status int, v any) {
	b, err := encode(v)
	if err != nil {
		s.log.Error("sandbox could not encode an answer", "error", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.WriteHeader(status)
	_, _ = w.Write(b) // a client that has gone is no fault of the sandbox
}

// tooLong is the answer to an address that the servlet container does not take.
func (s *Server) tooLong(w http.ResponseWriter) {
	if s.manners.htmlNotFound() {
		s.containerPage(w, http.StatusBadRequest, "Request header is too large")
		return
	}
	s.containerPage(w, http.StatusRequestURITooLong, "URI Too Long")
}

// cached answers with JSON that a client may keep as long as its entity tag is still right.
func (s *Server) cached(w http.ResponseWriter, v any) {
	w.Header().Set("Cache-Control", "no-cache, private")
	s.json(w, http.StatusOK, v)
}

// notFound is the answer to an address that does not exist.
func (s *Server) notFound(w http.ResponseWriter, r *http.Request) {
	if s.manners.htmlNotFound() {
		s.containerPage(w, http.StatusNotFound, "")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "must-revalidate,no-cache,no-store")
	s.write(w, http.StatusNotFound, map[string]string{"servlet": "dispatcher", "message": "Not Found", "url": r.URL.Path, "status": "404"})
}

func (s *Server) methodNotAllowed(w http.ResponseWriter, r *http.Request, allow ...string) {
	w.Header().Set("Allow", strings.Join(allow, ", "))
	is := "is not supported"
	if s.manners <= 40 {
		is = "not supported"
	}
	s.fail(w, http.StatusMethodNotAllowed, "", fmt.Sprintf("Request method '%s' %s", r.Method, is))
}

// base is the address of the server as the client sees it.
func base(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
