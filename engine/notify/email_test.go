package notify_test

import (
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/engine/notify"
)

var update = flag.Bool("update", false, "rewrite golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

// mailbox is a real SMTP server that keeps what it is given.
type mailbox struct {
	mu       sync.Mutex
	mails    []string
	password string
}

func (b *mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return &mailSession{box: b}, nil }

type mailSession struct {
	box   *mailbox
	who   string
	rcpts []string
	from  string
}

func (s *mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if password != s.box.password {
			return errors.New("wrong password")
		}
		s.who = username
		return nil
	}), nil
}

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error { s.from = from; return nil }

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.rcpts = append(s.rcpts, to)
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.mails = append(s.box.mails, "user "+s.who+" from "+s.from+" to "+strings.Join(s.rcpts, " ")+"\n"+string(text))
	return nil
}

func (s *mailSession) Reset() {}

func (s *mailSession) Logout() error { return nil }

func mailServer(t *testing.T, box *mailbox) string {
	t.Helper()
	server := smtp.NewServer(box)
	server.Domain, server.AllowInsecureAuth = "localhost", true
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return listener.Addr().String()
}

func TestEmail(t *testing.T) {
	box := &mailbox{password: "right"}
	address := mailServer(t, box)
	m := notify.Message{
		Project: "anc", At: time.Date(2026, 8, 20, 10, 30, 0, 0, time.UTC), Link: "https://culvert.example.org/",
		New:      []notify.Condition{condition("away", "Dépôt national", 0)},
		Resolved: []notify.Condition{condition("failed", "anc", 1)},
	}
	e := &notify.Email{Channel: "team", Server: address, TLS: "none", From: "culvert@example.org",
		To: []string{"asha@example.org", "ben@example.org"}, Username: "culvert", Password: "right"}
	if err := e.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if len(box.mails) != 1 {
		t.Fatalf("%d mails", len(box.mails))
	}
	for _, want := range []string{
		"user culvert from culvert@example.org to asha@example.org ben@example.org\n", "Auto-Submitted: auto-generated",
		"Needs attention:",
		"- away of D=C3=A9p=C3=B4t national (since 2026-08-20 10:00)", "Resolved:", "https://culvert.example.org/",
	} {
		if !strings.Contains(box.mails[0], want) {
			t.Errorf("the mail lacks %q:\n%s", want, box.mails[0])
		}
	}
	e.Password = "wrong-secret"
	if err := e.Send(t.Context(), m); err == nil || strings.Contains(err.Error(), "wrong-secret") {
		t.Errorf("a wrong password gives %v", err)
	}
	e.Password, e.TLS = "right", "starttls"
	if err := e.Send(t.Context(), m); err == nil || len(box.mails) != 1 {
		t.Errorf("a server without TLS was sent to: %v", err)
	}
	for _, wrong := range []notify.Email{{Server: "mail"}, {Server: "mail:x"}, {Server: address, From: "nobody"},
		{Server: address, From: "a@b.c", To: []string{"x"}}} {
		if err := wrong.Send(t.Context(), m); err == nil {
			t.Errorf("%+v sends", wrong)
		}
	}
}
