package studio

import (
	"bytes"
	"io"
	"net/http"
	"time"

	"github.com/culvert/culvert/engine/language"
)

// languageCookie is that of the console: who has chosen there has chosen here.
const languageCookie = "culvert_language"

func (s *Studio) languageOf(r *http.Request) *language.Language {
	if chosen, err := r.Cookie(languageCookie); err == nil {
		if l, ok := language.Find(chosen.Value); ok {
			return l
		}
	}
	if l, ok := language.Accept(r.Header.Get("Accept-Language")); ok {
		return l
	}
	return s.c.Language
}

// write writes a part of a page in the language of a request.
func (s *Studio) write(w io.Writer, r *http.Request, page, part string, data any) error {
	l := s.languageOf(r)
	var b bytes.Buffer
	if err := s.pages[l.Code()][page].ExecuteTemplate(&b, part, data); err != nil {
		s.c.Log.Error("a page cannot be made", "page", page, "error", err)
		return err
	}
	return l.Page(w, b.Bytes())
}

func (s *Studio) chooseLanguage(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	l, ok := language.Find(r.PostFormValue("language"))
	if !ok {
		http.Error(w, "there is no such language", http.StatusBadRequest)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: languageCookie, Value: l.Code(), Path: "/",
		MaxAge: int((365 * 24 * time.Hour).Seconds()), HttpOnly: true, SameSite: http.SameSiteStrictMode})
	http.Redirect(w, r, local(r), http.StatusSeeOther)
}

// choice is a language that can be chosen; Here that of the page.
type choice struct {
	Code, Name string
	Here       bool
}

// languages are those that a page in one of them offers, each by its own name.
func languages(here string) []choice {
	var list []choice
	for _, tag := range language.Tags() {
		other, _ := language.Find(tag)
		list = append(list, choice{tag, other.OwnName(), tag == here})
	}
	return list
}
