package diag

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Formats lists the names that Render takes.
func Formats() []string { return []string{"text", "json", "github", "sarif", "junit"} }

// Report is everything a renderer needs to know of one check.
type Report struct {
	Findings List
	Files    []string                         // every file that was checked, those without findings too
	Source   func(file string) ([]byte, bool) // text of a file, for the source lines; nil: no source lines
	Colour   bool                             // of the text format
	Version  string                           // of Culvert, for sarif
	DocsURL  string                           // where the page of a code lies: DocsURL + code; empty: none
	Say      func(string) string              // gives a text in the language of the reader; nil: English
	english  List                             // the findings as the code words them, in the same order
}

// say gives a text in the language of whoever reads the report.
func (r Report) say(text string) string {
	if r.Say == nil || text == "" {
		return text
	}
	return r.Say(text)
}

// translated gives the report with what its findings say in the language of its reader.
func (r Report) translated() Report {
	if r.english = r.Findings; r.Say == nil {
		return r
	}
	r.Findings = slices.Clone(r.Findings)
	for i := range r.Findings {
		d := &r.Findings[i]
		d.Message, d.Hint = r.Say(d.Message), r.say(d.Hint)
		d.Related = slices.Clone(d.Related)
		for n := range d.Related {
			d.Related[n].Message = r.Say(d.Related[n].Message)
		}
	}
	return r
}

// Render writes a report in one of Formats. The findings are sorted first.
func Render(w io.Writer, format string, r Report) error {
	r.Findings = slices.Clone(r.Findings)
	r.Findings.Sort()
	r = r.translated()
	switch format {
	case "text":
		return renderText(w, r)
	case "json":
		return renderJSON(w, r)
	case "github":
		return renderGitHub(w, r)
	case "sarif":
		return renderSARIF(w, r)
	case "junit":
		return renderJUnit(w, r)
	}
	return fmt.Errorf("unknown format %q; known: %s", format, strings.Join(Formats(), ", "))
}

// maxPerFile is how many findings of one file the text shows; the first ones are the ones to fix first.
const maxPerFile = 50

// Styles of a terminal, used only when asked for.
const (
	styleBold   = "\x1b[1m"
	styleRed    = "\x1b[1;31m"
	styleYellow = "\x1b[1;33m"
	styleBlue   = "\x1b[34m"
	styleReset  = "\x1b[0m"
)

func renderText(w io.Writer, r Report) error {
	var b strings.Builder
	paint := func(style, text string) string {
		if !r.Colour || text == "" {
			return text
		}
		return style + text + styleReset
	}
	sources := sourceCache{read: r.Source}
	perFile := map[string]int{}
	for _, d := range r.Findings {
		perFile[d.Place.File]++
		if perFile[d.Place.File] > maxPerFile {
			continue
		}
		style := styleRed
		if d.Severity == Warning {
			style = styleYellow
		}
		where := ""
		if at := d.Place.String(); at != "" {
			where = at + ": "
		}
		fmt.Fprintf(&b, "%s%s %s [%s]\n", paint(styleBold, where), paint(style, r.say(d.Severity.String())+":"),
			paint(styleBold, d.Message), d.Code)
		if !d.Secret {
			writeSnippet(&b, sources.line(d.Place), d.Place.Range, func(s string) string { return paint(styleBlue, s) },
				func(s string) string { return paint(style, s) })
		}
		for _, rel := range d.Related {
			fmt.Fprintf(&b, "  %s %s: %s\n", paint(styleBlue, "="), rel.Place, rel.Message)
		}
		if d.Hint != "" {
			fmt.Fprintf(&b, "  %s %s\n", paint(styleBlue, r.say("help")+":"), d.Hint)
		}
	}
	for _, file := range slices.Compact(filesOf(r.Findings)) {
		if more := perFile[file] - maxPerFile; more > 0 {
			fmt.Fprintln(&b, r.say(fmt.Sprintf("%s: %d more findings are not shown", file, more)))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func filesOf(l List) []string {
	files := make([]string, len(l))
	for i, d := range l {
		files[i] = d.Place.File
	}
	return files
}

// maxLine is how many runes of a source line are shown.
const maxLine = 160

// writeSnippet shows a source line with a caret under the place.
func writeSnippet(b *strings.Builder, line string, r Range, gutter, mark func(string) string) {
	if line == "" {
		return
	}
	text := []rune(strings.TrimRight(line, " \t"))
	from := min(max(r.Start.Column-1, 0), len(text))
	to := len(text)
	if r.End.Line == r.Start.Line {
		to = min(r.End.Column-1, len(text))
	}
	shift := 0
	if from > maxLine-40 {
		shift = from - 40
	}
	shown := text[min(shift, len(text)):]
	tail := ""
	if len(shown) > maxLine {
		shown, tail = shown[:maxLine], "…"
	}
	head := ""
	if shift > 0 {
		head = "…"
	}
	number := fmt.Sprint(r.Start.Line)
	pad := strings.Repeat(" ", len(number))
	fmt.Fprintf(b, " %s %s\n", gutter(number+" |"), head+string(shown)+tail)
	// Tabs keep their width under themselves, so that the caret stands right however wide they are shown.
	var indent strings.Builder
	indent.WriteString(strings.Repeat(" ", utf8.RuneCountInString(head)))
	for _, c := range text[min(shift, len(text)):from] {
		if c == '\t' {
			indent.WriteByte('\t')
		} else {
			indent.WriteByte(' ')
		}
	}
	width := max(min(to, shift+len(shown))-from, 1)
	fmt.Fprintf(b, " %s %s%s\n", gutter(pad+" |"), indent.String(), mark("^"+strings.Repeat("~", width-1)))
}

// sourceCache reads every file once.
type sourceCache struct {
	read  func(string) ([]byte, bool)
	lines map[string][]string
}

// line gives the text of the line at which a place starts; "" when it cannot be had.
func (c *sourceCache) line(p Place) string {
	if c.read == nil || p.File == "" || p.Range.Start.Line < 1 {
		return ""
	}
	if c.lines == nil {
		c.lines = map[string][]string{}
	}
	lines, ok := c.lines[p.File]
	if !ok {
		if text, found := c.read(p.File); found && utf8.Valid(text) {
			lines = splitLines(string(text))
		}
		c.lines[p.File] = lines
	}
	if n := p.Range.Start.Line; n <= len(lines) {
		return lines[n-1]
	}
	return ""
}

// splitLines ends lines where YAML does, so that line numbers agree.
func splitLines(text string) []string {
	breaks := strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n")
	return strings.Split(breaks.Replace(strings.TrimPrefix(text, "\ufeff")), "\n")
}
