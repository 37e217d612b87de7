package lsp

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/expression"
)

// chainPattern is a chain of names, such as trigger.form["@name"].
const chainPattern = `([A-Za-z_]\w*(?:\??\.[A-Za-z_]\w*|\[(?:"[^"]*"|'[^']*'|\d+)\])*)`

// What a text in quotes is compared with: the chain before it.
var (
	comparedBefore = regexp.MustCompile(
		chainPattern + `\s*(?:[=!]=|contains|startsWith|endsWith|(?:not )?in\s*\[[^\]]*)\s*$`,
	)
	selectedBefore = regexp.MustCompile(`selected\(\s*` + chainPattern + `\s*,\s*$`)
)

// openText gives what stands before the text in quotes that an expression ends in, and its beginning.
func openText(typed string) (before, part string) {
	var open rune
	start := 0
	for i, r := range typed {
		switch {
		case open == 0 && (r == '"' || r == '\'' || r == '`'):
			open, start = r, i
		case r == open:
			open = 0
		}
	}
	if open == 0 {
		return typed, ""
	}
	return typed[:start], typed[start+1:]
}

// literals proposes what a text in quotes may say: what the sample holds where it is compared with a
// field, else the options of the field that the expression is for.
func (p *proposals) literals(e *entry, typed string) {
	before, part := openText(typed)
	at := p.cursor.at
	add := func(text, detail, doc string) {
		item := CompletionItem{Label: text, Kind: kindMember, Detail: detail, SortText: fmt.Sprintf("%05d", len(p.items)),
			TextEdit: &TextEdit{Range: p.lines.toRange(spot{at.line, at.col - len([]rune(part))}, at), NewText: text}}
		if doc != "" {
			item.Documentation = &MarkupContent{"markdown", doc}
		}
		p.items = append(p.items, item)
	}
	if held, compared := p.compared(e, before); compared {
		for _, text := range held {
			add(text, "in the sample", "")
		}
		return
	}
	if f := p.fieldAt(e.path()); f != nil && f.options != nil {
		for _, o := range f.options.Options {
			word := o.Code
			if word == "" {
				word = o.Name
			}
			add(word, o.Name, describe("option of "+escape(f.options.Name), o.Named))
		}
	}
}

// compared gives what the sample holds of the field that a text behind before is compared with.
func (v *view) compared(e *entry, before string) (held []string, ok bool) {
	chain, several := "", false
	if m := comparedBefore.FindStringSubmatch(before); m != nil {
		chain = m[1]
	} else if m := selectedBefore.FindStringSubmatch(before); m != nil {
		chain, several = m[1], true
	}
	steps := chainSteps(chain)
	if len(steps) == 0 || steps[0] == "not" {
		return nil, false
	}
	for _, value := range v.valuesOf(e, steps[0]) {
		text := expression.AsText(walk(value, steps[1:]))
		texts := []string{text}
		if several {
			texts = strings.Fields(text)
		}
		for _, text := range texts {
			if text != "" && len(text) < maxShort && !strings.ContainsAny(text, "\"'`\\\n") &&
				!slices.Contains(held, text) && len(held) < maxFiles {
				held = append(held, text)
			}
		}
	}
	slices.Sort(held)
	return held, true
}

// aboutLiteral tells of the text in quotes at a place; "" where there is none, or nothing is known of it.
func (v *view) aboutLiteral(e *entry, at spot) (text string, literal bool) {
	typed := v.typed(e, at)
	if !inText(typed) {
		return "", false
	}
	before, part := openText(typed)
	line := v.lines[at.line]
	quote := typed[len(before)]
	rest, _, _ := strings.Cut(string(line[at.col:]), string(quote))
	word := part + rest
	if held, compared := v.compared(e, before); compared {
		switch {
		case len(held) == 0:
			return "", true
		case slices.Contains(held, word):
			return fmt.Sprintf("in the sample, among `%s`", strings.Join(held[:min(10, len(held))], "`, `")), true
		}
		return fmt.Sprintf("not in the sample, which holds `%s`", strings.Join(held[:min(10, len(held))], "`, `")), true
	}
	if f := v.fieldAt(e.path()); f != nil && f.options != nil && v.index != nil {
		if o, _, _ := v.index.Option(f.options, word); o != nil {
			return describe("option of "+escape(f.options.Name), o.Named), true
		}
	}
	return "", true
}
