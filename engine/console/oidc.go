package console

import (
	"errors"
	"math"
	"net/http"
	"strconv"

	"github.com/culvert/culvert/engine/access"
	"github.com/culvert/culvert/engine/access/oidc"
)

// oidcLoginPath sends people to the identity provider.
const oidcLoginPath = Prefix + "oidc/login"

// valuesShown bounds how many values of a claim somebody is shown who has no role.
const valuesShown = 50

// unknownView is what somebody is told whom the provider knows and culvert.yaml gives no role.
type unknownView struct {
	Name, Claim string
	Values      []string
}

// provider is what people call the identity provider; empty: there is none.
func (s *Console) provider() string {
	if s.c.OIDC == nil {
		return ""
	}
	return s.c.OIDC.Offered()
}

// oidcLogin sends somebody to the identity provider.
func (s *Console) oidcLogin(w http.ResponseWriter, r *http.Request) {
	next := local(r.URL.Query().Get("next"))
	if s.provider() == "" {
		http.Redirect(w, r, loginPath, http.StatusSeeOther)
		return
	}
	at, err := s.c.OIDC.Begin(w, r, next)
	if err != nil {
		s.oidcFailed(w, r, next, err)
		return
	}
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, at, http.StatusSeeOther)
}

// oidcCallback takes somebody back from the identity provider and begins a session. It answers with
// a page that goes on by itself: a browser that follows a redirect from another site would not send
// the session's cookie, which is for this site alone.
func (s *Console) oidcCallback(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Referrer-Policy", "no-referrer") // the address holds the code
	if s.provider() == "" {
		http.Redirect(w, r, loginPath, http.StatusSeeOther)
		return
	}
	back, err := s.c.OIDC.Return(w, r)
	if err != nil {
		s.oidcFailed(w, r, "/", err)
		return
	}
	next, from := local(back.Next), s.c.From(r)
	attempt, err := s.c.Access.Attempt(from)
	if err != nil {
		s.oidcFailed(w, r, next, err)
		return
	}
	id, err := s.c.OIDC.Redeem(r.Context(), back)
	if err != nil {
		if refused, ok := errors.AsType[*oidc.Error](err); ok && refused.Away {
			attempt.Forgive()
		}
		s.oidcFailed(w, r, next, err)
		return
	}
	user := s.c.Access.BeginProvided(w, id, byTLS(r) || s.c.OIDC.Secure())
	if user == nil {
		s.oidcUnknown(w, r, next, id)
		return
	}
	attempt.Succeeded()
	s.c.Log.Info("logged in to the console", "user", user.Name, "role", user.Role.String(), "from", from,
		"provider", id.Issuer, "subject", id.Subject)
	s.page(func(*http.Request) (view, error) {
		return view{Title: "Logged in", Page: "onward", Onward: next, Data: user}, nil
	})(w, r)
}

// oidcUnknown tells somebody that she has no role here, and what the provider says that could give her one.
func (s *Console) oidcUnknown(w http.ResponseWriter, r *http.Request, next string, id *access.Identity) {
	s.c.Log.Warn("a log-in to the console failed: no role is granted", "user", id.Name, "subject", id.Subject,
		"claim", id.Claim, "values", len(id.Values), "provider", id.Issuer, "from", s.c.From(r))
	v := s.loginView(next, s.provider()+" knows you, but you have no role here.")
	if data, ok := v.Data.(loginView); ok {
		data.Unknown = &unknownView{id.Name, id.Claim, id.Values[:min(len(id.Values), valuesShown)]}
		v.Data = data
	}
	s.refuseLogin(w, r, v, http.StatusForbidden)
}

// oidcFailed shows on the log-in page why nobody was logged in, and writes it into the log.
func (s *Console) oidcFailed(w http.ResponseWriter, r *http.Request, next string, err error) {
	failed, status := "This is not possible now; the log says why.", http.StatusServiceUnavailable
	if wait, ok := errors.AsType[*access.ErrThrottled](err); ok {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.After.Seconds()))))
		failed, status = wait.Error()+".", http.StatusTooManyRequests
	}
	if refused, ok := errors.AsType[*oidc.Error](err); ok {
		failed = refused.Say + "."
		if !refused.Away {
			status = http.StatusUnauthorized
		}
	}
	s.c.Log.Warn("a log-in to the console by the identity provider failed", "from", s.c.From(r), "error", err)
	s.refuseLogin(w, r, s.loginView(next, failed), status)
}
