package expression

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// nearest gives the names that were probably meant, nearest first, three at most: those whose
// distance is no more than a third of the length of the name.
func nearest(name string, known []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	limit := max(1, len([]rune(name))/3)
	var found []candidate
	for _, k := range known {
		if d := distance(name, k, limit); d <= limit && k != name {
			found = append(found, candidate{k, d})
		}
	}
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.name, b.name))
	})
	var names []string
	for _, c := range found[:min(3, len(found))] {
		names = append(names, c.name)
	}
	return names
}

// distance is the optimal string alignment distance: insertions, deletions, replacements and swaps
// of neighbours cost one each. A difference of case only is one in all. Beyond the limit the result
// is only sure to be larger than the limit.
func distance(a, b string, limit int) int {
	if strings.EqualFold(a, b) {
		if a == b {
			return 0
		}
		return 1
	}
	s, t := []rune(a), []rune(b)
	if len(s)-len(t) > limit || len(t)-len(s) > limit {
		return limit + 1
	}
	before, last, row := make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(s); i++ {
		row[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			} else if unicode.ToLower(s[i-1]) == unicode.ToLower(t[j-1]) && i == j {
				cost = 1
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(t)]
}

// suggest is the hint for a name that does not exist: the nearest names, or else some that do exist.
func suggest(name string, known []string, what string) string {
	if near := nearest(name, known); len(near) > 0 {
		return "did you mean " + orList(quoteAll(near)) + "?"
	}
	return listKnown(known, what)
}

// listKnown names what exists, five at most.
func listKnown(known []string, what string) string {
	if len(known) == 0 {
		return ""
	}
	shown := quoteAll(known[:min(5, len(known))])
	text := "known " + what + ": " + strings.Join(shown, ", ")
	if more := len(known) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func quoteAll(names []string) []string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = `"` + name + `"`
	}
	return quoted
}

// orList writes a, b or c.
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
