package lsp

import (
	"strings"

	"github.com/culvert/culvert/engine/language"
)

// In gives what the proposals say in a language; what they write stays.
func (c *CompletionList) In(l *language.Language) *CompletionList {
	if c == nil || l == nil {
		return c
	}
	for i := range c.Items {
		item := &c.Items[i]
		item.Detail = l.Text(item.Detail)
		if item.Documentation != nil {
			item.Documentation = &MarkupContent{item.Documentation.Kind, linewise(l, item.Documentation.Value)}
		}
	}
	return c
}

// in gives what is told of a place in a language.
func (h *Hover) in(l *language.Language) *Hover {
	if h == nil || l == nil {
		return h
	}
	h.Contents.Value = linewise(l, h.Contents.Value)
	return h
}

// linewise says each line of a text by itself: together they are longer than any sentence.
func linewise(l *language.Language, text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = l.Text(line)
	}
	return strings.Join(lines, "\n")
}
