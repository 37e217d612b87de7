package console

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/culvert/culvert/engine/language"
)

// languageCookie holds the language that somebody chose in place of the browser's.
const languageCookie = "culvert_language"

// languageOf gives the language of a page: the one that was chosen, else what the browser likes, else the project's.
func (s *Console) languageOf(r *http.Request) *language.Language {
	if chosen, err := r.Cookie(languageCookie); err == nil {
		if l, ok := language.Find(chosen.Value); ok {
			return l
		}
	}
	if l, ok := language.Accept(r.Header.Get("Accept-Language")); ok {
		return l
	}
	if s.c.Language != nil {
		return s.c.Language()
	}
	return nil
}

// write writes a page in a language.
func (s *Console) write(w io.Writer, l *language.Language, v view) error {
	page := s.pages[l.Code()][v.Page]
	if l == nil {
		return page.Execute(w, v)
	}
	var b bytes.Buffer
	if err := page.Execute(&b, v); err != nil {
		return err
	}
	return l.Page(w, b.Bytes())
}

// chooseLanguage keeps what somebody chooses for a year, and leads back.
func (s *Console) chooseLanguage(w http.ResponseWriter, r *http.Request) {
	l, ok := language.Find(r.FormValue("language"))
	if !ok {
		http.Error(w, "there is no such language", http.StatusBadRequest)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: languageCookie, Value: l.Code(), Path: "/", MaxAge: int((365 * 24 * time.Hour).Seconds()),
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode})
	back := "/"
	if from, err := url.Parse(r.Referer()); err == nil && from.Host == r.Host {
		back = local(from.RequestURI())
	}
	http.Redirect(w, r, back, http.StatusSeeOther)
}

// languages are those that a page offers, each by its own name.
func languages(l *language.Language) []choice {
	var list []choice
	for _, tag := range language.Tags() {
		other, _ := language.Find(tag)
		list = append(list, choice{Code: tag, Name: other.OwnName(), Here: other == l})
	}
	return list
}

// choice is a language that can be chosen.
type choice struct {
	Code, Name string
	Here       bool
}
