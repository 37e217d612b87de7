package api

import (
	"net/http"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
)

// forbidden are parts of an address, as it was sent and in lower case, that Spring's
// StrictHttpFirewall or the servlet container refuse: ids joined by a semicolon never get through
// to DHIS2.
var forbidden = []string{";", "%3b", "%2f", "%5c", "\\", "%25", "%00", "%0a", "%0d", "%2e", "/./", "/../"}

// suspicious tells whether an address is one that no server looks at.
func suspicious(r *http.Request) bool {
	raw := strings.ToLower(r.URL.EscapedPath())
	if strings.Contains(raw, "//") || strings.HasSuffix(raw, "/.") || strings.HasSuffix(raw, "/..") {
		return true
	}
	for _, part := range forbidden {
		if strings.Contains(raw, part) {
			return true
		}
	}
	return false
}

// badAddress answers such a request.
func (c *call) badAddress() {
	c.Refused(&rest.Problem{Status: http.StatusBadRequest, Page: true})
}
