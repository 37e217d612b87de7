package service

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"

	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// peekMost bounds how many records are looked at.
const peekMost = 100

// Peek reads records of a trigger's source, at most limit, and leaves everything there as it is. The findings say what
// is wrong with the trigger; nothing is asked for then.
func Peek(ctx context.Context, p *project.Project, b sources.Bound, limit int, log *slog.Logger, version string) ([]any,
	diag.List, error) {
	kind := sources.Named(p.Sources, b.Trigger.Kind)
	k, ok := kind.(sources.Peeking)
	if !ok {
		return nil, nil, &diag.Problem{Message: fmt.Sprintf("records of the trigger %s come by themselves, and cannot be "+
			"asked for", b.Trigger.Kind), Hint: "write a sample by hand, or make one of a record that came: `culvert sample " +
			"RULE --record NUMBER`, with a number that `culvert failures --list` or the console shows"}
	}
	var findings diag.List
	report := func(d diag.Diagnostic) { findings = append(findings, d) }
	k.Check(b.Trigger, report)
	if named, ok := kind.(sources.Catalogued); ok && !findings.HasErrors() {
		if c := p.Catalog(named.ServerOf(b.Trigger, b.Server)); c != nil {
			named.CheckNames(b.Trigger, c, report)
		}
	}
	if findings.HasErrors() {
		return nil, findings, nil
	}
	root, err := filepath.Abs(p.Dir)
	if err != nil {
		return nil, nil, fmt.Errorf("find the project's folder: %w", err)
	}
	env := sources.Env{Dir: root, Inbox: Inbox(p.Dir, p.Config), Zone: p.Config.Zone, Log: log, Version: version,
		Secret:     p.Config.Secret,
		Connection: func(name string) (sources.Connection, error) { return p.Config.Connection(name, root) },
		Lists:      asked{p, log, version}, Catalog: p.Catalog}
	bodies, err := k.Peek(ctx, b, env, min(limit, peekMost))
	return bodies, nil, err
}

// asked reads lists of the project's servers without a service that runs.
type asked struct {
	p       *project.Project
	log     *slog.Logger
	version string
}

// Get implements sources.Lists.
func (a asked) Get(ctx context.Context, server, path string, query url.Values) (json.RawMessage, error) {
	s := a.p.Config.ServerNamed(server)
	if s == nil {
		return nil, fmt.Errorf("server %q is not in %s", server, project.ConfigFile)
	}
	c, err := project.Connect(a.p.Config, s, a.p.Dir, a.log, a.version)
	if err != nil {
		return nil, err
	}
	var text json.RawMessage
	err = c.Get(ctx, path, query, &text)
	return text, err
}
