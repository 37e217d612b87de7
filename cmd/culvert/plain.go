package main

import (
	"bytes"
	"io"
	"unicode/utf8"
)

// plainWriter passes text on without what a terminal would obey: control characters but for line
// ends and tabs, and marks that turn the direction of what follows. Ids, names of files and texts
// of DHIS2 come from outside. The colours that diag writes are let through.
type plainWriter struct {
	to      io.Writer
	colours bool
	rest    []byte // of a character, or of a colour, that the last write ended in
}

// colours are the escape sequences that findings are printed with.
var colours = [][]byte{[]byte("\x1b[1m"), []byte("\x1b[1;31m"), []byte("\x1b[1;33m"), []byte("\x1b[34m"),
	[]byte("\x1b[0m")}

// Write writes a text. It answers for all of it, also for a part that is kept for the next one.
func (w *plainWriter) Write(text []byte) (int, error) {
	in := append(w.rest, text...)
	w.rest = nil
	out := make([]byte, 0, len(in))
	for len(in) > 0 {
		if !utf8.FullRune(in) || w.colours && startsColour(in) {
			w.rest = append([]byte(nil), in...)
			break
		}
		if n := w.colour(in); n > 0 {
			out, in = append(out, in[:n]...), in[n:]
			continue
		}
		r, size := utf8.DecodeRune(in)
		switch {
		case r == '\n' || r == '\t':
			out = append(out, byte(r))
		case r < ' ':
			out = utf8.AppendRune(out, '␀'+r) // its picture
		case r == 0x7f:
			out = utf8.AppendRune(out, '␡')
		case r >= 0x80 && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			out = utf8.AppendRune(out, utf8.RuneError)
		default:
			out = append(out, in[:size]...)
		}
		in = in[size:]
	}
	_, err := w.to.Write(out)
	return len(text), err
}

// colour gives the length of one of our colours at the beginning of a text, 0 when there is none.
func (w *plainWriter) colour(text []byte) int {
	for _, c := range colours {
		if w.colours && bytes.HasPrefix(text, c) {
			return len(c)
		}
	}
	return 0
}

// startsColour tells whether a text is the beginning of one of our colours, and no more.
func startsColour(text []byte) bool {
	for _, c := range colours {
		if len(text) < len(c) && bytes.HasPrefix(c, text) {
			return true
		}
	}
	return false
}

// plain gives a text as a plainWriter without colours writes it.
func plain(text string) string {
	var out bytes.Buffer
	_, _ = (&plainWriter{to: &out}).Write([]byte(text)) // a buffer takes everything
	return out.String()
}
