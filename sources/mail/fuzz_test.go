package mail

import (
	"bytes"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/culvert/culvert/sources/remote"
)

// FuzzFileName: whatever a mail calls a file, its name here is one name in one folder.
func FuzzFileName(f *testing.F) {
	f.Add("filename", "../../a.csv", "filename*", "utf-8''%2e%2e%2fa.csv")
	f.Add("filename*0*", "iso-8859-1'en'%E9", "filename*1", "\\..\\b.csv")
	f.Add("name", "=?utf-8?B?Li4vYS5jc3Y=?=", "name*0", "x\x00\u202e.csv")
	f.Fuzz(func(t *testing.T, key1, value1, key2, value2 string) {
		params := map[string]string{strings.ToLower(key1): value1, strings.ToLower(key2): value2}
		bs := &imap.BodyStructureSinglePart{Type: "text", Subtype: "csv", Params: params,
			Extended: &imap.BodyStructureSinglePartExt{Disposition: &imap.BodyStructureDisposition{Params: params}}}
		name := fileName(bs)
		if name == "" {
			return
		}
		if !filepath.IsLocal(name) || filepath.Base(name) != name || strings.ContainsAny(name, "/\\\x00") ||
			!utf8.ValidString(name) || len(name) > 200 {
			t.Errorf("the name is %q", name)
		}
	})
}

// FuzzDecoded: what cannot be decoded is the file's fault, and never more than is let through.
func FuzzDecoded(f *testing.F) {
	f.Add("base64", []byte("aWQK\r\nMQo="))
	f.Add("base64", []byte("aWQ=aWQ="))
	f.Add("quoted-printable", []byte("=C3=A9=\r\n="))
	f.Fuzz(func(t *testing.T, encoding string, text []byte) {
		const most = 64
		out, err := io.ReadAll(decoded(bytes.NewReader(text), encoding, most))
		if _, bad := errors.AsType[*remote.FileError](err); err != nil && !bad {
			t.Errorf("the error is %v", err)
		}
		if len(out) > most {
			t.Errorf("%d bytes came", len(out))
		}
	})
}

// FuzzHeader: a header that cannot be read is of nobody who is let in.
func FuzzHeader(f *testing.F) {
	f.Add([]byte("From: <data@district.example.org>\r\nSubject: =?utf-8?Q?x?=\r\n\r\n"))
	f.Add([]byte("From: a@b.example\r\nFrom: data@district.example.org\r\n"))
	f.Add([]byte("From: =?x?B?!?= <data@district.example.org>, b@c.example\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		rule := &filter{from: []string{district}}
		if h := readHeader(text); rule.lets(h, morning) && !bytes.Contains(bytes.ToLower(text), []byte("district")) {
			t.Errorf("%q is let in", text)
		}
	})
}

// FuzzStructure: whatever a server says of a mail, reading it ends, with files whose names lie here, or a cause.
func FuzzStructure(f *testing.F) {
	f.Add(`("TEXT" "CSV" ("NAME" "a.csv") NIL NIL "7BIT" 3 1 NIL ("attachment" ("filename" "a.csv")) NIL)`)
	f.Add(`(("TEXT" "PLAIN" NIL NIL NIL "7BIT" 3 1)("APPLICATION" "ZIP" ("NAME*" "utf-8''..%2f") NIL NIL "BASE64" 3) "MIXED")`)
	f.Add(`("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 3 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) ("TEXT" "CSV" ("NAME" "b.csv") NIL NIL "7BIT" 3 1) 1)`)
	f.Add(strings.Repeat("(", 2000))
	f.Fuzz(func(t *testing.T, structure string) {
		ours, theirs := net.Pipe()
		go func() {
			_, _ = io.WriteString(theirs, "* PREAUTH [CAPABILITY IMAP4rev1] ready\r\n* 1 FETCH (UID 1 BODYSTRUCTURE "+structure+")\r\nT1 OK\r\n")
			_ = theirs.Close()
		}()
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		client := imapclient.New(ours, nil)
		defer client.Close()
		list, _ := client.Fetch(imap.UIDSetNum(1), &imap.FetchOptions{UID: true,
			BodyStructure: &imap.FetchItemBodyStructure{Extended: true}}).Collect()
		for _, m := range list {
			if m.BodyStructure == nil {
				continue
			}
			c := readStructure(m.BodyStructure, "")
			if len(c.parts) == 0 && c.problem == "" || len(c.parts) > maxFiles {
				t.Errorf("%d files, and the cause is %q", len(c.parts), c.problem)
			}
			for _, p := range c.parts {
				if !filepath.IsLocal(p.name) || filepath.Base(p.name) != p.name {
					t.Errorf("the name is %q", p.name)
				}
			}
		}
	})
}
