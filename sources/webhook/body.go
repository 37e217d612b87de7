package webhook

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// Bounds on how slowly a body may come, so that a drip cannot hold its place for long: a poor line keeps up with them.
const (
	bodyGrace   = 20 * time.Second // before any rate is asked for
	bodyRate    = 2 << 10          // bytes a second after that
	longestBody = 10 * time.Minute
)

// readStep is how much room is taken at a time while a body is read: a caller holds what it has
// sent, not what it says that it will send.
const readStep = 64 << 10

func tooLarge(limit int64) error {
	return &refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", limit),
		"send fewer records at once"}
}

// share is what one request holds of the room that all have.
type share struct {
	all   *semaphore.Weighted
	taken int64
}

func (s *share) take(n int64) bool {
	if !s.all.TryAcquire(n) {
		return false
	}
	s.taken += n
	return true
}

func (s *share) release() { s.all.Release(s.taken) }

// errFull says that there is no room for more of a body.
var errFull = errors.New("no room")

// roomy reads on while there is room, and within a limit.
type roomy struct {
	from  io.Reader
	room  *share
	have  int64 // room that is not used yet
	left  int64 // of the limit
	limit int64
}

func (r *roomy) Read(p []byte) (int, error) {
	if r.have == 0 {
		if !r.room.take(readStep) {
			return 0, errFull
		}
		r.have = readStep
	}
	n, err := r.from.Read(p[:min(int64(len(p)), r.have)])
	r.have -= int64(n)
	if r.left -= int64(n); r.left < 0 {
		return n, tooLarge(r.limit)
	}
	return n, err
}

// steady reads a request's body, which must come at a rate.
type steady struct {
	body    io.Reader
	control *http.ResponseController
	began   time.Time
	read    int64
}

// steadily gives the body of a request as it must come.
func steadily(w http.ResponseWriter, r *http.Request, limit int64) *steady {
	return &steady{body: http.MaxBytesReader(w, r.Body, limit), control: http.NewResponseController(w), began: time.Now()}
}

func (s *steady) Read(p []byte) (int, error) {
	allowed := min(bodyGrace+time.Duration(s.read/bodyRate)*time.Second, longestBody)
	_ = s.control.SetReadDeadline(s.began.Add(allowed)) // a connection that has none, in tests, needs none
	n, err := s.body.Read(p)
	s.read += int64(n)
	return n, err
}

// readBody reads and unpacks a request's body within the limit and the room there is. raw is as it
// was sent, which is what signatures are over.
func readBody(w http.ResponseWriter, r *http.Request, limit int64, room *share) (raw, body []byte, err error) {
	if r.ContentLength > limit {
		return nil, nil, tooLarge(limit)
	}
	in := steadily(w, r, limit)
	raw, err = readAll(in, r.ContentLength, limit, room)
	_ = in.control.SetReadDeadline(time.Time{})
	if err != nil {
		return nil, nil, bodyError(w, err, limit, &refusal{http.StatusBadRequest,
			"the body ended before all of it was sent, or came too slowly", "send it again"})
	}
	switch encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
		return raw, raw, nil
	case "gzip", "x-gzip":
	default:
		return nil, nil, &refusal{http.StatusUnsupportedMediaType,
			fmt.Sprintf("the content encoding %q is not understood", short(encoding)), "send the body as it is, or with gzip"}
	}
	broken := &refusal{http.StatusBadRequest, "the body is no gzip though its headers say so",
		"send it again, or without Content-Encoding"}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, nil, broken
	}
	if body, err = readAll(z, 0, limit, room); err != nil {
		return nil, nil, bodyError(w, err, limit, broken)
	}
	return raw, body, nil
}

// readAll reads to the end, with room for what came.
func readAll(from io.Reader, length, limit int64, room *share) ([]byte, error) {
	var buffer bytes.Buffer
	buffer.Grow(int(min(max(length, 0), readStep)) + bytes.MinRead)
	_, err := buffer.ReadFrom(&roomy{from: from, room: room, left: limit, limit: limit})
	return buffer.Bytes(), err
}

func bodyError(w http.ResponseWriter, err error, limit int64, otherwise error) error {
	var no *refusal
	var over *http.MaxBytesError
	switch {
	case errors.Is(err, errFull):
		return busy(w, time.Second, "too many requests are under way")
	case errors.As(err, &over):
		return tooLarge(limit)
	case errors.As(err, &no):
		return no
	}
	return otherwise
}

// How many requests may be under way at the same time.
const (
	perPath   = 512
	perCaller = 128
)

// crowd counts the requests under way.
type crowd struct {
	mu    sync.Mutex
	paths map[string]int
	froms map[netip.Addr]int
}

// enter notes a request under way until leave is called. It is not ok when there are too many already.
func (c *crowd) enter(path string, from netip.Addr) (leave func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.paths == nil {
		c.paths, c.froms = map[string]int{}, map[netip.Addr]int{}
	}
	if c.paths[path] >= perPath || c.froms[from] >= perCaller {
		return nil, false
	}
	c.paths[path]++
	c.froms[from]++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.paths[path]--; c.paths[path] == 0 {
			delete(c.paths, path)
		}
		if c.froms[from]--; c.froms[from] == 0 {
			delete(c.froms, from)
		}
	}, true
}
