package mail

import (
	"bufio"
	"bytes"
	"io"
	"mime"
	"net/mail"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/transform"

	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/sources/charset"
)

// anyone stands in from: for all senders.
const anyone = "anyone"

// filter says which mails are read.
type filter struct {
	from    []string // addresses and @domains in small letters, or anyone
	subject string   // in small letters
	since   time.Time
}

func readFilter(c settings.Reader) *filter {
	f := &filter{subject: fold(c.Text("subject")), since: c.Time("since")}
	for _, text := range c.Texts("from") {
		address := strings.ToLower(strings.TrimSpace(text))
		if !isSender(address) {
			c.Wrong(c.Config.Get("from"), "not-allowed", "from names no sender: "+text,
				"write the bare address, such as data@district.example.org, or \"@district.example.org\" for all of a domain")
			continue
		}
		f.from = append(f.from, address)
	}
	if slices.Contains(f.from, anyone) {
		c.Warn(c.Config.Get("from"), "open-mailbox", "files of anybody who knows the address are taken",
			"name the senders, unless nobody but they can write to the mailbox")
	}
	return f
}

// isSender tells whether a text of from: can match a mail.
func isSender(text string) bool {
	if text == anyone {
		return true
	}
	if domain, ok := strings.CutPrefix(text, "@"); ok {
		text = "a@" + domain
	}
	a, err := mail.ParseAddress(text)
	return err == nil && a.Address == text
}

// fold makes texts alike that people read alike: case and white space do not count.
func fold(text string) string { return strings.ToLower(strings.Join(strings.Fields(text), " ")) }

// overlap tells whether two filters may let the same mail through.
func overlap(a, b any) bool {
	f, ok := a.(*filter)
	g, also := b.(*filter)
	if !ok || !also || !strings.Contains(f.subject, g.subject) && !strings.Contains(g.subject, f.subject) {
		return false
	}
	return slices.ContainsFunc(f.from, func(x string) bool {
		return slices.ContainsFunc(g.from, func(y string) bool {
			return x == y || x == anyone || y == anyone || strings.HasPrefix(x, "@") && strings.HasSuffix(y, x) ||
				strings.HasPrefix(y, "@") && strings.HasSuffix(x, y)
		})
	})
}

// header is what is read of the header of a mail.
type header struct {
	sender  string // its address in small letters; empty: there is none, or several
	subject string
	id      string // Message-ID, empty where there is none
}

// readHeader reads the fields that were asked for; what cannot be read is empty.
func readHeader(text []byte) header {
	// What is no header ends it: fields before that hold.
	fields, _ := textproto.NewReader(bufio.NewReader(io.MultiReader(bytes.NewReader(text),
		strings.NewReader("\r\n\r\n")))).ReadMIMEHeader()
	words := &mime.WordDecoder{CharsetReader: decodeCharset}
	h := header{id: strings.TrimSpace(fields.Get("Message-Id"))}
	if froms := fields["From"]; len(froms) == 1 { // of two, programs show one or the other
		list, err := (&mail.AddressParser{WordDecoder: words}).ParseList(froms[0])
		if err == nil && len(list) == 1 {
			h.sender = strings.ToLower(list[0].Address)
		}
	}
	h.subject = fields.Get("Subject")
	if text, err := words.DecodeHeader(h.subject); err == nil {
		h.subject = text
	}
	return h
}

// lets tells whether a mail is read.
func (f *filter) lets(h header, received time.Time) bool {
	if received.Before(f.since) || !strings.Contains(fold(h.subject), f.subject) {
		return false
	}
	at := strings.LastIndexByte(h.sender, '@')
	return slices.Contains(f.from, anyone) ||
		at >= 0 && (slices.Contains(f.from, h.sender) || slices.Contains(f.from, h.sender[at:]))
}

// decodeCharset reads text in a charset that a header names.
func decodeCharset(name string, text io.Reader) (io.Reader, error) {
	enc, ok := charset.Find(name)
	switch {
	case !ok:
		return nil, &charset.Error{Encoding: name}
	case enc == nil:
		return text, nil
	}
	return transform.NewReader(text, enc.NewDecoder()), nil
}
