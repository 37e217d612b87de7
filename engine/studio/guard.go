package studio

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// guard lets in the browser that was given the address with the token, and nobody else on the
// machine, and no page of another site.
type guard struct {
	token, session, cookie string
	addresses              []string
}

func newGuard(addresses []string) (*guard, error) {
	if len(addresses) == 0 {
		return nil, errors.New("the studio must know by which address it is asked")
	}
	_, port, err := net.SplitHostPort(addresses[0])
	if err != nil {
		return nil, fmt.Errorf("read the address of the studio: %w", err)
	}
	// Browsers send a cookie to every port of a host: each studio has one of its own name.
	return &guard{token: rand.Text(), session: rand.Text(), cookie: "culvert_studio_" + port, addresses: addresses}, nil
}

type nonceKey struct{}

// newNonce lets the editor put its style into one page.
func newNonce() string { return rand.Text() }

func etag(text []byte) string { return fmt.Sprintf(`"%x"`, sha256.Sum256(text)) }

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// admit tells whether a request may be answered, and answers those that may not.
func (g *guard) admit(w http.ResponseWriter, r *http.Request) bool {
	if !slices.Contains(g.addresses, r.Host) {
		// A name of somebody else's that leads to this machine (DNS rebinding).
		http.Error(w, "the studio is not asked by this name: open the address that it printed when it started",
			http.StatusMisdirectedRequest)
		return false
	}
	if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host {
		http.Error(w, "a page of another site asks: this is not answered", http.StatusForbidden)
		return false
	}
	if token := r.URL.Query().Get("token"); token != "" && r.Method == http.MethodGet && r.URL.Path == "/" {
		if !same(token, g.token) {
			http.Error(w, "this address is of a studio that has ended: open the one that was printed last", http.StatusForbidden)
			return false
		}
		http.SetCookie(w, &http.Cookie{Name: g.cookie, Value: g.session, Path: "/", HttpOnly: true,
			SameSite: http.SameSiteStrictMode})
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return false
	}
	if c, err := r.Cookie(g.cookie); err != nil || !same(c.Value, g.session) {
		http.Error(w, "open the studio by the address that it printed when it started: it holds the token that lets you in",
			http.StatusForbidden)
		return false
	}
	return true
}

// Addresses are the hosts by which a browser on this machine may ask for what listens at an address of the loopback.
func Addresses(at net.Addr) ([]string, error) {
	tcp, ok := at.(*net.TCPAddr)
	if !ok || !tcp.IP.IsLoopback() {
		return nil, fmt.Errorf("the studio listens on this machine alone, not on %s", at)
	}
	port := fmt.Sprint(tcp.Port)
	return slices.Compact([]string{net.JoinHostPort(tcp.IP.String(), port), net.JoinHostPort("localhost", port)}), nil
}

// local gives a page of the studio to go back to.
func local(r *http.Request) string {
	from, err := url.Parse(r.Referer())
	if err != nil || from.Host != r.Host || !strings.HasPrefix(from.Path, "/rule/") {
		return "/"
	}
	return from.RequestURI()
}
