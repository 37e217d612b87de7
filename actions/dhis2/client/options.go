package client

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Options say which server to speak to and how. URL and Credentials are needed; the rest has defaults.
type Options struct {
	URL         string // of the server; a trailing slash, /api and the address of a login page are understood
	Credentials Credentials
	CAFile      string // PEM file of certificates to trust beside the system's
	Proxy       string // address of a proxy; empty: from the environment; "none": no proxy
	UserAgent   string
	Timeouts    Timeouts
	// MaxResponse is how many bytes an answer may have, uncompressed; 0: 64 MiB.
	MaxResponse int64
	// RequestsPerSecond bounds the requests sent; 0: no bound.
	RequestsPerSecond float64
	// Concurrency bounds the requests under way; 0: 4. The client goes below it by itself while the server is overloaded.
	Concurrency int
	// Transport sends the requests; nil: one made from the options above. Tests give their own.
	Transport http.RoundTripper
	Logger    *slog.Logger
	Now       func() time.Time
	// JobPoll is the first pause between questions about an asynchronous import, doubled up to ten
	// times as long; 0: 500 ms. JobWait is when the client gives up on one; 0: 15 min.
	JobPoll, JobWait time.Duration
}

// Timeouts bound one request. Zero values take the defaults.
type Timeouts struct {
	Connect time.Duration // to connect and agree on TLS; 10 s
	Headers time.Duration // until the server begins to answer, which an import does when it is done; as long as Whole
	Whole   time.Duration // until the answer is read; 5 min
}

// Credentials are what a server asks for; exactly one kind is set.
type Credentials struct {
	Username, Password string
	Token              string // personal access token
	Bearer             string // OAuth2 access token
}

// String names the kind of the credentials, never the secret.
func (c Credentials) String() string {
	switch {
	case c.Token != "":
		return "personal access token"
	case c.Bearer != "":
		return "OAuth2 token"
	case c.Username != "":
		return "user " + c.Username
	}
	return "none"
}

// GoString keeps the secret out of %#v.
func (c Credentials) GoString() string { return c.String() }

// LogValue keeps the secret out of logs.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

func (c Credentials) validate() error {
	kinds := 0
	for _, set := range []bool{c.Username != "" || c.Password != "", c.Token != "", c.Bearer != ""} {
		if set {
			kinds++
		}
	}
	switch {
	case kinds == 0:
		return errors.New("no credentials: give `token`, or `username` and `password`")
	case kinds > 1:
		return errors.New("more than one kind of credentials: give either `token`, or `username` and `password`, or `bearer`")
	case c.Token == "" && c.Bearer == "" && (c.Username == "" || c.Password == ""):
		return errors.New("`username` and `password` must both be given (is an environment variable empty?)")
	}
	for _, secret := range []string{c.Username, c.Password, c.Token, c.Bearer} {
		if strings.ContainsAny(secret, "\r\n") {
			return errors.New("the credentials contain a line break: remove it from the variable or file they come from")
		}
	}
	return nil
}

// header is the value of the Authorization header.
func (c Credentials) apply(r *http.Request) {
	switch {
	case c.Token != "":
		r.Header.Set("Authorization", "ApiToken "+c.Token)
	case c.Bearer != "":
		r.Header.Set("Authorization", "Bearer "+c.Bearer)
	default:
		r.SetBasicAuth(c.Username, c.Password)
	}
}

// New makes a client. It sends nothing; the error is about the options.
func New(o Options) (*Client, error) {
	base, err := NormalizeURL(o.URL)
	if err != nil {
		return nil, err
	}
	o.Credentials.Token = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(o.Credentials.Token), "ApiToken "))
	o.Credentials.Bearer = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(o.Credentials.Bearer), "Bearer "))
	if err := o.Credentials.validate(); err != nil {
		return nil, err
	}
	o.setDefaults()
	if o.Transport == nil {
		if o.Transport, err = o.transport(); err != nil {
			return nil, err
		}
	}
	if base.Scheme == "http" && !loopback(base.Hostname()) {
		o.Logger.Warn("credentials and data are sent unencrypted: use https", "server", base.String())
	}
	return &Client{
		base: base, name: base.String(), credentials: o.Credentials, agent: o.UserAgent,
		http: &http.Client{
			Transport: o.Transport,
			// A redirect is a login page or a proxy, never DHIS2's API: following it would carry the credentials along.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		gate: newGate(o.Concurrency, o.RequestsPerSecond), session: &session{now: o.Now}, log: o.Logger, now: o.Now,
		whole: o.Timeouts.Whole, maxResponse: o.MaxResponse, poll: o.JobPoll, wait: o.JobWait,
	}, nil
}

func (o *Options) setDefaults() {
	if o.UserAgent == "" {
		o.UserAgent = "culvert"
	}
	if o.MaxResponse <= 0 {
		o.MaxResponse = 64 << 20
	}
	if o.Concurrency <= 0 {
		o.Concurrency = 4
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	for _, d := range []struct {
		value *time.Duration
		or    time.Duration
	}{
		{&o.Timeouts.Connect, 10 * time.Second}, {&o.Timeouts.Whole, 5 * time.Minute},
		{&o.JobPoll, 500 * time.Millisecond}, {&o.JobWait, 15 * time.Minute},
	} {
		if *d.value <= 0 {
			*d.value = d.or
		}
	}
}

func (o *Options) transport() (http.RoundTripper, error) {
	proxy := http.ProxyFromEnvironment
	switch {
	case o.Proxy == "none":
		proxy = nil
	case o.Proxy != "":
		u, err := url.Parse(o.Proxy)
		if err != nil || u.Host == "" {
			return nil, errors.New("`proxy` is not an address such as http://proxy.example.org:3128")
		}
		proxy = http.ProxyURL(u)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CAFile != "" {
		pool, err := trust(o.CAFile)
		if err != nil {
			return nil, err
		}
		config.RootCAs = pool
	}
	dialer := &net.Dialer{Timeout: o.Timeouts.Connect, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy: proxy, DialContext: dialer.DialContext, TLSClientConfig: config, TLSHandshakeTimeout: o.Timeouts.Connect,
		ResponseHeaderTimeout: o.Timeouts.Headers, ForceAttemptHTTP2: true,
		MaxIdleConns: o.Concurrency, MaxIdleConnsPerHost: o.Concurrency, IdleConnTimeout: 90 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}, nil
}

func trust(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading `ca_file`: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("`ca_file` %s holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)", file)
	}
	return pool, nil
}

// NormalizeURL gives the root of a DHIS2 server from any address of it that a person may copy: with
// /api, /api/42, or the address of a login page or app. https is assumed where there is no scheme
// (http for this machine itself).
func NormalizeURL(text string) (*url.URL, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, errors.New("the server has no `url`")
	}
	if !strings.Contains(text, "://") {
		host, _, _ := strings.Cut(text, "/")
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if loopback(host) {
			text = "http://" + text
		} else {
			text = "https://" + text
		}
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Hostname() == "" {
		return nil, errors.New("`url` is not an address such as https://dhis2.example.org/hmis")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("`url` starts with %s://: it must be https:// or http://", u.Scheme)
	}
	if u.User != nil {
		return nil, errors.New("`url` contains a user name: give it as `username` and `password`, or use a `token`")
	}
	clean := &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host)}
	var kept []string
	for segment := range strings.SplitSeq(strings.Trim(u.Path, "/"), "/") {
		if segment == "" || pageOfDHIS2(segment) {
			break
		}
		kept = append(kept, segment)
	}
	if len(kept) > 0 {
		clean.Path = "/" + strings.Join(kept, "/")
	}
	return clean, nil
}

// pageOfDHIS2 tells whether a part of a path belongs to DHIS2 itself and not to where it is mounted.
func pageOfDHIS2(segment string) bool {
	switch segment {
	case "api", "apps", "login", "login.html", "index.html", "index.action":
		return true
	}
	return strings.HasPrefix(segment, "dhis-web-")
}

func loopback(host string) bool {
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
