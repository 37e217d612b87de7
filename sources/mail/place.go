package mail

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
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
	p.session = s
	if err == nil && data.NumMessages > maxMails {
		err = p.tooMany()
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
	p.flags = data.PermanentFlags
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
	uids, ok := uidsOf(found.All)
	if !ok {
		return nil, p.tooMany()
	}
	return uids, nil
}

// uidsOf lists what was found. It is not ok when that is more than a folder may hold: a few bytes of a range can stand
// for four thousand million numbers.
func uidsOf(found imap.NumSet) (uids []imap.UID, ok bool) {
	set, _ := found.(imap.UIDSet)
	for _, r := range set {
		if r.Start == 0 || r.Stop < r.Start || int64(r.Stop-r.Start) >= int64(maxMails-len(uids)) {
			return nil, false
		}
		for uid := r.Start; ; uid++ {
			uids = append(uids, uid)
			if uid == r.Stop {
				break
			}
		}
	}
	return uids, true
}

func (p *place) tooMany() error {
	return fmt.Errorf("the folder %s on %s holds more than %d mails: have the mail server lay those that are taken into "+
		"a folder of their own, and name it as folder of the rule", p.rule.Folder, p.host, maxMails)
}

// headers asks who sent mails, and what they are about.
func (p *place) headers(uids []imap.UID) error {
	section := &imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader, Peek: true,
		HeaderFields: []string{"From", "Subject", "Message-Id"}, Partial: &imap.SectionPartial{Size: maxHeader}}
	p.conn.Bound(maxTold + headersAtOnce*maxHeader)
	list, err := p.collect(p.client.Fetch(imap.UIDSetNum(uids...), &imap.FetchOptions{UID: true, InternalDate: true,
		RFC822Size: true, BodySection: []*imap.FetchItemBodySection{section}}))
	if err != nil {
		return p.problem("read who sent mails", err)
	}
	left := 0
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
			left++
			p.log.Debug("a mail is left where it is: its sender or subject is none of the rule's", "folder", p.rule.Folder,
				"uid", m.UID, "received", m.InternalDate)
		}
	}
	if left > 0 {
		p.log.Info("mails are left where they are: their senders or subjects are none of the rule's", "folder",
			p.rule.Folder, "mails", left, "looked_at", len(list))
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
		m.looked, m.content = true, content{problem: "it cannot be looked into: what it is made of is not understood, as " +
			"the server tells it"}
	}
	return nil
}

// again logs in anew where the connection ended.
func (p *place) again(ctx context.Context) error {
	select {
	case <-p.client.Closed():
	default:
		if !p.broken {
			return nil
		}
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
	list, err := p.collect(p.client.Fetch(imap.UIDSetNum(uids...), &imap.FetchOptions{UID: true,
		BodyStructure: &imap.FetchItemBodyStructure{Extended: true}}))
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
	useless := 0
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
			useless++
		}
		if m.problem != "" && useless <= mostTold {
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
	if more := useless - mostTold; more > 0 {
		items = append(items, remote.Item{Path: "further mails", Of: "further mails", Whole: true,
			Problem: fmt.Sprintf("%d more mails in %s hold nothing that can be taken: give the rule a subject:, or a "+
				"folder: of its own", more, p.rule.Folder)})
	}
	return items
}

// mostTold is of how many mails people are told one by one that nothing can be taken: with all of a domain in from:
// those may be letters that are none of the rule's business.
const mostTold = 20

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
