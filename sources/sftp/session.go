package sftp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/remote"
)

const dialTime = 30 * time.Second

// session is one login.
type session struct {
	host  string
	conn  *remote.Conn
	ssh   *ssh.Client
	files *sftp.Client
	stop  func() bool
}

// connect logs in. Errors name the host, and no secret.
func connect(ctx context.Context, c sources.Connection) (*session, error) {
	host, address, err := addressOf(c.URL)
	if err != nil {
		return nil, err
	}
	known, algorithms, err := hostKey(c, address)
	if err != nil {
		return nil, err
	}
	auth, err := logins(c)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, remote.Unreached(address, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	under := &remote.Conn{Conn: raw}
	conn, channels, requests, err := ssh.NewClientConn(under, address, &ssh.ClientConfig{
		User: c.Username, Auth: auth, HostKeyCallback: known, HostKeyAlgorithms: algorithms, Timeout: dialTime,
		ClientVersion: "SSH-2.0-culvert",
	})
	if err != nil {
		_ = raw.Close() // it is of no use
		return nil, loginError(host, err)
	}
	s := &session{host: host, conn: under, ssh: ssh.NewClient(conn, channels, requests)}
	if s.files, err = sftp.NewClient(s.ssh); err != nil {
		_ = s.ssh.Close() // it is of no use
		return nil, fmt.Errorf("%s does not offer SFTP to this user: %w", host, err)
	}
	return s, nil
}

// Close logs out. What is said at the end does not matter.
func (s *session) Close() error {
	if s.stop != nil {
		s.stop()
	}
	_ = s.files.Close()
	_ = s.ssh.Close()
	return nil
}

// addressOf reads sftp://host:22, or host:22.
func addressOf(text string) (host, address string, err error) {
	if !strings.Contains(text, "://") {
		text = "sftp://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "sftp" && u.Scheme != "ssh":
		return "", "", errors.New("the address is none of an SFTP server: write it as sftp://host:22")
	case u.User != nil:
		return "", "", errors.New("the address holds a user: write username: and password: beside it")
	case strings.Trim(u.Path, "/") != "":
		return "", "", errors.New("the address holds a folder: write it as folder: of the rule")
	}
	port := u.Port()
	if port == "" {
		port = "22"
	}
	return u.Hostname(), net.JoinHostPort(u.Hostname(), port), nil
}

func logins(c sources.Connection) ([]ssh.AuthMethod, error) {
	var list []ssh.AuthMethod
	if text := c.Own["private_key"]; text != "" {
		key, err := ssh.ParsePrivateKey([]byte(text + "\n"))
		if _, locked := errors.AsType[*ssh.PassphraseMissingError](err); locked && c.Own["passphrase"] != "" {
			key, err = ssh.ParsePrivateKeyWithPassphrase([]byte(text+"\n"), []byte(c.Own["passphrase"]))
		}
		if _, locked := errors.AsType[*ssh.PassphraseMissingError](err); locked {
			return nil, errors.New("the private key is locked: add passphrase: ${NAME}")
		}
		if err != nil {
			return nil, errors.New("the private key, or its passphrase, cannot be used: it must be the private part, in the " +
				"format of OpenSSH or PEM")
		}
		list = append(list, ssh.PublicKeys(key))
	}
	if c.Password != "" {
		list = append(list, ssh.Password(c.Password), ssh.KeyboardInteractive(
			func(_, _ string, questions []string, echos []bool) ([]string, error) {
				answers := make([]string, len(questions))
				for i := range questions {
					if !echos[i] { // what is not shown while it is typed is the password
						answers[i] = c.Password
					}
				}
				return answers, nil
			}))
	}
	return list, nil
}

// hostKey gives what tells whether a server is the one that is meant, and the kinds of keys that it is known by.
func hostKey(c sources.Connection, address string) (ssh.HostKeyCallback, []string, error) {
	if file := c.Own["known_hosts"]; file != "" {
		if !filepath.IsAbs(file) {
			file = filepath.Join(c.Dir, filepath.FromSlash(file))
		}
		check, err := knownhosts.New(file)
		if err != nil {
			return nil, nil, fmt.Errorf("known_hosts cannot be read: %w", err)
		}
		return func(host string, remote net.Addr, key ssh.PublicKey) error {
			err := check(host, remote, key)
			if wrong, ok := errors.AsType[*knownhosts.KeyError](err); ok {
				return &unknownKey{found: key, changed: len(wrong.Want) > 0}
			}
			return err
		}, algorithmsOf(check, address), nil
	}
	text := strings.TrimSpace(c.Own["host_key"])
	if strings.HasPrefix(text, "SHA256:") {
		return func(_ string, _ net.Addr, key ssh.PublicKey) error {
			if ssh.FingerprintSHA256(key) != strings.TrimRight(text, "=") {
				return &unknownKey{found: key, changed: true}
			}
			return nil
		}, nil, nil
	}
	want, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil {
		return nil, nil, errors.New(
			`host_key is neither a public key ("ssh-ed25519 AAAA...") nor a fingerprint ("SHA256:...")`,
		)
	}
	return func(_ string, _ net.Addr, key ssh.PublicKey) error {
		if !bytes.Equal(key.Marshal(), want.Marshal()) {
			return &unknownKey{found: key, changed: true}
		}
		return nil
	}, algorithmsFor(want.Type()), nil
}

// algorithmsOf asks known hosts for the kinds of keys that they know of an address: the server is asked for one of
// those, though it may have others.
func algorithmsOf(check ssh.HostKeyCallback, address string) (list []string) {
	err := check(address, &net.TCPAddr{}, nobody{})
	wrong, ok := errors.AsType[*knownhosts.KeyError](err)
	if !ok {
		return nil
	}
	for _, k := range wrong.Want {
		list = append(list, algorithmsFor(k.Key.Type())...)
	}
	return list
}

func algorithmsFor(kind string) []string {
	if kind == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{kind}
}

// nobody is a key that no host has.
type nobody struct{}

func (nobody) Type() string                        { return "none" }
func (nobody) Marshal() []byte                     { return []byte("none") }
func (nobody) Verify([]byte, *ssh.Signature) error { return errors.New("no key") }

// unknownKey is the error of a server whose key is not the known one.
type unknownKey struct {
	found   ssh.PublicKey
	changed bool
}

// Error says which key it has, and what to do.
func (e *unknownKey) Error() string {
	found := e.found.Type() + " " + ssh.FingerprintSHA256(e.found)
	if e.changed {
		return "it shows the key " + found + ", which is not the known one: somebody may be in between, or the server has " +
			"a new key: ask its administrators which is right before anything is changed"
	}
	return "its key is not known: it shows " + found + "; if its administrators say the same, write it as host_key: or " +
		"add it to known_hosts"
}

func loginError(host string, err error) error {
	if wrong, ok := errors.AsType[*unknownKey](err); ok {
		return fmt.Errorf("the server %s is not trusted: %w", host, wrong)
	}
	if strings.Contains(err.Error(), "unable to authenticate") {
		return fmt.Errorf("%s does not let this user in: check username, and password or private_key", host)
	}
	return fmt.Errorf("log in to %s: %w", host, err)
}
