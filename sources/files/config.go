package files

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources/charset"
	"github.com/culvert/culvert/sources/tabular"
)

// Kind is the trigger that takes dropped files.
type Kind struct{}

// Name is how rule files name the trigger.
func (Kind) Name() string { return "files" }

// settings is a trigger's config after reading.
type settings struct {
	folder, done, failed string // as written, with slashes
	glob, marker         string
	stableFor            time.Duration
	format               tabular.Format
}

var keys = []string{"folder", "glob", "format", "delimiter", "encoding", "sheet", "header", "columns", "short_rows", "items", "marker", "stable_for", "done", "failed"}

// Check reads a trigger's config and reports what is wrong with it.
func (Kind) Check(t *rules.Trigger, report func(diag.Diagnostic)) { read(t, report) }

// Watched gives a rule's claim on a folder from its trigger, which has passed Check. root is the project folder, absolute.
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

// FormatOf gives how the files of a trigger are read; the zero format for triggers of other kinds.
func FormatOf(t *rules.Trigger) tabular.Format {
	if t == nil || t.Kind != (Kind{}).Name() {
		return tabular.Format{}
	}
	return read(t, func(diag.Diagnostic) {}).format
}

// FormatFor gives how the files of a rule are read, with what the rule reads of them.
func FormatFor(r *rules.Rule) tabular.Format {
	f := FormatOf(&r.Trigger)
	reading := r.Reading()
	f.Reading = &reading
	return f
}

// configReader reads the config's keys and reports what is wrong with them.
type configReader struct {
	config *yamlnode.Node
	report func(diag.Diagnostic)
}

func read(t *rules.Trigger, report func(diag.Diagnostic)) settings {
	var s settings
	c := configReader{config: t.Config, report: report}
	if t.Config == nil || t.Config.Kind != yamlnode.Mapping {
		report(diag.Diagnostic{Code: "files-config", Message: "the files trigger needs a folder", Hint: "write files: {folder: drop/registrations}", Place: t.Place})
		return s
	}
	for _, p := range t.Config.Pairs() {
		if !slices.Contains(keys, p.Key.Value) {
			c.wrong(p.Key, "unknown-key", fmt.Sprintf("files has no %q", p.Key.Value), diag.Suggest(p.Key.Value, keys, "keys"))
		}
	}
	if s.folder = c.folder("folder"); s.folder == "" && t.Config.Get("folder") == nil {
		report(diag.Diagnostic{Code: "missing-key", Message: "files needs folder", Hint: "name the folder where files are dropped, such as drop/registrations", Place: t.Place})
	}
	s.done, s.failed = c.folder("done"), c.folder("failed")
	for _, key := range []string{"done", "failed"} {
		if p := map[string]string{"done": s.done, "failed": s.failed}[key]; p != "" && path.Clean(p) == path.Clean(s.folder) {
			c.wrong(t.Config.Get(key), "same-folder", key+" is the folder that is watched", "finished files would be taken again; name another folder")
		}
	}
	s.glob, s.marker = c.glob(), c.marker()
	s.stableFor = c.duration("stable_for")
	s.format = c.format()
	return s
}

func (c *configReader) wrong(n *yamlnode.Node, code, message, hint string) {
	c.report(diag.Diagnostic{Code: code, Message: message, Hint: hint, Place: n.Place()})
}

// text gives the value of a key, "" when it is absent or no text.
func (c *configReader) text(key string) string {
	n := c.config.Get(key)
	if n == nil {
		return ""
	}
	if n.Kind != yamlnode.Scalar || n.IsNull() {
		c.wrong(n, "wrong-type", key+" is one text", "write it as "+key+": ...")
		return ""
	}
	return n.Value
}

// windowsPath is a path with a drive letter, which elsewhere would name a folder in the project.
var windowsPath = regexp.MustCompile(`^[A-Za-z]:[\\/]`)

func (c *configReader) folder(key string) string {
	p := c.text(key)
	n := c.config.Get(key)
	switch {
	case p == "" && n != nil && n.Kind == yamlnode.Scalar && !n.IsNull():
		c.wrong(n, "folder", key+" is empty", "name a folder, relative to the project")
	case runtime.GOOS != "windows" && windowsPath.MatchString(p):
		c.wrong(n, "folder", fmt.Sprintf("%s %q is a path of Windows, and this machine is none", key, p), "write where the folder lies on this machine, such as /mnt/c/drop")
	case p != "" && !path.IsAbs(p) && !filepath.IsAbs(p) && !filepath.IsLocal(filepath.FromSlash(p)):
		c.wrong(n, "folder", fmt.Sprintf("%s %q leads out of the project", key, p), "give the whole path, from / on, for a folder outside the project")
	}
	return p
}

func (c *configReader) glob() string {
	g := c.text("glob")
	n := c.config.Get("glob")
	if strings.ContainsAny(g, `/\`) {
		c.wrong(n, "glob", "glob is for file names and holds a folder", "name the folder with folder:")
	} else if _, err := path.Match(g, "a.csv"); err != nil {
		c.wrong(n, "glob", fmt.Sprintf("glob %q is not a pattern", g), `use * for any text and ? for one character, such as "anc-*.csv"`)
	}
	return g
}

func (c *configReader) marker() string {
	m := c.text("marker")
	if m != "" && (!strings.HasPrefix(m, ".") || len(m) < 2 || strings.ContainsAny(m, `/\`)) {
		c.wrong(c.config.Get("marker"), "marker", fmt.Sprintf("marker %q is no file ending", m), "use .done or .ok, as the program writes that drops the files")
	}
	return m
}

func (c *configReader) duration(key string) time.Duration {
	text := c.text(key)
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > 24*time.Hour {
		c.wrong(c.config.Get(key), "duration", fmt.Sprintf("%s %q is no duration between 1ms and 24h", key, text), "write 5s or 2m")
		return 0
	}
	return d
}

func (c *configReader) format() tabular.Format {
	f := tabular.Format{Sheet: c.text("sheet"), Items: c.text("items")}
	switch kind := tabular.FormatKind(strings.ToLower(c.text("format"))); kind {
	case tabular.Auto, tabular.CSV, tabular.TSV, tabular.XLSX, tabular.JSON, tabular.NDJSON:
		f.Kind = kind
	default:
		c.wrong(c.config.Get("format"), "format", fmt.Sprintf("no format is named %q", kind), "use csv, tsv, xlsx, json or ndjson; zip and gzip are unpacked without being named")
	}
	f.Delimiter = c.delimiter()
	if f.Encoding = c.text("encoding"); f.Encoding != "" && tabular.CheckEncoding(f.Encoding) != nil {
		c.wrong(c.config.Get("encoding"), "encoding", fmt.Sprintf("no encoding is named %q", f.Encoding), "use "+charset.Examples)
		f.Encoding = ""
	}
	if text := c.text("header"); strings.EqualFold(text, "none") {
		f.NoHeader = true
	} else if text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1000 {
			c.wrong(c.config.Get("header"), "header", "header is the number of the row that holds the column names, from 1 to 1000, or none", "write header: 1; or header: none with columns: [...] for a file that begins with values")
			n = 0
		}
		f.Header = n
	}
	c.columns(&f)
	if f.NoHeader && len(f.Columns) == 0 {
		c.wrong(c.config.Get("header"), "missing-key", "header: none says that the files begin with values, and nothing says what the columns are", "name them in order: columns: [case_id, name, visit_date]")
		f.NoHeader = false
	}
	if text := c.text("short_rows"); text != "" {
		if f.ShortRows = text == "blank"; !f.ShortRows && text != "fail" {
			c.wrong(c.config.Get("short_rows"), "not-allowed", fmt.Sprintf("short_rows cannot be %q", text), "write blank, for files whose rows may end before the last columns, or fail")
		}
	}
	return f
}

func (c *configReader) delimiter() byte {
	text := c.text("delimiter")
	switch strings.ToLower(text) {
	case "":
		return 0
	case "comma":
		return ','
	case "semicolon":
		return ';'
	case "tab", `\t`:
		return '\t'
	case "pipe":
		return '|'
	}
	r, size := utf8.DecodeRuneInString(text)
	if size != len(text) || !tabular.ASCIIDelimiter(r) {
		c.wrong(c.config.Get("delimiter"), "delimiter", fmt.Sprintf("%q cannot be a delimiter", text), `use comma, semicolon, tab, pipe, or one other sign such as "^"`)
		return 0
	}
	return byte(r)
}

// columns reads which columns a file must have: a list, or {required: [...], optional: [...]}, or the word optional when any may be missing.
func (c *configReader) columns(f *tabular.Format) {
	const form = "write columns: [case_id, visit_date], or columns: {required: [case_id], optional: [village]}"
	n := c.config.Get("columns")
	switch {
	case n == nil:
	case n.Kind == yamlnode.Scalar && n.Value == "optional":
		f.AllOptional = true
	case n.Kind == yamlnode.Sequence:
		f.Columns = c.names(n, form)
	case n.Kind == yamlnode.Mapping:
		for _, p := range n.Pairs() {
			switch p.Key.Value {
			case "required":
				f.Columns = c.names(p.Value, form)
			case "optional":
				f.Optional = c.names(p.Value, form)
			default:
				c.wrong(p.Key, "unknown-key", fmt.Sprintf("columns has no %q", p.Key.Value), form)
			}
		}
	default:
		c.wrong(n, "wrong-type", "columns is a list of column names that a file must have", form)
	}
}

func (c *configReader) names(n *yamlnode.Node, form string) []string {
	if n.Kind != yamlnode.Sequence {
		c.wrong(n, "wrong-type", "columns is a list of column names", form)
		return nil
	}
	var list []string
	for _, item := range n.Items() {
		if item.Kind != yamlnode.Scalar || item.Value == "" {
			c.wrong(item, "wrong-type", "columns is a list of column names", form)
			continue
		}
		list = append(list, item.Value)
	}
	return list
}
