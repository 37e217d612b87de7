package service

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/culvert/culvert/engine/fileimport"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/files"
)

// program makes what the engine runs of a project, and the sources that go on while programs
// change, by the names of their kinds. Nothing live is touched.
func (s *Service) program(p *project.Project) (*program.Program, map[string]sources.Standing, error) {
	prog := &program.Program{Rules: Flows(p), Former: map[string]*program.Flow{}}
	for name, now := range p.Former {
		if f := prog.Rules[now]; f != nil && prog.Rules[name] == nil {
			prog.Former[name] = f
			for _, part := range prog.Rules {
				if part.Part != "" && part.Rule == f.Rule {
					prog.Former[program.PartName(name, part.Part)] = part
				}
			}
		}
	}
	if s.o.Alone {
		return prog, nil, nil
	}
	env, err := s.environment(p)
	if err != nil {
		return nil, nil, err
	}
	standing := map[string]sources.Standing{}
	for _, k := range p.Sources {
		source, err := k.New(bound(prog, p.Sources, k.Name()), env)
		switch live, ok := source.(sources.Standing); {
		case err != nil:
			return nil, nil, fmt.Errorf("make the source of the %s triggers: %w", k.Name(), err)
		case ok:
			standing[k.Name()] = live
		case source != nil:
			prog.Intakes = append(prog.Intakes, program.Intake{Name: k.Name(), Source: source, Once: true})
		}
	}
	return prog, standing, nil
}

// bound lists the rules of a program that use a kind of trigger, or whose kind has posts taken by it, by name.
func bound(prog *program.Program, kinds []sources.Kind, kind string) []sources.Bound {
	var list []sources.Bound
	for _, name := range slices.Sorted(maps.Keys(prog.Rules)) {
		f := prog.Rules[name]
		if f.Part != "" {
			continue // its records come from the part before
		}
		t := &f.Rule.Trigger
		if posting, ok := sources.Named(kinds, t.Kind).(sources.Posting); ok && t.Kind != kind {
			if t = posting.Posts(t); t == nil {
				continue
			}
		}
		if t.Kind == kind {
			list = append(list, sources.Bound{Rule: name, Server: homeOf(f), Trigger: t, Text: f.Rule.Text(),
				Invalid: f.Invalid != nil, Off: f.Rule.Delivery.Disabled})
		}
	}
	return list
}

// homeOf is the server of DHIS2 that a rule is about.
func homeOf(f *program.Flow) string {
	if f.Home != "" {
		return f.Home
	}
	return f.Server
}

// environment is what the sources of a project may need.
func (s *Service) environment(p *project.Project) (sources.Env, error) {
	root, err := filepath.Abs(p.Dir)
	if err != nil {
		return sources.Env{}, fmt.Errorf("find the project's folder: %w", err)
	}
	public, err := p.Config.PublicURL.Resolve()
	if err != nil {
		s.o.Log.Error("the public address is not known; phones get the addresses of forms as they ask for them", "error", err)
	}
	return sources.Env{
		PublicURL: public,
		Dir:       root, Inbox: s.inbox(p), Zone: p.Config.Zone, Log: s.o.Log, Version: s.o.Version, Proxies: p.Config.Proxies,
		Secret:     p.Config.Secret,
		Connection: func(name string) (sources.Connection, error) { return p.Config.Connection(name, root) },
		Login:      func() (sources.Login, error) { return login(p.Config.WebhookAuth) },
		NonceKey:   s.nonceKey,
		Lists:      lists{s},
		Catalog:    func(server string) sources.Catalog { return s.current.Load().Catalog(server) },
	}, nil
}

// metaNonceKey is where the journal keeps what nonces are signed with.
const metaNonceKey = "webhook.nonce_key"

// nonceKey gives the key that all runners of the project sign nonces with; the first one makes it. Of two that
// make it at the same time one is kept, which the other finds when it asks again.
func (s *Service) nonceKey(ctx context.Context) ([]byte, error) {
	text, err := s.journal.Meta(ctx, metaNonceKey)
	if err != nil {
		return nil, fmt.Errorf("read the key of nonces: %w", err)
	}
	if key, err := base64.StdEncoding.DecodeString(text); err == nil && len(key) == sha256.Size {
		return key, nil
	}
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	if err := s.journal.SetMeta(ctx, metaNonceKey, base64.StdEncoding.EncodeToString(key)); err != nil {
		return nil, fmt.Errorf("keep the key of nonces: %w", err)
	}
	return key, nil
}

// intakes are the sources that live as long as the runner.
func (s *Service) intakes() (list []program.Intake) {
	for _, name := range slices.Sorted(maps.Keys(s.standing)) {
		list = append(list, program.Intake{Name: name, Source: s.standing[name]})
	}
	return list
}

// taking tells whether every source that callers reach takes records now.
func (s *Service) taking() bool {
	for _, live := range s.standing {
		if !live.Taking() {
			return false
		}
	}
	return true
}

// login resolves how callers show who they are where their rule does not say.
func login(a *project.Auth) (sources.Login, error) {
	var out sources.Login
	if a == nil {
		return out, nil
	}
	out.None, out.HMACHeader, out.HMACTimestamp, out.APIKeyHeader = a.None, a.HMACHeader, a.HMACTimestamp, a.APIKeyHeader
	for _, f := range []struct {
		from project.Text
		to   *string
	}{{a.Username, &out.Username}, {a.Password, &out.Password}, {a.Bearer, &out.Bearer}, {a.HMACSecret, &out.HMACSecret},
		{a.APIKey, &out.APIKey}} {
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

// WatchedFolders lists the folders that rules take files from.
func WatchedFolders(p *project.Project) ([]files.WatchedRule, error) {
	root, err := filepath.Abs(p.Dir)
	if err != nil {
		return nil, fmt.Errorf("find the project's folder: %w", err)
	}
	var out []files.WatchedRule
	for _, r := range p.Rules {
		if r.Trigger.Kind == (files.Kind{}).Name() {
			if w := files.Watched(r.Name, &r.Trigger, root); w.Folder != "" {
				out = append(out, w)
			}
		}
	}
	return out, nil
}

// FinishedFolders lists the folders that finished files were moved to: those of the rules as they
// are, and those of every file that the journal knows.
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
func filePlan(root string) fileimport.Planner {
	return func(flow *program.Flow, f sources.File) (fileimport.Plan, error) {
		plan := fileimport.Plan{
			Format: FormatFor(flow.Rule),
			Done:   filepath.Join(f.Folder, "done"),
			Failed: filepath.Join(f.Folder, "failed"),
		}
		if flow.Rule.Trigger.Kind != (files.Kind{}).Name() {
			return plan, nil
		}
		if w := files.Watched(flow.Rule.Name, &flow.Rule.Trigger,
			root); filepath.Clean(w.Folder) == filepath.Clean(f.Folder) {
			plan.Done, plan.Failed = w.Done, w.Failed
		}
		return plan, nil
	}
}
