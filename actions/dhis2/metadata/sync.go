package metadata

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/culvert/culvert/actions/dhis2/client"
)

// Server is what Sync reads from; *client.Client is one.
type Server interface {
	URL() string
	SystemInfo(ctx context.Context, out any) error
	Me(ctx context.Context, out any) error
	// Pages reads a collection whole; its error wraps client.ErrChanged when others changed the collection meanwhile.
	Pages(ctx context.Context, name, fields string, filters []string, size int, each func(json.RawMessage) error) error
	ProgramOrgUnits(ctx context.Context, programs []string) (map[string][]string, error)
}

// Options of a sync.
type Options struct {
	// Progress is told of every collection that has been read. It is never called twice at once.
	Progress func(Progress)
	// Warn is told what a person should know though the sync goes on. It is never called twice at once.
	Warn func(message string)
	// Full reads everything, even where reading what has changed would do.
	Full bool
	Now  func() time.Time
	// Pause is the first wait before a collection is read again that the server or the line failed on,
	// doubled each time; 0: 2 s.
	Pause time.Duration
	Wanted
}

// Wanted is what is read only where rules ask for it: it is much, or about people.
type Wanted struct {
	Users        bool
	GroupMembers bool // of org unit groups
}

// Progress is how far a sync has come.
type Progress struct {
	Collection  string // DHIS2's name
	Objects     int    // that the snapshot now holds of it
	Done, Total int    // collections
}

const (
	rereads     = 4                  // how often a collection that changes under our hands is tried
	retries     = 4                  // how often one that the server or the line fails on is
	parallel    = 3                  // collections read at once
	maxPause    = time.Minute        // however long the server asks for: somebody waits for the sync
	overlap     = 2 * time.Hour      // reaches over a change of the server's clock, such as from summer time
	fullEvery   = 7 * 24 * time.Hour // bounds how long what lastUpdated does not tell can go unnoticed
	idPage      = 5000
	serverClock = "2006-01-02T15:04:05.000"
)

// Sync reads a server's metadata. With an older snapshot of the same server, version and user it
// reads of large collections only what has changed, and the uids to see what is gone; everything at
// least once a week. The error says what could not be read; the older snapshot stays as it is.
func Sync(ctx context.Context, server Server, old *Snapshot, o Options) (*Snapshot, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Pause <= 0 {
		o.Pause = 2 * time.Second
	}
	r := &reading{server: server, options: o, fresh: &Snapshot{}}
	if err := r.greet(ctx); err != nil {
		return nil, err
	}
	r.decide(old)
	if err := r.readAll(ctx); err != nil {
		return nil, err
	}
	if err := r.readUnitGroups(ctx); err != nil {
		return nil, err
	}
	if err := r.readUsers(ctx); err != nil {
		return nil, err
	}
	if err := r.fetchMissingReferences(ctx); err != nil {
		return nil, err
	}
	if err := r.readArea(ctx); err != nil {
		return nil, err
	}
	for _, c := range collections() {
		c.arrange(r.fresh)
	}
	if old != nil {
		r.fresh.Former = remember(old, r.fresh)
	}
	return r.fresh, nil
}

// reading is one sync under way.
type reading struct {
	server  Server
	options Options
	old     *Snapshot // nil: read everything
	since   string    // the server's clock, from where changes are read
	fresh   *Snapshot

	mu   sync.Mutex // of the two callbacks and done
	done int
}

func (r *reading) warn(format string, args ...any) {
	if r.options.Warn == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.options.Warn(fmt.Sprintf(format, args...))
}

// greet asks who the server and the user are.
func (r *reading) greet(ctx context.Context) error {
	var info struct {
		ServerInfo
		Date string `json:"serverDate"`
	}
	if err := r.server.SystemInfo(ctx, &info); err != nil {
		return fmt.Errorf("asking for the server's version: %w", err)
	}
	minor, err := client.ParseVersion(info.Version)
	if err != nil {
		return fmt.Errorf("%s does not say which version of DHIS2 it is: check `url`", r.server.URL())
	}
	if minor < client.OldestVersion {
		return fmt.Errorf("%s is DHIS2 %s; Culvert works with 2.%d and newer: upgrade the server", r.server.URL(),
			info.Version, client.OldestVersion)
	}
	if minor > client.NewestVersion {
		r.warn("%s is DHIS2 %s, newer than this Culvert knows (2.%d): try rules against a test server first", r.server.URL(),
			info.Version,
			client.NewestVersion)
	}
	if c := info.Calendar; c != "" && c != "iso8601" && c != "gregorian" {
		r.warn("%s uses the calendar %q: it names periods in that calendar; period(date, type, %q) makes them, where "+
			"Culvert knows it", r.server.URL(), c, c)
	}
	s := r.fresh
	s.Server = info.ServerInfo
	s.Server.URL, s.Server.Synced, s.Server.AsOf = r.server.URL(), r.options.Now().UTC(), info.Date
	s.Server.Hash, s.Server.Format = "", FormatVersion
	if err := r.server.Me(ctx, &s.User); err != nil {
		return fmt.Errorf("asking for the user's rights: %w", err)
	}
	slices.Sort(s.User.Authorities)
	slices.Sort(s.User.Programs)
	slices.Sort(s.User.DataSets)
	slices.SortFunc(s.User.CaptureUnits, byRef)
	slices.SortFunc(s.User.SearchUnits, byRef)
	return nil
}

// reads is counted up when a sync asks for more of an object than before: then all are read anew, once.
const reads = 1

// decide tells whether reading what has changed is enough.
func (r *reading) decide(old *Snapshot) {
	now := &r.fresh.Server
	now.Full, now.Reads = now.Synced, reads
	if old == nil || old.Server.Reads != reads || r.options.Full || old.Server.URL != now.URL || old.Server.Version != now.Version ||
		old.Server.SystemID != now.SystemID ||
		old.User.ID != r.fresh.User.ID ||
		now.Synced.Sub(old.Server.Full) > fullEvery {
		return
	}
	asOf, err := time.Parse(serverClock, old.Server.AsOf)
	if err != nil {
		return
	}
	r.old, r.since = old, asOf.Add(-overlap).Format(serverClock)
	now.Full = old.Server.Full
}

func (r *reading) readAll(ctx context.Context) error {
	var onServer []collection
	for _, c := range collections() {
		if fields, _ := c.query(); fields != "" {
			onServer = append(onServer, c)
		}
	}
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(parallel)
	for _, c := range onServer {
		work.Go(func() error {
			if err := r.patiently(ctx, c.title(), func() error { return r.read(ctx, c) }); err != nil {
				return fmt.Errorf("reading %s: %w", c.title(), err)
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.done++
			if r.options.Progress != nil {
				r.options.Progress(Progress{Collection: c.title(), Objects: c.size(r.fresh), Done: r.done, Total: len(onServer)})
			}
			return nil
		})
	}
	return work.Wait()
}

// patiently does something again that fails because the server is away for a moment: one lost
// answer in a thousand must not cost the rest.
func (r *reading) patiently(ctx context.Context, what string, do func() error) error {
	pause := r.options.Pause
	for try := 1; ; try++ {
		err := do()
		var failed *client.Error
		if !errors.As(err, &failed) || failed.Kind != client.Overloaded && failed.Kind != client.Unreachable ||
			try == retries || ctx.Err() != nil {
			return err
		}
		r.warn("reading %s again: %s", what, failed.Message)
		timer := time.NewTimer(max(pause, min(failed.RetryAfter, maxPause)))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
		pause *= 2
	}
}

// read brings one collection of the fresh snapshot up to date.
func (r *reading) read(ctx context.Context, c collection) error {
	if r.old != nil && c.changes() {
		complete, err := r.readChanges(ctx, c)
		if err != nil || complete {
			return err
		}
	}
	if err := r.readWhole(ctx, c); err != nil {
		return err
	}
	if c.title() == Programs {
		return r.assignPrograms(ctx)
	}
	return nil
}

// readWhole reads every object, again from the start when others change the collection meanwhile.
func (r *reading) readWhole(ctx context.Context, c collection) error {
	fields, page := c.query()
	for try := 1; ; try++ {
		c.clear(r.fresh)
		err := r.server.Pages(ctx, c.title(), fields, nil, page, func(o json.RawMessage) error { return c.add(o, r.fresh) })
		if err != nil && !errors.Is(err, client.ErrChanged) {
			return err
		}
		twice := c.size(r.fresh) - len(c.ids(r.fresh))
		if err == nil && twice == 0 {
			return nil
		}
		if try < rereads {
			continue
		}
		if err != nil {
			return fmt.Errorf("it was changed each of the %d times it was read; sync when nobody works on metadata: %w", try,
				err)
		}
		r.warn("the server lists %d of its %s twice; the first of each is kept", twice, c.title())
		return nil
	}
}

// readChanges takes the older snapshot's objects, replaces those that have changed and drops those
// that are gone. It is not complete when the server lists objects that neither holds.
func (r *reading) readChanges(ctx context.Context, c collection) (complete bool, err error) {
	fields, page := c.query()
	c.clear(r.fresh)
	filter := []string{"lastUpdated:gt:" + r.since}
	err = r.server.Pages(ctx, c.title(), fields, filter, page, func(o json.RawMessage) error { return c.add(o, r.fresh) })
	if errors.Is(err, client.ErrChanged) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	changed := c.ids(r.fresh)
	listed := map[string]bool{}
	err = r.server.Pages(ctx, c.title(), "id", nil, idPage, func(o json.RawMessage) error {
		var x struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(o, &x); err != nil {
			return plainJSON(err)
		}
		listed[x.ID] = true
		return nil
	})
	if errors.Is(err, client.ErrChanged) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	kept := new(Snapshot)
	c.take(kept, r.old)
	had := c.ids(kept)
	stays := map[string]bool{}
	for id := range listed {
		if !changed[id] && !had[id] {
			return false, nil
		}
		stays[id] = !changed[id]
	}
	c.keep(kept, stays)
	c.keep(r.fresh, listed)
	c.join(r.fresh, kept)
	if c.title() == OrgUnits {
		repath(r.fresh.OrgUnits)
	}
	return true, nil
}

func (r *reading) assignPrograms(ctx context.Context) error {
	programs := make([]string, len(r.fresh.Programs))
	for i := range r.fresh.Programs {
		programs[i] = r.fresh.Programs[i].ID
	}
	units, err := r.server.ProgramOrgUnits(ctx, programs)
	if err != nil {
		return fmt.Errorf("the org units of programs: %w", err)
	}
	for i := range r.fresh.Programs {
		r.fresh.Programs[i].OrgUnits = units[r.fresh.Programs[i].ID]
	}
	return nil
}

// repath makes paths and levels follow the parents: moving an org unit changes those of everything
// below it, which lastUpdated does not tell.
func repath(units []OrgUnit) {
	at := make(map[string]int, len(units))
	for i := range units {
		at[units[i].ID] = i
	}
	settled := make([]bool, len(units))
	var settle func(i, depth int)
	settle = func(i, depth int) {
		u := &units[i]
		if settled[i] || depth > 100 {
			return
		}
		settled[i] = true
		if u.Parent == nil {
			return
		}
		p, ok := at[u.Parent.ID]
		if !ok {
			return
		}
		settle(p, depth+1)
		if path := units[p].Path + "/" + u.ID; path != u.Path {
			u.Path, u.Level = path, units[p].Level+1
		}
	}
	for i := range units {
		settle(i, 0)
	}
}
