// Package openrosa holds forms of the project ready for phones: ODK Collect, KoboCollect and others that speak
// the form discovery API of OpenRosa.
package openrosa

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/culvert/culvert/rules/diag"
)

// Limits on what is read.
const (
	maxForm   = 16 << 20 // bytes of a form
	maxDepth  = 100      // of its elements
	maxFields = 20000
	maxNames  = 2000 // files that it names
)

// Form is what of a form definition (XForm) concerns those who hand it out.
type Form struct {
	File               string // its path in the project, with slashes
	ID, Version, Title string
	// Fields are the groups and questions of an answer, by their paths below its root: person/age.
	Fields map[string]bool
	// Action is where the form itself says that it is to be sent; nil: to the server that it comes from.
	Action *Mention
	// Key is the key that the form seals its answers with; nil: they come open.
	Key *Mention
	// Files are what the form needs beside itself: pictures, lists.
	Files []Mention

	At   diag.Place // of its root
	Text []byte
	Hash string // MD5 of the text, in hex
}

// Mention is a text that stands in a form.
type Mention struct {
	Text string
	At   diag.Place
}

// MediaFolder is where the files lie that a form needs, as ODK's tools lay them out.
func MediaFolder(file string) string { return strings.TrimSuffix(file, path.Ext(file)) + "-media" }

// Read reads the definition of a form. The problem says what is wrong with it.
func Read(file string, text []byte) (*Form, *diag.Problem) {
	r := reader{form: &Form{File: file, Fields: map[string]bool{}, Text: text, Hash: sum(text)}, lines: lines(text),
		lastColumn: 1}
	plain := bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	start := bytes.TrimSpace(plain)
	switch {
	case len(text) > maxForm:
		return nil, r.problem(0, fmt.Sprintf("the form has more than %d MiB", maxForm>>20),
			"keep pictures and lists beside it")
	case bytes.HasPrefix(start, []byte("PK")):
		return nil, r.problem(0, "this is a workbook, which phones do not read", ToXForm)
	case !bytes.HasPrefix(start, []byte("<")):
		return nil, r.problem(0, "this is no XForm", ToXForm)
	}
	if problem := r.read(plain, len(text)-len(plain)); problem != nil {
		return nil, problem
	}
	r.mentions()
	return r.form, nil
}

// ToXForm says how an XLSForm becomes what phones read.
const ToXForm = "make an XForm (.xml) of the XLSForm: with `xls2xform form.xlsx forms/form.xml` (of the Python package " +
	"pyxform), on https://getodk.org/xlsform, or by downloading the XML from ODK Central or KoboToolbox, where the form is"

type reader struct {
	form  *Form
	lines []int // where each line begins
	ended bool  // the first instance has been read
	// the place that was looked for last: the next one often lies behind it, on a line that may be the whole form
	last, lastBegin, lastColumn int
}

// read goes through the elements. skipped are the bytes in front of text.
func (r *reader) read(text []byte, skipped int) *diag.Problem {
	d := xml.NewDecoder(bytes.NewReader(text))
	// What is not UTF-8 is told by its bytes, whatever the declaration says.
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	var stack []string
	for {
		at := int(d.InputOffset()) + skipped
		token, err := d.Token()
		if errors.Is(err, io.EOF) && len(stack) == 0 {
			break
		}
		if err != nil {
			return r.broken(int(d.InputOffset())+skipped, text, err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			stack = append(stack, t.Name.Local)
			if len(stack) > maxDepth {
				return r.problem(at, "its elements stand too deep in each other", "is it a form?")
			}
			if problem := r.element(t, stack, at); problem != nil {
				return problem
			}
		case xml.EndElement:
			r.ended = r.ended || t.Name.Local == "instance" && r.form.At.File != ""
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if n := len(stack); n > 1 && stack[n-1] == "title" && stack[n-2] == "head" {
				r.form.Title = strings.Join(strings.Fields(r.form.Title+string(t)), " ")
			}
		}
	}
	switch {
	case r.form.At.File == "":
		return r.problem(0, "this is no XForm: it has no instance in a model",
			"a submission belongs into samples/; "+ToXForm)
	case r.form.ID == "":
		p := diag.Problem{Code: codeForm, Place: r.form.At, Message: "the form has no id",
			Hint: `write id="..." at the root of its instance (form_id in the settings of an XLSForm)`}
		return &p
	}
	if r.form.Title == "" {
		r.form.Title = r.form.ID
	}
	return nil
}

// element notes what an element says; stack are the names from the outermost to it.
func (r *reader) element(t xml.StartElement, stack []string, at int) *diag.Problem {
	attr := func(name string) string {
		for _, a := range t.Attr {
			if a.Name.Local == name {
				return strings.TrimSpace(a.Value)
			}
		}
		return ""
	}
	n := slices.Index(stack, "instance")
	switch {
	case t.Name.Local == "submission" && slices.Contains(stack, "model"):
		if v := attr("action"); v != "" {
			r.form.Action = &Mention{v, r.place(at)}
		}
		if attr("base64RsaPublicKey") != "" {
			r.form.Key = &Mention{"base64RsaPublicKey", r.place(at)}
		}
	case r.ended || n < 1 || stack[n-1] != "model":
	case len(stack) == n+2:
		if r.form.At.File != "" {
			break // of a form that has two roots the first is its answer
		}
		r.form.At, r.form.ID, r.form.Version = r.place(at), attr("id"), attr("version")
		for _, a := range t.Attr {
			if r.form.ID == "" && a.Name.Local == "xmlns" {
				r.form.ID = a.Value
			}
		}
	case len(stack) > n+2:
		if r.form.Fields[strings.Join(stack[n+2:], "/")] = true; len(r.form.Fields) > maxFields {
			return r.problem(at, fmt.Sprintf("the form has more than %d questions", maxFields), "is it a form?")
		}
	}
	return nil
}

// broken says why the text is no XML.
func (r *reader) broken(at int, text []byte, err error) *diag.Problem {
	if !utf8.Valid(text) {
		return r.problem(at, "the form is not in UTF-8", "save it in UTF-8")
	}
	const hint = "correct it here, or make it anew of its XLSForm; the version before is handed out until then"
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		if m := closedBy.FindStringSubmatch(syntax.Msg); m != nil {
			return r.problem(at, fmt.Sprintf("the form is no XML: <%s> is closed by </%s>", m[1], m[2]), hint)
		}
		if strings.Contains(syntax.Msg, "unexpected EOF") {
			return r.problem(at, "the form ends too early", hint)
		}
	}
	return r.problem(at, "the form is no XML that can be read: check tags, quotes and ampersands", hint)
}

var closedBy = regexp.MustCompile(`^element <(\S+)> closed by </(\S+)>$`)

// jr are the files that a form names: pictures, sounds, lists of choices.
var jr = regexp.MustCompile(`jr://(?:images?|audio|video|file|file-csv)/([^<>"'\r\n]+)` +
	`|pulldata\(\s*(?:'|&apos;|&#39;|")([A-Za-z0-9_. -]+)(?:'|&apos;|&#39;|")`)

// mentions notes the files that the form names, each once.
func (r *reader) mentions() {
	seen := map[string]bool{}
	for _, m := range jr.FindAllSubmatchIndex(r.form.Text, maxNames) {
		name := ""
		if m[2] >= 0 {
			name = strings.TrimSpace(html.UnescapeString(string(r.form.Text[m[2]:m[3]])))
		} else {
			name = string(r.form.Text[m[4]:m[5]]) + ".csv"
		}
		if name != "" && !seen[name] && !strings.ContainsAny(name, "/\\$") {
			seen[name] = true
			r.form.Files = append(r.form.Files, Mention{name, r.place(m[0])})
		}
	}
}

// codeForm is the code of what is wrong with a form.
const codeForm = "form-file"

func (r *reader) problem(at int, message, hint string) *diag.Problem {
	return &diag.Problem{Code: codeForm, Place: r.place(at), Message: message, Hint: hint}
}

// lines gives where each line of a text begins.
func lines(text []byte) []int {
	starts := []int{0}
	for i, b := range text {
		if b == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

// place gives the place of a byte, up to the end of its line.
func (r *reader) place(at int) diag.Place {
	text := r.form.Text
	at = min(max(at, 0), len(text))
	line, found := slices.BinarySearch(r.lines, at)
	if !found {
		line--
	}
	begin := r.lines[line]
	if begin != r.lastBegin || at < r.last {
		r.last, r.lastBegin, r.lastColumn = begin, begin, 1
	}
	column := r.lastColumn + utf8.RuneCount(text[r.last:at])
	r.last, r.lastColumn = at, column
	start := diag.Position{Line: line + 1, Column: column}
	return diag.Place{File: r.form.File, Range: diag.Range{Start: start, End: start}}
}
