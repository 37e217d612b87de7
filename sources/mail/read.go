package mail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/emersion/go-imap/v2"

	"github.com/culvert/culvert/sources/remote"
)

// Open reads a file.
func (p *place) Open(ctx context.Context, item remote.Item, offset int64) (io.ReadCloser, error) {
	l := p.listed[item.Path]
	if l == nil || offset > 0 {
		return nil, remote.ErrChanged
	}
	raw := &chunks{ctx: ctx, place: p, listed: l}
	return &reading{Reader: decoded(raw, l.part.encoding, p.rule.MaxBytes), listed: l}, nil
}

// reading notes what cannot be decoded: it is not fetched again and again.
type reading struct {
	io.Reader
	listed *listed
}

// Read reads.
func (r *reading) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if bad, ok := errors.AsType[*remote.FileError](err); ok {
		m := r.listed.mail
		if m.damaged == nil {
			m.damaged = map[string]string{}
		}
		told := &remote.FileError{Err: fmt.Errorf("%w (%s)", bad.Err, m.called())}
		m.damaged[dotted(r.listed.part.number)] = told.Error()
		return n, told
	}
	return n, err
}

// Close ends nothing.
func (*reading) Close() error { return nil }

const (
	// chunk is how much of a file is asked for at once.
	chunk = 512 << 10
	// mostBreaks is how often a line may break while one chunk is fetched.
	mostBreaks = 3
)

// chunks reads a part of a mail in pieces, so that a line that breaks costs one of them.
type chunks struct {
	ctx    context.Context //nolint:containedctx // of the one fetch that it is made for
	place  *place
	listed *listed
	offset int64
	have   []byte
	ended  bool
}

// Read reads.
func (c *chunks) Read(b []byte) (int, error) {
	for len(c.have) == 0 {
		if c.ended {
			return 0, io.EOF
		}
		if err := c.next(); err != nil {
			return 0, lineError{err}
		}
	}
	n := copy(b, c.have)
	c.have = c.have[n:]
	return n, nil
}

func (c *chunks) next() error {
	for breaks := 0; ; breaks++ {
		text, err := c.place.fetch(c.listed, c.offset)
		if err == nil {
			c.have, c.ended = text, len(text) < chunk
			c.offset += int64(len(text))
			return nil
		}
		_, refused := errors.AsType[*imap.Error](err)
		if refused || breaks == mostBreaks || errors.Is(err, remote.ErrChanged) || c.ctx.Err() != nil {
			return err
		}
		if err := c.place.again(c.ctx); err != nil {
			return err
		}
	}
}

// fetch asks for a piece of a part.
func (p *place) fetch(l *listed, offset int64) ([]byte, error) {
	section := &imap.FetchItemBodySection{Part: l.part.number, Peek: true,
		Partial: &imap.SectionPartial{Offset: offset, Size: chunk}}
	p.conn.Bound(maxTold)
	list, err := p.collect(p.client.Fetch(imap.UIDSetNum(l.mail.uid), &imap.FetchOptions{UID: true,
		BodySection: []*imap.FetchItemBodySection{section}}))
	if err != nil {
		return nil, p.problem("fetch "+l.part.name, err)
	}
	for _, m := range list {
		if m.UID != l.mail.uid {
			continue
		}
		for _, s := range m.BodySection {
			if slices.Equal(s.Section.Part, l.part.number) {
				return s.Bytes[:min(len(s.Bytes), chunk)], nil
			}
		}
	}
	return nil, remote.ErrChanged // it went since it was listed
}
