package lsp

import (
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/rehearsal"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/schemas"
)

// view is one open file with all that is known of it.
type view struct {
	server *server
	space  *workspace
	doc    *document
	out    *outline
	lines  lines
	facts  *facts
	index  *metadata.Index // of the server that is spoken of, or nil: the rule's own until at says otherwise

	home    *metadata.Index     // of the rule's server, or nil
	mapUses map[string][]*entry // what uses each value map; nil: not looked for yet
}

// view gives an open file, nil when it is not open.
func (s *server) view(uri string) *view {
	d := s.docs[key(uri)]
	if d == nil {
		return nil
	}
	v := &view{server: s, space: d.space, doc: d, out: d.outline(), facts: d.space.factsOf(d.name)}
	v.lines = v.out.lines
	if p := d.space.session.Project(); p != nil && p.Config != nil {
		name := v.out.root.text("server")
		if v.facts.rule != nil && name == "" {
			name = v.facts.rule.Server
		}
		v.home = v.indexOf(name)
		v.index = v.home
	}
	return v
}

// indexOf gives the metadata of a server; nil when there is none.
func (v *view) indexOf(name string) *metadata.Index {
	if v.space == nil {
		return nil
	}
	p := v.space.session.Project()
	if p == nil || p.Config == nil {
		return nil
	}
	if server := p.Config.ServerNamed(name); server != nil {
		return p.Indexes[server.Name]
	}
	return nil
}

// at is action, and has index be the metadata of the server that the action, or the lookup, is about.
func (v *view) at(path []*entry) (kind string, body *entry) {
	kind, body = action(path)
	v.index = v.home
	server := ""
	switch {
	case body != nil:
		server = v.named(kind, body, "server")
	case len(path) >= 2 && path[0].key == "lookups":
		server = path[1].text("server")
	}
	if server != "" {
		v.index = v.indexOf(server)
	}
	return kind, body
}

// isConfig tells whether the file is culvert.yaml.
func (v *view) isConfig() bool { return v.doc.name == project.ConfigFile }

// isFunctions tells whether the file is one of functions and value maps that rules share.
func (v *view) isFunctions() bool { return strings.HasPrefix(v.doc.name, project.FunctionsDir+"/") }

// isRule tells whether the file is a rule, or what rules take keys from.
func (v *view) isRule() bool {
	return !v.isConfig() && (strings.HasSuffix(v.doc.name, ".yaml") || strings.HasSuffix(v.doc.name, ".yml"))
}

// facts is what is known of a rule file beyond its text. While it is being typed that is what was
// known when it could last be read.
type facts struct {
	rule    *project.Rule
	loaded  bool // samples and steps are of this rule
	samples []any
	steps   []rules.Step
}

// factsOf gives the facts of a file; of what rules take keys from those of the first such rule. Of
// another file, or a rule that could never be read, they are empty.
func (w *workspace) factsOf(name string) *facts {
	f := w.facts[name]
	if f == nil {
		f = &facts{}
		w.facts[name] = f
	}
	if r := ruleOf(w.session.Project(), name); r != nil && r != f.rule && (r.Trigger.Kind != "" || f.rule == nil) {
		*f = facts{rule: r}
	}
	return f
}

// ruleOf gives the rule of a file, or the first that takes keys from it; nil when there is none.
func ruleOf(p *project.Project, file string) *project.Rule {
	if p == nil {
		return nil
	}
	var taker *project.Rule
	for _, r := range p.Rules {
		switch {
		case r.Rule == nil:
		case r.Path == file:
			return r
		case taker == nil && slices.Contains(r.Bases, file):
			taker = r
		}
	}
	return taker
}

// bases lists the files that the rule takes keys from, nearest first, but for this one.
func (v *view) bases() []string {
	if v.facts.rule == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(v.facts.rule.Bases), func(file string) bool { return file == v.doc.name })
}

// elsewhere is the view of another file of the project.
func (v *view) elsewhere(file string) *view {
	out := v.server.outlineOf(v.space, file)
	return &view{server: v.server, space: v.space, doc: &document{name: file}, out: out, lines: out.lines,
		facts: v.space.factsOf(file), index: v.home, home: v.home}
}

// load reads the sample of the rule and evaluates it, once.
func (v *view) load() *facts {
	f := v.facts
	if f.loaded || f.rule == nil {
		return f
	}
	f.loaded = true
	t := &f.rule.Trigger
	if t.Sample == "" {
		return f
	}
	// A sample that cannot be read has its finding.
	text, err := v.space.session.Read(t.Sample)
	if err != nil {
		return f
	}
	if f.samples, err = v.server.loader.Decode(t, t.Sample, text); err != nil {
		f.samples = nil
	}
	if !f.rule.Findings.HasErrors() {
		f.evaluate()
	}
	return f
}

// maxEvaluated bounds how many records of a sample are tried until the rule takes one.
const maxEvaluated = 50

// evaluate keeps the steps of the first record of the sample that the rule takes.
func (f *facts) evaluate() {
	flow := &program.Flow{Rule: f.rule.Rule, Actions: f.rule.Actions, After: f.rule.Afters(), Server: f.rule.Server}
	for i, body := range f.samples[:min(len(f.samples), maxEvaluated)] {
		var steps []rules.Step
		in := rules.Input{Body: body, Source: rehearsal.Source(f.rule.Trigger.Sample, i, len(f.samples))}
		e, err := program.EvaluateTraced(flow, in, func(s rules.Step) { steps = append(steps, s) })
		if err == nil && (!e.Skipped || f.steps == nil) {
			f.steps = steps
		}
		if err == nil && !e.Skipped {
			return
		}
	}
}

// stepAt gives what the value of an entry came to for the sample.
func (v *view) stepAt(e *entry) (rules.Step, bool) {
	if len(v.load().steps) == 0 {
		return rules.Step{}, false
	}
	best, found := rules.Step{}, false
	for _, s := range v.facts.steps {
		at := spotOf(s.Place.Range.Start)
		if s.Place.File != v.doc.name || at.before(e.from) || !at.before(e.to) {
			continue
		}
		if !found || s.What == "field" && best.What != "field" {
			best, found = s, true
		}
	}
	return best, found
}

// schemaName is the schema of the file.
func (v *view) schemaName() string {
	if v.isConfig() {
		return schemas.Config
	}
	if v.isFunctions() {
		return schemas.Functions
	}
	return schemas.Rule
}

// node is a part of a schema, and the name of the definition that it refers to.
type node struct {
	*schemas.Schema
	ref string
}

// schemaAt gives the part of the schema for the value of an entry; the Schema in it is nil where nothing is known.
func (v *view) schemaAt(path []*entry) node {
	root := schemas.Root(v.schemaName())
	at := node{Schema: root}
	for _, e := range path {
		if at.Schema == nil {
			return at
		}
		var next *schemas.Schema
		switch {
		case e.item:
			next = at.Items
		case at.Properties.ByKey[e.key] != nil:
			next = at.Properties.ByKey[e.key]
		default:
			next = at.AdditionalProperties
		}
		if next == nil {
			return node{}
		}
		at = node{next.Resolve(root), strings.TrimPrefix(next.Ref, "#/definitions/")}
	}
	return at
}

// action gives the kind and the entry of the action, or of the defaults of a kind, that an entry lies in.
func action(path []*entry) (kind string, body *entry) {
	switch {
	case len(path) >= 3 && path[0].key == "actions" && path[1].item:
		return path[2].key, path[2]
	case len(path) >= 2 && path[0].key == "defaults":
		return path[1].key, path[1]
	}
	return "", nil
}

// named gives what an action says for a key, itself or by the rule's defaults, its own or inherited.
func (v *view) named(kind string, body *entry, key string) string {
	if text := body.text(key); text != "" {
		return text
	}
	for _, o := range append([]*outline{v.out}, v.outlines(v.bases())...) {
		defaults := o.root.child("defaults")
		for _, of := range []string{kind, "actions"} {
			if text := defaults.child(of).text(key); text != "" {
				return text
			}
		}
	}
	if v.facts.rule == nil {
		return ""
	}
	number := slices.Index(actionsOf(v.out), body)
	for _, a := range v.facts.rule.Rule.Actions {
		if n := a.Body.Get(key); a.Number == number && a.Kind == kind && n != nil {
			return n.Value
		}
	}
	return ""
}

// outlines gives the structures of files of the project.
func (v *view) outlines(files []string) []*outline {
	var out []*outline
	for _, file := range files {
		out = append(out, v.server.outlineOf(v.space, file))
	}
	return out
}

// actionsOf gives the entries of the actions in their order.
func actionsOf(o *outline) []*entry {
	var out []*entry
	if list := o.root.child("actions"); list != nil {
		for _, item := range list.children {
			out = append(out, item.children[:min(1, len(item.children))]...)
		}
	}
	return out
}
