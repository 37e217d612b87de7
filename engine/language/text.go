package language

import "strings"

const (
	longest = 2 << 10 // a text of more bytes is no sentence of ours
	deepest = 4       // a value of a sentence may be a sentence, which has values
)

// Text gives a text that the code made, in the language. What is not known stays as it is.
func (l *Language) Text(english string) string {
	if l == nil || len(english) > longest {
		return english
	}
	text, _ := l.text(english, 0)
	return text
}

// text tells whether any of it was translated.
func (l *Language) text(english string, depth int) (string, bool) {
	core := strings.TrimSpace(english)
	if core == "" || depth > deepest {
		return english, false
	}
	at := strings.Index(english, core)
	before, after := english[:at], english[at+len(core):]
	if said, ok := l.sentence(core, depth); ok {
		return before + said + after, true
	}
	if stem, ok := strings.CutSuffix(core, "."); ok {
		if said, ok := l.sentence(stem, depth); ok {
			return before + said + "." + after, true
		}
	}
	if said, ok := l.parts(core, depth); ok {
		return before + said + after, true
	}
	return english, false
}

// sentence translates a whole text: as it stands, by its pattern, or with its first letter small.
func (l *Language) sentence(text string, depth int) (string, bool) {
	if said, ok := l.known(text, depth); ok {
		return said, true
	}
	if small, ok := lower(text); ok {
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

// known translates what the catalog has.
func (l *Language) known(text string, depth int) (string, bool) {
	if e, ok := l.entries[text]; ok {
		return strings.ReplaceAll(e.other, "%%", "%"), true
	}
	e, values := l.patterns.find(text)
	if e == nil {
		return text, false
	}
	n := int64(-1)
	for _, p := range parseFormat(e.key) {
		if p.kind == 'd' && n < 0 {
			n = whole(values[p.arg])
		}
		if p.kind == 's' {
			values[p.arg], _ = l.text(values[p.arg], depth+1)
		}
	}
	return fill(l.say(e, n), values), true
}

// whole reads a count; -1 is none.
func whole(text string) int64 {
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
func (l *Language) parts(text string, depth int) (string, bool) {
	for _, joint := range joints {
		stretches := cut(text, joint)
		if len(stretches) < 2 {
			continue
		}
		any := false
		for i, part := range stretches {
			said, ok := l.joined(i, joint, part, depth+1)
			stretches[i] = said
			any = any || ok
		}
		if any {
			return strings.Join(stretches, joint), true
		}
	}
	return text, false
}

// joined translates a part; what the code adds to a sentence begins with its joint, as in "; %d waiting".
func (l *Language) joined(i int, joint, part string, depth int) (string, bool) {
	if i > 0 {
		if said, ok := l.known(joint+part, depth); ok {
			return strings.TrimPrefix(said, joint), true
		}
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
