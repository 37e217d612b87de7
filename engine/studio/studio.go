// Package studio serves whoever writes rules, in a browser on the same machine: a rule as a table of
// what DHIS2 wants, what the rule says and what that comes to for a sample, beside the text of its
// file. What it knows of rules is what the language server knows, and so what validate says.
package studio

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/culvert/culvert/engine/console"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/language"
	"github.com/culvert/culvert/engine/lsp"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/internal/pages"
)

//go:embed templates/*.html static
var assets embed.FS

// Config is what the studio needs.
type Config struct {
	Dir     string // of the project
	Loader  *project.Loader
	Version string
	Log     *slog.Logger
	// Addresses are the hosts, with ports, that browsers may ask for; any other is refused.
	Addresses []string
	Language  *language.Language // for browsers that name none that there is; nil: English
	Now       func() time.Time
	// Journal opens the project's journal for as long as do reads it; nil: there is none.
	Journal func(ctx context.Context, do func(journal.Journal) error) error
	Who     string // in the audit trail
}

// Studio serves the pages of one project.
type Studio struct {
	c     Config
	local *lsp.Local
	root  *os.Root // of the project: nothing is written outside of it
	guard *guard
	pages map[string]map[string]*template.Template // by the code of a language, and by name
	mux   *http.ServeMux

	mu    sync.Mutex
	forms map[string]knownForm // that were read, by file and xmlns
}

// New makes a studio. It must be closed.
func New(c Config) (*Studio, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	root, err := os.OpenRoot(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("open the project: %w", err)
	}
	guard, err := newGuard(c.Addresses)
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	s := &Studio{c: c, root: root, guard: guard, mux: http.NewServeMux(),
		local: lsp.NewLocal(lsp.Options{Loader: c.Loader, Version: c.Version, Log: c.Log}, c.Dir),
		pages: map[string]map[string]*template.Template{}}
	for _, tag := range language.Tags() {
		l, _ := language.Find(tag)
		if s.pages[tag], err = parse(l); err != nil {
			return nil, errors.Join(err, root.Close())
		}
	}
	s.routes()
	return s, nil
}

// Close lets go of the project's folder.
func (s *Studio) Close() error { return s.root.Close() }

// Path is where a browser begins: it holds the token by which it is let in.
func (s *Studio) Path() string { return "/?token=" + s.guard.token }

// parse reads the pages as they are shown in a language.
func parse(l *language.Language) (map[string]*template.Template, error) {
	return pages.Parse(assets, "sheet", functions,
		template.FuncMap{"languages": func() []language.Choice { return language.Choices(l) }})
}

func (s *Studio) routes() {
	s.mux.HandleFunc("GET /{$}", s.page(s.overview))
	s.mux.HandleFunc("GET /rule/{file...}", s.page(s.rule))
	s.mux.HandleFunc("GET /new", s.page(s.begin))
	s.mux.HandleFunc("POST /new", s.beginRule)
	s.mux.HandleFunc("POST /check", s.answer(s.check))
	s.mux.HandleFunc("POST /complete", s.answer(s.complete))
	s.mux.HandleFunc("POST /received", s.answer(s.received))
	s.mux.HandleFunc("POST /take", s.answer(s.take))
	s.mux.HandleFunc("POST /tests", s.answer(s.tests))
	s.mux.HandleFunc("POST /record", s.answer(s.record))
	s.mux.HandleFunc("POST /sent", s.answer(s.sent))
	s.mux.HandleFunc("POST /save", s.answer(s.save))
	s.mux.HandleFunc("POST /language", s.chooseLanguage)
	for name, kind := range static {
		s.mux.HandleFunc("GET /static/"+name, asset(name, kind))
	}
}

// ServeHTTP lets in who has the token, and answers.
func (s *Studio) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	nonce := newNonce()
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self' 'nonce-"+nonce+"'; script-src 'self'; "+
		"connect-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if !s.guard.admit(w, r) {
		return
	}
	r = r.WithContext(context.WithValue(r.Context(), nonceKey{}, nonce))
	http.NewCrossOriginProtection().Handler(s.mux).ServeHTTP(w, r)
}

// script is the type of a script.
const script = "text/javascript; charset=utf-8"

// static are the files that pages load, with their types.
var static = map[string]string{
	"style.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml", "studio.css": "text/css; charset=utf-8",
	"studio.js": script, "table.js": script, "proposals.js": script, "morph.js": script, "difference.js": script,
	"editor.js":           script,
	"editor.licences.txt": "text/plain; charset=utf-8",
}

// asset answers with a file of the studio, or of the console's look. A browser keeps it and asks
// whether it has changed.
func asset(name, kind string) http.HandlerFunc {
	text, err := assets.ReadFile("static/" + name)
	if err != nil {
		text, err = console.Look(name)
	}
	tag := etag(text)
	return func(w http.ResponseWriter, r *http.Request) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		h := w.Header()
		h.Set("Content-Type", kind)
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
	}
}

// view is what every page gets.
type view struct {
	Title, Project, Version, Page, Nonce, Path string
	Status                                     int // 0: 200
	Data                                       any
}

// page answers with a page, or with the error page.
func (s *Studio) page(make func(*http.Request) (view, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := make(r)
		if err != nil {
			v = view{Title: "Not possible", Page: "error", Status: http.StatusUnprocessableEntity, Data: err.Error()}
			if errors.Is(err, fs.ErrNotExist) {
				v.Title, v.Status, v.Data = "Not found", http.StatusNotFound, "there is no such rule in this project"
			}
		}
		v.Project, v.Version, v.Path = s.name(r.Context()), s.c.Version, r.URL.Path
		v.Nonce, _ = r.Context().Value(nonceKey{}).(string)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Vary", "Accept-Language, Cookie")
		if v.Status != 0 {
			w.WriteHeader(v.Status)
		}
		if err := s.write(w, r, v.Page, "layout.html", v); err != nil {
			s.c.Log.Debug("page not read to its end", "path", r.URL.Path, "error", err)
		}
	}
}

// name gives what the project is called.
func (s *Studio) name(ctx context.Context) (name string) {
	// A project that cannot be read is told of on the page.
	_ = s.local.Project(ctx, nil, func(p *project.Project) error {
		if p.Config != nil {
			name = p.Config.Project
		}
		return nil
	})
	if name == "" {
		name = path.Base(strings.ReplaceAll(s.c.Dir, `\`, "/"))
	}
	return name
}
