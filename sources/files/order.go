package files

import (
	"cmp"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// oldestFirst gives files in the order in which they were written, and those of one moment in the
// natural order of their names. What is gone comes last.
func oldestFirst(entries []fs.DirEntry) []fs.DirEntry {
	type dated struct {
		fs.DirEntry
		at   time.Time
		gone bool
	}
	list := make([]dated, len(entries))
	for i, e := range entries {
		list[i] = dated{DirEntry: e, gone: true}
		if info, err := e.Info(); err == nil {
			list[i].at, list[i].gone = info.ModTime(), false
		}
	}
	slices.SortStableFunc(list, func(a, b dated) int {
		if a.gone != b.gone {
			return map[bool]int{true: 1, false: -1}[a.gone]
		}
		return cmp.Or(a.at.Compare(b.at), CompareNames(a.Name(), b.Name()))
	})
	out := make([]fs.DirEntry, len(list))
	for i, d := range list {
		out[i] = d.DirEntry
	}
	return out
}

// inOrder sorts taken files as they were taken, and those of one moment in the natural order of their names.
func (in inbox) inOrder(ids []string) []string {
	tags := make(map[string]tag, len(ids))
	for _, id := range ids {
		tags[id], _ = in.readTag(id) // what cannot be read is offered all the same, first, and says so
	}
	slices.SortFunc(ids, func(a, b string) int {
		return cmp.Or(tags[a].Received.Compare(tags[b].Received), CompareNames(tags[a].Name, tags[b].Name),
			cmp.Compare(a, b))
	})
	return ids
}

// CompareNames orders names as people do: by their letters, and numbers in them by their size, so
// that export-9 comes before export-10.
func CompareNames(a, b string) int {
	x, y := a, b
	for x != "" && y != "" {
		if digit(x[0]) && digit(y[0]) {
			m, n := number(&x), number(&y)
			if order := cmp.Or(cmp.Compare(len(m), len(n)), strings.Compare(m, n)); order != 0 {
				return order
			}
			continue
		}
		if x[0] != y[0] {
			return cmp.Compare(x[0], y[0])
		}
		x, y = x[1:], y[1:]
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(a, b))
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// number takes the digits from the beginning of a text, and gives them without leading zeros.
func number(text *string) string {
	n := 0
	for n < len(*text) && digit((*text)[n]) {
		n++
	}
	digits := strings.TrimLeft((*text)[:n], "0")
	*text = (*text)[n:]
	return digits
}
