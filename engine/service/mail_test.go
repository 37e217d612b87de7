package service_test

import (
	"io"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/culvert/culvert/actions/dhis2/sandbox"
	"github.com/culvert/culvert/engine/service"
)

// mails is an SMTP server that passes on what it is given.
type mails chan string

func (m mails) NewSession(*smtp.Conn) (smtp.Session, error) { return mailSession{m}, nil }

type mailSession struct{ to mails }

func (mailSession) Mail(string, *smtp.MailOptions) error { return nil }
func (mailSession) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (mailSession) Reset()                               {}
func (mailSession) Logout() error                        { return nil }

func (s mailSession) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err == nil {
		s.to <- strings.ReplaceAll(string(text), "=\r\n", "")
	}
	return err
}

// TestMailOfAHeldRule breaks a rule of a running project in quiet hours: nobody is woken, the mail comes once they are
// over, and another one when the rule is right again.
func TestMailOfAHeldRule(t *testing.T) {
	box := make(mails, 100)
	server := smtp.NewServer(box)
	server.Domain = "localhost"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	dir := registrationProject(t, 10)
	country, err := sandbox.New(sandbox.Options{Metadata: filepath.Join(dir, "input", "tamala.json")})
	if err != nil {
		t.Fatal(err)
	}
	dhis2 := httptest.NewServer(country)
	t.Cleanup(func() {
		dhis2.Close()
		if err := country.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("DHIS2_URL", dhis2.URL)
	syncProject(t, dir)
	config, rule := filepath.Join(dir, "culvert.yaml"), filepath.Join(dir, "rules", "anc-registration-export.yaml")
	text, good := read(t, config), read(t, rule)
	now := time.Now().UTC()
	const around = 6 * time.Hour
	quiet := "  quiet: \"" + now.Add(-around).Format("15:04") + "-" + now.Add(around).Format("15:04") + "\"\n"
	notifying := func(quiet string) {
		t.Helper()
		write(t, config, text+"time_zone: UTC\nnotify:\n"+quiet+"  to:\n    office: {email: {smtp: \""+
			listener.Addr().String()+"\", tls: none, from: culvert@example.org, to: [asha@example.org]}}\n")
	}
	notifying(quiet)
	write(t, rule, strings.Replace(good, "Antenatal care", "Antenatal cake", 1))
	_, _, stop := startWith(t, service.Options{Dir: dir, NotifyEvery: 20 * time.Millisecond})
	defer stop()
	const steps = 500 * time.Millisecond // of which one would tell of it
	select {
	case mail := <-box:
		t.Errorf("in quiet hours comes %s", mail)
	case <-time.After(steps):
	}
	wait := func(what string) {
		t.Helper()
		deadline := time.After(time.Minute)
		for mail := ""; !strings.Contains(mail, what); {
			select {
			case mail = <-box:
			case <-deadline:
				t.Fatalf("no mail says %q; the last one: %s", what, mail)
			}
		}
	}
	notifying("")
	wait("rule anc-registration-export cannot run; its records are held until it is fixed")
	write(t, rule, good)
	wait("Resolved:")
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
