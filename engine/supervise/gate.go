package supervise

import (
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/culvert/culvert/engine/controls"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/work"
)

// Gate says what runs now: the rules, what is paused, and whether what this runner holds is still
// its own. It holds no lock and may be asked at any time.
type Gate struct {
	program  atomic.Pointer[program.Program]
	controls atomic.Pointer[controls.Controls]
	servers  map[string]bool
	now      func() time.Time
	silence  time.Duration // without a sign of life, before we stop sending: well before the lease ends

	// Rules that run since the last change, by name: their records are not sent before those that were held
	// without an id have theirs, so that these come first.
	unsettled atomic.Pointer[map[string]bool]

	leading    atomic.Bool
	lastBeat   atomic.Pointer[time.Time]
	leaseEpoch atomic.Int64 // goes up when what is held may have been lost
}

// NewGate makes a gate for the servers that this run knows.
func NewGate(p *program.Program, servers []string, lease time.Duration, now func() time.Time) *Gate {
	g := &Gate{servers: map[string]bool{}, silence: lease * 7 / 10, now: now}
	for _, name := range servers {
		g.servers[name] = true
	}
	g.Swap(p)
	g.controls.Store(&controls.Controls{})
	return g
}

// Swap puts a new set of rules in place. Those that can run now and could not before wait until Settled.
func (g *Gate) Swap(p *program.Program) {
	if old := g.program.Load(); old != nil {
		g.settle(func(rules map[string]bool) {
			for _, name := range p.Names() {
				before := old.Rules[name]
				if p.Rules[name].Invalid == nil && (before == nil || before.Invalid != nil) {
					rules[name] = true
				}
			}
		})
	}
	g.program.Store(p)
}

// settle changes which rules wait for Settled.
func (g *Gate) settle(change func(rules map[string]bool)) {
	for {
		old := g.unsettled.Load()
		rules := map[string]bool{}
		if old != nil {
			maps.Copy(rules, *old)
		}
		change(rules)
		if g.unsettled.CompareAndSwap(old, &rules) {
			return
		}
	}
}

// Unsettled lists the rules that wait for Settled.
func (g *Gate) Unsettled() []string {
	if rules := g.unsettled.Load(); rules != nil {
		return slices.Sorted(maps.Keys(*rules))
	}
	return nil
}

// Settled lets rules go on: what was held of them is in order.
func (g *Gate) Settled(rules []string) {
	g.settle(func(waiting map[string]bool) {
		for _, name := range rules {
			delete(waiting, name)
		}
	})
}

func (g *Gate) settling(name string) bool {
	rules := g.unsettled.Load()
	return rules != nil && (*rules)[name]
}

// Program gives the rules as they are now.
func (g *Gate) Program() *program.Program { return g.program.Load() }

// Controls gives what is paused.
func (g *Gate) Controls() *controls.Controls { return g.controls.Load() }

// PausedServer gives who paused a server, nil when nobody did.
func (g *Gate) PausedServer(name string) *controls.Pause { return g.controls.Load().Servers[name] }

// Knows tells whether this run can send to a server.
func (g *Gate) Knows(server string) bool { return g.servers[server] }

// Runnable tells whether work of a flow may be sent: it is still the rule's current one, valid and
// neither switched off nor paused, and its window is open.
func (g *Gate) Runnable(f *program.Flow) bool {
	return f != nil && f.Invalid == nil && !f.Rule.Delivery.Disabled && g.servers[f.Server] &&
		g.program.Load().Flow(f.Name()) == f && !g.settling(f.Name()) &&
		g.controls.Load().Rules[f.Rule.Name] == nil && g.controls.Load().Rules[f.Name()] == nil &&
		!f.Rule.Delivery.Closed(g.now())
}

// Closed lists the flows that send nothing now because their windows are closed, by name.
func (g *Gate) Closed() (names []string) {
	now := g.now()
	p := g.program.Load()
	for _, name := range p.Names() {
		if p.Rules[name].Rule.Delivery.Closed(now) {
			names = append(names, name)
		}
	}
	return names
}

// Stale tells whether work must not be sent as it was planned: its rule was changed, paused or
// found invalid since it was evaluated, its file was given up, or it may be another runner's by
// now.
func (g *Gate) Stale(w work.Work) bool {
	return w.LeaseEpoch() != g.leaseEpoch.Load() || !g.Runnable(w.Flow()) || w.Cancelled()
}

// Leading tells whether this runner runs what only one of several may run.
func (g *Gate) Leading() bool { return g.leading.Load() }

// LeaseEpoch numbers the times for which what is held has surely been ours.
func (g *Gate) LeaseEpoch() int64 { return g.leaseEpoch.Load() }

// LeaseLost tells whether our last sign of life is so long ago that what we hold may be with
// another runner. It goes by the clock that runs on while a process is stopped.
func (g *Gate) LeaseLost() bool {
	last := g.lastBeat.Load()
	return last != nil && time.Since(*last) > g.silence
}
