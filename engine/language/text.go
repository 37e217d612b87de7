package language

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	longest = 1 << 10 // a text of more bytes is no sentence of ours
	deepest = 4       // a value of a sentence may be a sentence, which has values
	most    = 64      // how often a text or a part of it is looked for
)

// Text gives a text that the code made, in the language. What is not known stays as it is.
func (l *Language) Text(english string) string {
	if l == nil {
		return english
	}
	if list := numbered(english); list != nil {
		for i, part := range list {
			number, rest, _ := strings.Cut(part, " ")
			list[i] = number + " " + l.Text(rest)
		}
		return strings.Join(list, "; ")
	}
	if len(english) > longest {
		return english
	}
	text, _ := (&search{l, most}).text(english, 0)
	return text
}

// numbered parts a text that says several things, each with its number: "(1) one; (2) another"; nil for any other.
func numbered(text string) (list []string) {
	if !strings.HasPrefix(text, "(1) ") {
		return nil
	}
	for n := 2; ; n++ {
		before, _, more := strings.Cut(text, fmt.Sprintf("; (%d) ", n))
		list = append(list, before)
		if !more {
			return list
		}
		text = text[len(before)+len("; "):]
	}
}

// search translates one text; it looks for it and its parts a bounded number of times.
type search struct {
	*Language
	left int
}

// single tells whether a text is one word. A word alone, within a sentence, is as likely a name that somebody gave.
func single(text string) bool { return !strings.ContainsAny(strings.TrimSpace(text), " \t") }

// text tells whether any of it was translated.
func (l *search) text(english string, depth int) (string, bool) {
	core := strings.TrimSpace(english)
	if core == "" || depth > deepest {
		return english, false
	}
	at := strings.Index(english, core)
	before, after := english[:at], english[at+len(core):]
	if said, ok := l.coded(core, depth); ok {
		return before + said + after, true
	}
	if said, ok := l.surelyOfField(core, depth); ok {
		return before + said + after, true
	}
	if said, ok := l.sentence(core, depth); ok {
		return before + said + after, true
	}
	if stem, ok := strings.CutSuffix(core, "."); ok {
		if said, ok := l.sentence(stem, depth); ok {
			return before + said + "." + after, true
		}
	}
	for _, way := range []func(string, int) (string, bool){l.list, l.ofField, l.labelled, l.parts} {
		if said, ok := way(core, depth); ok {
			return before + said + after, true
		}
	}
	return english, false
}

// code is that of a cause, as commands write it behind the cause.
var code = regexp.MustCompile(` \[[a-z0-9-]+\]$`)

// coded translates a cause that its code follows.
func (l *search) coded(text string, depth int) (string, bool) {
	at := code.FindStringIndex(text)
	if at == nil {
		return text, false
	}
	if e, _ := l.patterns.find(text); e != nil && strings.HasSuffix(e.key, " [%s]") {
		return text, false // the code belongs to the sentence: it is that of a cause within
	}
	said, ok := l.text(text[:at[0]], depth)
	return said + text[at[0]:], ok
}

// ofField translates what is said of a field, which stands in front in quotes: "Weight" is not a number.
func (l *search) ofField(text string, depth int) (string, bool) {
	name, err := strconv.QuotedPrefix(text)
	if err != nil || !strings.HasPrefix(text[len(name):], " ") {
		return text, false
	}
	said, ok := l.sure(text[len(name)+1:], depth)
	return name + " " + said, ok
}

// surelyOfField translates what is said of a field where all of that is known, and a pattern for the whole leaves words
// that are not: "Weight" is not a whole number is no "%q is not a %s".
func (l *search) surelyOfField(text string, depth int) (string, bool) {
	name, err := strconv.QuotedPrefix(text)
	if err != nil || !strings.HasPrefix(text[len(name):], " ") || l.filled(text) || !l.filled(text[len(name)+1:]) {
		return text, false
	}
	return l.ofField(text, depth)
}

// filled tells whether a text is known with every value of its pattern that is made of words.
func (l *search) filled(text string) bool {
	if l.entries[text] != nil {
		return true
	}
	e, values := l.patterns.find(text)
	if e == nil {
		return false
	}
	for _, p := range parseFormat(e.key) {
		if p.kind == 's' && l.entries[values[p.arg]] == nil {
			return false
		}
	}
	return true
}

// labelled translates a sentence that is known as a whole behind what it is said of, though it may
// hold joints itself, at which it would fall into parts that mean something else.
func (l *search) labelled(text string, depth int) (string, bool) {
	parts := cut(text, ": ")
	for i := 1; i < len(parts); i++ {
		rest := strings.Join(parts[i:], ": ")
		if said, ok := l.whole(rest, depth); ok {
			label, ok := l.text(strings.Join(parts[:i], ": "), depth+1)
			return label + l.joint(": ", ok) + said, true
		}
	}
	for i := len(parts) - 1; i > 1; i-- { // what is known holds a joint itself, and more is said behind it
		if said, ok := l.whole(strings.Join(parts[:i], ": "), depth); ok {
			rest, _ := l.text(strings.Join(parts[i:], ": "), depth+1)
			return said + l.joint(": ", true) + rest, true
		}
	}
	return text, false
}

// sure translates what the catalog has, unless a value of its pattern would reach over a joint.
func (l *search) sure(text string, depth int) (string, bool) {
	if _, values := l.patterns.find(text); l.entries[text] == nil {
		for _, v := range values {
			if slices.ContainsFunc(joints, func(joint string) bool { return len(cut(v, joint)) > 1 }) {
				return text, false
			}
		}
	}
	return l.known(text, depth)
}

// whole translates what is one sentence, with its code or the space around it.
func (l *search) whole(text string, depth int) (string, bool) {
	core := strings.TrimSpace(text)
	at := strings.Index(text, core)
	end := ""
	if m := code.FindStringIndex(core); m != nil {
		core, end = core[:m[0]], core[m[0]:]
	}
	for _, way := range []func(string, int) (string, bool){l.surelyOfField, l.sure, l.ofField} {
		if said, ok := way(core, depth+1); ok && core != "" {
			return text[:at] + said + end + text[at+len(core)+len(end):], true
		}
	}
	return text, false
}

// sentence translates a whole text: as it stands, by its pattern, or with its first letter small.
func (l *search) sentence(text string, depth int) (string, bool) {
	if said, ok := l.known(text, depth); ok {
		return said, true
	}
	if small, ok := lower(text); ok && l.surely(small) {
		if said, ok := l.known(small, depth); ok {
			return upper(said), true
		}
	}
	if small := strings.ToLower(text); strings.ToUpper(text) == text && small != text {
		if said, ok := l.known(small, depth); ok {
			return strings.ToUpper(said), true
		}
	}
	return text, false
}

// surely tells whether a text that was written small is known by more than a word or two: "Use of nets" is a name.
func (l *search) surely(text string) bool {
	if l.entries[text] != nil {
		return true
	}
	e, _ := l.patterns.find(text)
	return e != nil && weightOf(parseFormat(e.key)) >= sureWeight
}

// known translates what the catalog has.
func (l *search) known(text string, depth int) (string, bool) {
	if l.left--; l.left < 0 {
		return text, false
	}
	if e, ok := l.entries[text]; ok {
		return strings.ReplaceAll(e.other, "%%", "%"), true
	}
	if said, ok := l.describe(text); ok {
		return said, true
	}
	e, values := l.patterns.find(text)
	if e == nil {
		return text, false
	}
	n := int64(-1)
	for _, p := range parseFormat(e.key) {
		if p.kind == 'd' && n < 0 {
			n = countIn(values[p.arg])
		}
		if p.kind == 's' {
			values[p.arg] = l.value(e, values[p.arg], depth)
		}
	}
	return fill(l.say(e, n), values, l.joins), true
}

// countIn reads a count; -1 is none.
func countIn(text string) int64 {
	var n int64
	for _, r := range text {
		if r < '0' || r > '9' || n > 1<<40 {
			return -1
		}
		n = n*10 + int64(r-'0')
	}
	return n
}

// joints are what parts sentences that were put together, the strongest first.
var joints = []string{"\n", ". ", "; ", ": ", ", "}

// parts translates a text that was put together from several, if at least one of them is known.
func (l *search) parts(text string, depth int) (string, bool) {
	for _, joint := range joints {
		stretches := cut(text, joint)
		if len(stretches) < 2 {
			continue
		}
		any := false
		var b strings.Builder
		for i, part := range stretches {
			said, ok := l.joined(i, joint, part, depth+1)
			b.WriteString(said)
			if i < len(stretches)-1 {
				b.WriteString(l.joint(joint, ok))
			}
			any = any || ok
		}
		if any {
			return b.String(), true
		}
	}
	return text, false
}

// joint is how the language writes what stands between two sentences, behind one that it says: French has a space
// before the colon. What was not said, such as a place in a file, keeps its own.
func (l *search) joint(english string, said bool) string {
	if said && l.noBreak != nil && (english == ": " || english == "; ") {
		return " " + english
	}
	return english
}

// joined translates a part; what the code adds to a sentence begins with its joint, as in "; %d waiting".
func (l *search) joined(i int, joint, part string, depth int) (string, bool) {
	if i > 0 {
		if said, ok := l.known(joint+part, depth); ok {
			return strings.TrimPrefix(said, joint), true
		}
	}
	if e := l.entries[part+"."]; joint == ". " && e != nil {
		return strings.TrimSuffix(e.other, "."), true // a page's sentence has its point in the catalog
	}
	if single(part) && joint != ": " && joint != "\n" {
		return part, false
	}
	return l.text(part, depth)
}

// cut parts a text at a joint, but not within quotes or backticks.
func cut(text, joint string) []string {
	var list []string
	start := 0
	var quote byte
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quote != 0 && c == '\\' && quote == '"':
			i++
			continue
		case quote != 0:
			if c == quote {
				quote = 0
			}
			continue
		case c == '"' || c == '`':
			quote = c
			continue
		}
		if strings.HasPrefix(text[i:], joint) {
			list = append(list, text[start:i])
			start = i + len(joint)
			i = start - 1
		}
	}
	return append(list, text[start:])
}
