package service

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources/changes"
)

const (
	// settle is how long the project must be quiet before it is read again: editors write a file in several steps.
	settle = 150 * time.Millisecond
	// rescan is the net below file events, which network file systems and mounted config maps do not send.
	rescan = 2 * time.Second
)

type reloadState struct {
	mu    sync.Mutex
	stamp [sha256.Size]byte
}

// watch reads the project again whenever its files change.
func (s *Service) watch(ctx context.Context) error {
	w, err := changes.Watch()
	if err != nil {
		s.o.Log.Warn("files cannot be watched, changes are found by looking every two seconds", "error", err)
	}
	defer w.Close()
	s.follow(w)
	s.reload.mu.Lock()
	s.reload.stamp = s.fingerprint()
	s.reload.mu.Unlock()
	tick := time.NewTicker(rescan)
	defer tick.Stop()
	var quiet <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.Happened():
			quiet = time.After(settle)
			continue
		case <-quiet:
			quiet = nil
		case <-tick.C:
		}
		s.follow(w)
		s.Reload(ctx)
	}
}

// follow watches every folder of the project that holds something rules depend on.
func (s *Service) follow(w *changes.Watcher) {
	_ = s.walk(func(path string, d fs.DirEntry) {
		if d.IsDir() {
			_ = w.Add(path) // what cannot be watched is found by looking
		}
	})
}

// walk visits what rules depend on: culvert.yaml, and the folders beside it but for state, hidden ones, and those where files are dropped.
func (s *Service) walk(visit func(string, fs.DirEntry)) error {
	state := s.current.Load().Config.StateDir
	return filepath.WalkDir(s.o.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // gone while walking
		}
		rel, _ := filepath.Rel(s.o.Dir, path)
		top, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
		switch {
		case rel == ".":
		case top == filepath.ToSlash(filepath.Clean(state)), strings.HasPrefix(top, ".") && top != ".":
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case d.IsDir() && !watched[top]:
			return filepath.SkipDir
		case !d.IsDir() && rel == top && rel != project.ConfigFile:
			return nil // what else lies beside culvert.yaml is no business of the rules
		}
		visit(path, d)
		return nil
	})
}

// watched are the folders that rules read from.
var watched = map[string]bool{project.RulesDir: true, "maps": true, "tables": true, "samples": true, project.MetadataDir: true}

// fingerprint tells whether anything that rules depend on has changed.
func (s *Service) fingerprint() [sha256.Size]byte {
	h := sha256.New()
	_ = s.walk(func(path string, d fs.DirEntry) {
		info, err := d.Info()
		if err != nil || d.IsDir() {
			return
		}
		fmt.Fprintf(h, "%s\x00%d\x00%d\x00", path, info.Size(), info.ModTime().UnixNano())
		if target, err := os.Readlink(path); err == nil {
			fmt.Fprintf(h, "%s\x00", target)
		}
	})
	return [sha256.Size]byte(h.Sum(nil))
}

// Reload reads the project again if it has changed, and puts its rules to work. A rule that is broken now is refused with its findings in the
// log, and its last good version keeps running.
func (s *Service) Reload(ctx context.Context) {
	s.reload.mu.Lock()
	defer s.reload.mu.Unlock()
	stamp := s.fingerprint()
	if stamp == s.reload.stamp {
		return
	}
	if err := s.reloadNow(ctx); err != nil {
		if ctx.Err() == nil {
			s.o.Log.Error("the project cannot be read; the last good version keeps running", "error", err)
		}
	}
	s.reload.stamp = stamp
}

func (s *Service) reloadNow(ctx context.Context) error {
	fresh, err := s.o.Loader.Load(ctx, s.o.Dir)
	if err != nil {
		return err
	}
	for _, d := range fresh.Findings {
		if d.Place.File == project.ConfigFile && d.Severity == diag.Error {
			return errors.New(d.String())
		}
	}
	before := s.current.Load()
	s.logFindings(fresh, "rule has mistakes; its last good version keeps running")
	s.keepGood(before, fresh)
	for name, index := range fresh.Indexes {
		if p, ok := s.indexes[name]; ok {
			p.Store(index)
		}
	}
	s.current.Store(fresh)
	program, routes, err := s.program(fresh)
	if err != nil {
		return err
	}
	s.runner.Swap(program)
	s.webhooks.Replace(routes)
	s.o.Log.Info("rules are live", "rules", len(fresh.Rules))
	return nil
}

// keepGood puts the last good version of a rule in the place of one that was edited and is broken now. When the metadata changed under it the old
// version fits no better: then the rule stays invalid and its records are held.
func (s *Service) keepGood(before, fresh *project.Project) {
	for i, r := range fresh.Rules {
		if _, bad := firstError(r.Findings); !bad || before.Indexes[r.Server] != fresh.Indexes[r.Server] {
			continue
		}
		old := before.RuleNamed(r.Name)
		if old == nil {
			continue
		}
		if _, bad := firstError(old.Findings); !bad {
			fresh.Rules[i] = old
		}
	}
	for _, old := range before.Rules {
		if _, bad := firstError(old.Findings); bad || fresh.RuleNamed(old.Name) != nil {
			continue
		}
		if _, there := fresh.Texts[old.Path]; there {
			fresh.Rules = append(fresh.Rules, old) // its file is there but could not be read as a rule
		}
	}
}

// logFindings writes findings to the log as they would be printed.
func (s *Service) logFindings(p *project.Project, message string) {
	for _, d := range p.Findings {
		if d.Severity != diag.Error {
			continue
		}
		s.o.Log.Error(message, "file", d.Place.File, "line", d.Place.Range.Start.Line, "column", d.Place.Range.Start.Column, "code", d.Code, "finding", d.Message, "mend", d.Hint)
	}
}
