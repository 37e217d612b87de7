package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules"
)

// FunctionFiles lists the files of functions of a project, relative to it, sorted; none where it has none.
func FunctionFiles(dir string) ([]string, error) {
	root := filepath.Join(dir, FunctionsDir)
	if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	below, err := RuleFilesBelow(root)
	if err != nil {
		return nil, err
	}
	files := make([]string, 0, len(below))
	for _, file := range below {
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return nil, fmt.Errorf("list the files of functions in %s: %w", root, err)
		}
		files = append(files, filepath.ToSlash(rel))
	}
	return files, nil
}

// isFunctionsFile tells whether a file of the project would be taken for one of functions.
func isFunctionsFile(name string) bool {
	rest, ok := strings.CutPrefix(name, FunctionsDir+"/")
	return ok && IsRuleFile(RulesDir+"/"+rest)
}

// library reads the functions and value maps that the rules share. held are files that an editor holds,
// some of which may not be on the disk.
func (l *Loader) library(p *Project, held []string) error {
	paths, err := FunctionFiles(p.Dir)
	if err != nil {
		return err
	}
	for _, name := range held {
		if isFunctionsFile(name) && !slices.Contains(paths, name) {
			paths = append(paths, name)
		}
	}
	slices.Sort(paths)
	var files []rules.LibraryFile
	for _, name := range paths {
		text, err := p.read(name)
		if vanished(err) {
			continue
		}
		p.Texts[name] = text
		if err != nil {
			p.lost(name)
			p.Findings.Add(p.unreadable(name, err))
			continue
		}
		files = append(files, rules.LibraryFile{Path: name, Text: text})
	}
	library, findings := rules.LoadLibrary(files, rules.Environment{ReadFile: p.read, Now: l.now(), Zone: p.Config.Zone,
		Missing: p.Config.Missing, Server: p.serverEnv})
	p.Library = library
	p.Findings.Add(findings...)
	return nil
}
