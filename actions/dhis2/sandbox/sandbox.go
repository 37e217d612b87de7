// Package sandbox answers as a DHIS2 server does, from a file of metadata: for demos, rehearsals and tests that need a server nobody
// has to install. It serves the metadata, takes tracker objects, data values and completions, checks them as DHIS2 of the version asked
// for checks them, keeps what it took in memory or in a file, and shows it on a page.
//
// What it answers follows DHIS2's documentation and behaviour, version by version; docs/sandbox.md says what it covers and what not.
package sandbox

import (
	"context"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// maxAddress is how long an address may be: the buffer of the servlet container for the head of a request.
const maxAddress = 8 << 10

// jobDelay is how long a queued job waits for its turn.
const jobDelay = time.Second

// Options say what a sandbox is made of. Only Metadata is required.
type Options struct {
	// Metadata is the path of a DHIS2 metadata export or package (a JSON file) or of a snapshot (a folder of <collection>.json files). Where there
	// are no org units, an invented country is laid under it.
	Metadata string
	// More are further such files and folders, merged in their order: what a later one tells of an object counts.
	More []string
	// Version is whose manners the sandbox takes on: "2.38" to "2.44", default "2.42".
	Version string
	// State is the file that keeps the data across restarts; empty keeps it in memory only. Every write is in the file before it is answered,
	// so that killing the process loses nothing that was acknowledged; a power cut may lose the last moments, as nothing is forced to disk.
	State string
	// Faults go wrong on purpose.
	Faults Faults
	// Logger takes what is worth knowing; nil discards it. No value that was sent is ever logged.
	Logger *slog.Logger
	// Clock gives the time; nil is the machine's.
	Clock func() time.Time
}

// Counts are the live objects, not those that were deleted, and the requests answered since the start.
type Counts struct {
	TrackedEntities, Enrollments, Events, DataValues, Completions, Relationships, Requests int
}

// Server is a running sandbox. It is an http.Handler and safe for concurrent use.
type Server struct {
	manners  manners
	catalog  *catalog
	store    *store
	tokens   *tokens
	sessions *sessions
	jobs     *jobs
	rules    *ruleEngine
	faults   atomic.Pointer[faulty]
	log      *slog.Logger
	now      func() time.Time
	pages    *template.Template
	count    atomic.Int64
	work     sync.WaitGroup          // asynchronous imports under way
	meta     sync.RWMutex            // what is asked holds it for reading, what may change the metadata alone
	jobTurn  func() <-chan time.Time // when a job that was queued may run
	stop     context.CancelFunc
	closing  context.Context
}

// New loads the metadata and, where a state file is given, the data that was kept. An error names the file and says what to do.
func New(o Options) (*Server, error) {
	m, err := parseManners(o.Version)
	if err != nil {
		return nil, err
	}
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	now := o.Clock
	if now == nil {
		now = time.Now
	}
	c, err := loadCatalog(append([]string{o.Metadata}, o.More...), now(), log)
	if err != nil {
		return nil, err
	}
	pages, err := parsePages()
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	st, err := openStore(c, o.State, now)
	if err != nil {
		return nil, err
	}
	s := &Server{manners: m, catalog: c, store: st, jobs: newJobs(), rules: newRuleEngine(c, m, log), log: log, now: now, pages: pages}
	s.apply(st.changed())
	s.tokens, s.sessions = newTokens(st), newSessions()
	s.jobTurn = func() <-chan time.Time { return time.After(jobDelay) }
	s.closing, s.stop = context.WithCancel(context.Background())
	s.SetFaults(o.Faults)
	log.Info("sandbox loaded", "version", m.release(), "orgUnits", len(c.orgUnits), "programs", len(c.programs), "dataSets", len(c.dataSets))
	return s, nil
}

// Close waits for imports under way and writes the state.
func (s *Server) Close() error {
	s.stop()
	s.work.Wait()
	return s.store.close()
}

// Counts tells how many objects there are now.
func (s *Server) Counts() Counts {
	c := s.store.counts()
	c.Requests = int(s.count.Load())
	return c
}

// Dump gives all live data as JSON without times and sorted, so that the outcomes of two runs can be compared byte for byte.
func (s *Server) Dump() []byte { return s.store.dump() }

// SetFaults changes what goes wrong from now on: a share of 1 takes the server down, zero Faults bring it back.
func (s *Server) SetFaults(f Faults) { s.faults.Store(newFaulty(f)) }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.count.Add(1)
	s.faults.Load().serve(w, r, http.HandlerFunc(s.serve))
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			s.log.Error("sandbox failed at a request", "method", r.Method, "path", r.URL.Path, "panic", fmt.Sprint(p))
			s.fail(w, http.StatusInternalServerError, "", "Internal Server Error")
		}
	}()
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if writesMetadata(r) {
		s.meta.Lock()
		defer s.meta.Unlock()
	} else {
		s.meta.RLock()
		defer s.meta.RUnlock()
	}
	if len(r.RequestURI) > maxAddress {
		s.tooLong(w)
		return
	}
	if cors(w, r) {
		tagged(w, r, s.route)
	}
}
