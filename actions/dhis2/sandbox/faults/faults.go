package faults

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Faults go wrong on purpose, so that one can see what a network and a busy server do to a flow.
type Faults struct {
	// Rate is the share of requests to the API that fail, from 0 to 1.
	Rate float64
	// Kinds are the ways to fail, one of which is drawn for each failing request; empty means all of them. See Kinds.
	Kinds []string
	// Latency is added to every request.
	Latency time.Duration
	// Seed makes the draws repeatable; 0 is a seed like any other.
	Seed int64
}

// Ways to fail. Those up to FaultDropBefore fail before anything is done; the others do what was
// asked and then spoil the answer.
const (
	Fault500        = "500"              // an internal server error
	FaultBadGateway = "502html"          // a proxy's page
	Fault503        = "503"              // a server that is starting, with Retry-After
	Fault504        = "504"              // a proxy that gave up waiting
	Fault429        = "429"              // too many requests, with Retry-After
	FaultDisk       = "disk-full"        // a server that cannot write
	FaultDropBefore = "drop-before"      // the connection breaks before the request is read
	FaultDropAfter  = "drop-after-write" // the connection breaks after the work was done
	FaultSlow       = "slow-body"        // the answer dribbles in
	FaultTruncated  = "truncated"        // half of the answer
	FaultEmpty      = "empty"            // a status without the answer
	// FaultRestart has nothing answer for a while, as if the server restarted; only when it is asked for by name.
	FaultRestart = "restart"
)

// restartTime is how long a restart takes.
const restartTime = 2 * time.Second

// Kinds are the ways to fail that are drawn where none is named.
var Kinds = []string{Fault500, FaultBadGateway, Fault503, Fault504, Fault429, FaultDisk, FaultDropBefore,
	FaultDropAfter, FaultSlow, FaultTruncated, FaultEmpty}

// faultNames are short names that stand for one or several kinds.
var faultNames = map[string][]string{"502": {FaultBadGateway}, "drop": {FaultDropBefore, FaultDropAfter},
	"slow": {FaultSlow}, "disk": {FaultDisk},
	"proxy": {FaultBadGateway, Fault503, Fault504}}

// Parse reads the form of a command line: 5%,latency=200ms,kinds=502+drop,seed=7.
func Parse(text string) (Faults, error) {
	var f Faults
	for _, part := range strings.Split(text, ",") {
		part = strings.TrimSpace(part)
		name, value, named := strings.Cut(part, "=")
		var err error
		switch {
		case part == "":
		case !named:
			f.Rate, err = parseShare(part)
		case name == "rate":
			f.Rate, err = parseShare(value)
		case name == "latency":
			f.Latency, err = time.ParseDuration(value)
		case name == "seed":
			f.Seed, err = strconv.ParseInt(value, 10, 64)
		case name == "kinds":
			f.Kinds, err = parseKinds(value)
		default:
			err = fmt.Errorf("unknown")
		}
		if err != nil {
			return Faults{}, fmt.Errorf("sandbox: the faults %q cannot be read at %q: write a share and options, as "+
				"5%%,latency=200ms,kinds=502+drop,seed=7; kinds are %s",
				text, part, strings.Join(Kinds, ", ")+", "+FaultRestart)
		}
	}
	return f, nil
}

func parseShare(s string) (float64, error) {
	scale := 1.0
	if rest, ok := strings.CutSuffix(s, "%"); ok {
		s, scale = rest, 100
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || v < 0 || v/scale > 1 {
		return 0, fmt.Errorf("no share: %s", s)
	}
	return v / scale, nil
}

func parseKinds(s string) ([]string, error) {
	var out []string
	for _, k := range strings.Split(s, "+") {
		switch {
		case faultNames[k] != nil:
			out = append(out, faultNames[k]...)
		case slices.Contains(Kinds, k) || k == FaultRestart:
			out = append(out, k)
		default:
			return nil, fmt.Errorf("unknown kind %s", k)
		}
	}
	sort.Strings(out)
	return out, nil
}

// Injector draws faults.
type Injector struct {
	f    Faults
	mu   sync.Mutex
	draw *rand.Rand
	down time.Time // until when a restart lasts
}

func New(f Faults) *Injector {
	if len(f.Kinds) == 0 {
		f.Kinds = Kinds
	}
	return &Injector{f: f, draw: rand.New(rand.NewPCG(uint64(f.Seed), 0x5eed))}
}

// Next draws whether a request fails, and how.
func (f *Injector) Next() string {
	if f.f.Rate <= 0 {
		return ""
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.down.IsZero() && time.Now().Before(f.down) {
		return FaultRestart
	}
	if f.draw.Float64() >= f.f.Rate {
		return ""
	}
	kind := f.f.Kinds[f.draw.IntN(len(f.f.Kinds))]
	if kind == FaultRestart {
		f.down = time.Now().Add(restartTime)
	}
	return kind
}

// Serve answers a request with what goes wrong at it.
func (f *Injector) Serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if !strings.HasPrefix(r.URL.Path, "/api") {
		next.ServeHTTP(w, r) // the page is for people
		return
	}
	if f.f.Latency > 0 {
		t := time.NewTimer(f.f.Latency)
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.Context().Done():
			return
		}
	}
	kind := f.Next()
	switch kind {
	case "":
		next.ServeHTTP(w, r)
	case FaultDropBefore, FaultRestart:
		panic(http.ErrAbortHandler)
	case FaultDropAfter, FaultSlow, FaultTruncated, FaultEmpty:
		spoil(w, r, next, kind)
	default:
		failBefore(w, kind)
	}
}

func failBefore(w http.ResponseWriter, kind string) {
	status, body, contentType := http.StatusInternalServerError, "", "application/json"
	switch kind {
	case FaultBadGateway:
		status, contentType = http.StatusBadGateway, "text/html"
		body = "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad " +
			"Gateway</h1></center><hr><center>nginx</center></body></html>"
	case Fault503:
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
	case Fault504:
		status, contentType = http.StatusGatewayTimeout, "text/html"
		body = "<html><head><title>504 Gateway Time-out</title></head><body><center><h1>504 Gateway " +
			"Time-out</h1></center></body></html>"
	case Fault429:
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", "1")
	}
	if body == "" {
		text := "An error happened on purpose"
		if kind == FaultDisk {
			text = "could not extend file: No space left on device"
		}
		body = fmt.Sprintf(`{"httpStatus":%q,"httpStatusCode":%d,"status":"ERROR","message":%q}`, http.StatusText(status),
			status, text)
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

// heldAnswer holds an answer back until it is known how to spoil it.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *heldAnswer) Header() http.Header { return h.header }

func (h *heldAnswer) WriteHeader(status int) { h.status = status }

func (h *heldAnswer) Write(b []byte) (int, error) { return h.body.Write(b) }

const slowPieces = 10

// spoil does what was asked and then hands out a broken answer.
func spoil(w http.ResponseWriter, r *http.Request, next http.Handler, kind string) {
	rec := &heldAnswer{header: http.Header{}, status: http.StatusOK}
	next.ServeHTTP(rec, r)
	if kind == FaultDropAfter {
		panic(http.ErrAbortHandler)
	}
	body := rec.body.Bytes()
	for k, v := range rec.header {
		w.Header()[k] = v
	}
	switch kind {
	case FaultEmpty:
		w.WriteHeader(rec.status)
	case FaultTruncated:
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(rec.status)
		_, _ = w.Write(body[:len(body)/2])
		panic(http.ErrAbortHandler)
	case FaultSlow:
		w.WriteHeader(rec.status)
		flush := http.NewResponseController(w)
		for i := range slowPieces {
			if r.Context().Err() != nil {
				return
			}
			_, _ = w.Write(body[len(body)*i/slowPieces : len(body)*(i+1)/slowPieces])
			_ = flush.Flush()
			time.Sleep(50 * time.Millisecond)
		}
	}
}
