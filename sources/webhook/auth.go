package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/sources"
)

// Default headers of signatures and keys.
const (
	DefaultHMACHeader   = "X-Hub-Signature-256"
	DefaultAPIKeyHeader = "X-API-Key"
)

// maxSkew is how far the time of a timestamped signature may be from ours.
const maxSkew = 5 * time.Minute

// Auth is how a caller shows who it is; exactly one way is set. The zero value lets in callers on this machine only.
type Auth sources.Login

func (a *Auth) empty() bool {
	return !a.None && a.Username == "" && a.Password == "" && a.Bearer == "" && a.HMACSecret == "" && a.APIKey == ""
}

// String says which way is set, without secrets.
func (a *Auth) String() string {
	switch {
	case a.None:
		return "none"
	case a.HMACSecret != "" && a.HMACTimestamp != "":
		return fmt.Sprintf("an HMAC-SHA256 of %q value, a dot and the body in the header %s", a.HMACTimestamp, a.hmacHeader())
	case a.HMACSecret != "":
		return "an HMAC-SHA256 of the body in the header " + a.hmacHeader()
	case a.Bearer != "":
		return "a bearer token"
	case a.APIKey != "":
		return "a key in the header " + a.apiKeyHeader()
	case a.passworded():
		return "basic or digest authentication"
	}
	return "none, from this machine only"
}

// passworded tells whether callers have a name and a password.
func (a *Auth) passworded() bool { return a.Username != "" || a.Password != "" }

func (a *Auth) hmacHeader() string {
	if a.HMACHeader == "" {
		return DefaultHMACHeader
	}
	return a.HMACHeader
}

func (a *Auth) apiKeyHeader() string {
	if a.APIKeyHeader == "" {
		return DefaultAPIKeyHeader
	}
	return a.APIKeyHeader
}

// signed tells whether the caller can only be told by the body.
func (a *Auth) signed() bool { return a.HMACSecret != "" }

// admits checks a caller by its headers, for all ways but signatures. digest are its digest credentials, if any.
func (a *Auth) admits(r *http.Request, from netip.Addr, digest *presented) bool {
	switch {
	case a.None:
		return true
	case a.Bearer != "":
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		return strings.EqualFold(scheme, "Bearer") && same(strings.TrimSpace(token), a.Bearer)
	case a.APIKey != "":
		return same(r.Header.Get(a.apiKeyHeader()), a.APIKey)
	case a.passworded() && digest != nil:
		return digest.fits(a.Username, a.Password)
	case a.passworded():
		user, password, ok := r.BasicAuth()
		// Both are compared, so that the time taken does not tell which one was wrong.
		userOK, passwordOK := same(user, a.Username), same(password, a.Password)
		return ok && userOK && passwordOK
	}
	return local(r, from)
}

// forwarded are headers that a proxy adds: who calls is then not the one whose address we see.
var forwarded = []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Forwarded", "Via"}

// local tells whether a request comes from a program on this machine: not by a proxy on it, and not
// from a page of some other site in a browser on it.
func local(r *http.Request, from netip.Addr) bool {
	if !from.IsLoopback() {
		return false
	}
	for _, name := range forwarded {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if addr, err := netip.ParseAddr(strings.Trim(host, "[]")); host != "" && !strings.EqualFold(host, "localhost") &&
		(err != nil || !addr.Unmap().IsLoopback()) {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return false
	}
	origin := r.Header.Get("Origin")
	u, err := url.Parse(origin)
	return origin == "" || err == nil && strings.EqualFold(u.Host, r.Host)
}

// plausible tells from the headers alone whether a signature can be right, before anything is done for the caller.
func (a *Auth) plausible(r *http.Request, now time.Time) bool {
	return len(a.given(r)) == sha256.Size && (a.HMACTimestamp == "" || a.timely(r, now))
}

// given is the signature that a request carries: hex, with sha256= in front or not, or base64. It
// is nil when there is none.
func (a *Auth) given(r *http.Request) []byte {
	text := strings.TrimPrefix(strings.TrimSpace(r.Header.Get(a.hmacHeader())), "sha256=")
	if sum, err := hex.DecodeString(text); err == nil {
		return sum
	}
	sum, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	return sum
}

// timely tells whether the time of a signature is near ours.
func (a *Auth) timely(r *http.Request, now time.Time) bool {
	seconds, err := strconv.ParseInt(strings.TrimSpace(r.Header.Get(a.HMACTimestamp)), 10, 64)
	return err == nil && now.Sub(time.Unix(seconds, 0)).Abs() <= maxSkew
}

// verifies checks a signature over the body, and over the time where one is signed.
func (a *Auth) verifies(r *http.Request, body []byte, now time.Time) bool {
	mac := hmac.New(sha256.New, []byte(a.HMACSecret))
	if a.HMACTimestamp != "" {
		if !a.timely(r, now) {
			return false
		}
		mac.Write([]byte(strings.TrimSpace(r.Header.Get(a.HMACTimestamp)) + "."))
	}
	mac.Write(body)
	return hmac.Equal(a.given(r), mac.Sum(nil))
}

// same compares secrets in a time that does not depend on how much of them agrees, nor on their lengths.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// Caller gives the address that a request comes from: of the last hop that is not one of our own proxies.
func Caller(r *http.Request, proxies []netip.Prefix) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	addr = addr.Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && within(addr, proxies); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop.Unmap()
	}
	return addr
}

func within(addr netip.Addr, networks []netip.Prefix) bool {
	for _, n := range networks {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}
