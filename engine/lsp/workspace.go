package lsp

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules/diag"
)

// workspace is one project that files are open of.
type workspace struct {
	session   *project.Session
	facts     map[string]*facts // by rule file
	published map[string]told   // by file
	names     map[string][]unitName
	failure   string // why the project cannot be read
	round     int    // goes up with every change
}

// findProject gives the folder with culvert.yaml that a file lies in, "" when there is none.
func findProject(file string) string {
	for dir := filepath.Dir(file); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, project.ConfigFile)); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
	}
}

// workspaceOf gives the project of a file and the file's name in it; nil for a file of no project.
func (s *server) workspaceOf(file string) (*workspace, string) {
	dir := findProject(file)
	if dir == "" {
		return nil, ""
	}
	w := s.spaces[dir]
	if w == nil {
		w = &workspace{session: s.loader.Edit(dir), facts: map[string]*facts{}, published: map[string]told{},
			names: map[string][]unitName{}}
		s.spaces[dir] = w
		s.change(w)
	}
	rel, err := filepath.Rel(dir, file)
	if err != nil || !filepath.IsLocal(rel) {
		return nil, ""
	}
	return w, filepath.ToSlash(rel)
}

// change compiles what reads the files named, tells what is found, and has the rules checked
// against each other once nothing more is typed.
func (s *server) change(w *workspace, names ...string) {
	_, err := w.session.Change(s.ctx, names...)
	w.failure = ""
	if err != nil {
		w.failure = err.Error()
		s.log.Warn("the project cannot be read", "folder", w.session.Dir(), "error", err)
	}
	w.round++
	s.publish(w)
	s.checkLater(w, w.round)
}

// publish tells the client of every file whose findings are not what it was told last; of an open
// file that has changed, in any case.
func (s *server) publish(w *workspace) {
	byFile := map[string]diag.List{}
	if p := w.session.Project(); p != nil && w.failure == "" {
		for _, d := range p.Findings {
			if d.Place.File != "" {
				byFile[d.Place.File] = append(byFile[d.Place.File], d)
			}
		}
	} else if w.failure != "" {
		byFile[project.ConfigFile] = diag.List{{Problem: diag.Problem{Code: "unreadable-project", Message: w.failure,
			Place: diag.Place{File: project.ConfigFile}}}}
	}
	for file := range w.published {
		if _, ok := byFile[file]; !ok {
			byFile[file] = nil
		}
	}
	texts := map[string]lines{}
	for file, list := range byFile {
		d := s.docs[w.uri(file)]
		version := 0
		if d != nil {
			version = d.version
		}
		last, known := w.published[file]
		if known && last.version == version && slices.EqualFunc(last.findings, list, sameFinding) {
			continue
		}
		w.published[file] = told{version, list}
		if !known && len(list) == 0 {
			continue
		}
		p := PublishDiagnostics{URI: w.uri(file), Version: version, Diagnostics: []Diagnostic{}}
		if d != nil {
			p.URI = d.uri
		}
		for _, d := range list {
			p.Diagnostics = append(p.Diagnostics, s.diagnostic(w, texts, d))
		}
		s.notify("textDocument/publishDiagnostics", p)
	}
}

// told is what the client was told of a file last.
type told struct {
	version  int
	findings diag.List
}

func sameFinding(a, b diag.Diagnostic) bool {
	return a.Place == b.Place && a.Code == b.Code && a.Message == b.Message && a.Hint == b.Hint &&
		a.Severity == b.Severity && slices.Equal(a.Related, b.Related)
}

// source names Culvert in lists of findings of several tools.
const source = "culvert"

func (w *workspace) uri(file string) string {
	return uriOf(filepath.Join(w.session.Dir(), filepath.FromSlash(file)))
}

// lines gives the lines of a file of the project.
func (w *workspace) lines(known map[string]lines, file string) lines {
	if l, ok := known[file]; ok {
		return l
	}
	// A file that cannot be read has no lines: its finding stands at its beginning.
	text, _ := w.session.Read(file)
	l := lines(newLines(string(text)))
	known[file] = l
	return l
}

func newLines(text string) [][]rune {
	var out [][]rune
	for line := range strings.SplitSeq(text, "\n") {
		out = append(out, []rune(strings.TrimSuffix(line, "\r")))
	}
	return out
}

func (s *server) diagnostic(w *workspace, texts map[string]lines, d diag.Diagnostic) Diagnostic {
	out := Diagnostic{Range: w.lines(texts, d.Place.File).diagRange(d.Place.Range), Severity: 1, Code: d.Code,
		Source: source, Message: s.language.Text(d.Message)}
	if d.Severity == diag.Warning {
		out.Severity = 2
	}
	if d.Hint != "" {
		out.Message += "\n" + s.language.Text(d.Hint)
	}
	for _, r := range d.Related {
		if r.Place.File != "" {
			out.Related = append(out.Related, DiagnosticRelated{s.location(w, texts, r.Place), s.language.Text(r.Message)})
		}
	}
	return out
}

func (s *server) location(w *workspace, texts map[string]lines, p diag.Place) Location {
	return Location{w.uri(p.File), w.lines(texts, p.File).diagRange(p.Range)}
}

// findingsAt gives the findings of a file that touch a range of lines.
func (w *workspace) findingsAt(file string, from, to int) diag.List {
	p := w.session.Project()
	if p == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(p.Findings), func(d diag.Diagnostic) bool {
		return d.Place.File != file || d.Place.Range.End.Line-1 < from || d.Place.Range.Start.Line-1 > to
	})
}
