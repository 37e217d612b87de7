package console

import (
	"bytes"
	"io"
	"net/http"
	"net/url"

	"github.com/culvert/culvert/engine/language"
)

// languageOf gives the language of a page: the one that was chosen, else what the browser likes, else the project's.
func (s *Console) languageOf(r *http.Request) *language.Language {
	if l, ok := language.Of(r); ok {
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
	if !language.Choose(w, r) {
		return
	}
	back := "/"
	if from, err := url.Parse(r.Referer()); err == nil && from.Host == r.Host {
		back = local(from.RequestURI())
	}
	http.Redirect(w, r, back, http.StatusSeeOther)
}
