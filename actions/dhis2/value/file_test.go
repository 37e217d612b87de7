package value

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

var (
	pngBytes  = []byte("\x89PNG\r\n\x1a\nx")
	pngBase64 = base64.StdEncoding.EncodeToString(pngBytes)
)

// TestFiles reads files in the forms in which sources send them, and refuses what is none.
func TestFiles(t *testing.T) {
	text := base64.StdEncoding.EncodeToString([]byte("some plain text"))
	for _, c := range []struct {
		name string
		typ  string
		in   any
		want string // name and type, or ! and a code, or empty for blank
	}{
		{"data URL", "IMAGE", "data:image/png;base64," + pngBase64, "file.png image/png"},
		{"bare base64 of an image", "IMAGE", pngBase64, "file.png image/png"},
		{"without padding, in lines", "IMAGE", pngBase64[:4] + "\n" + strings.TrimRight(pngBase64[4:], "="),
			"file.png image/png"},
		{"object", "FILE_RESOURCE", map[string]any{"name": `C:\scans\report.txt`, "type": "text/plain; charset=utf-8",
			"base64": text}, "report.txt text/plain"},
		{"the wrong type of an image", "IMAGE", map[string]any{"name": "p.jpg", "type": "image/jpg", "base64": pngBase64},
			"p.jpg image/png"},
		{"blank", "IMAGE", " ", ""},
		{"empty object", "IMAGE", map[string]any{"name": "p.jpg", "base64": ""}, ""},
		{"a name", "IMAGE", "1699-photo.jpg", "!file-unreadable"},
		{"a word that is base64", "FILE_RESOURCE", "photo123", "!file-unreadable"},
		{"bare base64 of anything", "FILE_RESOURCE", text, "!file-unreadable"},
		{"a number", "IMAGE", 12.0, "!file-unreadable"},
		{"a URL", "IMAGE", "https://kobo.example.org/media/1.jpg", "!file-unreadable"},
		{"percent encoding", "IMAGE", "data:image/png,%89PNG", "!file-unreadable"},
		{"text as image", "IMAGE", "data:image/png;base64," + text, "!file-wrong-type"},
		{"a page", "FILE_RESOURCE", "data:text/plain;base64," + base64.StdEncoding.EncodeToString([]byte("<html><script>")),
			"!file-wrong-type"},
		{"a program by its name", "FILE_RESOURCE", map[string]any{"name": "setup.exe", "type": "application/pdf",
			"base64": text}, "!file-wrong-type"},
		{"too large", "FILE_RESOURCE", "data:application/pdf;base64," + strings.Repeat("A", MaxFile/3*4+8),
			"!file-too-large"},
		{"far too large", "FILE_RESOURCE", "data:application/pdf;base64," + strings.Repeat("A", 2*MaxFile),
			"!file-too-large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := Kind{Type: c.typ, Files: true}
			r, p := k.Convert(c.in, &Context{})
			got := ""
			switch {
			case p != nil:
				got = "!" + p.Code
			case r.File != nil:
				got = r.File.Name + " " + r.File.Type
				if r.Text != "sha256:"+r.File.Sum || len(r.File.Sum) != 64 {
					t.Errorf("text %q, sum %q", r.Text, r.File.Sum)
				}
			case !r.Blank:
				got = "?"
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func FuzzFile(f *testing.F) {
	f.Add("data:image/png;base64," + pngBase64)
	f.Add(pngBase64)
	f.Add("data:;base64,")
	f.Add("data:text/plain,x")
	f.Fuzz(func(t *testing.T, text string) {
		k := Kind{Type: "FILE_RESOURCE", Files: true}
		for _, in := range []any{text, map[string]any{"name": text, "type": text, "base64": pngBase64}} {
			r, p := k.Convert(in, &Context{})
			if p == nil && !r.Blank && (r.File == nil || len(r.File.Content) == 0 ||
				strings.ContainsAny(r.File.Name, "/\\\"\r\n")) {
				t.Errorf("%q: %+v", in, r)
			}
			if p == nil && r.File != nil && !bytes.Equal(r.File.Content, pngBytes) &&
				strings.Contains(r.File.Name+r.File.Type, "\n") {
				t.Errorf("%q", in)
			}
		}
	})
}
