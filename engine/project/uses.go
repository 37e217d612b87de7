package project

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// Uses tells where rules use metadata objects, by the object's uid.
type Uses map[string][]string

// Uses lists where the rules of a server use metadata objects.
func (p *Project) Uses(server string) Uses {
	out := Uses{}
	paired := func(list []*rules.ValueMap) {
		for _, m := range list {
			for _, use := range m.Paired(server) {
				out[use.ID] = append(out[use.ID], placeOf(use.Place))
			}
		}
	}
	paired(p.Library.Between())
	for _, r := range p.Rules {
		if r.Rule != nil {
			paired(r.Between())
			for _, l := range r.Lookups {
				if at := l.Server(); at != server && (at != "" || r.Server != server) {
					continue
				}
				for _, use := range l.Used() {
					out[use.ID] = append(out[use.ID], placeOf(use.Place))
				}
			}
		}
		for i, a := range r.Actions {
			u, ok := a.(actions.User)
			if !ok || r.PlaceOf(i) != server {
				continue
			}
			for _, use := range u.Uses() {
				out[use.ID] = append(out[use.ID], placeOf(use.Place))
			}
		}
	}
	return out
}

func placeOf(p diag.Place) string { return fmt.Sprintf("%s:%d", p.File, p.Range.Start.Line) }

// OfChange words the uses of what a change is about: the object, or for one that rules do not name what it
// lies in, such as the set of an option.
func (u Uses) OfChange(c metadata.Change) string {
	if words := u.Of(c.ID); words != "" || c.Collection != metadata.OptionsInSets {
		return words
	}
	for _, id := range c.About {
		if words := u.Of(id); words != "" {
			return words
		}
	}
	return ""
}

// Of words the uses of one object, "" when there are none.
func (u Uses) Of(id string) string {
	places := u[id]
	switch {
	case len(places) == 0:
		return ""
	case len(places) > 3:
		return fmt.Sprintf("; used by %s and %d more", strings.Join(places[:3], ", "), len(places)-3)
	}
	return "; used by " + strings.Join(places, ", ")
}

// Relative gives a file's name as findings print it: relative to the project folder, with slashes.
// It takes names relative to the working directory as well as to the project.
func (p *Project) Relative(file string) (string, error) {
	if _, ok := p.Texts[filepath.ToSlash(filepath.Clean(file))]; ok {
		return filepath.ToSlash(filepath.Clean(file)), nil
	}
	abs, err := filepath.Abs(file)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", file, err)
	}
	root, err := filepath.Abs(p.Dir)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", p.Dir, err)
	}
	rel, err := filepath.Rel(root, abs)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", file, err)
	}
	rel = filepath.ToSlash(rel)
	if _, ok := p.Texts[rel]; !ok {
		if _, err := os.Stat(file); err != nil {
			if near := diag.Nearest(rel, slices.Sorted(maps.Keys(p.Texts))); len(near) > 0 {
				return "", fmt.Errorf("there is no file %s; did you mean %s?", file, diag.Names(near, "or"))
			}
		}
		return "", fmt.Errorf("%s is not a rule file of this project: rule files lie in %s/", file, RulesDir)
	}
	return rel, nil
}

// Files lists every file that was checked.
func (p *Project) Files() []string {
	files := make([]string, 0, len(p.Texts))
	for name := range p.Texts {
		files = append(files, name)
	}
	return files
}

// RuleNamed gives a rule by its name, nil when there is none.
func (p *Project) RuleNamed(name string) *Rule {
	for _, r := range p.Rules {
		if r.Name == name {
			return r
		}
	}
	return nil
}
