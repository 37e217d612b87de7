package remote

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/culvert/culvert/actions"
)

const (
	connectTimeout = 15 * time.Second
	wholeTimeout   = time.Minute
	maxAnswer      = 1 << 20   // bytes of an answer that are read
	maxHeader      = 256 << 10 // bytes of its header
	// MaxBody is the most that one request may hold, in bytes.
	MaxBody = 8 << 20
)

// Client asks one outside system, and never another host than that of its address.
type Client struct {
	base *url.URL // ends with a slash
	auth func(*http.Request)
	// secrets are what systems may say back of the credentials, in their refusals.
	secrets []string
	agent   string
	http    *http.Client
	log     *slog.Logger
}

// New makes the client of a connection. base is what of its address comes before all paths; nil: all of it.
func New(c actions.Connection, base func(*url.URL) *url.URL, o actions.TargetOptions) (*Client, error) {
	u, err := url.Parse(strings.TrimRight(c.URL, "/"))
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("the address of connection %q cannot be read: write it as https://name.example.org/path, "+
			"with user and password in keys of their own", c.Name)
	}
	if u.Scheme == "http" && u.Hostname() != "localhost" && !net.ParseIP(u.Hostname()).IsLoopback() &&
		(c.Username != "" || c.APIKey != "" || c.Token != "") {
		return nil, fmt.Errorf("connection %q would send its credentials without protection: write its address with "+
			"https://", c.Name)
	}
	u.RawQuery, u.Fragment = "", ""
	if base != nil {
		u = base(u)
	}
	u.Path = strings.TrimRight(u.Path, "/") + "/"
	timeout := o.Timeout
	if timeout == 0 {
		timeout = wholeTimeout
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}).DialContext
	transport.TLSHandshakeTimeout = connectTimeout
	transport.MaxResponseHeaderBytes = maxHeader
	return &Client{
		base: u, auth: authOf(c), secrets: secretsOf(c), agent: "culvert/" + o.Version, log: o.Log,
		http: &http.Client{Transport: transport, Timeout: timeout, CheckRedirect: sameHost},
	}, nil
}

// authOf says how requests show who they are from.
func authOf(c actions.Connection) func(*http.Request) {
	switch {
	case c.Token != "":
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+c.Token) }
	case c.Kind == "commcare" && c.APIKey != "":
		return func(r *http.Request) { r.Header.Set("Authorization", "ApiKey "+c.Username+":"+c.APIKey) }
	case c.Kind == "kobo" && c.APIKey != "":
		return func(r *http.Request) { r.Header.Set("Authorization", "Token "+c.APIKey) }
	case c.APIKey != "":
		header := c.Header
		if header == "" {
			header = "X-API-Key"
		}
		return func(r *http.Request) { r.Header.Set(header, c.APIKey) }
	case c.Username != "":
		return func(r *http.Request) { r.SetBasicAuth(c.Username, c.Password) }
	}
	return func(*http.Request) {}
}

// secretsOf lists how the credentials of a connection are written on the way.
func secretsOf(c actions.Connection) []string {
	var out []string
	for _, s := range []string{c.Token, c.APIKey, c.Password} {
		if len(s) >= leastSecret {
			out = append(out, s)
		}
	}
	if c.Username != "" && c.Password != "" {
		out = append(out, base64.StdEncoding.EncodeToString([]byte(c.Username+":"+c.Password)))
	}
	return out
}

// leastSecret is how many bytes a secret has that is looked for in what systems say: shorter ones are
// parts of words.
const leastSecret = 6

// sameHost follows what keeps method and body, on the same host, and nothing else: credentials and
// data go nowhere that culvert.yaml does not name.
func sameHost(r *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) >= 5 || r.Method != first.Method || r.URL.Host != first.URL.Host || r.URL.Scheme != first.URL.Scheme {
		return http.ErrUseLastResponse
	}
	return nil
}

// URL is where the system is, without credentials.
func (c *Client) URL() string { return strings.TrimRight(c.base.String(), "/") }

// Call is one request.
type Call struct {
	Method string
	Path   string // escaped, relative to the address of the system
	Query  url.Values
	Header http.Header
	Body   []byte
	// Needed says that something is read of the answer: one that breaks off is none then.
	Needed bool
	// JSON says that the system answers with JSON or with nothing: a page is no answer of it, but of a
	// network that wants people to log in, or of a proxy.
	JSON bool
}

// Answer is what the system said.
type Answer struct {
	Status int // 0: nothing, Err says why
	Header http.Header
	Body   []byte // the first MiB
	Err    error
}

// Do makes a request.
func (c *Client) Do(ctx context.Context, call Call) Answer {
	at, err := c.address(call)
	if err != nil {
		return Answer{Err: err}
	}
	var body io.Reader
	if call.Body != nil {
		body = bytes.NewReader(call.Body)
	}
	r, err := http.NewRequestWithContext(ctx, call.Method, at.String(), body)
	if err != nil {
		return Answer{Err: errors.New("the request cannot be made")}
	}
	for name, values := range call.Header {
		r.Header[name] = values
	}
	r.Header.Set("User-Agent", c.agent)
	c.auth(r)
	answer, err := c.http.Do(r)
	if err != nil {
		return Answer{Err: plain(err)}
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if call.JSON && answer.StatusCode/100 == 2 && isPage(text) {
		return Answer{Err: errors.New("a page answers in its place, perhaps one of the network to log in")}
	}
	if err != nil && answer.StatusCode/100 == 2 {
		if call.Needed {
			return Answer{Err: plain(err)}
		}
		text = nil // what it did is known; what it said of it is not
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer)) // so that the connection can be used again
	if answer.StatusCode/100 != 2 {
		for _, secret := range c.secrets {
			text = bytes.ReplaceAll(text, []byte(secret), []byte("***"))
		}
	}
	return Answer{Status: answer.StatusCode, Header: answer.Header, Body: text}
}

// isPage tells whether a body is a page of HTML. What it is said to be does not tell: many APIs call their
// JSON text/html.
func isPage(body []byte) bool {
	text := strings.ToLower(string(bytes.TrimSpace(bytes.TrimPrefix(body[:min(len(body), 1000)], []byte("\uFEFF")))))
	for strings.HasPrefix(text, "<!--") {
		_, rest, ok := strings.Cut(text, "-->")
		if !ok {
			return true
		}
		text = strings.TrimSpace(rest)
	}
	return strings.HasPrefix(text, "<!doctype html") || strings.HasPrefix(text, "<html")
}

// address joins the system's address and a path, which stays below it.
func (c *Client) address(call Call) (*url.URL, error) {
	rel, err := url.Parse("./" + strings.TrimLeft(call.Path, "/"))
	if err != nil || rel.Host != "" || rel.Scheme != "" {
		return nil, errors.New("the path of the request cannot be used")
	}
	at := c.base.ResolveReference(rel)
	if at.Host != c.base.Host || !strings.HasPrefix(at.EscapedPath(), c.base.EscapedPath()) {
		return nil, errors.New("the path of the request leads out of the system's address")
	}
	at.RawQuery = call.Query.Encode()
	return at, nil
}

// plain says why there was no answer, without the address and what the system sent, which may hold data.
func plain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var timeout net.Error
	var network *net.OpError
	var host *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("it did not answer in time")
	case errors.Is(err, context.Canceled):
		return errors.New("the request was cut off")
	case errors.As(err, &host):
		return errors.New("the host is not known")
	case errors.As(err, &network):
		return network.Err
	case errors.As(err, &certificate):
		return errors.New("it shows a certificate that is not trusted")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it broke the connection off")
	}
	return errors.New("it does not answer as a web API does")
}
