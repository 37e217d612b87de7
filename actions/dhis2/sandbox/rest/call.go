package rest

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/jobs"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
	"github.com/culvert/culvert/actions/dhis2/sandbox/version"
)

// Env is what the rooms of a sandbox share.
type Env struct {
	Version version.Profile
	Catalog *catalog.Catalog // replaced as a whole when metadata is written, while meta is locked
	Store   *store.Store
	Jobs    *jobs.List
	Log     *slog.Logger
	Now     func() time.Time

	Meta    sync.RWMutex            // whoever asks holds it for reading, whoever may change the metadata alone
	JobTurn func() <-chan time.Time // when a job that was queued may run
	Work    sync.WaitGroup          // jobs in flight
	stop    context.CancelFunc
	closing context.Context
}

// jobDelay is how long a queued job waits for its turn.
const jobDelay = time.Second

func NewEnv(m version.Profile, c *catalog.Catalog, st *store.Store, log *slog.Logger, now func() time.Time) *Env {
	e := &Env{Version: m, Catalog: c, Store: st, Jobs: jobs.New(), Log: log, Now: now}
	e.JobTurn = func() <-chan time.Time { return time.After(jobDelay) }
	e.closing, e.stop = context.WithCancel(context.Background())
	return e
}

// Background runs a job beside the requests, once turn comes where one is given. The metadata does
// not change meanwhile.
func (e *Env) Background(turn <-chan time.Time, job func()) {
	e.Work.Add(1)
	go func() {
		defer e.Work.Done()
		if turn != nil {
			select {
			case <-turn:
			case <-e.closing.Done():
			}
		}
		e.Meta.RLock()
		defer e.Meta.RUnlock()
		job()
	}()
}

// Close ends the waiting of jobs, waits for them and closes the store.
func (e *Env) Close() error {
	e.stop()
	e.Work.Wait()
	return e.Store.Close()
}

// Call is one request: who asks, and the rest of its path below /api.
type Call struct {
	*Env
	W     http.ResponseWriter
	R     *http.Request
	User  *catalog.User
	Path  []string
	Query url.Values
}

// Method checks the method of a request, answering 405 when it is none of those allowed.
func (c *Call) Method(allowed ...string) bool {
	if c.R.Method == http.MethodOptions {
		c.W.Header().Set("Allow", strings.Join(append(allowed, http.MethodHead, http.MethodOptions), ","))
		c.W.WriteHeader(http.StatusOK)
		return false
	}
	for _, m := range allowed {
		if c.R.Method == m || m == http.MethodGet && c.R.Method == http.MethodHead {
			return true
		}
	}
	c.MethodNotAllowed(allowed...)
	return false
}

// At gives a segment of the path; empty beyond its end.
func (c *Call) At(i int) string {
	if i < len(c.Path) {
		return c.Path[i]
	}
	return ""
}

func NewCall(e *Env, w http.ResponseWriter, r *http.Request) *Call {
	return &Call{Env: e, W: w, R: r}
}

// AuthorityNames are those of the user, in order.
func (c *Call) AuthorityNames() []any {
	var names []string
	if c.User.Super {
		names = c.Version.Authorities()
	} else {
		for a := range c.User.Authorities {
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

// UserObject is a user as other objects name one.
func (c *Call) UserObject(username string) map[string]any {
	u := c.Catalog.Users[username]
	if u == nil {
		return map[string]any{"username": username}
	}
	var code any
	if s := catalog.Str(c.Catalog.ByID[u.UID].Obj, "code"); s != "" {
		code = s
	}
	if u.Username == catalog.AdminName && code == nil {
		code = catalog.AdminName
	}
	name := strings.TrimSpace(u.FirstName + " " + u.Surname)
	return map[string]any{"id": u.UID, "code": code, "name": name, "displayName": name, "username": u.Username}
}
