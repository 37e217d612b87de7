package diag

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Limits of what a hint shows: a wall of names helps nobody.
const (
	maxNearest = 3
	maxKnown   = 5
)

// Nearest gives the candidates that were probably meant by a word, nearest first, three at most:
// those whose distance is no more than a third of the word's length, at least one. A difference in
// case or spacing alone counts as one, as does a swap of two neighbours.
func Nearest(word string, candidates []string) []string {
	type match struct {
		name     string
		distance int
	}
	target := []rune(word)
	limit := max(1, len(target)/3)
	var found []match
	var rows [3][]int
	var runes []rune
	for _, c := range candidates {
		if c == word || slices.ContainsFunc(found, func(m match) bool { return m.name == c }) {
			continue
		}
		runes = runes[:0]
		for _, r := range c {
			runes = append(runes, r)
		}
		d := limit + 1
		if sameFolded(target, runes) {
			d = 1
		} else if len(runes)-len(target) <= limit && len(target)-len(runes) <= limit {
			d = distance(target, runes, limit, &rows)
		}
		if d > limit {
			continue
		}
		found = append(found, match{c, d})
		if len(found) > maxNearest {
			// Only the best are shown: what is farther than they need not be measured to the end.
			slices.SortFunc(found, func(a, b match) int {
				return cmp.Or(cmp.Compare(a.distance, b.distance),
					cmp.Compare(a.name, b.name))
			})
			found = found[:maxNearest]
			limit = found[maxNearest-1].distance
		}
	}
	slices.SortFunc(found, func(a, b match) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance),
			cmp.Compare(a.name, b.name))
	})
	names := make([]string, len(found))
	for i, m := range found {
		names[i] = m.name
	}
	return names
}

// sameFolded tells whether two words differ in nothing that people see at once: case, and spaces,
// underscores or hyphens between words.
func sameFolded(a, b []rune) bool {
	i, j := 0, 0
	for {
		i0, j0 := i, j
		for i < len(a) && isGap(a[i]) {
			i++
		}
		for j < len(b) && isGap(b[j]) {
			j++
		}
		if i == len(a) || j == len(b) {
			return i == len(a) && j == len(b)
		}
		if (i > i0 && i0 > 0) != (j > j0 && j0 > 0) || a[i] != b[j] && unicode.ToLower(a[i]) != unicode.ToLower(b[j]) {
			return false
		}
		i, j = i+1, j+1
	}
}

func isGap(r rune) bool { return r == '_' || r == '-' || unicode.IsSpace(r) }

// distance is the optimal string alignment distance, or more than limit when it is larger than limit.
func distance(a, b []rune, limit int, rows *[3][]int) int {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	for i := range rows {
		if len(rows[i]) <= len(b) {
			rows[i] = make([]int, len(b)+1)
		}
	}
	before, last, row := rows[0], rows[1], rows[2]
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			least = min(least, row[j])
		}
		if least > limit {
			return least
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// Suggest is the hint for a word that is not one of the candidates: what was probably meant, or else some that exist.
// What names the candidates in the plural: "fields".
func Suggest(word string, candidates []string, what string) string {
	if key, _, braces := strings.Cut(word, " {"); braces && slices.Contains(candidates, key) {
		return "a colon is missing: write " + key + ": {...}"
	}
	if key, _, bracket := strings.Cut(word, " ["); bracket && slices.Contains(candidates, key) {
		return "a colon is missing: write " + key + ": [...]"
	}
	if near := Nearest(word, candidates); len(near) > 0 {
		return "did you mean " + Names(near, "or") + "?"
	}
	return Known(candidates, what)
}

// Known names some of what exists, five at most; "" when nothing does.
func Known(candidates []string, what string) string {
	if len(candidates) == 0 {
		return ""
	}
	shown := slices.Sorted(slices.Values(candidates))
	shown = slices.Compact(shown)
	names := quoted(shown[:min(len(shown), maxKnown)], ", ")
	if len(shown) > maxKnown {
		names += fmt.Sprintf(" and %d more", len(shown)-maxKnown)
	}
	return "known " + what + ": " + names
}

// Names writes names in quotes: "a", "b" or "c".
func Names(names []string, last string) string {
	if len(names) < 2 {
		return quoted(names, "")
	}
	return quoted(names[:len(names)-1], ", ") + " " + last + " " + quoted(names[len(names)-1:], "")
}

func quoted(names []string, separator string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = `"` + n + `"`
	}
	return strings.Join(out, separator)
}

// Distance is how far apart two words are: the optimal string alignment distance.
func Distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	var rows [3][]int
	return distance(s, t, len(s)+len(t), &rows)
}
