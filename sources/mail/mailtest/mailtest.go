// Package mailtest has an IMAP server for tests, with one mailbox in memory, and writes the mails that lie in it.
package mailtest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"

	"github.com/culvert/culvert/sources"
)

// The login of every server.
const (
	User     = "data@ministry.example.org"
	Password = "pass-word-7"
)

// Server serves a mailbox, with TLS from the start and with STARTTLS.
type Server struct {
	Address  string // host:port, TLS from the start
	StartTLS string // host:port
	CAFile   string
	Logins   atomic.Int64
	// Break has each connection end once so many bytes were sent to the client; 0: it does not.
	Break atomic.Int64
	// Poison is the UID of a mail of whose structure nobody can be told: the connection ends.
	Poison atomic.Uint32

	mu   sync.Mutex
	user *imapmemserver.User
}

// New starts a server, which ends with the test. Without caps it can do what most can.
func New(t testing.TB, caps ...imap.Cap) *Server {
	t.Helper()
	if caps == nil {
		caps = []imap.Cap{imap.CapIMAP4rev1, imap.CapUIDPlus, imap.CapMove}
	}
	s := &Server{}
	s.Renumber(t)
	certificate := s.certificate(t)
	set := imap.CapSet{}
	for _, c := range caps {
		set[c] = struct{}{}
	}
	server := imapserver.New(&imapserver.Options{
		NewSession: func(c *imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return &session{server: s, conn: c}, nil, nil
		},
		Caps: set, Logger: log.New(io.Discard, "", 0), TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}},
	})
	var served sync.WaitGroup
	listen := func(wrap func(net.Listener) net.Listener) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		served.Go(func() { _ = server.Serve(wrap(&counting{Listener: l, server: s})) })
		return l.Addr().String()
	}
	s.Address = listen(func(l net.Listener) net.Listener {
		return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate}})
	})
	s.StartTLS = listen(func(l net.Listener) net.Listener { return l })
	t.Cleanup(func() {
		_ = server.Close()
		served.Wait()
	})
	return s
}

// session is one login.
type session struct {
	*imapmemserver.UserSession
	server *Server
	conn   *imapserver.Conn
}

// Fetch answers, unless it is asked for what is poisoned.
func (s *session) Fetch(w *imapserver.FetchWriter, set imap.NumSet, options *imap.FetchOptions) error {
	uids, ok := set.(imap.UIDSet)
	if bad := s.server.Poison.Load(); ok && bad > 0 && options.BodyStructure != nil && uids.Contains(imap.UID(bad)) {
		return s.conn.NetConn().Close()
	}
	return s.UserSession.Fetch(w, set, options)
}

// Login lets the one user in.
func (s *session) Login(username, password string) error {
	s.server.mu.Lock()
	user := s.server.user
	s.server.mu.Unlock()
	if username != User || password != Password {
		return imapserver.ErrAuthFailed
	}
	s.server.Logins.Add(1)
	s.UserSession = imapmemserver.NewUserSession(user)
	return nil
}

// Close ends it.
func (s *session) Close() error {
	if s.UserSession == nil {
		return nil
	}
	return s.UserSession.Close()
}

// counting ends connections that have sent what they may.
type counting struct {
	net.Listener
	server *Server
}

// Accept takes a connection.
func (c *counting) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	return &breaking{Conn: conn, server: c.server}, err
}

type breaking struct {
	net.Conn
	server *Server
	sent   atomic.Int64
}

// Write writes, until enough was sent.
func (b *breaking) Write(text []byte) (int, error) {
	if most := b.server.Break.Load(); b.sent.Add(int64(len(text))) > most && most > 0 {
		_ = b.Close()
	}
	return b.Conn.Write(text)
}

func (s *Server) certificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mailtest"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	s.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(s.CAFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Connection is the mailbox as culvert.yaml names it.
func (s *Server) Connection() sources.Connection {
	return sources.Connection{
		Name:     "reports",
		Kind:     "mail",
		URL:      "imaps://" + s.Address,
		Username: User,
		Password: Password,
		Own:      map[string]string{"ca_file": s.CAFile},
	}
}

// Renumber makes the mailbox anew, as a server does whose index was lost: mails that are delivered then have other
// numbers, and the folders another UIDVALIDITY.
func (s *Server) Renumber(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.user
	s.user = imapmemserver.NewUser(User, Password)
	for range 2 { // the second has another UIDVALIDITY
		if err := s.user.Create("INBOX", nil); err != nil {
			t.Fatal(err)
		}
		if before == nil {
			return
		}
		if err := s.user.Delete("INBOX"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.user.Create("INBOX", nil); err != nil {
		t.Fatal(err)
	}
}

// Deliver lays a mail into a folder, which is made where it is not there.
func (s *Server) Deliver(t testing.TB, folder, mail string, received time.Time) {
	t.Helper()
	s.mu.Lock()
	user := s.user
	s.mu.Unlock()
	_ = user.Create(folder, nil) // it may be there
	mail = strings.ReplaceAll(strings.ReplaceAll(mail, "\r\n", "\n"), "\n", "\r\n")
	if _, err := user.Append(folder, &literal{bytes.NewReader([]byte(mail))}, &imap.AppendOptions{Time: received}); err != nil {
		t.Fatal(err)
	}
}

type literal struct{ *bytes.Reader }

// Size is how long it is.
func (l *literal) Size() int64 { return l.Reader.Size() }

// Count gives how many mails lie in a folder that are not marked as deleted; -1 where there is no such folder.
func (s *Server) Count(t testing.TB, folder string, flags ...imap.Flag) int {
	t.Helper()
	s.mu.Lock()
	user := s.user
	s.mu.Unlock()
	session := imapmemserver.NewUserSession(user)
	defer session.Close()
	if _, err := session.Select(folder, &imap.SelectOptions{ReadOnly: true}); err != nil {
		return -1
	}
	found, err := session.Search(imapserver.NumKindUID, &imap.SearchCriteria{NotFlag: []imap.Flag{imap.FlagDeleted},
		Flag: flags}, &imap.SearchOptions{ReturnAll: true})
	if err != nil {
		t.Fatal(err)
	}
	return len(found.AllUIDs())
}

// MoveAll moves the mails of a folder into another one, as a person would.
func (s *Server) MoveAll(t testing.TB, from, to string) {
	t.Helper()
	s.mu.Lock()
	user := s.user
	s.mu.Unlock()
	session := imapmemserver.NewUserSession(user)
	defer session.Close()
	if _, err := session.Select(from, nil); err != nil {
		t.Fatal(err)
	}
	found, err := session.Search(imapserver.NumKindUID, &imap.SearchCriteria{}, &imap.SearchOptions{ReturnAll: true})
	if err != nil {
		t.Fatal(err)
	}
	uids := imap.UIDSetNum(found.AllUIDs()...)
	if _, err := session.Copy(uids, to); err != nil {
		t.Fatal(err)
	}
	if err := session.Store(&imapserver.FetchWriter{}, uids, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true,
		Flags: []imap.Flag{imap.FlagDeleted}}, nil); err != nil {
		t.Fatal(err)
	}
}

// Attachment is a file in a mail.
type Attachment struct {
	Header  string // lines of its own, such as Content-Type; empty: made of the name
	Name    string
	Content string
	Plain   bool // as it is, without base64
}

// Mail is a mail with files.
type Mail struct {
	ID, From, Subject string
	Files             []Attachment
}

// String writes the mail.
func (m Mail) String() string {
	const mark = "=-culvert-mark"
	var lines []string
	if m.ID != "" {
		lines = append(lines, "Message-ID: <"+m.ID+">")
	}
	for _, field := range [][]string{{"From", m.From}, {"To", User}, {"Subject", m.Subject}} {
		lines = append(lines, strings.Join(field, ": "))
	}
	lines = append(lines, "MIME-Version: 1.0",
		`Content-Type: multipart/mixed; boundary="`+mark+`"`, "", "--"+mark, "Content-Type: text/plain", "", "See below.")
	for _, f := range m.Files {
		header := f.Header
		if header == "" {
			header = `Content-Type: application/octet-stream; name="` + f.Name + `"` + "\n" +
				`Content-Disposition: attachment; filename="` + f.Name + `"`
		}
		text := f.Content
		if !f.Plain {
			header += "\nContent-Transfer-Encoding: base64"
			parts := slices.Collect(slices.Chunk([]byte(base64.StdEncoding.EncodeToString([]byte(f.Content))), 76))
			text = string(bytes.Join(parts, []byte("\n")))
		}
		lines = append(lines, "--"+mark, header, "", text)
	}
	return strings.Join(append(lines, "--"+mark+"--", ""), "\n")
}
