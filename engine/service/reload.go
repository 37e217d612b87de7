package service

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/status"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources/changes"
)

const (
	// settle is how long the project must be quiet before it is read again: editors write a file in several steps.
	settle = 150 * time.Millisecond
	// rescan is the net below file events, which network file systems and mounted config maps do not send.
	rescan = 2 * time.Second
	// maxRetry is the longest between two tries to read a file that cannot be read.
	maxRetry = time.Minute
)

type reloadState struct {
	mu      sync.Mutex
	stamp   [sha256.Size]byte
	refused string // why the project as it lies there is not live; empty: it is

	// Files that could not be read are tried again, though nothing seems to have changed: an editor or a
	// virus scanner may hold them for a moment.
	found diag.List // of the project as it was read last, while it has such files; nil: it has none
	retry int       // tries since
	next  time.Time
}

// readAgain tells whether it is time to try what could not be read.
func (r *reloadState) readAgain(now time.Time) bool { return r.found != nil && !now.Before(r.next) }

// lost notes what was found while files could not be read, and tells whether that is as it was: then there is
// nothing to do until the next try.
func (r *reloadState) lost(p *project.Project, now time.Time) bool {
	if len(p.Lost) == 0 {
		r.found, r.retry = nil, 0
		return false
	}
	same := r.found != nil && slices.EqualFunc(r.found, p.Findings, func(a, b diag.Diagnostic) bool {
		return a.String() == b.String()
	})
	r.retry++
	r.found, r.next = slices.Clone(p.Findings), now.Add(min(rescan<<min(r.retry, 10), maxRetry))
	return same
}

// watch reads the project again whenever its files change, or when it is told to.
func (s *Service) watch(ctx context.Context) error {
	w, err := changes.Watch()
	if err != nil {
		s.o.Log.Warn("files cannot be watched, changes are found by looking every two seconds", "error", err)
	}
	defer w.Close()
	s.follow(w)
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
		case <-s.o.Reload:
			s.o.Log.Info("told to read the project again")
			s.forgetStamp()
		case <-quiet:
			quiet = nil
		case <-tick.C:
		}
		s.follow(w)
		s.Reload(ctx)
	}
}

// forgetStamp has the project read again though nothing seems to have changed.
func (s *Service) forgetStamp() {
	s.reload.mu.Lock()
	defer s.reload.mu.Unlock()
	s.reload.stamp = [sha256.Size]byte{}
}

// follow watches every folder of the project that holds something rules depend on.
func (s *Service) follow(w *changes.Watcher) {
	// What cannot be watched is found by looking.
	_ = project.Walk(s.o.Dir, func(path string, d fs.DirEntry) error {
		if !d.IsDir() {
			return nil
		}
		if s.unwatched(path, d) {
			return fs.SkipDir
		}
		_ = w.Add(path)
		return nil
	}, nil)
}

// unwatched tells what no rule depends on: all but culvert.yaml, and of the folders beside it
// state, hidden ones, and those where files are dropped.
func (s *Service) unwatched(path string, d fs.DirEntry) bool {
	rel, _ := filepath.Rel(s.o.Dir, path)
	top, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
	state := filepath.ToSlash(filepath.Clean(s.current.Load().Config.StateDir))
	switch {
	case rel == ".":
		return false
	case top == state, strings.HasPrefix(top, "."):
		return true
	case watched[top] || s.current.Load().Reads(top):
		return false
	case d.IsDir():
		return true
	}
	return rel == top && rel != project.ConfigFile // what else lies beside culvert.yaml is no business of the rules
}

// watched are the folders that rules usually read from.
var watched = map[string]bool{project.RulesDir: true, project.FunctionsDir: true, "snippets": true, "maps": true,
	"tables": true, "samples": true, project.MetadataDir: true, project.FormsDir: true}

// fingerprint tells whether anything that rules depend on has changed, secrets that culvert.yaml
// keeps in files included.
func (s *Service) fingerprint() ([sha256.Size]byte, error) {
	sum, err := project.Fingerprint(s.o.Dir, s.unwatched)
	if err != nil {
		return sum, err
	}
	h := sha256.New()
	h.Write(sum[:])
	h.Write(s.current.Load().Config.SecretFiles())
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// checkoutLimit bounds how long a checkout of git is waited for: one that was killed leaves its lock behind.
const checkoutLimit = time.Minute

// Reload reads the project again if it has changed, and puts its rules to work. A rule that is
// broken now is refused with its findings in the log, and its last good version keeps running. A
// project that cannot be read, or that changes while it is read, is read again at the next look.
func (s *Service) Reload(ctx context.Context) {
	s.reload.mu.Lock()
	defer s.reload.mu.Unlock()
	stamp, err := s.fingerprint()
	if err == nil && stamp == s.reload.stamp && !s.reload.readAgain(time.Now()) ||
		project.CheckingOut(s.o.Dir, checkoutLimit) {
		return
	}
	if err == nil {
		err = s.reloadNow(ctx, stamp)
	}
	switch {
	case errors.Is(err, errUnsettled) || ctx.Err() != nil:
	case err != nil:
		if s.reload.refused != err.Error() {
			s.o.Log.Error("the project cannot be read; the last good version keeps running, and it is tried again", "error", err)
		}
		s.reload.refused = err.Error()
		s.runner.SetCondition(conditionProject,
			"the project as it lies in its folder is not live, the last good version is: "+err.Error())
	default:
		s.reload.stamp, s.reload.refused = stamp, ""
		s.runner.SetCondition(conditionProject, "")
	}
}

// Subjects of what status, health and console say of the project.
const (
	conditionProject = "project"
	conditionRules   = "rules"
	conditionForms   = "forms"
	conditionRestart = "restart"
)

// errUnsettled says that files changed while they were read.
var errUnsettled = errors.New("the project changed while it was read")

// reloadNow does all that can fail, and then puts the fresh project in the place of the running one.
func (s *Service) reloadNow(ctx context.Context, stamp [sha256.Size]byte) error {
	fresh, err := s.o.Loader.Load(ctx, s.o.Dir)
	if err != nil {
		return err
	}
	if s.reload.lost(fresh, time.Now()) && stamp == s.reload.stamp {
		return nil
	}
	s.reload.stamp = [sha256.Size]byte{} // until the project as it is now is live
	for _, d := range fresh.Findings {
		if d.Place.File == project.ConfigFile && d.Severity == diag.Error {
			return errors.New(d.String())
		}
	}
	fresh.CheckEnvironment(s.o.Loader.Sources)
	before := s.current.Load()
	if fresh.Config.Project != before.Config.Project {
		return otherProject(before.Config.Project, fresh.Config.Project)
	}
	namespaces, err := checkNamespaces(ctx, s.journal, fresh)
	if err != nil {
		return err
	}
	s.keepGood(before, fresh)
	prog, standing, err := s.program(fresh)
	if err != nil {
		return err
	}
	servers, err := s.changedServers(before, fresh)
	if err != nil {
		return err
	}
	if now, err := s.fingerprint(); err != nil || now != stamp {
		return errUnsettled
	}
	if err := namespaces.save(ctx, s.journal); err != nil {
		return err
	}
	s.logFindings(fresh, "rule has mistakes; its last good version keeps running")
	s.sayBroken(fresh)
	for name, index := range fresh.Indexes {
		if p, ok := s.indexes[name]; ok {
			p.Store(index)
		}
	}
	s.current.Store(fresh)
	s.take(servers)
	s.sayRestart(append(needsRestart(s.started, fresh.Config), servers.restart...))
	s.runner.Swap(prog)
	for name, live := range s.standing {
		live.TakeOver(standing[name])
	}
	s.o.Log.Info("rules are live", "rules", len(fresh.Rules), "came", strings.Join(names(fresh, before), " "), "went",
		strings.Join(names(before, fresh), " "))
	return nil
}

// sayRestart says loudly what a saved culvert.yaml changes that a running process cannot.
func (s *Service) sayRestart(keys []string) {
	if len(keys) == 0 {
		s.runner.SetCondition(conditionRestart, "")
		return
	}
	what := "culvert.yaml says something else than at the start of " + strings.Join(keys, ", ") +
		": start Culvert again for it; until then the old goes on"
	s.o.Log.Error(what)
	s.runner.SetCondition(conditionRestart, what)
}

// sayBroken has status, health and console name the rule files that have mistakes now, whether a
// last good version of them runs or not.
func (s *Service) sayBroken(p *project.Project) {
	var hosted diag.List
	for _, r := range p.Rules {
		hosted.Add(r.Hosted...)
	}
	own := slices.DeleteFunc(slices.Clone(p.Findings), func(d diag.Diagnostic) bool {
		return ofNamespace(d.Code) || d.Place.File == project.ConfigFile || slices.ContainsFunc(hosted, same(d))
	})
	s.runner.SetCondition(conditionRules, sayFiles(own, " cannot be used as saved: the last good version runs, or its "+
		"records are held; `culvert validate` says what is wrong"))
	s.runner.SetCondition(conditionForms, sayFiles(hosted, " cannot be handed out to phones as saved: they get the last "+
		"good version, if there was one since the start; `culvert validate` says what is wrong"))
	s.sayNamespaces(p)
}

// same tells of findings whether they are one and the same.
func same(d diag.Diagnostic) func(diag.Diagnostic) bool {
	return func(o diag.Diagnostic) bool { return o.Place == d.Place && o.Code == d.Code && o.Message == d.Message }
}

// sayFiles names the files that have mistakes, and says what that means; empty when there are none.
func sayFiles(findings diag.List, what string) string {
	var files []string
	for _, d := range findings {
		if d.Severity == diag.Error && !slices.Contains(files, d.Place.File) {
			files = append(files, d.Place.File)
		}
	}
	if len(files) == 0 {
		return ""
	}
	named := strings.Join(files[:min(len(files), 5)], ", ")
	if more := len(files) - 5; more > 0 {
		named = fmt.Sprintf("%s and %d more", named, more)
	}
	return named + what
}

// sayNamespaces says what keeps rules from running that only the journal knows, so that `culvert
// validate` does not: each with its remedy.
func (s *Service) sayNamespaces(p *project.Project) {
	for _, subject := range s.misnamed {
		s.runner.SetCondition(subject, "")
	}
	s.misnamed = nil
	for _, r := range p.Rules {
		if d, bad := firstError(r.Findings); bad && ofNamespace(d.Code) {
			subject := status.NamespaceOf(r.Name)
			s.misnamed = append(s.misnamed, subject)
			s.runner.SetCondition(subject, fmt.Sprintf("%s: %s; %s", d.Place.File, d.Message, d.Hint))
		}
	}
}

// keepGood puts the last good version of a rule in the place of one that was edited and is broken
// now. When the metadata changed under it the old version fits no better: then the rule stays
// invalid and its records are held. One that was broken before, and can no longer be read at all, stays as it was.
func (s *Service) keepGood(before, fresh *project.Project) {
	for i, r := range fresh.Rules {
		d, bad := firstError(r.Findings)
		if !bad || d.Code == codeRenamed || s.otherMetadata(before, fresh, r) {
			continue
		}
		old := before.RuleNamed(r.Name)
		if old == nil {
			old = ruleOf(before, r.Path) // renamed and broken at once
		}
		if old == nil {
			continue
		}
		if _, bad := firstError(old.Findings); !bad {
			fresh.Rules[i] = old
		}
	}
	for _, old := range before.Rules {
		if fresh.RuleNamed(old.Name) != nil {
			continue
		}
		if fresh.Has(old.Path) && ruleOf(fresh, old.Path) == nil {
			fresh.Rules = append(fresh.Rules, old) // its file is there but could not be read as a rule: its records are taken
		}
	}
}

// otherMetadata tells whether the metadata of a server changed that a rule writes to, as it was or as it is now.
func (s *Service) otherMetadata(before, fresh *project.Project, r *project.Rule) bool {
	servers := r.Servers(fresh.Config)
	if old := before.RuleNamed(r.Name); old != nil {
		servers = append(servers, old.Servers(before.Config)...)
	}
	return slices.ContainsFunc(servers, func(name string) bool { return before.Indexes[name] != fresh.Indexes[name] })
}

// names lists the rules that one project has and another has not.
func names(of, not *project.Project) []string {
	var list []string
	for _, r := range of.Rules {
		if not.RuleNamed(r.Name) == nil {
			list = append(list, r.Name)
		}
	}
	return list
}

// ruleOf gives the rule that a project has from a file, under whatever name; nil when it has none.
func ruleOf(p *project.Project, path string) *project.Rule {
	for _, r := range p.Rules {
		if r.Path == path {
			return r
		}
	}
	return nil
}

// logFindings writes findings to the log as they would be printed.
func (s *Service) logFindings(p *project.Project, message string) {
	for _, d := range project.Once(p.Findings) {
		if d.Severity != diag.Error {
			continue
		}
		s.o.Log.Error(message, "file", d.Place.File, "line", d.Place.Range.Start.Line, "column", d.Place.Range.Start.Column,
			"code", d.Code, "finding", d.Message, "hint", d.Hint)
	}
}
