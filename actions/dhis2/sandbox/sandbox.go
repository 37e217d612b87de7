// Package sandbox answers as a DHIS2 server does, from a file of metadata: for demos, rehearsals and tests that need a server nobody
// has to install. It serves the metadata, takes tracker objects, data values and completions, checks them as DHIS2 of the version asked
// for checks them, keeps what it took in memory or in a file, and shows it on a page.
//
// What it answers follows DHIS2's documentation and behaviour, version by version; docs/sandbox.md says what it covers and what not.
package sandbox

import (
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

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

// Server is a running sandbox. It is an http.Handler and safe for concurrent use.
type Server struct {
	env    *env
	api    *apiService
	faults atomic.Pointer[faulty]
	count  atomic.Int64
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
	st, err := openStore(c, o.State, now)
	if err != nil {
		return nil, err
	}
	if changes := st.changed(); len(changes) > 0 {
		c = c.with(changes)
		st.catalog = c
	}
	s := &Server{env: newEnv(m, c, st, log, now)}
	tracker := newTracker(s.env)
	pages, err := newPages(s.env, tracker.skippedRules, s.Counts)
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	s.api = newAPI(s.env, tracker, newValues(s.env), newMetadata(s.env, tracker.rulesChanged), pages)
	s.SetFaults(o.Faults)
	log.Info("sandbox loaded", "version", m.release(), "orgUnits", len(c.orgUnits), "programs", len(c.programs), "dataSets", len(c.dataSets))
	return s, nil
}

// Close waits for jobs in flight and writes the state.
func (s *Server) Close() error { return s.env.close() }

// Counts tells how many objects there are now.
func (s *Server) Counts() Counts {
	c := s.env.store.counts()
	c.Requests = int(s.count.Load())
	return c
}

// Dump gives all live data as JSON without times and sorted, so that the outcomes of two runs can be compared byte for byte.
func (s *Server) Dump() []byte { return s.env.store.dump() }

// SetFaults changes what goes wrong from now on: a share of 1 takes the server down, zero Faults bring it back.
func (s *Server) SetFaults(f Faults) { s.faults.Store(newFaulty(f)) }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.count.Add(1)
	s.faults.Load().serve(w, r, s.api)
}
