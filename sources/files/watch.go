package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/culvert/culvert/internal/disk"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/changes"
	"github.com/culvert/culvert/sources/results"
	"github.com/culvert/culvert/sources/tabular"
)

// Defaults of watching.
const (
	DefaultScan   = 2 * time.Second // between scans; events of the file system only make it quicker
	DefaultStable = 2 * time.Second // without a change, before a file counts as written to its end
	emptyStable   = 30 * time.Second
	retryAfter    = 5 * time.Second
	gather        = 100 * time.Millisecond // after an event, to take in those that follow at once
)

// WatchedRule is one rule's claim on a folder.
type WatchedRule struct {
	Rule      string
	Folder    string // absolute
	Create    bool   // make the folder when it is missing; not for folders outside the project, which may be mounts
	Glob      string // on file names, without regard to case; empty: every name that a known format may have
	Marker    string // ending of the file that says that another is complete, such as .done; empty: none
	StableFor time.Duration
	Done      string // absolute
	Failed    string // absolute
	Format    tabular.Format
}

// Config is what watching needs.
type Config struct {
	Inbox  string // absolute
	Rules  []WatchedRule
	Scan   time.Duration // 0: DefaultScan
	Now    func() time.Time
	Logger *slog.Logger
}

// New makes the source that watches the folders of all rules. A file that several rules claim is
// taken for each of them.
func New(c Config) sources.Source {
	c.Scan = cmp.Or(c.Scan, DefaultScan)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	w := &watcher{
		Config:  c,
		inbox:   inbox{dir: c.Inbox, now: c.Now},
		seen:    map[string]sighting{},
		waiting: map[string]time.Time{},
		told:    map[string]string{},
		left:    map[string]int{},
		raised:  map[string]string{},
	}
	w.Rules = slices.Clone(w.Rules)
	slices.SortStableFunc(w.Rules, func(a, b WatchedRule) int { return strings.Compare(a.Rule, b.Rule) })
	for i := range w.Rules {
		w.Rules[i].StableFor = cmp.Or(w.Rules[i].StableFor, DefaultStable)
	}
	return w
}

// watcher takes dropped files. All of it runs on the goroutine of Run.
type watcher struct {
	Config
	inbox   inbox
	seen    map[string]sighting  // by path
	waiting map[string]time.Time // taken files that the sink has not accepted, and when to try again
	told    map[string]string    // what was last logged about a path, to say it once
	raised  map[string]string    // what people are told in status, by path
	people  sources.Conditions   // nil: nobody is told
	left    map[string]int       // files that no rule claims, with the scan that saw them last
}

// sighting is a dropped file as it was last seen.
type sighting struct {
	size    int64
	changed time.Time
	since   time.Time // seen like this for the first time
	scan    int
}

// Run watches until ctx ends.
func (w *watcher) Run(ctx context.Context, sink sources.Sink) error {
	if err := os.MkdirAll(w.Inbox, 0o700); err != nil {
		return fmt.Errorf("making inbox folder: %w", err)
	}
	w.people, _ = sink.(sources.Conditions)
	defer w.calmAll()
	ids, strays, err := w.inbox.taken()
	if err != nil {
		return err
	}
	for _, id := range strays {
		w.Logger.Error("a folder of the inbox holds a file and does not say for which rule; drop the file again, and "+
			"remove the folder", "path", filepath.Join(w.Inbox, id))
	}
	for _, id := range ids {
		w.waiting[id] = time.Time{}
	}
	events, err := changes.Watch()
	if err != nil {
		w.Logger.Warn("no file system events, dropped files are found by scanning only", "error", err)
	}
	defer events.Close()
	for n := 1; ; n++ {
		next := w.round(ctx, sink, events, n)
		if !sleep(ctx, events, next) {
			return nil
		}
	}
}

// sleep waits for an event or the given time. It reports false when ctx has ended.
func sleep(ctx context.Context, events *changes.Watcher, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	happened := events.Happened()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-happened:
			happened = nil
			timer.Reset(min(d, gather))
		}
	}
}

// round looks at every folder once and gives the time until the next look.
func (w *watcher) round(ctx context.Context, sink sources.Sink, events *changes.Watcher, n int) time.Duration {
	next := w.Scan
	for _, folder := range w.folders() {
		if ctx.Err() != nil {
			return 0
		}
		next = min(next, w.scanFolder(folder, events, n))
	}
	for path, s := range w.seen {
		if s.scan != n {
			delete(w.seen, path)
			delete(w.told, path)
			w.calm(path)
		}
	}
	for path, scan := range w.left {
		if scan != n {
			delete(w.left, path)
			w.calm(path)
		}
	}
	for _, id := range w.inbox.inOrder(slices.Collect(maps.Keys(w.waiting))) {
		if ctx.Err() != nil {
			return 0
		}
		if !w.waiting[id].After(w.Now()) {
			w.offer(ctx, id, sink)
		}
	}
	return max(next, 10*time.Millisecond)
}

func (w *watcher) folders() []string {
	var list []string
	known := map[string]bool{}
	for _, r := range w.Rules {
		if !known[r.Folder] {
			known[r.Folder] = true
			list = append(list, r.Folder)
		}
	}
	return list
}

func (w *watcher) scanFolder(folder string, events *changes.Watcher, n int) time.Duration {
	next := w.Scan
	// The watch comes before the look, so that nothing falls between them.
	if !events.Watches(folder) {
		if err := events.Add(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.say(folder, slog.LevelWarn, "no file system events for this folder, dropped files are found by scanning only", err)
		}
	}
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) && w.create(folder) {
		return 0
	}
	if err != nil {
		w.say(folder, slog.LevelError, "cannot read the watched folder", err)
		return next
	}
	w.calm(folder)
	names := make(map[string]bool, len(entries))
	for _, e := range entries {
		names[e.Name()] = true
	}
	unready := map[string]bool{} // rules one of whose files is not whole yet: those behind it must not pass it
	for _, e := range oldestFirst(entries) {
		path := filepath.Join(folder, e.Name())
		claims := w.claims(folder, e)
		if len(claims) == 0 {
			w.leave(folder, e, n)
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // gone again
		}
		wait := w.watchFile(path, info, claims, names, n)
		if behind := slices.ContainsFunc(claims, func(r WatchedRule) bool { return unready[r.Rule] }); wait > 0 || behind {
			next = min(next, max(wait, 10*time.Millisecond))
			for _, r := range claims {
				unready[r.Rule] = unready[r.Rule] || r.Marker == "" // a marker may never come
			}
			continue
		}
		if err := w.take(path, claims); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, disk.ErrUnsettled) {
			w.say(path, slog.LevelError, "cannot take the dropped file", err)
		}
	}
	return next
}

// leave says once that a file is left where it is.
func (w *watcher) leave(folder string, e fs.DirEntry, n int) {
	if e.IsDir() || Unfinished(e.Name()) {
		return
	}
	for _, r := range w.Rules {
		if r.Folder == folder && r.isMarker(e.Name()) {
			return
		}
	}
	path := filepath.Join(folder, e.Name())
	if w.left[path] == 0 {
		cause := "no rule takes files of this name from this folder"
		if !e.Type().IsRegular() {
			cause = "it is no regular file; links are not followed"
		}
		w.Logger.Warn("left a dropped file alone", "path", path, "cause", cause)
		w.raise(path, fmt.Sprintf("%s was left where it is: %s", path, cause))
	}
	w.left[path] = n
}

func (w *watcher) create(folder string) bool {
	for _, r := range w.Rules {
		if r.Folder == folder && r.Create {
			if err := os.MkdirAll(folder, 0o750); err != nil {
				w.say(folder, slog.LevelError, "cannot make the watched folder", err)
				return false
			}
			return true
		}
	}
	return false
}

// watchFile notes how a file looks and gives the time until it can be taken, 0 for now.
func (w *watcher) watchFile(path string, info fs.FileInfo, claims []WatchedRule, names map[string]bool,
	n int) time.Duration {
	now := w.Now()
	s, known := w.seen[path]
	if !known || s.size != info.Size() || !s.changed.Equal(info.ModTime()) {
		s = sighting{size: info.Size(), changed: info.ModTime(), since: now}
	}
	s.scan = n
	w.seen[path] = s
	var wait time.Duration
	for _, r := range claims {
		if r.Marker != "" {
			if Marker(names, filepath.Base(path), r.Marker) == "" {
				return w.Scan
			}
			continue
		}
		needs := r.StableFor
		if s.size == 0 {
			needs = max(needs, emptyStable) // some programs make a file long before they fill it
		}
		wait = max(wait, needs-now.Sub(s.since))
	}
	return max(wait, 0)
}

// take moves a dropped file into the inbox: a copy for every rule that claims it but the last,
// which gets the file itself.
func (w *watcher) take(path string, claims []WatchedRule) error {
	// What cannot be read stays where its owner can fix it.
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	folder, name := filepath.Split(path)
	for i, r := range claims {
		t := tag{Rule: r.Rule, Name: tabular.PlainName(name), Folder: filepath.Clean(folder), Received: w.Now()}
		last := i == len(claims)-1
		if r.Marker != "" && last {
			t.Marker = w.markerPath(folder, name, r.Marker)
		}
		id, err := w.inbox.prepare(t)
		if err != nil {
			return err
		}
		carry := disk.Move
		if !last {
			carry = disk.Copy
		}
		if err := carry(path, w.inbox.path(id, t)); err != nil {
			return errors.Join(err, results.RemoveInbox(filepath.Join(w.Inbox, id)))
		}
		w.waiting[id] = time.Time{}
		w.Logger.Info("took a dropped file", "rule", r.Rule, "file", name, "file_id", id)
	}
	delete(w.seen, path)
	delete(w.told, path)
	w.calm(path)
	return disk.Sync(folder)
}

// say logs what is wrong with a path once, until it changes.
func (w *watcher) say(path string, level slog.Level, message string, err error) {
	if w.told[path] == err.Error() {
		return
	}
	w.told[path] = err.Error()
	w.Logger.Log(context.Background(), level, message, "path", path, "error", err)
	if level >= slog.LevelError {
		w.raise(path, fmt.Sprintf("%s: %s; give the user that Culvert runs as the right to read, write and move there",
			message, err))
	}
}

// raise tells people in status what keeps a file or folder from being read, once, until it changes.
func (w *watcher) raise(path, what string) {
	if w.people == nil || w.raised[path] == what {
		return
	}
	w.raised[path] = what
	w.people.SetCondition("files "+path, what)
}

// calm takes back what was told of a path.
func (w *watcher) calm(path string) {
	if w.raised[path] == "" {
		return
	}
	delete(w.raised, path)
	w.people.SetCondition("files "+path, "")
}

// calmAll takes everything back: whoever watches next finds out by himself.
func (w *watcher) calmAll() {
	for path := range w.raised {
		w.calm(path)
	}
}
