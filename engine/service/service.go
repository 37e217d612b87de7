package service

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/engine"
	"github.com/culvert/culvert/engine/dispatch"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/language"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/status"
	"github.com/culvert/culvert/engine/tracing"
	"github.com/culvert/culvert/lookups"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/window"
	"github.com/culvert/culvert/sources"
)

// Options are what a run needs besides its project.
type Options struct {
	Dir     string
	Loader  *project.Loader
	Log     *slog.Logger
	Version string
	// Alone runs without web server, sources, reload and sync: only what the journal holds is worked on.
	Alone bool
	// Limits bound the engine; zero fields get defaults, and Backlog is the project's.
	Limits engine.Limits
	// Reload receives when the project is to be read again though nothing seems to have changed; nil: never.
	Reload <-chan os.Signal
	// NotifyEvery is how often it is looked whether people are to be told of something; 0: 30 s.
	NotifyEvery time.Duration
	// Language is that of results files, notifications and, for browsers that name none, the console, where
	// culvert.yaml names none; nil: English. Where Chosen, it goes before that of culvert.yaml.
	Language *language.Language
	Chosen   bool
	// Ready is told the address of the web server once records are taken; nil: nobody is told.
	Ready func(addr string)
}

// Service is a running project.
type Service struct {
	o       Options
	journal journal.Journal
	runner  *engine.Runner
	lookups *lookups.Desk // asks other systems than DHIS2
	clients connections
	// started is culvert.yaml as it was at the start; secretsUsed which versions of the secret
	// files of a server or connection are in use. Both belong to the reload.
	started     *project.Config
	secretsUsed map[string][]byte
	places      []string // connections that rules wrote to at the start
	indexes     map[string]*atomic.Pointer[metadata.Index]
	standing    map[string]sources.Standing // sources that callers reach, by the names of their kinds
	registry    *prometheus.Registry
	listener    net.Listener
	current     atomic.Pointer[project.Project]
	reload      reloadState
	misnamed    []string // subjects of the conditions about namespaces; belongs to the reload
	synced      syncHistory
	unitSync    *unitSync
	analytics   *analytics
	tracer      *tracing.Tracer // nil: nobody is told
	finished    finished
}

// language is that of what is written for everybody who has to do with the project.
func (s *Service) language() *language.Language {
	if s.o.Chosen {
		return s.o.Language
	}
	return s.current.Load().Config.LanguageOr(s.o.Language)
}

// Open reads the project and makes everything ready, without taking or sending anything. Mistakes
// in culvert.yaml are an error; mistakes in rules are not: those rules are held and the others run.
func Open(ctx context.Context, o Options) (_ *Service, err error) {
	s := &Service{o: o, synced: syncHistory{one: make(chan struct{}, 1)},
		indexes: map[string]*atomic.Pointer[metadata.Index]{}, registry: prometheus.NewRegistry(),
		secretsUsed: map[string][]byte{}}
	p, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if s.journal, err = awaitJournal(ctx, p.Config, o.Dir, o.Log); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if err := s.takeNamespaces(ctx, p); err != nil {
		return nil, err
	}
	s.unitSync, s.analytics = newUnitSync(s.journal, o), newAnalytics(s.journal, o)
	servers, err := s.servers(p)
	if err != nil {
		return nil, err
	}
	prog, standing, err := s.program(p)
	if err != nil {
		return nil, err
	}
	s.standing = standing
	root, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("find the project's folder: %w", err)
	}
	s.startTracing()
	s.lookups = newDesk(func() *project.Project { return s.current.Load() }, s.journal, root, o.Log)
	limits := o.Limits
	limits.Backlog = int64(p.Config.MaxBacklog)
	s.runner, err = engine.New(engine.Config{
		Journal:   s.journal,
		Servers:   servers,
		Files:     filePlan(root),
		Intakes:   s.intakes(),
		Outside:   s.lookups,
		Program:   prog,
		Retention: journal.Retention(p.Config.Retention),
		Limits:    limits,
		Log:       o.Log,
		Metrics:   s.registry,
		Trace:     s.tracer,
		Zone:      p.Config.Zone,
		Say:       func(text string) string { return s.language().Text(text) },
	})
	if err != nil {
		return nil, err
	}
	if err := status.RegisterStored(s.registry, s.journal, o.Version, nil); err != nil {
		return nil, err
	}
	if !o.Alone {
		if err := s.listen(p.Config); err != nil {
			return nil, err
		}
	}
	s.logFindings(p, "rule has mistakes; its records are held")
	s.sayBroken(p)
	return s, nil
}

// load reads the project for the first time, and notes which version of its files that was.
func (s *Service) load(ctx context.Context) (*project.Project, error) {
	config, _, _, err := project.ReadConfig(s.o.Dir)
	if err != nil {
		return nil, err
	}
	s.current.Store(&project.Project{Dir: s.o.Dir, Config: config})
	p, stamp, err := s.steady(ctx)
	if err != nil {
		return nil, err
	}
	p.Finished = func(id string) string { return s.finished.of(context.Background(), s.journal, id) }
	for _, d := range p.Findings {
		if d.Place.File == project.ConfigFile && d.Severity == diag.Error {
			return nil, errors.New(d.String())
		}
	}
	p.CheckEnvironment(s.o.Loader.Sources)
	s.reload.stamp = stamp
	s.reload.lost(p, time.Now())
	s.started = p.Config
	return p, nil
}

// steadyTries is how often the project is read at the start while what it reads seems to change.
const steadyTries = 3

// steady reads the project and gives the version of its files that it is of. It is read again where its rules read
// files beside those that rules usually read, which the first look did not count: else run would read it a second
// time as soon as it works. What goes on changing is left to run, which sees that the version is another.
func (s *Service) steady(ctx context.Context) (p *project.Project, stamp [sha256.Size]byte, err error) {
	for range steadyTries {
		if stamp, err = s.fingerprint(); err != nil {
			return nil, stamp, err
		}
		if p, err = s.o.Loader.Load(ctx, s.o.Dir); err != nil {
			return nil, stamp, err
		}
		s.current.Store(p)
		if now, err := s.fingerprint(); err == nil && now == stamp {
			break
		}
	}
	return p, stamp, nil
}

// servers makes the targets of a project. For a server whose secret is missing everything waits
// until it is there; when that is so for all, a run that only works on what the journal holds has
// nothing to do, which is an error.
func (s *Service) servers(p *project.Project) (map[string]dispatch.Server, error) {
	out := map[string]dispatch.Server{}
	var missing []error
	for i := range p.Config.Servers {
		c := &p.Config.Servers[i]
		index := &atomic.Pointer[metadata.Index]{}
		index.Store(p.Indexes[c.Name])
		cl, err := project.Connect(p.Config, c, s.o.Dir, s.o.Log, s.o.Version)
		if err != nil {
			s.o.Log.Error("a server cannot be used; the records of its rules wait", "server", c.Name, "error", err)
			missing = append(missing, err)
			s.indexes[c.Name] = index
			out[c.Name] = dispatch.Server{Description: c.URL.String(), Unusable: err.Error()}
			continue
		}
		s.clients.set(c.Name, cl)
		s.indexes[c.Name] = index
		s.secretsUsed[c.Name] = c.SecretFiles()
		e, err := s.engineServer(p.Config, c, cl, index)
		if err != nil {
			return nil, err
		}
		out[c.Name] = e
	}
	if s.o.Alone && len(missing) > 0 && len(missing) == len(out) {
		return nil, errors.Join(missing...)
	}
	s.places = p.Places()
	for _, name := range s.places {
		s.secretsUsed[name] = p.Config.ConnectionNamed(name).SecretFiles()
		out[name] = s.place(p.Config, name)
	}
	return out, nil
}

func (s *Service) engineServer(config *project.Config, c *project.Server, cl *client.Client,
	index *atomic.Pointer[metadata.Index]) (dispatch.Server, error) {
	e := dispatch.Server{
		Target: s.target(config, c, cl, index),
		Batch: dispatch.Limits{MinBatch: c.Limits.BatchMin, MaxBatch: c.Limits.BatchMax,
			MaxConcurrency: c.Limits.Concurrency},
		Description: cl.URL(),
	}
	if c.Limits.Window != "" {
		w, err := window.ParseDaily(c.Limits.Window)
		if err != nil {
			return e, fmt.Errorf("server %s: %w", c.Name, err)
		}
		e.Window = w
	}
	return e, nil
}

func (s *Service) target(c *project.Config, server *project.Server, cl *client.Client,
	index *atomic.Pointer[metadata.Index]) actions.Target {
	o := dhis2.Options{
		Project: c.Project,
		Address: strings.TrimRight(cl.URL(), "/"),
		Zone:    c.Zone,
		Log:     s.o.Log.With("server", server.Name),
		Import:  dhis2.ImportOptions(server.Import),

		MaxRecords: server.Limits.BatchMax,

		OrgUnitsChanged: func(ctx context.Context) { s.unitSync.changed.set(ctx, server.Name, time.Now()) },
	}
	if server.Analytics != nil {
		o.Delivering = func(ctx context.Context) func(bool) { return s.analytics.delivering(ctx, server.Name) }
	}
	return dhis2.NewTarget(cl, index.Load, s.journal.Memory(server.Name), o)
}

// Run takes and sends records until ctx ends, then lets what is under way finish.
func (s *Service) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, s.close()) }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	start := func(what string, do func(context.Context) error) {
		wg.Go(func() {
			if err := do(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", what, err))
			}
		})
	}
	if !s.o.Alone {
		start("web server", s.serve)
		start("watch the rules", s.watch)
		start("sync", s.syncLoop)
		start("sync of org units", s.syncChangedUnits)
		start("analytics tables", s.analyticsLoop)
		start("notify", s.notifyLoop)
		start("announce", s.announce)
		start("leftovers", s.leftoversLoop)
	}
	runErr := s.runner.Run(ctx)
	cancel(nil)
	wg.Wait()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return errors.Join(cause, runErr)
	}
	return runErr
}

// announce says where records are taken, once they are.
func (s *Service) announce(ctx context.Context) error {
	if s.o.Ready == nil {
		return nil
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !s.taking() {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
	s.o.Ready(s.listener.Addr().String())
	return nil
}

// Journal is the run's journal.
func (s *Service) Journal() journal.Journal { return s.journal }

func (s *Service) close() error {
	var errs []error
	s.endTracing()
	if s.listener != nil {
		if err := s.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if s.lookups != nil {
		s.lookups.Close()
	}
	if s.journal != nil {
		errs = append(errs, s.journal.Close())
	}
	return errors.Join(errs...)
}

// drainWeb is how long web requests under way may take at a stop.
const drainWeb = 10 * time.Second
