// Package sftptest has an SFTP server for tests: a folder of the disk behind a login.
package sftptest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/culvert/culvert/sources"
)

// The login of every server.
const (
	User     = "ministry"
	Password = "pass-word-7"
)

// Server serves a folder.
type Server struct {
	Root    string // the folder
	Address string // host:port
	HostKey string // as in host_key
	Logins  atomic.Int64

	// Break has each connection end once so many bytes were sent to the client; 0: it does not.
	Break atomic.Int64
	// ClientKey is a private key that is let in, in PEM.
	ClientKey string

	config *ssh.ServerConfig
	mu     sync.Mutex
	open   map[net.Conn]bool
	served sync.WaitGroup
}

// New starts a server, which ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{Root: t.TempDir(), open: map[net.Conn]bool{}}
	_, hostSigner := key(t)
	client, clientSigner := key(t)
	s.ClientKey = client
	s.HostKey = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(hostSigner.PublicKey())))
	s.config = &ssh.ServerConfig{
		PasswordCallback: func(c ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if c.User() == User && string(password) == Password {
				return nil, nil
			}
			return nil, errors.New("refused")
		},
		PublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if c.User() == User && string(key.Marshal()) == string(clientSigner.PublicKey().Marshal()) {
				return nil, nil
			}
			return nil, errors.New("refused")
		},
	}
	s.config.AddHostKey(hostSigner)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Address = l.Addr().String()
	s.served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.open[conn] = true
			s.mu.Unlock()
			s.served.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		s.Cut()
		s.served.Wait()
	})
	return s
}

// Connection is a connection of culvert.yaml to the server.
func (s *Server) Connection() sources.Connection {
	return sources.Connection{Name: "partner", Kind: "sftp", URL: "sftp://" + s.Address, Username: User,
		Password: Password,
		Own:      map[string]string{"host_key": s.HostKey}}
}

// Cut ends all connections.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		_ = c.Close()
	}
}

// Write writes a file into a folder, whole at once.
func (s *Server) Write(t testing.TB, name, text string) {
	t.Helper()
	at := filepath.Join(s.Root, filepath.FromSlash(name))
	if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o750), os.WriteFile(at, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// Names lists what lies in a folder.
func (s *Server) Names(t testing.TB, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.Root, folder))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

func key(t testing.TB) (string, ssh.Signer) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), signer
}

func (s *Server) serve(raw net.Conn) {
	defer func() {
		_ = raw.Close()
		s.mu.Lock()
		delete(s.open, raw)
		s.mu.Unlock()
	}()
	conn, channels, requests, err := ssh.NewServerConn(&breaking{Conn: raw, left: s.Break.Load()}, s.config)
	if err != nil {
		return
	}
	s.Logins.Add(1)
	s.served.Go(func() { ssh.DiscardRequests(requests) })
	for c := range channels {
		channel, in, err := c.Accept()
		if err != nil {
			break
		}
		s.served.Go(func() {
			for r := range in {
				_ = r.Reply(r.Type == "subsystem" && string(r.Payload[4:]) == "sftp", nil)
			}
		})
		server, err := sftp.NewServer(channel, sftp.WithServerWorkingDirectory(s.Root))
		if err != nil {
			break
		}
		if err := server.Serve(); err != nil && !errors.Is(err, io.EOF) {
			break
		}
		_ = server.Close()
	}
	_ = conn.Close()
}

// breaking ends after so many bytes were written to it.
type breaking struct {
	net.Conn
	left int64
}

// Write writes.
func (b *breaking) Write(text []byte) (int, error) {
	if b.left == 0 {
		return b.Conn.Write(text)
	}
	if b.left -= int64(len(text)); b.left <= 0 {
		_ = b.Close()
		return 0, io.ErrClosedPipe
	}
	return b.Conn.Write(text)
}
