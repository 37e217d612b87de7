package dateformat

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Written is a form that a date may be written in: a format, and the language of its words, "" where it has none or
// they are English.
type Written struct{ Pattern, Language string }

// Guess lists the forms that a text may be written in, day before month first; nil for what is no date. It never says
// what the text means: 05/08/2026 has two forms.
func Guess(text string) []Written {
	text = strings.TrimSpace(text)
	if len(text) > longestDate {
		return nil
	}
	var found []Written
	for _, language := range []string{"en", "fr", "pt", "es"} {
		g := guess{words: languages()[language], pieces: pieces.FindAllString(text, -1)}
		for _, pattern := range g.patterns() {
			w := Written{Pattern: pattern}
			if g.named && language != "en" {
				w.Language = language
			}
			if w.reads(text) {
				found = append(found, w)
			}
		}
		if len(found) > 0 {
			break
		}
	}
	return found
}

// longestDate is how many bytes a date may have, weekday, time and zone among them.
const longestDate = 60

var pieces = regexp.MustCompile(`[0-9]+|\pL+|[^0-9\pL]+`)

// reads tells whether the form reads a text.
func (w Written) reads(text string) bool {
	f, err := Compile(w.Pattern)
	if err == nil && w.Language != "" {
		f, err = f.In(w.Language)
	}
	return err == nil && f.Reads(text)
}

// guess makes patterns of the pieces of a text.
type guess struct {
	words   *words
	pieces  []string
	parts   []string // of the pattern; a number of the date stands there as it is
	numbers []int    // which parts are such numbers
	month   bool     // the month stands there by its name
	named   bool     // the month or a weekday does
	word    bool     // the last part is a name
}

func (g *guess) patterns() []string {
	for i := 0; i < len(g.pieces); {
		if n := g.clock(strings.Join(g.pieces[i:], "")); n > 0 {
			for ; n > 0 && i < len(g.pieces); i++ {
				n -= len(g.pieces[i])
			}
			continue
		}
		if !g.take(g.pieces[i]) {
			return nil
		}
		i++
	}
	return g.orders()
}

// take makes a part of the pattern of a number, a word or what stands between them.
func (g *guess) take(piece string) bool {
	first, _ := utf8.DecodeRuneInString(piece)
	afterName := g.word
	g.word = false
	switch {
	case first >= '0' && first <= '9':
		g.numbers = append(g.numbers, len(g.parts))
		g.parts = append(g.parts, piece)
	case !unicode.IsLetter(first):
		if afterName {
			piece = strings.TrimPrefix(piece, ".") // it is read with the name, as in "Sept."
		}
		g.parts = append(g.parts, strings.ReplaceAll(piece, "'", "''"))
	case piece == "T" || strings.EqualFold(piece, "de") || strings.EqualFold(piece, "of"):
		g.parts = append(g.parts, "'"+piece+"'")
	default:
		return g.name(piece)
	}
	return true
}

// name takes the name of a month or of a weekday.
func (g *guess) name(piece string) bool {
	letter, names := "M", g.words.months
	switch {
	case !g.month && g.words.monthOf(piece, true) > 0:
		g.month = true
	case g.words.isWeekday(piece):
		letter, names = "E", g.words.weekdays
	default:
		return false
	}
	count := 3
	if slices.ContainsFunc(names, func(n string) bool { return len(n) > 3 && plainWord(n) == plainWord(piece) }) {
		count = 4
	}
	g.named, g.word = true, true
	g.parts = append(g.parts, strings.Repeat(letter, count))
	return true
}

// clock takes a time of day that the rest of the text begins with, and gives how many bytes it has; 0 for none.
func (g *guess) clock(rest string) int {
	m := clocks.FindStringSubmatch(rest)
	if m == nil {
		return 0
	}
	hour, seconds, fraction, half, zone := m[1], m[2], m[3], m[4], m[5]
	letter := "H"
	if half != "" {
		letter = "h"
	}
	pattern := letter + ":mm"
	if hour[0] == '0' {
		pattern = letter + pattern
	}
	if seconds != "" {
		pattern += ":ss"
	}
	if fraction != "" {
		pattern += fraction[:1] + strings.Repeat("S", min(len(fraction)-1, 9))
	}
	space := func(s string) string { return s[:len(s)-len(strings.TrimLeft(s, " "))] }
	if half != "" {
		pattern += space(half) + "a"
	}
	if zone != "" {
		pattern += space(zone) + "X"
	}
	g.parts = append(g.parts, pattern)
	g.word = false
	return len(m[0])
}

// clocks is a time of day: hour, minute, second, fraction, AM or PM, zone.
var clocks = regexp.MustCompile(`^([0-9]{1,2}):[0-9]{2}(:[0-9]{2})?([.,][0-9]+)?( ?[AaPp][Mm]\b)?` +
	`( ?(?:Z\b|[+-][0-9]{2}:?[0-9]{2}))?`)

// orders gives the patterns in which the numbers of the date are year, month and day in each order that people use.
func (g *guess) orders() []string {
	orders := []string{"dMy", "Mdy", "yMd"}
	if g.month {
		orders = []string{"dy", "yd"}
	}
	var patterns []string
	if len(g.numbers) == 1 && !g.month && len(g.parts[g.numbers[0]]) == 8 {
		for _, joined := range []string{"yyyyMMdd", "ddMMyyyy"} {
			parts := slices.Clone(g.parts)
			parts[g.numbers[0]] = joined
			patterns = append(patterns, strings.Join(parts, ""))
		}
	}
	for _, order := range orders {
		if p, ok := g.order(order); ok {
			patterns = append(patterns, p)
		}
	}
	return patterns
}

// order gives the pattern with the numbers in one order; false where one of them cannot be what it would be.
func (g *guess) order(order string) (string, bool) {
	parts := slices.Clone(g.parts)
	if len(g.numbers) != len(order) {
		return "", false
	}
	padded := g.padded()
	for i, at := range g.numbers {
		digits, letter := len(parts[at]), order[i:i+1]
		switch {
		case letter == "y" && digits == 4:
			parts[at] = "yyyy"
		case letter == "y" && digits == 2 && i > 0:
			parts[at] = "yy{1930}"
		case letter != "y" && digits <= 2:
			parts[at] = strings.Repeat(letter, 1+padded)
		default:
			return "", false
		}
	}
	return strings.Join(parts, ""), true
}

// padded is 1 where a day or a month is written with a zero before it. Elsewhere a single letter is meant, which reads
// two digits as well: 12/11/2026 does not tell how the 1st of March is written.
func (g *guess) padded() int {
	for _, at := range g.numbers {
		if n := g.parts[at]; len(n) == 2 && n[0] == '0' {
			return 1
		}
	}
	return 0
}
