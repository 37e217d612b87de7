package rest

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/jsontree"
)

// ReadBody reads a request's body up to the limit.
func (c *Call) ReadBody() ([]byte, *Problem) {
	body, err := io.ReadAll(http.MaxBytesReader(c.W, c.R.Body, jsontree.MaxBody))
	if err != nil {
		return nil, Refuse(http.StatusRequestEntityTooLarge, "", "The request could not be read, or is larger than %d MB",
			jsontree.MaxBody>>20)
	}
	return body, nil
}

// JSONBody reads a body that must be a JSON object.
func (c *Call) JSONBody() (*jsontree.Node, *Problem) {
	body, p := c.ReadBody()
	if p != nil {
		return nil, p
	}
	root, err := jsontree.Parse(body)
	if err != nil || root == nil || root.Kind != jsontree.Object {
		return nil, Refuse(http.StatusBadRequest, "", "JSON parse error")
	}
	return root, nil
}

// AcceptsJSON checks that a body claims to be JSON.
func (c *Call) AcceptsJSON() bool {
	header := c.R.Header.Get("Content-Type")
	kind, _, err := mime.ParseMediaType(header)
	if err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json")) {
		return true
	}
	if c.Version <= 40 {
		c.Fail(http.StatusUnsupportedMediaType, "", fmt.Sprintf("Content type '%s' not supported", header))
	} else {
		c.Fail(http.StatusUnsupportedMediaType, "", fmt.Sprintf("Content-Type '%s' is not supported", header))
	}
	return false
}

// Unreadable answers a body that cannot be read.
func (c *Call) Unreadable(text string) {
	if c.Version.StrictBody() {
		c.Fail(http.StatusBadRequest, "", text)
		return
	}
	c.Fail(http.StatusInternalServerError, "", text)
}

// Authorised checks an authority, answering 403 when the user lacks it.
func (c *Call) Authorised(authority string) bool {
	if c.User.May(authority) {
		return true
	}
	text := "Access is denied"
	if c.Version >= 41 {
		text = "Access is denied, requires one Authority from [" + authority + "]"
	}
	c.Fail(http.StatusForbidden, "", text)
	return false
}

func (c *Call) Flushed() *Problem {
	if err := c.Store.Flush(); err != nil {
		return Refuse(http.StatusInternalServerError, "", "%s", err.Error())
	}
	return nil
}
