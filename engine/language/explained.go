package language

import (
	"embed"
	"fmt"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"
)

//go:embed pages/*.yaml
var explained embed.FS

// pagesIn reads how the paragraphs of the pages on codes are said in a language; none where it has no file of them.
func pagesIn(tag string) (map[string]string, error) {
	text, err := explained.ReadFile("pages/" + tag + ".yaml")
	if err != nil {
		return nil, nil // they stay English
	}
	said := map[string]string{}
	if err := yaml.Unmarshal(text, &said); err != nil {
		return nil, fmt.Errorf("read pages/%s.yaml: %w", tag, err)
	}
	return said, nil
}

// pagesOf gives what reads the paragraphs once they are looked for.
func pagesOf(tag string) func() map[string]string {
	return sync.OnceValue(func() map[string]string {
		said, _ := pagesIn(tag) // the test of the files finds what is wrong
		return said
	})
}

// Explain says a page of Markdown in the language: its paragraphs, items and rows of tables. Headings and code stay.
func (l *Language) Explain(markdown string) string {
	if l == nil || l.pages == nil {
		return markdown
	}
	said := l.pages()
	var b strings.Builder
	for _, p := range paragraphs(markdown) {
		if s := said[p.text]; s != "" && !p.verbatim {
			p.text = s
		}
		b.WriteString(p.before + p.text + p.after)
	}
	return b.String()
}

// Paragraphs lists what is said on a page of Markdown, each by itself, as its translation is looked up.
func Paragraphs(markdown string) (list []string) {
	for _, p := range paragraphs(markdown) {
		if !p.verbatim {
			list = append(list, p.text)
		}
	}
	return list
}

// paragraph is a part of a page that is said by itself: a paragraph, an item of a list, a row of a table.
type paragraph struct {
	before, text, after string
	verbatim            bool // a heading, code or an empty line: it stays
}

func paragraphs(markdown string) (list []paragraph) {
	fenced := false
	open := false // the last one goes on with the next line
	for line := range strings.Lines(markdown) {
		line = strings.TrimSuffix(line, "\n")
		fence := strings.HasPrefix(line, "```")
		item, isItem := strings.CutPrefix(line, "- ")
		switch {
		case fence || fenced || strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#"):
			list = append(list, paragraph{text: line, after: "\n", verbatim: true})
			fenced, open = fenced != fence, false
		case strings.HasPrefix(line, "|"):
			list = append(list, paragraph{text: line, after: "\n", verbatim: strings.Trim(line, "|- ") == ""})
			open = false
		case isItem:
			list, open = append(list, paragraph{before: "- ", text: item, after: "\n"}), true
		case open:
			list[len(list)-1].text += " " + strings.TrimSpace(line)
		default:
			list, open = append(list, paragraph{text: line, after: "\n"}), true
		}
	}
	return list
}
