package tabular

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources/charset"
)

var (
	bomUTF8    = []byte("\xef\xbb\xbf")
	bomUTF16LE = []byte("\xff\xfe")
	bomUTF16BE = []byte("\xfe\xff")
)

// textEncoding is how the bytes of a text file are read.
type textEncoding struct {
	decoder encoding.Encoding // nil: UTF-8, taken as it is
	bom     bool              // the file began with a UTF-8 byte order mark
	skip    int               // bytes of the mark
	mixed   bool              // found out that it is mostly, but not all, UTF-8
}

// findEncoding reads a text from its beginning to its end, or as far as needed, to say how it is encoded.
//
// Exports of spreadsheets carry no mark of their encoding: what is valid UTF-8 throughout is UTF-8;
// what has bytes that are not, no multi-byte UTF-8 at all, and reads as Western European is
// Windows-1252; what has both is UTF-8 with damaged rows, which are reported one by one. All else
// is refused until the rule declares an encoding: Arabic or DOS text read as Windows-1252 would be
// wrong and look right.
func findEncoding(open opener, declared, place string) (textEncoding, error) {
	r, err := open()
	if err != nil {
		return textEncoding{}, err
	}
	defer r.Close()
	buf := make([]byte, 64<<10)
	n, err := io.ReadFull(r, buf)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return textEncoding{}, err
	}
	head := buf[:n]
	if n == 0 {
		return textEncoding{}, emptyFile(place)
	}
	// A mark says more than a declaration: files of failed rows carry one whatever the original was in.
	switch {
	case bytes.HasPrefix(head, bomUTF8):
		return textEncoding{bom: true, skip: 3}, nil
	case bytes.HasPrefix(head, bomUTF16LE):
		return textEncoding{decoder: unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), skip: 2}, nil
	case bytes.HasPrefix(head, bomUTF16BE):
		return textEncoding{decoder: unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), skip: 2}, nil
	}
	if declared != "" {
		return declaredEncoding(declared, io.MultiReader(bytes.NewReader(head), r), place)
	}
	if enc := charset.UnmarkedUTF16(head); enc != nil {
		return textEncoding{decoder: enc}, nil
	}
	if !isText(head[:min(n, 4096)]) {
		return textEncoding{}, &FileError{Problem: diag.Problem{Place: diag.Place{File: place},
			Message: "it is not a text file",
			Hint:    "export it again as CSV in UTF-8, or as xlsx"}}
	}
	return scanUTF8(io.MultiReader(bytes.NewReader(append([]byte(nil), head...)), r), buf, place)
}

// declaredEncoding is the one that the rule names, but UTF-8 where a file is plainly in that: one
// folder takes files that several programs have written, and a file may be saved anew.
func declaredEncoding(declared string, text io.Reader, place string) (textEncoding, error) {
	enc, ok := charset.Find(declared)
	if !ok {
		return textEncoding{}, &FileError{Problem: diag.Problem{Place: diag.Place{File: place},
			Message: fmt.Sprintf("no encoding is named %q", declared),
			Hint:    "use " + charset.Examples}}
	}
	if !charset.Mistakable(enc) {
		return textEncoding{decoder: enc}, nil // nil for UTF-8
	}
	var letters charset.Letters
	if _, err := io.Copy(lettersWriter{&letters}, text); err != nil {
		return textEncoding{}, err
	}
	switch {
	case letters.Plain():
		return textEncoding{}, nil
	case letters.Doubtful():
		return textEncoding{}, &FileError{Problem: diag.Problem{Place: diag.Place{File: place},
			Message: fmt.Sprintf("it reads as %s, which the rule declares, and as UTF-8", declared),
			Hint:    "save it as CSV UTF-8 with a byte order mark, as Excel does"}}
	}
	return textEncoding{decoder: enc}, nil
}

// lettersWriter has the letters of what is written to it judged.
type lettersWriter struct{ *charset.Letters }

func (w lettersWriter) Write(text []byte) (int, error) {
	w.Add(text)
	return len(text), nil
}

// isText tells text with a damaged row or two from what is no text: most of its lines, or its
// first, hold bytes that no text has.
func isText(head []byte) bool {
	lines, bad := 0, 0
	for line := range bytes.Lines(head) {
		damaged := bytes.ContainsFunc(line, func(r rune) bool {
			return r < ' ' &&
				!strings.ContainsRune("\t\r\n\f\v\x1a\x1b", r)
		})
		if damaged && lines == 0 {
			return false
		}
		lines++
		if damaged {
			bad++
		}
	}
	return bad*2 <= lines
}

func scanUTF8(r io.Reader, buf []byte, place string) (textEncoding, error) {
	var bad, multi bool
	var western charset.Western
	kept := 0
	for {
		n, err := r.Read(buf[kept:])
		chunk := buf[:kept+n]
		if !multi {
			western.Add(chunk[kept:])
		}
		kept = 0
		if utf8.Valid(chunk) {
			multi = multi || hasHighByte(chunk)
		} else {
			for len(chunk) > 0 {
				if chunk[0] < utf8.RuneSelf {
					chunk = chunk[1:]
					continue
				}
				if !utf8.FullRune(chunk) && err == nil {
					kept = copy(buf, chunk)
					break
				}
				_, size := utf8.DecodeRune(chunk)
				if size == 1 {
					bad = true
				} else {
					multi = true
				}
				chunk = chunk[size:]
			}
		}
		if bad && multi {
			return textEncoding{mixed: true}, nil
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return textEncoding{}, err
		}
	}
	if bad && !western.Plausible() {
		return textEncoding{}, &FileError{Problem: diag.Problem{Place: diag.Place{File: place},
			Message: "it is not in UTF-8, and its letters fit no Western European encoding",
			Hint: "save it as CSV UTF-8, or declare what it is in: encoding: windows-1256 (Arabic), windows-1251 (Cyrillic), " +
				"cp850 (DOS) or macintosh"}}
	}
	if bad {
		return textEncoding{decoder: charmap.Windows1252}, nil
	}
	return textEncoding{}, nil
}

func hasHighByte(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return true
		}
	}
	return false
}

// text opens the content as UTF-8, without its mark.
func (e textEncoding) text(open opener) (io.ReadCloser, error) {
	r, err := open()
	if err != nil {
		return nil, err
	}
	if e.skip > 0 {
		if _, err := io.CopyN(io.Discard, r, int64(e.skip)); err != nil {
			r.Close()
			return nil, err
		}
	}
	if e.decoder == nil {
		return r, nil
	}
	return struct {
		io.Reader
		io.Closer
	}{transform.NewReader(r, e.decoder.NewDecoder()), r}, nil
}

func emptyFile(place string) error {
	return &FileError{Problem: diag.Problem{Place: diag.Place{File: place}, Message: "the file is empty",
		Hint: "export it again and check that it was written to its end"}}
}
