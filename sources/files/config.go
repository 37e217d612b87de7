package files

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/tabular"
)

// Kind is the trigger that takes dropped files.
type Kind struct{}

// Name is how rule files name the trigger.
func (Kind) Name() string { return "files" }

// Describe says that records are rows, which may be numbered anew in each file.
func (Kind) Describe() rules.TriggerKind { return rules.TriggerKind{Name: Kind{}.Name(), Tables: true} }

// Settings declares the keys of a trigger.
func (Kind) Settings() settings.Spec {
	fields := []settings.Field{
		{Name: "folder", Required: true, Hint: "name the folder where files are dropped, such as drop/registrations",
			Doc: "the watched folder; subfolders are not watched. A folder inside the project is made when it is missing, " +
				"one outside of it is waited for"},
		{Name: "glob", LeftOut: "all names of a known format, and documents (PDF, Word, old Excel, OpenDocument, " +
			"Access...), which go to `failed/` with a sentence,",
			Doc: "names to take, with `*` and `?`, such as registrations*.csv"},
	}
	fields = append(fields, tabular.Fields()...)
	return settings.Spec{
		Name: "files", Doc: "Records are the rows of files dropped into a folder: CSV, xlsx, JSON, or a zip or gzip of them.",
		Example: "files: {folder: drop/registrations}",
		Fields: append(fields,
			settings.Field{Name: "marker", LeftOut: "none",
				Doc: "a file is taken only when another says that it is complete: with `.done`, `a.csv` waits for `a.csv.done` " +
					"or `a.done`"},
			settings.Field{Name: "stable_for", Type: settings.Duration, Default: "2s", Least: time.Millisecond,
				Most: 24 * time.Hour,
				Doc:  "how long a file must not change before it is taken"},
			settings.Field{Name: "done", LeftOut: "`done` in the watched folder",
				Doc: "where files go when every row has an outcome, with their results and the rows that failed beside them"},
			settings.Field{Name: "failed", LeftOut: "`failed` in the watched folder",
				Doc: "where files go of which nothing could be read"},
		),
	}
}

// claim is a trigger's config after reading.
type claim struct {
	folder, done, failed string // as written, with slashes
	glob, marker         string
	stableFor            time.Duration
	format               tabular.Format
}

// Check reads a trigger's config and reports what is wrong with it.
func (Kind) Check(t *rules.Trigger, report func(diag.Diagnostic)) { read(t, report) }

// New makes the source of the rules that watch folders.
func (Kind) New(bound []sources.Bound, env sources.Env) (sources.Source, error) {
	var list []WatchedRule
	for _, b := range bound {
		if w := Watched(b.Rule, b.Trigger, env.Dir); w.Folder != "" {
			list = append(list, w)
		}
	}
	if len(list) == 0 && !leftOver(env.Inbox) {
		return nil, nil
	}
	return New(Config{Inbox: env.Inbox, Rules: list, Logger: env.Log}), nil
}

// leftOver tells whether something lies in the inbox: what another kind of trigger took may have been left there when
// the process was killed before it was accepted.
func leftOver(inbox string) bool {
	entries, err := os.ReadDir(inbox)
	return err == nil && len(entries) > 0
}

// Watched gives a rule's claim on a folder from its trigger, which has passed Check. root is the
// project folder, absolute.
func Watched(rule string, t *rules.Trigger, root string) WatchedRule {
	s := read(t, func(diag.Diagnostic) {})
	folder := filepath.FromSlash(s.folder)
	inside := !filepath.IsAbs(folder)
	at := func(base, p, fallback string) string {
		if p == "" {
			return filepath.Join(base, fallback)
		}
		if p = filepath.FromSlash(p); filepath.IsAbs(p) {
			return filepath.Clean(p)
		}
		return filepath.Join(root, p)
	}
	folder = at(root, s.folder, "")
	return WatchedRule{Rule: rule, Folder: folder, Create: inside, Glob: s.glob, Marker: s.marker, StableFor: s.stableFor,
		Done: at(folder, s.done, "done"), Failed: at(folder, s.failed, "failed"), Format: s.format}
}

// FileFormat gives how the files of a trigger are read.
func (Kind) FileFormat(t *rules.Trigger) tabular.Format {
	return read(t, func(diag.Diagnostic) {}).format
}

func read(t *rules.Trigger, report func(diag.Diagnostic)) claim {
	var s claim
	c, ok := t.Read(Kind{}.Settings(), report)
	if !ok {
		return s
	}
	s.folder, s.done, s.failed = folder(c, "folder"), folder(c, "done"), folder(c, "failed")
	for _, key := range []string{"done", "failed"} {
		if p := map[string]string{"done": s.done, "failed": s.failed}[key]; p != "" && path.Clean(p) == path.Clean(s.folder) {
			c.Wrong(t.Config.Get(key), "same-folder", key+" is the folder that is watched",
				"finished files would be taken again; name another folder")
		}
	}
	s.glob, s.marker, s.stableFor = ReadGlob(c), ReadMarker(c), c.Duration("stable_for")
	s.format = tabular.ReadFormat(c)
	return s
}

// windowsPath is a path with a drive letter, which elsewhere would name a folder in the project.
var windowsPath = regexp.MustCompile(`^[A-Za-z]:[\\/]`)

func folder(c settings.Reader, key string) string {
	p := c.Text(key)
	n := c.Config.Get(key)
	switch {
	case runtime.GOOS != "windows" && windowsPath.MatchString(p):
		c.Wrong(n, "folder", fmt.Sprintf("%s %q is a path of Windows, and this machine is none", key, p),
			"write where the folder lies on this machine, such as /mnt/c/drop")
	case p != "" && !path.IsAbs(p) && !filepath.IsAbs(p) && !filepath.IsLocal(filepath.FromSlash(p)):
		c.Wrong(n, "folder", fmt.Sprintf("%s %q leads out of the project", key, p),
			"give the whole path, from / on, for a folder outside the project")
	}
	return p
}

// ReadGlob reads the key glob: a pattern of file names.
func ReadGlob(c settings.Reader) string {
	g := c.Text("glob")
	n := c.Config.Get("glob")
	if strings.ContainsAny(g, `/\`) {
		c.Wrong(n, "glob", "glob is for file names and holds a folder", "name the folder with folder:")
	} else if _, err := path.Match(g, "a.csv"); err != nil {
		c.Wrong(n, "glob", fmt.Sprintf("glob %q is not a pattern", g),
			`use * for any text and ? for one character, such as "anc-*.csv"`)
	}
	return g
}

// ReadMarker reads the key marker: the ending of files that say that others are complete.
func ReadMarker(c settings.Reader) string {
	m := c.Text("marker")
	if m != "" && (!strings.HasPrefix(m, ".") || len(m) < 2 || strings.ContainsAny(m, `/\`)) {
		c.Wrong(c.Config.Get("marker"), "marker", fmt.Sprintf("marker %q is no file ending", m),
			"use .done or .ok, as the program writes that drops the files")
	}
	return m
}
