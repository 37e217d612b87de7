package remote

import (
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/files"
	"github.com/culvert/culvert/sources/tabular"
)

// What becomes of a file once every row has an outcome.
const (
	Leave  = "leave"
	Move   = "move"
	Delete = "delete"
	Tag    = "tag"
	Flag   = "flag"
)

// Kind is what kinds of triggers share that take files from other machines; each embeds one.
type Kind struct {
	Word    string // how rule files name it
	Doc     string
	Example string
	Folder  settings.Field // where the files lie
	Fields  []settings.Field
	Settles bool     // files may still be written to when they are seen
	After   []string // what may become of files, the default first; none: nothing is changed there
	// Ends declares after, done and failed where it is not the files themselves that are settled, and no results are
	// written there; nil: it is.
	Ends []settings.Field
	// Read reads Fields; nil: there is nothing to read.
	Read func(c settings.Reader, r *Rule)
	Dial Dial
}

// Rule is what one rule takes.
type Rule struct {
	Rule, Connection string
	Folder           string // at the place
	Glob, Marker     string
	StableFor        time.Duration
	Every            time.Duration
	MaxBytes         int64
	After            string // Leave...
	Done, Failed     string // at the place, with Move
	Results          string // at the place; empty: results stay here
	Local            string // folder below which done/ and failed/ lie here, as the rule says it
	Format           tabular.Format
	Own              any // what Kind.Read made of its Fields
}

const defaultMost = 1 << 30 // bytes of a file

// Name is how rule files name the trigger.
func (k Kind) Name() string { return k.Word }

// Describe says that records are rows, which may be numbered anew in each file.
func (k Kind) Describe() rules.TriggerKind { return rules.TriggerKind{Name: k.Word, Tables: true} }

// Settings declares the keys of a trigger.
func (k Kind) Settings() settings.Spec {
	fields := []settings.Field{
		{Name: "connection", Required: true, Hint: "name one of connections: in culvert.yaml",
			Doc: "one of `connections:` in culvert.yaml, of kind `" + k.Word + "`"},
		k.Folder,
	}
	fields = append(fields, k.Fields...)
	fields = append(fields, settings.Field{Name: "glob", LeftOut: "all names of a known format",
		Doc: "names to take, with `*` and `?`, such as registrations*.csv"})
	fields = append(fields, tabular.Fields()...)
	if k.Settles {
		fields = append(fields,
			settings.Field{Name: "marker", LeftOut: "none",
				Doc: "a file is taken only when another says that it is complete: with `.done`, `a.csv` waits for `a.csv.done` " +
					"or `a.done`"},
			settings.Field{Name: "stable_for", Type: settings.Duration, Default: "30s", Least: time.Second, Most: 24 * time.Hour,
				Doc: "how long size and time of a file must not change before it is taken"})
	}
	fields = append(fields,
		settings.Field{Name: "every", Type: settings.Duration, Default: "5m", Least: 5 * time.Second,
			Most: 31 * 24 * time.Hour,
			Doc:  "how often to look for new files"},
		settings.Field{Name: "max_bytes", Type: settings.Whole, Default: fmt.Sprint(defaultMost), Min: 1, Max: 1<<31 - 1,
			Doc: "the largest file that is taken, in bytes, as it is stored; a larger one is named in status and left"})
	switch {
	case k.Ends != nil:
		fields = append(fields, k.Ends...)
	case len(k.After) > 0:
		fields = append(fields,
			settings.Field{Name: "after", Default: k.After[0], Words: k.After,
				Doc: "what becomes of a file over there once every row has an outcome: " + k.afterDoc()},
			settings.Field{Name: "done", LeftOut: "`done` in the folder",
				Doc: "with `after: move`, the folder over there for files whose rows all have an outcome"},
			settings.Field{Name: "failed", LeftOut: "`failed` in the folder",
				Doc: "with `after: move`, the folder over there for files of which nothing could be read"},
			settings.Field{Name: "results", LeftOut: "they stay here, or with `after: move` go where the files go",
				Doc: "the folder over there that results and failed rows are written to"})
	}
	return settings.Spec{Name: k.Word, Doc: k.Doc, Example: k.Example, Fields: append(fields,
		settings.Field{Name: "local_folder", LeftOut: "`received/` and the name of the rule",
			Doc: "the folder here below which `done/` and `failed/` hold the files that were taken, with their results"})}
}

func (k Kind) afterDoc() string {
	doc := "`leave` it, `move` it to `done` or `failed`, `delete` it"
	if slices.Contains(k.After, Tag) {
		doc = "`leave` it, `tag` it with culvert=done or culvert=failed, `move` it to `done` or `failed`, `delete` it"
	}
	return doc
}

// Check reads a trigger's config and reports what is wrong with it.
func (k Kind) Check(t *rules.Trigger, report func(diag.Diagnostic)) { k.Rule(t, report) }

// Connections gives where a trigger names its connection.
func (Kind) Connections(t *rules.Trigger) []*yamlnode.Node {
	return []*yamlnode.Node{t.Config.Get("connection")}
}

// FileFormat gives how the files of a trigger are read.
func (k Kind) FileFormat(t *rules.Trigger) tabular.Format {
	return k.Rule(t, func(diag.Diagnostic) {}).Format
}

// Sample decodes a sample file into record bodies, as files does.
func (k Kind) Sample(t *rules.Trigger, at string, text []byte, limit int) ([]any, error) {
	return tabular.Sample(at, text, k.FileFormat(t), limit)
}

// Attachments finds the files that rows name in the zip that their table came in.
func (k Kind) Attachments(rule string, t *rules.Trigger, env sources.AttachmentEnv) sources.AttachmentFinder {
	r := k.Rule(t, func(diag.Diagnostic) {})
	r.Rule = rule
	return files.Zipped(rule, r.localFolder(env.Dir), env)
}

// HeaderRow guesses in which row of a sample the names of the columns stand.
func (Kind) HeaderRow(at string, text []byte) int { return tabular.HeaderRow(at, text) }

// New makes the source of the rules that use the kind.
func (k Kind) New(bound []sources.Bound, env sources.Env) (sources.Source, error) {
	list := sources.Valid(bound, func(b sources.Bound) Rule {
		r := k.Rule(b.Trigger, func(diag.Diagnostic) {})
		r.Rule = b.Rule
		return r
	})
	if len(list) == 0 {
		return nil, nil
	}
	return New(Config{Word: k.Word, Rules: list, Dial: k.Dial, Connect: env.Connection, Dir: env.Dir, Inbox: env.Inbox,
		Log: env.Log}), nil
}

// Rule reads a trigger.
func (k Kind) Rule(t *rules.Trigger, report func(diag.Diagnostic)) Rule {
	var out Rule
	c, ok := t.Read(k.Settings(), report)
	if !ok {
		return out
	}
	out.Connection, out.Folder = c.Text("connection"), c.TextOr(k.Folder.Name)
	out.Glob, out.Format = files.ReadGlob(c), tabular.ReadFormat(c)
	if k.Settles {
		out.Marker, out.StableFor = files.ReadMarker(c), c.Duration("stable_for")
	}
	out.Every, out.MaxBytes = c.Duration("every"), int64(c.Whole("max_bytes"))
	if len(k.After) > 0 {
		k.readAfter(c, &out)
	}
	if out.Local = c.Text("local_folder"); out.Local != "" && !filepath.IsAbs(out.Local) &&
		!filepath.IsLocal(filepath.FromSlash(out.Local)) {
		c.Wrong(c.Config.Get("local_folder"), "folder", fmt.Sprintf("local_folder %q leads out of the project", out.Local),
			"give the whole path, from / on, for a folder outside the project")
	}
	if k.Read != nil {
		k.Read(c, &out)
	}
	return out
}

func (k Kind) readAfter(c settings.Reader, out *Rule) {
	if out.After = c.Text("after"); out.After == "" {
		out.After = k.After[0]
	}
	if !slices.Contains(k.After, out.After) {
		c.Wrong(c.Config.Get("after"), "not-allowed", fmt.Sprintf("after cannot be %q", out.After),
			diag.Suggest(out.After, k.After, "words"))
	}
	out.Done, out.Failed = c.Text("done"), c.Text("failed")
	if k.Ends == nil {
		out.Results = c.Text("results")
	}
	for key, at := range map[string]*string{"done": &out.Done, "failed": &out.Failed, "results": &out.Results} {
		if *at != "" && same(*at, out.Folder) {
			c.Wrong(c.Config.Get(key), "same-folder", key+" is the folder that files are taken from",
				"what is written there would be taken as a new file; name another folder")
		}
		if key != "results" && *at != "" && out.After != Move {
			c.Wrong(c.Config.Key(key), "not-allowed", key+" is for files that are moved, and these are not",
				"write after: move, or take it out")
		}
	}
	if out.After != Move {
		return
	}
	for at, name := range map[*string]string{&out.Done: "done", &out.Failed: "failed"} {
		if *at == "" {
			*at = path.Join(out.Folder, name)
		}
	}
}

// same tells whether two texts name one folder of a place.
func same(a, b string) bool {
	return path.Join("/", a) == path.Join("/", b) && path.IsAbs(a) == path.IsAbs(b)
}

// CheckAll reports rules that take the same files while one of them takes the files away.
func (k Kind) CheckAll(all []*rules.Rule, report func(diag.Diagnostic)) {
	type claim struct{ connection, folder, glob string }
	first := map[claim]*rules.Rule{}
	for _, r := range all {
		own := k.Rule(&r.Trigger, func(diag.Diagnostic) {})
		at := claim{own.Connection, path.Clean(own.Folder), own.Glob}
		other := first[at]
		if other == nil {
			first[at] = r
			continue
		}
		theirs := k.Rule(&other.Trigger, func(diag.Diagnostic) {})
		if !takesAway(own.After) && !takesAway(theirs.After) || own.Connection == "" {
			continue
		}
		report(diag.Diagnostic{
			Problem: diag.Problem{Code: "watched-twice",
				Message: "another rule takes the same files, and one of the two takes them away", Place: r.Trigger.Place,
				Hint: "give each rule a folder: or a glob: of its own, or write after: leave in both"},
			Related: []diag.Related{{Place: other.Trigger.Place, Message: "the other rule"}},
		})
	}
}

func takesAway(after string) bool { return after == Move || after == Delete }

// localFolder is where the results of a rule's files lie here.
func (r *Rule) localFolder(dir string) string {
	switch at := filepath.FromSlash(r.Local); {
	case at == "":
		return filepath.Join(dir, "received", url.PathEscape(r.Rule))
	case filepath.IsAbs(at):
		return at
	default:
		return filepath.Join(dir, at)
	}
}

// cursor names what is kept of a rule's place; another folder is another place.
func (r *Rule) cursor(kind, part string) string {
	return "remote/" + kind + "/" + r.Rule + "/" + r.Connection + "/" + path.Clean("/"+r.Folder) + "/" + part
}
