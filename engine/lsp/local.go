package lsp

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules/diag"
)

// Local answers of one project what an editor asks, in the same process: whoever calls it holds the
// texts that are not saved, and gives them with each question. Safe for concurrent use.
type Local struct {
	mu    sync.Mutex
	s     *server
	w     *workspace
	held  map[string]string // the texts that the session holds now
	stats map[string]string // of the files on the disk, as they were read
}

// Drafts are texts of files that are not saved, by the files' names in the project.
type Drafts map[string]string

// NewLocal begins with the project in a folder. It is read with the first question.
func NewLocal(o Options, dir string) *Local {
	s := &server{loader: o.Loader, version: o.Version, log: o.Log, docs: map[string]*document{},
		spaces: map[string]*workspace{}}
	w := &workspace{session: o.Loader.Edit(dir), facts: map[string]*facts{}, published: map[string]told{},
		names: map[string][]unitName{}}
	return &Local{s: s, w: w, held: map[string]string{}}
}

// with has the session hold the drafts, and nothing else, over what the disk has now, and does something with it.
func (l *Local) with(ctx context.Context, drafts Drafts, do func() error) (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() {
		if failure := recover(); failure != nil {
			l.s.log.Error("a question about a rule failed", "failure", fmt.Sprint(failure))
			err = fmt.Errorf("culvert itself failed on this: %v", failure)
		}
	}()
	if err := l.renew(ctx, drafts); err != nil {
		return err
	}
	return do()
}

func (l *Local) renew(ctx context.Context, drafts Drafts) error {
	changed, err := l.changedFiles()
	if err != nil {
		return err
	}
	for name := range l.held {
		if _, ok := drafts[name]; !ok {
			l.w.session.Release(name)
			changed = append(changed, name)
		}
	}
	for name, text := range drafts {
		if held, ok := l.held[name]; !ok || held != text {
			l.w.session.Hold(name, []byte(text))
			changed = append(changed, name)
		}
	}
	l.held = maps.Clone(drafts)
	if _, err := l.w.session.Change(ctx, changed...); err != nil {
		l.stats = nil // read again with the next question
		return err
	}
	return nil
}

// changedFiles compares the files of the project with what they were. All are new at first.
func (l *Local) changedFiles() ([]string, error) {
	stats := map[string]string{}
	dir := l.w.session.Dir()
	err := project.Walk(dir, func(file string, d fs.DirEntry) error {
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		switch {
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") ||
			slices.Contains([]string{"state", "node_modules"}, name)):
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return nil // it has gone meanwhile
		}
		stats[name] = fmt.Sprint(info.Size(), info.ModTime().UnixNano())
		return nil
	}, func(file string, err error) {
		if rel, outside := filepath.Rel(dir, file); outside == nil {
			stats[filepath.ToSlash(rel)] = err.Error()
		}
	})
	if err != nil {
		return nil, fmt.Errorf("look at the files of the project: %w", err)
	}
	var changed []string
	for name, stat := range stats {
		if l.stats[name] != stat {
			changed = append(changed, name)
		}
	}
	for name := range l.stats {
		if _, ok := stats[name]; !ok {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	l.stats = stats
	return changed, nil
}

// view gives a file as an open one.
func (l *Local) view(name string) (*view, error) {
	text, err := l.w.session.Read(name)
	if err != nil {
		return nil, err
	}
	uri := l.w.uri(name)
	l.s.docs = map[string]*document{uri: {uri: uri, text: string(text), space: l.w, name: name}}
	return l.s.view(uri), nil
}

// Project does something with the project as it is now; nothing of it may be kept.
func (l *Local) Project(ctx context.Context, drafts Drafts, do func(*project.Project) error) error {
	return l.with(ctx, drafts, func() error { return do(l.w.session.Project()) })
}

// Complete proposes what may be written at a place of a file.
func (l *Local) Complete(ctx context.Context, drafts Drafts, name string,
	at Position) (out *CompletionList, err error) {
	err = l.with(ctx, drafts, func() error {
		v, err := l.view(name)
		if err != nil {
			return err
		}
		out = v.completion(v.lines.toSpot(at))
		return nil
	})
	return out, err
}

// Across checks the rules against each other. What it finds is among the findings from then on.
func (l *Local) Across(ctx context.Context, drafts Drafts) error {
	var run func() diag.List
	if err := l.with(ctx, drafts, func() error {
		if p := l.w.session.Project(); p.Config != nil && len(p.Rules) > 0 {
			run = l.w.session.Check()
		}
		return nil
	}); err != nil || run == nil {
		return err
	}
	found := run()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.w.session.Settle(found)
	return nil
}

// CompleteValue proposes how the value of an entry may go on that is being typed in a place of its
// own: the text up to a caret. Ranges of what it answers are columns of what is typed.
func (l *Local) CompleteValue(ctx context.Context, drafts Drafts, name string, path []string, typed string,
	caret int) (out *CompletionList, err error) {
	err = l.with(ctx, drafts, func() error {
		v, err := l.view(name)
		if err != nil {
			return err
		}
		e := entryAt(v.out.root, path)
		if e == nil || e.open != 0 || e.block || e.from.line != e.to.line {
			return nil
		}
		line := v.lines[e.from.line]
		before := line[:min(e.from.col, len(line))]
		if n := len(before); n > 0 && before[n-1] == ':' {
			before = append(slices.Clone(before), ' ')
		}
		text := slices.Concat(before, []rune(typed), line[min(e.to.col, len(line)):])
		lines := strings.Split(v.doc.text, "\n")
		lines[e.from.line] = string(text)
		v.doc = &document{uri: v.doc.uri, text: strings.Join(lines, "\n"), space: l.w, name: name}
		v.out = v.doc.outline()
		v.lines = v.out.lines
		begin := v.lines.toPosition(spot{e.from.line, len(before)})
		out = v.completion(v.lines.toSpot(Position{begin.Line, begin.Character + caret}))
		if out == nil {
			return nil
		}
		for i := range out.Items {
			if t := out.Items[i].TextEdit; t != nil {
				own := *t
				own.Range.Start.Character = max(own.Range.Start.Character-begin.Character, 0)
				own.Range.End.Character = max(own.Range.End.Character-begin.Character, 0)
				own.Range.Start.Line, own.Range.End.Line = 0, 0
				out.Items[i].TextEdit = &own
			}
		}
		return nil
	})
	return out, err
}

// entryAt finds the entry that a path leads to.
func entryAt(root *entry, path []string) *entry {
	for _, step := range path {
		var next *entry
		n := 0
		for _, c := range root.children {
			switch {
			case c.item && fmt.Sprint(n) == step, !c.item && !c.bare && c.key == step:
				next = c
			}
			if c.item {
				n++
			}
		}
		if next == nil {
			return nil
		}
		root = next
	}
	return root
}
