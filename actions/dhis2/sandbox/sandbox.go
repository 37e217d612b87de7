package sandbox

import (
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/aggregate"
	"github.com/culvert/culvert/actions/dhis2/sandbox/api"
	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/faults"
	"github.com/culvert/culvert/actions/dhis2/sandbox/metadata"
	"github.com/culvert/culvert/actions/dhis2/sandbox/page"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
	"github.com/culvert/culvert/actions/dhis2/sandbox/tracker"
	"github.com/culvert/culvert/actions/dhis2/sandbox/version"
)

// Options say what a sandbox is made of. Only Metadata is required.
type Options struct {
	// Metadata is the path of a DHIS2 metadata export or package (a JSON file) or of a snapshot (a
	// folder of <collection>.json files). Where there are no org units, an invented country is laid
	// under it.
	Metadata string
	// More are further such files and folders, merged in their order: what a later one tells of an object counts.
	More []string
	// Version is which DHIS2 the sandbox answers as: "2.38" to "2.44", default "2.42".
	Version string
	// State is the file that keeps the data across restarts; empty keeps it in memory only. Every
	// write is in the file before it is answered, so that killing the process loses nothing that was
	// acknowledged; a power cut may lose the last moments, as nothing is forced to disk.
	State string
	// Faults go wrong on purpose.
	Faults Faults
	// Logger takes what is worth knowing; nil discards it. No value that was sent is ever logged.
	Logger *slog.Logger
	// Clock gives the time; nil is the machine's.
	Clock func() time.Time
}

// PracticeToken is a personal access token that signs in as admin on every sandbox.
func PracticeToken() string { return api.PracticeToken }

// Server is a running sandbox. It is an http.Handler and safe for concurrent use.
type Server struct {
	env    *rest.Env
	api    *api.Service
	faults atomic.Pointer[faults.Injector]
	count  atomic.Int64
}

// New loads the metadata and, where a state file is given, the data that was kept. An error names
// the file and says what to do.
func New(o Options) (*Server, error) {
	m, err := version.Parse(o.Version)
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
	c, err := catalog.Load(append([]string{o.Metadata}, o.More...), now(), log)
	if err != nil {
		return nil, err
	}
	st, err := store.Open(c, o.State, now)
	if err != nil {
		return nil, err
	}
	if changes := st.MetadataChanges(); len(changes) > 0 {
		c = c.With(changes)
		st.Catalog = c
	}
	s := &Server{env: rest.NewEnv(m, c, st, log, now)}
	people := tracker.New(s.env)
	pages, err := page.New(s.env, people.SkippedRules, s.Counts)
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	s.api = api.New(s.env, people, aggregate.New(s.env), metadata.New(s.env, people.RulesChanged), pages)
	s.SetFaults(o.Faults)
	log.Info("sandbox loaded", "version", m.Release(), "orgUnits", len(c.OrgUnits), "programs", len(c.Programs),
		"dataSets", len(c.DataSets))
	return s, nil
}

// Close waits for jobs in flight and writes the state.
func (s *Server) Close() error { return s.env.Close() }

// Counts tells how many objects there are now.
func (s *Server) Counts() Counts {
	c := s.env.Store.Counts()
	c.Requests = int(s.count.Load())
	return c
}

// Dump gives all live data as JSON without times and sorted, so that the outcomes of two runs can
// be compared byte for byte.
func (s *Server) Dump() []byte { return s.env.Store.Dump() }

// SetFaults changes what goes wrong from now on: a share of 1 takes the server down, zero Faults bring it back.
func (s *Server) SetFaults(f Faults) { s.faults.Store(faults.New(f)) }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.count.Add(1)
	s.faults.Load().Serve(w, r, s.api)
}
