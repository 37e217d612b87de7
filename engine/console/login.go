package console

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/engine/access"
	"github.com/culvert/culvert/engine/access/oidc"
	"github.com/culvert/culvert/engine/journal"
)

// loginPath is the page on which people log in.
const loginPath = Prefix + "login"

type visitorKey struct{}

// visitor gives the user who asks; only requests that were let in have one.
func visitor(r *http.Request) *access.User {
	u, _ := r.Context().Value(visitorKey{}).(*access.User)
	return u
}

// who names the visitor in the audit trail.
func who(r *http.Request) string {
	switch u := visitor(r); {
	case u == nil:
		return "console"
	case u.Provided:
		return u.Name + " (oidc)"
	default:
		return u.Name + " (console)"
	}
}

// noteLimit bounds how long an entry of the audit trail may take.
const noteLimit = 10 * time.Second

// note writes into the audit trail what a visitor does, also when she has gone meanwhile.
func (s *Console) note(r *http.Request, did, subject string) error {
	ctx, cancel := s.detached(r.Context(), noteLimit)
	defer cancel()
	entry := journal.AuditEntry{At: s.c.Now(), Who: who(r), Did: did, Subject: subject}
	if err := s.c.Journal.Note(ctx, entry); err != nil {
		return fmt.Errorf("note in the audit trail (%s, %s): %w", did, subject, err)
	}
	return nil
}

// admit finds out who asks: by a session, or by a name and password with each request, as programs
// send them. It answers whom it does not let in.
func (s *Console) admit(w http.ResponseWriter, r *http.Request) (*http.Request, bool) {
	user := s.c.Access.Current(r)
	if name, password, ok := r.BasicAuth(); user == nil && ok {
		found, err := s.c.Access.Check(name, password, s.c.From(r))
		var wait *access.ErrThrottled
		if errors.As(err, &wait) {
			tooMany(w, r, wait)
			return nil, false
		}
		user = found
	}
	switch {
	case user != nil:
		return r.WithContext(context.WithValue(r.Context(), visitorKey{}, user)), true
	case forAnybody(r.URL.Path):
		return r, true
	case r.Header.Get("Authorization") != "" || strings.HasPrefix(r.URL.Path, APIPrefix) || r.Method != http.MethodGet:
		w.Header().Set("WWW-Authenticate", `Basic realm="Culvert", charset="UTF-8"`)
		answerPlainly(w, r, http.StatusUnauthorized, "log in first: with the name and password of a user of the console")
	default:
		http.Redirect(w, r, loginPath+"?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
	}
	return nil, false
}

// forAnybody tells whether a path is for people who have not logged in.
func forAnybody(path string) bool {
	return slices.Contains([]string{loginPath, Prefix + "language", oidcLoginPath, oidc.CallbackPath}, path) ||
		static[strings.TrimPrefix(path, Prefix)] != ""
}

func tooMany(w http.ResponseWriter, r *http.Request, wait *access.ErrThrottled) {
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.After.Seconds()))))
	answerPlainly(w, r, http.StatusTooManyRequests, wait.Error())
}

// answerPlainly answers somebody who is not let in.
func answerPlainly(w http.ResponseWriter, r *http.Request, status int, what string) {
	if strings.HasPrefix(r.URL.Path, APIPrefix) {
		apiFail(w, status, what)
		return
	}
	http.Error(w, what, status)
}

// as lets a request on when its visitor has a role.
func as(role access.Role, do http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if u := visitor(r); u == nil || u.Role < role {
			http.Error(w, "your role does not allow this; it needs the role "+role.String(), http.StatusForbidden)
			return
		}
		do(w, r)
	}
}

// loginView is what the log-in page shows.
type loginView struct {
	Next, Failed string
	Nobody       bool
	Provider     string // what people call the identity provider; empty: there is none
	Away         string // an address at the provider to log out there; empty: nobody asked
	Unknown      *unknownView
}

func (s *Console) loginView(next, failed string) view {
	data := loginView{Next: next, Failed: failed, Provider: s.provider()}
	data.Nobody = data.Provider == "" && !s.c.Access.Anybody()
	return view{Title: "Log in", Page: "login", Data: data}
}

func (s *Console) loginPage(r *http.Request) (view, error) {
	v := s.loginView(local(r.URL.Query().Get("next")), "")
	if data, ok := v.Data.(loginView); ok && r.URL.Query().Has("out") && s.c.OIDC != nil {
		data.Away = s.c.OIDC.EndAddress()
		v.Data = data
	}
	return v, nil
}

// refuseLogin shows the log-in page with what was wrong.
func (s *Console) refuseLogin(w http.ResponseWriter, r *http.Request, v view, status int) {
	v.Status = status
	s.page(func(*http.Request) (view, error) { return v, nil })(w, r)
}

// login checks a name and password and begins a session.
func (s *Console) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form could not be read", http.StatusBadRequest)
		return
	}
	next := local(r.PostFormValue("next"))
	user, err := s.c.Access.Check(r.PostFormValue("user"), r.PostFormValue("password"), s.c.From(r))
	failed := "This name and password do not belong together."
	var wait *access.ErrThrottled
	if errors.As(err, &wait) {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.After.Seconds()))))
		failed = wait.Error() + "."
	}
	if user == nil {
		s.refuseLogin(w, r, s.loginView(next, failed), http.StatusUnauthorized)
		return
	}
	s.c.Access.Begin(w, user, byTLS(r))
	s.c.Log.Info("logged in to the console", "user", user.Name, "role", user.Role.String(), "from", s.c.From(r))
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// byTLS tells whether a browser came by TLS, as far as the request says.
func byTLS(r *http.Request) bool { return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" }

func (s *Console) logout(w http.ResponseWriter, r *http.Request) {
	s.c.Access.End(w, r)
	if u := visitor(r); u != nil && u.Provided {
		http.Redirect(w, r, loginPath+"?out", http.StatusSeeOther)
		return
	}
	http.Redirect(w, r, loginPath, http.StatusSeeOther)
}

// local gives a page of this console to go on to, and the first one for all else: a link must not
// lead people elsewhere by way of us.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Host != "" || u.Scheme != "" || strings.ContainsAny(next, "\\\r\n") || next != "/" &&
		!strings.HasPrefix(next, Prefix) || strings.HasPrefix(next, loginPath) || strings.HasPrefix(next, Prefix+"oidc/") {
		return "/"
	}
	return next
}
