package project

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/culvert/culvert/rules/diag"
)

// linksOutside warns of files that lie elsewhere: links are followed, within the project (as Kubernetes lays a
// config map out) or the git repository that it lies in without a word. Who copies the project does not copy what
// a link beyond leads to, and who may write there changes what is sent.
func (p *Project) linksOutside() {
	root, err := filepath.EvalSymlinks(p.Dir)
	if err != nil {
		return
	}
	if abs, err := filepath.Abs(root); err == nil {
		root = repositoryOf(abs)
	}
	var outside []string
	for _, name := range p.fileNames() {
		real, err := filepath.EvalSymlinks(filepath.Join(p.Dir, filepath.FromSlash(name)))
		if err != nil {
			continue // it could not be read either
		}
		if real, err = filepath.Abs(real); err != nil {
			continue
		}
		if rel, err := filepath.Rel(root, real); err != nil || !filepath.IsLocal(rel) {
			outside = append(outside, name)
		}
	}
	if len(outside) == 0 {
		return
	}
	start := diag.Position{Line: 1, Column: 1}
	d := diag.Diagnostic{Severity: diag.Warning, Problem: diag.Problem{Code: "link-outside",
		Message: fmt.Sprintf("%s lies outside of the project: a link leads there", outside[0]),
		Place:   diag.Place{File: outside[0], Range: diag.Range{Start: start, End: start}},
		Hint: "put the file itself into the project: git and backups keep links without what they lead to, and whoever may " +
			"write there changes what is sent"}}
	if more := len(outside) - 1; more > 0 {
		d.Message = fmt.Sprintf("%s and %d more files lie outside of the project: links lead there", outside[0], more)
	}
	p.Findings.Add(d)
}

// repositoryOf gives the folder of the git repository that a folder lies in, else the folder itself.
func repositoryOf(dir string) string {
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Lstat(filepath.Join(at, ".git")); err == nil {
			return at
		}
		if at == filepath.Dir(at) {
			return dir
		}
	}
}
