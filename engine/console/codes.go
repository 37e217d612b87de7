package console

import (
	"html/template"
	"net/http"
	"strings"
)

// codePage is what a code means, block by block.
type codePage struct{ Blocks []block }

// block is a part of a page of Markdown: a paragraph, an item of a list, a row of a table, or code.
type block struct {
	Kind  string // paragraph, item, row, code
	Text  template.HTML
	Cells []template.HTML // of a row
}

// code explains the code of a finding, a failure, or an error of DHIS2, in the visitor's language.
func (s *Console) code(r *http.Request) (view, error) {
	code := r.PathValue("code")
	text, ok := s.c.Running.Explain(code, s.languageOf(r))
	if !ok {
		return view{}, notFound{"no such code is known"}
	}
	return view{Title: code, Page: "code", Trail: []link{{Name: "Failures", Path: Prefix + "failures"}},
		Data: codePage{blocks(text)}}, nil
}

// blocks parts a page of Markdown, as pages on codes are written.
func blocks(text string) (list []block) {
	fenced := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		last := len(list) - 1
		switch {
		case strings.HasPrefix(line, "```"):
			if fenced = !fenced; fenced {
				list = append(list, block{Kind: "code"})
			}
		case fenced:
			list[last].Text += template.HTML(template.HTMLEscapeString(line) + "\n") //nolint:gosec // it is escaped
		case strings.HasPrefix(line, "# "), strings.TrimSpace(line) == "", strings.Trim(line, "|- ") == "":
		case strings.HasPrefix(line, "|"):
			row := block{Kind: "row"}
			for cell := range strings.SplitSeq(strings.Trim(line, "| "), " | ") {
				row.Cells = append(row.Cells, prose(cell))
			}
			list = append(list, row)
		case strings.HasPrefix(line, "- "):
			list = append(list, block{Kind: "item", Text: prose(strings.ReplaceAll(line[2:], "*", ""))})
		default:
			list = append(list, block{Kind: "paragraph", Text: prose(line)})
		}
	}
	return list
}
