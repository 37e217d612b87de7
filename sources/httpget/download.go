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
	"time"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// What a download may take: photos come over poor lines, so that it goes on as long as something
// arrives; whoever waits for them sends nothing meanwhile, so that it ends.
const (
	downloadIdle    = time.Minute
	downloadTimeout = 15 * time.Minute
)

// Download fetches a file of at most limit bytes, with the media type that the system names. The
// credentials go to the host of the address alone: a redirect to the storage behind it is followed
// without them, and never from https to http. It is asked once, for whoever wants the file tries
// again. The error is a *rules.AttachmentError, or that ctx ended.
func (c *Client) Download(ctx context.Context, u *url.URL, limit int64) (content []byte, mediaType string, err error) {
	within, line := watch(ctx, downloadIdle, downloadTimeout)
	defer line.leave()
	content, mediaType, err = c.download(within, line, u, limit)
	if ctx.Err() != nil {
		return nil, "", ctx.Err()
	}
	if err != nil && within.Err() != nil {
		return nil, "", AttachmentError(&Error{Problem: diag.Problem{Message: u.Host + " " + context.Cause(within).Error(),
			Hint: "it is tried again by itself; on a poor line set a lower resolution of photos at the source"}})
	}
	return content, mediaType, err
}

// line is a connection that a file comes over.
type line struct {
	idle  *time.Timer
	end   context.CancelCauseFunc
	leave func()
}

var (
	errLate = errors.New("did not answer in time")
	errIdle = fmt.Errorf("sent nothing more for %d seconds", int(downloadIdle.Seconds()))
)

// slow is the error of a file that did not come whole in time.
type slow struct{ whole time.Duration }

func (e slow) Error() string {
	return fmt.Sprintf("did not send the whole file within %d minutes", int(e.whole.Minutes()))
}

// watch gives a context that ends when no answer begins within the time given for it, when nothing
// arrives for long after that, or when all of it takes too long.
func watch(ctx context.Context, begin, whole time.Duration) (context.Context, *line) {
	ctx, cancel := context.WithTimeoutCause(ctx, whole, slow{whole})
	ctx, end := context.WithCancelCause(ctx)
	l := &line{idle: time.AfterFunc(begin, func() { end(errLate) }), end: end}
	l.leave = func() {
		l.idle.Stop()
		end(nil)
		cancel()
	}
	return ctx, l
}

// begun says that the answer has come, and its content follows.
func (l *line) begun() {
	if l.idle.Stop() {
		l.idle = time.AfterFunc(downloadIdle, func() { l.end(errIdle) })
	}
}

// reader reads what comes over the line.
func (l *line) reader(r io.Reader) io.Reader { return &lineReader{r, l} }

type lineReader struct {
	from io.Reader
	line *line
}

// Read implements io.Reader.
func (r *lineReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if n > 0 && r.line.idle.Stop() {
		r.line.idle.Reset(downloadIdle)
	}
	return n, err
}

func (c *Client) download(ctx context.Context, l *line, u *url.URL, limit int64) ([]byte, string, error) {
	answer, at, err := c.open(ctx, u)
	if err != nil {
		return nil, "", AttachmentError(err)
	}
	defer func() { _ = answer.Body.Close() }()
	l.begun()
	content, err := l.readFile(answer, at, limit)
	return content, answer.Header.Get("Content-Type"), err
}

func (l *line) readFile(answer *http.Response, at *url.URL, limit int64) ([]byte, error) {
	if strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html") && !strings.Contains(path.Ext(at.Path), "htm") {
		return nil, AttachmentError(notTheFile(at))
	}
	content, err := io.ReadAll(io.LimitReader(l.reader(answer.Body), limit+1))
	if err != nil {
		return nil, AttachmentError(unreachable(at, err))
	}
	if int64(len(content)) > limit {
		return nil, &rules.AttachmentError{Problem: diag.Problem{Code: "file-too-large",
			Message: fmt.Sprintf("is a file of more than %d bytes, the most that is taken", limit),
			Hint:    "make it smaller at the source: set a lower resolution of photos there"}}
	}
	return content, nil
}

// NotThere is the error of a file that a system does not have yet: photos come after the form.
func NotThere(host string) error {
	return &rules.AttachmentError{Problem: diag.Problem{Code: "file-not-there",
		Message: "names a file that " + host + " does not have yet",
		Hint: "it is asked for again by itself: phones send photos after the form; have the phone finish sending, or edit " +
			"the form if the photo is lost"},
		Later: true}
}

// AttachmentError says of why a system cannot be read what it means for a file. Other errors stay.
func AttachmentError(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	out := &rules.AttachmentError{Problem: diag.Problem{Code: "file-source-away",
		Message: "is not fetched: " + e.Message, Hint: e.Hint},
		Later: true, After: e.RetryAfter}
	switch {
	case e.Status == http.StatusNotFound, e.Status == http.StatusGone:
		host, _, _ := strings.Cut(e.Message, " ")
		return NotThere(host)
	case e.Status == http.StatusBadRequest:
		out.Code, out.Later = "file-not-there", false
	}
	return out
}
