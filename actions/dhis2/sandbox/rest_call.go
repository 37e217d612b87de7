package sandbox

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"sync"
	"time"
)

// env is what the rooms of a sandbox share.
type env struct {
	manners manners
	catalog *catalog // replaced as a whole when metadata is written, while meta is locked
	store   *store
	jobs    *jobs
	log     *slog.Logger
	now     func() time.Time

	meta    sync.RWMutex            // whoever asks holds it for reading, whoever may change the metadata alone
	jobTurn func() <-chan time.Time // when a job that was queued may run
	work    sync.WaitGroup          // jobs in flight
	stop    context.CancelFunc
	closing context.Context
}

// jobDelay is how long a queued job waits for its turn.
const jobDelay = time.Second

func newEnv(m manners, c *catalog, st *store, log *slog.Logger, now func() time.Time) *env {
	e := &env{manners: m, catalog: c, store: st, jobs: newJobs(), log: log, now: now}
	e.jobTurn = func() <-chan time.Time { return time.After(jobDelay) }
	e.closing, e.stop = context.WithCancel(context.Background())
	return e
}

// background runs a job beside the requests, once turn comes where one is given. The metadata does not change meanwhile.
func (e *env) background(turn <-chan time.Time, job func()) {
	e.work.Add(1)
	go func() {
		defer e.work.Done()
		if turn != nil {
			select {
			case <-turn:
			case <-e.closing.Done():
			}
		}
		e.meta.RLock()
		defer e.meta.RUnlock()
		job()
	}()
}

// close ends the waiting of jobs, waits for them and closes the store.
func (e *env) close() error {
	e.stop()
	e.work.Wait()
	return e.store.close()
}

// call is one request: who asks, and the rest of its path below /api.
type call struct {
	*env
	w     http.ResponseWriter
	r     *http.Request
	user  *user
	path  []string
	query url.Values
}

// method checks the method of a request, answering 405 when it is none of those allowed.
func (c *call) method(allowed ...string) bool {
	if c.r.Method == http.MethodOptions {
		c.w.Header().Set("Allow", strings.Join(append(allowed, http.MethodHead, http.MethodOptions), ","))
		c.w.WriteHeader(http.StatusOK)
		return false
	}
	for _, m := range allowed {
		if c.r.Method == m || m == http.MethodGet && c.r.Method == http.MethodHead {
			return true
		}
	}
	c.methodNotAllowed(allowed...)
	return false
}

// at gives a segment of the path; empty beyond its end.
func (c *call) at(i int) string {
	if i < len(c.path) {
		return c.path[i]
	}
	return ""
}

func newCall(e *env, w http.ResponseWriter, r *http.Request) *call {
	return &call{env: e, w: w, r: r}
}

// authorityNames are those of the user, in order.
func (c *call) authorityNames() []any {
	var names []string
	if c.user.super {
		names = c.manners.authorities()
	} else {
		for a := range c.user.authorities {
			names = append(names, a)
		}
	}
	sort.Strings(names)
	out := make([]any, len(names))
	for i, n := range names {
		out[i] = n
	}
	return out
}
