package service

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"

	"github.com/culvert/culvert/engine"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/sources/commcare"
	"github.com/culvert/culvert/sources/database"
	"github.com/culvert/culvert/sources/schedule"
)

// polls makes the sources that ask for records, for the rules that can run. A rule that is invalid asks for nothing: what it would read stays where it is.
func (s *Service) polls(p *project.Project, root string, flows map[string]*engine.Flow) []engine.Intake {
	var polled []database.Rule
	var scheduled []schedule.Rule
	var pulled []commcare.Rule
	for _, name := range slices.Sorted(maps.Keys(flows)) {
		flow := flows[name]
		if flow.Invalid != nil {
			continue
		}
		switch t := &flow.Rule.Trigger; t.Kind {
		case database.Kind{}.Name():
			polled = append(polled, database.Polled(name, t))
		case schedule.Kind{}.Name():
			r := schedule.Scheduled(name, t, p.Config.Zone)
			if r.DHIS2 != nil && r.DHIS2.Server == "" {
				r.DHIS2.Server = flow.Server
			}
			scheduled = append(scheduled, r)
		case commcare.Kind{}.Name():
			pulled = append(pulled, commcare.Pulled(name, t))
		}
	}
	var out []engine.Intake
	if len(polled) > 0 {
		source := database.New(database.Config{Rules: polled, Connect: databaseOf(p.Config, root), Log: s.o.Log})
		out = append(out, engine.Intake{Name: "databases", Source: source, Once: true})
	}
	if len(scheduled) > 0 {
		source := schedule.New(schedule.Config{
			Rules: scheduled, Connect: databaseOf(p.Config, root), Resolve: p.Config.Secret, Lists: lists{s}, Dir: root, Inbox: s.inbox(p), Log: s.o.Log,
		})
		out = append(out, engine.Intake{Name: "schedules", Source: source, Once: true})
	}
	if len(pulled) > 0 {
		source := commcare.New(commcare.Config{Rules: pulled, Connect: commcareOf(p.Config), Log: s.o.Log})
		out = append(out, engine.Intake{Name: "commcare", Source: source, Once: true})
	}
	return out
}

// commcareOf resolves the named project spaces of a project.
func commcareOf(c *project.Config) func(string) (commcare.Connection, error) {
	return func(name string) (commcare.Connection, error) {
		out := commcare.Connection{Name: name}
		found := c.ConnectionNamed(name)
		if found == nil {
			return out, fmt.Errorf("it is not in %s", project.ConfigFile)
		}
		out.Domain = found.Domain
		err := resolve(map[*string]project.Text{&out.URL: found.URL, &out.Username: found.Username, &out.Password: found.Password, &out.APIKey: found.APIKey})
		return out, err
	}
}

// databaseOf resolves the named databases of a project.
func databaseOf(c *project.Config, root string) func(string) (database.Connection, error) {
	return func(name string) (database.Connection, error) {
		out := database.Connection{Name: name, Dir: root}
		found := c.ConnectionNamed(name)
		if found == nil {
			return out, fmt.Errorf("it is not in %s", project.ConfigFile)
		}
		err := resolve(map[*string]project.Text{&out.URL: found.URL, &out.Username: found.Username, &out.Password: found.Password})
		return out, err
	}
}

// resolve sets texts to what the project gives them.
func resolve(texts map[*string]project.Text) error {
	for to, from := range texts {
		if !from.IsSet() {
			continue
		}
		v, err := from.Resolve()
		if err != nil {
			return err
		}
		*to = v
	}
	return nil
}

// lists reads lists of the project's servers.
type lists struct{ s *Service }

// Get reads one resource of a server.
func (l lists) Get(ctx context.Context, server, path string, query url.Values) (json.RawMessage, error) {
	c := l.s.clients[server]
	if c == nil {
		return nil, fmt.Errorf("server %q is not in %s", server, project.ConfigFile)
	}
	var text json.RawMessage
	err := c.Get(ctx, path, query, &text)
	return text, err
}
