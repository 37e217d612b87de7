package main

import (
	"os"
	"path/filepath"
)

// inRepository is the project's folder as seen from the root of the repository that it lies in,
// with slashes; where there is none, from the current folder. CI shows findings by such paths. ""
// where the project lies elsewhere.
func (a *app) inRepository() string {
	dir, err := filepath.Abs(a.dir)
	if err != nil {
		return ""
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	root := repositoryOf(dir)
	if root == "" {
		if root, err = os.Getwd(); err != nil {
			return ""
		}
		if real, err := filepath.EvalSymlinks(root); err == nil {
			root = real
		}
	}
	rel, err := filepath.Rel(root, dir)
	if err != nil || !filepath.IsLocal(rel) {
		return ""
	}
	return filepath.ToSlash(rel)
}

// repositoryOf gives the nearest folder above that holds a git repository, "" when there is none.
func repositoryOf(dir string) string {
	for {
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return dir
		}
		above := filepath.Dir(dir)
		if above == dir {
			return ""
		}
		dir = above
	}
}
