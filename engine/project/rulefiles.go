package project

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/diag"
)

// RuleFiles lists the rule files of a project, relative to it, sorted.
func RuleFiles(dir string) ([]string, error) {
	root := filepath.Join(dir, RulesDir)
	if _, err := os.Stat(root); err != nil {
		return nil, fmt.Errorf("the project has no folder %s/ with rule files: make one, or run `culvert new`: %w", RulesDir,
			err)
	}
	below, err := RuleFilesBelow(root)
	if err != nil {
		return nil, err
	}
	files := make([]string, 0, len(below))
	for _, file := range below {
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return nil, fmt.Errorf("list the rule files in %s: %w", root, err)
		}
		files = append(files, filepath.ToSlash(rel))
	}
	slices.Sort(files)
	return files, nil
}

// RuleFilesBelow lists the rule files of a folder and of those in it, sorted, as paths that begin with the folder's.
// What may be a rule file, or hold some, and cannot be looked at is among them: to read it says why.
func RuleFilesBelow(root string) ([]string, error) {
	var files, named []string // named: folders that are called as a rule file is
	err := Walk(root, func(file string, d fs.DirEntry) error {
		name := filepath.Base(file)
		switch {
		case file == root:
		case d.IsDir() && strings.HasPrefix(name, "."):
			return fs.SkipDir
		case strings.HasPrefix(name, "_"), strings.HasPrefix(name, "."), !hasRuleExt(name):
		case d.IsDir():
			named = append(named, file)
		default:
			files = append(files, file)
		}
		return nil
	}, func(file string, _ error) {
		name := filepath.Base(file)
		if !strings.HasPrefix(name, "_") && !strings.HasPrefix(name, ".") && (hasRuleExt(name) || filepath.Ext(name) == "") {
			files = append(files, file)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list the rule files in %s: %w", root, err)
	}
	for _, folder := range named { // mounting a file that is not there makes a folder in its place
		in := func(file string) bool { return strings.HasPrefix(file, folder+string(filepath.Separator)) }
		if !slices.ContainsFunc(files, in) && !slices.Contains(files, folder) {
			files = append(files, folder)
		}
	}
	slices.Sort(files)
	return files, nil
}

func hasRuleExt(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// nearFile names the files of the folder that are called nearly so, for the end of a message.
func nearFile(dir, file string) string {
	folder := path.Dir(filepath.ToSlash(file))
	entries, err := os.ReadDir(filepath.Join(dir, filepath.FromSlash(folder)))
	if err != nil {
		return ""
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	near := diag.Nearest(path.Base(file), names)
	if len(near) == 0 {
		return ""
	}
	for i := range near {
		near[i] = path.Join(folder, near[i])
	}
	return "; did you mean " + diag.Names(near, "or") + "?"
}
