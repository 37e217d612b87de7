package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/culvert/culvert/rules/diag"
)

// ValueFile is a file that is the value of one cell of aggregate data.
type ValueFile struct {
	DataSet, DataElement, Period, OrgUnit, CategoryOptionCombo string
	// The attribute option combination by its category combo and options; empty: the default one.
	AttributeCombo   string
	AttributeOptions []string
	Comment          string
	FollowUp         *bool // nil: left as it is
	Name, Type       string
	Content          []byte
}

// valueFilesPath takes file and value at once: the server gives the file its uid, and deletes the one
// that was there before.
const valueFilesPath = "dataValues/file"

func (f ValueFile) query() url.Values {
	q := url.Values{"de": {f.DataElement}, "pe": {f.Period}, "ou": {f.OrgUnit}}
	for name, value := range map[string]string{"ds": f.DataSet, "co": f.CategoryOptionCombo, "cc": f.AttributeCombo,
		"cp": strings.Join(f.AttributeOptions, ";"), "comment": f.Comment} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.FollowUp != nil {
		q.Set("followUp", strconv.FormatBool(*f.FollowUp))
	}
	return q
}

// SendValueFile writes a file as an aggregate value. The error is an *Error.
func (c *Client) SendValueFile(ctx context.Context, f ValueFile) error {
	if _, err := c.writable(ctx); err != nil {
		return err
	}
	body, form, err := Upload{Name: f.Name, Type: f.Type, Content: f.Content}.encode()
	if err != nil {
		return &Error{Kind: Refused, Problem: diag.Problem{Message: "the file cannot be put into a form"}, Err: err}
	}
	a, err := c.do(ctx, request{method: http.MethodPost, path: valueFilesPath, query: f.query(), body: body, form: form})
	if err != nil {
		return err
	}
	return c.refusal(a)
}

// SendValueFile notes the upload.
func (p *Preview) SendValueFile(_ context.Context, f ValueFile) error {
	p.note(http.MethodPost, valueFilesPath, f.query(), nil)
	return nil
}
