package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/language"
	"github.com/culvert/culvert/engine/notify"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/status"
	"github.com/culvert/culvert/rules/window"
)

// notifyEvery is how often it is looked what is not well, unless Options say otherwise.
const notifyEvery = 30 * time.Second

// notifyLoop tells people what is not well. Of several runners the leading one does it.
func (s *Service) notifyLoop(ctx context.Context) error {
	every := s.o.NotifyEvery
	if every <= 0 {
		every = notifyEvery
	}
	n := &notify.Notifier{Memory: s.journal, Log: s.o.Log, Now: time.Now}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		config := s.current.Load().Config
		if config.Notify == nil {
			continue
		}
		if lead, err := s.runner.Leads(ctx); err != nil || !lead {
			continue
		}
		if err := s.notifyOnce(ctx, n, config); err != nil && ctx.Err() == nil {
			s.o.Log.Error("people could not be notified", "error", err)
		}
	}
}

func (s *Service) notifyOnce(ctx context.Context, n *notify.Notifier, config *project.Config) error {
	settings, err := NotifySettings(config, s.language(), s.connected(config), s.o.Log)
	if err != nil {
		s.o.Log.Error("a channel of notify: cannot be used", "error", err)
	}
	o, err := status.Read(ctx, s.journal, time.Now())
	if err != nil {
		return err
	}
	digest := func(ctx context.Context) ([]string, error) { return s.digest(ctx, o) }
	var lately map[string]journal.Figures
	if config.Notify.Share > 0 {
		if lately, err = s.figures(ctx, journal.Minute, o.At.Add(-time.Hour)); err != nil {
			return err
		}
	}
	return n.Step(ctx, settings, conditions(o, config.Notify, s.current.Load(), lately), digest)
}

// figures sums up what became of each rule's records since a time.
func (s *Service) figures(
	ctx context.Context,
	width time.Duration,
	since time.Time,
) (map[string]journal.Figures, error) {
	list, err := s.journal.Figures(ctx, journal.FigureQuery{Width: width, Since: since})
	if err != nil {
		return nil, err
	}
	out := map[string]journal.Figures{}
	for _, f := range list {
		sum := out[f.Rule]
		sum.Add(f)
		out[f.Rule] = sum
	}
	return out, nil
}

// Connected gives the client of a server of culvert.yaml, or why there is none, such as a secret that is not set.
type Connected func(c *project.Server) (*client.Client, error)

// connected gives the clients that the service has.
func (s *Service) connected(config *project.Config) Connected {
	return func(c *project.Server) (*client.Client, error) {
		if cl := s.clients.get(c.Name); cl != nil {
			return cl, nil
		}
		if _, err := project.Connect(config, c, s.o.Dir, s.o.Log, s.o.Version); err != nil {
			return nil, err
		}
		return nil, errors.New("it is not in use yet: start `culvert run` again")
	}
}

// NotifySettings makes the channels of a project, with the clients of its servers, for messages in
// a language. The error names those that cannot be used; the others are there beside it.
func NotifySettings(config *project.Config, in *language.Language, server Connected, log *slog.Logger) (
	notify.Settings, error) {
	n := config.Notify
	s := notify.Settings{Project: config.Project, Digest: n.Digest, Link: n.Console, Zone: config.Zone,
		Language: in}
	if w, err := window.ParseDaily(n.Quiet); n.Quiet != "" && err == nil {
		s.Quiet = w.Open
	}
	var failed []error
	for _, ch := range n.To {
		made, err := channel(config, ch, server, log)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", ch.Name, err))
			continue
		}
		s.Channels = append(s.Channels, made)
	}
	return s, errors.Join(failed...)
}

func channel(config *project.Config, ch project.NotifyChannel, server Connected, log *slog.Logger) (notify.Channel,
	error) {
	if ch.Kind == "dhis2" {
		return inbox(config, ch, server)
	}
	var secrets [3]string
	for i, t := range []project.Text{ch.URL, ch.Username, ch.Password} {
		if !t.IsSet() {
			continue
		}
		var err error
		if secrets[i], err = t.Resolve(); err != nil {
			return nil, err
		}
	}
	headers := map[string]string{}
	for name, t := range ch.Headers {
		var err error
		if headers[name], err = t.Resolve(); err != nil {
			return nil, err
		}
	}
	switch ch.Kind {
	case "email":
		return &notify.Email{Channel: ch.Name, Server: secrets[0], TLS: ch.TLS, Username: secrets[1], Password: secrets[2],
			From: ch.From, To: ch.To}, nil
	case "sms":
		return &notify.SMS{Channel: ch.Name, URL: secrets[0], Body: ch.Body, Type: ch.Type, To: ch.To, Headers: headers,
			Log: log}, nil
	case "webhook":
		return &notify.Webhook{Channel: ch.Name, URL: secrets[0], Shape: "json", Headers: headers}, nil
	default: // slack, teams
		return &notify.Webhook{Channel: ch.Name, URL: secrets[0], Shape: ch.Kind, Headers: headers}, nil
	}
}

func inbox(config *project.Config, ch project.NotifyChannel, server Connected) (notify.Channel, error) {
	c := config.ServerNamed(ch.Server)
	switch {
	case c == nil && ch.Server == "":
		return nil, fmt.Errorf("none of the servers (%s) is the default: write server: NAME into the channel",
			strings.Join(config.ServerNames(), ", "))
	case c == nil:
		return nil, fmt.Errorf("culvert.yaml has no server %q; it has %s", ch.Server,
			strings.Join(config.ServerNames(), ", "))
	}
	cl, err := server(c)
	if err != nil {
		return nil, fmt.Errorf("server %s cannot be used: %w", c.Name, err)
	}
	return &notify.Inbox{Channel: ch.Name, Post: func(ctx context.Context, subject, text string) error {
		return cl.SendMessage(ctx, client.Message{Subject: subject, Text: text, Users: ch.To, Groups: ch.Groups})
	}}, nil
}

// found collects conditions.
type found []notify.Condition

func (f *found) add(kind, subject string, level int, since time.Time, format string, args ...any) {
	*f = append(*f, notify.Condition{Kind: kind, Subject: subject, Level: level, Since: since,
		Text: fmt.Sprintf(format, args...)})
}

// conditions are what is not well, as far as the project wants to be told. lately are the figures of
// the last hour by rule.
func conditions(o status.Overview, n *project.Notify, p *project.Project,
	lately map[string]journal.Figures) []notify.Condition {
	var list found
	started, stopped := list.ofRunners(o, n)
	list.ofRules(o, n, stopped)
	for _, x := range o.Pauses {
		if x.Concern {
			list.add("paused", x.Subject(), 0, x.Since, "%s", x.What())
		}
	}
	list.ofShares(n.Share, lately)
	list.silent(o, n, p, started)
	return list
}

// ofRunners tells of servers and of what runners say. It gives when the first one started, and the
// rules whose server takes nothing now.
func (f *found) ofRunners(o status.Overview, n *project.Notify) (started time.Time, stopped map[string]bool) {
	started, stopped = o.At, map[string]bool{}
	for _, r := range o.Runners {
		if r.Started.Before(started) {
			started = r.Started
		}
		for _, name := range r.Invalid {
			f.add("held", name, 0, time.Time{}, "rule %s cannot run; its records are held until it is fixed", name)
		}
		for _, s := range r.Servers {
			if s.State != status.ServerReachable {
				for _, name := range s.Rules {
					stopped[name] = true
				}
			}
			if c := s.Concern(); c != "" && (s.State == status.ServerCredentials || o.At.Sub(s.Since) >= n.Away) {
				f.add(awayKind(s.State), s.Name, 0, s.Since, "%s", c)
			}
		}
		for _, c := range r.Conditions {
			f.add("condition", cmp.Or(c.Subject, c.What), 0, c.Since, "%s", c.What)
		}
	}
	return started, stopped
}

func (f *found) ofRules(o status.Overview, n *project.Notify, stopped map[string]bool) {
	for _, r := range o.Rules {
		if r.Failed >= int64(n.Failed) {
			f.add("failed", r.Name, int(math.Log10(float64(r.Failed)/float64(n.Failed))), time.Time{},
				"%d records of rule %s have failed", r.Failed, r.Name)
		}
		if !r.Oldest.IsZero() && n.Waiting > 0 && o.At.Sub(r.Oldest) >= n.Waiting && !stopped[r.Name] {
			f.add("waiting", r.Name, 0, r.Oldest, "records of rule %s wait for longer than %s", r.Name, notify.Span(n.Waiting))
		}
	}
}

// fewest is how many records must have been settled within an hour before a share of them says something.
const fewest = 10

// ofShares tells of rules of which too many in a hundred of the last hour's records failed.
func (f *found) ofShares(most int, lately map[string]journal.Figures) {
	for _, rule := range slices.Sorted(maps.Keys(lately)) {
		x := lately[rule]
		settled := x.Delivered + x.Failed
		if most > 0 && settled >= fewest && 100*x.Failed >= int64(most)*settled {
			f.add("failed-share", rule, 0, time.Time{}, "%d%% of the last hour's records of rule %s failed (%d of %d)",
				100*x.Failed/settled, rule, x.Failed, settled)
		}
	}
}

// silent tells of rules that have received nothing for too long, since the first runner started at the latest.
func (f *found) silent(o status.Overview, n *project.Notify, p *project.Project, started time.Time) {
	received := map[string]time.Time{}
	for _, r := range o.Rules {
		received[r.Name] = r.LastReceived
	}
	for _, r := range p.Rules {
		rule := r.Name
		after, ok := n.Silent[rule]
		if !ok {
			after = n.Silent["*"]
		}
		last := received[rule]
		if last.IsZero() {
			last = started
		}
		if after > 0 && o.At.Sub(last) >= after {
			f.add("silent", rule, 0, last, "rule %s has received nothing for longer than %s", rule, notify.Span(after))
		}
	}
}

func awayKind(state status.ServerState) string {
	if state == status.ServerCredentials {
		return "credentials"
	}
	return "away"
}

// digest is the daily summary: what became of each rule's records in a day, and what stands open now.
func (s *Service) digest(ctx context.Context, o status.Overview) ([]string, error) {
	lately, err := s.figures(ctx, journal.Hour, o.At.Add(-24*time.Hour))
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, r := range o.Rules {
		x := lately[r.Name]
		lines = append(lines, fmt.Sprintf("%s: %d received, %d delivered, %d failed; now %d waiting, %d held, %d to look at",
			r.Name, x.Received, x.Delivered, x.Failed, r.Pending, r.Held, r.Failed))
	}
	if len(lines) == 0 {
		lines = append(lines, "no rule has received anything yet")
	}
	return lines, nil
}
