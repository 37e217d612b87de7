// Package console is the web console: what `culvert status`, `failures` and `replay` say and do,
// for people with a browser. Pages are made on the server, work without scripts, and show nothing
// of what a record says unless somebody asks for that one record.
package console

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/culvert/culvert/engine/access"
	"github.com/culvert/culvert/engine/access/oidc"
	"github.com/culvert/culvert/engine/controls"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/language"
	"github.com/culvert/culvert/internal/pages"
)

// Prefix begins the path of every page but the first, which is /.
const Prefix = "/console/"

//go:embed templates/*.html static
var assets embed.FS

// Config is what the console needs.
type Config struct {
	Journal journal.Journal
	Running Project
	Log     *slog.Logger
	Now     func() time.Time
	Version string
	Project string
	// Access says who is let in, and as what.
	Access *access.Guard
	// OIDC is the identity provider by which people may log in, too; nil: there is none.
	OIDC *oidc.Client
	// Language gives the one for whoever's browser names none that there is; nil: English.
	Language func() *language.Language
	// From gives the address that a request comes from, for log and throttle; nil: that of the connection.
	From func(*http.Request) string
	// Done ends what would go on for as long as somebody watches, when the process stops; nil: nothing does.
	Done <-chan struct{}
}

// Console serves the pages.
type Console struct {
	c     Config
	pages map[string]map[string]*template.Template // by the code of a language, and by name
	mux   *http.ServeMux
	known []string // patterns of the pages, actions and addresses of the API

	watching   watching
	compressed compressed
}

// New makes the console.
func New(c Config) (*Console, error) {
	if c.Journal == nil || c.Running == nil || c.Access == nil {
		return nil, errors.New("the console needs a journal, a project and a guard")
	}
	if c.From == nil {
		c.From = func(r *http.Request) string {
			host, _, _ := net.SplitHostPort(r.RemoteAddr)
			return host
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Console{c: c, pages: map[string]map[string]*template.Template{}, mux: http.NewServeMux()}
	for _, tag := range language.Tags() {
		l, _ := language.Find(tag)
		pages, err := s.parse(l)
		if err != nil {
			return nil, err
		}
		s.pages[tag] = pages
	}
	s.routes()
	return s, nil
}

// parse reads the templates of all pages, with functions that write numbers and times as a language does.
func (s *Console) parse(l *language.Language) (map[string]*template.Template, error) {
	return pages.Parse(assets, "parts", s.functions(l))
}

// handle answers what a pattern fits, and notes it.
func (s *Console) handle(pattern string, do http.HandlerFunc) {
	s.known = append(s.known, pattern)
	s.mux.HandleFunc(pattern, do)
}

func (s *Console) routes() {
	for at, page := range map[string]func(*http.Request) (view, error){
		"/{$}": s.overview, Prefix + "failures": s.failures, Prefix + "failures/cause": s.cause,
		Prefix + "records": s.records, Prefix + "records/{seq}": s.record, Prefix + "files": s.files,
		Prefix + "files/{id}": s.file,
		Prefix + "person":     s.person, Prefix + "codes/{code}": s.code,
		Prefix + "rules": s.rules, Prefix + "rules/{name}": s.rule,
		Prefix + "servers": s.servers, Prefix + "servers/{name}": s.server, Prefix + "servers/{name}/{uid}": s.object,
	} {
		s.handle("GET "+at, as(access.Viewer, s.page(page)))
	}
	for _, at := range []string{Prefix + "{$}", strings.TrimSuffix(Prefix, "/")} {
		s.mux.Handle("GET "+at, http.RedirectHandler("/", http.StatusSeeOther)) // what people type who look for it
	}
	s.handle("GET "+Prefix+"audit", as(access.Admin, s.page(s.audit)))
	s.handle("GET "+Prefix+"events", as(access.Viewer, s.events))
	s.apiRoutes()
	s.handle("GET "+Prefix+"failures/download", as(access.Operator, long(fileTime, s.downloadFailed)))
	s.handle("GET "+Prefix+"files/{id}/rows/{row}", as(access.Viewer, s.row))
	for _, what := range []string{"results", "failed"} {
		s.handle("GET "+Prefix+"files/{id}/"+what, as(access.Operator, long(fileTime, s.downloadOf(what))))
	}
	for name, do := range map[string]func(context.Context, *http.Request) error{"replay": s.replay, "dismiss": s.dismiss,
		"pause": s.pause, "resume": s.resume, "run": s.runNow} {
		s.handle("POST "+Prefix+name, as(access.Operator, s.act(do)))
	}
	s.handle("POST "+Prefix+"test", as(access.Operator, s.form(s.page(s.test))))
	s.handle("POST "+Prefix+"sync", as(access.Operator, s.form(long(syncTime+time.Minute, s.page(s.sync)))))
	s.handle("GET "+Prefix+"records/{seq}/correct", as(access.Operator, s.page(s.correct)))
	s.handle("POST "+Prefix+"records/{seq}/correct", as(access.Operator, s.saveCorrection))
	s.handle("POST "+Prefix+"upload", as(access.Operator, long(fileTime, s.upload)))
	for name, kind := range static {
		s.mux.HandleFunc("GET "+Prefix+name, asset(name, kind))
	}
	s.handle("GET "+loginPath, s.page(s.loginPage))
	s.handle("POST "+loginPath, s.login)
	s.handle("POST "+Prefix+"logout", s.logout)
	s.handle("GET "+oidcLoginPath, s.oidcLogin)
	s.handle("GET "+oidc.CallbackPath, s.oidcCallback)
	s.handle("POST "+Prefix+"language", s.form(s.chooseLanguage))
}

// ServeHTTP lets in who may, and answers.
func (s *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy",
		"default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "+
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	r, in := s.admit(w, r)
	if !in {
		return
	}
	w, end := s.compressed.wrap(w, r)
	defer end()
	http.NewCrossOriginProtection().Handler(s.mux).ServeHTTP(w, r)
}

// errNotFound answers 404.
var errNotFound = notFound{"there is no such record"}

// errRole answers 403.
var errRole = errors.New("your role does not allow this; it needs the role operator")

// statusOf gives the status that an error is answered with.
func statusOf(err error) int {
	var missing notFound
	var no refusal
	switch {
	case errors.Is(err, errCutOff):
		return http.StatusBadRequest
	case errors.As(err, &missing):
		return http.StatusNotFound
	case errors.As(err, &no):
		return http.StatusUnprocessableEntity
	case errors.Is(err, errRole):
		return http.StatusForbidden
	}
	return http.StatusServiceUnavailable
}

// notNow is what a person is told of an error that is none of hers: why, where that is known in
// plain words. The log has all of it.
func notNow(err error) string {
	if away, ok := errors.AsType[*journal.ErrUnavailable](err); ok {
		return away.Error()
	}
	return "this is not possible now; the log says why"
}

// page answers with a page, or with the error page.
func (s *Console) page(make func(*http.Request) (view, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := make(r)
		if err != nil {
			v = view{Title: "Not possible", Page: "error", Status: statusOf(err), Data: err.Error()}
			switch v.Status {
			case http.StatusServiceUnavailable:
				v.Title, v.Data = "Not possible now", notNow(err)
				s.c.Log.Error("console page failed", "path", r.URL.Path, "error", err)
			case http.StatusNotFound:
				v.Title = "Not found"
			}
		}
		v.Project, v.Version, v.Now, v.User = s.c.Project, s.c.Version, s.c.Now(), visitor(r)
		v.Path = r.URL.Path
		v.Notice = cmp.Or(v.Notice, notices[r.URL.Query().Get("did")])
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Vary", "Accept-Language, Cookie")
		w.WriteHeader(cmp.Or(v.Status, http.StatusOK))
		if err := s.write(w, s.languageOf(r), v); err != nil {
			s.c.Log.Debug("console page not read to its end", "path", r.URL.Path, "error", err)
		}
	}
}

// fail answers with the error page, and a program with what it understands.
func (s *Console) fail(w http.ResponseWriter, r *http.Request, err error) {
	if strings.HasPrefix(r.URL.Path, APIPrefix) {
		s.apiError(w, r, err)
		return
	}
	s.page(func(*http.Request) (view, error) { return view{}, err })(w, r)
}

// notices are what the page after an action says.
var notices = map[string]string{
	"replay": "Put back in line.", "dismiss": "Dismissed.", "pause": "Paused.", "resume": "Resumed.",
	"run":     "It runs now. What it brings appears as it comes in.",
	"correct": "The correction was taken and is sent now.",
	"upload":  "The file was taken. Its rows appear below as they are read.",
}

// maxForm bounds what a form may send.
const maxForm = 64 << 10

// form reads a form before somebody acts on it.
func (s *Console) form(do http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			http.Error(w, "the form could not be read", http.StatusBadRequest)
			return
		}
		do(w, r)
	}
}

// act does something and leads back to the page it came from.
func (s *Console) act(do func(context.Context, *http.Request) error) http.HandlerFunc {
	return s.form(func(w http.ResponseWriter, r *http.Request) {
		if err := do(r.Context(), r); err != nil {
			s.fail(w, r, err)
			return
		}
		http.Redirect(w, r, comeBack(r, strings.TrimPrefix(r.URL.Path, Prefix)), http.StatusSeeOther)
	})
}

// comeBack gives the page that a form was on, as the browser says, to say there what was done.
func comeBack(r *http.Request, did string) string {
	back := "/"
	if did == "replay" || did == "dismiss" {
		back = Prefix + "failures"
	}
	if from, err := url.Parse(r.Referer()); err == nil && from.Host == r.Host && from.Path != "" {
		if own := local(from.RequestURI()); own != "/" {
			back = own
		}
	}
	u, err := url.Parse(back)
	if err != nil {
		return "/"
	}
	q := u.Query()
	q.Set("did", did)
	u.RawQuery = q.Encode()
	return u.String()
}

// static are the files that every page may load, with their types.
var static = map[string]string{
	"style.css": "text/css; charset=utf-8", "console.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml",
}

// asset answers with a file that is the same for everybody, logged in or not. A browser keeps it
// and asks whether it has changed.
func asset(name, kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		text, err := assets.ReadFile("static/" + name)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		h := w.Header()
		h.Set("Content-Type", kind)
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(text)))
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
	}
}

func (s *Console) pause(_ context.Context, r *http.Request) error {
	return s.pauseNamed(r, control{r.PostFormValue("rule"), r.PostFormValue("server"), r.PostFormValue("why")})
}

func (s *Console) pauseNamed(r *http.Request, x control) error {
	p := controls.Pause{Since: s.c.Now(), Who: who(r), Why: x.Why}
	known := func(k Rule) bool { return x.Rule != "" && k.Name == x.Rule || x.Server != "" && k.Server == x.Server }
	if (x.Rule == "") == (x.Server == "") || !slices.ContainsFunc(s.c.Running.Rules(), known) {
		return refused("there is no such rule or server any more")
	}
	if x.Server != "" {
		return controls.PauseServer(r.Context(), s.c.Journal, x.Server, p)
	}
	return controls.PauseRule(r.Context(), s.c.Journal, x.Rule, p)
}

func (s *Console) resume(_ context.Context, r *http.Request) error {
	return s.resumeNamed(r, control{r.PostFormValue("rule"), r.PostFormValue("server"), r.PostFormValue("why")})
}

// resumeNamed lets a rule or server go on, also one that is gone by now.
func (s *Console) resumeNamed(r *http.Request, x control) error {
	p := controls.Pause{Who: who(r), Why: x.Why}
	if (x.Rule == "") == (x.Server == "") {
		return refused("name a rule or a server")
	}
	if x.Server != "" {
		return controls.ResumeServer(r.Context(), s.c.Journal, x.Server, p)
	}
	return controls.ResumeRule(r.Context(), s.c.Journal, x.Rule, p)
}
