package remote

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/culvert/culvert/sources"
)

// silence is how long the other side may say nothing while something is asked of it.
const silence = 2 * time.Minute

// Conn is a connection that ends when nothing comes or goes for long, or more comes than it is bound to.
type Conn struct {
	net.Conn
	came, most atomic.Int64 // bytes; most 0: as many as there are
	tooMuch    atomic.Bool  // it was ended for what came
}

// Bound lets so many more bytes come; 0: as many as there are.
func (c *Conn) Bound(most int64) {
	if most > 0 {
		most += c.came.Load()
	}
	c.most.Store(most)
}

// TooMuch tells whether it was ended because more came than it was bound to.
func (c *Conn) TooMuch() bool { return c.tooMuch.Load() }

// Read reads.
func (c *Conn) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(silence)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(b)
	if came, most := c.came.Add(int64(n)), c.most.Load(); most > 0 && came > most {
		c.tooMuch.Store(true)
		return 0, errors.Join(errors.New("more comes than is taken"), c.Close())
	}
	return n, err
}

// Write writes.
func (c *Conn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(silence)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// Authorities gives the certificates of ca_file of a connection; nil where it names none: those of the machine hold.
func Authorities(c sources.Connection) (*x509.CertPool, error) {
	file := c.Own["ca_file"]
	if file == "" {
		return nil, nil
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(c.Dir, filepath.FromSlash(file))
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("ca_file cannot be read: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("ca_file %s holds no certificate in PEM", c.Own["ca_file"])
	}
	return pool, nil
}
