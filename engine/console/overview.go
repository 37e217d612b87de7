package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/culvert/culvert/engine/controls"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/status"
)

// overviewView is what the first page shows.
type overviewView struct {
	status.Overview
	Sentence string
	Periods  []link
	Lately   series
	Concerns []concernView
	Resting  []status.Paused // what is paused
	Rules    []ruleFigures
	Servers  []serverFigures
	Paused   *controls.Controls
	NextSync next
	NextRun  next
}

// concernView is a concern with something to do about it.
type concernView struct {
	status.Concern
	Link, Label string // a page that tells more
	Test        string // a server that may be tested
}

// ruleFigures is a rule with what happened lately.
type ruleFigures struct {
	status.Rule
	Lately  series
	Lag     time.Duration // from acceptance to delivery, on average
	Slowest time.Duration
}

// serverFigures is a server with what happened lately.
type serverFigures struct {
	status.Server
	Lately series
}

// next is what happens next, and when.
type next struct {
	What string
	At   time.Time
}

func (s *Console) overview(r *http.Request) (view, error) {
	ctx, now := r.Context(), s.c.Now()
	o, err := s.read(ctx)
	if err != nil {
		return view{}, err
	}
	p := periodOf(r.FormValue("period"))
	lately, err := s.figures(ctx, p, now)
	if err != nil {
		return view{}, err
	}
	data := overviewView{Overview: o, Lately: lately.all, Paused: o.Paused}
	data.Periods = periodLinks("/", p)
	for _, c := range o.Concerns {
		if c.Kind != status.StillPaused { // it stands among what is paused
			data.Concerns = append(data.Concerns, actionFor(c))
		}
	}
	data.Resting = o.Pauses
	for _, name := range s.ruleNames(o) {
		x := ruleFigures{Rule: name, Lately: lately.rules.of(name.Name)}
		if sum := lately.sums[name.Name]; sum.Delivered > 0 {
			x.Lag, x.Slowest = sum.LagSum/time.Duration(sum.Delivered), sum.LagMax
		}
		data.Rules = append(data.Rules, x)
	}
	for _, runner := range o.Runners {
		for _, server := range runner.Servers {
			data.Servers = append(data.Servers, serverFigures{server, lately.servers.of(server.Name)})
		}
	}
	data.NextSync, data.NextRun = s.upcoming(now)
	data.Sentence = sentence(o, lately.all, p)
	return view{Title: "Overview", Page: "overview", Refresh: 10, Data: data}, nil
}

// ruleNames lists the rules that have records, and those of the project that have none yet.
func (s *Console) ruleNames(o status.Overview) []status.Rule {
	list, known := o.Rules, map[string]bool{}
	for _, x := range list {
		known[x.Name] = true
	}
	for _, x := range s.c.Running.Rules() {
		if !known[x.Name] {
			list = append(list, status.Rule{Name: x.Name})
		}
	}
	return list
}

// upcoming tells which sync and which schedule come next.
func (s *Console) upcoming(now time.Time) (sync, run next) {
	sooner := func(n *next, what string, at time.Time) {
		if at.After(now) && (n.At.IsZero() || at.Before(n.At)) {
			*n = next{what, at}
		}
	}
	for _, x := range s.c.Running.Servers() {
		sooner(&sync, x.Name, x.NextSync)
	}
	for _, x := range s.c.Running.Rules() {
		sooner(&run, x.Name, x.NextRun)
	}
	return sync, run
}

// sentence says how the project stands.
func sentence(o status.Overview, lately series, p period) string {
	t := lately.Total()
	happened := fmt.Sprintf("In the last %s %s came in and %s went out", p.name, number(t.Received), number(t.Delivered))
	waits := "nothing waits"
	if n := o.Records.Pending + o.Records.Held; n > 0 {
		waits = number(n) + " wait"
		if n == 1 {
			waits = fmt.Sprintf("%d waits", n)
		}
		if !o.Oldest.IsZero() {
			waits += ", the oldest for " + words(o.At.Sub(o.Oldest))
		}
	}
	switch n := len(o.Concerns); {
	case n == 0 && len(o.Pauses) == 1:
		return fmt.Sprintf("All is well, but %s is paused. %s; %s.", o.Pauses[0].Subject(), happened, waits)
	case n == 0 && len(o.Pauses) > 1:
		return fmt.Sprintf("All is well, but %d rules or servers are paused. %s; %s.", len(o.Pauses), happened, waits)
	case n == 0:
		return fmt.Sprintf("All is well. %s; %s.", happened, waits)
	case n == 1:
		return fmt.Sprintf("One thing needs a look. %s; %s.", happened, waits)
	default:
		return fmt.Sprintf("%d things need a look. %s; %s.", n, happened, waits)
	}
}

// actionFor says what a person can do about a concern here.
func actionFor(c status.Concern) concernView {
	v := concernView{Concern: c}
	switch c.Kind {
	case status.FailedRecords:
		v.Link, v.Label, v.Hint = Prefix+"failures?rule="+url.QueryEscape(c.Rule), "See why", ""
	case status.RuleInvalid:
		v.Link, v.Label, v.Hint = Prefix+"rules/"+url.PathEscape(c.Rule), "See the rule", ""
	case status.ServerStopped:
		v.Link, v.Label, v.Test = Prefix+"servers/"+url.PathEscape(c.Server), "See the server", c.Server
	case status.LateRecords:
		v.Link, v.Label = Prefix+"records?state="+string(journal.Pending), "See what waits"
	}
	return v
}

// period is a stretch of time that figures are shown of.
type period struct {
	name, label string
	width       time.Duration // of the figures that are asked for
	each        time.Duration // of a bar
	bars        int
}

var periods = []period{
	{"hour", "Last hour", journal.Minute, time.Minute, 60},
	{"day", "Last day", journal.Hour, time.Hour, 24},
	{"week", "Last week", journal.Hour, 6 * time.Hour, 28},
	{"month", "Last month", journal.Day, 24 * time.Hour, 30},
}

// periodLinks are the addresses of a page for each period.
func periodLinks(path string, now period) []link {
	list := make([]link, 0, len(periods))
	for _, x := range periods {
		list = append(list, link{Name: x.label, Path: path + "?period=" + x.name, Here: x.name == now.name})
	}
	return list
}

// periodOf gives a period by its name, the first one for any other.
func periodOf(name string) period {
	for _, p := range periods {
		if p.name == name {
			return p
		}
	}
	return periods[0]
}

// lately is what happened in a period: of all, by rule, and by server.
type lately struct {
	all            series
	rules, servers bySubject
	sums           map[string]journal.Figures // by rule
}

// bySubject are series of the same period.
type bySubject struct {
	empty func(name string) series
	known map[string]series
}

func (b bySubject) of(name string) series {
	s, ok := b.known[name]
	if !ok {
		s = b.empty(name)
		b.known[name] = s
	}
	return s
}

// figures reads what happened in a period that ends now.
func (s *Console) figures(ctx context.Context, p period, now time.Time) (lately, error) {
	last := now.UTC().Truncate(p.each)
	first := last.Add(-p.each * time.Duration(p.bars-1))
	empty := func(name string) series {
		out := series{Name: name, Each: p.each, Bars: make([]bar, p.bars)}
		for i := range out.Bars {
			out.Bars[i].At = first.Add(p.each * time.Duration(i))
		}
		return out
	}
	out := lately{
		all: empty("All records"), sums: map[string]journal.Figures{},
		rules: bySubject{empty, map[string]series{}}, servers: bySubject{empty, map[string]series{}},
	}
	list, err := s.c.Journal.Figures(ctx, journal.FigureQuery{Width: p.width, Since: first, Until: now.Add(p.each)})
	if err != nil {
		return out, fmt.Errorf("read the figures: %w", err)
	}
	for _, f := range list {
		i := int(f.Start.Sub(first) / p.each)
		if i < 0 || i >= p.bars {
			continue
		}
		sum := out.sums[f.Rule]
		sum.Add(f)
		out.sums[f.Rule] = sum
		add(out.all.Bars, i, f)
		add(out.rules.of(f.Rule).Bars, i, f)
		if f.Server != "" {
			add(out.servers.of(f.Server).Bars, i, f)
		}
	}
	return out, nil
}

func add(bars []bar, i int, f journal.Figures) {
	bars[i].Received += f.Received
	bars[i].Delivered += f.Delivered
	bars[i].Failed += f.Failed
}
