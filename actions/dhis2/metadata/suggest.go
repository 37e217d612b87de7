package metadata

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxSuggestions is how many nearest names a finding may list.
const maxSuggestions = 5

// nearest gives the names most like the one that was written, nearest first; none when nothing comes close. Letters' case, and runs of
// spaces count for nothing. A name that only contains what was written, or the reverse, counts as near.
func nearest(written string, names func(yield func(string) bool)) []string {
	want := []rune(fold(written))
	if len(want) == 0 {
		return nil
	}
	limit := max(1, len(want)/3)
	type near struct {
		name     string
		distance int
	}
	var found []near
	var d distances
	for name := range names {
		folded := fold(name)
		n := utf8.RuneCountInString(folded)
		distance := limit + 1
		if abs(n-len(want)) <= limit {
			distance = d.between(want, []rune(folded), limit)
		}
		if distance > limit && min(n, len(want)) >= 4 && (strings.Contains(folded, string(want)) || strings.Contains(string(want), folded)) {
			distance = limit
		}
		if distance <= limit {
			found = append(found, near{name, distance})
		}
	}
	slices.SortFunc(found, func(a, b near) int { return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.name, b.name)) })
	var out []string
	for _, f := range found {
		if len(out) == maxSuggestions {
			break
		}
		if !slices.Contains(out, f.name) {
			out = append(out, f.name)
		}
	}
	return out
}

func fold(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

func abs(n int) int { return max(n, -n) }

// distances holds the rows of the table between calls.
type distances struct{ before, above, row []int }

// between is the optimal string alignment distance: insertions, deletions, replacements and swaps of neighbours. It stops early, with
// more than limit, once the distance must exceed it.
func (d *distances) between(a, b []rune, limit int) int {
	size := len(b) + 1
	if cap(d.row) < size {
		d.before, d.above, d.row = make([]int, size), make([]int, size), make([]int, size)
	}
	before, above, row := d.before[:size], d.above[:size], d.row[:size]
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+b2i(a[i-1] != b[j-1]))
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			least = min(least, row[j])
		}
		if least > limit {
			return limit + 1
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
