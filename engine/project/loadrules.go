package project

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
)

// rules loads every rule file, several at once, and checks them against each other.
func (l *Loader) rules(ctx context.Context, p *Project) error {
	paths, err := RuleFiles(p.Dir)
	if err != nil {
		return err
	}
	p.count(paths)
	if err := l.library(p, nil); err != nil {
		return err
	}
	defaults := l.defaultsFiles(p)
	loaded := make([]*Rule, len(paths))
	texts := make([][]byte, len(paths))
	kinds := l.kinds(p)
	var wg sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				loaded[i], texts[i] = l.rule(p, paths[i], defaults, kinds)
			}
		})
	}
	for i := range paths {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	for i, r := range loaded {
		if r == nil {
			continue
		}
		p.Texts[paths[i]] = texts[i]
		if r.unread {
			p.lost(paths[i])
		}
		if r.Rule != nil {
			p.Rules = append(p.Rules, r)
		}
		p.Findings.Add(r.Findings...)
		p.Findings.Add(r.Hosted...)
	}
	p.together()
	p.linksOutside()
	return nil
}

// count notes how many rule files there are, and reports that there are none.
func (p *Project) count(paths []string) {
	if p.Checked = len(paths); p.Checked > 0 {
		return
	}
	start := diag.Position{Line: 1, Column: 1}
	p.Findings.Add(diag.Diagnostic{
		Severity: diag.Warning, Problem: diag.Problem{Code: "no-rules",
			Message: "the project has no rules: nothing is taken and nothing is sent",
			Place:   diag.Place{File: ConfigFile, Range: diag.Range{Start: start, End: start}},
			Hint:    "put rule files, whose names end in .yaml, into " + RulesDir + "/, or run `culvert new`"},
	})
}

// together checks the rules against each other.
func (p *Project) together() {
	plain := make([]*rules.Rule, 0, len(p.Rules))
	for _, r := range p.Rules {
		plain = append(plain, r.Rule)
	}
	p.merge(append(checkTogether(plain, p.Library, p.Sources), p.circles()...))
}

// merge adds what the check of the rules against each other found. A warning of two rules waits until both are right:
// what one with a mistake says of itself is not what it is meant to say.
func (p *Project) merge(across diag.List) {
	byFile, wrong := map[string]*Rule{}, map[string]bool{}
	for _, r := range p.Rules {
		byFile[r.Path], wrong[r.Path] = r, r.Findings.HasErrors()
	}
	for _, d := range across {
		if d.Severity == diag.Warning && len(d.Related) > 0 && (wrong[d.Place.File] || wrong[d.Related[0].Place.File]) {
			continue
		}
		p.Findings.Add(d)
		if r := byFile[d.Place.File]; r != nil {
			r.Findings.Add(d)
		}
	}
}

// checkTogether checks rules against each other. A mistake of ours in it is a warning: every rule
// has been checked by itself.
func checkTogether(plain []*rules.Rule, library *rules.Library, kinds []sources.Kind) (found diag.List) {
	defer func() {
		if failure := recover(); failure != nil {
			d := internalError(ConfigFile, failure)
			d.Severity, d.Message = diag.Warning,
				fmt.Sprintf("Culvert itself failed when it checked the rules against each other: %v", failure)
			found = diag.List{d}
		}
	}()
	found = slices.Concat(rules.CheckProject(plain), library.Unused(plain), checkEarlier(plain))
	for _, k := range kinds {
		n, ok := k.(sources.Neighbouring)
		if !ok {
			continue
		}
		var own []*rules.Rule
		for _, r := range plain {
			if r.Trigger.Kind == k.Name() && r.Trigger.Config != nil {
				own = append(own, r)
			}
		}
		slices.SortStableFunc(own, func(a, b *rules.Rule) int { return strings.Compare(a.Path, b.Path) })
		n.CheckAll(own, func(d diag.Diagnostic) { found.Add(d) })
	}
	found.Sort()
	return found
}

// kinds makes the action kinds of every server, by its name.
func (l *Loader) kinds(p *Project) map[string]map[string]actions.Kind {
	out := map[string]map[string]actions.Kind{}
	for name, index := range p.Indexes {
		byName := map[string]actions.Kind{}
		for _, k := range l.actionKinds(index, actions.Options{Project: p.Config.Project, Now: l.now(), Zone: p.Config.Zone,
			Legacy: l.isLegacy}) {
			byName[k.Name()] = k
		}
		out[name] = byName
	}
	out[""] = map[string]actions.Kind{} // those that need no snapshot
	for _, k := range l.actionKinds(nil, actions.Options{Project: p.Config.Project, Now: l.now(), Zone: p.Config.Zone,
		Legacy: l.isLegacy}) {
		if placed, ok := k.(actions.Placed); ok {
			out[""][k.Name()] = placed
		}
	}
	return out
}

// actionKinds gives the kinds of all packages of actions.
func (l *Loader) actionKinds(x *metadata.Index, o actions.Options) []actions.Kind {
	makers := l.Actions
	if makers == nil {
		makers = ActionKinds()
	}
	var kinds []actions.Kind
	for _, kindsOf := range makers {
		kinds = append(kinds, kindsOf(x, o)...)
	}
	return kinds
}

// rule reads and compiles a rule file; nil for one that went since it was listed.
func (l *Loader) rule(p *Project, file string, defaults []*yamlnode.Document,
	kinds map[string]map[string]actions.Kind) (out *Rule, text []byte) {
	text, err := p.read(file)
	switch {
	case vanished(err):
		return nil, nil
	case err != nil:
		return &Rule{Findings: diag.List{p.unreadable(file, err)}, unread: true}, nil
	}
	out = &Rule{}
	defer func() {
		if failure := recover(); failure != nil { // a mistake of ours that one rule meets must not end what runs the others
			out.Findings.Add(internalError(file, failure))
		}
	}()
	l.load(p, out, file, text, defaults, kinds)
	return out, text
}

func internalError(file string, failure any) diag.Diagnostic {
	start := diag.Position{Line: 1, Column: 1}
	return diag.Diagnostic{Problem: diag.Problem{
		Code: "internal-error", Message: fmt.Sprintf("Culvert itself failed on this rule: %v", failure),
		Place: diag.Place{File: file, Range: diag.Range{Start: start, End: start}},
		Hint: "take out what was changed last in the rule, and report it to Culvert's developers with the rule file; the " +
			"other rules run",
	}}
}

func withoutDefaults(file, defaults string) diag.Diagnostic {
	start := diag.Position{Line: 1, Column: 1}
	return diag.Diagnostic{Problem: diag.Problem{Code: "defaults-unusable",
		Message: fmt.Sprintf("the rule takes defaults from %s, which cannot be used", defaults),
		Place:   diag.Place{File: file, Range: diag.Range{Start: start, End: start}},
		Hint:    fmt.Sprintf("fix %s: the findings there say what is wrong with it", defaults)}}
}

// load compiles a rule file into out.
func (l *Loader) load(p *Project, out *Rule, file string, text []byte, defaults []*yamlnode.Document,
	kinds map[string]map[string]actions.Kind) {
	env := l.environment(p, file, defaults)
	server := p.Config.ServerNamed(rules.ServerOf(text, env.Defaults...))
	env.Asked = askedElsewhere()
	if server != nil && p.Indexes[server.Name] != nil {
		env.Directory = p.Indexes[server.Name].Directory()
		env.Asked = AskedKind(p.Indexes[server.Name])
	}
	env.Server = p.serverEnv
	env.Record = func(t *rules.Trigger) *expression.Shape { return l.recordShape(p, t, server) }
	r, findings := rules.Load(file, text, env)
	out.Rule = r
	for _, name := range p.badDefaults {
		if under(path.Dir(name), file) { // without its defaults a rule may be right and mean something else
			findings.List.Add(withoutDefaults(file, name))
		}
	}
	defer func() {
		out.Findings = findings.List
		out.Findings.Sort()
	}()
	if r != nil {
		l.compile(p, out, server, kinds)
		r.Finish()
		l.checkHosted(p, out)
	}
}

// compile has the action kinds and the trigger's kind make sense of their parts of a rule.
func (l *Loader) compile(p *Project, out *Rule, server *Server, kinds map[string]map[string]actions.Kind) {
	r := out.Rule
	for _, k := range l.Sources {
		if k.Name() == r.Trigger.Kind {
			k.Check(&r.Trigger, r.Report)
			p.checkNames(k, r, server)
			p.Config.checkConnections(k, r)
			l.checkSample(p, k, r)
			r.Trigger.NoFiles = l.noFiles(&r.Trigger)
		}
	}
	p.Config.checkLookups(r)
	out.Actions = make([]actions.Action, len(r.Actions))
	atHome := slices.ContainsFunc(r.Actions, func(a *rules.ActionSpec) bool {
		return kinds[""][a.Kind] == nil && a.Body.Get("server") == nil
	})
	if server != nil {
		out.Server, r.Server = server.Name, server.Name
	}
	if atHome || len(r.Actions) == 0 {
		if _, problem := p.serverOf(r.Server, r.ServerPlace()); problem != nil {
			r.Report(diag.Diagnostic{Problem: *problem})
			return
		}
	}
	places := make([]string, len(r.Actions))
	for i, spec := range r.Actions {
		if server != nil && spec.Body.Get("server") == nil {
			spec.Server = server.Name
		}
		var kind actions.Kind
		if kind, places[i] = p.placeOf(r, spec, server, kinds); kind == nil {
			continue // the schema names the kinds that exist
		}
		out.Actions[i] = kind.Compile(spec)
		if r.Key == nil && out.Actions[i] != nil {
			r.Key = out.Actions[i].Key()
		}
	}
	out.Parts = partsOf(r, places, p.Config)
}

// serverOf gives a server of culvert.yaml that a rule names and whose metadata is there, else what is wrong.
func (p *Project) serverOf(name string, at diag.Place) (*Server, *diag.Problem) {
	s := p.Config.ServerNamed(name)
	switch {
	case s == nil:
		return nil, &diag.Problem{Code: "unknown-server", Message: fmt.Sprintf("server %q is not in culvert.yaml", name),
			Place: at, Hint: "known: " + strings.Join(p.Config.ServerNames(), ", ")}
	case p.Indexes[s.Name] == nil:
		return nil, &diag.Problem{Code: noSnapshot, Place: at,
			Message: fmt.Sprintf("there is no metadata of server %q to check the rule against", s.Name),
			Hint:    "run `culvert sync` and commit the folder metadata/" + s.Name}
	}
	return s, nil
}

// serverEnv gives what lookups search at a server that they name.
func (p *Project) serverEnv(name string) (rules.ServerEnv, *diag.Problem) {
	s, problem := p.serverOf(name, diag.Place{})
	if problem != nil {
		return rules.ServerEnv{}, problem
	}
	return rules.ServerEnv{
		Name:      s.Name,
		Directory: p.Indexes[s.Name].Directory(),
		Asked:     AskedKind(p.Indexes[s.Name]),
	}, nil
}

func (l *Loader) checkSample(p *Project, k sources.Kind, r *rules.Rule) {
	s, ok := k.(sources.Sampled)
	if !ok || r.Trigger.Sample == "" || r.Trigger.Config == nil {
		return
	}
	// A sample that cannot be read has its finding already.
	if rows, err := l.samples(p, &r.Trigger); err == nil {
		s.CheckSample(&r.Trigger, rows, r.Report)
	}
}

func (l *Loader) environment(p *Project, file string, defaults []*yamlnode.Document) rules.Environment {
	env := rules.Environment{
		Samples:  func(t *rules.Trigger) ([]any, error) { return l.samples(p, t) },
		ReadFile: p.read,
		Now:      l.now(),
		Zone:     p.Config.Zone,
		Missing:  p.Config.Missing,
		Library:  p.Library,
	}
	for _, k := range l.actionKinds(nil, actions.Options{}) {
		env.Kinds = append(env.Kinds, k.Settings())
	}
	for _, k := range l.Sources {
		env.TriggerKinds = append(env.TriggerKinds, sources.TriggerKind(k))
	}
	for _, d := range defaults {
		if under(path.Dir(d.Path), file) {
			env.Defaults = append(env.Defaults, d)
		}
	}
	return env
}

// defaultsFile gives the rules of its folder, and of those in it, what they do not say themselves.
const defaultsFile = "_defaults.yaml"

// defaultsFiles reads the _defaults.yaml of the rule folders, outermost first.
func (l *Loader) defaultsFiles(p *Project) []*yamlnode.Document {
	var files []string
	note := func(file string) {
		if rel, err := filepath.Rel(p.Dir, file); err == nil && filepath.Base(file) == defaultsFile {
			files = append(files, filepath.ToSlash(rel))
		}
	}
	// What is wrong with the folder the rules say.
	_ = Walk(filepath.Join(p.Dir, RulesDir), func(file string, _ fs.DirEntry) error {
		note(file)
		return nil
	}, func(file string, _ error) { note(file) })
	var docs []*yamlnode.Document
	for _, name := range files {
		text, err := p.read(name)
		switch {
		case vanished(err):
			continue
		case err != nil:
			p.lost(name)
			p.badDefaults = append(p.badDefaults, name)
			p.Findings.Add(p.unreadable(name, err))
			continue
		}
		p.Texts[name] = text
		var found diag.List
		if doc := yamlnode.Parse(name, text, &found); doc != nil {
			docs = append(docs, doc)
		}
		if p.Findings.Add(found...); found.HasErrors() {
			p.badDefaults = append(p.badDefaults, name)
		}
	}
	slices.SortFunc(docs, func(a, b *yamlnode.Document) int { return len(a.Path) - len(b.Path) })
	return docs
}
