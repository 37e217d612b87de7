package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Whoever looks is answered in the language of the browser, or the one that was chosen.
func TestLanguageOfAPage(t *testing.T) {
	srv, _ := fixture(t, Config{})
	for _, c := range []struct{ header, cookie, want string }{
		{"", "", "<h1>Overview</h1>"},
		{"fr-CD,fr;q=0.9", "", "<h1>Aperçu</h1>"},
		{"pt-MZ", "", "<h1>Resumo</h1>"},
		{"sw", "", "<h1>Overview</h1>"},
		{"pt-MZ", "fr", "<h1>Aperçu</h1>"},
		{"pt-MZ", "en", "<h1>Overview</h1>"},
		{"fr", "xx", "<h1>Aperçu</h1>"},
	} {
		_, text, _ := get(t, srv.URL+"/", func(r *http.Request) {
			if c.header != "" {
				r.Header.Set("Accept-Language", c.header)
			}
			if c.cookie != "" {
				r.AddCookie(&http.Cookie{Name: "culvert_language", Value: c.cookie})
			}
		})
		if !strings.Contains(text, c.want) {
			t.Errorf("%q, chosen %q: no %s in\n%s", c.header, c.cookie, c.want, text)
		}
	}
}

func TestChooseALanguage(t *testing.T) {
	srv, _ := fixture(t, Config{})
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for language, want := range map[string]int{"fr": http.StatusSeeOther, "xx": http.StatusBadRequest} {
		r, err := http.NewRequest(http.MethodPost, srv.URL+"/console/language",
			strings.NewReader(url.Values{"language": {language}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want || want == http.StatusSeeOther &&
			!strings.HasPrefix(answer.Header.Get("Set-Cookie"), "culvert_language=fr;") {
			t.Errorf("%s: %s, %v", language, answer.Status, answer.Header)
		}
	}
}
