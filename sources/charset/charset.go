// Package charset reads text in the encoding that its sender names, and refuses what is not text in
// it. Nothing that it gives holds U+FFFD in the place of a byte that was not understood.
package charset

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode"
)

// Examples are encodings that a person may have to name, for hints.
const Examples = "utf-8, utf-16le, windows-1252 (Western Europe), windows-1256 (Arabic), windows-1251 (Cyrillic) or " +
	"cp850 (DOS)"

// Common are names of encodings that editors complete; Find knows many more.
var Common = []string{"utf-8", "utf-16le", "windows-1252", "windows-1256", "windows-1251", "cp850"}

// Find gives the encoding of a name as the web or IANA knows it: utf-8, windows-1256, iso-8859-15,
// cp850, macintosh. It is nil for UTF-8. ok is false where no encoding is named so.
func Find(name string) (enc encoding.Encoding, ok bool) {
	name = strings.TrimSpace(name)
	enc, err := htmlindex.Get(name)
	if err != nil || enc == encoding.Replacement {
		enc, err = ianaindex.IANA.Encoding(name)
	}
	switch {
	case err != nil || enc == nil || enc == encoding.Replacement || enc == charmap.XUserDefined:
		return nil, false
	case enc == unicode.UTF8 || strings.EqualFold(name, "us-ascii") || strings.EqualFold(name, "ascii"):
		return nil, true
	}
	return enc, true
}

// Error says why bytes are not text. It holds no text of them.
type Error struct {
	Encoding string // that they were to be in; "" for UTF-8 that nobody declared
	Line     int    // of the first byte that is no text, from 1; 0 when the encoding itself is not known
	Byte     byte
	Doubt    bool // it reads in Encoding and as UTF-8, and nothing says which is meant
}

// Error gives the cause in words that go on from "the body is" or "the file is".
func (e *Error) Error() string {
	switch {
	case e.Line == 0:
		return fmt.Sprintf("in the encoding %q, which is not known", e.Encoding)
	case e.Doubt:
		return fmt.Sprintf("in doubt: line %d reads as %s, which was declared, and as UTF-8", e.Line, e.Encoding)
	case e.Encoding == "" && e.Byte != 0:
		return fmt.Sprintf("not UTF-8: line %d holds the byte 0x%02X", e.Line, e.Byte)
	case e.Encoding == "":
		return fmt.Sprintf("not UTF-8 at line %d", e.Line)
	}
	return fmt.Sprintf("not %s at line %d", e.Encoding, e.Line)
}

var (
	markUTF8    = []byte("\xef\xbb\xbf")
	markUTF16LE = []byte("\xff\xfe")
	markUTF16BE = []byte("\xfe\xff")
	lost        = []byte("\uFFFD")
)

// UTF8 gives text as UTF-8, without a byte order mark. A mark says more than the declared name, and
// so does text that is plainly UTF-8 where a single-byte encoding was declared: servers and forms
// name one by default. With neither, the text must be UTF-8, or UTF-16 by the zeros in it. The error
// is an *Error.
func UTF8(text []byte, declared string) ([]byte, error) {
	var enc encoding.Encoding
	switch {
	case bytes.HasPrefix(text, markUTF8):
		text, declared = text[len(markUTF8):], ""
	case bytes.HasPrefix(text, markUTF16LE):
		text, enc, declared = text[2:], unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "UTF-16"
	case bytes.HasPrefix(text, markUTF16BE):
		text, enc, declared = text[2:], unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), "UTF-16"
	case declared != "":
		found, ok := Find(declared)
		if !ok {
			return nil, &Error{Encoding: shorten(declared)}
		}
		enc = found
		var letters Letters
		letters.Add(text)
		switch {
		case !Mistakable(enc):
		case letters.Plain():
			return text, nil
		case letters.Doubtful():
			return nil, &Error{
				Encoding: shorten(declared),
				Line:     1 + bytes.Count(text[:letters.first], []byte("\n")),
				Doubt:    true,
			}
		}
	default:
		if enc = UnmarkedUTF16(text); enc != nil {
			declared = "UTF-16"
		}
	}
	if enc == nil {
		if at := firstInvalid(text); at >= 0 {
			return nil, &Error{Line: 1 + bytes.Count(text[:at], []byte("\n")), Byte: text[at]}
		}
		return text, nil
	}
	out, err := enc.NewDecoder().Bytes(text)
	if err != nil {
		return nil, &Error{Encoding: shorten(declared), Line: 1}
	}
	if at := bytes.Index(out, lost); at >= 0 {
		return nil, &Error{Encoding: shorten(declared), Line: 1 + bytes.Count(out[:at], []byte("\n"))}
	}
	return out, nil
}

// firstInvalid gives the place of the first byte that is not UTF-8, -1 when there is none.
func firstInvalid(text []byte) int {
	if utf8.Valid(text) {
		return -1
	}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// shorten keeps a foreign name to a length that fits a message.
func shorten(name string) string {
	if len(name) > 40 {
		name = name[:40] + "..."
	}
	return strings.ToValidUTF8(name, "?")
}
