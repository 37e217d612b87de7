// Package explain holds a page for every code that a finding or a failure can have: what it means,
// an example that has it, and one that has not.
//
// Pages are Markdown files named after their code. Fenced blocks marked "yaml bad" and "yaml good"
// are rule files, or parts of them; "json bad" and "json good" are records for the rule that the
// page shows. They are checked by the tests of the package that reports the code.
package explain

import (
	"embed"
	"slices"
	"strings"
)

//go:embed pages/*.md
var pages embed.FS

// Codes lists the codes that have a page, sorted.
func Codes() []string {
	entries, err := pages.ReadDir("pages")
	if err != nil {
		return nil
	}
	codes := make([]string, 0, len(entries))
	for _, e := range entries {
		codes = append(codes, strings.TrimSuffix(e.Name(), ".md"))
	}
	slices.Sort(codes)
	return codes
}

// Page gives the page of a code as Markdown for people to read.
func Page(code string) (string, bool) {
	text, ok := source(code)
	if !ok {
		return "", false
	}
	_, body := frontMatter(text)
	// The marks behind the opening fences are for tests.
	lines := strings.Split(body, "\n")
	for i, line := range lines {
		if info, ok := strings.CutPrefix(line, "```"); ok {
			language, _, _ := strings.Cut(info, " ")
			lines[i] = "```" + language
		}
	}
	return strings.Join(lines, "\n"), true
}

func source(code string) (string, bool) {
	if strings.ContainsAny(code, `/\.`) {
		return "", false
	}
	text, err := pages.ReadFile("pages/" + code + ".md")
	return string(text), err == nil
}

// Block is one fenced block of a page.
type Block struct {
	Language string   // yaml, json, csv
	Marks    []string // what follows the language: bad, good, record, or the name of a file
	Text     string
}

// Is tells whether a block has a mark.
func (b Block) Is(mark string) bool { return slices.Contains(b.Marks, mark) }

// Entry is a page with its examples, for tests.
type Entry struct {
	Code string
	// Checked is the package whose tests run the examples, such as rules; "whole" where those of
	// engine/project lay out a project around them; "none" where there is nothing to run.
	Checked string
	Reason  string // why there is nothing to run
	Blocks  []Block
}

// Find gives the page of a code with its examples.
func Find(code string) (Entry, bool) {
	text, ok := source(code)
	if !ok {
		return Entry{}, false
	}
	meta, body := frontMatter(text)
	e := Entry{Code: code, Checked: meta["checked"], Reason: meta["reason"]}
	lines := strings.Split(body, "\n")
	for i := 0; i < len(lines); i++ {
		info, ok := strings.CutPrefix(lines[i], "```")
		if !ok {
			continue
		}
		end := i + 1
		for end < len(lines) && lines[end] != "```" {
			end++
		}
		if marks := strings.Fields(info); len(marks) > 0 {
			e.Blocks = append(e.Blocks, Block{Language: marks[0], Marks: marks[1:],
				Text: strings.Join(lines[i+1:end], "\n") + "\n"})
		}
		i = end
	}
	return e, true
}

// frontMatter splits the lines between --- from the page.
func frontMatter(text string) (map[string]string, string) {
	meta := map[string]string{}
	rest, ok := strings.CutPrefix(text, "---\n")
	if !ok {
		return meta, text
	}
	head, body, ok := strings.Cut(rest, "\n---\n")
	if !ok {
		return meta, text
	}
	for line := range strings.Lines(head) {
		if key, value, ok := strings.Cut(line, ":"); ok {
			meta[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return meta, strings.TrimLeft(body, "\n")
}
