package sources

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Mentions tells whether a text names an external id: holds it other than as a part of a longer
// number or word, which is somebody else's. The text may be JSON, whose escapes are no letters of a
// word.
func Mentions(text, id string) bool {
	if id == "" {
		return false
	}
	first, _ := utf8.DecodeRuneInString(id)
	last, _ := utf8.DecodeLastRuneInString(id)
	for at := 0; ; {
		n := strings.Index(text[at:], id)
		if n < 0 {
			return false
		}
		from, to := at+n, at+n+len(id)
		before, _ := utf8.DecodeLastRuneInString(text[:from])
		after, _ := utf8.DecodeRuneInString(text[to:])
		if (!sameWord(before, first) || escaped(text[:from])) && !sameWord(last, after) {
			return true
		}
		at = from + 1
	}
}

// sameWord tells whether two neighbours are of one number or one word.
func sameWord(a, b rune) bool {
	return unicode.IsDigit(a) && unicode.IsDigit(b) || unicode.IsLetter(a) && unicode.IsLetter(b)
}

// escaped tells whether a text ends with an escape of JSON, such as \n or \u003c.
func escaped(text string) bool {
	n := len(text)
	return n >= 2 && text[n-2] == '\\' || n >= 6 && text[n-6:n-4] == `\u`
}
