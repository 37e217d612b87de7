package yamlnode

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/culvert/culvert/rules/diag"
)

// syntaxFinding says in our words, and at the right place, what the YAML parser could not read.
//
// The parser's own line is that of the construct in which it stood, often far above the mistake, or
// missing. So the place is searched for: the mistake stands on the line after the longest beginning
// of the file that can be read.
func syntaxFinding(doc *Document, err error) diag.Diagnostic {
	line := badLine(doc)
	text := doc.line(line)
	indent := len(text) - len(strings.TrimLeft(text, " "))
	f := diag.Diagnostic{Problem: diag.Problem{
		Code:    "yaml-syntax",
		Message: "this line does not fit what stands above it",
		Hint:    "check its indentation, and that the line above ends as it should",
		Place:   doc.span(line, indent+1, utf8.RuneCountInString(strings.TrimRight(text, " \t"))+1),
	}}
	at := func(offset, size int) diag.Place {
		from := utf8.RuneCountInString(text[:offset]) + 1
		return doc.span(line, from, from+size)
	}
	problem := err.Error()
	value := valueOffset(text)
	switch {
	case indent < len(text) && text[indent] == '\t':
		f.Code, f.Message, f.Hint, f.Place = "yaml-tab", "a tab stands in the indentation",
			"indent with spaces; YAML takes no tabs there", at(indent, 1)
	case closedTooEarly(text, value):
		f.Message, f.Place = "text follows a closing quote", at(closingQuote(text, value)+1, 1)
		f.Hint = "put the whole value in single quotes, such as '" +
			strings.ReplaceAll(withoutComment(text, value), "'", "''") + "'"
	case value < len(text) && strings.ContainsRune("@`%", rune(text[value])):
		f.Message, f.Place = "a value cannot start with "+text[value:value+1], at(value, 1)
		f.Hint = "put the value in quotes"
	case strings.Contains(problem, "unexpected end of stream") ||
		strings.Contains(problem, "unexpected document indicator"):
		f.Message, f.Hint = "a quote is opened here and never closed", "close the quote"
		if q := strings.IndexAny(text[value:], `"'`); q >= 0 {
			f.Place = at(value+q, 1)
		}
	case strings.Contains(problem, "mapping values are not allowed"):
		f.Message, f.Hint = "a second colon with a space after it stands in this line",
			`put the value in quotes when ": " belongs to it, or begin a new line for a new key`
		if c := strings.Index(text[value:], ": "); c >= 0 {
			f.Place = at(value+c, 1)
		} else if c := strings.LastIndexByte(text, ':'); c >= 0 {
			f.Place = at(c, 1)
			f.Message, f.Hint = "a key stands where the value of another is expected", "check the indentation of this line"
		}
	case strings.Contains(problem, "',' or ']'"), strings.Contains(problem, "',' or '}'"):
		if message, hint, from, to := inBraces(text, value); message != "" {
			f.Message, f.Hint, f.Place = message, hint, at(from, utf8.RuneCountInString(text[from:to]))
			break
		}
		f.Message, f.Hint = "the bracket opened here is never closed, or a comma is missing",
			"close it, put a comma between the entries, or put the value in quotes when the bracket belongs to it"
		if b := strings.IndexAny(text[value:], "[{"); b >= 0 {
			f.Place = at(value+b, 1)
		}
	case strings.Contains(problem, "could not find expected ':'"):
		f.Message, f.Hint = "a key needs a colon and a space after it",
			`write "key: value", and put text that goes on over several lines under | or >`
	case strings.Contains(problem, "unknown escape character"):
		f.Message, f.Hint = "a backslash in double quotes begins an escape that YAML does not know",
			`write \\ for a backslash, or put the value in single quotes`
		if b := badEscape(text); b >= 0 {
			f.Place = at(b, 2)
		}
	case strings.Contains(problem, "cannot start any token") && strings.Contains(text, "\t"):
		f.Code, f.Message, f.Hint, f.Place = "yaml-tab", "a tab stands where YAML takes none", "use spaces",
			at(strings.IndexByte(text, '\t'), 1)
	case strings.Contains(problem, "unknown anchor"):
		f.Code, f.Message, f.Hint = "yaml-alias", "aliases with * are not taken",
			"write the value out, or put a text that starts with * in quotes"
		if b := strings.IndexByte(text, '*'); b >= 0 {
			f.Place = at(b, 1)
		}
	}
	return f
}

// withoutComment is the value that begins with a quote, without a comment behind it.
func withoutComment(text string, value int) string {
	rest := closingQuote(text, value) + 1
	if c := strings.Index(text[rest:], " #"); c >= 0 {
		text = text[:rest+c]
	}
	return strings.TrimSpace(text[value:])
}

// badLine finds the line that makes the file unreadable.
func badLine(doc *Document) int {
	starts := blocks(doc)
	first, last := 1, len(doc.lines)
	for i, start := range starts {
		end := len(doc.lines)
		if i+1 < len(starts) {
			end = starts[i+1] - 1
		}
		if fits(doc, start, end) {
			continue
		}
		// A bracket or quote may run over several blocks; a mistake does not go away by reading on.
		if i+2 < len(starts) && fits(doc, start, starts[i+2]-1) || i+3 < len(starts) && fits(doc, start, starts[i+3]-1) {
			continue
		}
		first, last = start, end
		break
	}
	good := longestReadable(doc, first, last)
	for line := good + 1; line <= last; line++ {
		if t := strings.TrimSpace(doc.line(line)); t != "" && !strings.HasPrefix(t, "#") {
			return line
		}
	}
	return min(good+1, len(doc.lines))
}

// blocks gives the lines on which a key or item of the top level begins. Each such block can be
// read alone, because anchors are not taken.
func blocks(doc *Document) []int {
	starts := []int{1}
	for number := 2; number <= len(doc.lines); number++ {
		if l := doc.lines[number-1]; l[0] < l[1] && !strings.ContainsRune(" \t#]}-", rune(doc.Text[l[0]])) {
			starts = append(starts, number)
		}
	}
	return starts
}

// searchLines is how many lines a block may have for the search to try every one; longer ones are searched by halves.
const searchLines = 300

// longestReadable gives the last line up to which a block can be read; first-1 when not even its first line can.
func longestReadable(doc *Document, first, last int) int {
	low, high := first-1, last
	for high-low > searchLines {
		if middle := (low + high) / 2; fits(doc, first, middle) {
			low = middle
		} else {
			high = middle
		}
	}
	for line := high - 1; line > low; line-- {
		if fits(doc, first, line) {
			return line
		}
	}
	return low
}

func fits(doc *Document, first, last int) bool {
	_, err := decode(bytes.TrimSpace(doc.Text[doc.lines[first-1][0]:doc.lines[last-1][1]]))
	return err == nil
}

// valueOffset is where the value begins in a line "key: value" or "- value"; the length of the line when there is none.
func valueOffset(line string) int {
	offset := len(line) - len(strings.TrimLeft(line, " "))
	for strings.HasPrefix(line[offset:], "- ") {
		offset += len(line[offset:]) - len(strings.TrimLeft(line[offset+1:], " "))
	}
	if rest := line[offset:]; rest == "" || rest[0] != '"' && rest[0] != '\'' {
		if c := strings.Index(rest, ": "); c >= 0 {
			offset += c + 2
		}
	} else if q := closingQuote(line, offset); q > 0 && strings.HasPrefix(line[q+1:], ": ") {
		offset = q + 3
	}
	return offset + len(line[offset:]) - len(strings.TrimLeft(line[offset:], " "))
}

// closingQuote is the offset of the quote that closes the one at offset, or -1.
func closingQuote(line string, offset int) int {
	if offset >= len(line) || line[offset] != '"' && line[offset] != '\'' {
		return -1
	}
	for i := offset + 1; i < len(line); i++ {
		switch {
		case line[offset] == '"' && line[i] == '\\':
			i++
		case line[i] != line[offset]:
		case line[i] == '\'' && strings.HasPrefix(line[i+1:], "'"):
			i++
		default:
			return i
		}
	}
	return -1
}

// closedTooEarly tells whether more text follows a quoted value, as in `when: "a" == trigger.b`.
func closedTooEarly(line string, value int) bool {
	q := closingQuote(line, value)
	if q < 0 {
		return false
	}
	rest := strings.TrimSpace(line[q+1:])
	return rest != "" && !strings.HasPrefix(rest, "#") && !strings.ContainsAny(rest[:1], ":,]}")
}

// badEscape is the offset of the first backslash that begins no escape, or -1.
func badEscape(line string) int {
	for i := 0; i+1 < len(line); i++ {
		if line[i] != '\\' {
			continue
		}
		if !strings.ContainsRune("0abt\tnvfre \"/\\N_LPxuU", rune(line[i+1])) {
			return i
		}
		i++
	}
	return -1
}
