package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/culvert/culvert/actions"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/culvert/culvert/engine/dispatch"
	"github.com/culvert/culvert/engine/fileimport"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/tracing"
	"github.com/culvert/culvert/internal/await"
)

// Limits bound what the engine keeps in memory and how long it waits. Zero fields get defaults.
type Limits struct {
	Window     int           // records in memory for each server, of the journal and of files each
	Memory     int64         // bytes that they may take up, roughly
	Backlog    int64         // accepted records that may wait before intake answers busy; 0: no limit
	Accepting  int           // batches that may be accepted at the same time
	Drain      time.Duration // how long a stop waits for what is under way
	Abandon    time.Duration // how long a stop waits after that for what was told to end
	Retry      await.Backoff
	Parent     await.Backoff // of records that wait for an object that is not there yet
	ParentFor  int           // tries for a parent before a person must act
	RetryFor   int           // tries of a record that keeps failing for passing reasons before a person must act
	Away       await.Backoff // between probes of a server that is away
	Refusal    await.Backoff // between probes of a server that refuses our credentials
	Poll       time.Duration // the net below Wake
	Heartbeat  time.Duration
	Lease      time.Duration // of the journal: how long we may be silent before our claims are given to others
	Expire     time.Duration // between two runs of the retention
	FileCommit time.Duration // how long outcomes of file rows may be gathered before they are recorded
}

// Config is what a Runner is made of.
type Config struct {
	Journal   journal.Journal
	Servers   map[string]dispatch.Server
	Files     fileimport.Planner // nil: dropped files are not read
	Program   *program.Program
	Outside   actions.Outside  // is asked what lookups find in other systems; nil: nobody is
	Intakes   []program.Intake // sources that live as long as the runner
	Retention journal.Retention
	Limits    Limits
	Owner     string // of this process among several runners; empty: made up
	Log       *slog.Logger
	Metrics   prometheus.Registerer // nil: none
	Trace     *tracing.Tracer       // nil: nobody is told of the parts of a record's way
	Now       func() time.Time
	Zone      *time.Location // of delivery windows
	// Say gives what results files say in the language of the project; nil: as it was said.
	Say func(string) string
}

func (c *Config) prepare() error {
	if c.Journal == nil {
		return errors.New("the engine needs a journal")
	}
	if c.Program == nil {
		c.Program = &program.Program{}
	}
	for name, f := range c.Program.Rules {
		if f == nil || f.Rule == nil {
			return fmt.Errorf("rule %s has not been compiled", name)
		}
	}
	if c.Owner == "" {
		host, _ := os.Hostname() // only to recognise the process in lists; the rest is unique without it
		c.Owner = fmt.Sprintf("%s/%d/%s", host, os.Getpid(), uuid.NewString()[:8])
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Zone == nil {
		c.Zone = time.Local
	}
	c.Limits.prepare()
	return nil
}

// prepare fills in the defaults.
func (l *Limits) prepare() {
	number(&l.Window, 4096)
	number(&l.Accepting, 256)
	if l.Memory <= 0 {
		l.Memory = 24 << 20
	}
	l.Memory = max(l.Memory, int64(l.Window))
	number(&l.ParentFor, 60) // with Parent below: about a week
	number(&l.RetryFor, 500) // with Retry below: about three weeks
	duration(&l.Drain, 30*time.Second)
	duration(&l.Abandon, 15*time.Second)
	backoff(&l.Retry, 2*time.Second, time.Hour)
	backoff(&l.Parent, 5*time.Second, 4*time.Hour)
	backoff(&l.Away, 300*time.Millisecond, 2*time.Minute)
	backoff(&l.Refusal, 15*time.Second, 10*time.Minute)
	duration(&l.Poll, time.Second)
	duration(&l.Lease, journal.DefaultLease)
	duration(&l.Heartbeat, l.Lease/5)
	duration(&l.Expire, time.Hour)
	duration(&l.FileCommit, 50*time.Millisecond)
}

// retry says when records are tried again.
func (l *Limits) retry() dispatch.Retry {
	return dispatch.Retry{Transient: l.Retry, MaxTransient: l.RetryFor, Parent: l.Parent, MaxParent: l.ParentFor}
}

func number(n *int, otherwise int) {
	if *n <= 0 {
		*n = otherwise
	}
}

func duration(d *time.Duration, otherwise time.Duration) {
	if *d <= 0 {
		*d = otherwise
	}
}

func backoff(b *await.Backoff, base, limit time.Duration) {
	duration(&b.Base, base)
	duration(&b.Cap, max(limit, b.Base))
}
