package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
)

// refusedByWindows is how Windows says that nothing listens; its number means nothing elsewhere.
const refusedByWindows = syscall.Errno(10061)

// unreached says in words what an error of the network means.
type unreached struct {
	text string
	err  error
}

func (e *unreached) Error() string { return e.text }

func (e *unreached) Unwrap() error { return e.err }

// Unreached says why a server cannot be spoken to, and what to do; address is its host, or its host and port.
func Unreached(address string, err error) error { return &unreached{reasonOf(address, err), err} }

func reasonOf(address string, err error) string {
	_, unknown := errors.AsType[*net.DNSError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	invalid, expired := errors.AsType[x509.CertificateInvalidError](err)
	host, other := errors.AsType[x509.HostnameError](err)
	timed, network := errors.AsType[net.Error](err)
	switch {
	case unknown:
		return fmt.Sprintf("the name of %s is not known to the network: check the connection's address", address)
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, refusedByWindows):
		return fmt.Sprintf("nothing listens at %s: check host and port in the connection's address", address)
	case authority:
		return fmt.Sprintf("the certificate of %s is signed by an authority that this machine does not trust: give the "+
			"authority's certificate as ca_file of the connection", address)
	case expired:
		return fmt.Sprintf("the certificate of %s is not valid: have it renewed, and check this machine's clock: %v",
			address, invalid)
	case other:
		return fmt.Sprintf("the certificate of %s is of another host: check the connection's address: %v", address, host)
	case record, errors.Is(err, io.EOF):
		return fmt.Sprintf("%s does not speak TLS here: check the port in the connection's address", address)
	case errors.Is(err, context.DeadlineExceeded), network && timed.Timeout():
		return fmt.Sprintf("%s did not answer in time: check the connection's address, and firewalls on the way to it",
			address)
	}
	return fmt.Sprintf("%s cannot be reached: %v", address, err)
}
