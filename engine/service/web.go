package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/culvert/culvert/engine/access"
	"github.com/culvert/culvert/engine/access/oidc"
	"github.com/culvert/culvert/engine/console"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/sources/webhook"
)

func (s *Service) listen(c *project.Config) error {
	addr, err := c.Listen.Resolve()
	if err != nil {
		return err
	}
	if s.listener, err = net.Listen("tcp", addr); err != nil {
		if errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.Errno(10048)) /* as Windows says it */ {
			return fmt.Errorf("another program listens on %s already: end it (a second `culvert run` of this project?), or "+
				"choose another port with listen: in culvert.yaml", addr)
		}
		return fmt.Errorf("listen on %s (listen: in culvert.yaml): %w", addr, err)
	}
	return nil
}

// serve answers webhooks, the console, /health, /ready and /metrics until ctx ends.
func (s *Service) serve(ctx context.Context) error {
	c, err := s.console(ctx.Done())
	if err != nil {
		return err
	}
	metrics := promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{})
	srv := &http.Server{
		Handler:           s.handler(c, metrics),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       2 * time.Minute,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(s.listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainWeb)
	defer cancel()
	err = srv.Shutdown(stop)
	<-failed
	return err
}

// handler divides the paths: Culvert's own, which webhook.Reserved keeps free of rules, and those of webhooks.
func (s *Service) handler(c http.Handler, metrics http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		switch own := path == "/health" || path == "/ready" || path == "/metrics"; {
		case own && r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "nothing is taken at this path; it is only read", http.StatusMethodNotAllowed)
		case path == "/health":
			s.health(w, r)
		case path == "/ready":
			s.ready(w, r)
		case path == "/metrics":
			metrics.ServeHTTP(w, r)
		case path == "/" || strings.HasPrefix(path+"/", console.Prefix) || strings.HasPrefix(path, console.APIPrefix):
			c.ServeHTTP(w, r)
		default:
			s.callers(path).ServeHTTP(w, r)
		}
	})
}

// callers gives the source whose path it is; one that says that there is none where it is nobody's.
func (s *Service) callers(path string) http.Handler {
	answering := http.NotFoundHandler()
	for _, live := range s.standing {
		if answering = live; live.Serves(path) {
			break
		}
	}
	return answering
}

// health answers 200 while this runner does its work, and 503 with the reason when it cannot.
// Failed records are for people: see status.
func (s *Service) health(w http.ResponseWriter, _ *http.Request) {
	answer := struct {
		OK     bool   `json:"ok"`
		Reason string `json:"reason,omitempty"`
		// Conditions need a person and stop nothing but what they name: a broken rule file, a setting
		// that waits for a new start.
		Conditions []string `json:"conditions,omitempty"`
	}{OK: true, Conditions: s.runner.Conditions()}
	if err := s.runner.Health(); err != nil {
		answer.OK, answer.Reason = false, err.Error()
	}
	if !s.taking() {
		answer.OK, answer.Reason = false, "it is starting or stopping"
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !answer.OK {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(answer) // the caller is gone when this fails
}

// ready answers 200 while records are taken, whatever the servers they are for do: they wait in the journal.
func (s *Service) ready(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if !s.taking() {
		http.Error(w, "it is starting or stopping", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("records are taken\n")) // the caller is gone when this fails
}

// console makes the web console of the run.
func (s *Service) console(done <-chan struct{}) (*console.Console, error) {
	guard := access.New(s.consoleUsers, s.o.Log, nil)
	provider, err := oidc.New(s.consoleOIDC, nil)
	if err != nil {
		return nil, err
	}
	guard.Grant(provider.Role)
	if !guard.Anybody() && provider.Offered() == "" {
		s.o.Log.Warn("nobody may log in to the console yet: run `culvert user add NAME` in the project's folder, or set " +
			"console_users in " + project.ConfigFile)
	}
	return console.New(console.Config{
		Journal: s.journal, Running: &inspection{Service: s}, Log: s.o.Log, Version: s.o.Version,
		Project: s.current.Load().Config.Project, Access: guard, OIDC: provider,
		Done: done, Language: s.language,
		From: func(r *http.Request) string { return webhook.Caller(r, s.current.Load().Config.Proxies).String() },
	})
}

// consoleUsers lists who may log in to the console now: those of culvert.yaml, then those whom
// `culvert user` has added. One whose secret is missing cannot.
func (s *Service) consoleUsers() []access.User {
	c := s.current.Load().Config
	var users []access.User
	add := func(name string, password project.Text, role access.Role) {
		v, err := password.Resolve()
		if err != nil || v == "" || name == "" {
			s.o.Log.Warn("a user of the console cannot log in: the password is missing", "user", name, "error", err)
			return
		}
		users = append(users, access.User{Name: name, Role: role, Password: v})
	}
	if a := c.Console; a != nil {
		name, err := a.Username.Resolve()
		if err != nil {
			s.o.Log.Warn("the user of console_auth cannot log in", "error", err)
		}
		add(name, a.Password, access.Admin)
	}
	for _, u := range c.ConsoleUsers {
		if role, err := access.ParseRole(u.Role); err == nil { // the schema lets no other through
			add(u.Name, u.Password, role)
		}
	}
	kept, err := access.Read(filepath.Join(s.o.Dir, c.StateDir, project.UsersFile))
	if err != nil {
		s.o.Log.Error("the users of the console cannot be read", "error", err)
	}
	return append(users, kept...)
}
