package project

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// Session is a project that somebody edits: files may be as an editor holds them, and a change
// compiles anew only what reads the file. What it finds, once settled, is what Load finds when the
// files are saved, without what is said of links. Not safe for concurrent use.
type Session struct {
	loader  *Loader
	dir     string
	overlay map[string][]byte // files as the editor holds them, by their names in the project

	project  *Project
	broken   bool              // culvert.yaml cannot be used
	base     diag.List         // findings of culvert.yaml, the functions and the defaults
	shared   map[string][]byte // texts of culvert.yaml and the functions
	defaults []*yamlnode.Document
	kinds    map[string]map[string]actions.Kind
	rules    map[string]*editedRule     // by file
	readers  map[string]map[string]bool // rule files by the file that they read
	across   diag.List                  // of the last check of the rules against each other
}

// editedRule is a rule file as it was compiled last.
type editedRule struct {
	rule     *Rule
	text     []byte
	findings diag.List // its own, without those of the check against other rules
	reads    []string  // files beside itself
}

// Edit begins to edit a project. Open reads it.
func (l *Loader) Edit(dir string) *Session {
	return &Session{loader: l, dir: dir, overlay: map[string][]byte{}}
}

// Dir is the folder of the project.
func (s *Session) Dir() string { return s.dir }

// Project is the project as of the last Open or Change; nil before.
func (s *Session) Project() *Project { return s.project }

// Read gives the text of a file of the project as the editor holds it, or from the disk.
func (s *Session) Read(name string) ([]byte, error) {
	if text, ok := s.overlay[name]; ok {
		return text, nil
	}
	return readFile(s.dir, name)
}

// Hold puts the text of a file in the place of what is on the disk, until Release. It takes effect
// with the next Change or Open.
func (s *Session) Hold(name string, text []byte) { s.overlay[name] = text }

// Release takes a file from the disk again.
func (s *Session) Release(name string) { delete(s.overlay, name) }

// Open reads the whole project.
func (s *Session) Open(ctx context.Context) error {
	text, err := s.Read(ConfigFile)
	if err != nil {
		_, _, _, err = ReadConfig(s.dir)
		return err
	}
	config, findings := ParseConfig(s.dir, ConfigFile, text)
	p := &Project{Dir: s.dir, Config: config, Findings: findings, Sources: s.loader.Sources, files: s.Read}
	p.Texts = map[string][]byte{ConfigFile: text}
	s.rules, s.readers = map[string]*editedRule{}, map[string]map[string]bool{}
	s.across, s.broken = nil, findings.HasErrors()
	if s.broken {
		p.Findings.Sort()
		s.project = p
		return nil
	}
	p.Indexes = map[string]*metadata.Index{}
	s.loader.snapshots(p)
	s.project = p
	if err := s.loader.library(p, slices.Collect(maps.Keys(s.overlay))); err != nil {
		return err
	}
	s.shared = maps.Clone(p.Texts)
	s.defaults = s.loader.defaultsFiles(p)
	s.base = p.Findings
	s.kinds = s.loader.kinds(p)
	paths, err := s.ruleFiles()
	if err != nil {
		return err
	}
	for _, path := range paths {
		if err := ctx.Err(); err != nil {
			return err
		}
		s.compile(path)
	}
	s.assemble()
	return nil
}

// Check gives what checks the rules, as they are now, against each other. That takes long with a
// thousand rules: it may run beside anything else, and what it finds goes to Settle.
func (s *Session) Check() func() diag.List {
	plain := make([]*rules.Rule, 0, len(s.project.Rules))
	for _, r := range s.project.Rules {
		plain = append(plain, r.Rule)
	}
	kinds, library, circles := s.loader.Sources, s.project.Library, s.project.circles()
	return func() diag.List { return append(checkTogether(plain, library, kinds), circles...) }
}

// Settle takes what Check found into the findings.
func (s *Session) Settle(across diag.List) {
	s.across = across
	s.assemble()
}

// ruleFiles lists the rule files on the disk, and those that the editor holds alone.
func (s *Session) ruleFiles() ([]string, error) {
	paths, err := RuleFiles(s.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for name := range s.overlay {
		if IsRuleFile(name) && !slices.Contains(paths, name) {
			paths = append(paths, name)
		}
	}
	slices.Sort(paths)
	return paths, nil
}

// IsRuleFile tells whether a file of the project would be taken for a rule.
func IsRuleFile(name string) bool {
	parts := strings.Split(name, "/")
	base := parts[len(parts)-1]
	if parts[0] != RulesDir || len(parts) < 2 || strings.HasPrefix(base, "_") || !strings.HasSuffix(base, ".yaml") &&
		!strings.HasSuffix(base, ".yml") {
		return false
	}
	return !slices.ContainsFunc(parts[1:], func(part string) bool { return strings.HasPrefix(part, ".") })
}

// Change compiles anew what reads the files named, and gives the rule files that it compiled. What
// the rules are to each other stays as Settle knew it.
func (s *Session) Change(ctx context.Context, names ...string) (compiled []string, err error) {
	if s.project == nil || slices.ContainsFunc(names, s.concernsAll) {
		if err := s.Open(ctx); err != nil {
			return nil, err
		}
		return slices.Sorted(maps.Keys(s.rules)), nil
	}
	todo := map[string]bool{}
	for _, name := range names {
		if _, known := s.rules[name]; known || IsRuleFile(name) {
			if known && s.sameText(name) {
				continue
			}
			todo[name] = true
		}
		maps.Copy(todo, s.readers[name])
	}
	compiled = slices.Sorted(maps.Keys(todo))
	for _, name := range compiled {
		s.compile(name)
	}
	if len(todo) > 0 {
		s.assemble()
	}
	return compiled, nil
}

func (s *Session) sameText(name string) bool {
	text, err := s.Read(name)
	return err == nil && bytes.Equal(text, s.rules[name].text)
}

// concernsAll tells whether a file is one that every rule may depend on.
func (s *Session) concernsAll(name string) bool {
	return name == ConfigFile || isFunctionsFile(name) || strings.HasSuffix(name, "/_defaults.yaml") ||
		strings.HasPrefix(name, MetadataDir+"/")
}

// compile compiles one rule file. One that is gone is forgotten.
func (s *Session) compile(name string) {
	if old := s.rules[name]; old != nil {
		for _, file := range old.reads {
			delete(s.readers[file], name)
		}
		delete(s.rules, name)
	}
	p := *s.project // so that what this rule reads can be told
	read := map[string]bool{}
	p.files = func(file string) ([]byte, error) {
		read[file] = true
		return s.Read(file)
	}
	rule, text := s.loader.rule(&p, name, s.defaults, s.kinds)
	if rule == nil {
		return
	}
	delete(read, name)
	s.rules[name] = &editedRule{rule: rule, text: text, findings: slices.Clip(rule.Findings),
		reads: slices.Collect(maps.Keys(read))}
	for file := range read {
		if s.readers[file] == nil {
			s.readers[file] = map[string]bool{}
		}
		s.readers[file][name] = true
	}
}

// assemble makes the project of what was compiled.
func (s *Session) assemble() {
	p := s.project
	if s.broken {
		return
	}
	p.Rules, p.Findings = nil, slices.Clone(s.base)
	paths := slices.Sorted(maps.Keys(s.rules))
	p.count(paths)
	texts := maps.Clone(s.shared)
	for _, d := range s.defaults {
		texts[d.Path] = d.Text
	}
	p.Texts = texts
	for _, path := range paths {
		e := s.rules[path]
		e.rule.Findings = slices.Clip(e.findings)
		texts[path] = e.text
		if e.rule.Rule != nil {
			p.Rules = append(p.Rules, e.rule)
		}
		p.Findings.Add(e.findings...)
		p.Findings.Add(e.rule.Hosted...)
	}
	p.merge(s.across)
	p.Findings.Sort()
	p.readPlaces()
}
