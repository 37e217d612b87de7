package dispatch

import (
	"fmt"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/status"
)

// BreakerStates are what the figures tell of a server.
var BreakerStates = []string{string(Closed), string(Open), string(HalfOpen), string(Refused)}

// stats counts what a dispatcher has done.
type stats struct {
	rate          Rate
	settled       int64
	failed        int64
	lastDelivered time.Time
	lastError     string
	lastErrorAt   time.Time
}

func (s *stats) add(state journal.State, now time.Time) {
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

// Status gives how delivery to the server stands.
func (d *Dispatcher) Status() status.Server {
	now := d.Now()
	paused, stopped := d.Gate.PausedServer(d.name), d.stopped(now)
	d.mu.Lock()
	defer d.mu.Unlock()
	set := d.control.Setting()
	s := status.Server{
		Name: d.name, Description: d.server().Description, State: status.ServerReachable, Batch: set.Batch,
		Concurrency: set.Concurrency,
		Queued:      d.queued(), InFlight: d.inFlight, Breaker: string(d.breaker.State()), Rate: d.stats.rate.PerSecond(now),
		Settled: d.stats.settled, Failed: d.stats.failed,
		LastDelivered: d.stats.lastDelivered, LastError: d.stats.lastError, LastErrorAt: d.stats.lastErrorAt,
	}
	switch d.breaker.State() {
	case Open:
		s.State = status.ServerAway
	case HalfOpen:
		s.State = status.ServerTrying
	case Refused:
		s.State = status.ServerCredentials
	}
	if s.State != status.ServerReachable {
		s.Since, s.Reason = d.breaker.Since()
		s.NextProbe, _ = d.breaker.ProbeAt()
	}
	if why := d.server().Unusable; why != "" {
		s.State, s.Reason = status.ServerUnusable, why
	} else if p := paused; p != nil {
		s.State, s.Since, s.Reason = status.ServerPaused, p.Since, p.Why
	} else if stopped != "" && s.State == status.ServerReachable {
		s.State, s.Reason = status.ServerClosed, stopped
	}
	return s
}

// count keeps the figures of a decided record.
func (d *Dispatcher) count(s journal.Settlement) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.Now()
	d.stats.add(s.State, now)
	if s.State == journal.Failed {
		d.stats.lastError, d.stats.lastErrorAt = fmt.Sprintf("%s: %s", s.Problem.Code, s.Problem.Message), now
	}
}
