package webhook

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"github.com/culvert/culvert/sources/tree"
)

// refusal is an answer that says no: a status and one sentence for whoever sent the request.
type refusal struct {
	status  int
	message string
	mend    string
}

// Error gives cause and mend.
func (e *refusal) Error() string {
	if e.mend == "" {
		return e.message
	}
	return e.message + "; " + e.mend
}

// openRosaPart is the part of a multipart submission that holds the form (OpenRosa form submission API).
const openRosaPart = "xml_submission_file"

// believed is how much memory a caller gets for saying that its body is that long, in bytes.
const believed = 64 << 10

func tooLarge(limit int64) error {
	return &refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", limit), "send fewer records at once"}
}

// readBody reads and unpacks a request's body within the limit. raw is as it was sent, which is what signatures are over.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) (raw, body []byte, err error) {
	var buffer bytes.Buffer
	if r.ContentLength <= limit {
		buffer.Grow(int(min(max(r.ContentLength, 0), believed)) + bytes.MinRead)
	}
	if _, err := buffer.ReadFrom(http.MaxBytesReader(w, r.Body, limit)); err != nil {
		if _, over := errors.AsType[*http.MaxBytesError](err); over {
			return nil, nil, tooLarge(limit)
		}
		return nil, nil, &refusal{http.StatusBadRequest, "the body ended before all of it was sent", "send it again"}
	}
	raw = buffer.Bytes()
	switch encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
		return raw, raw, nil
	case "gzip", "x-gzip":
	default:
		return nil, nil, &refusal{http.StatusUnsupportedMediaType, fmt.Sprintf("the content encoding %q is not understood", short(encoding)), "send the body as it is, or with gzip"}
	}
	broken := &refusal{http.StatusBadRequest, "the body is no gzip though its headers say so", "send it again, or without Content-Encoding"}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, nil, broken
	}
	body, err = io.ReadAll(io.LimitReader(z, limit+1))
	if err != nil {
		return nil, nil, broken
	}
	if int64(len(body)) > limit {
		return nil, nil, tooLarge(limit)
	}
	return raw, body, nil
}

// decode makes a tree of a body by its content type.
func decode(header http.Header, body []byte, depth int) (v any, err error) {
	if len(bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))) == 0 {
		return nil, &refusal{http.StatusUnprocessableEntity, "the body is empty", "send a record in JSON, XML or as a form"}
	}
	kind, params, err := contentType(header, body)
	if err != nil {
		return nil, err
	}
	limits := tree.Limits{Depth: depth}
	switch {
	case kind == "application/json" || kind == "text/json" || strings.HasSuffix(kind, "+json"):
		if v, err = tree.JSON(body, limits); err == nil {
			err = unfoldSubmission(v, limits)
		}
	case kind == "application/xml" || kind == "text/xml" || strings.HasSuffix(kind, "+xml"):
		var m map[string]any
		m, err = tree.XML(body, limits)
		v = m
		addHeaders(m, header)
	case kind == "application/x-www-form-urlencoded":
		v, err = decodeForm(body)
	case kind == "multipart/form-data":
		v, err = decodeMultipart(body, params["boundary"], limits)
	default:
		return nil, &refusal{http.StatusUnsupportedMediaType, fmt.Sprintf("the content type %q is not understood", short(kind)),
			"send application/json, application/xml or application/x-www-form-urlencoded"}
	}
	var bad *tree.Error
	if errors.As(err, &bad) {
		return nil, &refusal{http.StatusUnprocessableEntity, bad.Error(), ""}
	}
	return v, err
}

// contentType gives the type of a body: as its header says, or as it looks where the header says nothing of use.
func contentType(header http.Header, body []byte) (string, map[string]string, error) {
	given := header.Get("Content-Type")
	kind, params, err := mime.ParseMediaType(given)
	if err != nil && given != "" {
		return "", nil, &refusal{http.StatusUnsupportedMediaType, "the content type cannot be read", "send application/json or application/xml"}
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return "", nil, &refusal{http.StatusUnsupportedMediaType, fmt.Sprintf("the character set %q is not understood", short(charset)), "send UTF-8"}
	}
	if kind != "" && kind != "text/plain" && kind != "application/octet-stream" {
		return kind, params, nil
	}
	switch start := bytes.TrimLeft(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), " \t\r\n"); {
	case start[0] == '<':
		return "application/xml", nil, nil
	case start[0] == '{' || start[0] == '[':
		return "application/json", nil, nil
	case kind == "":
		kind = "unknown"
	}
	return kind, params, nil
}

// unfoldSubmission puts the tree of a form in the place of its XML text, which ODK Central's webhooks send as data.xml
// ({"type": "submission.create", "id": ..., "data": {"xml": ...}}, as the documentation of central-webhook has it).
func unfoldSubmission(v any, limits tree.Limits) error {
	event, _ := v.(map[string]any)
	kind, _ := event["type"].(string)
	data, _ := event["data"].(map[string]any)
	text, _ := data["xml"].(string)
	if !strings.HasPrefix(kind, "submission.") || text == "" {
		return nil
	}
	form, err := tree.XML([]byte(text), limits)
	if err != nil {
		return err
	}
	delete(data, "xml")
	for key, value := range form {
		data[key] = value
	}
	return nil
}

// addHeaders gives a CommCare form or case in XML the times that its JSON form has inside and that CommCare sends beside the XML in headers.
func addHeaders(m map[string]any, header http.Header) {
	if m == nil {
		return
	}
	_, isForm := m["form"]
	if v := header.Get("Received-On"); v != "" && isForm {
		m["received_on"] = v
	}
	_, isCase := m["case_id"]
	if v := header.Get("Server-Modified-On"); v != "" && isCase {
		m["server_date_modified"] = v
	}
}

func decodeForm(body []byte) (any, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, &refusal{http.StatusUnprocessableEntity, "this is no URL-encoded form", "encode the values with % and join them with &"}
	}
	return formTree(values), nil
}

// formTree makes an object of form values: text, or a list of texts where a name comes several times.
func formTree(values url.Values) map[string]any {
	m := make(map[string]any, len(values))
	for name, vs := range values {
		if len(vs) == 1 {
			m[name] = vs[0]
			continue
		}
		list := make([]any, len(vs))
		for i, v := range vs {
			list[i] = v
		}
		m[name] = list
	}
	return m
}

// decodeMultipart reads an OpenRosa submission, whose form is one part of several, or an ordinary form. Other files are left out.
func decodeMultipart(body []byte, boundary string, limits tree.Limits) (any, error) {
	broken := &refusal{http.StatusUnprocessableEntity, "this is no multipart form", "check the boundary in the Content-Type header"}
	if boundary == "" {
		return nil, broken
	}
	values := url.Values{}
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			return formTree(values), nil
		}
		if err != nil {
			return nil, broken
		}
		text, err := io.ReadAll(part)
		if err != nil {
			return nil, broken
		}
		switch {
		case part.FormName() == openRosaPart:
			return tree.XML(text, limits)
		case part.FileName() == "":
			values.Add(part.FormName(), string(text))
		}
	}
}

// short keeps what a caller sent to a length that fits an answer.
func short(s string) string {
	if len(s) > 60 {
		return s[:60] + "..."
	}
	return s
}
