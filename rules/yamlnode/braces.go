package yamlnode

import (
	"strings"

	"gopkg.in/yaml.v3"
)

// Inside of braces a comma, a bracket and ": " mean something to YAML, and in an expression something
// else: {from: round(trigger.weight, 1), blank: omit} is read as three entries. An expression that
// stands there bare is found by its own brackets and quotes.

// extent is a part of a line, in bytes.
type extent struct{ from, to int }

// inBraces tells what a bare expression inside of braces holds that means something there, and where
// it stands; nothing where the line could not be read with its expressions in quotes.
func inBraces(text string, value int) (message, hint string, from, to int) {
	brace := strings.IndexByte(text[value:], '{')
	if brace < 0 {
		return "", "", 0, 0
	}
	bare := bareExpressions(text, value+brace)
	if len(bare) == 0 {
		return "", "", 0, 0
	}
	fixed := text
	for i := len(bare) - 1; i >= 0; i-- {
		e := bare[i]
		fixed = fixed[:e.from] + inSingleQuotes(text[e.from:e.to]) + fixed[e.to:]
	}
	if _, err := decode([]byte(strings.TrimSpace(fixed))); err != nil {
		return "", "", 0, 0
	}
	from, to = bare[0].from, bare[0].to
	switch expression := text[from:to]; {
	case strings.ContainsAny(expression, "[]"):
		message = "a bracket of an expression stands inside of braces, where it means a list"
	case strings.Contains(expression, ","):
		message = "a comma of an expression stands inside of braces, where it begins the next entry"
	case strings.Contains(expression, ": "):
		message = "a second colon with a space after it stands in one entry of the braces"
	default:
		message = "text follows a closing quote inside of braces"
	}
	return message, "put the value in single quotes: " + inSingleQuotes(text[from:to]), from, to
}

func inSingleQuotes(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// bareExpressions gives the values without quotes in the braces that open at an offset which YAML
// does not read as one text.
func bareExpressions(text string, brace int) (found []extent) {
	for at := brace + 1; at < len(text); {
		at += blanks(text[at:])
		if at < len(text) && (text[at] == '"' || text[at] == '\'') {
			if q := closingQuote(text, at); q > 0 {
				at = q + 1 // a key in quotes
			}
		}
		colon := strings.Index(text[at:], ": ")
		if end := strings.IndexAny(text[at:], "}"); colon < 0 || end >= 0 && end < colon {
			return found
		}
		at += colon + 2
		at += blanks(text[at:])
		end := expressionEnd(text, at)
		value := strings.TrimRight(text[at:end], " ")
		switch {
		case value == "":
		case value[0] == '{' && closes(value):
			found = append(found, bareExpressions(text, at)...)
		case strings.ContainsRune(`"'`, rune(value[0])) && closingQuote(value, 0) == len(value)-1,
			value[0] == '[' && closes(value):
		case strings.ContainsAny(value, ",[]{}") || strings.Contains(value, ": ") ||
			strings.ContainsAny(value[:1], `"'`):
			found = append(found, extent{at, at + len(value)})
		}
		if end >= len(text) || text[end] == '}' {
			return found
		}
		at = end + 1
	}
	return found
}

func blanks(text string) int { return len(text) - len(strings.TrimLeft(text, " ")) }

// expressionEnd is the offset of the comma or brace that ends an expression: the first that stands in
// no bracket and no quotes of it.
func expressionEnd(text string, at int) int {
	depth := 0
	for ; at < len(text); at++ {
		switch text[at] {
		case '"', '\'':
			q := closingQuote(text, at)
			if q < 0 {
				return len(text)
			}
			at = q
		case '(', '[', '{':
			depth++
		case ')', ']':
			depth--
		case '}', ',':
			if depth <= 0 {
				return at
			}
			if text[at] == '}' {
				depth--
			}
		}
	}
	return len(text)
}

// closes tells whether the bracket that a value begins with is closed at its end, and not before.
func closes(value string) bool {
	depth := 0
	for at := 0; at < len(value); at++ {
		switch value[at] {
		case '"', '\'':
			q := closingQuote(value, at)
			if q < 0 {
				return false
			}
			at = q
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			if depth--; depth == 0 {
				return at == len(value)-1
			}
		}
	}
	return false
}

// cutAtComma tells whether one of the values of a mapping in braces is a call that YAML ended at a
// comma, as round(trigger.weight in {from: round(trigger.weight, 1)}: what follows has no value.
func cutAtComma(y *yaml.Node) bool {
	for i := 1; i+2 < len(y.Content); i += 2 {
		value, key, next := y.Content[i], y.Content[i+1], y.Content[i+2]
		if value.Kind == yaml.ScalarNode && value.Style == 0 && next.ShortTag() == "!!null" && next.Value == "" &&
			key.Kind == yaml.ScalarNode && strings.Count(value.Value, "(") > strings.Count(value.Value, ")") {
			return true
		}
	}
	return false
}
