package rules

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// tidy gives a text as it is meant where it cannot be seen how it is written: letters with their
// accents in one piece (Unicode's form C, which keyboards and DHIS2 write; Macs and some exports
// write the accent apart), and without the invisible signs that marks of encodings, copied phone
// numbers and web pages leave at its ends. Two such texts look alike, and as ids, names and values of
// maps they would be two.
func tidy(s string) string {
	if isASCII(s) {
		return s
	}
	if !norm.NFC.IsNormalString(s) && utf8.ValidString(s) {
		s = norm.NFC.String(s)
	}
	from := strings.TrimLeftFunc(s, isUnseen)
	inner := strings.TrimRightFunc(from, isUnseen)
	before, behind := s[:len(s)-len(from)], from[len(inner):]
	if strings.ContainsFunc(before, isInvisible) || strings.ContainsFunc(behind, isInvisible) {
		return inner
	}
	return s
}

func isUnseen(r rune) bool { return unicode.IsSpace(r) || isInvisible(r) }

// isInvisible tells whether a sign shows nothing and means nothing at the end of a text: the byte
// order mark, the space of no width, the word joiner and the marks of writing direction.
func isInvisible(r rune) bool {
	switch {
	case r == '\uFEFF', r == '\u200B', r == '\u2060', r == '\u200E', r == '\u200F', r == '\u061C',
		r >= '\u202A' && r <= '\u202E', r >= '\u2066' && r <= '\u2069':
		return true
	}
	return false
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
