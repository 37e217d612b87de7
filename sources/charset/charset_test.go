package charset

import (
	"bytes"
	"errors"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

func TestUTF8(t *testing.T) {
	for _, test := range []struct {
		name, in, declared, want, err string
	}{
		{name: "utf-8", in: "Zoé", want: "Zoé"},
		{name: "mark", in: "\xef\xbb\xbfZoé", declared: "windows-1252", want: "Zoé"},
		{name: "undeclared", in: "a\nZo\xe9", err: "not UTF-8: line 2 holds the byte 0xE9"},
		{name: "declared UTF-8", in: "Zo\xe9", declared: "UTF-8", err: "not UTF-8: line 1 holds the byte 0xE9"},
		{name: "declared ASCII that is UTF-8", in: "Zoé", declared: "us-ascii", want: "Zoé"},
		{name: "latin 1", in: "Zo\xe9", declared: "ISO-8859-1", want: "Zoé"},
		{name: "arabic", in: "\xe3\xcd\xe3\xcf", declared: "windows-1256", want: "محمد"},
		{name: "cyrillic", in: "\xc0\xed\xed\xe0", declared: "Windows-1251", want: "Анна"},
		{name: "dos", in: "Jos\x82", declared: "cp850", want: "José"},
		{name: "dos by its IANA name", in: "Jos\x82", declared: "IBM437", want: "José"},
		{name: "mac", in: "Jos\x8e", declared: "macintosh", want: "José"},
		{name: "utf-16 by its mark", in: "\xff\xfeZ\x00o\x00\xe9\x00", want: "Zoé"},
		{name: "utf-16 declared", in: "Z\x00o\x00\xe9\x00", declared: "utf-16le", want: "Zoé"},
		{name: "UTF-8 declared as latin 1", in: "Zoé", declared: "ISO-8859-1", want: "Zoé"},
		{name: "UTF-8 declared as DOS", in: "José", declared: "cp850", want: "José"},
		{name: "UTF-8 declared as Arabic", in: "محمد", declared: "windows-1256", want: "محمد"},
		{name: "hooked letters beside others", in: "Ɗan Bafé", declared: "windows-1252", want: "Ɗan Bafé"},
		{name: "a capital and an ellipsis", in: "ok\nCAF\xc9\x85", declared: "windows-1252",
			err: "in doubt: line 2 reads as windows-1252, which was declared, and as UTF-8"},
		{name: "capitals and quotes", in: "\x93CAF\xc9\x94", declared: "windows-1252", want: "“CAFÉ”"},
		{name: "half a letter at the end", in: "Jo\xc3", declared: "windows-1252", want: "JoÃ"},
		{name: "utf-16 without a mark", in: "{\x00\"\x00a\x00\"\x00:\x001\x00}\x00", want: `{"a":1}`},
		{name: "utf-16 big-endian without a mark", in: "\x00{\x00\"\x00a\x00\"\x00:\x001\x00}", want: `{"a":1}`},
		{name: "not in the encoding", in: "ok\n\xaa", declared: "windows-1253", err: "not windows-1253 at line 2"},
		{name: "unknown", in: "x", declared: "ebcdic-x", err: `in the encoding "ebcdic-x", which is not known`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := UTF8([]byte(test.in), test.declared)
			if test.err != "" {
				if own, ok := errors.AsType[*Error](err); !ok || own.Error() != test.err {
					t.Fatalf("UTF8() error = %v, want %q", err, test.err)
				}
				return
			}
			if err != nil || string(got) != test.want {
				t.Fatalf("UTF8() = %q, %v, want %q", got, err, test.want)
			}
		})
	}
}

func TestLettersInParts(t *testing.T) {
	for _, text := range []string{"a Zoé محمد 😀", "ok CAF\xc9\x85 x", "CAF\xc9 x", "plain"} {
		var whole, parts Letters
		whole.Add([]byte(text))
		for i := range len(text) {
			parts.Add([]byte(text[i : i+1]))
		}
		if whole.Plain() != parts.Plain() || whole.Doubtful() != parts.Doubtful() || whole.first != parts.first {
			t.Errorf("%q: whole %+v, byte by byte %+v", text, whole, parts)
		}
	}
}

func TestWestern(t *testing.T) {
	for _, test := range []struct {
		text string
		enc  *charmap.Charmap
		want bool
	}{
		{"Nom,Prénom\nZoé,André\nl’école à Côte,Noël créée", charmap.Windows1252, true},
		{"João Conceição, N.º 3, 37,5°", charmap.Windows1252, true},
		{"ÉCOLE ÉLÉMENTAIRE, GARÇON", charmap.Windows1252, true},
		{"name\nمحمد\nفاطمة", charmap.Windows1256, false},
		{"name\nАнна\nИван", charmap.Windows1251, false},
		{"nom\nJosé\nZoé", charmap.CodePage850, false},
		{"nom\nJosé\nAndré", charmap.Macintosh, false},
		{"name\nΜαρία", charmap.Windows1253, false},
	} {
		raw, err := test.enc.NewEncoder().Bytes([]byte(test.text))
		if err != nil {
			t.Fatal(err)
		}
		var w Western
		w.Add(raw)
		if w.Plausible() != test.want {
			t.Errorf("%q in %s: plausible = %v (%d likely, %d unlikely)", test.text, test.enc, w.Plausible(), w.likely,
				w.unlikely)
		}
	}
}

func FuzzUTF8(f *testing.F) {
	f.Add([]byte("Zo\xe9"), "windows-1256")
	f.Add([]byte("\xff\xfeZ"), "")
	f.Fuzz(func(t *testing.T, text []byte, declared string) {
		if len(text) > 4096 {
			return
		}
		out, err := UTF8(text, declared)
		if err == nil && !utf8.Valid(out) {
			t.Fatalf("gives what is not UTF-8")
		}
		if err == nil && bytes.Contains(out, lost) && !bytes.Contains(text, lost) {
			t.Fatalf("lost something")
		}
	})
}
