package mail

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"

	"github.com/emersion/go-imap/v2"

	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/remote"
)

// place is the folder of a rule in a mailbox.
type place struct {
	*session
	connection sources.Connection
	rule       *remote.Rule
	filter     *filter
	log        *slog.Logger
	known      *folder
	listed     map[string]*listed // by path
	flags      []imap.Flag        // that mails may be given there
}

// listed is a file that was listed.
type listed struct {
	mail *message
	part part
}

// login connects, and opens the folder.
func (p *place) login(ctx context.Context) error {
	s, err := connect(ctx, p.connection)
	if err != nil {
		return err
	}
	s.stop = context.AfterFunc(ctx, func() { _ = s.conn.Close() })
	data, err := s.open(p.rule.Folder, p.rule.After == remote.Leave || p.rule.After == "")
	if err == nil && data.UIDValidity == 0 {
		err = fmt.Errorf("the folder %s on %s does not number its mails so that they are known again", p.rule.Folder, s.host)
	}
	if err == nil && data.NumMessages > maxMails {
		err = fmt.Errorf("the folder %s on %s holds more than %d mails: have the mail server lay those that are taken into a "+
			"folder of their own, and name it in folder:", p.rule.Folder, s.host, maxMails)
	}
	if err != nil {
		s.close()
		return err
	}
	if p.known.validity != data.UIDValidity {
		if p.known.validity != 0 {
			p.log.Info("the mail server numbers its mails anew; they are known by what they are", "folder", p.rule.Folder)
		}
		p.known.validity, p.known.mails = data.UIDValidity, map[imap.UID]*message{}
	}
	p.session, p.flags = s, data.PermanentFlags
	return nil
}

// Close logs out.
func (p *place) Close() error {
	p.close()
	return nil
}

const (
	// maxMails bounds the mails of one folder.
	maxMails = 20_000
	// headersAtOnce and structuresAtOnce are of how many mails is asked in one request.
	headersAtOnce    = 200
	structuresAtOnce = 50
	// maxHeader bounds what is read of the header of a mail, in bytes.
	maxHeader = 16 << 10
)

// Keywords that mails are given with after: flag.
const (
	keywordDone   imap.Flag = "CulvertDone"
	keywordFailed imap.Flag = "CulvertFailed"
)

// List gives the files in the mails that the rule reads.
func (p *place) List(ctx context.Context) ([]remote.Item, error) {
	uids, err := p.search()
	if err != nil {
		return nil, err
	}
	there := make(map[imap.UID]bool, len(uids))
	var fresh []imap.UID
	for _, uid := range uids {
		there[uid] = true
		if p.known.mails[uid] == nil {
			fresh = append(fresh, uid)
		}
	}
	for uid := range p.known.mails {
		if !there[uid] {
			delete(p.known.mails, uid)
		}
	}
	for part := range slices.Chunk(fresh, headersAtOnce) {
		if err := p.headers(part); err != nil {
			return nil, err
		}
	}
	if err := p.look(ctx); err != nil {
		return nil, err
	}
	return p.items(), nil
}

// search gives the mails that are neither deleted nor marked as done.
func (p *place) search() ([]imap.UID, error) {
	not := []imap.Flag{imap.FlagDeleted}
	if p.rule.After == remote.Flag {
		not = append(not, keywordDone, keywordFailed)
	}
	p.conn.Bound(maxTold)
	found, err := p.client.UIDSearch(&imap.SearchCriteria{NotFlag: not}, nil).Wait()
	if err != nil {
		return nil, p.problem("look into the folder", err)
	}
	return found.AllUIDs(), nil
}

// headers asks who sent mails, and what they are about.
func (p *place) headers(uids []imap.UID) error {
	section := &imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader, Peek: true,
		HeaderFields: []string{"From", "Subject", "Message-Id"}, Partial: &imap.SectionPartial{Size: maxHeader}}
	p.conn.Bound(maxTold + headersAtOnce*maxHeader)
	list, err := p.client.Fetch(imap.UIDSetNum(uids...), &imap.FetchOptions{UID: true, InternalDate: true,
		RFC822Size: true, BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	if err != nil {
		return p.problem("read who sent mails", err)
	}
	for _, m := range list {
		if len(m.BodySection) == 0 || !slices.Contains(uids, m.UID) {
			continue // gone since, or of something else
		}
		h := readHeader(m.BodySection[0].Bytes)
		id := h.id
		if id == "" {
			id = fmt.Sprintf("%d %d %s %s", m.InternalDate.Unix(), m.RFC822Size, h.sender, h.subject)
		}
		sum := sha256.Sum256([]byte(id))
		p.known.mails[m.UID] = &message{uid: m.UID, received: m.InternalDate, key: hex.EncodeToString(sum[:10]),
			read: p.filter.lets(h, m.InternalDate)}
		if !p.known.mails[m.UID].read {
			p.log.Info("a mail is left where it is: its sender or subject is none of the rule's", "folder", p.rule.Folder,
				"uid", m.UID, "received", m.InternalDate)
		}
	}
	return nil
}

// look asks what the mails hold of which it is not known.
func (p *place) look(ctx context.Context) error {
	var unknown []imap.UID
	for uid, m := range p.known.mails {
		if m.read && !m.looked {
			unknown = append(unknown, uid)
		}
	}
	slices.Sort(unknown)
	for part := range slices.Chunk(unknown, structuresAtOnce) {
		if err := p.structures(part); err == nil {
			continue
		}
		if err := p.lookOneByOne(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// lookOneByOne finds the mail whose structure cannot be read as the server tells it, so that it keeps nobody from the
// others: such an answer ends a connection.
func (p *place) lookOneByOne(ctx context.Context, uids []imap.UID) error {
	for _, uid := range uids {
		m := p.known.mails[uid]
		if m == nil || m.looked {
			continue
		}
		err := p.again(ctx)
		if err == nil {
			err = p.structures([]imap.UID{uid})
		}
		if err == nil {
			continue
		}
		if err := p.again(ctx); err != nil {
			return err // it is the line
		}
		if err := p.client.Noop().Wait(); err != nil {
			return p.problem("look into the folder", err)
		}
		m.looked, m.content = true, content{problem: "it cannot be looked into: what it is made of is not understood, as the " +
			"server tells it"}
	}
	return nil
}

// again logs in anew where the connection ended.
func (p *place) again(ctx context.Context) error {
	select {
	case <-p.client.Closed():
	default:
		return nil
	}
	validity := p.known.validity
	p.close()
	if err := p.login(ctx); err != nil {
		return err
	}
	if p.known.validity != validity {
		return remote.ErrChanged
	}
	return nil
}

// structures asks what mails are made of.
func (p *place) structures(uids []imap.UID) error {
	p.conn.Bound(maxTold)
	list, err := p.client.Fetch(imap.UIDSetNum(uids...), &imap.FetchOptions{UID: true,
		BodyStructure: &imap.FetchItemBodyStructure{Extended: true}}).Collect()
	if err != nil {
		return p.problem("read what mails are made of", err)
	}
	for _, got := range list {
		if m := p.known.mails[got.UID]; m != nil && got.BodyStructure != nil {
			m.looked, m.content = true, readStructure(got.BodyStructure, p.rule.Glob)
		}
	}
	return nil
}

// items lists the files that are known. Of two mails with one Message-ID the one that came first has it.
func (p *place) items() []remote.Item {
	var items []remote.Item
	uids := make([]imap.UID, 0, len(p.known.mails))
	for uid := range p.known.mails {
		uids = append(uids, uid)
	}
	slices.Sort(uids)
	keys := map[string]int{}
	for _, uid := range uids {
		m := p.known.mails[uid]
		if !m.read || !m.looked {
			continue
		}
		key := m.key
		if keys[m.key]++; keys[m.key] > 1 {
			key += "-" + strconv.Itoa(keys[m.key])
		}
		if m.problem != "" {
			items = append(items, remote.Item{Path: key, Of: key, Written: m.received, Whole: true,
				Problem: fmt.Sprintf("%s: %s", m.called(), m.problem)})
			p.listed[key] = &listed{mail: m}
		}
		for _, f := range m.parts {
			item := p.item(m, f)
			item.Path, item.Of = key+"/"+dotted(f.number)+"/"+f.name, key
			p.listed[item.Path] = &listed{mail: m, part: f}
			items = append(items, item)
		}
	}
	return items
}

// called names a mail for people who look for it in the mailbox.
func (m *message) called() string {
	return "the mail of " + m.received.UTC().Format("2006-01-02 15:04") + " UTC"
}

func (p *place) item(m *message, f part) remote.Item {
	item := remote.Item{Name: f.name, Size: -1, Written: m.received, Whole: true,
		Version: fmt.Sprintf("%d.%d", p.known.validity, m.uid)}
	size := f.size
	if f.encoding == "base64" {
		size = size / 4 * 3 // without its line ends it is a little less
	}
	switch why := m.damaged[dotted(f.number)]; {
	case why != "":
		item.Problem = fmt.Sprintf("file %s cannot be taken: %s", f.name, why)
	case !knownEncoding(f.encoding):
		item.Problem = fmt.Sprintf("file %s cannot be taken: it is in the encoding %q, which is not read; have it sent by "+
			"another program (%s)", f.name, f.encoding, m.called())
	case size > p.rule.MaxBytes+p.rule.MaxBytes/16:
		item.Size = size
	}
	return item
}

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
	list, err := p.client.Fetch(imap.UIDSetNum(l.mail.uid), &imap.FetchOptions{UID: true,
		BodySection: []*imap.FetchItemBodySection{section}}).Collect()
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

func (p *place) problem(doing string, err error) error {
	if p.conn.TooMuch() {
		return fmt.Errorf("%s: %s sends more than it should", doing, p.host)
	}
	if answer, ok := errors.AsType[*imap.Error](err); ok {
		return fmt.Errorf("%s on %s: %w", doing, p.host, &refused{answer, said(err).Error()})
	}
	return fmt.Errorf("%s on %s: %w", doing, p.host, err)
}

// refused is an answer of a server in a form that is fit for a log.
type refused struct {
	answer *imap.Error
	text   string
}

// Error says it.
func (r *refused) Error() string { return r.text }

// Unwrap gives the answer.
func (r *refused) Unwrap() error { return r.answer }
