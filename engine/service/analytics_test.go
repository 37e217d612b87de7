package service

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/status"
)

// tableServer is a server with analytics tables and a clock of ours.
type tableServer struct {
	now     *time.Time
	started int // runs that were asked for
	task    client.AnalyticsTask
	other   string    // a run of somebody else
	success time.Time // when the last run that succeeded began
	err     error     // of asking for a run
	away    error     // of everything
}

func (s *tableServer) StartAnalytics(context.Context, int) (string, error) {
	if s.err != nil {
		return "", s.err
	}
	s.started++
	return "tGAj73JVks3", nil
}

func (s *tableServer) AnalyticsTask(context.Context, string) (client.AnalyticsTask, error) {
	return s.task, s.away
}
func (s *tableServer) AnalyticsRunning(context.Context) (string, error) { return s.other, s.away }

func (s *tableServer) AnalyticsTables(context.Context) (client.AnalyticsTables, error) {
	if s.success.IsZero() {
		return client.AnalyticsTables{}, s.away
	}
	return client.AnalyticsTables{Ever: true, Age: s.now.Sub(s.success)}, s.away
}

// load is a project with one server, a clock and a journal.
type load struct {
	t      *testing.T
	now    time.Time
	notes  *notes
	a      *analytics
	server tableServer
	st     status.Analytics
}

func newLoad(t *testing.T) *load {
	l := &load{t: t, now: time.Date(2026, 11, 30, 1, 0, 0, 0, time.UTC), notes: newNotes()}
	l.server.now = &l.now
	l.restart()
	return l
}

func (l *load) restart() {
	l.a = newAnalytics(l.notes, quietly)
	l.a.now = func() time.Time { return l.now }
}

// pass lets time pass and looks every few seconds.
func (l *load) pass(d time.Duration) {
	l.t.Helper()
	for end := l.now.Add(d); l.now.Before(end); {
		l.now = l.now.Add(analyticsScan)
		l.step()
	}
}

func (l *load) step() {
	l.t.Helper()
	l.a.refresh(l.t.Context())
	st, err := l.a.step(l.t.Context(), "national",
		project.Analytics{After: 15 * time.Minute, AtMostEvery: 24 * time.Hour}, &l.server)
	if err != nil && l.server.away == nil {
		l.t.Fatal(err)
	}
	l.st = st
}

func (l *load) deliver(wrote bool) { l.a.delivering(l.t.Context(), "national")(wrote) }

func (l *load) want(what string, started int, running bool) {
	l.t.Helper()
	if l.server.started != started || l.st.Running() != running {
		l.t.Errorf("%s: %d runs, under way %v; want %d, %v", what, l.server.started, l.st.Running(), started, running)
	}
}

// TestAnalyticsOncePerLoad makes tables anew once a load is over, and once only.
func TestAnalyticsOncePerLoad(t *testing.T) {
	l := newLoad(t)
	l.pass(time.Hour)
	l.want("nothing was written", 0, false)
	for range 60 {
		l.deliver(true)
		l.pass(time.Minute)
	}
	l.want("during the load", 0, false)
	l.pass(13 * time.Minute)
	l.want("right after it", 0, false)
	l.pass(3 * time.Minute)
	l.want("after it was quiet", 1, true)
	l.server.task = client.AnalyticsTask{Known: true}
	l.pass(20 * time.Minute)
	l.want("while the server works on it", 1, true)
	l.server.task.Ended = true
	l.pass(2 * time.Minute)
	l.want("when it is done", 1, false)
	if l.st.Wanted() || l.st.Concern() != "" || !strings.Contains(l.st.Describe(), "made anew at") {
		t.Errorf("%+v: %s", l.st, l.st.Describe())
	}
	l.pass(48 * time.Hour)
	l.want("nothing new", 1, false)
}

// TestAnalyticsPatience holds what keeps a run away: unchanged records, a batch in flight, the last run.
func TestAnalyticsPatience(t *testing.T) {
	l := newLoad(t)
	l.deliver(false)
	l.pass(2 * time.Hour)
	l.want("nothing of it was written", 0, false)

	l.deliver(true)
	for range 4 {
		l.pass(10 * time.Minute)
		l.deliver(false)
	}
	l.want("unchanged records still come", 0, false)

	done := l.a.delivering(t.Context(), "national")
	l.pass(time.Hour)
	l.want("a batch is in flight", 0, false)
	done(false)
	l.server.task = client.AnalyticsTask{Known: true, Ended: true}
	l.pass(16 * time.Minute)
	l.want("then", 1, false)

	l.deliver(true)
	l.pass(23 * time.Hour)
	l.want("the next load of the same day", 1, false)
	l.pass(2 * time.Hour)
	l.want("a day later", 2, false)
}

// TestAnalyticsRestart holds that a load and a run outlive the process, and that no run is asked for twice.
func TestAnalyticsRestart(t *testing.T) {
	l := newLoad(t)
	l.deliver(true)
	l.restart()
	l.pass(16 * time.Minute)
	l.want("another process", 1, true)
	l.restart()
	l.pass(5 * time.Minute)
	l.want("a run is under way", 1, true)
	l.server.task = client.AnalyticsTask{Known: true, Ended: true}
	l.pass(time.Minute)
	l.want("its end", 1, false)

	l = newLoad(t) // ended while the run was asked for
	l.deliver(true)
	if err := status.SaveAnalytics(t.Context(), l.notes, status.Analytics{Server: "national", Started: l.now}); err != nil {
		t.Fatal(err)
	}
	l.server.other = "aBcDeFgHiJk"
	l.pass(time.Hour)
	l.want("it was asked for", 0, true)
	l.server.other, l.server.success = "", l.now.Add(-30*time.Minute)
	l.pass(time.Minute)
	l.want("it was asked for and ended", 0, false)
}

// TestAnalyticsOfTheServer does not do what the server has done, or does.
func TestAnalyticsOfTheServer(t *testing.T) {
	l := newLoad(t)
	l.deliver(true)
	l.pass(10 * time.Minute)
	l.server.success = l.now
	l.pass(time.Hour)
	l.want("the server made them by itself", 0, false)
	if l.st.Wanted() || !strings.Contains(l.st.Describe(), "by the server itself") {
		t.Errorf("%+v: %s", l.st, l.st.Describe())
	}
	l.deliver(true)
	l.server.other = "aBcDeFgHiJk"
	l.pass(time.Hour)
	l.want("a run that began before is under way", 0, false)
	l.server.other = ""
	l.pass(2 * time.Minute)
	l.want("it has ended", 1, true)
}

// TestAnalyticsFails says what is wrong, and tries again without a storm.
func TestAnalyticsFails(t *testing.T) {
	l := newLoad(t)
	l.deliver(true)
	l.server.err = errors.New("requires one Authority from [F_PERFORM_MAINTENANCE]")
	l.pass(30 * time.Minute)
	l.want("refused", 0, false)
	if !strings.Contains(l.st.Concern(), "F_PERFORM_MAINTENANCE") {
		t.Errorf("refused: %q", l.st.Concern())
	}
	l.server.err, l.server.task = nil, client.AnalyticsTask{Known: true}
	l.pass(30 * time.Minute)
	l.want("not at once", 0, false)
	l.pass(30 * time.Minute)
	l.want("an hour later", 1, true)
	l.server.task = client.AnalyticsTask{Known: true, Ended: true, Problem: "disk full"}
	l.pass(time.Minute)
	if !strings.Contains(l.st.Concern(), "disk full") {
		t.Errorf("failed: %q", l.st.Concern())
	}
	l.server.task = client.AnalyticsTask{} // the server was started anew during the next one
	l.pass(70 * time.Minute)
	l.want("the next", 2, false)
	if !strings.Contains(l.st.Concern(), "does not know of the run") {
		t.Errorf("forgotten: %q", l.st.Concern())
	}
	l.server.away = errors.New("no route to host")
	l.pass(2 * time.Hour)
	l.want("away", 2, false)
	l.server.away, l.server.task = nil, client.AnalyticsTask{Known: true, Ended: true}
	l.pass(5 * time.Minute)
	l.want("back", 3, false)
	if l.st.Concern() != "" {
		t.Errorf("healed: %q", l.st.Concern())
	}
}
