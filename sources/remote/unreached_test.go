package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// Whoever reads why a server is not reached knows what to change.
func TestUnreached(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want string
	}{
		{&net.DNSError{Name: "imap.example.org"}, "is not known to the network: check the connection's address"},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, "nothing listens at"},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, "as ca_file of the connection"},
		{&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}}, "is not valid: have it renewed"},
		{&tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}, Host: "x"}}, "is of another host"},
		{tls.RecordHeaderError{Msg: "no TLS"}, "does not speak TLS here: check the port"},
		{io.EOF, "does not speak TLS here"},
		{&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, "did not answer in time"},
		{context.DeadlineExceeded, "did not answer in time"},
		{errors.New("anything else"), "imap.example.org cannot be reached: dial: anything else"},
	} {
		got := Unreached("imap.example.org", fmt.Errorf("dial: %w", c.err))
		if !errors.Is(got, c.err) || !strings.Contains(got.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.err, got, c.want)
		}
	}
}
