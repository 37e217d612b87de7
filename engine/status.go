package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/culvert/culvert/engine/delivery"
	"github.com/culvert/culvert/engine/journal"
)

// Status is how one runner stands, as it says so itself about once a second.
type Status struct {
	Owner    string         `json:"owner"`
	At       time.Time      `json:"at"` // when it was said
	Started  time.Time      `json:"started"`
	Leading  bool           `json:"leading"` // it runs what only one may run
	Rules    int            `json:"rules"`
	Invalid  []string       `json:"invalid,omitempty"` // rules that cannot run
	Servers  []ServerStatus `json:"servers"`
	Troubles []Trouble      `json:"troubles,omitempty"`
	Stopped  bool           `json:"stopped,omitempty"`
}

// ServerState is whether a server takes records.
type ServerState string

// The states of a server.
const (
	ServerOpen        ServerState = "open"        // it takes records
	ServerAway        ServerState = "away"        // unreachable or overloaded: everything for it waits
	ServerTrying      ServerState = "trying"      // it answered a probe; one batch is tried
	ServerCredentials ServerState = "credentials" // it refuses our credentials: everything waits until they are fixed
	ServerPaused      ServerState = "paused"      // by a person
	ServerClosed      ServerState = "closed"      // outside its delivery window
)

// ServerStatus is how delivery to one server stands.
type ServerStatus struct {
	Name          string      `json:"name"`
	Description   string      `json:"description,omitempty"`
	State         ServerState `json:"state"`
	Since         time.Time   `json:"since,omitzero"`      // of a state that is not open
	Reason        string      `json:"reason,omitempty"`    // of a state that is not open, in words
	NextProbe     time.Time   `json:"next_probe,omitzero"` // while away or refused
	Batch         int         `json:"batch"`               // records in a batch, as the server likes them
	Concurrency   int         `json:"concurrency"`
	Queued        int         `json:"queued"`    // records in memory, ready to be sent
	UnderWay      int         `json:"under_way"` // batches
	Rate          float64     `json:"rate"`      // records a second over the last minute
	Settled       int64       `json:"settled"`   // records since the start
	Failed        int64       `json:"failed"`    // of them
	LastDelivered time.Time   `json:"last_delivered,omitzero"`
	LastError     string      `json:"last_error,omitempty"`
	LastErrorAt   time.Time   `json:"last_error_at,omitzero"`
	Rules         []string    `json:"rules,omitempty"` // that send to it
	// A report fills these in from the journal: what waits for the server, and since when.
	Waiting int64     `json:"waiting"`
	Oldest  time.Time `json:"oldest_pending,omitzero"`
}

// laneStats counts what a lane has done.
type laneStats struct {
	rate          delivery.Rate
	settled       int64
	failed        int64
	lastDelivered time.Time
	lastError     string
	lastErrorAt   time.Time
}

func (s *laneStats) add(state journal.State, now time.Time) {
	if state == journal.Pending {
		return
	}
	s.rate.Add(now, 1)
	s.settled++
	switch state {
	case journal.Failed:
		s.failed++
	case journal.Delivered:
		s.lastDelivered = now
	}
}

func (l *lane) status() ServerStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.r.now()
	set := l.control.Setting()
	s := ServerStatus{
		Name: l.name, Description: l.server().Description, State: ServerOpen, Batch: set.Batch, Concurrency: set.Concurrency,
		Queued: l.queued(), UnderWay: l.batches, Rate: l.stats.rate.PerSecond(now), Settled: l.stats.settled, Failed: l.stats.failed,
		LastDelivered: l.stats.lastDelivered, LastError: l.stats.lastError, LastErrorAt: l.stats.lastErrorAt,
	}
	switch l.breaker.State() {
	case delivery.Open:
		s.State = ServerAway
	case delivery.HalfOpen:
		s.State = ServerTrying
	case delivery.Refused:
		s.State = ServerCredentials
	}
	if s.State != ServerOpen {
		s.Since, s.Reason = l.breaker.Since()
		s.NextProbe, _ = l.breaker.ProbeAt()
	}
	if p := l.r.controls.Load().Servers[l.name]; p != nil {
		s.State, s.Since, s.Reason = ServerPaused, p.Since, p.Why
	} else if reason := l.stopped(now); reason != "" && s.State == ServerOpen {
		s.State, s.Reason = ServerClosed, reason
	}
	return s
}

// Status gives how this runner stands.
func (r *Runner) Status() Status {
	program := r.program.Load()
	s := Status{Owner: r.owner, At: r.now(), Started: r.started, Leading: r.leading.Load(), Rules: len(program.Rules)}
	for _, name := range program.names() {
		if program.Rules[name].Invalid != nil {
			s.Invalid = append(s.Invalid, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.lanes)) {
		server := r.lanes[name].status()
		for _, rule := range program.names() {
			if program.Rules[rule].Server == name {
				server.Rules = append(server.Rules, rule)
			}
		}
		s.Servers = append(s.Servers, server)
	}
	all := map[string]Trouble{}
	maps.Copy(all, r.trouble.all())
	maps.Copy(all, r.conditions.all())
	s.Troubles = slices.SortedFunc(maps.Values(all), func(a, b Trouble) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.What, b.What))
	})
	return s
}

const (
	statusName   = "status/"
	runnersName  = "runners"
	statusEvery  = time.Second
	statusAtMost = 5 * time.Second  // between two reports though nothing has changed
	silent       = 20 * time.Second // after which a runner no longer counts
)

// reportStatus says in the journal how this runner stands, for other processes, and keeps the figures that cost a query.
func (r *Runner) reportStatus(ctx context.Context) {
	var last string
	var lastAt time.Time
	report := func(ctx context.Context, stopped bool) {
		s := r.Status()
		s.Stopped = stopped
		text := r.statusText(s)
		if text == last && !stopped && r.now().Sub(lastAt) < statusAtMost {
			return
		}
		last, lastAt = text, r.now()
		if err := r.saveStatus(ctx, s); err != nil && ctx.Err() == nil {
			r.log.Warn("cannot report the status", "error", err)
		}
	}
	for counted := r.now().Add(-time.Hour); ; {
		report(ctx, false)
		if began := r.now(); began.After(counted) {
			r.countBacklog(ctx)
			counted = r.now().Add(max(statusAtMost, 50*r.now().Sub(began))) // rarely where counting is dear
		}
		if !sleep(ctx, statusEvery) {
			break
		}
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), statusAtMost)
	defer cancel()
	report(end, true)
}

// statusText is a status without its time, to see whether it has changed.
func (r *Runner) statusText(s Status) string {
	s.At = time.Time{}
	text, _ := json.Marshal(s) // plain values
	return string(text)
}

// countBacklog corrects the number of waiting records, which accepting and settling keep only roughly.
func (r *Runner) countBacklog(ctx context.Context) {
	summary, err := r.journal.Summary(ctx)
	if err != nil {
		return
	}
	var pending int64
	for _, s := range summary.Rules {
		pending += s.Pending
	}
	r.backlog.Store(pending)
}

func (r *Runner) saveStatus(ctx context.Context, s Status) error {
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("word the status: %w", err)
	}
	runners, err := readRunners(ctx, r.journal)
	if err != nil {
		return err
	}
	if seen, ok := runners[r.owner]; !ok || s.At.Sub(seen) > silent/4 || s.Stopped {
		for owner, at := range runners {
			if s.At.Sub(at) > time.Hour {
				delete(runners, owner)
			}
		}
		runners[r.owner] = s.At
		if err := saveJSON(ctx, r.journal, runnersName, runners); err != nil {
			return err
		}
	}
	return r.journal.SetMeta(ctx, statusName+r.owner, string(text))
}

func saveJSON(ctx context.Context, j journal.Journal, name string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("word %s: %w", name, err)
	}
	return j.SetMeta(ctx, name, string(text))
}

// readRunners gives the runners that have reported within the last hour or so, with the times.
func readRunners(ctx context.Context, j journal.Journal) (map[string]time.Time, error) {
	text, err := j.Meta(ctx, runnersName)
	if err != nil {
		return nil, fmt.Errorf("read the list of runners: %w", err)
	}
	runners := map[string]time.Time{}
	if text == "" {
		return runners, nil
	}
	if err := json.Unmarshal([]byte(text), &runners); err != nil {
		return nil, fmt.Errorf("read the list of runners: %w", err)
	}
	return runners, nil
}
