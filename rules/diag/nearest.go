package diag

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of what a hint shows: a wall of names helps nobody.
const (
	maxNearest = 3
	maxKnown   = 5
)

// Nearest gives the candidates that were probably meant by a word, nearest first, three at most: those whose distance is no more than a third
// of the word's length, at least one. A difference in case or spacing alone counts as one, as does a swap of two neighbours.
func Nearest(word string, candidates []string) []string {
	type match struct {
		name     string
		distance int
	}
	target := []rune(word)
	folded := fold(word)
	limit := max(1, len(target)/3)
	var found []match
	var rows [3][]int
	for _, c := range candidates {
		if c == word {
			continue
		}
		length := utf8.RuneCountInString(c)
		d := limit + 1
		switch {
		case length > 2*len(target)+limit:
			continue
		case fold(c) == folded:
			d = 1
		case length-len(target) <= limit && len(target)-length <= limit:
			d = distance(target, []rune(c), limit, &rows)
		}
		if d <= limit {
			found = append(found, match{c, d})
		}
	}
	slices.SortFunc(found, func(a, b match) int { return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.name, b.name)) })
	names := make([]string, 0, maxNearest)
	for _, m := range found {
		if len(names) < maxNearest && !slices.Contains(names, m.name) {
			names = append(names, m.name)
		}
	}
	return names
}

// fold drops what people see as the same: case, and runs of spaces, underscores and hyphens.
func fold(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return unicode.IsSpace(r) || r == '_' || r == '-' }), " ")
}

// distance is the optimal string alignment distance, or more than limit when it is larger than limit.
func distance(a, b []rune, limit int, rows *[3][]int) int {
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
	more := ""
	if len(shown) > maxKnown {
		more = fmt.Sprintf(" and %d more", len(shown)-maxKnown)
		shown = shown[:maxKnown]
	}
	return "known " + what + ": " + quoted(shown, ", ") + more
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
