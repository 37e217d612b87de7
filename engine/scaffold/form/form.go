// Package form reads the definitions of forms (XLSForm, XForm, a KoboToolbox asset, the structure
// of a CommCare app) into one shape: the questions, what they may be answered with, and where an
// answer will stand in what the tool sends.
package form

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Limits on what is read.
const (
	maxSize      = 32 << 20 // bytes of a file
	maxQuestions = 5000
	maxChoices   = 20000
	maxDepth     = 20
)

// Tool is who sends the answers, which decides where they stand.
type Tool string

// The tools whose payloads are known.
const (
	Kobo     Tool = "kobo"
	ODK      Tool = "odk"     // by central-webhook
	Collect  Tool = "collect" // phones that submit by themselves: ODK Collect, KoboCollect
	CommCare Tool = "commcare"
)

// Tools lists them.
var Tools = []Tool{CommCare, Kobo, ODK, Collect}

// Form is one form of a tool.
type Form struct {
	Name      string
	ID        string // of an XForm, with its version
	Version   string
	Tool      Tool // "": the definition does not say
	Questions []Question
	Notes     []string // what of the definition is not understood, and left out
	Cases     bool     // of CommCare: it lies in a module of cases, and so is about one
}

// Question is one question, calculation or hidden value.
type Question struct {
	Path    []string // groups and repeats, then its name
	Repeats []int    // so many of Path are each repeat that it is in, the outermost first
	Type    Type
	Labels  []string // in each language
	Choices []Choice
}

// Choice is one answer of a question that offers several.
type Choice struct {
	Name   string
	Labels []string
}

// Type is what a question is answered with.
type Type string

// The types that are told apart. Text, Calculated and Hidden promise nothing of what they hold.
const (
	Text       Type = "text"
	Integer    Type = "integer"
	Decimal    Type = "decimal"
	Date       Type = "date"
	DateTime   Type = "datetime"
	Time       Type = "time"
	Point      Type = "point"
	One        Type = "one choice"
	Several    Type = "several choices"
	Calculated Type = "calculation"
	Hidden     Type = "hidden"
	File       Type = "file"
)

// Open tells whether a type says nothing of what a value looks like.
func (t Type) Open() bool { return t == Text || t == Calculated || t == Hidden }

// Read reads a definition. name chooses a form of a CommCare app, by its name or xmlns; it is empty
// where there is only one.
func Read(file string, data []byte, name string) (*Form, error) {
	if len(data) > maxSize {
		return nil, fmt.Errorf("%s has %d bytes, more than %d: is it a form?", file, len(data), maxSize)
	}
	var f *Form
	var err error
	start := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	switch {
	case bytes.HasPrefix(data, []byte("PK")):
		f, err = readXLSForm(data)
	case bytes.HasPrefix(start, []byte("<")):
		f, err = readXForm(start)
	case bytes.HasPrefix(start, []byte("{")), bytes.HasPrefix(start, []byte("[")):
		f, err = readJSON(start, name)
	default:
		err = errors.New("it is no xlsx, XML or JSON: give an XLSForm (.xlsx), an XForm (.xml), " +
			"the JSON of a KoboToolbox asset or of a CommCare app")
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the form %s: %w", file, err)
	case len(f.Questions) == 0:
		return nil, fmt.Errorf("read the form %s: it has no question", file)
	case len(f.Questions) > maxQuestions:
		return nil, fmt.Errorf("read the form %s: it has %d questions, more than %d", file, len(f.Questions),
			maxQuestions)
	}
	if f.Name == "" {
		f.Name = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	}
	return f, nil
}

// Sample makes a record as the tool would send it, with an invented answer to every question.
func (f *Form) Sample(tool Tool) map[string]any {
	body := map[string]any{}
	answers := body
	switch tool {
	case Kobo:
		body["_id"], body["_uuid"] = 1, "00000000-0000-4000-8000-000000000001"
		body["meta/rootUuid"] = "uuid:00000000-0000-4000-8000-000000000001"
		body["_submission_time"] = "2026-01-15T10:00:00"
	case CommCare:
		answers = map[string]any{"meta": map[string]any{"instanceID": "00000000-0000-4000-8000-000000000001",
			"timeEnd": "2026-01-15T10:00:00.000000Z"}}
		if f.Cases {
			answers["case"] = map[string]any{"@case_id": "00000000-0000-4000-8000-000000000002"}
		}
		body["id"], body["received_on"], body["form"] = "00000000-0000-4000-8000-000000000001",
			"2026-01-15T10:00:00.000000Z", answers
	case ODK:
		answers = map[string]any{"meta": map[string]any{"instanceID": "uuid:00000000-0000-4000-8000-000000000001"}}
		body["data"] = map[string]any{"form": answers}
	case Collect:
		answers = map[string]any{"@id": f.ID, "@version": f.Version,
			"meta": map[string]any{"instanceID": "uuid:00000000-0000-4000-8000-000000000001"}}
		body["form"] = answers
	}
	for _, q := range f.Questions {
		if tool == Kobo {
			placeFlat(answers, q, q.Repeats)
		} else {
			placeNested(answers, q.Path, q)
		}
	}
	return body
}

// placeNested puts an answer into its groups; a repeat is a list of two.
func placeNested(into map[string]any, path []string, q Question) {
	done := len(q.Path) - len(path)
	if len(path) == 1 {
		into[path[0]] = q.answer()
		return
	}
	if slices.Contains(q.Repeats, done+1) {
		for _, item := range itemsOf(into, path[0], q.Repeats[0] <= done) {
			placeNested(item, path[1:], q)
		}
		return
	}
	m, ok := into[path[0]].(map[string]any)
	if !ok {
		m = map[string]any{}
		into[path[0]] = m
	}
	placeNested(m, path[1:], q)
}

// itemsOf gives the items of a repeat: two, or one of a repeat in a repeat, lest many within each
// other become more than a sample can hold.
func itemsOf(into map[string]any, name string, inner bool) []map[string]any {
	list, ok := into[name].([]any)
	if !ok {
		list = []any{map[string]any{}}
		if !inner {
			list = append(list, map[string]any{})
		}
		into[name] = list
	}
	items := make([]map[string]any, 0, len(list))
	for _, item := range list {
		if m, ok := item.(map[string]any); ok {
			items = append(items, m)
		}
	}
	return items
}

// placeFlat puts an answer under its whole path, as KoboToolbox does, also within repeats: a repeat
// in a repeat is a list in each item of the outer one.
func placeFlat(into map[string]any, q Question, repeats []int) {
	if len(repeats) == 0 {
		into[strings.Join(q.Path, "/")] = q.answer()
		return
	}
	for _, item := range itemsOf(into, strings.Join(q.Path[:repeats[0]], "/"),
		len(repeats) < len(q.Repeats)) {
		placeFlat(item, q, repeats[1:])
	}
}

// answer is an invented answer of the question's type.
func (q Question) answer() string {
	switch q.Type {
	case Integer:
		return "7"
	case Decimal:
		return "7.5"
	case Date:
		return "2026-01-15"
	case DateTime:
		return "2026-01-15T10:00:00.000+00:00"
	case Time:
		return "10:00:00.000+00:00"
	case Point:
		return "-15.5 28.3 0 0"
	case One, Several:
		if len(q.Choices) > 0 {
			return q.Choices[0].Name
		}
		return ""
	case File:
		return "file.jpg"
	default:
		return "example"
	}
}

// Find gives the question that stands at a path of a record, whatever the tool puts before it; nil
// when there is none, or several fit.
func (f *Form) Find(path []string) *Question {
	at := "/" + strings.NewReplacer(".", "/").Replace(strings.Join(path, "/"))
	var found *Question
	for i := range f.Questions {
		q := &f.Questions[i]
		if strings.HasSuffix(at, "/"+strings.Join(q.Path, "/")) {
			switch {
			case found == nil || len(found.Path) < len(q.Path):
				found = q
			case len(found.Path) == len(q.Path):
				return nil
			}
		}
	}
	return found
}

// FindInRepeat gives the question whose answer stands at a path below an item of a repeat; nil when none or several do.
func (f *Form) FindInRepeat(path []string) *Question {
	var found *Question
	for i := range f.Questions {
		q := &f.Questions[i]
		if from := len(q.Path) - len(path); len(q.Repeats) > 0 && from > 0 && slices.Equal(q.Path[from:], path) {
			if found != nil {
				return nil
			}
			found = q
		}
	}
	return found
}

// label cleans a label: no markup, each once.
func addLabel(list []string, text string) []string {
	text = strings.Join(strings.Fields(strings.NewReplacer("*", "", "_", " ", "#", "").Replace(text)), " ")
	if text == "" || strings.Contains(text, "${") || slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}
