package language

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// verb is a place in a format where a value is written: %s, %q, %[2]d, %.1f.
var verb = regexp.MustCompile(`%(?:\[(\d+)\])?[-+# 0]*(?:\d+|\*)?(?:\.\d+)?([a-zA-Z%])`)

// piece is a stretch of literal text, or a value.
type piece struct {
	text string // literal, where kind is 0
	kind byte   // of the verb: 'q' quoted, 'd' digits, 's' anything
	arg  int    // which value, from 0
}

// parseFormat parts a format of fmt into pieces; %% becomes literal.
func parseFormat(format string) []piece {
	var pieces []piece
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			pieces = append(pieces, piece{text: literal.String()})
			literal.Reset()
		}
	}
	next, at := 0, 0
	for _, m := range verb.FindAllStringSubmatchIndex(format, -1) {
		literal.WriteString(format[at:m[0]])
		at = m[1]
		kind := format[m[4]]
		if kind == '%' {
			literal.WriteByte('%')
			continue
		}
		flush()
		if m[2] >= 0 {
			number, err := strconv.Atoi(format[m[2]:m[3]])
			if err == nil && number > 0 {
				next = number - 1
			}
		}
		if kind != 'q' && kind != 'd' {
			kind = 's'
		}
		pieces = append(pieces, piece{kind: kind, arg: next})
		next++
	}
	literal.WriteString(format[at:])
	flush()
	return pieces
}

// pattern recognises sentences that were made with one format.
type pattern struct {
	pieces []piece
	weight int // letters of its literals: the more, the surer
	entry  *entry
}

// leastWeight is how many letters a format needs so that a finished sentence is recognised by it: "%s of %s" fits too much.
const leastWeight = 3

// endWeight is what it weighs that a sentence must end as the format does.
const endWeight = 4

// sureWeight is how many letters a format needs that is not written as the text is, with a small letter at its head.
const sureWeight = 8

// weightOf counts the letters of a format's literals.
func weightOf(pieces []piece) int {
	weight := 0
	for _, piece := range pieces {
		for _, r := range piece.text {
			if unicode.IsLetter(r) {
				weight++
			}
		}
	}
	return weight
}

func newPattern(e *entry) (pattern, bool) {
	p := pattern{pieces: parseFormat(e.key), entry: e}
	p.weight = weightOf(p.pieces)
	values := 0
	for i, piece := range p.pieces {
		if piece.kind != 0 {
			values++
			if i > 0 && p.pieces[i-1].kind == 's' {
				return p, false // two values side by side cannot be told apart
			}
		}
	}
	sure := values > 0 && p.weight >= leastWeight
	if sure && p.pieces[len(p.pieces)-1].kind == 0 {
		p.weight += endWeight
	}
	return p, sure
}

// words lists the words that stand whole in every sentence of the pattern: a value may go on with letters where it
// touches one, unless it is a number or stands in quotes.
func (p pattern) words() []string {
	joins := func(i int) bool { return i >= 0 && i < len(p.pieces) && p.pieces[i].kind == 's' }
	var list []string
	for i, piece := range p.pieces {
		if piece.kind != 0 {
			continue
		}
		for _, w := range wordsIn(piece.text) {
			if w.from > 0 || !joins(i-1) {
				if w.to < len(piece.text) || !joins(i+1) {
					list = append(list, piece.text[w.from:w.to])
				}
			}
		}
	}
	return list
}

// span is where something stands in a text.
type span struct{ from, to int }

// wordsIn finds the runs of letters in a text.
func wordsIn(text string) []span {
	var list []span
	from := -1
	for i, r := range text {
		switch letter := unicode.IsLetter(r); {
		case letter && from < 0:
			from = i
		case !letter && from >= 0:
			list = append(list, span{from, i})
			from = -1
		}
	}
	if from >= 0 {
		list = append(list, span{from, len(text)})
	}
	return list
}

// possible tells whether the literals of the pattern stand in a text one behind the other, which most patterns fail.
func (p pattern) possible(text string) bool {
	for _, piece := range p.pieces {
		if piece.kind != 0 {
			continue
		}
		at := strings.Index(text, piece.text)
		if at < 0 {
			return false
		}
		text = text[at+len(piece.text):]
	}
	return true
}

// match gives the values that stand in a sentence where the pattern has its verbs.
func (p pattern) match(text string) ([]string, bool) {
	if !p.possible(text) {
		return nil, false
	}
	values := make([]string, len(p.pieces))
	failed := map[[2]int]bool{}
	var from func(i, at int) bool
	from = func(i, at int) bool {
		if i == len(p.pieces) {
			return at == len(text)
		}
		state := [2]int{i, at}
		if failed[state] {
			return false
		}
		piece := p.pieces[i]
		if piece.kind == 0 {
			if strings.HasPrefix(text[at:], piece.text) && from(i+1, at+len(piece.text)) {
				return true
			}
			failed[state] = true
			return false
		}
		for _, end := range p.ends(i, text, at) {
			if from(i+1, end) {
				values[piece.arg] = text[at:end]
				return true
			}
		}
		failed[state] = true
		return false
	}
	if !from(0, 0) {
		return nil, false
	}
	return values, true
}

// overreaches tells whether a pattern of few letters takes for its first value more than one stretch of a text that was
// put together: "fix: name the tracked entity" is no "%s entity".
func (p pattern) overreaches(values []string) bool {
	if p.pieces[0].kind != 's' || weightOf(p.pieces) >= sureWeight {
		return false
	}
	return slices.ContainsFunc([]string{"\n", ". ", "; ", ": "}, func(joint string) bool {
		return len(cut(values[p.pieces[0].arg], joint)) > 1
	})
}

// ends lists where a value that begins at a place may end, the likeliest first.
func (p pattern) ends(i int, text string, at int) []int {
	switch p.pieces[i].kind {
	case 'd':
		end := at
		for end < len(text) && (text[end] >= '0' && text[end] <= '9' || end == at && text[end] == '-') {
			end++
		}
		if end == at {
			return nil
		}
		return []int{end}
	case 'q':
		quoted, err := strconv.QuotedPrefix(text[at:])
		if err != nil {
			return nil
		}
		return []int{at + len(quoted)}
	}
	if i == len(p.pieces)-1 {
		return []int{len(text)}
	}
	next := p.pieces[i+1].text
	var ends []int
	for end := at; end <= len(text); {
		if next == "" {
			ends = append(ends, end)
			end++
			continue
		}
		found := strings.Index(text[end:], next)
		if found < 0 {
			break
		}
		ends = append(ends, end+found)
		_, size := utf8.DecodeRuneInString(text[end+found:])
		end += found + max(size, 1)
	}
	return ends
}

// join is how two words are written that come to stand side by side: de and le are du.
type join struct{ first, second, both string }

// joinsOf reads joins as a catalog has them: "de |le ": "du ".
func joinsOf(texts map[string]string) []join {
	list := make([]join, 0, len(texts))
	for sides, both := range texts {
		if first, second, ok := strings.Cut(sides, "|"); ok {
			list = append(list, join{first, second, both})
		}
	}
	slices.SortFunc(list, func(a, b join) int {
		return cmp.Or(cmp.Compare(len(b.second), len(a.second)), cmp.Compare(a.first+a.second, b.first+b.second))
	})
	return list
}

// of tells whether a text ends with the first word, and the value begins with the second.
func (j join) of(text, value string) bool {
	before, ok := strings.CutSuffix(text, j.first)
	if !ok || !strings.HasPrefix(value, j.second) {
		return false
	}
	last, _ := utf8.DecodeLastRuneInString(before)
	return before == "" || !unicode.IsLetter(last)
}

// fill writes values into a format, each as it stands; %[2]s names the second.
func fill(format string, values []string, joins []join) string {
	text := ""
	for _, piece := range parseFormat(format) {
		if piece.kind == 0 {
			text += piece.text
			continue
		}
		if piece.arg >= len(values) {
			continue
		}
		value := values[piece.arg]
		if at := slices.IndexFunc(joins, func(j join) bool { return piece.kind == 's' && j.of(text, value) }); at >= 0 {
			j := joins[at]
			text, value = strings.TrimSuffix(text, j.first)+j.both, strings.TrimPrefix(value, j.second)
		}
		text += value
	}
	return text
}

// patterns finds the pattern of a sentence among thousands: each is kept under the rarest of its words, so that a
// sentence is compared only with those whose rarest word it has.
type patterns struct {
	byWord map[string][]pattern
	others []pattern // have no word of their own
}

func newPatterns(entries map[string]*entry) patterns {
	var list []pattern
	frequency := map[string]int{}
	for _, e := range entries {
		if p, ok := newPattern(e); ok {
			list = append(list, p)
			for _, word := range p.words() {
				frequency[word]++
			}
		}
	}
	slices.SortFunc(list, func(a, b pattern) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.entry.key, b.entry.key))
	})
	ps := patterns{byWord: map[string][]pattern{}}
	for _, p := range list {
		words := p.words()
		if len(words) == 0 {
			ps.others = append(ps.others, p)
			continue
		}
		rarest := slices.MinFunc(words, func(a, b string) int {
			return cmp.Or(cmp.Compare(frequency[a], frequency[b]), cmp.Compare(len(b), len(a)))
		})
		ps.byWord[rarest] = append(ps.byWord[rarest], p)
	}
	return ps
}

// find gives the surest pattern of a sentence, and its values.
func (ps patterns) find(text string) (*entry, []string) {
	var best *entry
	var values []string
	weight := 0
	look := func(list []pattern) {
		for _, p := range list {
			if p.weight < weight || p.weight == weight && (best == nil || p.entry.key >= best.key) {
				return
			}
			if found, ok := p.match(text); ok && !p.overreaches(found) {
				best, values, weight = p.entry, found, p.weight
				return
			}
		}
	}
	for _, w := range wordsIn(text) {
		look(ps.byWord[text[w.from:w.to]])
	}
	look(ps.others)
	return best, values
}

// checkFormat says what a translation's verbs lack against those of the English text.
func checkFormat(english, translated string) error {
	of := func(format string) map[int]byte {
		kinds := map[int]byte{}
		for _, p := range parseFormat(format) {
			if p.kind != 0 {
				kinds[p.arg] = p.kind
			}
		}
		return kinds
	}
	want, got := of(english), of(translated)
	for arg := range got {
		if _, ok := want[arg]; !ok {
			return fmt.Errorf("%q has a value %d that %q has not", translated, arg+1, english)
		}
	}
	for arg := range want {
		if _, ok := got[arg]; !ok {
			return fmt.Errorf("%q lacks value %d of %q", translated, arg+1, english)
		}
	}
	return nil
}
