package sandbox

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// readBody reads a request's body up to the limit.
func (c *call) readBody() ([]byte, *problem) {
	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxBody))
	if err != nil {
		return nil, refuse(http.StatusRequestEntityTooLarge, "", "The request could not be read, or is larger than %d MB", maxBody>>20)
	}
	return body, nil
}

// jsonBody reads a body that must be a JSON object.
func (c *call) jsonBody() (*node, *problem) {
	body, p := c.readBody()
	if p != nil {
		return nil, p
	}
	root, err := parseJSON(body)
	if err != nil || root == nil || root.kind != jsonObject {
		return nil, refuse(http.StatusBadRequest, "", "JSON parse error")
	}
	return root, nil
}

// acceptsJSON checks that a body claims to be JSON.
func (c *call) acceptsJSON() bool {
	header := c.r.Header.Get("Content-Type")
	kind, _, err := mime.ParseMediaType(header)
	if err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json")) {
		return true
	}
	if c.manners <= 40 {
		c.fail(http.StatusUnsupportedMediaType, "", fmt.Sprintf("Content type '%s' not supported", header))
	} else {
		c.fail(http.StatusUnsupportedMediaType, "", fmt.Sprintf("Content-Type '%s' is not supported", header))
	}
	return false
}

// unreadable answers a body that cannot be read.
func (c *call) unreadable(text string) {
	if c.manners.strictBody() {
		c.fail(http.StatusBadRequest, "", text)
		return
	}
	c.fail(http.StatusInternalServerError, "", text)
}

// authorised checks an authority, answering 403 when the user lacks it.
func (c *call) authorised(authority string) bool {
	if c.user.may(authority) {
		return true
	}
	text := "Access is denied"
	if c.manners >= 41 {
		text = "Access is denied, requires one Authority from [" + authority + "]"
	}
	c.fail(http.StatusForbidden, "", text)
	return false
}

func (c *call) flushed() *problem {
	if err := c.store.state.flush(); err != nil {
		return refuse(http.StatusInternalServerError, "", "%s", err.Error())
	}
	return nil
}
