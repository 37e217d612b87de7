package language

import (
	"embed"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode"

	"gopkg.in/yaml.v3"
)

//go:embed descriptions/*.yaml
var descriptions embed.FS

// explanations say what the keys of rule files and culvert.yaml, the functions of expressions, and
// the commands are for. These texts stand alone and are known as they are written, so that they are
// kept apart from those that sentences are made of, and read only when one of them is looked for.
type explanations struct {
	LeftOut   string            `yaml:"left out"`  // joins what a key is for and what holds when it is left out
	Needed    string            `yaml:"needed"`    // joins what a key is for and that it is needed
	With      string            `yaml:"with"`      // joins the kinds of lookups that take a key and what it is for
	Or        string            `yaml:"or"`        // stands between those kinds
	Otherwise map[string]string `yaml:"otherwise"` // what holds when keys are left out
	Keys      map[string]string `yaml:"keys"`      // what keys are for, as the JSON Schemas describe it
	Functions map[string]string `yaml:"functions"` // summaries of functions
	Commands  map[string]string `yaml:"commands"`  // paragraphs of help, what flags do, the frame of help
}

// fewestWords is how many words a description has at least that is found without its full stop and
// capital, as sentences take it up.
const fewestWords = 4

// explanationsIn reads the descriptions of a language; none where it has no file of them.
func explanationsIn(tag string) (*explanations, error) {
	d := &explanations{}
	text, err := descriptions.ReadFile("descriptions/" + tag + ".yaml")
	if err != nil {
		return d, nil // they stay English
	}
	if err := yaml.Unmarshal(text, d); err != nil {
		return nil, fmt.Errorf("read descriptions/%s.yaml: %w", tag, err)
	}
	return d, nil
}

// leftOut parts a description from what holds when the key is left out; needed says which key is needed.
var leftOut, needed = regexp.MustCompile(`(?s)^(.*); (.*) when left out\.$`),
	regexp.MustCompile(`(?s)^(.*); ([^;]*needed)\.$`)

// ofKinds parts a description from the kinds of lookups that take the key.
var ofKinds = regexp.MustCompile(`(?s)^With in: ([A-Za-z_. ]+): (.*)$`)

// find gives what is said of a description.
func (d *explanations) find(english string) (string, bool) {
	if m := ofKinds.FindStringSubmatch(english); m != nil {
		said, ok := d.find(upper(m[2]))
		return fmt.Sprintf(d.With, strings.ReplaceAll(m[1], " or ", d.Or), within(said)), ok
	}
	for _, texts := range []map[string]string{d.Keys, d.Functions, d.Commands} {
		if said := texts[english]; said != "" {
			return said, true
		}
	}
	format := d.LeftOut
	m := leftOut.FindStringSubmatch(english)
	if m == nil {
		if m = needed.FindStringSubmatch(english); m == nil {
			return english, false
		}
		format = d.Needed
	}
	said := d.Keys[m[1]+"."]
	if said == "" {
		return english, false
	}
	otherwise, ok := d.Otherwise[m[2]]
	if !ok && strings.Contains(m[2], " ") {
		return english, false
	}
	if !ok {
		otherwise = m[2] // as it is written in the file
	}
	return fmt.Sprintf(format, strings.TrimSuffix(said, "."), otherwise), true
}

// descriptionsOf gives what finds the descriptions of a language, which are read when they are first looked for.
func descriptionsOf(tag string) func(string) (string, bool) {
	all := sync.OnceValue(func() *explanations {
		d, err := explanationsIn(tag)
		if err != nil {
			return &explanations{} // the test of the files finds it
		}
		return d
	})
	return func(english string) (string, bool) {
		if said, ok := all().find(english); ok {
			return said, true
		}
		if strings.HasSuffix(english, ".") || len(strings.Fields(english)) < fewestWords {
			return english, false
		}
		said, ok := all().find(upper(english) + ".") // within a sentence
		if !ok {
			return english, false
		}
		return within(strings.TrimSuffix(said, ".")), true
	}
}

// within gives a sentence as part of another one: its first letter small, unless an abbreviation begins with it.
func within(sentence string) string {
	if runes := []rune(sentence); len(runes) > 1 && unicode.IsUpper(runes[1]) {
		return sentence
	}
	said, _ := lower(sentence)
	return said
}

// Help gives a text of a command's help: its paragraphs, each by itself, laid out in lines of a
// width again. Lines that begin with a space stay as they are laid out.
func (l *Language) Help(english string, width int) string {
	if l == nil || english == "" {
		return english
	}
	paragraphs := strings.Split(english, "\n\n")
	for i, p := range paragraphs {
		if said, ok := l.describe(Paragraph(p)); ok {
			paragraphs[i] = wrapped(said, width)
		}
	}
	return strings.Join(paragraphs, "\n\n")
}

// Paragraph joins the lines of a paragraph to one, which is the key of its translation; one whose
// lines are laid out by hand stays as it is.
func Paragraph(text string) string {
	if strings.Contains(text, "\n ") {
		return text
	}
	return strings.Join(strings.Fields(text), " ")
}

// describe gives a description in the language.
func (l *Language) describe(english string) (string, bool) {
	if l == nil || l.descriptions == nil {
		return english, false
	}
	return l.descriptions(english)
}

// wrapped lays out a text in lines of a width, between its words; lines that it has stay.
func wrapped(text string, width int) string {
	if width <= 0 || strings.Contains(text, "\n") {
		return text
	}
	var b strings.Builder
	at := 0
	for i, word := range strings.Split(text, " ") {
		length := len([]rune(word))
		switch {
		case i == 0:
		case at+1+length > width:
			b.WriteByte('\n')
			at = 0
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += length
	}
	return b.String()
}
