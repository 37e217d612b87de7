package mail

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"

	"github.com/culvert/culvert/sources/remote"
)

// lineError is what keeps a mail from coming: no file is at fault.
type lineError struct{ error }

// Unwrap gives the cause.
func (e lineError) Unwrap() error { return e.error }

// known tells whether a file's encoding is one that is read.
func knownEncoding(name string) bool {
	switch name {
	case "", "7bit", "8bit", "binary", "base64", "quoted-printable":
		return true
	}
	return false
}

// decoded reads what a mail holds in an encoding, at most so many bytes. Of what from gives, lineErrors are given as
// they are; all else that goes wrong is of the file.
func decoded(from io.Reader, encoding string, most int64) io.Reader {
	d := &decoder{from: from, left: most, most: most}
	switch encoding {
	case "base64":
		d.from = base64.NewDecoder(base64.StdEncoding, &alphabet{from: from})
	case "quoted-printable":
		d.from = quotedprintable.NewReader(from)
	}
	return d
}

type decoder struct {
	from       io.Reader
	left, most int64
}

// Read reads; the error is a *remote.FileError where the file is at fault.
func (d *decoder) Read(b []byte) (int, error) {
	n, err := d.from.Read(b)
	if d.left -= int64(n); d.left < 0 {
		return 0, &remote.FileError{Err: fmt.Errorf("it has more than %d MB, the most that is taken: raise max_bytes of the "+
			"rule, or have it sent in parts", d.most>>20)}
	}
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	if line, ok := errors.AsType[lineError](err); ok {
		return n, line.error
	}
	return n, &remote.FileError{Err: errors.New("it was damaged on its way, and ends early or holds what does not " +
		"belong there: have it sent again")}
}

// alphabet lets base64 through without the white space in it, and nothing that comes after its end.
type alphabet struct {
	from  io.Reader
	ended bool // the padding came
}

// Read reads; the error is errJunk where there is what is no base64.
func (a *alphabet) Read(b []byte) (int, error) {
	for {
		n, err := a.from.Read(b)
		kept := 0
		for _, c := range b[:n] {
			switch {
			case strings.IndexByte(" \t\r\n", c) >= 0:
				continue
			case a.ended && c != '=':
				return 0, errJunk
			case c == '=':
				a.ended = true
			}
			b[kept] = c
			kept++
		}
		if kept > 0 || err != nil || len(b) == 0 {
			return kept, err
		}
	}
}

var errJunk = errors.New("what is no base64")
