package service

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/status"
)

const (
	analyticsScan = 5 * time.Second
	// How often a run is asked after: often at first, rarely once it is known to be long.
	analyticsPoll     = 15 * time.Second
	analyticsLong     = 5 * time.Minute
	analyticsPollLong = time.Minute
	// analyticsUnknown is how long a server may not know of a run, which begins some seconds after it was asked for.
	analyticsUnknown = 10 * time.Minute
	// analyticsEndless is when a run counts as one that does not end.
	analyticsEndless = 24 * time.Hour
	// analyticsRetry is the least time from a run that failed to the next.
	analyticsRetry = time.Hour
	// analyticsSkew is how much later than it was asked for a run may seem to have begun, or earlier, by
	// clocks and roundings.
	analyticsSkew = time.Minute
)

// analytics has servers make their analytics tables anew after loads. What was written when, and how
// the last run stands, is in the journal: the runner that leads goes on with it, also after a restart.
type analytics struct {
	journal journal.Meta
	log     *slog.Logger
	now     func() time.Time
	written marks // when a server last took something
	busy    marks // when something was last sent to a server

	mu       sync.Mutex
	inFlight map[string]int
	nextPoll map[string]time.Time // the loop's alone
}

func newAnalytics(j journal.Meta, o Options) *analytics {
	return &analytics{journal: j, log: o.Log, now: time.Now,
		written:  marks{prefix: status.WrittenName, journal: j, log: o.Log},
		busy:     marks{prefix: "busy/", journal: j, log: o.Log},
		inFlight: map[string]int{}, nextPoll: map[string]time.Time{}}
}

// delivering notes that a batch is being sent to a server until done is called.
func (a *analytics) delivering(ctx context.Context, server string) (done func(wrote bool)) {
	a.count(server, 1)
	a.busy.set(ctx, server, a.now())
	return func(wrote bool) {
		a.count(server, -1)
		a.busy.set(ctx, server, a.now())
		if wrote {
			a.written.set(ctx, server, a.now())
		}
	}
}

func (a *analytics) count(server string, by int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.inFlight[server] += by
}

// refresh keeps what other runners need to know: also that a batch is still in flight.
func (a *analytics) refresh(ctx context.Context) {
	a.mu.Lock()
	var sending []string
	for server, n := range a.inFlight {
		if n > 0 {
			sending = append(sending, server)
		}
	}
	a.mu.Unlock()
	for _, server := range sending {
		a.busy.set(ctx, server, a.now())
	}
	a.busy.flush(ctx)
	a.written.flush(ctx)
}

// tables is what is asked of a server; *client.Client implements it.
type tables interface {
	StartAnalytics(ctx context.Context, lastYears int) (task string, err error)
	AnalyticsTask(ctx context.Context, task string) (client.AnalyticsTask, error)
	AnalyticsRunning(ctx context.Context) (task string, err error)
	AnalyticsTables(ctx context.Context) (client.AnalyticsTables, error)
}

// step does what is to be done for one server now, and gives how its tables stand.
func (a *analytics) step(ctx context.Context, name string, want project.Analytics,
	on tables) (status.Analytics, error) {
	st, err := status.ReadAnalytics(ctx, a.journal, name)
	if err != nil {
		return st, err
	}
	now := a.now()
	switch {
	case now.Before(a.nextPoll[name]):
		return st, nil
	case st.Running():
		return a.follow(ctx, st, on)
	case !st.Wanted():
		return st, nil
	}
	busy, err := a.busy.at(ctx, name)
	if err != nil {
		return st, err
	}
	pause := want.AtMostEvery
	if st.Problem != "" {
		pause = min(pause, analyticsRetry)
	}
	if now.Sub(st.Written) < want.After || now.Sub(busy) < want.After || now.Sub(st.Started) < pause {
		return st, nil
	}
	return a.start(ctx, st, want, on)
}

// start has the tables made anew, unless the server has done so itself or is about to.
func (a *analytics) start(ctx context.Context, st status.Analytics, want project.Analytics,
	on tables) (status.Analytics, error) {
	now := a.now()
	a.nextPoll[st.Server] = now.Add(analyticsPollLong) // also where the server cannot be asked
	built, err := on.AnalyticsTables(ctx)
	if err != nil {
		return st, err
	}
	if at := now.Add(-built.Age); built.Ever && at.After(st.Written.Add(analyticsSkew)) {
		a.log.Info("the server has made its analytics tables anew by itself since the last load", "server", st.Server)
		st.Covers, st.Problem = at, ""
		return st, status.SaveAnalytics(ctx, a.journal, st)
	}
	if other, err := on.AnalyticsRunning(ctx); err != nil || other != "" {
		return st, err // whoever asked for it: two at once would only be slower
	}
	st.Started, st.Ended, st.Task, st.Problem = now, time.Time{}, "", ""
	if err := status.SaveAnalytics(ctx, a.journal, st); err != nil { // before it is asked for: never two for one load
		return st, err
	}
	a.nextPoll[st.Server] = now.Add(analyticsPoll)
	task, err := on.StartAnalytics(ctx, want.LastYears)
	if err != nil {
		return a.ended(ctx, st, err.Error())
	}
	a.log.Info("the load is over: the analytics tables are being made anew", "server", st.Server, "task", task)
	st.Task = task
	return st, status.SaveAnalytics(ctx, a.journal, st)
}

// follow asks after a run that goes on.
func (a *analytics) follow(ctx context.Context, st status.Analytics, on tables) (status.Analytics, error) {
	now := a.now()
	lasts := now.Sub(st.Started)
	a.nextPoll[st.Server] = now.Add(analyticsPoll)
	if lasts > analyticsLong {
		a.nextPoll[st.Server] = now.Add(analyticsPollLong)
	}
	var task client.AnalyticsTask
	var err error
	if st.Task != "" { // else the process ended while it was asked for
		if task, err = on.AnalyticsTask(ctx, st.Task); err != nil {
			return st, err
		}
	}
	switch {
	case task.Ended:
		return a.ended(ctx, st, task.Problem)
	case task.Known && lasts > analyticsEndless:
		return a.ended(ctx, st, fmt.Sprintf("the run has not ended in %s", lasts.Round(time.Hour)))
	case task.Known:
		return st, nil
	}
	built, err := on.AnalyticsTables(ctx)
	if err != nil {
		return st, err
	}
	if built.Ever && now.Add(-built.Age).After(st.Started.Add(-analyticsSkew)) {
		return a.ended(ctx, st, "")
	}
	if lasts < analyticsUnknown {
		return st, nil
	}
	other, err := on.AnalyticsRunning(ctx)
	if err != nil || other != "" && lasts < analyticsEndless {
		return st, err // ours waits for its turn, or is that one
	}
	return a.ended(ctx, st, "the server does not know of the run any more, most likely because it was started anew")
}

// ended keeps what came of a run; an empty problem: the tables hold what was written before it.
func (a *analytics) ended(ctx context.Context, st status.Analytics, problem string) (status.Analytics, error) {
	st.Ended, st.Problem = a.now(), problem
	if problem == "" {
		st.Covers = st.Started
		a.log.Info("the analytics tables were made anew", "server", st.Server, "took", st.Ended.Sub(st.Started).String())
	} else {
		a.log.Warn("the analytics tables could not be made anew; it is tried again", "server", st.Server, "problem", problem)
	}
	return st, status.SaveAnalytics(ctx, a.journal, st)
}

// conditionAnalytics is the subject of what is wrong with the tables of a server.
const conditionAnalytics = "analytics/"

// analyticsLoop has the tables of every server for which that is asked for made anew after loads.
func (s *Service) analyticsLoop(ctx context.Context) error {
	scan := time.NewTicker(analyticsScan)
	defer scan.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-scan.C:
		}
		s.analytics.refresh(ctx)
		config := s.current.Load().Config
		lead, err := s.runner.Leads(ctx)
		for i := range config.Servers {
			c := &config.Servers[i]
			if err != nil || !lead || c.Analytics == nil {
				s.runner.SetCondition(conditionAnalytics+c.Name, "")
				continue
			}
			if on := s.clients.get(c.Name); on != nil {
				s.stepAnalytics(ctx, c, on)
			}
		}
	}
}

func (s *Service) stepAnalytics(ctx context.Context, c *project.Server, on tables) {
	st, err := s.analytics.step(ctx, c.Name, *c.Analytics, on)
	if err != nil {
		if ctx.Err() == nil {
			s.o.Log.Warn("cannot see how the analytics tables stand", "server", c.Name, "error", err)
		}
		return
	}
	s.runner.SetCondition(conditionAnalytics+c.Name, st.Concern())
}
