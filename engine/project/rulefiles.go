package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/diag"
)

// maxFile bounds what is read of a rule, map, table or sample.
const maxFile = 64 << 20

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
func RuleFilesBelow(root string) ([]string, error) {
	var files []string
	err := Walk(root, func(file string, d fs.DirEntry) error {
		name := filepath.Base(file)
		if d.IsDir() && strings.HasPrefix(name, ".") && file != root {
			return fs.SkipDir
		}
		if d.IsDir() || strings.HasPrefix(name, "_") || strings.HasPrefix(name, ".") || !strings.HasSuffix(name, ".yaml") &&
			!strings.HasSuffix(name, ".yml") {
			return nil
		}
		files = append(files, file)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the rule files in %s: %w", root, err)
	}
	slices.Sort(files)
	return files, nil
}

// readFile reads a file of the project; name is relative to it and may not leave it.
func readFile(dir, name string) ([]byte, error) {
	if !filepath.IsLocal(name) {
		return nil, fmt.Errorf("%s lies outside the project's folder", name)
	}
	full := filepath.Join(dir, filepath.FromSlash(name))
	info, err := os.Stat(full)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", name, errors.Unwrap(err))
	}
	if !info.Mode().IsRegular() { // reading a pipe waits for whoever writes into it
		return nil, fmt.Errorf("%s is no plain file", name)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s is larger than %d MiB", name, maxFile>>20)
	}
	b, err := os.ReadFile(full)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", name, errors.Unwrap(err))
	}
	return b, nil
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
