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
	"strconv"
	"strings"
	"time"
)

// Default headers of signatures and keys.
const (
	DefaultHMACHeader   = "X-Hub-Signature-256"
	DefaultAPIKeyHeader = "X-API-Key"
)

// maxSkew is how far the time of a timestamped signature may be from ours.
const maxSkew = 5 * time.Minute

// Auth is how a caller shows who it is; exactly one way is set. The zero value lets in callers on this machine only.
type Auth struct {
	Username, Password string // basic
	Bearer             string
	HMACSecret         string
	HMACHeader         string // empty: DefaultHMACHeader
	HMACTimestamp      string // header with the Unix time that is signed as "<time>.<body>", or empty
	APIKey             string
	APIKeyHeader       string // empty: DefaultAPIKeyHeader
	None               bool   // open on purpose
}

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
	case a.Username != "" || a.Password != "":
		return "basic authentication"
	}
	return "none, from this machine only"
}

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

// admits checks a caller by its headers, for all ways but signatures.
func (a *Auth) admits(r *http.Request, from netip.Addr) bool {
	switch {
	case a.None:
		return true
	case a.Bearer != "":
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		return strings.EqualFold(scheme, "Bearer") && same(strings.TrimSpace(token), a.Bearer)
	case a.APIKey != "":
		return same(r.Header.Get(a.apiKeyHeader()), a.APIKey)
	case a.Username != "" || a.Password != "":
		user, password, ok := r.BasicAuth()
		// Both are compared, so that the time taken does not tell which one was wrong.
		userOK, passwordOK := same(user, a.Username), same(password, a.Password)
		return ok && userOK && passwordOK
	}
	return from.IsLoopback()
}

// verifies checks a signature over the body: hex, with sha256= in front or not, or base64.
func (a *Auth) verifies(r *http.Request, body []byte, now time.Time) bool {
	given := strings.TrimPrefix(strings.TrimSpace(r.Header.Get(a.hmacHeader())), "sha256=")
	mac := hmac.New(sha256.New, []byte(a.HMACSecret))
	if a.HMACTimestamp != "" {
		stamp := strings.TrimSpace(r.Header.Get(a.HMACTimestamp))
		seconds, err := strconv.ParseInt(stamp, 10, 64)
		if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > maxSkew {
			return false
		}
		mac.Write([]byte(stamp + "."))
	}
	mac.Write(body)
	sum := mac.Sum(nil)
	if sent, err := hex.DecodeString(given); err == nil {
		return hmac.Equal(sent, sum)
	}
	sent, err := base64.StdEncoding.DecodeString(given)
	return err == nil && hmac.Equal(sent, sum)
}

// same compares secrets in a time that does not depend on how much of them agrees, nor on their lengths.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// caller gives the address that a request comes from: of the last hop that is not one of our own proxies.
func caller(r *http.Request, proxies []netip.Prefix) netip.Addr {
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
