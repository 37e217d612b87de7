package engine

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/culvert/culvert/engine/delivery"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/status"
)

// breakerStates are what the figures tell of a server.
var breakerStates = []string{string(delivery.Closed), string(delivery.Open), string(delivery.HalfOpen), string(delivery.Refused)}

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

func (l *lane) status() status.Server {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.r.now()
	set := l.control.Setting()
	s := status.Server{
		Name: l.name, Description: l.server().Description, State: status.ServerOpen, Batch: set.Batch, Concurrency: set.Concurrency,
		Queued: l.queued(), InFlight: l.batches, Breaker: string(l.breaker.State()), Rate: l.stats.rate.PerSecond(now), Settled: l.stats.settled, Failed: l.stats.failed,
		LastDelivered: l.stats.lastDelivered, LastError: l.stats.lastError, LastErrorAt: l.stats.lastErrorAt,
	}
	switch l.breaker.State() {
	case delivery.Open:
		s.State = status.ServerAway
	case delivery.HalfOpen:
		s.State = status.ServerTrying
	case delivery.Refused:
		s.State = status.ServerCredentials
	}
	if s.State != status.ServerOpen {
		s.Since, s.Reason = l.breaker.Since()
		s.NextProbe, _ = l.breaker.ProbeAt()
	}
	if p := l.r.controls.Load().Servers[l.name]; p != nil {
		s.State, s.Since, s.Reason = status.ServerPaused, p.Since, p.Why
	} else if reason := l.stopped(now); reason != "" && s.State == status.ServerOpen {
		s.State, s.Reason = status.ServerClosed, reason
	}
	return s
}

// Status gives how this runner stands.
func (r *Runner) Status() status.Runner {
	prog := r.program.Load()
	s := status.Runner{Owner: r.owner, At: r.now(), Started: r.started, Leading: r.leading.Load(), Rules: len(prog.Rules)}
	for _, name := range prog.Names() {
		if prog.Rules[name].Invalid != nil {
			s.Invalid = append(s.Invalid, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.lanes)) {
		server := r.lanes[name].status()
		for _, rule := range prog.Names() {
			if prog.Rules[rule].Server == name {
				server.Rules = append(server.Rules, rule)
			}
		}
		s.Servers = append(s.Servers, server)
	}
	s.Conditions = status.Sorted(&r.trouble, &r.conditions)
	return s
}

// Health says whether this runner does its work; err names the first thing that stops it. Failed records do not: they are for people.
func (r *Runner) Health() error {
	for _, l := range r.lanes {
		s := l.status()
		if c := s.Concern(); c != "" {
			return errors.New(c)
		}
	}
	for _, what := range r.trouble.Texts() {
		return errors.New(what)
	}
	return nil
}

// SetCondition has status, health and console say what is wrong outside of the engine while the runner does its work; an empty text takes it back.
func (r *Runner) SetCondition(subject, what string) { r.conditions.Put(subject, what, r.now()) }

// Conditions lists what SetCondition has said, by subject.
func (r *Runner) Conditions() []string { return r.conditions.Texts() }
