package service

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"

	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/sources/commcare"
	"github.com/culvert/culvert/sources/database"
	"github.com/culvert/culvert/sources/schedule"
)

// polls makes the sources that ask for records, for the rules that can run. A rule that is invalid asks for nothing: what it would read stays where it is.
func (s *Service) polls(p *project.Project, root string, flows map[string]*program.Flow) []program.Intake {
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
	databases := func(name string) (database.Connection, error) { return p.Config.Database(name, root) }
	var out []program.Intake
	if len(polled) > 0 {
		source := database.New(database.Config{Rules: polled, Connect: databases, Log: s.o.Log})
		out = append(out, program.Intake{Name: "databases", Source: source, Once: true})
	}
	if len(scheduled) > 0 {
		source := schedule.New(schedule.Config{
			Rules: scheduled, Connect: databases, Resolve: p.Config.Secret, Lists: lists{s}, Dir: root, Inbox: s.inbox(p), Log: s.o.Log,
		})
		out = append(out, program.Intake{Name: "schedules", Source: source, Once: true})
	}
	if len(pulled) > 0 {
		source := commcare.New(commcare.Config{Rules: pulled, Connect: p.Config.CommCare, Log: s.o.Log})
		out = append(out, program.Intake{Name: "commcare", Source: source, Once: true})
	}
	return out
}

// lists reads lists of the project's servers.
type lists struct{ s *Service }

// Get reads one resource of a server.
func (l lists) Get(ctx context.Context, server, path string, query url.Values) (json.RawMessage, error) {
	c := l.s.clients.get(server)
	if c == nil {
		return nil, fmt.Errorf("server %q is not in %s", server, project.ConfigFile)
	}
	var text json.RawMessage
	err := c.Get(ctx, path, query, &text)
	return text, err
}
