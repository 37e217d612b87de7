package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/wneessen/go-mail"
)

// Email sends messages by SMTP.
type Email struct {
	Channel  string
	Server   string // host:port
	TLS      string // starttls, tls or none
	Username string
	Password string
	From     string
	To       []string
	Roots    *x509.CertPool // nil: those of the machine
}

// sendTimeout bounds what one message may take.
const sendTimeout = 30 * time.Second

// Name implements Channel.
func (e *Email) Name() string { return e.Channel }

// Send implements Channel.
func (e *Email) Send(ctx context.Context, m Message) error {
	msg := mail.NewMsg()
	if err := msg.From(e.From); err != nil {
		return fmt.Errorf("from: %w", err)
	}
	if err := msg.To(e.To...); err != nil {
		return fmt.Errorf("to: %w", err)
	}
	msg.Subject(m.Subject())
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // so that no answering machine answers
	msg.SetBodyString(mail.TypeTextPlain, m.Text())
	client, err := e.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if err := client.DialAndSendWithContext(ctx, msg); err != nil {
		return fmt.Errorf("send by %s: %w", e.Server, err)
	}
	return nil
}

func (e *Email) client() (*mail.Client, error) {
	host, portText, err := net.SplitHostPort(e.Server)
	if err != nil {
		return nil, fmt.Errorf("the mail server %q is not host:port", e.Server)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("the mail server %q has no port", e.Server)
	}
	options := []mail.Option{
		mail.WithPort(port), mail.WithTimeout(sendTimeout),
		mail.WithTLSConfig(&tls.Config{ServerName: host, RootCAs: e.Roots, MinVersion: tls.VersionTLS12}),
	}
	switch e.TLS {
	case "none":
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	case "tls":
		options = append(options, mail.WithSSL())
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if e.Username != "" {
		how := mail.SMTPAuthAutoDiscover
		if e.TLS == "none" {
			how = mail.SMTPAuthPlainNoEnc // to a relay on this machine
		}
		options = append(options, mail.WithSMTPAuth(how), mail.WithUsername(e.Username), mail.WithPassword(e.Password))
	}
	client, err := mail.NewClient(host, options...)
	if err != nil {
		return nil, fmt.Errorf("set up e-mail: %w", err)
	}
	return client, nil
}
