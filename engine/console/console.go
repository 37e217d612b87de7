// Package console is the web console: what `culvert status`, `failures` and `replay` say and do, for people with a browser. Pages are made on the
// server, work without scripts, and show nothing of what a record says unless somebody asks for that one record.
package console

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/culvert/culvert/engine"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/diag"
)

// Prefix begins the path of every page but the first, which is /.
const Prefix = "/console/"

//go:embed templates/*.html templates/style.css
var assets embed.FS

// Rule is what the console shows of a rule.
type Rule struct {
	Name, Description, File, Server, Trigger, Address string
	Findings                                          diag.List
}

// Config is what the console needs.
type Config struct {
	Journal journal.Journal
	Rules   func() []Rule // as they run now
	Log     *slog.Logger
	Now     func() time.Time
	Version string
	Project string
	// Username and Password let people in from anywhere; without them only this machine is let in.
	Username, Password string
}

// Console serves the pages.
type Console struct {
	c     Config
	pages map[string]*template.Template
	mux   *http.ServeMux
}

// New makes the console.
func New(c Config) (*Console, error) {
	if c.Journal == nil || c.Rules == nil {
		return nil, errors.New("the console needs a journal and rules")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Console{c: c, pages: map[string]*template.Template{}, mux: http.NewServeMux()}
	for _, name := range []string{"overview", "failures", "records", "record", "rules", "files", "audit", "error"} {
		t, err := template.New("layout.html").Funcs(s.functions()).ParseFS(assets, "templates/layout.html", "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("read the page %s: %w", name, err)
		}
		s.pages[name] = t
	}
	s.routes()
	return s, nil
}

func (s *Console) routes() {
	s.mux.HandleFunc("GET /{$}", s.page(s.overview))
	s.mux.HandleFunc("GET "+Prefix+"failures", s.page(s.failures))
	s.mux.HandleFunc("GET "+Prefix+"records", s.page(s.records))
	s.mux.HandleFunc("GET "+Prefix+"records/{seq}", s.page(s.record))
	s.mux.HandleFunc("GET "+Prefix+"rules", s.page(s.rules))
	s.mux.HandleFunc("GET "+Prefix+"files", s.page(s.files))
	s.mux.HandleFunc("GET "+Prefix+"audit", s.page(s.audit))
	s.mux.HandleFunc("GET "+Prefix+"api/overview", s.apiOverview)
	s.mux.HandleFunc("GET "+Prefix+"style.css", s.style)
	s.mux.HandleFunc("POST "+Prefix+"replay", s.act(s.replay))
	s.mux.HandleFunc("POST "+Prefix+"dismiss", s.act(s.dismiss))
	s.mux.HandleFunc("POST "+Prefix+"pause", s.act(s.pause))
	s.mux.HandleFunc("POST "+Prefix+"resume", s.act(s.resume))
}

// ServeHTTP lets in who may, and answers.
func (s *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if !s.admit(w, r) {
		return
	}
	http.NewCrossOriginProtection().Handler(s.mux).ServeHTTP(w, r)
}

// admit checks who asks. Without a password only this machine is let in, and only under its own names, so that no web page elsewhere can lead a
// browser here.
func (s *Console) admit(w http.ResponseWriter, r *http.Request) bool {
	if s.c.Password != "" {
		user, password, ok := r.BasicAuth()
		if ok && equal(user, s.c.Username) && equal(password, s.c.Password) {
			return true
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="Culvert", charset="UTF-8"`)
		http.Error(w, "user name and password, please", http.StatusUnauthorized)
		return false
	}
	if local(r.RemoteAddr) && local(r.Host) && r.Header.Get("X-Forwarded-For") == "" && r.Header.Get("Forwarded") == "" {
		return true
	}
	http.Error(w, "the console is open to this machine only; set console_auth: in culvert.yaml to let others in with a password", http.StatusForbidden)
	return false
}

func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// local tells whether an address or host names this machine.
func local(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// who names the visitor in the audit trail.
func who(r *http.Request) string {
	if user, _, ok := r.BasicAuth(); ok && user != "" {
		return user + " (console)"
	}
	return "console"
}

// view is what every page gets.
type view struct {
	Title, Project, Version, Page string
	Now                           time.Time
	Refresh                       int // seconds; 0: never
	Notice                        string
	Data                          any
}

// errNotFound answers 404.
var errNotFound = errors.New("there is no such record")

// page answers with a page, or with the error page.
func (s *Console) page(make func(*http.Request) (view, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := make(r)
		status := http.StatusOK
		if err != nil {
			status = http.StatusInternalServerError
			if errors.Is(err, errNotFound) {
				status = http.StatusNotFound
			} else {
				s.c.Log.Error("console page failed", "path", r.URL.Path, "error", err)
			}
			v = view{Title: "Not possible now", Page: "error", Data: err.Error()}
		}
		v.Project, v.Version, v.Now = s.c.Project, s.c.Version, s.c.Now()
		v.Notice = notices[r.URL.Query().Get("did")]
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		if err := s.pages[v.Page].Execute(w, v); err != nil {
			s.c.Log.Debug("console page not read to its end", "path", r.URL.Path, "error", err)
		}
	}
}

// notices are what the page after an action says.
var notices = map[string]string{
	"replay": "Put back in line.", "dismiss": "Dismissed.", "pause": "Paused.", "resume": "Goes on.",
}

// maxForm bounds what a form may send.
const maxForm = 64 << 10

// act does something and leads back to the page it came from.
func (s *Console) act(do func(context.Context, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			http.Error(w, "the form could not be read", http.StatusBadRequest)
			return
		}
		if err := do(r.Context(), r); err != nil {
			s.page(func(*http.Request) (view, error) { return view{}, err })(w, r)
			return
		}
		did := strings.TrimPrefix(r.URL.Path, Prefix)
		back := "/"
		if did == "replay" || did == "dismiss" {
			back = Prefix + "failures"
		}
		http.Redirect(w, r, back+"?did="+did, http.StatusSeeOther)
	}
}

func (s *Console) style(w http.ResponseWriter, _ *http.Request) {
	text, err := assets.ReadFile("templates/style.css")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, _ = w.Write(text) // the visitor is gone when this fails
}

func (s *Console) pause(ctx context.Context, r *http.Request) error {
	p := engine.Pause{Since: s.c.Now(), Who: who(r), Why: r.PostFormValue("why")}
	if server := r.PostFormValue("server"); server != "" {
		return engine.PauseServer(ctx, s.c.Journal, server, p)
	}
	return engine.PauseRule(ctx, s.c.Journal, r.PostFormValue("rule"), p)
}

func (s *Console) resume(ctx context.Context, r *http.Request) error {
	if server := r.PostFormValue("server"); server != "" {
		return engine.ResumeServer(ctx, s.c.Journal, server)
	}
	return engine.ResumeRule(ctx, s.c.Journal, r.PostFormValue("rule"))
}
