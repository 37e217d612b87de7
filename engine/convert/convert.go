// Package convert turns the configurations of tools that Culvert takes the place of into rules:
// tasks of MOTECH, and the DHIS2 repeaters and data sets of CommCare HQ. It says line by line what
// was translated, what is different now, and what a person has to do.
package convert

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules/yamlnode"
)

// Status says what became of a part of a configuration.
type Status string

const (
	// Translated: the rule does what was done before.
	Translated Status = "translated"
	// Changed: the rule does it, in another way that is told.
	Changed Status = "changed"
	// LeftOut: the rule does not do it, and a person has to decide.
	LeftOut Status = "left out"
)

// Line is one line of the report.
type Line struct {
	From   string `json:"from"` // the task or configuration
	Part   string `json:"part"` // action 1: First name
	Status Status `json:"status"`
	Was    string `json:"was,omitempty"`
	Now    string `json:"now,omitempty"`
	Why    string `json:"why,omitempty"`
}

// File is a file of the project, to be written.
type File struct {
	Path string
	Text []byte
}

// Result is what a conversion gives.
type Result struct {
	Files []File
	Lines []Line
}

// Left tells how many lines a person has to see to.
func (r Result) Left() int {
	n := 0
	for _, l := range r.Lines {
		if l.Status == LeftOut {
			n++
		}
	}
	return n
}

// Options of a conversion.
type Options struct {
	Index *metadata.Index // of the server, to write names for uids; nil: uids stay
	Taken func(path string) bool
}

// report gathers lines about one configuration.
type report struct {
	from  string
	lines []Line
}

func (r *report) add(part string, status Status, was, now, why string) {
	r.lines = append(r.lines, Line{From: r.from, Part: part, Status: status, Was: was, Now: now, Why: why})
}

// writer writes a rule file line by line.
type writer struct{ b strings.Builder }

// line writes a line at a depth.
func (w *writer) line(depth int, format string, args ...any) {
	w.b.WriteString(strings.Repeat("  ", depth))
	fmt.Fprintf(&w.b, format, args...)
	w.b.WriteByte('\n')
}

// pair writes a key with a value as YAML needs them.
func (w *writer) pair(depth int, key, value string) {
	w.line(depth, "%s: %s", yamlnode.Text(key), yamlnode.Text(value))
}

// todo writes a line that a person has to finish, as a comment.
func (w *writer) todo(depth int, text string) {
	w.line(depth, "# TODO: %s", strings.Join(strings.Fields(text), " "))
}

// value is what a rule writes for one value: an expression, or a fixed text.
type value struct {
	expr  string
	fixed string
	blank bool // nothing was given
}

// field writes a value under a key; what else it needs, such as a map, goes into braces.
func (w *writer) field(depth int, key string, v value, more ...string) {
	switch {
	case v.expr == "" && len(more) == 0:
		w.line(depth, "%s: {value: %s}", yamlnode.Text(key), yamlnode.FlowText(v.fixed))
	case v.expr == "":
		w.line(depth, "%s: {value: %s, %s}", yamlnode.Text(key), yamlnode.FlowText(v.fixed), strings.Join(more, ", "))
	case len(more) > 0:
		w.line(depth, "%s: {from: %s, %s}", yamlnode.Text(key), yamlnode.FlowText(v.expr), strings.Join(more, ", "))
	default:
		w.pair(depth, key, v.expr)
	}
}

// text writes a text as an expression.
func text(s string) string {
	if strings.ContainsAny(s, "\n\r\t") || strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Sprintf("%q", s)
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

var word = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// member writes how a field is read of an expression.
func member(of, name string) string {
	if word.MatchString(name) {
		return of + "." + name
	}
	return of + "[" + text(name) + "]"
}

// slug makes a file name of a name.
func slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	s := strings.Trim(b.String(), "-")
	if s == "" {
		return "converted"
	}
	if r := []rune(s); len(r) > 60 {
		s = strings.Trim(string(r[:60]), "-")
	}
	return s
}

// identifier makes a name for lookups of a text.
func identifier(name string) string {
	s := strings.ReplaceAll(slug(name), "-", "_")
	s = strings.Map(func(r rune) rune {
		if r < 0x80 {
			return r
		}
		return '_'
	}, s)
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		s = "the_" + s
	}
	return s
}

// project gathers the files of one conversion under names of their own.
type project struct {
	options Options
	files   []File
}

// free gives a path that nothing has, such as rules/anc.yaml or rules/anc-2.yaml.
func (p *project) free(dir, name, ext string) string {
	for i := 1; ; i++ {
		path := dir + "/" + name + ext
		if i > 1 {
			path = fmt.Sprintf("%s/%s-%d%s", dir, name, i, ext)
		}
		taken := slices.ContainsFunc(p.files, func(f File) bool { return f.Path == path })
		if !taken && (p.options.Taken == nil || !p.options.Taken(path)) {
			return path
		}
	}
}

// named gives the name that a uid stands for, where the metadata knows it and no other object of the kind has it.
func (p *project) named(uid string, find func(x *metadata.Index) (name string, alone bool)) string {
	if p.options.Index == nil || uid == "" {
		return uid
	}
	if name, alone := find(p.options.Index); name != "" && alone {
		return name
	}
	return uid
}

func (p *project) program(uid string) string {
	return p.named(uid, func(x *metadata.Index) (string, bool) {
		o := x.ProgramByID(uid)
		if o == nil {
			return "", false
		}
		found, _, _ := x.Program(o.Name)
		return o.Name, found == o
	})
}

func (p *project) stage(uid string) string {
	return p.named(uid, func(x *metadata.Index) (string, bool) {
		o, of := x.StageByID(uid)
		if o == nil {
			return "", false
		}
		found, _, _ := x.Stage(of, o.Name)
		return o.Name, found != nil && found.ID == uid
	})
}

func (p *project) attribute(uid string) string {
	return p.named(uid, func(x *metadata.Index) (string, bool) {
		o := x.AttributeByID(uid)
		if o == nil {
			return "", false
		}
		found, _, _ := x.TrackedEntityAttribute(o.Name, nil)
		return o.Name, found == o
	})
}

func (p *project) element(uid string) string {
	return p.named(uid, func(x *metadata.Index) (string, bool) {
		o := x.DataElementByID(uid)
		if o == nil {
			return "", false
		}
		found, _, _ := x.DataElement(o.Name, nil)
		return o.Name, found == o
	})
}

func (p *project) entityType(uid string) string {
	return p.named(uid, func(x *metadata.Index) (string, bool) {
		o := x.TrackedEntityTypeByID(uid)
		if o == nil {
			return "", false
		}
		found, _, _ := x.TrackedEntityType(o.Name)
		return o.Name, found == o
	})
}

func (p *project) dataSet(uid string) string {
	return p.named(uid, func(x *metadata.Index) (string, bool) {
		o := x.DataSetByID(uid)
		if o == nil {
			return "", false
		}
		found, _, _ := x.DataSet(o.Name)
		return o.Name, found == o
	})
}
