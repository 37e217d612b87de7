package api

import (
	"crypto/rand"
	"encoding/hex"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
)

// sessionIdle is how long a session lives without a request (DHIS2's system.session.timeout),
// maxSessions how many are kept at all.
const (
	sessionIdle   = time.Hour
	maxSessions   = 10_000
	SessionCookie = "JSESSIONID"
)

// sessions are those who are logged in. DHIS2 begins one for everybody whose password it checked and gives its cookie.
type sessions struct {
	mu   sync.Mutex
	byID map[string]*session
}

type session struct {
	username string
	used     time.Time
}

func newSessions() *sessions { return &sessions{byID: map[string]*session{}} }

// begin makes a session and gives its id.
func (s *sessions) begin(username string, now time.Time) string {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails
	id := strings.ToUpper(hex.EncodeToString(raw[:]))
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.byID) >= maxSessions {
		for id, old := range s.byID {
			if len(s.byID) >= maxSessions/2 || now.Sub(old.used) > sessionIdle {
				delete(s.byID, id)
			}
		}
	}
	s.byID[id] = &session{username, now}
	return id
}

// of gives whose session a request carries; empty when it carries none that is alive.
func (s *sessions) of(r *http.Request, now time.Time) string {
	c, err := r.Cookie(SessionCookie)
	if err != nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.byID[c.Value]
	if found == nil {
		return ""
	}
	if now.Sub(found.used) > sessionIdle {
		delete(s.byID, c.Value)
		return ""
	}
	found.used = now
	return found.username
}

// giveSession begins a session and sets its cookie.
func (c *call) giveSession(u *catalog.User) {
	http.SetCookie(c.W, &http.Cookie{Name: SessionCookie, Value: c.srv.sessions.begin(u.Username, c.Now()), Path: "/",
		HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// login answers POST /api/auth/login, which needs nobody to be logged in.
func (c *call) login() {
	if !c.Method(http.MethodPost) {
		return
	}
	root, p := c.JSONBody()
	if p != nil {
		c.Refused(p)
		return
	}
	d := rest.Decoder{Version: c.Version}
	u := c.Catalog.Users[d.Text(root, "username")]
	if u == nil || !u.Knows(d.Text(root, "password")) {
		c.Unauthorized(http.StatusUnauthorized, "Bad credentials")
		return
	}
	c.giveSession(u)
	c.JSON(http.StatusOK, object{"loginStatus": "SUCCESS", "redirectUrl": "/dhis-web-dashboard/"})
}

// loginConfig answers GET /api/loginConfig: what a login page shows.
func (c *call) loginConfig() {
	if !c.Method(http.MethodGet) {
		return
	}
	c.JSON(http.StatusOK, object{"apiVersion": c.Version.Release(), "applicationTitle": "DHIS 2",
		"applicationDescription": "", "applicationNotification": "",
		"applicationLeftSideFooter": "", "applicationRightSideFooter": "", "countryFlag": "dhis2", "uiLocale": "en",
		"loginPageLogo": nil, "loginPopup": "",
		"loginPageLayout": "DEFAULT", "minPasswordLength": "8", "maxPasswordLength": "72", "emailConfigured": false,
		"selfRegistrationEnabled":     false,
		"selfRegistrationNoRecaptcha": false, "allowAccountRecovery": false, "useCustomLogoFront": false,
		"oidcProviders": []any{}})
}

// public answers what DHIS2 tells anybody; false when the address is none of these.
func (c *call) public() bool {
	switch {
	case c.At(0) == "auth" && c.At(1) == "login" && len(c.Path) == 2 && c.Version >= 41:
		c.login()
	case c.At(0) == "loginConfig" && len(c.Path) == 1 && c.Version >= 41:
		c.loginConfig()
	case c.At(0) == "ping" && len(c.Path) == 1:
		c.ping()
	default:
		return false
	}
	return true
}

// cors does what DHIS2 does about other origins: with none allowed, their requests get an empty
// answer. It tells whether the request goes on.
func cors(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	local := rest.Base(r)
	if proto := r.Header.Get("X-Forwarded-Proto"); proto != "" {
		_, host, _ := strings.Cut(local, "://")
		local = proto + "://" + host
	}
	if origin != local {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Allow-Origin", origin)
	h.Add("Vary", "Origin")
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
		h.Set("Access-Control-Allow-Methods", r.Header.Get("Access-Control-Request-Method"))
		h.Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
		h.Set("Access-Control-Max-Age", "3600")
		w.WriteHeader(http.StatusNoContent)
		return false
	}
	h.Set("Access-Control-Expose-Headers", "ETag, Location")
	return true
}

// remote is the address that a request comes from, as DHIS2 sees it.
func remote(r *http.Request) string {
	if f := r.Header.Get("X-Forwarded-For"); f != "" {
		return f
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
