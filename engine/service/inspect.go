package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/culvert/culvert/engine/console"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/files"
	"github.com/culvert/culvert/sources/results"
	"github.com/culvert/culvert/sources/tabular"
)

// inspection shows the running project to the console.
type inspection struct {
	*Service
	mu    sync.Mutex
	trees map[string]*tree // by server, of the snapshot that they were made of
}

// Rules lists the rules as they run now.
func (s *inspection) Rules() []console.Rule {
	var out []console.Rule
	for _, r := range s.current.Load().Rules {
		out = append(out, s.rule(r))
	}
	return out
}

func (s *inspection) rule(r *project.Rule) console.Rule {
	x := console.Rule{Name: r.Name, Description: r.Description, File: r.Path, Server: r.Server, Trigger: r.Trigger.Kind,
		Findings: r.Findings}
	for _, key := range []string{"path", "folder", "cron", "every", "connection"} {
		if n := r.Trigger.Config.Get(key); n != nil && x.Address == "" {
			x.Address = n.Value
		}
	}
	x.Disabled = r.Delivery.Disabled
	if now := time.Now(); !x.Disabled && r.Delivery.Closed(now) {
		x.Opens = r.Delivery.Window.Next(now)
	}
	x.TakesFiles = !r.Findings.HasErrors()
	if p := s.current.Load(); !r.Findings.HasErrors() {
		if timed, ok := sources.Named(p.Sources, r.Trigger.Kind).(sources.Timed); ok {
			x.NextRun = timed.NextRun(&r.Trigger, p.Config.Zone, time.Now())
		}
		x.Asks = s.prompted(r.Trigger.Kind) != nil
	}
	return x
}

// prompted gives the running source of a kind of trigger if it asks for records itself, else nil.
func (s *inspection) prompted(kind string) sources.Prompted {
	for _, in := range s.runner.Program().Intakes {
		if source, ok := in.Source.(sources.Prompted); ok && in.Name == kind {
			return source
		}
	}
	return nil
}

// RunNow has a rule ask for its records now.
func (s *inspection) RunNow(rule string) error {
	for _, r := range s.current.Load().Rules {
		if r.Name != rule {
			continue
		}
		if source := s.prompted(r.Trigger.Kind); source != nil && !r.Findings.HasErrors() {
			return source.Prompt(rule)
		}
	}
	return console.ErrAsksNothing
}

// Refused says why the project as it lies there is not live.
func (s *inspection) Refused() string {
	s.reload.mu.Lock()
	defer s.reload.mu.Unlock()
	return s.reload.refused
}

// Servers lists the servers with what their last sync said.
func (s *inspection) Servers() []console.Server {
	p := s.current.Load()
	var out []console.Server
	for i := range p.Config.Servers {
		c := &p.Config.Servers[i]
		x := console.Server{Name: c.Name}
		if cl := s.clients.get(c.Name); cl != nil {
			x.URL = cl.URL()
		}
		if index := p.Indexes[c.Name]; index != nil {
			snap := index.Snapshot
			x.System, x.Version, x.User, x.Synced = snap.Server.Name, snap.Server.Version, snap.User.Username, snap.Server.Synced
			x.Programs, x.DataSets, x.Elements, x.OrgUnits = len(snap.Programs), len(snap.DataSets), len(snap.DataElements),
				len(snap.OrgUnits)
			x.NextSync = s.synced.due()
		}
		for _, r := range p.Rules {
			if slices.Contains(r.Servers(p.Config), c.Name) {
				x.Rules = append(x.Rules, r.Name)
			}
		}
		x.Changes = s.synced.of(c.Name)
		out = append(out, x)
	}
	return out
}

// Connections lists the other systems that rules read from.
func (s *inspection) Connections() []console.Connection {
	p := s.current.Load()
	var out []console.Connection
	for _, c := range p.Config.Connections {
		x := console.Connection{Name: c.Name, Kind: c.Kind}
		for _, r := range p.Rules {
			if n := r.Trigger.Config.Get("connection"); n != nil && n.Value == c.Name {
				x.Rules = append(x.Rules, r.Name)
			}
		}
		out = append(out, x)
	}
	return out
}

// testLimit bounds how long somebody waits for the answer to a test.
const testLimit = 20 * time.Second

// Test asks a server or connection for something small.
func (s *inspection) Test(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, testLimit)
	defer cancel()
	p := s.current.Load()
	if c := p.Config.ServerNamed(name); name != "" && c != nil {
		cl := s.clients.get(name)
		if cl == nil {
			return fmt.Errorf("the server %s cannot be used: its secret or its address is missing, or it came to %s after "+
				"the start", name, project.ConfigFile)
		}
		return s.target(p.Config, c, cl, s.indexes[name]).Probe(ctx)
	}
	c := p.Config.ConnectionNamed(name)
	if c == nil {
		return fmt.Errorf("there is no server or connection %q in %s", name, project.ConfigFile)
	}
	conn, err := p.Config.Connection(name, s.o.Dir)
	if err != nil {
		return err
	}
	if system := project.SystemNamed(project.Systems(p.Sources), c.Kind); system != nil {
		return system.Ping(ctx, conn, s.o.Log)
	}
	return fmt.Errorf("nothing can ask a connection of kind %s", c.Kind)
}

// Sync reads the metadata of a server anew.
func (s *inspection) Sync(ctx context.Context, server string) ([]string, error) {
	if s.clients.get(server) == nil {
		return nil, fmt.Errorf("the server %s cannot be used: see the log", server)
	}
	changes, err := s.syncServer(ctx, server)
	if err != nil {
		return nil, err
	}
	s.Reload(ctx)
	return changes, nil
}

// maxUpload bounds a file that is sent by a browser, in bytes; larger ones are dropped into the folder.
const maxUpload = 200 << 20

// longestName bounds the name of such a file, in bytes: file systems take 255, and a number or an
// ending may come to it where it is kept.
const longestName = 200

// uploadsFolder is where uploads lie until they are taken, below the state.
const uploadsFolder = "uploads"

// Upload takes a file for a rule, as if it had been dropped, and gives its id.
func (s *inspection) Upload(ctx context.Context, rule, name string, content io.Reader) (id string,
	err error) {
	p := s.current.Load()
	flow, r, err := Flow(p, rule)
	if err != nil {
		return "", console.Refuse(err)
	}
	uploads, err := filepath.Abs(filepath.Join(s.o.Dir, p.Config.StateDir, uploadsFolder))
	if err != nil {
		return "", fmt.Errorf("find where uploads go: %w", err)
	}
	folder := uploads
	if (r.Trigger.Kind == files.Kind{}.Name()) {
		root, err := filepath.Abs(p.Dir)
		if err != nil {
			return "", fmt.Errorf("find the project's folder: %w", err)
		}
		folder = files.Watched(rule, &r.Trigger, root).Folder
	}
	if name = cleanName(name); name == "" {
		return "", console.Refuse(errors.New("the file has no name"))
	}
	if len(name) > longestName {
		return "", console.Refuse(fmt.Errorf("the file's name has %d bytes, and at most %d can be kept: "+
			"give it a shorter one", len(name), longestName))
	}
	path, err := Spool(uploads, name, content, maxUpload)
	if large, ok := errors.AsType[*tooLarge](err); ok {
		return "", console.Refuse(large)
	}
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(filepath.Dir(path))) }()
	f, duplicate, err := files.TakeFor(ctx, path, flow.Rule.Name, folder, s.inbox(p), s.runner)
	bad, unreadable := errors.AsType[*tabular.FileError](err)
	busy, away := errors.AsType[*sources.ErrBusy](err)
	switch {
	case away:
		return "", &journal.ErrUnavailable{Reason: busy.Reason, RetryAfter: busy.RetryAfter, Err: err}
	case unreadable:
		return "", console.Refuse(bad)
	case errors.Is(err, sources.ErrFinal): // the rule went while the file came
		return "", console.Refuse(err)
	case err == nil && duplicate:
		return "", console.Refuse(ErrDuplicate)
	}
	return f.ID, err
}

// cleanName gives the last part of a file's name as a browser sends it, "" when it names no file.
func cleanName(name string) string {
	name = strings.TrimSpace(name[strings.LastIndexAny(name, `/\`)+1:])
	if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) {
		return ""
	}
	return strings.TrimLeft(name, ".")
}

// syncHistory keeps what the last sync of each server changed, as far as this process has seen it.
type syncHistory struct {
	one     chan struct{} // full while a server is synced
	mu      sync.Mutex
	changes map[string][]string
	next    time.Time // when all servers are synced; zero: by hand alone
}

// mostChanges is how many changes of a sync are kept.
const mostChanges = 200

func (h *syncHistory) set(server string, changes []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.changes == nil {
		h.changes = map[string][]string{}
	}
	h.changes[server] = changes[:min(len(changes), mostChanges)]
}

func (h *syncHistory) of(server string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.changes[server])
}

// Outputs tells where the results of a file lie, and its failed rows once it is finished.
func (s *inspection) Outputs(f journal.File) (outcomes, failed string) {
	if f.State == journal.FileOpen {
		return results.Path(f.File), ""
	}
	return f.Results, results.FailedRowsBeside(f.Results)
}

// wait notes when the next sync is due.
func (h *syncHistory) wait(next time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.next = next
}

func (h *syncHistory) due() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.next
}
