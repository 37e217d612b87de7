package service

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/rehearsal"
	"github.com/culvert/culvert/lookups"
	"github.com/culvert/culvert/sources"
)

// RehearsalTarget makes a target that asks a server without a journal: it remembers nothing of earlier deliveries.
func RehearsalTarget(p *project.Project, server string, log *slog.Logger, version string) (actions.Target, error) {
	c := p.Config.ServerNamed(server)
	if c == nil {
		return nil, fmt.Errorf("server %q is not in culvert.yaml", server)
	}
	cl, err := project.Connect(p.Config, c, p.Dir, log, version)
	if err != nil {
		return nil, err
	}
	index := &atomic.Pointer[metadata.Index]{}
	index.Store(p.Indexes[c.Name])
	return dhis2.NewTarget(cl, index.Load, noMemory{},
		dhis2.Options{Project: p.Config.Project, Log: log, Import: dhis2.ImportOptions(c.Import)}), nil
}

// RehearsalServers makes targets that ask the servers that a rule writes to or looks things up at.
func RehearsalServers(p *project.Project, r *project.Rule, log *slog.Logger, version string) (rehearsal.Asked, error) {
	targets := map[string]actions.Target{}
	for _, name := range append(r.Servers(p.Config), r.LookupServers()...) {
		if targets[name] != nil {
			continue
		}
		t, err := RehearsalTarget(p, name, log, version)
		if err != nil {
			return rehearsal.Asked{}, err
		}
		targets[name] = t
	}
	return rehearsal.Asked{PlaceOf: r.PlaceOf, Askers: program.Askers{Home: targets[r.Server],
		Server: func(name string) actions.Target { return targets[name] }}}, nil
}

// RehearsalDesk makes what asks other systems than DHIS2 what rules look up, for as long as it is not closed.
func RehearsalDesk(p *project.Project, log *slog.Logger) *lookups.Desk {
	return newDesk(func() *project.Project { return p }, nil, p.Dir, log)
}

// newDesk makes what asks other systems than DHIS2, by the connections of the project as it is then.
func newDesk(current func() *project.Project, j journal.Reader, root string, log *slog.Logger) *lookups.Desk {
	return lookups.NewDesk(project.LookupKinds(), lookups.Env{Log: log, Earlier: earlier(j),
		Connection: func(name string) (sources.Connection, error) { return current().Config.Connection(name, root) }})
}

// earlier reads the delivered records of a journal for lookups; nil where there is none.
func earlier(j journal.Reader) func(context.Context, lookups.EarlierQuery) ([]lookups.Earlier, error) {
	if j == nil {
		return nil
	}
	return func(ctx context.Context, q lookups.EarlierQuery) (list []lookups.Earlier, err error) {
		f := journal.Filter{Rule: q.Rule, Key: q.Key, States: []journal.State{journal.Delivered}, Before: q.Before,
			Limit: min(q.Limit, journal.MaxPage), WithBody: true}
		for len(list) < q.Limit {
			page, err := j.Search(ctx, f)
			if err != nil {
				return nil, fmt.Errorf("look for earlier records: %w", err)
			}
			for _, r := range page.Records {
				list = append(list, lookups.Earlier{Seq: r.Seq, Rule: r.Rule, ID: r.ID, Received: r.Received, Body: r.Body})
			}
			if f.Before = page.Next; f.Before == 0 {
				break
			}
		}
		return list, nil
	}
}

// noMemory knows of no earlier delivery.
type noMemory struct{}

func (noMemory) Identities(context.Context, []actions.IdentityKey) (map[actions.IdentityKey]actions.Identity, error) {
	return nil, nil
}

func (noMemory) Digests(context.Context, []string) (map[string]actions.Digest, error) {
	return nil, nil
}

func (noMemory) Holders(context.Context, []string) ([]actions.Identity, error) { return nil, nil }

// Parts tells which of a plan's writes go to a place.
func Parts(p *project.Project, rule string, writes []actions.Write) map[string][]actions.Write {
	out := map[string][]actions.Write{}
	r := p.RuleNamed(rule)
	for _, w := range writes {
		place := ""
		if r != nil {
			place = r.PlaceOf(w.Action)
		}
		out[place] = append(out[place], w)
	}
	return out
}

// Preview tells what delivering a plan to its server would look up, create and update, without asking the server.
func Preview(ctx context.Context, p *project.Project, server string, plan actions.Plan) (*dhis2.Preview, error) {
	parts := Parts(p, plan.Record.Rule, plan.Writes)
	out := &dhis2.Preview{Names: map[string]string{}}
	for _, place := range placesOf(p, plan) {
		if place != "" && p.Config.ServerNamed(place) == nil {
			previewPlace(out, place, parts[place])
			continue
		}
		own := plan
		own.Writes = parts[place]
		if place == "" {
			place = server
		}
		one, err := previewServer(ctx, p, place, own)
		if err != nil {
			return nil, err
		}
		for i := range one.Writes {
			if w := &one.Writes[i]; place != server {
				w.Effect = fmt.Sprintf("at the server %s: %s", place, w.Effect)
			}
		}
		out.Writes, out.Requests = append(out.Writes, one.Writes...), append(out.Requests, one.Requests...)
		maps.Copy(out.Names, one.Names)
	}
	return out, nil
}

// placesOf lists where a plan's writes go, in the order of the first to each.
func placesOf(p *project.Project, plan actions.Plan) (list []string) {
	r := p.RuleNamed(plan.Record.Rule)
	for _, w := range plan.Writes {
		place := ""
		if r != nil {
			place = r.PlaceOf(w.Action)
		}
		if !slices.Contains(list, place) {
			list = append(list, place)
		}
	}
	return list
}

func previewServer(ctx context.Context, p *project.Project, server string, plan actions.Plan) (*dhis2.Preview, error) {
	c := p.Config.ServerNamed(server)
	if c == nil || p.Indexes[c.Name] == nil {
		return nil, fmt.Errorf("there is no metadata of the server %q yet: run `culvert sync`", server)
	}
	return dhis2.PreviewPlan(ctx, plan, p.Indexes[c.Name], dhis2.Options{
		Project: p.Config.Project, Import: dhis2.ImportOptions(c.Import),
	})
}

// previewPlace tells what is asked of a connection.
func previewPlace(out *dhis2.Preview, connection string, writes []actions.Write) {
	for _, w := range writes {
		out.Writes = append(out.Writes, dhis2.PreviewedWrite{Label: w.Object.Label(), Names: w.Object.Describe(),
			Effect: "sent to the connection " + connection})
		if r, ok := w.Object.(actions.Requesting); ok {
			x := r.Request()
			out.Requests = append(
				out.Requests,
				dhis2.PreviewedRequest{Method: x.Method, Path: x.Path, Query: x.Query, Body: x.Body},
			)
		}
	}
}
