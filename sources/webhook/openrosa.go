package webhook

import (
	"bytes"
	"encoding/xml"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// OpenRosa clients such as ODK Collect, KoboCollect and Enketo submit forms by themselves (OpenRosa
// form submission API 1.0). They ask with HEAD first, and take 204 alone for yes; they take 201 and
// 202 alone for a form that was kept, also one that was kept before; and they show people the
// message of an OpenRosaResponse.
const (
	openRosaVersion = "X-OpenRosa-Version"
	openRosaLength  = "X-OpenRosa-Accept-Content-Length"
	openRosaSpoken  = "1.0"
)

// answerer answers one request in the way that its sender understands.
type answerer struct {
	w        http.ResponseWriter
	openRosa bool
	begins   bool // a phone that has not been asked for its name and password yet, as each one begins
}

// holdsSubmission tells whether a body is an OpenRosa submission, for clients whose header a proxy has dropped.
func holdsSubmission(header http.Header, body []byte) bool {
	kind, _, _ := mime.ParseMediaType(header.Get("Content-Type")) // one that cannot be read is refused elsewhere
	return kind == "multipart/form-data" && bytes.Contains(body, []byte(openRosaPart))
}

// probed answers HEAD. A client of OpenRosa learns here already that it needs credentials, so that
// it asks for them before it sends a form.
func (h *Handler) probed(a *answerer, r *http.Request, e *endpoint, routes []*Route) {
	h.config.Log.Debug("asked whether a path takes forms", "path", e.path, "openrosa", a.openRosa)
	if a.openRosa {
		if _, err := h.admitted(a.w, r, e, routes, Caller(r, *h.proxies.Load())); err != nil {
			h.refused(a, e, err)
			return
		}
	}
	header := a.w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set(openRosaVersion, openRosaSpoken)
	header.Set(openRosaLength, strconv.FormatInt(e.limits.MaxBody, 10))
	a.w.WriteHeader(http.StatusNoContent)
}

// isSealed tells whether a submission comes encrypted, as forms with a public key do: its answers lie in files that
// only the holder of the other key can open.
func isSealed(v any) bool {
	body, ok := v.(map[string]any)
	form, isForm := body["form"].(map[string]any)
	return ok && isForm && form["@encrypted"] == "yes" && form["base64EncryptedKey"] != nil
}

// kept answers that records are durable. A client of OpenRosa takes nothing but 201 and 202 for that.
func (a *answerer) kept(status int, known *receipt) {
	if !a.openRosa {
		write(a.w, status, known)
		return
	}
	a.message(http.StatusCreated, "submit_success", strings.TrimSpace("The form was received. "+known.sentence()))
}

// refuse says no.
func (a *answerer) refuse(no *refusal) {
	if !a.openRosa {
		answer(a.w, no)
		return
	}
	a.message(no.status, "submit_error", no.Error())
}

// openRosaResponse is what clients show to whoever submits.
type openRosaResponse struct {
	XMLName xml.Name `xml:"http://openrosa.org/http/response OpenRosaResponse"`
	Message struct {
		Nature string `xml:"nature,attr"`
		Text   string `xml:",chardata"`
	} `xml:"message"`
}

func (a *answerer) message(status int, nature, text string) {
	var response openRosaResponse
	response.Message.Nature, response.Message.Text = nature, text
	a.w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	a.w.Header().Set("X-Content-Type-Options", "nosniff")
	a.w.Header().Set(openRosaVersion, openRosaSpoken)
	a.w.WriteHeader(status)
	_ = xml.NewEncoder(a.w).Encode(response) // the caller is gone when this fails; what is durable stays so
}
