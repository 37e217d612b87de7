package service

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/culvert/culvert/engine"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/files"
	"github.com/culvert/culvert/sources/webhook"
)

// program makes what the engine runs of a project, and the webhook routes that belong to it.
func (s *Service) program(p *project.Project) (*program.Program, []webhook.Route, error) {
	prog := &program.Program{Rules: Flows(p), Former: map[string]*program.Flow{}}
	for name, now := range p.Former {
		if f := prog.Rules[now]; f != nil && prog.Rules[name] == nil {
			prog.Former[name] = f
		}
	}
	root, err := filepath.Abs(p.Dir)
	if err != nil {
		return nil, nil, fmt.Errorf("find the project's folder: %w", err)
	}
	fallback, fallbackErr := webhookAuth(p.Config.WebhookAuth)
	var routes []webhook.Route
	var watched []files.WatchedRule
	for _, name := range slices.Sorted(maps.Keys(prog.Rules)) {
		t := &prog.Rules[name].Rule.Trigger
		switch t.Kind {
		case webhook.Kind{}.Name():
			r, err := webhook.RouteOf(name, t, fallback, p.Config.Secret)
			if r.Inherits && err == nil {
				err = fallbackErr
			}
			if err != nil { // nobody can be told from anybody else: callers are asked to come again
				s.o.Log.Error("a webhook cannot tell who calls; its path answers 503", "rule", name, "path", r.Path, "error", err)
				r.Closed = true
			}
			if r.Path != "" {
				routes = append(routes, r)
			}
		case files.Kind{}.Name():
			if w := files.Watched(name, t, root); w.Folder != "" {
				watched = append(watched, w)
			}
		}
	}
	if len(watched) > 0 && !s.o.Alone {
		source := files.New(files.Config{Inbox: s.inbox(p), Rules: watched, Logger: s.o.Log})
		prog.Intakes = append(prog.Intakes, program.Intake{Name: "files", Source: source, Once: true})
	}
	if !s.o.Alone {
		prog.Intakes = append(prog.Intakes, s.polls(p, root, prog.Rules)...)
	}
	return prog, routes, nil
}

// webhookAuth resolves the auth that webhooks have when their rule names none.
func webhookAuth(a *project.Auth) (webhook.Auth, error) {
	var out webhook.Auth
	if a == nil {
		return out, nil
	}
	out.None, out.HMACHeader, out.HMACTimestamp, out.APIKeyHeader = a.None, a.HMACHeader, a.HMACTimestamp, a.APIKeyHeader
	for _, f := range []struct {
		from project.Text
		to   *string
	}{{a.Username, &out.Username}, {a.Password, &out.Password}, {a.Bearer, &out.Bearer}, {a.HMACSecret, &out.HMACSecret}, {a.APIKey, &out.APIKey}} {
		if !f.from.IsSet() {
			continue
		}
		v, err := f.from.Resolve()
		if err != nil {
			return out, err
		}
		if v == "" {
			return out, fmt.Errorf("%s is empty: anybody could call", f.from)
		}
		*f.to = v
	}
	return out, nil
}

// inbox is where taken files lie until every row has an outcome, absolute.
func (s *Service) inbox(p *project.Project) string { return Inbox(p.Dir, p.Config) }

// Inbox is where a project's taken files lie until every row has an outcome.
func Inbox(dir string, c *project.Config) string {
	path := filepath.Join(dir, c.StateDir, "inbox")
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// FinishedFolders lists the folders that finished files were moved to: those of the rules as they are, and those of every file that the journal knows.
func FinishedFolders(ctx context.Context, p *project.Project, j journal.Journal) ([]string, error) {
	root, err := filepath.Abs(p.Dir)
	if err != nil {
		return nil, fmt.Errorf("find the project's folder: %w", err)
	}
	known := map[string]bool{}
	for _, r := range p.Rules {
		if r.Trigger.Kind == (files.Kind{}).Name() {
			if w := files.Watched(r.Name, &r.Trigger, root); w.Folder != "" {
				known[w.Done], known[w.Failed] = true, true
			}
		}
	}
	list, err := j.Files(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("list the files that were taken: %w", err)
	}
	for _, f := range list {
		known[filepath.Join(f.Folder, "done")], known[filepath.Join(f.Folder, "failed")] = true, true
	}
	return slices.Sorted(maps.Keys(known)), nil
}

// filePlan says how the files of a rule are read and where they go.
func filePlan(root string) engine.FilePlanner {
	return func(flow *program.Flow, f sources.File) (engine.FilePlan, error) {
		plan := engine.FilePlan{
			Format: files.FormatFor(flow.Rule),
			Done:   filepath.Join(f.Folder, "done"),
			Failed: filepath.Join(f.Folder, "failed"),
		}
		if flow.Rule.Trigger.Kind != (files.Kind{}).Name() {
			return plan, nil
		}
		if w := files.Watched(flow.Rule.Name, &flow.Rule.Trigger, root); filepath.Clean(w.Folder) == filepath.Clean(f.Folder) {
			plan.Done, plan.Failed = w.Done, w.Failed
		}
		return plan, nil
	}
}
