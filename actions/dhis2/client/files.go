package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"

	"github.com/culvert/culvert/rules/diag"
)

// Upload is a file for a value of a tracked entity or event.
type Upload struct {
	UID     string // ours, so that the same upload again makes no second file
	Name    string
	Type    string // image/jpeg
	Content []byte
}

// filesPath takes uploads, which DHIS2 deletes after two hours unless a value uses them.
const filesPath = "fileResources"

func (u Upload) query() url.Values { return url.Values{"domain": {"DATA_VALUE"}, "uid": {u.UID}} }

// UploadFile uploads a file and gives its uid, also when it is there already. The file may be used
// at once, though the server may store it later. The error is an *Error.
func (c *Client) UploadFile(ctx context.Context, u Upload) (uid string, err error) {
	if _, err := c.writable(ctx); err != nil {
		return "", err
	}
	body, form, err := u.encode()
	if err != nil {
		return "", &Error{Kind: Refused, Problem: diag.Problem{Message: "the file cannot be put into a form"}, Err: err}
	}
	a, err := c.do(ctx, request{method: http.MethodPost, path: filesPath, query: u.query(), body: body, form: form})
	if err != nil {
		return "", err
	}
	if a.status < 200 || a.status > 299 {
		if a.status == http.StatusConflict {
			there, err := c.hasFile(ctx, u.UID)
			if err != nil {
				return "", err
			}
			if there {
				return u.UID, nil
			}
		}
		e := c.refused(a, webMessageOf(a))
		e.Message = fmt.Sprintf("%s does not take the file: %s", c.name, e.Message)
		return "", e
	}
	var answer struct {
		Response struct {
			FileResource struct {
				ID string `json:"id"`
			} `json:"fileResource"`
		} `json:"response"`
	}
	if err := json.Unmarshal(a.body, &answer); err != nil || answer.Response.FileResource.ID == "" {
		return "", &Error{Kind: NotDHIS2, Status: a.status,
			Problem: diag.Problem{Message: c.name + " took a file and did not say under which uid"},
			Err:     err}
	}
	return answer.Response.FileResource.ID, nil
}

// hasFile tells whether a file is there: an upload that was refused may have come through before.
// The error is that the server did not say, so that nothing is known of the upload.
func (c *Client) hasFile(ctx context.Context, uid string) (bool, error) {
	a, err := c.do(ctx, request{method: http.MethodGet, path: filesPath + "/" + uid, query: url.Values{"fields": {"id"}}})
	switch {
	case forbids(err):
		return false, nil // a file that cannot be read back is not taken for ours
	case err != nil:
		return false, err
	case a.status == http.StatusOK:
		return true, nil
	case a.status >= 500:
		return false, c.refused(a, webMessageOf(a))
	}
	return false, nil
}

func forbids(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Kind == Forbidden
}

// encode gives the form that carries the file.
func (u Upload) encode() (body []byte, contentType string, err error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {mime.FormatMediaType("form-data", map[string]string{"name": "file", "filename": u.Name})},
		"Content-Type":        {u.Type},
	})
	if err != nil {
		return nil, "", err
	}
	if _, err := part.Write(u.Content); err != nil {
		return nil, "", err
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return b.Bytes(), w.FormDataContentType(), nil
}

// UploadFile notes the upload, without the file itself.
func (p *Preview) UploadFile(_ context.Context, u Upload) (string, error) {
	p.note(http.MethodPost, filesPath, u.query(), nil)
	return u.UID, nil
}
