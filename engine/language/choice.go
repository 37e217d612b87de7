package language

import (
	"net/http"
	"time"
)

// cookie holds the language that somebody chose in place of the browser's: who has chosen in the
// console has chosen in the studio.
const cookie = "culvert_language"

// Of gives the language of a page for a request: the one that was chosen, else what the browser likes.
func Of(r *http.Request) (l *Language, ok bool) {
	if chosen, err := r.Cookie(cookie); err == nil {
		if l, ok := Find(chosen.Value); ok {
			return l, true
		}
	}
	return Accept(r.Header.Get("Accept-Language"))
}

// Choose keeps the language that a posted form names for a year. One that there is not is refused
// here, and ok is false.
func Choose(w http.ResponseWriter, r *http.Request) (ok bool) {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	l, ok := Find(r.PostFormValue("language"))
	if !ok {
		http.Error(w, "there is no such language", http.StatusBadRequest)
		return false
	}
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: l.Code(), Path: "/", MaxAge: int((365 * 24 * time.Hour).Seconds()),
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode})
	return true
}

// Choice is a language that can be chosen; Here that of the page.
type Choice struct {
	Code, Name string
	Here       bool
}

// Choices are the languages that a page in one of them offers, each by its own name.
func Choices(here *Language) []Choice {
	var list []Choice
	for _, tag := range Tags() {
		other, _ := Find(tag)
		list = append(list, Choice{tag, other.OwnName(), other == here})
	}
	return list
}
