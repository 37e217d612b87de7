// Package webhook takes records from HTTP requests. A request is answered with success only after
// its records are durable.
package webhook

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"github.com/culvert/culvert/internal/disk"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/openrosa"
)

// Defaults of limits.
const (
	DefaultMaxBody  = 10 << 20  // bytes, unpacked
	DefaultMaxDepth = 64        // of nested objects and lists
	DefaultMaxItems = 10000     // records in one request
	DefaultMaxHeld  = 128 << 20 // bytes of bodies that are held at once
)

// Limits bound what one path takes. Zero values mean the defaults; Rate 0 means no limit.
type Limits struct {
	MaxBody  int64
	MaxDepth int
	MaxItems int
	Rate     float64 // requests per second
	Burst    int     // requests at once beyond the rate; 0: one second's worth
}

func (l Limits) withDefaults() Limits {
	l.MaxBody = cmp.Or(l.MaxBody, DefaultMaxBody)
	l.MaxDepth = cmp.Or(l.MaxDepth, DefaultMaxDepth)
	l.MaxItems = cmp.Or(l.MaxItems, DefaultMaxItems)
	if l.Rate > 0 && l.Burst <= 0 {
		l.Burst = max(1, int(l.Rate))
	}
	return l
}

// Route is one rule's claim on a path. Several rules may share a path; each gets every record whose sender it lets in.
type Route struct {
	Rule     string
	Path     string // as cleanPath gives it; /* at its end: all below
	Auth     Auth   // the zero Auth lets in callers on this machine only
	Networks []netip.Prefix
	Limits   Limits
	// picks the records out of a body; nil: the body, or its items when it is a list
	Items       func(body any) ([]any, error)
	Headers     []string // request headers that the rule may use, besides those of CommCare
	Encoding    string   // of bodies that name none; empty: UTF-8
	Attachments bool     // the files of forms are kept
	// how long the answer waits for what becomes of the records; 0: it says that they are kept
	Wait     time.Duration
	Forms    []string // files and folders of the project: forms that phones get here
	Table    *Table   // the body is a table, whose rows are read as those of a dropped file; nil: it holds records
	Inherits bool     // the rule names no auth of its own
	Closed   bool     // its secret is missing: callers are asked to come again
	Off      bool     // its rule is switched off: they are asked to come again, too
}

// Config is what a Handler needs.
type Config struct {
	Dir     string // of the project, that folders count from
	Inbox   string // where taken tables are kept
	Log     *slog.Logger
	Now     func() time.Time
	MaxHeld int64 // bytes; 0: DefaultMaxHeld
	// NonceKey gives what all runners of the project sign nonces of digest authentication with; nil: each has its own.
	NonceKey func(ctx context.Context) ([]byte, error)
}

// Handler answers webhook requests. Its routes can be replaced while it serves. Until Run has given
// it a sink it answers 503.
type Handler struct {
	config Config
	routes atomic.Pointer[table]
	sink   atomic.Pointer[sinkRef]
	held   *semaphore.Weighted // bytes of bodies
	keys   *keyMemory
	signed *keyMemory // signatures with a time, each of which is taken once
	digest *digests

	shelf *openrosa.Shelf
	// paths whose forms phones cannot reach by the addresses that they get; each is told of once
	unreachable sync.Map
	public      atomic.Pointer[string] // the address of this Culvert, where the project says it
	proxies     atomic.Pointer[[]netip.Prefix]
	callers     crowd
	waiting     *semaphore.Weighted // requests that wait for the outcome of their records
	replacing   sync.Mutex
	open        map[string]bool // rules and paths that were warned of as they have no auth; guarded by replacing
}

// sinkRef is a sink that can be swapped as one word.
type sinkRef struct {
	sink    sources.Sink
	running context.Context // ends with the run
}

// table is what is served at a moment; it does not change.
type table struct {
	paths   map[string]*endpoint
	hosting map[string]*endpoint // by the address that phones get forms from
}

// below ends the path of an endpoint that takes every path below it, and the one in front of it: a FHIR
// server puts resources below the address of a subscription, and posts its Bundles to the address itself.
const below = "/*"

// at gives the endpoint for a path: its own, else the nearest that takes what lies below it; nil for none.
func (t *table) at(asked string) *endpoint {
	p := cleanPath(asked)
	if e := t.paths[p]; e != nil || strings.HasSuffix(p, below) {
		return e
	}
	for ; p != "/"; p = path.Dir(p) {
		if e := t.paths[p+below]; e != nil {
			return e
		}
	}
	return nil
}

// endpoint is one path.
type endpoint struct {
	path    string
	routes  []*Route
	limits  Limits // the widest of its routes
	limiter *rate.Limiter
}

// New makes a handler without routes.
func New(c Config) (*Handler, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.MaxHeld = cmp.Or(c.MaxHeld, DefaultMaxHeld)
	if c.MaxHeld < 0 {
		return nil, fmt.Errorf("webhook: bodies may hold %d bytes", c.MaxHeld)
	}
	h := &Handler{config: c, held: semaphore.NewWeighted(c.MaxHeld), keys: newKeyMemory(c.Now, keyLife),
		signed: newKeyMemory(c.Now, 2*maxSkew), digest: newDigests(c.Now, c.NonceKey),
		waiting: semaphore.NewWeighted(maxWaiting)}
	h.shelf = openrosa.NewShelf(c.Dir, c.Log)
	h.routes.Store(&table{})
	h.Trust(nil)
	h.Publish("")
	return h, nil
}

// Trust names the proxies whose X-Forwarded-For is believed, in the place of those named before.
func (h *Handler) Trust(proxies []netip.Prefix) { h.proxies.Store(&proxies) }

// Publish says under which address others reach this Culvert; empty: as their requests say.
func (h *Handler) Publish(address string) { h.public.Store(&address) }

// Run hands records to the sink until ctx ends. Requests that come before or afterwards are answered with 503.
func (h *Handler) Run(ctx context.Context, sink sources.Sink) error {
	ref := &sinkRef{sink, ctx}
	h.sink.Store(ref)
	defer h.sink.CompareAndSwap(ref, nil)
	h.replacing.Lock()
	h.warnOpen(h.routes.Load())
	h.replacing.Unlock()
	h.readForms(h.routes.Load())
	// Whoever starts a killed run again does so at once, and what it left is cleared when it is old enough.
	later := time.NewTicker(disk.Stale)
	defer later.Stop()
	for {
		if h.config.Inbox != "" {
			h.clearReceiving()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-later.C:
		}
	}
}

// Serves tells whether a path is one of its rules'.
func (h *Handler) Serves(path string) bool {
	t := h.routes.Load()
	hosting, _ := t.hosts(path)
	return hosting != nil || t.at(path) != nil
}

// TakeOver serves what another handler, which has not run, was made for.
func (h *Handler) TakeOver(fresh sources.Source) {
	f, ok := fresh.(*Handler)
	if !ok {
		return
	}
	h.proxies.Store(f.proxies.Load())
	h.public.Store(f.public.Load())
	h.install(f.routes.Load())
}

// Replace puts new routes in the place of the old ones. Requests under way are finished under the
// routes that they began with.
func (h *Handler) Replace(routes []Route) {
	fresh := &table{paths: map[string]*endpoint{}, hosting: map[string]*endpoint{}}
	routes = slices.Clone(routes)
	slices.SortStableFunc(routes, func(a, b Route) int { return strings.Compare(a.Rule, b.Rule) })
	for _, r := range routes {
		r.Path = cleanPath(r.Path)
		r.Limits = r.Limits.withDefaults()
		e := fresh.paths[r.Path]
		if e == nil {
			e = &endpoint{path: r.Path}
			fresh.paths[r.Path] = e
		}
		e.add(&r)
		if address, ok := hosting(r.Path); ok && len(r.Forms) > 0 {
			fresh.hosting[address] = e
		}
	}
	h.install(fresh)
}

// install puts a table in the place of the one that is served. Requests under way are finished
// under the routes that they began with.
func (h *Handler) install(fresh *table) {
	h.replacing.Lock()
	defer h.replacing.Unlock()
	if h.sink.Load() != nil {
		h.warnOpen(fresh)
	}
	old := h.routes.Load()
	for p, e := range fresh.paths {
		e.limiter = limiterFor(e.limits, old.paths[p])
	}
	h.routes.Store(fresh)
	if h.sink.Load() != nil {
		h.readForms(fresh)
	}
}

// warnOpen says which rules let callers in without auth, each once and not at every save. A handler that does not run says nothing.
func (h *Handler) warnOpen(fresh *table) {
	open := map[string]bool{}
	for _, e := range fresh.paths {
		for i := range e.routes {
			r := e.routes[i]
			if !r.Auth.empty() {
				continue
			}
			at := r.Rule + "\x00" + r.Path
			if open[at] = true; !h.open[at] {
				h.config.Log.Warn("a webhook has no auth: only callers on this machine are let in", "rule", r.Rule, "path", r.Path)
			}
		}
	}
	h.open = open
}

func (e *endpoint) add(r *Route) {
	first := len(e.routes) == 0
	e.routes = append(e.routes, r)
	e.limits.MaxBody = max(e.limits.MaxBody, r.Limits.MaxBody)
	e.limits.MaxDepth = max(e.limits.MaxDepth, r.Limits.MaxDepth)
	e.limits.MaxItems = max(e.limits.MaxItems, r.Limits.MaxItems)
	switch {
	case first:
		e.limits.Rate, e.limits.Burst = r.Limits.Rate, r.Limits.Burst
	case r.Limits.Rate > 0 && (e.limits.Rate == 0 || r.Limits.Rate < e.limits.Rate):
		e.limits.Rate, e.limits.Burst = r.Limits.Rate, r.Limits.Burst
	}
}

// limiterFor keeps the limiter of a path whose rate has not changed, so that a reload gives nobody a fresh allowance.
func limiterFor(l Limits, old *endpoint) *rate.Limiter {
	if l.Rate <= 0 {
		return nil
	}
	if old != nil && old.limiter != nil && old.limits.Rate == l.Rate && old.limits.Burst == l.Burst {
		return old.limiter
	}
	return rate.NewLimiter(rate.Limit(l.Rate), l.Burst)
}

// cleanPath gives a path as it is compared: with a slash in front and none behind.
func cleanPath(p string) string {
	return path.Clean("/" + strings.Trim(p, "/"))
}

var _ sources.Standing = (*Handler)(nil)

// Taking tells whether requests are handed on: between the beginning and the end of Run.
func (h *Handler) Taking() bool { return h.sink.Load() != nil }
