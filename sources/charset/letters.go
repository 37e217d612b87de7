package charset

import (
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// Mistakable tells whether text in UTF-8 reads as an encoding without an error, and wrong: é becomes Ã©.
func Mistakable(enc encoding.Encoding) bool {
	_, single := enc.(*charmap.Charmap)
	return single
}

// Letters tells text in UTF-8 from text in an encoding with one byte for each letter. In those a
// capital with an accent and a sign of punctuation behind it, É and … or a closing quote, are the bytes
// of a letter between U+0180 and U+02AF; nobody writes pairs of the bytes of all other letters.
type Letters struct {
	plain, doubtful bool
	invalid         bool
	first           int // place of the first doubtful letter
	read            int
	rest            []byte // the beginning of a letter, at the end of what was added
}

// Add takes the next bytes of the text.
func (l *Letters) Add(text []byte) {
	if l.invalid {
		return
	}
	if len(l.rest) > 0 {
		text = append(l.rest, text...)
		l.rest = nil
	}
	for i := 0; i < len(text); {
		if text[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		switch {
		case size == 1 && !utf8.FullRune(text[i:]):
			l.rest = append([]byte(nil), text[i:]...)
			l.read += i
			return
		case size == 1:
			l.invalid = true
			return
		case r < 0x180 || r > 0x2AF:
			l.plain = true
		case !l.doubtful:
			l.doubtful, l.first = true, l.read+i
		}
		i += size
	}
	l.read += len(text)
}

// Plain tells whether the text is UTF-8 with letters beyond ASCII, and nothing else.
func (l *Letters) Plain() bool { return l.valid() && l.plain }

// Doubtful tells whether the text may be UTF-8, and may as well be in a single-byte encoding.
func (l *Letters) Doubtful() bool { return l.valid() && l.doubtful && !l.plain }

func (l *Letters) valid() bool { return !l.invalid && len(l.rest) == 0 }

// UnmarkedUTF16 recognises UTF-16 without a mark by the beginning of a text: of Latin letters and of
// delimiters every second byte is zero, which no text in another encoding holds. It is nil for all else.
func UnmarkedUTF16(head []byte) encoding.Encoding {
	n := min(len(head), 1024) &^ 1
	if n < 8 {
		return nil
	}
	var even, odd int
	for i := 0; i < n; i += 2 {
		if head[i] == 0 {
			even++
		}
		if head[i+1] == 0 {
			odd++
		}
	}
	switch half := n / 2; {
	case odd > half*6/10 && even == 0:
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	case even > half*6/10 && odd == 0:
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	}
	return nil
}
