package webhook

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/charset"
	"github.com/culvert/culvert/sources/tree"
)

// refusal is an answer that says no: a status and one sentence for whoever sent the request.
type refusal struct {
	status  int
	message string
	hint    string
}

// Error gives cause and fix.
func (e *refusal) Error() string {
	if e.hint == "" {
		return e.message
	}
	return e.message + "; " + e.hint
}

// openRosaPart is the part of a multipart submission that holds the form (OpenRosa form submission API).
const openRosaPart = "xml_submission_file"

// decode makes a tree of a body by its content type. fallback is the encoding of text where the
// request names none; empty for UTF-8. With attachments the files of a form are kept.
func decode(header http.Header, body []byte, limits tree.Limits, fallback string, attachments bool) (v any, err error) {
	if len(bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))) == 0 {
		return nil, &refusal{http.StatusUnprocessableEntity, "the body is empty", "send a record in JSON, XML or as a form"}
	}
	kind, params, err := contentType(header, body)
	if err != nil {
		return nil, err
	}
	named := cmp.Or(params["charset"], fallback)
	switch {
	case kind == "application/json" || kind == "text/json" || strings.HasSuffix(kind, "+json"):
		if body, err = plain(body, named, "body"); err == nil {
			v, err = tree.JSON(body, limits)
		}
		if err == nil {
			err = unfoldSubmission(v, limits)
		}
	case kind == "application/xml" || kind == "text/xml" || strings.HasSuffix(kind, "+xml"):
		var m map[string]any
		m, err = decodeXML(body, named, limits)
		v = m
		addHeaders(m, header)
	case kind == "application/x-www-form-urlencoded":
		v, err = decodeForm(body, named)
	case kind == "multipart/form-data":
		v, err = decodeMultipart(body, params["boundary"], named, limits, attachments)
	default:
		return nil, &refusal{http.StatusUnsupportedMediaType,
			fmt.Sprintf("the content type %q is not understood", short(kind)),
			"send application/json, application/xml or application/x-www-form-urlencoded"}
	}
	var bad *diag.Problem
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
		return "", nil, &refusal{http.StatusUnsupportedMediaType, "the content type cannot be read",
			"send application/json or application/xml"}
	}
	if name := params["charset"]; name != "" {
		if _, ok := charset.Find(name); !ok {
			return "", nil, &refusal{http.StatusUnsupportedMediaType,
				fmt.Sprintf("the character set %q is not understood", short(name)), "send UTF-8"}
		}
	}
	if kind != "" && kind != "text/plain" && kind != "application/octet-stream" {
		return kind, params, nil
	}
	switch start := bytes.TrimLeft(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), " \t\r\n"); {
	case len(start) > 0 && start[0] == '<':
		return "application/xml", params, nil
	case len(start) > 0 && (start[0] == '{' || start[0] == '['):
		return "application/json", params, nil
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

// addHeaders gives a CommCare form or case in XML the times that its JSON form has inside and that
// CommCare sends beside the XML in headers.
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

// plain gives text as UTF-8 by the encoding that it was declared in, or refuses it. what names the text.
func plain(text []byte, declared, what string) ([]byte, error) {
	out, err := charset.UTF8(text, declared)
	if err == nil {
		return out, nil
	}
	hint := "send it in UTF-8, or name its encoding: Content-Type: ...; charset=windows-1252, or encoding: in the " +
		"webhook of the rule"
	if doubt, ok := errors.AsType[*charset.Error](err); ok && doubt.Doubt {
		hint = "send it in UTF-8, and declare that: Content-Type: ...; charset=utf-8"
	} else if declared != "" {
		hint = "send it in the encoding that was declared, or declare the one that it is in"
	}
	return nil, &refusal{http.StatusUnprocessableEntity, "the " + what + " is " + err.Error(), hint}
}

// decodeXML reads a document, whose own declaration counts where it is not in the encoding that the request names.
func decodeXML(body []byte, declared string, limits tree.Limits) (map[string]any, error) {
	if declared != "" && !utf8.Valid(body) {
		if text, err := charset.UTF8(body, declared); err == nil {
			body = text
		}
	}
	return tree.XML(body, limits)
}

func decodeForm(body []byte, declared string) (any, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, &refusal{http.StatusUnprocessableEntity, "this is no URL-encoded form",
			"encode the values with % and join them with &"}
	}
	return plainForm(values, declared)
}

// charsetField is the field in which a form may name its encoding (HTML standard, 4.10.22.4).
const charsetField = "_charset_"

// plainForm makes an object of form values in an encoding, which the form may name itself.
func plainForm(values url.Values, declared string) (any, error) {
	if own := values.Get(charsetField); own != "" && declared == "" {
		declared = own
	}
	out := make(url.Values, len(values))
	for name, list := range values {
		for _, value := range list {
			if err := addPlain(out, name, value, declared, declared); err != nil {
				return nil, err
			}
		}
	}
	return formTree(out), nil
}

// addPlain adds a field of a form as UTF-8.
func addPlain(out url.Values, name, value, nameEncoding, valueEncoding string) error {
	key, err := plain([]byte(name), nameEncoding, "name of a field of the form")
	if err != nil {
		return err
	}
	text, err := plain([]byte(value), valueEncoding, fmt.Sprintf("value of %q", short(string(key))))
	if err != nil {
		return err
	}
	out.Add(string(key), string(text))
	return nil
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

// decodeMultipart reads an OpenRosa submission, whose form is one part of several, or an ordinary
// form. Files that come with it are left out, or with attachments kept beside its answers: then the
// field of an ordinary form holds the file's name, as a submission's does.
func decodeMultipart(body []byte, boundary, declared string, limits tree.Limits, attachments bool) (any, error) {
	broken := &refusal{http.StatusUnprocessableEntity, "this is no multipart form",
		"check the boundary in the Content-Type header"}
	if boundary == "" {
		return nil, broken
	}
	if !bytes.Contains(body, []byte("--"+boundary+"--")) {
		return nil, &refusal{http.StatusUnprocessableEntity, "the multipart form ends too early",
			"check that all of it was sent"}
	}
	values, attached := url.Values{}, sources.Attachments{}
	var submission map[string]any
	var fields, files []formField
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, broken
		}
		text, err := io.ReadAll(part)
		if err != nil {
			return nil, broken
		}
		_, params, _ := mime.ParseMediaType(part.Header.Get("Content-Type")) // one that cannot be read names no encoding
		own := cmp.Or(params["charset"], declared)
		switch {
		case part.FormName() == openRosaPart && submission != nil:
			return nil, &refusal{http.StatusUnprocessableEntity, "the request holds two forms", "send one form at a time"}
		case part.FormName() == openRosaPart:
			if submission, err = decodeXML(text, own, limits); err != nil {
				return nil, err
			}
		case part.FileName() == "":
			fields = append(fields, formField{name: part.FormName(), value: string(text), encoding: params["charset"]})
		case attachments && len(text) > 0:
			if err := attached.Add(part.FileName(), part.Header.Get("Content-Type"), text); err != nil {
				return nil, &refusal{http.StatusRequestEntityTooLarge, err.Error(), "send fewer files with a record"}
			}
			files = append(files, formField{name: part.FormName(), value: part.FileName()})
		}
	}
	record := submission
	if record == nil {
		if err := addFields(values, fields, declared); err != nil {
			return nil, err
		}
		for _, f := range files {
			if !values.Has(f.name) {
				values.Set(f.name, f.value)
			}
		}
		record = formTree(values)
	}
	attached.Put(record)
	return record, nil
}

// formField is a field of a multipart form.
type formField struct {
	name, value string
	encoding    string // that the field names itself
}

// addFields adds fields as UTF-8. A field _charset_ names the encoding of all those that name none
// (RFC 7578, 4.6).
func addFields(out url.Values, fields []formField, declared string) error {
	for _, f := range fields {
		if f.name == charsetField && declared == "" {
			declared = f.value
		}
	}
	for _, f := range fields {
		if err := addPlain(out, f.name, f.value, declared, cmp.Or(f.encoding, declared)); err != nil {
			return err
		}
	}
	return nil
}

// short keeps what a caller sent to a length that fits an answer.
func short(s string) string {
	if len(s) > 60 {
		return s[:60] + "..."
	}
	return s
}
