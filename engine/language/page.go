package language

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// spoken are the attributes that people read or hear.
var spoken = []string{"aria-label", "data-label", "title", "placeholder", "alt"}

// silent are the elements whose text is no sentence of ours: code, and what people typed.
var silent = []atom.Atom{atom.Code, atom.Pre, atom.Script, atom.Style, atom.Textarea, atom.Kbd, atom.Samp}

// voids have no end tag, so that nothing stands within them.
var voids = []atom.Atom{atom.Area, atom.Base, atom.Br, atom.Col, atom.Embed, atom.Hr, atom.Img, atom.Input, atom.Link,
	atom.Meta, atom.Param, atom.Source, atom.Track, atom.Wbr}

// Page writes a page of HTML in the language: its texts and what its attributes say. Elements with translate="no", and
// code, stay as they are.
func (l *Language) Page(w io.Writer, page []byte) error {
	if l == nil {
		_, err := w.Write(page)
		return err
	}
	var quiet int // elements that are open within one that stays as it is, itself included
	z := html.NewTokenizer(bytes.NewReader(page))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			if err := z.Err(); !errors.Is(err, io.EOF) {
				return fmt.Errorf("read the page that is translated: %w", err)
			}
			return nil
		}
		out := slices.Clone(z.Raw())
		switch kind {
		case html.TextToken:
			if quiet == 0 && len(bytes.TrimSpace(out)) > 0 {
				out = []byte(html.EscapeString(l.shown(html.UnescapeString(string(out)))))
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			within := kind == html.StartTagToken && !slices.Contains(voids, t.DataAtom)
			if within && (quiet > 0 || keeps(t)) {
				quiet++
			}
			if quiet == 0 && l.attributes(&t) {
				out = []byte(t.String())
			}
		case html.EndTagToken:
			quiet = max(quiet-1, 0)
		}
		if _, err := w.Write(out); err != nil {
			return err
		}
	}
}

// shown gives a text of a page in the language, with its lines kept from ending before punctuation.
func (l *Language) shown(english string) string {
	said := l.Text(english)
	if said == english || l.noBreak == nil {
		return said
	}
	return l.noBreak.Replace(said)
}

// keeps tells whether the text within an element stays as it is.
func keeps(t html.Token) bool {
	if slices.Contains(silent, t.DataAtom) {
		return true
	}
	return slices.ContainsFunc(t.Attr, func(a html.Attribute) bool { return a.Key == "translate" && a.Val == "no" })
}

// attributes translates those that people read, and says the page's language; it tells whether anything changed.
func (l *Language) attributes(t *html.Token) bool {
	changed := false
	for i, a := range t.Attr {
		said := a.Val
		switch {
		case a.Key == "lang" && t.DataAtom == atom.Html:
			said = l.Tag
		case slices.Contains(spoken, a.Key):
			said = l.Text(a.Val)
		}
		if said != a.Val {
			t.Attr[i].Val, changed = said, true
		}
	}
	return changed
}
