package tabular

import (
	"archive/zip"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"

	"github.com/culvert/culvert/rules/diag"
)

// mergedCells is a rectangle of cells of which only the first has a value; rows count from 1, columns from 0.
type mergedCells struct{ firstRow, lastRow, firstColumn, lastColumn int }

// maxMerges bounds the merged cells of one sheet.
const maxMerges = 10000

var mergeRef = regexp.MustCompile(`<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]+)([0-9]+):([A-Z]+)([0-9]+)"`)

// findMerges looks through a sheet for merged cells, which stand behind the rows that they concern.
// A less-than sign cannot stand in text, so that looking for the element is enough.
func (s *sheetRows) findMerges(e *zip.File) ([]mergedCells, error) {
	src, err := openEntry(s.book.place, e, s.book.format)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	const overlap = 512
	buf := make([]byte, 64<<10+overlap)
	kept := 0
	var list []mergedCells
	for {
		n, err := io.ReadFull(src, buf[kept:])
		chunk := buf[:kept+n]
		if bytes.Contains(chunk, []byte("mergeCell")) {
			for _, m := range mergeRef.FindAllSubmatchIndex(chunk, -1) {
				if m[1] <= kept && kept == overlap {
					continue // wholly in what was looked at before
				}
				if len(list) == maxMerges {
					return nil, &FileError{Problem: diag.Problem{Place: diag.Place{File: s.place},
						Message: fmt.Sprintf("it has more than %d merged cells", maxMerges),
						Hint:    "unmerge them"}}
				}
				list = append(list, mergeOf(chunk, m))
			}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			slices.SortFunc(list, func(a, b mergedCells) int { return cmp.Compare(a.firstRow, b.firstRow) })
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		kept = copy(buf, chunk[len(chunk)-overlap:])
	}
}

func mergeOf(text []byte, m []int) mergedCells {
	part := func(i int) string { return string(text[m[2*i]:m[2*i+1]]) }
	row := func(i int) int { n, _ := strconv.Atoi(part(i)); return n } // digits only; too many give the largest number
	first, _ := columnIndex(part(1))
	last, _ := columnIndex(part(3))
	return mergedCells{firstRow: row(2), lastRow: row(4), firstColumn: first, lastColumn: last}
}

// touching lists the merged cells that the current row has part in. Rows come in order, so that
// each rectangle is looked at while it lasts.
func (s *sheetRows) touching() []mergedCells {
	for len(s.merges) > 0 && s.merges[0].firstRow <= s.line {
		s.active = append(s.active, s.merges[0])
		s.merges = s.merges[1:]
	}
	s.active = slices.DeleteFunc(s.active, func(m mergedCells) bool { return m.lastRow < s.line })
	return s.active
}
