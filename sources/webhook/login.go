package webhook

import (
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// admitted gives the routes whose callers a request comes from, as far as its headers tell. The error
// is a *refusal that asks for credentials.
func (h *Handler) admitted(w http.ResponseWriter, r *http.Request, e *endpoint, routes []*Route,
	from netip.Addr) ([]*Route, error) {
	digest := readDigest(r)
	proven := false
	now := h.config.Now()
	routes = without(routes, func(x *Route) bool {
		switch {
		case x.Auth.signed():
			// What asks only whether a path takes forms has no body that is signed.
			return !bodiless(r) && !x.Auth.plausible(r, now)
		case !x.Auth.admits(r, from, digest):
			return true
		}
		proven = proven || x.Auth.passworded() && digest != nil
		return false
	})
	if len(routes) == 0 {
		return nil, h.unauthorized(w, r, e, false)
	}
	if !proven {
		return routes, nil
	}
	life := nonceLife
	if bodiless(r) {
		life = nonceRenew
	}
	if !h.digest.use(r.Context(), digest, life) {
		// Phones send all of a body before they read an answer, and this is one of ours.
		_, _ = io.Copy(io.Discard, steadily(w, r, e.limits.MaxBody))
		return nil, h.unauthorized(w, r, e, true)
	}
	return routes, nil
}

func bodiless(r *http.Request) bool { return r.Method == http.MethodHead || r.Method == http.MethodGet }

// unauthorized asks for credentials in every way that the routes of a path know: by digest first, which
// phones speak without https too.
func (h *Handler) unauthorized(w http.ResponseWriter, r *http.Request, e *endpoint, stale bool) error {
	open := true
	var ways []string
	for _, x := range e.routes {
		a := &x.Auth
		open = open && a.empty()
		switch {
		case a.passworded() && !slices.ContainsFunc(ways, func(way string) bool { return strings.HasPrefix(way, "Digest") }):
			ways = append(h.digest.challenges(r.Context(), stale), ways...)
			ways = append(ways, `Basic realm="`+realm+`", charset="UTF-8"`)
		case a.Bearer != "" && !slices.Contains(ways, bearerWay):
			ways = append(ways, bearerWay)
		}
	}
	if open {
		return &refusal{http.StatusForbidden, "only callers on the machine of this Culvert may send to this path",
			"set webhook_auth in culvert.yaml to let others in"}
	}
	for _, way := range ways {
		w.Header().Add("WWW-Authenticate", way)
	}
	if stale {
		return &refusal{http.StatusUnauthorized, "the credentials are right, and were used before or too long ago",
			"send them with the new nonce"}
	}
	return &refusal{http.StatusUnauthorized, "the credentials are missing or wrong", "send " + e.ways(e.routes)}
}

const bearerWay = `Bearer realm="` + realm + `"`
