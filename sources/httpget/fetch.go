package httpget

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/culvert/culvert/rules/diag"
)

// fetchRedirects is how often a reader of a file is sent on, to the storage behind the system.
const fetchRedirects = 5

// Fetch writes the file at an address to w: at most limit bytes. The answer begins within the client's
// Timeout; then it may come slowly, as over a poor line, as long as something arrives. It is asked
// once. Credentials and redirects are as for Download. It gives the media type that the system names.
// The error is an *Error, that ctx ended, or what w says.
func (c *Client) Fetch(ctx context.Context, u *url.URL, w io.Writer, limit int64) (mediaType string, err error) {
	timeout := c.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	within, line := watch(ctx, timeout, max(timeout, downloadTimeout))
	defer line.leave()
	mediaType, err = c.fetch(within, line, u, w, limit)
	if _, ours := errors.AsType[*writeError](err); err == nil || ours || within.Err() == nil {
		return mediaType, err
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return "", &Error{Problem: diag.Problem{Message: u.Host + " " + context.Cause(within).Error(),
		Hint: "ask for less, such as what is new; where the other system takes long to begin, set timeout: higher"},
		retry: true}
}

func (c *Client) fetch(ctx context.Context, l *line, u *url.URL, w io.Writer, limit int64) (string, error) {
	answer, at, err := c.open(ctx, u)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	l.begun()
	if strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html") && !strings.Contains(path.Ext(at.Path), "htm") {
		return "", notTheFile(at)
	}
	n, err := io.Copy(&body{w}, io.LimitReader(l.reader(answer.Body), limit+1))
	if failed, ok := errors.AsType[*writeError](err); ok {
		return "", failed
	}
	if err != nil {
		return "", unreachable(at, err)
	}
	if n > limit {
		return "", &Error{Problem: diag.Problem{
			Message: fmt.Sprintf("%s gives more than %d MiB, the most that is taken", at.Host, limit>>20),
			Hint:    "ask for less, such as what is new"}}
	}
	return answer.Header.Get("Content-Type"), nil
}

// body tells what cannot be written here from what cannot be read there.
type body struct{ to io.Writer }

type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }

func (b *body) Write(p []byte) (int, error) {
	n, err := b.to.Write(p)
	if err != nil {
		err = &writeError{err}
	}
	return n, err
}

// open asks for a file and gives the good answer, whose body is the caller's to close, with the
// address that it came from. Credentials go to the host of the first address alone: a redirect to
// the storage behind it is followed without them, and never from https to http. The error is an
// *Error, or that ctx ended.
func (c *Client) open(ctx context.Context, u *url.URL) (*http.Response, *url.URL, error) {
	client := &http.Client{Transport: c.transport(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	at := u
	for range fetchRedirects + 1 {
		r, err := c.request(ctx, u, at)
		if err != nil {
			return nil, nil, err
		}
		answer, err := client.Do(r)
		if err != nil {
			return nil, nil, unreachable(at, err)
		}
		next, err := answer.Location()
		if answer.StatusCode/100 == 3 && err == nil {
			_ = answer.Body.Close()
			if next.Scheme != "https" && (next.Scheme != "http" || u.Scheme == "https") {
				return nil, nil, &Error{Problem: diag.Problem{Message: u.Host + " sends readers of the file on to an " +
					"address without protection",
					Hint: "have it name storage with https"}}
			}
			at = next
			continue
		}
		if answer.StatusCode != http.StatusOK {
			_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // what it says is not the file
			_ = answer.Body.Close()
			// The paths of storage that a system sends readers on to let them in, too.
			return nil, nil, refused(at, answer, c.Secret || at.Host != u.Host)
		}
		return answer, at, nil
	}
	return nil, nil, &Error{Problem: diag.Problem{Message: u.Host + " sends readers of the file on and on",
		Hint: "report it to the server's administrators"}}
}

// transport makes connections that end with their answer, so that nothing is left open behind a reader.
func (c *Client) transport() http.RoundTripper {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	return transport
}

// request asks at an address, with the credentials where it is on the host that they are for.
func (c *Client) request(ctx context.Context, first, at *url.URL) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, &Error{Problem: diag.Problem{Message: first.Host + " names an address that cannot be asked",
			Hint: "report it to the server's administrators"}}
	}
	r.Header.Set("User-Agent", "culvert")
	r.Header.Set("Accept", "*/*")
	if at.Scheme == first.Scheme && at.Host == first.Host {
		for name, values := range c.Header {
			r.Header[name] = values
		}
		if c.Username != "" {
			r.SetBasicAuth(c.Username, c.Password)
		}
	}
	return r, nil
}

// notTheFile is the error of a page in the place of a file.
func notTheFile(at *url.URL) error {
	return &Error{Problem: diag.Problem{Message: at.Host + " answers with a page, perhaps one to log in, " +
		"and not with the file",
		Hint: "check user, password or key"}}
}
