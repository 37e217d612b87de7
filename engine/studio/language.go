package studio

import (
	"bytes"
	"io"
	"net/http"

	"github.com/culvert/culvert/engine/language"
)

func (s *Studio) languageOf(r *http.Request) *language.Language {
	if l, ok := language.Of(r); ok {
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
	if language.Choose(w, r) {
		http.Redirect(w, r, local(r), http.StatusSeeOther)
	}
}
