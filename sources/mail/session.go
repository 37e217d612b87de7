package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"

	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/remote"
)

const (
	dialTime = 30 * time.Second
	// maxTold bounds what comes while a server tells something short.
	maxTold = 16 << 20
	inbox   = "INBOX"
)

// session is one login.
type session struct {
	host   string
	conn   *remote.Conn
	client *imapclient.Client
	delim  rune // between the folders of a path there
	stop   func() bool
	broken bool // it ended while something was read
}

// address is where a server listens.
type address struct {
	host, port string
	tls        bool // from the start
}

// addressOf reads imaps://host:993, imap://host:143, or host.
func addressOf(text string) (address, error) {
	if !strings.Contains(text, "://") {
		text = "imaps://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "imaps" && u.Scheme != "imap":
		return address{}, errors.New("the address is none of an IMAP server: write it as imaps://host")
	case u.User != nil:
		return address{}, errors.New("the address holds a user: write username: and password: beside it")
	case strings.Trim(u.Path, "/") != "":
		return address{}, errors.New("the address holds a folder: write it as folder: of the rule")
	}
	a := address{host: u.Hostname(), port: u.Port(), tls: u.Scheme == "imaps"}
	if a.port == "" {
		a.port = map[bool]string{true: "993", false: "143"}[a.tls]
	}
	return a, nil
}

// here tells whether an address is of this machine: nobody reads along there.
func (a address) here() bool {
	ip := net.ParseIP(a.host)
	return a.host == "localhost" || ip != nil && ip.IsLoopback()
}

// connect logs in. Errors name the host, and no secret.
func connect(ctx context.Context, c sources.Connection) (*session, error) {
	at, err := addressOf(c.URL)
	if err != nil {
		return nil, err
	}
	// A token is asked for in a time of its own.
	login, err := loginOf(ctx, c)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	s, err := at.dial(ctx, c)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.conn.Close() })
	defer stop()
	if err := s.login(login); err != nil {
		s.close()
		return nil, err
	}
	if s.delim, err = s.delimiter(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// dial connects, protected from those who read along.
func (a address) dial(ctx context.Context, c sources.Connection) (*session, error) {
	pool, err := remote.Authorities(c)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: pool, ServerName: a.host, MinVersion: tls.VersionTLS12}
	options := &imapclient.Options{TLSConfig: config, WordDecoder: &mime.WordDecoder{CharsetReader: decodeCharset}}
	raw, err := a.reach(ctx)
	if err != nil {
		return nil, err
	}
	s := &session{host: a.host, conn: raw}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	raw.Bound(maxTold)
	if a.tls {
		secured := tls.Client(raw, config)
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = raw.Close() // it is of no use
			return nil, remote.Unreached(net.JoinHostPort(a.host, a.port), err)
		}
		s.client = imapclient.New(secured, options)
		return s, a.greeted(s)
	}
	if a.here() {
		s.client = imapclient.New(raw, options)
		if err := a.greeted(s); err != nil {
			return nil, err
		}
		if !s.client.Caps().Has(imap.CapStartTLS) {
			return s, nil
		}
		s.close() // TLS is begun on a fresh connection
		if raw, err = a.reach(ctx); err != nil {
			return nil, err
		}
		stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
		defer stop()
		s.conn = raw
		raw.Bound(maxTold)
	}
	if s.client, err = imapclient.NewStartTLS(raw, options); err != nil {
		_ = raw.Close() // it is of no use
		return nil, fmt.Errorf("begin TLS with %s, as imap:// needs it: %w", a.host, said(err))
	}
	return s, nil
}

func (a address) reach(ctx context.Context) (*remote.Conn, error) {
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(a.host, a.port))
	if err != nil {
		return nil, remote.Unreached(net.JoinHostPort(a.host, a.port), err)
	}
	return &remote.Conn{Conn: raw}, nil
}

func (a address) greeted(s *session) error {
	if err := s.client.WaitGreeting(); err != nil {
		s.close()
		return fmt.Errorf("speak to %s: %w; is this an IMAP server, and imaps:// or imap:// right?", a.host, said(err))
	}
	return nil
}

// close logs out. What is said at the end does not matter.
func (s *session) close() {
	if s.stop != nil {
		s.stop()
	}
	_ = s.client.Close()
}

// login shows who calls.
func (s *session) login(l login) error {
	caps := s.client.Caps()
	var err error
	switch {
	case s.client.State() == imap.ConnStateAuthenticated:
		return nil
	case l.token != "":
		err = s.client.Authenticate(&xoauth2{user: l.username, token: l.token})
	case caps.Has(imap.AuthCap(sasl.Plain)):
		err = s.client.Authenticate(sasl.NewPlainClient("", l.username, l.password))
	case caps.Has(imap.CapLoginDisabled):
		return fmt.Errorf("%s lets nobody in with a password: use token_url of the connection", s.host)
	default:
		err = s.client.Login(l.username, l.password).Wait()
	}
	if _, refused := errors.AsType[*imap.Error](err); refused {
		return fmt.Errorf("%s does not let this user in: check username and password; many providers want an app "+
			"password, or OAuth (token_url), and that IMAP is switched on: %w", s.host, said(err))
	}
	if err != nil {
		return fmt.Errorf("log in to %s: %w", s.host, err)
	}
	return nil
}

// delimiter asks for the sign between the folders of a path.
func (s *session) delimiter() (rune, error) {
	list, err := s.client.List("", "", nil).Collect()
	if err != nil {
		return 0, fmt.Errorf("ask %s for its folders: %w", s.host, said(err))
	}
	if len(list) == 0 || list[0].Delim == 0 {
		return '/', nil
	}
	return list[0].Delim, nil
}

// nameOf is the name over there of a folder that a rule names.
func nameOf(folder string, delim rune) string {
	folder = strings.Trim(folder, "/")
	first, rest, deeper := strings.Cut(folder, "/")
	if strings.EqualFold(first, inbox) {
		if folder = inbox; deeper {
			folder += "/" + rest
		}
	}
	return strings.ReplaceAll(folder, "/", string(delim))
}

// open opens a folder.
func (s *session) open(folder string, readOnly bool) (*imap.SelectData, error) {
	data, err := s.client.Select(nameOf(folder, s.delim), &imap.SelectOptions{ReadOnly: readOnly}).Wait()
	if _, refused := errors.AsType[*imap.Error](err); refused {
		return nil, fmt.Errorf("the folder %s of the mailbox on %s cannot be opened: make it there, or correct folder: of "+
			"the rule: %w", folder, s.host, said(err))
	}
	if err != nil {
		return nil, fmt.Errorf("open the folder %s on %s: %w", folder, s.host, err)
	}
	return data, nil
}

// longestSaid bounds what is given of a server's words.
const longestSaid = 200

// said gives what a server answered, in a form that is fit for a log.
func said(err error) error {
	answer, ok := errors.AsType[*imap.Error](err)
	if !ok {
		return err
	}
	text := strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return -1
	}, strings.ToValidUTF8(answer.Text, ""))
	if len(text) > longestSaid {
		text = strings.ToValidUTF8(text[:longestSaid], "")
	}
	return fmt.Errorf("it says %q", strings.TrimSpace(string(answer.Type)+" "+text))
}

// collect reads what is fetched. It does without Collect of the client, which takes what a line that broke has left of
// a text for the whole, and reads on in it while the client ends the connection.
func (s *session) collect(cmd *imapclient.FetchCommand) ([]*imapclient.FetchMessageBuffer, error) {
	var list []*imapclient.FetchMessageBuffer
	for m := cmd.Next(); m != nil; m = cmd.Next() {
		got := &imapclient.FetchMessageBuffer{SeqNum: m.SeqNum}
		for item := m.Next(); item != nil; item = m.Next() {
			switch item := item.(type) {
			case imapclient.FetchItemDataUID:
				got.UID = item.UID
			case imapclient.FetchItemDataInternalDate:
				got.InternalDate = item.Time
			case imapclient.FetchItemDataRFC822Size:
				got.RFC822Size = item.Size
			case imapclient.FetchItemDataBodyStructure:
				got.BodyStructure = item.BodyStructure
			case imapclient.FetchItemDataBodySection:
				if item.Literal == nil {
					continue
				}
				text, err := io.ReadAll(item.Literal)
				if err == nil && int64(len(text)) != item.Literal.Size() {
					err = io.ErrUnexpectedEOF // the line broke, which is no end of a file
				}
				if err != nil {
					s.broken = true // nothing more is read from it
					_ = s.conn.Close()
					return nil, err
				}
				got.BodySection = append(got.BodySection, imapclient.FetchBodySectionBuffer{Section: item.Section, Bytes: text})
			}
		}
		list = append(list, got)
	}
	return list, cmd.Close()
}
